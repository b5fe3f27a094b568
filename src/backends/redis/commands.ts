import type { RedisArgument, RedisClient } from './client';

/** The bytes under a key, if there is one; the server's error, if no bytes are what it holds. */
export type Found = Buffer | Error | null;

/** What is under a key. */
export async function readBytes(client: RedisClient, finalKey: string): Promise<Found> {
  try {
    return (await client.callBuffer('get', finalKey)) as Buffer | null;
  } catch (error) {
    // A list of somebody else's is no more a failure of the server than are bytes.
    if (isWrongType(error)) return error;
    throw error;
  }
}

/** {@link readBytes} for several, in one round trip. */
export function readEach(client: RedisClient, finalKeys: readonly string[]): Promise<Found[]> {
  return Promise.all(finalKeys.map((finalKey) => readBytes(client, finalKey)));
}

/** The same by one command, for keys that are all on one server. */
export function readAll(client: RedisClient, finalKeys: readonly string[]): Promise<Found[]> {
  return client.callBuffer('mget', finalKeys) as Promise<Found[]>;
}

/** Whether the server says that a key holds what no cache has put there. */
export function isWrongType(error: unknown): error is Error {
  return (error as Error).message.startsWith('WRONGTYPE ');
}

/** Stores an entry together with its expiry, or removes it if that has come. */
export function put(
  client: RedisClient,
  finalKey: string,
  bytes: Buffer,
  seconds: number | null,
): Promise<unknown> {
  if (seconds === 0) return client.call('unlink', finalKey);
  return client.call('set', finalKey, bytes, ...expiry(seconds));
}

/** What tells a SET how long. @param seconds - `null`: no expiry */
export function expiry(seconds: number | null): RedisArgument[] {
  return seconds === null ? [] : ['ex', seconds];
}

/** Removes these: by one command, or on a cluster by one for each. @returns how many there were */
export function unlink(
  client: RedisClient,
  finalKeys: readonly string[],
  isCluster: boolean,
): Promise<unknown> {
  if (!isCluster) return client.call('unlink', finalKeys);
  return Promise.all(finalKeys.map((finalKey) => client.call('unlink', finalKey)));
}
