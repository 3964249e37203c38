"""Areas for low zooms: what is too small to be seen goes into its neighbours, and neighbours keep their common edges.

Areas are burnt into cells, four units of a vector tile wide, by the code of their style's field. A coarser level takes
of four cells the code that most of them have. Cells of one code that touch become one area; runs of few cells take the
code around them; edges are then smoothed along the whole coverage at once, so that no gaps open between neighbours.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray

#: Cells along the side of a tile, and units of a vector tile in one of them.
CELLS, UNITS = 1024, 4

#: The code of cells in which nothing lies.
NOTHING = 0

#: Cells beyond the tile's edge that are drawn, so that no seam is seen between tiles.
_MARGIN = 16

#: Runs of fewer cells than the first go into their neighbours; where that leaves too much for a tile, than the next.
LEAST_CELLS = (8, 16, 32, 64, 128, 256)

#: How far an edge may be moved by smoothing, in units: less than a pixel of a tile that is drawn 512 pixels wide.
_TOLERANCE = 7.0

Cells = NDArray[np.uint8]


def burn(shapes: Sequence[Any], codes: Sequence[int], west: float, north: float, side: float) -> Cells:
    """Cells of a tile from areas in its coordinates, the last one on top; each cell has what lies in its middle.

    west, north, side: of the tile. codes: from 1 on.
    """
    if not len(shapes):
        return np.full((CELLS, CELLS), NOTHING, np.uint8)
    transform = Affine(side / CELLS, 0, west, 0, -side / CELLS, north)
    burnt: Cells = rasterio.features.rasterize(
        zip(shapes, codes, strict=True), out_shape=(CELLS, CELLS), fill=NOTHING, transform=transform, dtype="uint8"
    )
    return burnt


def coarser(north_west: Cells, north_east: Cells, south_west: Cells, south_east: Cells) -> Cells:
    """Cells of a tile from those of the four tiles into which the next level divides it."""
    whole = np.block([[north_west, north_east], [south_west, south_east]])
    four = np.sort(np.stack([whole[0::2, 0::2], whole[0::2, 1::2], whole[1::2, 0::2], whole[1::2, 1::2]]), axis=0)
    # Of sorted ones those that occur more than once are side by side; without any, the second stands for all.
    found = four[1].copy()
    for first, second in ((2, 3), (0, 1), (1, 2)):
        found = np.where(four[first] == four[second], four[first], found)
    joined: Cells = found.astype(np.uint8)
    return joined


def areas(cells: Cells, least: int) -> tuple[NDArray[np.object_], list[int]]:
    """Areas of a tile (its coordinates: 4096 units, y from the bottom up) that lie side by side, and their codes.

    least: runs of fewer cells go into their neighbours.
    """
    padded = np.pad(cells, _MARGIN, mode="edge")
    joined = rasterio.features.sieve(padded, least)
    shift = -_MARGIN * UNITS
    transform = Affine(UNITS, 0, shift, 0, -UNITS, CELLS * UNITS - shift)
    found = list(rasterio.features.shapes(joined, mask=joined != NOTHING, transform=transform))
    shapes = np.empty(len(found), dtype=object)
    shapes[:] = [shapely.geometry.shape(shape) for shape, _ in found]
    codes = [int(code) for _, code in found]
    if found:
        # Neighbours must have the very same points along a common edge, where one alone needs only its corners.
        shapes = shapely.transform(shapely.segmentize(shapes, UNITS), np.rint)
        shapes = shapely.coverage_simplify(shapes, _TOLERANCE)
    return shapes, codes
