import worldCountries, { type Country } from 'world-countries';
import type { Language } from './languages';

export type { Country };

/** All countries and territories of the data, in its own order. */
export const countries: readonly Country[] = worldCountries;

const byCode = new Map(countries.map((country) => [country.cca3, country]));

/** The country with this ISO 3166 alpha-3 code, in any case. */
export function findCountry(code: string): Country | undefined {
  return byCode.get(code.toUpperCase());
}

/** The country with this code, which the data itself gave. */
export function countryOf(code: string): Country {
  return byCode.get(code)!;
}

/** Its everyday name in a language of the site. */
export function nameOf(country: Country, { dataCode }: Language): string {
  return (country.translations[dataCode] ?? country.name).common;
}

/** Its full name in a language of the site. */
export function officialNameOf(country: Country, { dataCode }: Language): string {
  return (country.translations[dataCode] ?? country.name).official;
}

/** Countries in the alphabetical order of a language. */
export function sortByName(list: readonly Country[], language: Language): Country[] {
  const { compare } = new Intl.Collator(language.tag);
  return [...list].sort((a, b) => compare(nameOf(a, language), nameOf(b, language)));
}

/** A part of the world with a page of its own. */
export interface Region {
  /** In its URL. */
  readonly slug: string;
  /** As the data names it, in English. */
  readonly name: string;
  readonly countries: readonly Country[];
}

/** The regions of the data, largest first. */
export const regions: readonly Region[] = [...new Set(countries.map(({ region }) => region))]
  .map((name) => ({
    slug: name.toLowerCase(),
    name,
    countries: countries.filter(({ region }) => region === name),
  }))
  .sort((a, b) => b.countries.length - a.countries.length);

/** UN M.49 codes, by which `Intl` knows the names of regions in every language. */
const M49: Readonly<Record<string, string>> = {
  Africa: '002',
  Americas: '019',
  Antarctic: 'AQ',
  Asia: '142',
  Europe: '150',
  Oceania: '009',
  'Australia and New Zealand': '053',
  Caribbean: '029',
  'Central America': '013',
  'Central Asia': '143',
  'Eastern Africa': '014',
  'Eastern Asia': '030',
  'Eastern Europe': '151',
  Melanesia: '054',
  Micronesia: '057',
  'Middle Africa': '017',
  'North America': '021',
  'Northern Africa': '015',
  'Northern Europe': '154',
  Polynesia: '061',
  'South America': '005',
  'South-Eastern Asia': '035',
  'Southern Africa': '018',
  'Southern Asia': '034',
  'Southern Europe': '039',
  'Western Africa': '011',
  'Western Asia': '145',
  'Western Europe': '155',
};

/** The name of a region or subregion in a language of the site. */
export function regionName(name: string, { tag, texts }: Language): string {
  // Not in M.49.
  if (name === 'Central Europe') return texts.centralEurope;
  if (name === 'Southeast Europe') return texts.southeastEurope;
  const code = M49[name];
  return code === undefined ? name : new Intl.DisplayNames(tag, { type: 'region' }).of(code)!;
}
