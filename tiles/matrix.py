"""The tile matrix sets that are served, from morecantile's copy of the OGC registry.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import morecantile

#: Identifier -> EPSG code of the coordinates in which tiles are cut. CRS84 degrees equal the stored ones.
SERVED = {"WebMercatorQuad": 3857, "WorldCRS84Quad": 4490}

MAX_ZOOM = 22


@dataclass(frozen=True)
class TileAddress:
    """One tile of a served matrix set; row counts from the top."""

    matrix_set: str
    zoom: int
    row: int
    column: int


@dataclass(frozen=True)
class TileBox:
    """A tile's bounds in the coordinates of its matrix set."""

    west: float
    south: float
    east: float
    north: float
    srid: int


@cache
def matrix_set(identifier: str) -> morecantile.TileMatrixSet:
    """A served tile matrix set. Raises KeyError."""
    if identifier not in SERVED:
        raise KeyError(identifier)
    return morecantile.tms.get(identifier)


@cache
def matrix_size(identifier: str, zoom: int) -> tuple[int, int]:
    """Columns and rows of a zoom level."""
    matrix = matrix_set(identifier).matrix(zoom)
    return matrix.matrixWidth, matrix.matrixHeight


@lru_cache(maxsize=16_384)
def box(address: TileAddress) -> TileBox:
    """The bounds of a tile. Raises IndexError when the matrix has no such tile."""
    width, height = matrix_size(address.matrix_set, address.zoom)
    if not (0 <= address.column < width and 0 <= address.row < height):
        raise IndexError(
            f"zoom {address.zoom} of {address.matrix_set} has rows 0-{height - 1} and columns 0-{width - 1}"
        )
    bounds = matrix_set(address.matrix_set).xy_bounds(morecantile.Tile(address.column, address.row, address.zoom))
    return TileBox(bounds.left, bounds.bottom, bounds.right, bounds.top, SERVED[address.matrix_set])
