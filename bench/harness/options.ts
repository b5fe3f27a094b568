import { statSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * A whole number above 0.
 *
 * @throws TypeError if it is none.
 */
export function toCount(text: string, option: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new TypeError(`--${option} is ${JSON.stringify(text)}. Give a whole number above 0.`);
}

/** Whole numbers above 0, with commas between them. */
export function toCounts(text: string, option: string): number[] {
  return text.split(',').map((each) => toCount(each, option));
}

/**
 * The file of a build that exports the package.
 *
 * @throws TypeError if there is none.
 */
export function toBuild(text: string, option: string): string {
  const path = resolve(text);
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path;
  throw new TypeError(
    `--${option} is ${JSON.stringify(text)}. Give the path of the dist/index.js of another build.`,
  );
}

/**
 * Those of a list whose name fits a regular expression.
 *
 * @throws TypeError if none does.
 */
export function toChosen<T extends string>(text: string, all: readonly T[], option: string): T[] {
  const chosen = all.filter((each) => new RegExp(text, 'i').test(each));
  if (chosen.length > 0) return chosen;
  throw new TypeError(`--${option} is ${JSON.stringify(text)}. There are: ${all.join(', ')}.`);
}
