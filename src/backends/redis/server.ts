import { ServerGuard } from '../server-guard';
import type { RedisClient } from './client';
import { isAnswer, type RedisConnection, type RedisWork } from './connection';

/** Limits of each server, from the cache's options. */
export interface RedisLimits {
  readonly maxPending: number;
  readonly readTimeoutMs: number;
}

/** A server, or a node of a cluster, behind its guard. */
export class RedisServer {
  readonly connection: RedisConnection;
  readonly guard: ServerGuard;

  /** @param ping - Asks the server itself whether it is there. */
  constructor(
    connection: RedisConnection,
    name: string,
    { maxPending, readTimeoutMs }: RedisLimits,
    ping: (client: RedisClient) => Promise<unknown>,
  ) {
    this.connection = connection;
    this.guard = new ServerGuard({
      name,
      maxPending,
      probeTimeoutMs: readTimeoutMs,
      ping: (deadline) => connection.send(ping, deadline),
      isAnswer,
    });
  }

  /** What `work` comes to. @throws as its guard does, and its connection */
  run<T>(work: RedisWork<T>, deadlineMs: number): Promise<T> {
    return this.guard.run((deadline) => this.connection.send(work, deadline), deadlineMs);
  }

  /** Whether it would fail, as far as is known. */
  get isDown(): boolean {
    return this.guard.isOpen || this.connection.isDown;
  }
}
