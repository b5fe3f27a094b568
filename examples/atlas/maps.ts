import { type Box, boxAround, clip, doubleArea, overlap, pathData, simplify } from './lines';
import type { Outlines, Ring } from './outlines';
import { angleBetween, azimuthal, equalEarth, type Point, type Projection } from './projections';

/** A map as SVG needs it. All lengths are tenths of a pixel at its natural size. */
export interface DrawnMap {
  readonly width: number;
  readonly height: number;
  /** Path data of meridians and parallels. */
  readonly graticule: string;
  readonly countries: readonly DrawnCountry[];
}

/** One country on a map. */
export interface DrawnCountry {
  readonly code: string;
  /** Path data; `''` if all of it is too small to have a shape. */
  readonly path: string;
  /** Where a small country has islands, or all of it, that only a dot can show. */
  readonly dots: readonly Point[];
}

/** What part of the world a map shows, and how. */
interface Frame {
  readonly project: Projection;
  readonly width: number;
  readonly height: number;
  /** Places farther than this many degrees from the centre are surely outside. */
  readonly centre: Point;
  readonly reach: number;
  /** Degrees between two lines of the graticule. */
  readonly step: number;
}

/** Countries smaller than this, across, become dots. */
const SMALLEST_COUNTRY = 45;

/** Islands smaller than this, across, are left out; those of small countries become dots. */
const SMALLEST_ISLAND = 30;

/** The whole world, less Antarctica. */
export function drawWorld(outlines: Outlines): DrawnMap {
  const centralMeridian = 11;
  const project = equalEarth(centralMeridian);
  const scale = 10_000 / (project([centralMeridian + 180, 0])[0] * 2);
  const top = project([centralMeridian, 83.7])[1];
  const bottom = project([centralMeridian, -56])[1];
  const cut = centralMeridian - 180;
  return draw(
    outlines,
    {
      project: ([longitude, latitude]) => {
        const [x, y] = project([longitude, latitude]);
        return [x * scale + 5000, (y - top) * scale];
      },
      width: 10_000,
      height: Math.round((bottom - top) * scale),
      centre: [centralMeridian, 0],
      reach: 180,
      step: 20,
    },
    // The map is cut where no land is but the tip of Siberia, which goes with the rest of it.
    (ring) =>
      ring.centre[0] < cut
        ? ring.points.map(([longitude, latitude]) => [longitude + 360, latitude] as const)
        : ring.points,
  );
}

/** The part of the world around a place, `radius` degrees to the top and the bottom. */
export function drawAround(outlines: Outlines, centre: Point, radius: number): DrawnMap {
  const project = azimuthal(centre);
  const halfHeight = project([centre[0], centre[1] - radius * Math.sign(centre[1] || 1)])[1];
  const height = Math.abs(halfHeight) * 2;
  return draw(outlines, {
    ...placeOnSheet(project, {
      left: -height / 2,
      right: height / 2,
      top: -height / 2,
      bottom: height / 2,
    }),
    centre,
    reach: Math.min(180, radius * 2.2),
    step: radius > 25 ? 15 : 10,
  });
}

/** A country amid its neighbours; far and small islands of its own may be outside. */
export function drawCountry(outlines: Outlines, code: string): DrawnMap | undefined {
  const rings = outlines.get(code)!;
  const largest = largestOf(rings);
  if (largest === undefined) return undefined;
  const project = azimuthal(largest.centre);
  const sizes = new Map(rings.map((ring) => [ring, doubleArea(ring.points.map(project))]));
  const main = rings.filter((ring) => sizes.get(ring)! >= sizes.get(largest)! * 0.08);
  const points = main.flatMap((ring) => ring.points);
  const box = boxAround(points.map(project));
  const size = Math.max(box.right - box.left, box.bottom - box.top);
  // The smallest states would else see nothing but their one neighbour.
  const margin = Math.max(size * 0.28, 0.003);
  const radius = Math.max(...points.map((point) => angleBetween(largest.centre, point)));
  return draw(outlines, {
    ...placeOnSheet(project, {
      left: box.left - margin,
      right: box.right + margin,
      top: box.top - margin,
      bottom: box.bottom + margin,
    }),
    centre: largest.centre,
    reach: Math.min(180, radius * 3 + 1),
    step: [20, 10, 5, 2, 1, 0.5, 0.1].find((step) => radius > step * 1.6) ?? 0.05,
  });
}

/** Puts a part of the plane on a map that is a little wider than high. */
function placeOnSheet(project: Projection, box: Box): Pick<Frame, 'project' | 'width' | 'height'> {
  const [width, height] = [6400, 5200];
  const scale = Math.min(width / (box.right - box.left), height / (box.bottom - box.top));
  const [middleX, middleY] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  return {
    width,
    height,
    project: (point) => {
      const [x, y] = project(point);
      return [(x - middleX) * scale + width / 2, (y - middleY) * scale + height / 2];
    },
  };
}

