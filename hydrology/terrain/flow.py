"""Which way does water flow, and how much ground lies upstream of a cell?

Known rivers are burnt into the ground, so that water follows them where heights alone would lead it astray: on plains,
through dykes and under bridges. Hollows are filled, and each cell flows to one of its eight neighbours (D8; Wang and
Liu 2006, as pyflwdir has it).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyflwdir
import shapely
from pyflwdir.dem import fill_depressions

from shikong.hydrology.terrain import hand
from shikong.hydrology.terrain.errors import NoHeights
from shikong.hydrology.terrain.grid import NODATA, Directions, Grid, Heights, Numbers, rim

#: Ground upstream of a cell (m²) from which on the cell counts as a drain, besides known rivers.
DRAIN = 5e6

#: By how much the beds of known rivers are lowered for each rank before water is led (m): more than dykes and bridges
#: rise, so that a river passes them, and where it crosses one of a lower rank, it is the lower one that flows into it.
BURN = 20.0

#: By how much more from cell to cell (m), so that water goes the way a river is drawn where its bed is level.
_FALL = 0.001

#: What a cell of `Derived.drains` can be: none, one by the ground upstream, a known river.
NO_DRAIN, BY_AREA, RIVER = 0, 1, 2


@dataclass(frozen=True)
class River:
    """A known river. line: EPSG:4490, drawn downstream. rank: from 1 on, larger for those that others flow into.
    leaves: whether its water leaves the model at its lower end, and not into another river."""

    line: Any
    rank: int = 1
    leaves: bool = True


@dataclass(frozen=True)
class Derived:
    """What follows from an elevation model, by cell.

    directions: D8, 0 where water leaves the model, UNKNOWN without height. areas: m² upstream, the cell itself
    included, 0 without height. drains: NO_DRAIN, BY_AREA or RIVER. hand: metres above the drain that the cell's water
    reaches first; NODATA where it leaves the model before, and without height.
    """

    directions: Directions
    areas: Heights
    drains: Directions
    hand: Heights


def derive(grid: Grid, heights: Heights, rivers: Sequence[River] = (), drain: float = DRAIN) -> Derived:
    """All that is derived once for an elevation model.

    heights: metres, NODATA where unknown. drain: m² upstream from which on a cell is a drain. Takes about 60 bytes a
    cell. Raises NoHeights.
    """
    known = heights != NODATA
    if not known.any():
        raise NoHeights
    carved, burn, ends = carve(grid, heights, rivers)
    burnt = carved - burn
    outlets = rim(known).ravel()
    outlets[ends] = True
    directions = fill_depressions(burnt, nodata=NODATA, idxs_pit=np.flatnonzero(outlets))[1]
    del burnt, outlets
    flow = pyflwdir.from_array(directions, ftype="d8", check_ftype=False)
    areas = upstream_areas(flow, grid)
    drains = np.where(areas >= drain, np.uint8(BY_AREA), np.uint8(NO_DRAIN))
    drains[burn > 0] = RIVER
    above = hand.above_drains(flow, heights, carved, drains != NO_DRAIN)
    return Derived(directions, areas.astype(np.float32), drains, above)


def upstream_areas(flow: Any, grid: Grid) -> Any:
    """m² upstream of each cell, the cell itself included; 0 where nothing is known."""
    own = np.repeat(grid.cell_areas(), grid.width)
    found = flow.accuflux(own).reshape(grid.shape)
    found.ravel()[~flow.mask] = 0
    return found


def carve(grid: Grid, heights: Heights, rivers: Sequence[River]) -> tuple[Heights, Heights, Numbers]:
    """Heights in which the bed of no known river rises downstream, by how much more a cell is lowered before water is
    led (0 where no river is), and the cells where rivers leave the model.

    Cells without height stay so and are of no river. A cell on several rivers has the lowest of their beds.
    """
    carved, burn, ends = heights.copy(), np.zeros_like(heights), []
    raw = heights.ravel()
    for river in rivers:
        cells = course(grid, river.line)
        cells = cells[raw[cells] != NODATA]
        if len(cells):
            np.minimum.at(carved.ravel(), cells, np.minimum.accumulate(raw[cells]))
            fall = min(_FALL, BURN / 4 / len(cells)) * np.arange(len(cells))
            np.maximum.at(burn.ravel(), cells, (BURN * river.rank + fall).astype(np.float32))
            ends += [cells[-1]] if river.leaves else []
    return carved, burn, np.array(ends, dtype=np.int64)


def course(grid: Grid, line: Any) -> Numbers:
    """The cells under a line, in its order, each next to the one before, aslant where that is shorter; the parts of a
    line one after the other.

    Cells are numbered row by row. What lies outside of the grid is left out.
    """
    dense = shapely.get_coordinates(shapely.segmentize(line, min(grid.step_x, grid.step_y) / 10))
    rows = np.floor((grid.north - dense[:, 1]) / grid.step_y).astype(np.int64)
    columns = np.floor((dense[:, 0] - grid.west) / grid.step_x).astype(np.int64)
    inside = (rows >= 0) & (rows < grid.height) & (columns >= 0) & (columns < grid.width)
    cells = (rows * grid.width + columns)[inside]
    cells = cells[np.concatenate([[True], np.diff(cells) != 0])[: len(cells)]]
    return _without_corners(cells, grid.width)


def _without_corners(cells: Numbers, width: int) -> Numbers:
    """A course without the cells that water would cut off, as the one before and the one after are neighbours."""
    kept: list[tuple[int, int]] = []
    for row, column in zip(*(each.tolist() for each in np.divmod(cells, width)), strict=True):
        if len(kept) > 1 and max(abs(row - kept[-2][0]), abs(column - kept[-2][1])) <= 1:
            kept.pop()
        kept.append((row, column))
    return np.array([row * width + column for row, column in kept], dtype=np.int64)
