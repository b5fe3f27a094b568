/**
 * The name among `known` that someone who wrote `given` most probably means: the same letters in
 * another spelling (`max_age`, `MAX_AGE`, `maxage` for `maxAge`), or a slip of one or two letters.
 *
 * @returns `undefined` if no name is that close.
 */
export function nearestName(given: string, known: Iterable<string>): string | undefined {
  const letters = lettersOf(given);
  // In a short word one other letter makes another word.
  const mostSlips = letters.length < 4 ? 0 : letters.length < 6 ? 1 : 2;
  let nearest: string | undefined;
  let fewestSlips = mostSlips + 1;
  for (const name of known) {
    const slips = slipsBetween(letters, lettersOf(name), fewestSlips);
    if (slips >= fewestSlips) continue;
    nearest = name;
    fewestSlips = slips;
  }
  return nearest;
}

/** Without what differs between `keyPrefix`, `key_prefix`, `key-prefix` and `KEY_PREFIX`. */
function lettersOf(name: string): string {
  return name.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase();
}

/** Letters that were added, left out, replaced or swapped; `limit` if there are more than that. */
function slipsBetween(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let fewest = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) fewest = Math.min(fewest, beforeLast[j - 2]! + 1);
      row.push(fewest);
    }
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length]!, limit);
}
