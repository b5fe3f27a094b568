import { describe } from '../arguments/describe';
import { isPlain, remedyFor } from '../arguments/option-names';
import type { Version } from './keys';

/** Options that choose a version, as `BaseCache` has them. */
interface VersionOption {
  readonly version?: Version;
}

/** Options of an entry that is stored. */
interface StoreOptions extends VersionOption {
  readonly tags?: readonly string[];
}

const VERSION_OPTIONS = ['version'];
const STORE_OPTIONS = ['version', 'tags'];

/**
 * The options of a call that reads or changes an entry.
 *
 * @throws TypeError if they are none: Django's version as the last argument, or a misspelt name
 */
export function versionOptions(method: string, options: VersionOption | undefined): VersionOption {
  if (options === undefined) return NONE;
  checkCallOptions(method, options, VERSION_OPTIONS);
  return options;
}

/** The same of a call that stores an entry. */
export function storeOptions(method: string, options: StoreOptions | undefined): StoreOptions {
  if (options === undefined) return NONE;
  checkCallOptions(method, options, STORE_OPTIONS);
  return options;
}

const NONE: VersionOption = {};

/** @throws TypeError if `options` is no object, or has an option that is not `known` */
export function checkCallOptions(method: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    const isVersion = typeof options === 'number' || typeof options === 'string';
    const example =
      isVersion && known.includes('version')
        ? `{ version: ${describe(options)} }`
        : `{ ${known[0]} }`;
    throw new TypeError(
      `${method}() got ${describe(options)} for its options. Give an object: ${example}.`,
    );
  }
  for (const name in options) {
    if (known.includes(name)) continue;
    throw new TypeError(
      `${method}() got the unknown option ${describe(name)}. ${remedyFor(name, known)}`,
    );
  }
  const { version } = options as VersionOption;
  if (typeof version !== 'object' || version === null) return;
  throw new TypeError(
    `${method}() got the version ${describe(version)}. Give a number or a string.`,
  );
}

/** {@link versionOptions} of `get`. @throws TypeError also if they are in the place of its fallback */
export function getOptions(
  key: string,
  fallback: unknown,
  options: VersionOption | undefined,
): VersionOption {
  checkFallback(key, fallback, options);
  return versionOptions('get', options);
}

/** @throws TypeError if options of `get` are in the place of its fallback */
function checkFallback(key: string, fallback: unknown, options: unknown): void {
  if (options !== undefined || !isPlain(fallback)) return;
  const { version } = fallback;
  const isVersion = typeof version === 'number' || typeof version === 'string';
  if (!isVersion || Object.keys(fallback).length !== 1) return;
  const name = JSON.stringify(key);
  const shown = `{ version: ${describe(version)} }`;
  throw new TypeError(
    `get(${name}) got ${shown} as its fallback. For that version, write get(${name}, undefined, ${shown}). If it is the fallback, add {} as the last argument.`,
  );
}

/** The keys of a call, each once. @throws TypeError if they are no list */
export function keysOf(method: string, keys: Iterable<string>): string[] {
  if (typeof keys === 'object' && keys !== null && Symbol.iterator in keys) {
    return [...new Set(keys)];
  }
  throw new TypeError(
    `${method}() got ${describe(keys)} for its keys. Give a list: ${method}([${typeof keys === 'string' ? describe(keys) : "'a', 'b'"}]).`,
  );
}
