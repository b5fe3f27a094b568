import type { BorderGraph } from './borders';

/** One of the four tints of a political map. */
export type Tint = 0 | 1 | 2 | 3;

const TINTS: readonly Tint[] = [0, 1, 2, 3];

/**
 * Gives each country one of four tints, so that no two neighbours have the same. The country with
 * the fewest tints left goes first, and takes the one that was used least; where that leads to a
 * dead end, it takes another.
 *
 * @see Daniel Brélaz, "New methods to color the vertices of a graph" (1979)
 */
export function colourMap(codes: readonly string[], graph: BorderGraph): Map<string, Tint> {
  const tints = new Map<string, Tint>();
  const isComplete = colourRest(graph, tints, new Set(graph.keys()));
  if (!isComplete) throw new RangeError('These borders need more than four colours.');
  for (const code of codes) {
    if (!tints.has(code)) tints.set(code, leastUsed(TINTS, tints)[0]!);
  }
  return tints;
}

function colourRest(graph: BorderGraph, tints: Map<string, Tint>, open: Set<string>): boolean {
  let next: string | undefined;
  let choices: Tint[] = [];
  for (const code of open) {
    const left = tintsLeft(graph, tints, code);
    const isHarder =
      next === undefined ||
      left.length < choices.length ||
      (left.length === choices.length && degree(graph, code) > degree(graph, next));
    if (isHarder) [next, choices] = [code, left];
  }
  if (next === undefined) return true;
  open.delete(next);
  for (const tint of leastUsed(choices, tints)) {
    tints.set(next, tint);
    if (colourRest(graph, tints, open)) return true;
  }
  tints.delete(next);
  open.add(next);
  return false;
}

function tintsLeft(graph: BorderGraph, tints: ReadonlyMap<string, Tint>, code: string): Tint[] {
  const taken = new Set(graph.get(code)!.map((neighbour) => tints.get(neighbour)));
  return TINTS.filter((tint) => !taken.has(tint));
}

function degree(graph: BorderGraph, code: string): number {
  return graph.get(code)!.length;
}

function leastUsed(choices: readonly Tint[], tints: ReadonlyMap<string, Tint>): Tint[] {
  const uses = [0, 0, 0, 0];
  for (const tint of tints.values()) uses[tint]! += 1;
  return [...choices].sort((a, b) => uses[a]! - uses[b]!);
}
