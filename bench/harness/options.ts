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
