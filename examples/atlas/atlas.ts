import { cache } from 'cachewright';
import { borderGraph } from './borders';
import { countries, type Region } from './data';
import { colourMap } from './four-colours';
import { type DrawnMap, drawAround, drawCountry, drawWorld } from './maps';
import { loadOutlines } from './outlines';
import type { Point } from './projections';
import { buildSearchIndex, type SearchEntry } from './search';

const outlines = loadOutlines();

/** Who borders on whom. */
export const graph = borderGraph(countries);

/** Each country's tint on all maps. */
export const tints = colourMap(
  countries.map(({ cca3 }) => cca3),
  graph,
);

/** The middle of each region, and how far its map reaches to the north and the south, in degrees. */
const REGION_FRAMES: Readonly<Record<string, readonly [Point, number]>> = {
  africa: [[17, 1], 38],
  americas: [[-80, 5], 66],
  antarctic: [[0, -90], 40],
  asia: [[90, 34], 46],
  europe: [[15, 54], 22],
  oceania: [[165, -15], 36],
};

const DAY = 24 * 60 * 60;

// Drawings and the index are the same for every language, so that each of a country's six pages
// can use what the first of them had made.

export function worldMap(): Promise<DrawnMap> {
  return cache.getOrSet('map:world', () => drawWorld(outlines), DAY);
}

export function regionMap({ slug }: Region): Promise<DrawnMap> {
  const [centre, radius] = REGION_FRAMES[slug]!;
  return cache.getOrSet(`map:region:${slug}`, () => drawAround(outlines, centre, radius), DAY);
}

/** `null`: the data has no outline of this country. */
export function countryMap(code: string): Promise<DrawnMap | null> {
  return cache.getOrSet(`map:${code}`, () => drawCountry(outlines, code) ?? null, DAY);
}

export function searchIndex(): Promise<SearchEntry[]> {
  return cache.getOrSet('search-index', buildSearchIndex, DAY);
}
