import { hash } from 'node:crypto';
import { type Deadline, withDeadline } from '../../cache/deadline';
import { CacheUnavailableError } from '../../errors';
import { nameOf, type RedisClient } from './client';

const CLOSED = new Error('the cache was closed');

/**
 * A leader begins another history, too, when its first replica comes, or its last has been gone for
 * an hour: all processes are to agree on it again before long.
 */
const HISTORY_MS = 30_000;

/**
 * What is asked of a server.
 *
 * @param deadline - After which nothing more is to be sent.
 */
export type RedisWork<T> = (client: RedisClient, deadline: Deadline) => Promise<T>;

/** Somebody who waits for the connection. */
interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * One client, connected when first used. Commands go out only over a connection that stands: what
 * was not sent within its deadline is never sent.
 */
export class RedisConnection {
  readonly client: RedisClient;
  readonly name: string;
  readonly #isOwn: boolean;
  readonly #waiting = new Set<Waiter>();
  readonly #listeners: Readonly<Record<string, (...args: unknown[]) => void>>;
  #lastError: Error | undefined;
  #wasReady: boolean;
  #isDown = false;
  #isClosed = false;
  #isCorked = false;
  /** See {@link RedisConnection.withHistory}; of this connection, not of one before. */
  #history: Promise<number> | undefined;
  #historyUntil = 0;
  #losses = 0;