function largestOf(rings: readonly Ring[]): Ring | undefined {
  let largest: Ring | undefined;
  let size = -1;
  for (const ring of rings) {
    const area = doubleArea(ring.points.map(azimuthal(ring.centre)));
    if (area > size) [largest, size] = [ring, area];
  }
  return largest;
}

function draw(
  outlines: Outlines,
  frame: Frame,
  pointsOf = (ring: Ring): readonly Point[] => ring.points,
): DrawnMap {
  // A little more than is seen, so that the line along the edge is not.
  const edge = 40;
  const sheet = {
    left: -edge,
    top: -edge,
    right: frame.width + edge,
    bottom: frame.height + edge,
  };
  const drawn: DrawnCountry[] = [];
  for (const [code, rings] of outlines) {
    const shapes = rings
      .filter((ring) => angleBetween(ring.centre, frame.centre) - ring.radius <= frame.reach)
      .map((ring) => toShape(pointsOf(ring).map(frame.project)))
      .filter(({ box }) => overlap(box, sheet));
    const country = drawShapes(code, shapes, sheet);
    if (country.path !== '' || country.dots.length > 0) drawn.push(country);
  }
  return {
    width: frame.width,
    height: frame.height,
    graticule: drawGraticule(frame, sheet),
    countries: drawn,
  };
}

interface Shape {
  readonly points: readonly Point[];
  readonly box: Box;
  /** The longer side of the box. */
  readonly size: number;
}

function toShape(points: readonly Point[]): Shape {
  const box = boxAround(points);
  return { points, box, size: Math.max(box.right - box.left, box.bottom - box.top) };
}

function drawShapes(code: string, shapes: readonly Shape[], sheet: Box): DrawnCountry {
  const largest = Math.max(0, ...shapes.map(({ size }) => size));
  const smallest = largest < SMALLEST_COUNTRY ? SMALLEST_COUNTRY : SMALLEST_ISLAND;
  const path = shapes
    .filter(({ size }) => size >= smallest)
    .map(({ points }) => pathData(simplify(clip(points, sheet), 3), { closed: true }))
    .join('');
  const specks = shapes.filter(({ size }) => size < smallest);
  return { code, path, dots: largest < SMALLEST_ISLAND * 5 ? apart(specks) : [] };
}

/** Centres of the largest shapes, none of them close to another. */
function apart(shapes: readonly Shape[]): Point[] {
  const dots: Point[] = [];
  for (const { box } of [...shapes].sort((a, b) => b.size - a.size)) {
    const x = Math.round((box.left + box.right) / 2);
    const y = Math.round((box.top + box.bottom) / 2);
    if (dots.every(([otherX, otherY]) => Math.hypot(x - otherX, y - otherY) > 120)) {
      dots.push([x, y]);
    }
  }
  return dots;
}

function drawGraticule(frame: Frame, sheet: Box): string {
  const { centre, reach, step } = frame;
  const bend = Math.min(step / 4, 2.5);
  const [south, north] = [Math.max(-90, centre[1] - reach), Math.min(90, centre[1] + reach)];
  // Near a pole all meridians are near.
  const width = Math.max(Math.abs(south), Math.abs(north)) > 75 ? 180 : reach * 2;
  const [west, east] = [centre[0] - Math.min(180, width), centre[0] + Math.min(180, width)];
  const lines: Point[][] = [];
  for (const longitude of multiples(step, west, east)) {
    lines.push(multiples(bend, south, north).map((latitude) => [longitude, latitude] as const));
  }
  for (const latitude of multiples(step, south, north)) {
    lines.push(multiples(bend, west, east).map((longitude) => [longitude, latitude] as const));
  }
  return lines
    .flatMap((line) => visibleParts(line.map(frame.project), sheet))
    .map((part) => pathData(simplify(part, 3), { closed: false }))
    .join('');
}

function multiples(step: number, from: number, to: number): number[] {
  const first = Math.ceil(from / step);
  const count = Math.floor(to / step) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (first + i) * step);
}

/** A line's parts within the sheet, with one point beyond it at each end. */
function visibleParts(line: readonly Point[], sheet: Box): Point[][] {
  const parts: Point[][] = [];
  let part: Point[] = [];
  for (const [i, point] of line.entries()) {
    const next = line[i + 1];
    const isSeen =
      overlap(boxAround([point]), sheet) ||
      (next !== undefined && overlap(boxAround([point, next]), sheet));
    if (isSeen) part.push(point);
    else if (part.length > 0) {
      parts.push([...part, point]);
      part = [];
    }
  }
  return part.length > 1 ? [...parts, part] : parts;
}
