import { isEnvelope, MAGIC } from '../../cache/envelope';
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

/** Whether it is an envelope that is under a key; `undefined` if there is nothing. */
export async function hasEnvelope(
  client: RedisClient,
  finalKey: string,
): Promise<boolean | undefined> {
  try {
    const start = (await client.callBuffer('getrange', finalKey, 0, MAGIC.length - 1)) as Buffer;
    return start.length === 0 ? undefined : isEnvelope(start);
  } catch (error) {
    if (isWrongType(error)) return false;
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

/** Whether the server, or a script on it, says that a key holds what no cache has put there. */
export function isWrongType(error: unknown): error is Error {
  return /^(ERR .*)?WRONGTYPE /.test((error as Error).message);
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

/** Gives an entry new seconds to live; `null`: for ever. @returns whether there is one */
export async function setExpiry(
  client: RedisClient,
  finalKey: string,
  seconds: number | null,
): Promise<boolean> {
  if (seconds !== null) return (await client.call('expire', finalKey, seconds)) === 1;
  // PERSIST answers 0 for an entry that has no expiry, too.
  const [exists] = await Promise.all([
    client.call('exists', finalKey),
    client.call('persist', finalKey),
  ]);
  return exists === 1;
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