  /** @param isOwn - Whether {@link RedisConnection.close} may close the client. */
  constructor(client: RedisClient, isOwn: boolean) {
    this.client = client;
    this.name = nameOf(client);
    this.#isOwn = isOwn;
    this.#wasReady = client.status === 'ready';
    this.#listeners = {
      ready: () => this.#onReady(),
      close: () => this.#onClose(),
      end: () => this.#onClose(),
      // Without a listener, ioredis writes errors to the console.
      error: (error) => this.#onError(error as Error),
    };
    for (const [event, listener] of Object.entries(this.#listeners)) client.on(event, listener);
  }

  /** Whether the last attempt to connect failed. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /**
   * Does `work` over the connection, made first if need be.
   *
   * @throws {@link CacheUnavailableError} If there is none, or it broke; else what the server says.
   */
  send<T>(work: RedisWork<T>, deadline: Deadline): Promise<T> {
    const isReady = this.client.status === 'ready';
    return isReady ? this.#do(work, deadline) : this.#sendLater(work, deadline);
  }

  /**
   * What `work` comes to, and a number by which the history of the data that it found is told from
   * others: of a replica that was promoted, of a server that was started again, whose data may lack
   * what was written last. `0` if the server does not tell. It is asked on each connection, and now
   * and then later on, in the same round trip.
   *
   * @throws {@link CacheUnavailableError} If the connection was lost meanwhile.
   */
  async withHistory<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
    const losses = this.#losses;
    if (performance.now() > this.#historyUntil) this.#history = undefined;
    this.#history ??= this.#askHistory();
    const both = await Promise.all([work(), this.#history]);
    // Another server may have answered than the one that told its history.
    if (this.#losses !== losses) throw this.#refusal(new Error('its connection was lost'));
    return both;
  }

  async #askHistory(): Promise<number> {
    this.#historyUntil = performance.now() + HISTORY_MS;
    try {
      const replication = String(await this.client.call('info', 'replication'));
      const id = /^master_replid:(\w+)/m.exec(replication)?.[1];
      return id === undefined ? 0 : Number.parseInt(hash('md5', id).slice(0, 9), 16);
    } catch (error) {
      // One that is not allowed to ask.
      if (isReply(error)) return 0;
      this.#history = undefined;
      throw error;
    }
  }

  /** Until there is a connection. @throws {@link CacheUnavailableError} If that takes too long. */
  untilReady(deadlineMs: number): Promise<void> {
    const tooLate = () => this.#tooLate();
    return withDeadline((deadline) => this.send(async () => {}, deadline), deadlineMs, tooLate);
  }

  /** Waits for what is under way, but no longer than `deadlineMs`, and lets go of the connection. */
  async close(deadlineMs: number): Promise<void> {
    const { client } = this;
    if (this.#isOwn) {
      await this.#untilSent(deadlineMs);
      if (client.status === 'ready') {
        const quit = withDeadline(
          () => client.quit(),
          deadlineMs,
          () => new Error('no answer'),
        );
        // It is closed all the same.
        await quit.catch(() => {});
      }
      client.disconnect();
    }
    for (const [event, listener] of Object.entries(this.#listeners)) {
      // A client that is closing may have an error to tell.
      if (!this.#isOwn || event !== 'error') client.off(event, listener);
    }
    this.#isClosed = true;
    this.#settle((waiter) => waiter.reject(this.#refusal(CLOSED)));
  }

  /** Until what waits for the connection has gone out over it, or has failed. */
  async #untilSent(deadlineMs: number): Promise<void> {
    if (this.#waiting.size === 0) return;
    const tooLate = () => this.#tooLate();
    await withDeadline((deadline) => this.#wait(deadline), deadlineMs, tooLate).catch(() => {});
    // Those that have waited for longer go on in a moment.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #sendLater<T>(work: RedisWork<T>, deadline: Deadline): Promise<T> {
    await this.#ready(deadline);
    if (deadline.isOver) throw this.#tooLate();
    return this.#do(work, deadline);
  }

  #do<T>(work: RedisWork<T>, deadline: Deadline): Promise<T> {
    this.#gather();
    return work(this.client, deadline).catch((error: Error) => {
      if (isReply(error)) throw error;
      throw new CacheUnavailableError(`${this.name} did not answer: ${error.message}`, 'refused', {
        cause: error,
      });
    });
  }

  /** Lets the commands of this tick go out in one write: a third less time where there are many. */
  #gather(): void {
    const { stream } = this.client;
    if (this.#isCorked || stream === undefined) return;
    this.#isCorked = true;
    stream.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      stream.uncork();
    });
  }

  async #ready(deadline: Deadline): Promise<void> {
    const { client } = this;
    if (this.#isClosed) throw this.#refusal(CLOSED);
    if (client.status === 'wait' || (client.status === 'end' && this.#isOwn)) {
      // What becomes of it is told by events.
      client.connect().catch(() => {});
    } else if (client.status === 'end') {
      throw this.#refusal(new Error('its client was closed'));
    } else if (this.#isDown && client.status !== 'connecting' && client.status !== 'connect') {
      throw this.#refusal(this.#lastError);
    }
    await this.#wait(deadline);
  }

  /** Nobody waits for longer: a connection may take days, and those would be many. */
  async #wait(deadline: Deadline): Promise<void> {
    let waiter: Waiter | undefined;
    const settled = new Promise<void>((resolve, reject) => {
      waiter = { resolve, reject };
      this.#waiting.add(waiter);
    });
    try {
      await deadline.within(settled, () => this.#tooLate());
    } finally {
      this.#waiting.delete(waiter!);
    }
  }

  #onError(error: Error): void {
    // What could not be sent, as there was no connection any more, does not say why.
    if (!error.message.startsWith("Stream isn't writeable")) this.#lastError = error;
    // ioredis would go on with another database than it was told.
    if (this.#isOwn && isOfSelect(error)) this.client.disconnect(true);
  }

  #onReady(): void {
    this.#wasReady = true;
    this.#isDown = false;
    this.#settle((waiter) => waiter.resolve());
  }

  #onClose(): void {
    this.#losses += 1;
    this.#history = undefined;
    // One that was lost is usually back with the next attempt: that is waited for.
    this.#isDown = !this.#wasReady;
    this.#wasReady = false;
    if (this.#isDown) this.#settle((waiter) => waiter.reject(this.#refusal(this.#lastError)));
  }

  #settle(settle: (waiter: Waiter) => void): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) settle(waiter);
  }

  #tooLate(): CacheUnavailableError {
    return new CacheUnavailableError(`${this.name} was not connected in time.`, 'timeout');
  }

  #refusal(cause: Error = new Error('no connection')): CacheUnavailableError {
    return new CacheUnavailableError(
      `${this.name} cannot be reached: ${cause.message}`,
      'refused',
      { cause },
    );
  }
}

/** Answers of a server that is not, or not now, the one to ask. */
const NOT_AVAILABLE = /^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOREPLICAS|MOVED|ASK) /;

/** Whether an error is what the server said, so that it is alive and only will not do this. */
export function isAnswer(error: unknown): boolean {
  return isReply(error) && !NOT_AVAILABLE.test((error as Error).message);
}

function isOfSelect(error: Error): boolean {
  return (error as { command?: { name?: string } }).command?.name === 'select';
}

function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}
