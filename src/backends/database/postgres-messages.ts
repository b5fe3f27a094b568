import type { BusListener, MessageBus } from '../../cache/message-bus';

/** A connection of the package `pg`, by what is asked of it. */
export interface PostgresListener {
  connect(): Promise<unknown>;
  query(sql: string, parameters?: readonly string[]): Promise<unknown>;
  end(): Promise<unknown>;
  unref(): void;
  on(event: string, listener: (argument: never) => void): unknown;
}

/** PostgreSQL takes less than 8000. */
const MAX_BYTES = 7900;

/** Until a connection that broke is made again. */
const RETRY_MS = 250;

/** `LISTEN` and `NOTIFY`, over a connection of its own. */
export class PostgresMessages implements MessageBus {
  readonly maxBytes = MAX_BYTES;
  readonly #open: () => PostgresListener;
  #connected: PostgresListener | undefined;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param open - Makes a connection that is not connected yet. */
  constructor(open: () => PostgresListener) {
    this.#open = open;
  }

  listen(channels: readonly string[], listener: BusListener): Promise<void> {
    return new Promise((resolve) => {
      const connect = async (isAgain: boolean): Promise<void> => {
        let client: PostgresListener | undefined;
        let isLost = false;
        const lose = (): void => {
          if (isLost) return;
          isLost = true;
          this.#connected = undefined;
          client?.end().catch(() => {});
          if (this.#isClosed) return;
          this.#timer = setTimeout(() => void connect(true), RETRY_MS);
          this.#timer.unref();
        };
        try {
          client = this.#open();
          client.on('error', lose);
          client.on('end', lose);
          client.on('notification', ({ payload }: { payload?: string }) => {
            listener.onMessage(payload ?? '');
          });
          await client.connect();
          client.unref();
          for (const channel of channels) await client.query(`listen "${channel}"`);
        } catch {
          lose();
          return;
        }
        if (this.#isClosed || isLost) {
          lose();
          return;
        }
        this.#connected = client;
        resolve();
        if (isAgain) listener.onGap();
      };
      void connect(false);
    });
  }

  async say(channel: string, text: string): Promise<void> {
    await this.#connected?.query('select pg_notify($1, $2)', [channel, text]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const client = this.#connected;
    this.#connected = undefined;
    await client?.end().catch(() => {});
  }
}
