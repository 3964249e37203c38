"""What a picture shows and how large it is: a box in some CRS, cut into pixels.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from rasterio.transform import from_bounds

from shikong.store.ellipsoid import INVERSE_FLATTENING, SEMI_MAJOR
from shikong.store.tables import SRID
from shikong.tiles.matrix import TileBox

#: Pixels along each side of a tile.
TILE_SIZE = 256

Box = tuple[float, float, float, float]

#: Pixels that are computed at once.
_STRIP = 1 << 20

#: As scale denominators have it: a degree, and a pixel at zoom 0, at the equator.
_METRES_OF_A_DEGREE = math.pi * SEMI_MAJOR / 180
_PIXEL_0 = 2 * math.pi * SEMI_MAJOR / TILE_SIZE

_GEOD = Geod(a=SEMI_MAJOR, rf=INVERSE_FLATTENING)


@dataclass(frozen=True)
class Frame:
    """A box (x = longitude or easting) and the pixels, in columns and rows, that it is drawn with."""

    box: TileBox
    width: int = TILE_SIZE
    height: int = TILE_SIZE

    @property
    def pixel(self) -> tuple[float, float]:
        """Width and height of a pixel in the units of the CRS."""
        return (self.box.east - self.box.west) / self.width, (self.box.north - self.box.south) / self.height

    @property
    def transform(self) -> Affine:
        """From columns and rows to coordinates."""
        box = self.box
        transform: Affine = from_bounds(box.west, box.south, box.east, box.north, self.width, self.height)
        return transform

    @property
    def zoom(self) -> float:
        """The zoom of WebMercatorQuad at the same scale, which need not be a whole number."""
        metres = 1.0 if CRS.from_epsg(self.box.srid).is_projected else _METRES_OF_A_DEGREE
        return math.log2(_PIXEL_0 / (self.pixel[0] * metres))

    def strips(self) -> Iterator[Frame]:
        """The same in parts from north to south, so that large pictures need not be in memory as numbers at once."""
        y, rows = self.pixel[1], max(1, _STRIP // self.width)
        for first in range(0, self.height, rows):
            last = min(first + rows, self.height)
            north, south = self.box.north - first * y, self.box.north - last * y
            yield Frame(TileBox(self.box.west, south, self.box.east, north, self.box.srid), self.width, last - first)

    def with_margin(self, pixels: int) -> Frame:
        """The same with so many pixels more on each side."""
        x, y = (size * pixels for size in self.pixel)
        box = self.box
        wider = TileBox(box.west - x, box.south - y, box.east + x, box.north + y, box.srid)
        return Frame(wider, self.width + 2 * pixels, self.height + 2 * pixels)

    def bounds(self) -> Box:
        """West, south, east, north in the CRS of storage; not finite where the frame leaves what the CRS can show."""
        box = self.box
        if box.srid == SRID:
            return box.west, box.south, box.east, box.north
        return _to_storage(box.srid).transform_bounds(box.west, box.south, box.east, box.north, densify_pts=21)

    def ground_size(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Width and height of a pixel on the ground, in metres, for each row in the middle of the frame."""
        x, y = self.pixel
        middle = np.full(self.height, (self.box.west + self.box.east) / 2)
        rows = self.box.north - (np.arange(self.height) + 0.5) * y
        return (
            self._distance((middle - x / 2, rows), (middle + x / 2, rows)),
            self._distance((middle, rows - y / 2), (middle, rows + y / 2)),
        )

    def _distance(self, start: tuple[Any, Any], end: tuple[Any, Any]) -> NDArray[np.float64]:
        if self.box.srid != SRID:
            start, end = (_to_storage(self.box.srid).transform(*points) for points in (start, end))
        metres: NDArray[np.float64] = _GEOD.inv(*start, *end)[2]
        return metres


@cache
def _to_storage(srid: int) -> Transformer:
    return Transformer.from_crs(srid, SRID, always_xy=True)
