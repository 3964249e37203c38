"""Areas and lengths on the CGCS2000 ellipsoid.

Areas follow the rule of the national land survey (椭球面积计算, 国土调查办发〔2008〕32号): each edge gives
a trapezoid on the ellipsoid, its mean longitude times the zone between its latitudes, a series in
sines. That is the area in the equal-area cylindrical projection with edges straight there. Audits
use this area, not that of a Gauss-Krueger plane, which is up to 0.06 % larger here.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

SEMI_MAJOR = 6378137.0
INVERSE_FLATTENING = 298.257222101

_F = 1 / INVERSE_FLATTENING
_B = SEMI_MAJOR * (1 - _F)
_E2 = _F * (2 - _F)
_SERIES = (
    1 + 3 / 6 * _E2 + 30 / 80 * _E2**2 + 35 / 112 * _E2**3 + 630 / 2304 * _E2**4,
    -(1 / 6 * _E2 + 15 / 80 * _E2**2 + 21 / 112 * _E2**3 + 420 / 2304 * _E2**4),
    3 / 80 * _E2**2 + 7 / 112 * _E2**3 + 180 / 2304 * _E2**4,
    -(1 / 112 * _E2**3 + 45 / 2304 * _E2**4),
    5 / 2304 * _E2**4,
)

#: Edges that are measured at a time: as many as the processor's cache holds with all that comes between.
_AT_ONCE = 16384

_GEOD = Geod(a=SEMI_MAJOR, rf=INVERSE_FLATTENING)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Rings:
    """The rings of some shapes: all their points, which ring each belongs to, which shape each ring belongs to, and
    whether it is the rim of a surface (and not of a hole)."""

    coordinates: Values
    ring: NDArray[np.intp]
    shape: NDArray[np.intp]
    rim: NDArray[np.bool_]


def rings_of(geometries: Any) -> Rings:
    """The rings of an array of geometries, in any order; lines and points have none."""
    shapes = np.asarray(geometries, dtype=object)
    kinds = shapely.get_type_id(shapes)
    surfaces = np.flatnonzero(np.isin(kinds, (3, 6)) & ~shapely.is_empty(shapes))
    coordinates = shapely.get_coordinates(shapes[surfaces])
    points = shapely.get_num_coordinates(shapes[surfaces])
    alone = (kinds[surfaces] == 3) & (shapely.get_num_interior_rings(shapes[surfaces]) == 0)
    several = np.flatnonzero(kinds[surfaces] == 6)
    alone[several] = _is_one_ring(coordinates[np.repeat(kinds[surfaces] == 6, points)], points[several])
    if alone.all():
        ring = np.repeat(np.arange(len(surfaces)), points)
        return Rings(coordinates, ring, surfaces, np.ones(len(surfaces), dtype=bool))
    simple, rest = surfaces[alone], surfaces[~alone]
    others = _rings_of_parts(shapes[rest])
    return Rings(
        np.concatenate([coordinates[np.repeat(alone, points)], others.coordinates]),
        np.concatenate([np.repeat(np.arange(len(simple)), points[alone]), len(simple) + others.ring]),
        np.concatenate([simple, rest[others.shape]]),
        np.concatenate([np.ones(len(simple), dtype=bool), others.rim]),
    )


def _is_one_ring(coordinates: Values, points: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which multipolygons, each of so many points, are surely one ring: none but their last point is the first again.

    Most are, and taking them apart copies them. A ring that passes through its first point is told as others.
    """
    if not len(points):
        return np.empty(0, dtype=bool)
    first, last = np.cumsum(points) - points, np.cumsum(points) - 1
    again = (coordinates == np.repeat(coordinates[first], points, axis=0)).all(axis=1)
    return np.asarray(again[last] & (np.add.reduceat(again, first, dtype=np.intp) == 2))


def _rings_of_parts(shapes: NDArray[np.object_]) -> Rings:
    polygons, owner = shapely.get_parts(shapes, return_index=True)
    number = shapely.get_num_interior_rings(polygons) + 1
    rim = np.zeros(number.sum(), dtype=bool)
    rim[np.cumsum(number) - number] = True
    rings = shapely.get_rings(polygons)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    return Rings(coordinates, ring, np.repeat(owner, number), rim)


def areas(geometries: Any, rings: Rings | None = None, *, as_drawn: bool = False) -> Values:
    """Ellipsoidal area in m2 of each geometry of an array (EPSG:4490, x = longitude); 0 for lines and points.

    rings: the geometries' rings, where they are at hand. as_drawn: take edges as straight in longitude and latitude, as
    maps and overlays do, and not as the survey's rule has them. Then cutting a surface, which puts points on its edges,
    changes the area of no edge: parts add up to the whole. By the rule they miss it by millionths.
    """
    of = rings or rings_of(geometries)
    total = np.zeros(len(geometries))
    if len(of.shape):
        measured = np.abs(_ring_areas(of.coordinates, of.ring, len(of.shape), as_drawn))
        np.add.at(total, of.shape, np.where(of.rim, measured, -measured))
    return total


