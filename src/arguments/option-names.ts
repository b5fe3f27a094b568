import { describe } from './describe';
import { nearestName } from './nearest-name';

/** Names that other libraries and Django have for an option: in lower case, letters and digits alone. */
export type OtherNames = Readonly<Record<string, string>>;

/**
 * Refuses what is no object of options: a text, a list, a function, a `Map`, `null`.
 *
 * @param where - The call as a reader would write it: `updateCache()`.
 * @param example - What to write instead.
 * @throws TypeError that shows the example
 */
export function checkIsOptions(where: string, options: unknown, example: string): void {
  if (isPlain(options)) return;
  throw new TypeError(
    `${where} got ${describe(options)} for its options. Give an object: ${example}.`,
  );
}

/** Whether a value is an object with fields of its own, and not a list, a `Map`, a `Date` or the like. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    Object.prototype.toString.call(value) === '[object Object]' &&
    !(Symbol.iterator in (value as object))
  );
}

/**
 * Refuses options of unknown names, which nobody would read: misspelt ones, and those of Django or
 * other libraries.
 *
 * @param where - The call as a reader would write it: `updateCache()`, `updateCache({ key })`.
 * @throws TypeError that tells which name is meant most probably
 */
export function checkOptionNames(
  where: string,
  options: object,
  known: readonly string[],
  others: OtherNames = {},
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new TypeError(
      `${where} got the unknown option ${describe(name)}. ${remedyFor(name, known, others)}`,
    );
  }
}

/** What to write in place of an unknown name. */
export function remedyFor(name: string, known: readonly string[], others: OtherNames = {}): string {
  const letters = name.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase();
  const other = Object.hasOwn(others, letters) ? others[letters] : undefined;
  const meant = other ?? nearestName(name, known);
  return meant === undefined ? `Known options: ${known.join(', ')}.` : `Did you mean ${meant}?`;
}
