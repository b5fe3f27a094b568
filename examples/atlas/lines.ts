import type { Point } from './projections';

/** A rectangle in the plane. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The smallest box that holds all points. */
export function boxAround(points: Iterable<Point>): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
  }
  return { left, top, right, bottom };
}

/** Whether two boxes have a point in common. */
export function overlap(a: Box, b: Box): boolean {
  return a.left <= b.right && b.left <= a.right && a.top <= b.bottom && b.top <= a.bottom;
}

/** Leaves out the points that are nearer than `tolerance` to a straight line between others. */
export function simplify(points: readonly Point[], tolerance: number): Point[] {
  if (points.length < 3) return [...points];
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const open: [number, number][] = [[0, points.length - 1]];
  for (let span = open.pop(); span !== undefined; span = open.pop()) {
    const [first, last] = span;
    let farthest = 0;
    let distance = tolerance * tolerance;
    for (let i = first + 1; i < last; i++) {
      const candidate = squaredDistance(points[i]!, points[first]!, points[last]!);
      if (candidate > distance) [farthest, distance] = [i, candidate];
    }
    if (farthest === 0) continue;
    keep[farthest] = 1;
    open.push([first, farthest], [farthest, last]);
  }
  return points.filter((_point, i) => keep[i] === 1);
}

/** From a point to the line between two others, which may be the same. */
function squaredDistance([x, y]: Point, [x1, y1]: Point, [x2, y2]: Point): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / length));
  return (x - x1 - t * dx) ** 2 + (y - y1 - t * dy) ** 2;
}

/** The part of a ring that is in the box (Sutherland and Hodgman, 1974). */
export function clip(ring: readonly Point[], box: Box): readonly Point[] {
  let points = ring;
  for (const [axis, limit, sign] of [
    [0, box.left, 1],
    [0, box.right, -1],
    [1, box.top, 1],
    [1, box.bottom, -1],
  ] as const) {
    const inside = (point: Point) => (point[axis] - limit) * sign >= 0;
    const clipped: Point[] = [];
    for (const [i, point] of points.entries()) {
      const previous = points[i === 0 ? points.length - 1 : i - 1]!;
      if (inside(point) !== inside(previous)) {
        const t = (limit - previous[axis]) / (point[axis] - previous[axis]);
        clipped.push([
          previous[0] + t * (point[0] - previous[0]),
          previous[1] + t * (point[1] - previous[1]),
        ]);
      }
      if (inside(point)) clipped.push(point);
    }
    points = clipped;
  }
  return points;
}

/** Twice the area of a ring. */
export function doubleArea(ring: readonly Point[]): number {
  let area = 0;
  for (const [i, [x, y]] of ring.entries()) {
    const [nextX, nextY] = ring[(i + 1) % ring.length]!;
    area += x * nextY - nextX * y;
  }
  return Math.abs(area);
}

/** SVG path data in whole units, as short as it gets; `''`: nothing to be seen. */
export function pathData(points: readonly Point[], { closed }: { closed: boolean }): string {
  let data = '';
  let [x, y] = [0, 0];
  for (const [i, point] of points.entries()) {
    const [nextX, nextY] = [Math.round(point[0]), Math.round(point[1])];
    if (i === 0) data = `M${nextX} ${nextY}l`;
    else if (nextX !== x || nextY !== y) {
      const [dx, dy] = [nextX - x, nextY - y];
      // A minus sign separates as well as a space does.
      data += `${data.endsWith('l') || dx < 0 ? '' : ' '}${dx}${dy < 0 ? '' : ' '}${dy}`;
    }
    [x, y] = [nextX, nextY];
  }
  if (data === '' || data.endsWith('l')) return '';
  return closed ? `${data}z` : data;
}