def perimeters(geometries: Any, rings: Rings) -> Values:
    """Length in m of the rims and holes of each geometry of an array; 0 for lines and points.

    Each edge is taken as straight in a plane that has the ellipsoid's scales at its middle, which for edges of a
    kilometre differs from the geodesic by less than a millionth. rings: the geometries'.
    """
    lon, lat = np.radians(rings.coordinates).T
    steps = np.empty(max(len(lon) - 1, 0))
    for start in range(0, len(steps), _AT_ONCE):
        one, other = slice(start, min(start + _AT_ONCE, len(steps))), slice(start + 1, start + 1 + _AT_ONCE)
        cosine = np.cos((lat[one] + lat[other]) / 2)
        bent = 1 - _E2 * (1 - cosine**2)
        east = (lon[other] - lon[one]) * cosine * SEMI_MAJOR / np.sqrt(bent)
        north = (lat[other] - lat[one]) * SEMI_MAJOR * (1 - _E2) / bent**1.5
        steps[one] = np.hypot(east, north)
    same = rings.ring[1:] == rings.ring[:-1]
    owner = rings.shape[rings.ring[:-1][same]]
    return np.bincount(owner, weights=steps[same], minlength=len(geometries)).astype(float)


def _ring_areas(coordinates: Values, ring: NDArray[np.intp], number: int, as_drawn: bool) -> Values:
    """Signed area of each closed ring."""
    same = ring[1:] == ring[:-1]
    # Any meridian will do. The ring's own keeps the numbers small, and the area the same whatever else is measured.
    origin = coordinates[np.searchsorted(ring, np.arange(number)), 0][ring]
    lon, lat = np.radians(coordinates[:, 0] - origin), np.radians(coordinates[:, 1])
    trapezoids = np.empty(max(len(lon) - 1, 0))
    for start in range(0, len(trapezoids), _AT_ONCE):
        one, other = slice(start, min(start + _AT_ONCE, len(trapezoids))), slice(start + 1, start + 1 + _AT_ONCE)
        trapezoids[one] = _trapezoids(lon[one], lon[other], lat[one], lat[other], as_drawn)
    return np.bincount(ring[:-1][same], weights=trapezoids[same], minlength=number).astype(float)


def _trapezoids(lon: Values, next_lon: Values, lat: Values, next_lat: Values, as_drawn: bool) -> Values:
    """Signed area between each edge and the meridian of origin. The rule takes the edge's mean longitude all along it;
    along a straight edge longitude and the width of the zones change together, which adds a term of third order."""
    half_height, middle = (next_lat - lat) / 2, (next_lat + lat) / 2
    cosine = np.cos(middle)
    found: Values = _B**2 * (next_lon + lon) * _strip(np.sin(half_height), cosine)
    if as_drawn:
        sine = np.sin(middle)
        bent = 1 - _E2 * sine**2
        widening = _B**2 * sine * (4 * _E2 * cosine**2 - bent) / bent**3
        found += (next_lon - lon) * half_height**2 * widening / 3
    return found


def _strip(sine: Values, cosine: Values) -> Values:
    """The series in sin(n h) cos(n m), n = 1, 3, 5, 7, 9, from sin(h) and cos(m).

    Sines and cosines of the multiples follow from the two before: sin((n+2)h) = 2 cos(2h) sin(nh) - sin((n-2)h).
    """
    twice_height, twice_middle = 2 - 4 * sine**2, 4 * cosine**2 - 2
    sines, cosines = [-sine, sine], [cosine, cosine]
    total = _SERIES[0] * sine * cosine
    for factor in _SERIES[1:]:
        sines = [sines[1], twice_height * sines[1] - sines[0]]
        cosines = [cosines[1], twice_middle * cosines[1] - cosines[0]]
        total += factor * sines[1] * cosines[1]
    return np.asarray(total)


def lengths(geometries: Any) -> Values:
    """Geodesic length in m of each line of an array (EPSG:4490, x = longitude)."""
    shapes = np.asarray(geometries, dtype=object)
    lines, owner = shapely.get_parts(shapes, return_index=True)
    coordinates, line = shapely.get_coordinates(lines, return_index=True)
    same = line[1:] == line[:-1]
    start, end = coordinates[:-1][same], coordinates[1:][same]
    _, _, distance = _GEOD.inv(start[:, 0], start[:, 1], end[:, 0], end[:, 1])
    return np.bincount(owner[line[:-1][same]], weights=distance, minlength=len(shapes)).astype(float)
