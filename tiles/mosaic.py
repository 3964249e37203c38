"""Pictures of tiles put together and brought onto a frame.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import reproject

from shikong.tiles import matrix, paint
from shikong.tiles.frame import TILE_SIZE, Box, Frame
from shikong.tiles.matrix import TileAddress
from shikong.tiles.paint import Picture

#: The matrix set of the tiles.
MATRIX_SET = "WebMercatorQuad"


def tiles(zoom: int, box: Box) -> list[TileAddress]:
    """The tiles that a box (west, south, east, north in EPSG:4490) reaches, row by row."""
    [found] = matrix.limits(MATRIX_SET, range(zoom, zoom + 1), box)
    return [
        TileAddress(MATRIX_SET, zoom, row, column)
        for row in range(found["minTileRow"], found["maxTileRow"] + 1)
        for column in range(found["minTileCol"], found["maxTileCol"] + 1)
    ]


def brought(drawn: Mapping[TileAddress, Picture], frame: Frame) -> Picture:
    """Tiles of one level that fill a rectangle, as a frame shows them."""
    first, last = min(drawn, key=_place), max(drawn, key=_place)
    whole = paint.clear((last.column - first.column + 1) * TILE_SIZE, (last.row - first.row + 1) * TILE_SIZE)
    for tile, picture in drawn.items():
        row, column = (tile.row - first.row) * TILE_SIZE, (tile.column - first.column) * TILE_SIZE
        whole[row : row + TILE_SIZE, column : column + TILE_SIZE] = picture
    upper, lower = matrix.box(first), matrix.box(last)
    source = np.moveaxis(whole, -1, 0).astype("float32")
    source[:3] *= source[3] / 255  # the colours of clear pixels must not be mixed in
    target = np.zeros((4, frame.height, frame.width), dtype="float32")
    reproject(
        source, target, src_crs=CRS.from_epsg(upper.srid), dst_crs=CRS.from_epsg(frame.box.srid),
        src_transform=from_bounds(upper.west, lower.south, lower.east, upper.north, whole.shape[1], whole.shape[0]),
        dst_transform=frame.transform, resampling=Resampling.bilinear,
    )  # fmt: skip
    target[:3] /= np.maximum(target[3], 1) / 255
    return np.clip(np.rint(np.moveaxis(target, 0, -1)), 0, 255).astype("uint8")


def _place(tile: TileAddress) -> tuple[int, int]:
    return tile.row, tile.column
