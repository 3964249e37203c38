"""Which plane, which random numbers and which noise do all generators share?

Geometry is designed in metres in EPSG:4548 (CGCS2000, 3-degree Gauss-Krueger, central meridian
117 E, no zone prefix; x = easting, y = northing) and turned into EPSG:4490 degrees (x = lon,
y = lat) when it is written. Areas are ellipsoidal, on CGCS2000.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod, Transformer

Floats = NDArray[np.float64]
#: A numpy array of shapely geometries.
Shapes = NDArray[np.object_]

#: Added to an EPSG:4548 easting it gives the EPSG:4527 easting (the zone number as prefix).
ZONE_39 = 39_000_000.0
GEOD = Geod(a=6378137.0, rf=298.257222101)
MILLIMETRE = 3
#: Decimals of a degree that keep about a millimetre.
DEGREES = 8


@cache
def _transformer(source: int | str, target: int | str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def to_metres(lon: Any, lat: Any) -> tuple[Any, Any]:
    """EPSG:4490 lon, lat in degrees to EPSG:4548 easting, northing in metres."""
    x, y = _transformer(4490, 4548).transform(lon, lat)
    return x, y


def to_degrees(x: Any, y: Any) -> tuple[Any, Any]:
    """EPSG:4548 easting, northing in metres to EPSG:4490 lon, lat in degrees."""
    lon, lat = _transformer(4548, 4490).transform(x, y)
    return lon, lat


def metres(points: Sequence[tuple[float, float]]) -> Floats:
    """Lon, lat pairs as an (n, 2) array of EPSG:4548 metres."""
    lonlat = np.asarray(points, dtype=float)
    x, y = to_metres(lonlat[:, 0], lonlat[:, 1])
    return np.column_stack([x, y])


def shapes_to_degrees(shapes: Any) -> Any:
    """Geometries from EPSG:4548 metres to EPSG:4490 degrees, rounded to about a millimetre."""

    def turn(xy: Floats) -> Floats:
        lon, lat = to_degrees(xy[:, 0], xy[:, 1])
        return np.round(np.column_stack([lon, lat]), DEGREES)

    return shapely.transform(shapes, turn)


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Random numbers that depend on the seed and the names only, not on the order of calls."""
    keys = [zlib.crc32(name.encode()) if isinstance(name, str) else name for name in names]
    return np.random.default_rng([seed, *keys])


class Noise:
    """Smooth noise over the plane, about -1 to 1, with features of ``scale`` metres."""

    def __init__(self, seed: int, name: str, scale: float, waves: int = 12) -> None:
        rng = generator(seed, "noise", name)
        length = scale * rng.uniform(0.6, 2.2, waves)
        angle = rng.uniform(0, 2 * np.pi, waves)
        self._kx = 2 * np.pi / length * np.cos(angle)
        self._ky = 2 * np.pi / length * np.sin(angle)
        self._phase = rng.uniform(0, 2 * np.pi, waves)
        self._weight = length / np.sqrt((length**2).sum() / 2)

    def __call__(self, x: Any, y: Any) -> Floats:
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        total = np.zeros(np.broadcast(x, y).shape)
        for kx, ky, phase, weight in zip(self._kx, self._ky, self._phase, self._weight, strict=True):
            total += weight * np.sin(kx * x + ky * y + phase)
        return total / 1.6


def area_m2(shape: Any) -> float:
    """Ellipsoidal area in m2 of a polygon, multipolygon or collection in EPSG:4490 degrees."""
    parts = [part for part in shapely.get_parts(shape) if part.geom_type in ("Polygon", "MultiPolygon")]
    return float(sum(abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(part))[0]) for part in parts))


def areas_m2(shapes: Shapes) -> Floats:
    """Ellipsoidal areas in m2 of many surfaces in EPSG:4490 degrees, taken in a plane that keeps areas."""
    plane = _transformer("+proj=longlat +a=6378137 +rf=298.257222101", "+proj=cea +a=6378137 +rf=298.257222101")
    turned = shapely.transform(shapes, lambda xy: np.column_stack(plane.transform(xy[:, 0], xy[:, 1])))
    areas: Floats = shapely.area(turned)
    return areas


def polygons_of(shape: Any) -> Any:
    """The polygonal part of a geometry, as a Polygon or MultiPolygon (empty if there is none)."""
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
    nested = [part for part in shapely.get_parts(shape) if part.geom_type == "MultiPolygon"]
    parts += [piece for part in nested for piece in part.geoms]
    if len(parts) == 1:
        return parts[0]
    return shapely.multipolygons(parts) if parts else shapely.Polygon()


def circle(
    x: float, y: float, radius: float, rng: np.random.Generator, *, corners: int = 12, rough: float = 0.2
) -> Any:
    """An irregular round polygon about a point."""
    angle = np.sort((np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * 2 * np.pi / corners)
    reach = radius * (1 + rough * rng.uniform(-1, 1, corners))
    return shapely.polygons(np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)]))


def settlement(x: float, y: float, radius: float, angle: float, rng: np.random.Generator) -> Any:
    """The outline of a settlement: a few overlapping rectangles along one direction, as villages are built."""
    low = rng.uniform(-0.75, -0.15, (4, 2)) * radius
    high = rng.uniform(0.15, 0.75, (4, 2)) * radius
    low[0], high[0] = (-0.8 * radius, -0.6 * radius), (0.8 * radius, 0.6 * radius)
    low[1:] *= 1.35
    high[1:] *= 1.35
    shape = shapely.union_all(shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1]))
    cos, sin = np.cos(angle), np.sin(angle)
    return shapely.transform(shape, lambda p: np.column_stack([x + p @ (cos, -sin), y + p @ (sin, cos)]))


def smooth(points: Floats, passes: int = 3) -> Floats:
    """Corner cutting (Chaikin) of a polyline; both ends stay where they are."""
    for _ in range(passes):
        near = 0.75 * points[:-1] + 0.25 * points[1:]
        far = 0.25 * points[:-1] + 0.75 * points[1:]
        inner = np.stack([near, far], axis=1).reshape(-1, 2)
        points = np.vstack([points[:1], inner, points[-1:]])
    return points


def wander(points: Floats, rng: np.random.Generator, amount: float = 0.08, levels: int = 3) -> Floats:
    """A polyline made natural: the middle of every edge is moved sideways, ``levels`` times."""
    for _ in range(levels):
        step = points[1:] - points[:-1]
        side = np.column_stack([-step[:, 1], step[:, 0]]) * rng.uniform(-amount, amount, len(step))[:, None]
        middle = (points[1:] + points[:-1]) / 2 + side
        out = np.empty((2 * len(points) - 1, 2))
        out[0::2], out[1::2] = points, middle
        points = out
    return points
