import { createHash } from 'node:crypto';

/** Part of a key that can be raised to leave all older entries behind. */
export type Version = number | string;

/**
 * Builds the key under which an entry is stored. Its result is used as it is.
 *
 * @see Django's `KEY_FUNCTION`
 */
export type KeyFunction = (key: string, keyPrefix: string, version: Version) => string;

/** Longest key that is safe on every backend; Memcached's limit. */
const MAX_KEY_LENGTH = 250;

/** Django's default: `<keyPrefix>:<version>:<key>`. */
export const defaultKeyFunction: KeyFunction = (key, keyPrefix, version) =>
  `${keyPrefix}:${version}:${key}`;

/** What Memcached would refuse about a final key, one sentence per fault; empty for a good key. */
export function keyFaults(key: string): string[] {
  const faults: string[] = [];
  if (key.length > MAX_KEY_LENGTH) {
    faults.push(
      `Cache key is ${key.length} characters long, over Memcached's limit of ${MAX_KEY_LENGTH}: ${JSON.stringify(key)}`,
    );
  }
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code <= 32 || code === 127) {
      faults.push(
        `Cache key contains a space or control character, which Memcached refuses: ${JSON.stringify(key)}`,
      );
      break;
    }
  }
  return faults;
}

/** Stands in for a final key that a backend cannot hold. */
export function digestOf(finalKey: string): string {
  return `cachewright:${createHash('sha256').update(finalKey, 'utf16le').digest('hex')}`;
}
