import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { countries } from './data';
import { boxAround, simplify } from './lines';
import { angleBetween, type Point } from './projections';

/** A closed line around land, or around a hole in it. */
export interface Ring {
  readonly points: readonly Point[];
  /** The middle of it, and the greatest angle from there to one of its points, in degrees. */
  readonly centre: Point;
  readonly radius: number;
}

/** Outlines by alpha-3 code, in longitude and latitude. */
export type Outlines = ReadonlyMap<string, readonly Ring[]>;

/** Where `world-countries` keeps a flag (`.svg`) and an outline (`.geo.json`) for each country. */
export const dataDirectory = join(dirname(require.resolve('world-countries/package.json')), 'data');

/** The outlines of all countries, to about a kilometre. Reads nine megabytes: once is enough. */
export function loadOutlines(): Outlines {
  return new Map(
    countries.map(({ cca3 }) => {
      const file = join(dataDirectory, `${cca3.toLowerCase()}.geo.json`);
      return [cca3, ringsOf(JSON.parse(readFileSync(file, 'utf8')))];
    }),
  );
}

interface Geometry {
  readonly type: 'Polygon' | 'MultiPolygon';
  readonly coordinates: Point[][] | Point[][][];
}

function ringsOf({ features }: { features: { geometry?: Geometry }[] }): Ring[] {
  return features.flatMap(({ geometry }) => {
    // Kosovo has no outline in the data.
    if (geometry === undefined) return [];
    const polygons = (
      geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates
    ) as Point[][][];
    return polygons.flat().map(toRing);
  });
}

function toRing(line: Point[]): Ring {
  // Antarctica's line makes a detour along the date line to the pole, where there is no coast.
  const coast = line.filter(([, latitude]) => latitude > -89.9);
  const { left, top, right, bottom } = boxAround(coast);
  const centre: Point =
    right - left > 180 && top < -60 ? [0, -90] : [(left + right) / 2, (top + bottom) / 2];
  const tolerance = Math.min(0.01, Math.max(right - left, bottom - top) / 200);
  return {
    points: simplify(coast, tolerance),
    centre,
    radius: coast.reduce((radius, point) => Math.max(radius, angleBetween(centre, point)), 0),
  };
}
