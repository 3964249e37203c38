"""How high is the ground above the drain that its water reaches, and what does a level of that drain flood?

HAND: Nobre and others (2016). The water's surface is as high above the drain's bed at each cell as at the drain that
the cell's water reaches first; ground that drains elsewhere, behind a dyke, stays dry.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyflwdir

from shikong.hydrology.terrain.basins import outline
from shikong.hydrology.terrain.grid import NODATA, UNKNOWN, Directions, Grid, Heights, Numbers, Truths, Window

#: Where classes of depth begin (m).
DEPTHS = (0.0, 0.5, 1.0, 2.0, 3.0)


def above_drains(flow: Any, heights: Heights, beds: Heights, drains: Truths) -> Heights:
    """Metres of cells above the bed of the drain that their water reaches first; NODATA where it reaches none.

    flow: the library's directions. heights, beds: of the ground, and of the ground with the rivers' beds in it.
    """
    reached = flow.fillnodata(np.where(drains, beds, np.float32(NODATA)), NODATA, direction="up")
    above = np.where((reached == NODATA) | (heights == NODATA), np.float32(NODATA), heights - reached)
    return np.asarray(above, dtype=np.float32)


@dataclass(frozen=True)
class Flood:
    """Which cells of a window are under water. depths: metres, NaN where it is dry or not known."""

    window: Window
    depths: Heights

    @property
    def wet(self) -> Truths:
        """The cells under water."""
        return np.asarray(~np.isnan(self.depths))

    def between(self, low: float, high: float | None) -> Flood:
        """What of it is at least so deep, and less deep than that; None is open."""
        deep = (self.depths >= low) & (self.depths < (np.inf if high is None else high))
        return Flood(self.window, np.where(deep, self.depths, np.float32(np.nan)))


def by_height(window: Window, above: Heights, level: float) -> Flood:
    """What a level (m) above all drains floods."""
    wet = (above != NODATA) & (above <= level)
    return Flood(window, np.where(wet, np.float32(level) - above, np.float32(np.nan)))


def along(
    read: Callable[[Window], tuple[Directions, Heights]], grid: Grid, reach: Numbers, surface: Heights, window: Window
) -> Flood:
    """What a reach of a drain floods.

    read: directions and heights (NODATA where unknown) of a window. reach: the reach's cells, numbered row by row.
    surface: the water's height at each. window: where to begin; it is widened until it holds the whole flood.
    """
    while True:
        directions, heights = read(window)
        rows, columns = np.divmod(reach, grid.width)
        at = np.full(window.shape, np.float32(NODATA))
        inside = (rows >= window.top) & (rows < window.bottom) & (columns >= window.left) & (columns < window.right)
        at[rows[inside] - window.top, columns[inside] - window.left] = surface[inside]
        flow = pyflwdir.from_array(directions, ftype="d8", check_ftype=False)
        level = flow.fillnodata(at, NODATA, direction="up")
        wet = (level != NODATA) & (directions != UNKNOWN) & (heights <= level)
        wider = grid.wider(window, wet)
        if wider == window:
            return Flood(window, np.where(wet, level - heights, np.float32(np.nan)))
        window = wider


def classes(flood: Flood, grid: Grid, depths: Sequence[float] = DEPTHS) -> list[tuple[float, float | None, Any]]:
    """The flood by depth: from, to (m; None is open) and the surface (EPSG:4490). Empty classes are left out."""
    part = grid.part(flood.window)
    found = []
    for number, low in enumerate(depths):
        high = depths[number + 1] if number + 1 < len(depths) else None
        inside = flood.between(low, high).wet
        if inside.any():
            found.append((low, high, outline(inside, part)))
    return found


def area(flood: Flood, grid: Grid) -> float:
    """m² under water."""
    return float(flood.wet.sum(axis=1) @ grid.part(flood.window).cell_areas())


def blocks(flood: Flood, grid: Grid, size: int = 64) -> list[Any]:
    """The surface under water, cut into squares of so many cells, so that no piece has many corners."""
    part, wet, found = grid.part(flood.window), flood.wet, []
    for top in range(0, part.height, size):
        for left in range(0, part.width, size):
            square = Window(top, left, min(part.height, top + size), min(part.width, left + size))
            inside = wet[square.slices]
            if inside.any():
                found.append(outline(inside, part.part(square)))
    return found
