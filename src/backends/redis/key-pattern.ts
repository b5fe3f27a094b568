import type { KeyFunction, Version } from '../../cache/keys';

/** Stand-ins whose place in a final key shows where key and version go. */
const KEY = 'cachewright-key';
const VERSION = 'cachewright-version';

/** The text itself, in a pattern of Redis. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}

/**
 * The pattern of all final keys of a prefix, whichever key and version.
 *
 * @throws TypeError if the key function leaves nothing to tell them from others' keys by.
 */
export function prefixPattern(keyFunction: KeyFunction, keyPrefix: string): string {
  const parts = keyFunction(KEY, keyPrefix, VERSION).split(new RegExp(`${KEY}|${VERSION}`));
  // A pattern that begins with anything would find the keys of others.
  if (parts.length === 1 || parts[0] === '')
    throw opaque('clear()', "Give options.clears: 'database', or delete");
  return parts.map(escapeGlob).join('*');
}

/** Final keys around the caller's keys, for one version. */
export class KeyFrame {
  readonly #before: string;
  readonly #after: string;

  /** @throws TypeError if the key function does not keep the key as it is. */
  constructor(keyFunction: KeyFunction, keyPrefix: string, version: Version) {
    const parts = keyFunction(KEY, keyPrefix, version).split(KEY);
    if (parts.length !== 2) throw opaque('keys()', 'Ask for');
    [this.#before, this.#after] = parts as [string, string];
  }

  /** The pattern of the final keys of what `pattern` is for the caller's. */
  pattern(pattern: string): string {
    return escapeGlob(this.#before) + pattern + escapeGlob(this.#after);
  }

  /** The caller's key of a final key that the pattern has found. */
  keyOf(finalKey: string): string {
    return finalKey.slice(this.#before.length, finalKey.length - this.#after.length);
  }
}

function opaque(method: string, mend: string): TypeError {
  return new TypeError(
    `${method} cannot tell this alias's entries from others, as its keyFunction hides what is around the keys. ${mend} entries by their keys.`,
  );
}
