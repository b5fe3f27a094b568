import type { Country } from './data';

/** Neighbours by land of each country that has one, by alpha-3 code. */
export type BorderGraph = ReadonlyMap<string, readonly string[]>;

/**
 * The land borders that both sides name. (The data has one that only one side does: from Sri Lanka
 * over the shoals to India.)
 */
export function borderGraph(countries: readonly Country[]): BorderGraph {
  const named = new Map(countries.map(({ cca3, borders }) => [cca3, borders]));
  const graph = new Map<string, string[]>();
  for (const [code, borders] of named) {
    const mutual = borders.filter((other) => named.get(other)?.includes(code));
    if (mutual.length > 0) graph.set(code, mutual.sort());
  }
  return graph;
}

/** How many borders away each country within reach by land is, itself (0) included. */
export function distancesFrom(graph: BorderGraph, start: string): Map<string, number> {
  const distances = new Map([[start, 0]]);
  // A Map's iterator also visits what is added on the way, which makes it the queue.
  for (const [code, distance] of distances) {
    for (const neighbour of graph.get(code) ?? []) {
      if (!distances.has(neighbour)) distances.set(neighbour, distance + 1);
    }
  }
  return distances;
}

/** A way over land with the fewest borders, both ends included; `undefined`: there is none. */
export function shortestRoute(
  graph: BorderGraph,
  from: string,
  to: string,
): readonly string[] | undefined {
  const distances = distancesFrom(graph, to);
  if (!distances.has(from)) return undefined;
  const route = [from];
  for (let here = from; here !== to; route.push(here)) {
    const left = distances.get(here)!;
    here = graph.get(here)!.find((neighbour) => distances.get(neighbour) === left - 1)!;
  }
  return route;
}

/** Countries within reach of each other by land, largest landmass first. */
export function landmasses(graph: BorderGraph): string[][] {
  const seen = new Set<string>();
  const found: string[][] = [];
  for (const code of graph.keys()) {
    if (seen.has(code)) continue;
    const members = [...distancesFrom(graph, code).keys()].sort();
    for (const member of members) seen.add(member);
    found.push(members);
  }
  return found.sort((a, b) => b.length - a.length);
}

/** The graph as it would be with one country closed. */
export function withoutCountry(graph: BorderGraph, closed: string): BorderGraph {
  const rest = new Map<string, readonly string[]>();
  for (const [code, neighbours] of graph) {
    if (code !== closed) {
      rest.set(
        code,
        neighbours.filter((neighbour) => neighbour !== closed),
      );
    }
  }
  return rest;
}

/** The graph as it would be with one border closed. */
export function withoutBorder(graph: BorderGraph, [a, b]: readonly [string, string]): BorderGraph {
  return new Map(graph)
    .set(
      a,
      graph.get(a)!.filter((neighbour) => neighbour !== b),
    )
    .set(
      b,
      graph.get(b)!.filter((neighbour) => neighbour !== a),
    );
}
