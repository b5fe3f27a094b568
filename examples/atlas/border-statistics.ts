import {
  type BorderGraph,
  distancesFrom,
  landmasses,
  shortestRoute,
  withoutBorder,
  withoutCountry,
} from './borders';

/** What all ways over land together say about the world. */
export interface BorderStatistics {
  readonly borders: number;
  readonly landmasses: readonly Landmass[];
  /** Ends of the longest of all shortest routes, and one such route each. */
  readonly farthestPairs: readonly (readonly string[])[];
  /** Countries that hold others together: closed, they cut these off from the rest. */
  readonly gatekeepers: readonly Gatekeeper[];
  readonly countries: readonly CountryStatistics[];
  /** The borders that the world would miss, most missed first. */
  readonly missedBorders: readonly MissedBorder[];
}

/** Countries within reach of each other by land. */
export interface Landmass {
  readonly members: readonly string[];
  /** Borders on the longest of its shortest routes. */
  readonly diameter: number;
}

/** A country all ways to some others lead through. */
export interface Gatekeeper {
  readonly code: string;
  /** The groups that would be cut off, without the largest, which is the rest of the world. */
  readonly cutOff: readonly (readonly string[])[];
}

/** One country's place among the ways over land. */
export interface CountryStatistics {
  readonly code: string;
  readonly neighbours: number;
  /** Countries within reach, itself not counted. */
  readonly reachable: number;
  /** Borders to the farthest of them. */
  readonly farthest: number;
  /** Borders to them on average. */
  readonly meanDistance: number;
  /** Share of all shortest routes between other countries that lead through it, 0 to 1. */
  readonly betweenness: number;
  /** More borders that all other journeys together would take if it were closed. */
  readonly detour: number;
}

/** What closing one border would do to all journeys. */
export interface MissedBorder {
  readonly between: readonly [string, string];
  /** Pairs of countries that could no longer reach each other. */
  readonly pairsCut: number;
  /** More borders that all other journeys together would take. */
  readonly detour: number;
}

/**
 * Computes all of it: every shortest route in the graph, and again for each country and each
 * border that could be closed. This takes a while; nothing in here is remembered between calls.
 */
export function computeBorderStatistics(graph: BorderGraph): BorderStatistics {
  const table = distanceTable(graph);
  const borders = bordersOf(graph);
  const pieces = landmasses(graph);
  const betweenness = computeBetweenness(graph);

  return {
    borders: borders.length,
    landmasses: pieces.map((members) => ({
      members,
      diameter: Math.max(...members.map((code) => farthestIn(table.get(code)!))),
    })),
    farthestPairs: farthestPairs(graph, table),
    gatekeepers: findGatekeepers(graph, pieces.length),
    countries: [...graph.keys()].map((code) => {
      const distances = table.get(code)!;
      const reachable = distances.size - 1;
      return {
        code,
        neighbours: graph.get(code)!.length,
        reachable,
        farthest: farthestIn(distances),
        meanDistance: sum(distances.values()) / reachable,
        betweenness: betweenness.get(code)!,
        detour: compare(table, distanceTable(withoutCountry(graph, code))).detour,
      };
    }),
    missedBorders: borders
      .map((between) => ({
        between,
        ...compare(table, distanceTable(withoutBorder(graph, between))),
      }))
      .sort((a, b) => b.pairsCut - a.pairsCut || b.detour - a.detour),
  };
}

type DistanceTable = ReadonlyMap<string, ReadonlyMap<string, number>>;

function distanceTable(graph: BorderGraph): DistanceTable {
  return new Map([...graph.keys()].map((code) => [code, distancesFrom(graph, code)]));
}

function bordersOf(graph: BorderGraph): (readonly [string, string])[] {
  return [...graph].flatMap(([code, neighbours]) =>
    neighbours
      .filter((neighbour) => code < neighbour)
      .map((neighbour) => [code, neighbour] as const),
  );
}

function farthestIn(distances: ReadonlyMap<string, number>): number {
  return Math.max(...distances.values());
}

function farthestPairs(graph: BorderGraph, table: DistanceTable): (readonly string[])[] {
  const longest = Math.max(...[...table.values()].map(farthestIn));
  return [...table].flatMap(([from, distances]) =>
    [...distances]
      .filter(([to, distance]) => distance === longest && from < to)
      .map(([to]) => shortestRoute(graph, from, to)!),
  );
}

/** What became of all journeys between countries that both tables know. */
function compare(
  before: DistanceTable,
  after: DistanceTable,
): { pairsCut: number; detour: number } {
  let cut = 0;
  let detour = 0;
  for (const [from, distances] of before) {
    const distancesAfter = after.get(from);
    if (distancesAfter === undefined) continue;
    for (const [to, distance] of distances) {
      const distanceAfter = distancesAfter.get(to);
      if (distanceAfter !== undefined) detour += distanceAfter - distance;
      else if (after.has(to)) cut++;
    }
  }
  // Each journey was seen from both of its ends.
  return { pairsCut: cut / 2, detour: detour / 2 };
}

function findGatekeepers(graph: BorderGraph, pieceCount: number): Gatekeeper[] {
  return [...graph.keys()]
    .map((code) => ({ code, pieces: landmasses(withoutCountry(graph, code)) }))
    .filter(({ pieces }) => pieces.length > pieceCount)
    .map(({ code, pieces }) => {
      const touching = pieces.filter((piece) =>
        graph.get(code)!.some((neighbour) => piece.includes(neighbour)),
      );
      return { code, cutOff: touching.slice(1) };
    })
    .sort((a, b) => sizeOf(b.cutOff) - sizeOf(a.cutOff));
}

function sizeOf(groups: readonly (readonly string[])[]): number {
  return sum(groups.map((group) => group.length));
}

/** @see Ulrik Brandes, "A faster algorithm for betweenness centrality" (2001) */
function computeBetweenness(graph: BorderGraph): Map<string, number> {
  const totals = new Map([...graph.keys()].map((code) => [code, 0]));
  for (const start of graph.keys()) {
    const distances = distancesFrom(graph, start);
    const routes = new Map([[start, 1]]);
    for (const [code, distance] of distances) {
      for (const neighbour of graph.get(code)!) {
        if (distances.get(neighbour) !== distance + 1) continue;
        routes.set(neighbour, (routes.get(neighbour) ?? 0) + routes.get(code)!);
      }
    }
    const dependency = new Map<string, number>();
    for (const [code, distance] of [...distances].reverse()) {
      const own = dependency.get(code) ?? 0;
      if (code !== start) totals.set(code, totals.get(code)! + own);
      for (const neighbour of graph.get(code)!) {
        if (distances.get(neighbour) !== distance - 1) continue;
        const share = (routes.get(neighbour)! / routes.get(code)!) * (1 + own);
        dependency.set(neighbour, (dependency.get(neighbour) ?? 0) + share);
      }
    }
  }
  const pairs = sum([...graph.keys()].map((code) => distancesFrom(graph, code).size - 1));
  return new Map([...totals].map(([code, total]) => [code, total / pairs]));
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
