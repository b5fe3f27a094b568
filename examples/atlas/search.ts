import { type Country, countries, countryOf } from './data';

/** Names by which a country can be found; both lists line by line, in the same order. */
export interface SearchEntry {
  readonly code: string;
  readonly names: string;
  /** The same, without accents and capitals. */
  readonly folded: string;
}

/** A country that was found, and by which of its names. */
export interface SearchResult {
  readonly country: Country;
  readonly name: string;
}

/** Every name of every country: in all languages of the data, its own, its capitals, its codes. */
export function buildSearchIndex(): SearchEntry[] {
  return countries.map((country) => {
    const translations = [
      ...Object.values(country.translations),
      ...Object.values(country.name.native),
    ];
    const names = [
      country.name.common,
      country.name.official,
      ...translations.flatMap(({ common, official }) => [common, official]),
      ...country.capital,
      ...country.altSpellings,
      country.cca2,
      country.cca3,
    ];
    const unique = [...new Set(names)];
    return {
      code: country.cca3,
      names: unique.join('\n'),
      folded: unique.map(fold).join('\n'),
    };
  });
}

/** The countries with a name that has `query` in it; the best matches first. */
export function searchCountries(index: readonly SearchEntry[], query: string): SearchResult[] {
  const wanted = fold(query.trim());
  if (wanted === '') return [];
  return index
    .map((entry) => bestMatch(entry, wanted))
    .filter((match) => match !== undefined)
    .sort((a, b) => a.rank - b.rank || b.country.area - a.country.area);
}

/** Whether a name has `query` in it, accents and capitals aside. */
export function isFoundIn(name: string, query: string): boolean {
  return fold(name).includes(fold(query.trim()));
}

function bestMatch(
  { code, names, folded }: SearchEntry,
  wanted: string,
): (SearchResult & { rank: number }) | undefined {
  if (!folded.includes(wanted)) return undefined;
  let best = { rank: Infinity, line: 0 };
  for (const [line, name] of folded.split('\n').entries()) {
    const rank = rankOf(name, wanted);
    if (rank < best.rank) best = { rank, line };
  }
  if (best.rank === Infinity) return undefined;
  return { country: countryOf(code), name: names.split('\n')[best.line]!, rank: best.rank };
}

/** 0: the very name; 1: begins with it; 2: a word does; 3: somewhere in a word; else no match. */
function rankOf(name: string, wanted: string): number {
  const at = name.indexOf(wanted);
  if (at === -1) return Infinity;
  if (at === 0) return name.length === wanted.length ? 0 : 1;
  return name.includes(` ${wanted}`) ? 2 : 3;
}

function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}
