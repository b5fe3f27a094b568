import { computeBorderStatistics } from '../../../examples/atlas/border-statistics';
import {
  type BorderGraph,
  borderGraph,
  distancesFrom,
  shortestRoute,
} from '../../../examples/atlas/borders';
import { countries } from '../../../examples/atlas/data';

const world = borderGraph(countries);

/** Borders given as `A-B A-C`. */
function graphOf(borders: string): BorderGraph {
  const graph = new Map<string, string[]>();
  for (const border of borders.split(' ')) {
    const [a, b] = border.split('-') as [string, string];
    graph.set(a, [...(graph.get(a) ?? []), b].sort());
    graph.set(b, [...(graph.get(b) ?? []), a].sort());
  }
  return graph;
}

describe('the border graph', () => {
  test('has every border from both sides', () => {
    for (const [code, neighbours] of world) {
      for (const neighbour of neighbours) expect(world.get(neighbour)).toContain(code);
    }
  });

  test('leaves out islands, and the border that only one side names', () => {
    expect(world.has('JPN')).toBe(false);
    expect(world.has('LKA')).toBe(false);
    expect(world.get('IND')).not.toContain('LKA');
  });

  test.each([
    ['PRT', 'ESP', 1],
    ['PRT', 'CHN', 6],
    ['ZAF', 'NOR', 12],
    ['USA', 'PRY', 9],
    ['KOR', 'PRK', 1],
    ['PRT', 'PRT', 0],
  ])('from %s to %s it is %i borders, over countries that share one', (from, to, borders) => {
    const route = shortestRoute(world, from, to)!;
    expect(route).toHaveLength(borders + 1);
    expect([route[0], route.at(-1)]).toEqual([from, to]);
    for (const [i, code] of route.slice(1).entries()) {
      expect(world.get(code)).toContain(route[i]);
    }
  });

  test('has no way across the sea', () => {
    expect(shortestRoute(world, 'PRT', 'USA')).toBeUndefined();
    expect(distancesFrom(world, 'GBR')).toEqual(
      new Map([
        ['GBR', 0],
        ['IRL', 1],
      ]),
    );
  });
});

describe('statistics of a small world', () => {
  // A ring of four countries, with a tail.
  const statistics = computeBorderStatistics(graphOf('A-B B-C C-D D-A D-E E-F'));
  const of = (code: string) => statistics.countries.find((entry) => entry.code === code)!;

  test('count its borders, its landmass and its longest routes', () => {
    expect(statistics.borders).toBe(6);
    expect(statistics.landmasses).toEqual([
      { members: ['A', 'B', 'C', 'D', 'E', 'F'], diameter: 4 },
    ]);
    expect(statistics.farthestPairs).toEqual([['B', 'A', 'D', 'E', 'F']]);
  });

  test('name who holds it together, and whom each would cut off', () => {
    expect(statistics.gatekeepers).toEqual([
      { code: 'D', cutOff: [['E', 'F']] },
      { code: 'E', cutOff: [['F']] },
    ]);
  });

  test('measure each country', () => {
    expect(of('F')).toMatchObject({ neighbours: 1, reachable: 5, farthest: 4, betweenness: 0 });
    expect(of('F').meanDistance).toBe((1 + 2 + 3 + 3 + 4) / 5);
    // Through E lead the ways from F to the four others, of fifteen ways in all.
    expect(of('E').betweenness).toBeCloseTo(4 / 15, 10);
    // Half of B to D, E and F, the other half of which lead through C.
    expect(of('A').betweenness).toBeCloseTo(1.5 / 15, 10);
  });

  test('tell what would happen if a border closed', () => {
    const missed = Object.fromEntries(
      statistics.missedBorders.map(({ between, ...rest }) => [between.join('-'), rest]),
    );
    expect(missed['D-E']).toEqual({ pairsCut: 8, detour: 0 });
    expect(missed['E-F']).toEqual({ pairsCut: 5, detour: 0 });
    // A to B takes three instead of one; with the other ways, B's side is no worse off.
    expect(missed['A-B']).toEqual({ pairsCut: 0, detour: 2 });
    // A to D, E, F take two more each.
    expect(missed['A-D']).toEqual({ pairsCut: 0, detour: 6 });
    expect(Object.keys(missed).slice(0, 2)).toEqual(['D-E', 'E-F']);
  });
});

describe('statistics of the world', () => {
  const statistics = computeBorderStatistics(world);
  const of = (code: string) => statistics.countries.find((entry) => entry.code === code)!;

  test('know the landmasses', () => {
    const [largest, second, ...islands] = statistics.landmasses;
    expect(largest!.members).toEqual(expect.arrayContaining(['PRT', 'ZAF', 'CHN', 'PNG']));
    expect(second!.members).toEqual(expect.arrayContaining(['CAN', 'ARG']));
    expect(islands.map(({ members }) => members.join()).sort()).toEqual([
      'DOM,HTI',
      'GBR,IRL',
      'MAF,SXM',
    ]);
  });

  test('know the farthest countries, and that each step of the way is a border', () => {
    expect(statistics.farthestPairs.map((route) => [route[0], route.at(-1)])).toEqual([
      ['LSO', 'PNG'],
      ['LSO', 'TLS'],
    ]);
    for (const route of statistics.farthestPairs) {
      expect(route).toHaveLength(statistics.landmasses[0]!.diameter + 1);
      expect(new Set(route).size).toBe(route.length);
    }
  });

  test('know who is inside another, and who holds a land bridge', () => {
    const cutOff = new Map(statistics.gatekeepers.map((entry) => [entry.code, entry.cutOff]));
    expect(cutOff.get('ZAF')).toEqual([['LSO']]);
    expect(cutOff.get('ITA')).toEqual([['SMR'], ['VAT']]);
    expect(cutOff.get('ESP')).toEqual([['GIB'], ['PRT']]);
    expect(cutOff.get('USA')).toEqual([['CAN']]);
    expect(cutOff.get('PAN')![0]).toEqual(expect.arrayContaining(['CRI', 'MEX', 'USA', 'CAN']));
    // Africa has two ways out: by Egypt, and by Ceuta and Melilla.
    expect(cutOff.has('EGY')).toBe(false);
    expect(cutOff.has('LSO')).toBe(false);
  });

  test('count neighbours: China and Russia have the most', () => {
    expect([of('CHN').neighbours, of('RUS').neighbours, of('BRA').neighbours]).toEqual([
      16, 14, 10,
    ]);
    expect(of('PRT')).toMatchObject({ neighbours: 1, reachable: 134 });
  });

  test('find the crossroads where Africa meets Asia', () => {
    const busiest = [...statistics.countries].sort((a, b) => b.betweenness - a.betweenness);
    expect(busiest[0]!.code).toBe('EGY');
    for (const { betweenness } of busiest) {
      expect(betweenness).toBeGreaterThanOrEqual(0);
      expect(betweenness).toBeLessThan(1);
    }
  });
});
