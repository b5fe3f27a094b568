import type { RedisClient } from './client';
import type { RedisServer } from './server';

/** Which server is asked for which key. */
export interface RedisTopology {
  /** Whether commands over several keys go to several servers, and so one key each. */
  readonly isCluster: boolean;
  /** Which of the server's databases it is, and what the client puts before keys. */
  readonly scope: string;
  /** Where this key is written. */
  writer(finalKey: string): RedisServer;
  /** Where this key, or all of these, are read. */
  reader(finalKeys: string | readonly string[]): RedisServer;
  /** Told of keys that were written, or removed; `undefined`: any. */
  wrote(finalKeys: readonly string[] | undefined): void;
  /** The clients of all servers that between them have all keys, each with its server. */
  masters(): Promise<{ server: RedisServer; client: RedisClient }[]>;
  /** Another client, for subscribing, with these options of ioredis beside those of the leader's. */
  subscriber(options: object): RedisClient;
  close(deadlineMs: number): Promise<void>;
}
