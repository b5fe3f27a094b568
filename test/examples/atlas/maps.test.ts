import { borderGraph } from '../../../examples/atlas/borders';
import { countries } from '../../../examples/atlas/data';
import { colourMap } from '../../../examples/atlas/four-colours';
import { boxAround, clip, doubleArea, pathData, simplify } from '../../../examples/atlas/lines';
import { drawCountry, drawWorld } from '../../../examples/atlas/maps';
import { loadOutlines } from '../../../examples/atlas/outlines';
import { azimuthal, equalEarth, type Point } from '../../../examples/atlas/projections';

const outlines = loadOutlines();

describe('four colours', () => {
  const graph = borderGraph(countries);
  const codes = countries.map(({ cca3 }) => cca3);

  test('are enough: no two neighbours share one', () => {
    const tints = colourMap(codes, graph);
    expect(tints.size).toBe(250);
    for (const [code, neighbours] of graph) {
      for (const neighbour of neighbours) expect(tints.get(neighbour)).not.toBe(tints.get(code));
    }
    expect(new Set(tints.values())).toEqual(new Set([0, 1, 2, 3]));
  });

  test('are not enough for five countries that all border on each other', () => {
    const five = ['A', 'B', 'C', 'D', 'E'];
    const complete = new Map(five.map((code) => [code, five.filter((other) => other !== code)]));
    expect(() => colourMap(five, complete)).toThrow(RangeError);
  });
});

describe('projections', () => {
  const degree = Math.PI / 180;

  test.each([
    ['Equal Earth', equalEarth(11)],
    ['azimuthal', azimuthal([11, 40])],
  ])('%s keeps areas in proportion', (_name, project) => {
    for (const [longitude, latitude] of [
      [11, 0],
      [60, 45],
      [-70, -20],
    ] as const) {
      const square: Point[] = [
        [longitude, latitude],
        [longitude + 0.1, latitude],
        [longitude + 0.1, latitude + 0.1],
        [longitude, latitude + 0.1],
      ];
      const onTheGlobe = (0.1 * degree) ** 2 * Math.cos((latitude + 0.05) * degree);
      expect(doubleArea(square.map(project)) / 2 / onTheGlobe).toBeCloseTo(1, 2);
    }
  });

  test('north is up', () => {
    for (const project of [equalEarth(11), azimuthal([11, 40])]) {
      expect(project([11, 50])[1]).toBeLessThan(project([11, 40])[1]);
      expect(project([20, 40])[0]).toBeGreaterThan(project([11, 40])[0]);
    }
  });
});

describe('lines', () => {
  test('lose the points that make no difference, and keep the corners', () => {
    const line: Point[] = [
      [0, 0],
      [5, 0.1],
      [10, 0],
      [10, 5],
      [10, 10],
    ];
    expect(simplify(line, 0.5)).toEqual([
      [0, 0],
      [10, 0],
      [10, 10],
    ]);
    expect(simplify(line, 0.05)).toContainEqual([5, 0.1]);
  });

  test('are cut at the edge of the sheet', () => {
    const square: Point[] = [
      [-5, -5],
      [5, -5],
      [5, 5],
      [-5, 5],
    ];
    const clipped = clip(square, { left: 0, top: 0, right: 9, bottom: 9 });
    expect(boxAround(clipped)).toEqual({ left: 0, top: 0, right: 5, bottom: 5 });
    expect(doubleArea(clipped)).toBe(50);
    expect(clip(square, { left: 6, top: 6, right: 9, bottom: 9 })).toEqual([]);
  });

  test('become short path data', () => {
    const points: Point[] = [
      [1, 2],
      [4, 1],
      [4.2, 0.9],
      [3, 5],
    ];
    expect(pathData(points, { closed: true })).toBe('M1 2l3-1-1 4z');
    expect(pathData(points, { closed: false })).toBe('M1 2l3-1-1 4');
    expect(pathData([[1, 1]], { closed: true })).toBe('');
  });
});

describe('maps', () => {
  test('of the world show every country with an outline but Antarctica', () => {
    const world = drawWorld(outlines);
    const shown = new Set(world.countries.map(({ code }) => code));
    const missing = countries.filter(({ cca3 }) => !shown.has(cca3)).map(({ cca3 }) => cca3);
    // Kosovo has no outline; the others are south of the map.
    expect(missing).toEqual(['ATA', 'UNK']);
  });

  test.each(['PRT', 'RUS', 'FJI', 'ATA', 'VAT', 'KIR', 'USA'])(
    'of %s show it, within the sheet',
    (code) => {
      const map = drawCountry(outlines, code)!;
      const subject = map.countries.find((country) => country.code === code)!;
      expect(subject.path !== '' || subject.dots.length > 0).toBe(true);
      expect(JSON.stringify(map)).not.toMatch(/NaN|Infinity|null/);
      for (const [x, y] of subject.dots) {
        expect(x).toBeGreaterThan(-100);
        expect(x).toBeLessThan(map.width + 100);
        expect(y).toBeGreaterThan(-100);
        expect(y).toBeLessThan(map.height + 100);
      }
    },
  );

  test('of a country show its neighbours', () => {
    const codes = drawCountry(outlines, 'CHE')!.countries.map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(['FRA', 'DEU', 'AUT', 'LIE', 'ITA']));
    expect(codes).not.toContain('PRT');
  });

  test('of a small state among islands show a dot for each', () => {
    const map = drawCountry(outlines, 'KIR')!;
    expect(map.countries.find(({ code }) => code === 'KIR')!.dots.length).toBeGreaterThan(5);
  });
});
