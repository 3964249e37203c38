"""How high is the ground, so that every river runs downhill?

The plain falls from about 45 m in the south-west to 24 m in the north-east. Along each river the
bed is cut into the grid: the value of the cell under each point of the river is at most that of
the cell before it (nearest cell, not interpolated). The Yellow River runs above the plain between
its dykes. Metres above the National Vertical Datum 1985; grid in EPSG:4490.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from scipy.ndimage import distance_transform_edt

from shikong.samples import places, write
from shikong.samples.ground import Ground
from shikong.samples.plane import Floats, Noise, shapes_to_degrees, to_metres

WEST, NORTH, WIDTH, HEIGHT = 115.22, 37.08, 1.36, 1.32
NODATA = -9999.0
DEPTH_M = {"main": 4.5, "tributary": 2.6, "canal": 2.2}
#: Rivers that run above the plain between dykes, and by how much their beds are raised.
RAISED_M = {"R01": 5.5, "R05": 4.0}


@dataclass(frozen=True)
class Terrain:
    """The grid, its first row in the north; ``step`` is the cell size in degrees."""

    values: Floats
    step: float

    def cells(self, line: Any) -> tuple[Any, Any]:
        """Rows and columns of the cells under a line (degrees), in order, about ten points a cell."""
        dense = shapely.get_coordinates(shapely.segmentize(line, self.step / 10))
        rows = np.floor((NORTH - dense[:, 1]) / self.step).astype(int)
        return rows, np.floor((dense[:, 0] - WEST) / self.step).astype(int)

    def at(self, lon: float, lat: float) -> float:
        """The ground at a place in metres, in the nearest cell."""
        return float(self.values[int((NORTH - lat) / self.step), int((lon - WEST) / self.step)])


def plain(seed: int, x: Any, y: Any) -> Floats:
    """The ground in metres before rivers are cut, at EPSG:4548 coordinates."""
    east, north = (np.asarray(x) - 400_000) / 1000, (np.asarray(y) - 4_030_000) / 1000
    slope = 35.2 - 0.088 * east - 0.118 * north
    broad, fine = Noise(seed, "broad", 15_000), Noise(seed, "fine", 2_600)
    ground: Floats = slope + 0.8 * broad(x, y) + 0.3 * fine(x, y)
    return ground


def build(ground: Ground, step: float) -> Terrain:
    """The terrain of the city at a cell size in degrees."""
    lon = WEST + (np.arange(round(WIDTH / step)) + 0.5) * step
    lat = NORTH - (np.arange(round(HEIGHT / step)) + 0.5) * step
    x, y = to_metres(*np.meshgrid(lon, lat))
    terrain = Terrain(plain(ground.seed, x, y), step)
    lines = shapes_to_degrees(ground.corridors.rivers)
    _levees(terrain, lines)
    _cut(terrain, lines, ground.seed)
    outside = ~shapely.contains_xy(shapely.buffer(shapes_to_degrees(ground.city), 0.02), *np.meshgrid(lon, lat))
    terrain.values[outside] = NODATA
    return terrain


def _levees(terrain: Terrain, lines: Any) -> None:
    """Raise dykes beside the rivers, by distance from the line in cells."""
    for river, line in zip(places.RIVERS, lines, strict=True):
        if river.kind != "main":
            continue
        away = np.ones(terrain.values.shape, dtype=bool)
        away[terrain.cells(line)] = False
        distance = distance_transform_edt(away) * terrain.step * 100_000
        reach = river.width / 2 + river.levee
        crest = 7.5 if river.id == "R01" else 1.8
        terrain.values[:] += (
            crest * np.exp(-(((distance - reach) / max(80.0, 60_000 * terrain.step)) ** 2)) * (distance > 0)
        )


def _cut(terrain: Terrain, lines: Any, seed: int) -> None:
    """Cut the beds: first each river's own profile, then the lower of both wherever courses share a cell."""
    courses = []
    for river, line in zip(places.RIVERS, lines, strict=True):
        rows, columns = terrain.cells(line)
        moved = np.concatenate([[True], (np.diff(rows) != 0) | (np.diff(columns) != 0)])
        course = rows[moved] * terrain.values.shape[1] + columns[moved]
        x, y = to_metres(WEST + (columns[moved] + 0.5) * terrain.step, NORTH - (rows[moved] + 0.5) * terrain.step)
        bed = plain(seed, x, y) - DEPTH_M[river.kind] + RAISED_M.get(river.id, 0.0)
        courses.append((course, np.minimum.accumulate(bed)))
    flat = terrain.values.ravel()
    for course, _ in courses:
        flat[course] = np.inf
    for course, bed in courses:
        np.minimum.at(flat, course, bed)
    for _ in range(200):
        before = np.concatenate([flat[course] for course, _ in courses])
        for course, _ in courses:
            np.minimum.at(flat, course, np.minimum.accumulate(flat[course]))
        if np.array_equal(before, np.concatenate([flat[course] for course, _ in courses])):
            break
    terrain.values[:] = flat.reshape(terrain.values.shape)


def deliver(terrain: Terrain, path: Path) -> int:
    """Write the grid as GeoTIFF (EPSG:4490, float32); returns the number of cells."""
    height, width = terrain.values.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "float32", "crs": "EPSG:4490",
               "nodata": NODATA, "transform": Affine(terrain.step, 0.0, WEST, 0.0, -terrain.step, NORTH), "tiled": True,
               "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 3}  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.round(terrain.values, 3).astype("float32"), 1)
        file.set_band_description(1, "elevation")
        file.update_tags(
            origin=write.ORIGIN, title=f"聊城市数字高程模型（{write.LABEL}）", TIFFTAG_SOFTWARE="shikong.samples"
        )
        file.update_tags(1, units="m", vertical_datum="1985国家高程基准")
    return int(height * width)
