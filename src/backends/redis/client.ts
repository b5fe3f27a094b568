import { optionalPackage } from '../optional-package';

/** What is sent to a server. */
export type RedisArgument = string | Buffer | number;

/** A `Redis` of ioredis 5 or 6, by what is asked of it. */
export interface RedisClient {
  readonly status: string;
  /** Its socket, once there is one; a cluster has none of its own. */
  readonly stream?: { cork(): void; uncork(): void; unref?(): void };
  /** An array is sent as its members, of which there may be more than arguments of a function. */
  call(command: string, ...args: (RedisArgument | readonly string[])[]): Promise<unknown>;
  callBuffer(command: string, ...args: (RedisArgument | readonly string[])[]): Promise<unknown>;
  connect(): Promise<unknown>;
  /** @param reconnects - Whether it tries again after its pause. @defaultValue false */
  disconnect(reconnects?: boolean): void;
  quit(): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** A `Redis` that can be had once more, with other options. */
export interface RedisNodeClient extends RedisClient {
  duplicate(options: object): RedisClient;
}

/** A `Cluster` of ioredis 5 or 6, by what is asked of it. */
export interface RedisClusterClient extends RedisClient {
  /** The nodes of each slot, `host:port`, its master first. */
  readonly slots: readonly (readonly string[])[];
  nodes(role: 'master'): RedisClient[];
  /** @param nodes - None: those of this one. */
  duplicate(nodes: readonly never[], options: object): RedisClient;
}

/** What of ioredis is used. */
interface Ioredis {
  readonly Redis: new (...settings: (string | object)[]) => RedisClient;
  readonly Cluster: new (nodes: object[], options: object) => RedisClusterClient;
  readonly Command: new (name: string, args: string[]) => { getSlot(): number };
}

/** @throws Error that says what to install, if ioredis is missing. */
export function ioredis(): Ioredis {
  return optionalPackage('ioredis', 'The Redis backend', () => require('ioredis') as Ioredis);
}

/** Whether this is a client made by ioredis, of one server or a cluster. */
export function isRedisClient(value: unknown): value is RedisClient {
  const client = value as Partial<RedisClient> | null | undefined;
  return typeof client?.call === 'function' && typeof client.callBuffer === 'function';
}

export function isClusterClient(client: RedisClient): client is RedisClusterClient {
  return 'isCluster' in client && client.isCluster === true;
}

/** What the client itself puts before each key, beside what we do. */
export function clientPrefix(client: RedisClient): string {
  return optionsOf(client).keyPrefix ?? '';
}

/** Where on its server the keys of a client are: the database, and what it puts before them. */
export function scopeOf(client: RedisClient): string {
  const { db = 0, keyPrefix = '' } = optionsOf(client);
  return `${db} ${keyPrefix}`;
}

/** How messages call the server of a client: its address, without passwords. */
export function nameOf(client: RedisClient): string {
  if (isClusterClient(client)) return 'Redis Cluster';
  const { path, host = 'localhost', port = 6379, sentinels, name } = optionsOf(client);
  if (Array.isArray(sentinels)) return `Redis ${JSON.stringify(name)} of Sentinel`;
  return `Redis at ${path ?? `${host}:${port}`}`;
}

interface KnownOptions {
  readonly keyPrefix?: string;
  readonly db?: number;
  readonly path?: string;
  readonly host?: string;
  readonly port?: number | string;
  readonly sentinels?: unknown;
  readonly name?: string;
}

function optionsOf(client: RedisClient): KnownOptions {
  return (client as { options?: KnownOptions }).options ?? {};
}
