"""How steep is the ground of a site?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.features import geometry_mask
from rasterio.windows import Window, from_bounds

from shikong.processes.overlay.kernel import Shapes
from shikong.store import tables
from shikong.tiles import relief
from shikong.tiles.frame import Frame
from shikong.tiles.matrix import TileBox


@dataclass(frozen=True)
class Slope:
    """Degrees: the mean, and what 95 % of the ground does not exceed."""

    mean: float
    p95: float


def slopes(place: Path, sites: Shapes) -> list[Slope | None]:
    """The slope of the ground of each site (EPSG:4490); None where heights are not known."""
    with rasterio.open(place) as raster:
        return [_slope(raster, site) for site in sites]


def _slope(raster: Any, site: Any) -> Slope | None:
    """Of the cells whose middle lies in the site; of those that it touches where there is none."""
    heights, transform = _heights(raster, site)
    west, north = transform @ (0, 0)
    east, south = transform @ (heights.shape[1], heights.shape[0])
    frame = Frame(TileBox(west, south, east, north, tables.SRID), heights.shape[1], heights.shape[0])
    unknown, to_east, to_north = relief.rises(heights, frame)
    steep = np.degrees(np.arctan(np.hypot(to_east, to_north)))
    for touched in (False, True):
        inside = geometry_mask([site], heights.shape, transform, all_touched=touched, invert=True)
        if inside.any():
            known = steep[inside & ~unknown]
            return Slope(float(known.mean()), float(np.percentile(known, 95))) if len(known) else None
    return None


def _heights(raster: Any, site: Any) -> tuple[np.ma.MaskedArray[Any, Any], Any]:
    """The cells of a site with one more on each side, so that all have neighbours; none is known beyond the raster."""
    wanted = from_bounds(*site.bounds, transform=raster.transform)
    left, top = int(np.floor(wanted.col_off)) - 1, int(np.floor(wanted.row_off)) - 1
    right, bottom = int(np.ceil(wanted.col_off + wanted.width)) + 1, int(np.ceil(wanted.row_off + wanted.height)) + 1
    heights: np.ma.MaskedArray[Any, Any] = np.ma.MaskedArray(np.zeros((bottom - top, right - left)), mask=True)
    rows, columns = (max(top, 0), min(bottom, raster.height)), (max(left, 0), min(right, raster.width))
    if rows[0] < rows[1] and columns[0] < columns[1]:
        inside = raster.read(1, window=Window.from_slices(rows, columns), masked=True)
        heights[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left] = inside
    return heights, raster.window_transform(Window(left, top, right - left, bottom - top))
