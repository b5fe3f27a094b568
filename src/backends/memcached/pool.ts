import type { Deadline } from '../../cache/deadline';
import type { MemcachedAddress } from './address';
import { Connection, type ConnectionOptions } from './connection';
import type { Memjs } from './memjs';
import type { Reply, Request } from './protocol';

/** How a pool is made. */
export interface PoolOptions extends ConnectionOptions {
  readonly maxPoolSize: number;
  /** Milliseconds for which anybody waits for an answer. */
  readonly patienceMs: number;
}

/** A key that commands are under way for. */
interface KeyInUse {
  readonly connection: Connection;
  commands: number;
}

/** Connections to one server. */
export class Pool {
  readonly #connections = new Set<Connection>();
  readonly #keys = new Map<string, KeyInUse>();
  #patienceMs: number;

  constructor(
    readonly memjs: Memjs,
    readonly address: MemcachedAddress,
    readonly options: PoolOptions,
  ) {
    this.#patienceMs = options.patienceMs;
  }

  /**
   * Sends a command over the connection that has least to do of those that stand. If that has
   * something to do, one more is opened, but not waited for. Commands for one key that are under
   * way together go over one, and so in order.
   */
  async send(request: Request, deadline: Deadline): Promise<Reply> {
    const { key } = request;
    let inUse = this.#keys.get(key);
    if (inUse === undefined || inUse.connection.hasEnded) {
      inUse = { connection: this.#pick(), commands: 0 };
      this.#keys.set(key, inUse);
    }
    inUse.commands += 1;
    try {
      return await inUse.connection.send(request, deadline);
    } finally {
      inUse.commands -= 1;
      if (inUse.commands === 0 && this.#keys.get(key) === inUse) this.#keys.delete(key);
    }
  }

  /** Gives the server at least so long to answer from now on. */
  extendPatience(ms: number): void {
    this.#patienceMs = Math.max(this.#patienceMs, ms);
  }

  /** Ends all connections. */
  end(): void {
    for (const connection of this.#connections) connection.end(new Error('close() was called.'));
  }

  #pick(): Connection {
    let best: Connection | undefined;
    for (const connection of this.#connections) {
      if (best === undefined || isBetter(connection, best)) best = connection;
    }
    if (best === undefined) return this.#open();
    if (best.load > 0 && this.#connections.size < this.options.maxPoolSize) this.#open();
    return best;
  }

  #open(): Connection {
    const connection = new Connection(
      this.memjs,
      this.address,
      this.options,
      () => this.#patienceMs,
      (ended) => this.#connections.delete(ended),
    );
    this.#connections.add(connection);
    return connection;
  }
}

function isBetter(one: Connection, other: Connection): boolean {
  return one.isReady === other.isReady ? one.load < other.load : one.isReady;
}
