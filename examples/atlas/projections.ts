/** Longitude and latitude, or x and y, as GeoJSON has them. */
export type Point = readonly [number, number];

/** From longitude and latitude, in degrees, to a plane; y grows to the south. */
export type Projection = (point: Point) => Point;

const RADIANS = Math.PI / 180;

/**
 * The whole world, with areas in proportion.
 *
 * @see Šavrič, Patterson and Jenny, "The Equal Earth map projection" (2018)
 */
export function equalEarth(centralMeridian: number): Projection {
  const [a1, a2, a3, a4] = [1.340264, -0.081106, 0.000893, 0.003796];
  return ([longitude, latitude]) => {
    const lambda = (longitude - centralMeridian) * RADIANS;
    const theta = Math.asin((Math.sqrt(3) / 2) * Math.sin(latitude * RADIANS));
    const t2 = theta * theta;
    const t6 = t2 ** 3;
    const slope = a1 + 3 * a2 * t2 + t6 * (7 * a3 + 9 * a4 * t2);
    const x = (2 * Math.sqrt(3) * lambda * Math.cos(theta)) / (3 * slope);
    return [x, -theta * (a1 + a2 * t2 + t6 * (a3 + a4 * t2))];
  };
}

/** One part of the world, undistorted at its centre, with areas in proportion (Lambert, 1772). */
export function azimuthal(centre: Point): Projection {
  const [centreSin, centreCos] = [Math.sin(centre[1] * RADIANS), Math.cos(centre[1] * RADIANS)];
  return ([longitude, latitude]) => {
    const lambda = (longitude - centre[0]) * RADIANS;
    const [sin, cos] = [Math.sin(latitude * RADIANS), Math.cos(latitude * RADIANS)];
    const cosDistance = centreSin * sin + centreCos * cos * Math.cos(lambda);
    // The point opposite to the centre would be infinitely far.
    const scale = Math.sqrt(2 / Math.max(1 + cosDistance, 1e-9));
    const x = scale * cos * Math.sin(lambda);
    return [x, -scale * (centreCos * sin - centreSin * cos * Math.cos(lambda))];
  };
}

/** The angle between two places as seen from the middle of the Earth, in degrees. */
export function angleBetween(a: Point, b: Point): number {
  const cosine =
    Math.sin(a[1] * RADIANS) * Math.sin(b[1] * RADIANS) +
    Math.cos(a[1] * RADIANS) * Math.cos(b[1] * RADIANS) * Math.cos((a[0] - b[0]) * RADIANS);
  return Math.acos(Math.min(1, Math.max(-1, cosine))) / RADIANS;
}
