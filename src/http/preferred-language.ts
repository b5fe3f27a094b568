import { jointWeight, parseWeightedList, type Weighted } from './weighted-list';

/** How well a request's ranges fit a language. */
interface Fit {
  readonly weight: number;
  /** Which of two ranges of one weight fits better. */
  readonly closeness: number;
}

/**
 * The one of these languages that a request prefers; `undefined` if it accepts none of them. Of
 * several it likes alike, the one it names, then one a range of its narrows (`en-GB` gets `en`),
 * then one that narrows a range of its (`pt` gets `pt-BR`), then what `*` stands for; among those,
 * the first of the list. The order of the header has no meaning.
 *
 * @param value - Of `Accept-Language`.
 * @see RFC 9110 §12.5.4; RFC 4647 §3.3.1 and §3.4
 */
export function preferredLanguage(value: string, languages: readonly string[]): string | undefined {
  const ranges = parseWeightedList(value);
  let preferred: string | undefined;
  let best: Fit = { weight: 0, closeness: 0 };
  for (const language of languages) {
    const fit = fitOf(language.toLowerCase(), ranges);
    const isBetter =
      fit.weight > best.weight ||
      (fit.weight === best.weight && fit.closeness > best.closeness && fit.weight > 0);
    if (!isBetter) continue;
    preferred = language;
    best = fit;
  }
  return preferred;
}

function fitOf(tag: string, ranges: readonly Weighted[]): Fit {
  /** Length of the longest range that covers the language, which speaks for the shorter ones. */
  let covered = 0;
  let coveringWeight: number | undefined;
  let narrowerWeight = 0;
  let anyWeight: number | undefined;
  for (const { name, weight } of ranges) {
    if (name === '*') {
      anyWeight = jointWeight(anyWeight, weight);
    } else if (name === tag || tag.startsWith(`${name}-`)) {
      if (name.length < covered) continue;
      coveringWeight = jointWeight(name.length > covered ? undefined : coveringWeight, weight);
      covered = name.length;
    } else if (name.startsWith(`${tag}-`)) {
      // Who refuses British English has not refused English.
      narrowerWeight = Math.max(narrowerWeight, weight);
    }
  }
  if (coveringWeight === 0) return { weight: 0, closeness: 0 };
  const weight = Math.max(coveringWeight ?? 0, narrowerWeight);
  if (weight === 0) return { weight: anyWeight ?? 0, closeness: 0 };
  if (weight === coveringWeight && covered === tag.length) return { weight, closeness: 3 };
  return { weight, closeness: weight === narrowerWeight ? 2 : 1 };
}
