// SPDX-License-Identifier: Apache-2.0
// Lengths and areas on the ellipsoid of CGCS2000. OpenLayers measures on a sphere, which is wrong by 2 in 1,000 here.

const A = 6378137;
const F = 1 / 298.257222101;
const B = A * (1 - F);
const E2 = F * (2 - F);
const E = Math.sqrt(E2);
const radians = (degrees) => (degrees * Math.PI) / 180;

/** Length in metres of the geodesic between two points (longitude, latitude), after Vincenty (1975). */
export function distance([lon1, lat1], [lon2, lat2]) {
  const u1 = Math.atan((1 - F) * Math.tan(radians(lat1)));
  const u2 = Math.atan((1 - F) * Math.tan(radians(lat2)));
  const [sin1, cos1, sin2, cos2] = [Math.sin(u1), Math.cos(u1), Math.sin(u2), Math.cos(u2)];
  const apart = radians(lon2 - lon1);
  let lambda = apart;
  // Nearly opposite points of the globe do not converge; a city has none.
  for (let round = 0; round < 100; round += 1) {
    const across = cos2 * Math.sin(lambda);
    const along = cos1 * sin2 - sin1 * cos2 * Math.cos(lambda);
    const sinSigma = Math.hypot(across, along);
    if (sinSigma === 0) return 0;
    const cosSigma = sin1 * sin2 + cos1 * cos2 * Math.cos(lambda);
    const sigma = Math.atan2(sinSigma, cosSigma);
    const sinAlpha = (cos1 * cos2 * Math.sin(lambda)) / sinSigma;
    const cos2Alpha = 1 - sinAlpha ** 2;
    const middle = cos2Alpha ? cosSigma - (2 * sin1 * sin2) / cos2Alpha : 0;
    const c = (F / 16) * cos2Alpha * (4 + F * (4 - 3 * cos2Alpha));
    const bend = middle + c * cosSigma * (2 * middle ** 2 - 1);
    const next = apart + (1 - c) * F * sinAlpha * (sigma + c * sinSigma * bend);
    if (Math.abs(next - lambda) < 1e-12) return B * arc(sigma, sinSigma, cosSigma, middle, cos2Alpha);
    lambda = next;
  }
  return NaN;
}

function arc(sigma, sinSigma, cosSigma, middle, cos2Alpha) {
  const squared = (cos2Alpha * (A ** 2 - B ** 2)) / B ** 2;
  const a = 1 + (squared / 16384) * (4096 + squared * (squared * (320 - 175 * squared) - 768));
  const b = (squared / 1024) * (256 + squared * (squared * (74 - 47 * squared) - 128));
  const third = (b / 6) * middle * (4 * sinSigma ** 2 - 3) * (4 * middle ** 2 - 3);
  const inner = cosSigma * (2 * middle ** 2 - 1) - third;
  return a * (sigma - b * sinSigma * (middle + (b / 4) * inner));
}

export function length(points) {
  return points.slice(1).reduce((sum, point, n) => sum + distance(points[n], point), 0);
}

/** Area in m² from the equator to a parallel (radians), for each radian of longitude. */
function belt(lat) {
  const s = Math.sin(lat);
  return (B ** 2 / 2) * (s / (1 - E2 * s ** 2) + Math.atanh(E * s) / E);
}

/** Points on the way from one point to another: the great circle of the reduced latitudes, nearly the geodesic. */
function* way(from, to, steps) {
  const [a, b] = [from, to].map(([lon, lat]) => {
    const reduced = Math.atan((1 - F) * Math.tan(radians(lat)));
    return [
      Math.cos(reduced) * Math.cos(radians(lon)),
      Math.cos(reduced) * Math.sin(radians(lon)),
      Math.sin(reduced),
    ];
  });
  for (let n = 0; n <= steps; n += 1) {
    const [x, y, z] = a.map((value, axis) => value + ((b[axis] - value) * n) / steps);
    yield [Math.atan2(y, x), Math.atan2(z, (1 - F) * Math.hypot(x, y))];
  }
}

/** Area in m² of a polygon whose edges are geodesics. It does not reach over the antimeridian. */
export function area(points) {
  let sum = 0;
  points.forEach((point, n) => {
    let before = null;
    for (const next of way(point, points[(n + 1) % points.length], 32)) {
      if (before) sum += ((next[0] - before[0]) * (belt(before[1]) + belt(next[1]))) / 2;
      before = next;
    }
  });
  return Math.abs(sum);
}
