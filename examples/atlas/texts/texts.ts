import type { Content, Html } from '../html';

/** All words of the site in one language. Numbers arrive formatted. */
export interface Texts {
  readonly skipToContent: string;
  readonly countries: string;
  readonly borders: string;
  readonly passport: string;
  readonly search: string;
  readonly searchHint: string;
  readonly language: string;
  readonly centralEurope: string;
  readonly southeastEurope: string;

  readonly rendered: (time: Html, milliseconds: string) => Html;
  readonly parts: (parts: readonly Html[]) => Html;
  /** Templates for the script in the footer, which fills in `{age}` and `{ms}`. */
  readonly hit: string;
  readonly miss: string;
  readonly fromBrowser: string;
  readonly data: string;

  readonly homeTitle: string;
  readonly homeLede: (countries: string, borders: string) => string;
  readonly fourColours: string;
  readonly worldMap: string;
  readonly all: string;

  readonly countriesAndTerritories: string;
  readonly landArea: string;
  readonly largest: string;
  readonly landlocked: string;
  readonly landlockedCountries: string;

  readonly mapOf: (name: string) => string;
  readonly flagOf: (name: string) => string;
  readonly facts: string;
  readonly capital: string;
  readonly area: string;
  readonly languages: string;
  readonly currencies: string;
  readonly internetDomain: string;
  readonly callingCode: string;
  readonly unMember: string;
  readonly yes: string;
  readonly no: string;
  readonly neighbours: string;
  readonly noNeighbours: string;
  readonly byLand: string;
  readonly withinReach: string;
  readonly farthestByLand: string;
  readonly bordersToCross: string;
  readonly names: string;
  readonly stamp: string;
  readonly stampHint: string;

  readonly resultsFor: (query: Content) => Html;
  readonly noResults: string;
  readonly searchIntro: string;

  readonly bordersLede: (countries: string) => string;
  readonly computedIn: (milliseconds: string) => string;
  readonly meanDistance: string;
  readonly meanDistanceLede: string;
  readonly nearer: string;
  readonly farther: string;
  readonly farthestApart: string;
  readonly farthestApartLede: string;
  readonly landmasses: string;
  readonly landmassesLede: string;
  readonly longestRoute: string;
  readonly crossroads: string;
  readonly crossroadsLede: string;
  readonly gatekeepers: string;
  readonly gatekeepersLede: string;
  readonly missedBorders: string;
  readonly missedBordersLede: string;
  readonly mostNeighbours: string;
  readonly everyCountry: string;
  readonly country: string;
  readonly farthest: string;
  readonly detour: string;

  readonly passportLede: string;
  readonly noStamps: string;
  readonly visited: string;
  readonly shareOfLand: string;
  readonly remove: string;

  readonly notFound: string;
  readonly notFoundLede: string;
  readonly goHome: string;
}
