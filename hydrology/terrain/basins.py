"""From where does water come to a place?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyflwdir
import shapely
from pyflwdir import core
from rasterio.features import shapes

from shikong.hydrology.terrain.grid import GEOD, UNKNOWN, Directions, Grid, Heights, Numbers, Truths, Window, rim

#: Rows and columns of the squares that a basin is followed through.
_SQUARE = 512


@dataclass(frozen=True)
class Basin:
    """The cells of a window whose water passes an outlet.

    row, column: of the outlet in the whole model. inside: the basin's cells, the outlet itself included. directions:
    of the window's cells. cut: whether the basin, apart from its outlet, reaches where heights are not known, so that
    it may be larger.
    """

    window: Window
    row: int
    column: int
    inside: Truths
    directions: Directions
    cut: bool

    @property
    def outlet(self) -> tuple[int, int]:
        """Row and column of the outlet in the window."""
        return self.row - self.window.top, self.column - self.window.left


def watershed(read: Callable[[Window], Directions], grid: Grid, row: int, column: int) -> Basin:
    """The basin of a cell, which has a height.

    read: the directions of a window. It is followed upstream square by square, so that what is read and held follows
    from the basin's size, not from the model's.
    """
    squares = _Squares(read, grid)
    pending = {squares.of(row, column): [np.array([row * grid.width + column])]}
    while pending:
        square = next(iter(pending))
        for onward, cells in squares.visit(square, np.concatenate(pending.pop(square))):
            pending.setdefault(onward, []).append(cells)
    window, inside = squares.together()
    directions = read(window)
    return Basin(window, row, column, inside, directions, _reaches_edge(directions, inside, row, column, window))


class _Squares:
    """The basin as far as it is known, by squares of the model."""

    def __init__(self, read: Callable[[Window], Directions], grid: Grid) -> None:
        self._read, self._grid = read, grid
        self._known: dict[tuple[int, int], Truths] = {}

    def of(self, row: int, column: int) -> tuple[int, int]:
        """The square that a cell lies in."""
        return row // _SQUARE, column // _SQUARE

    def visit(self, square: tuple[int, int], cells: Numbers) -> Iterator[tuple[tuple[int, int], Numbers]]:
        """Take in what flows to some cells of a square (numbered row by row in the model); gives the cells just beyond
        it that flow there, by their squares."""
        window = self._window(square)
        around = Window(
            max(0, window.top - 1), max(0, window.left - 1),
            min(self._grid.height, window.bottom + 1), min(self._grid.width, window.right + 1),
        )  # fmt: skip
        known = self._known.setdefault(square, np.zeros(window.shape, dtype=bool))
        rows, columns = np.divmod(np.unique(cells), self._grid.width)
        fresh = ~known[rows - window.top, columns - window.left]
        if not fresh.any():
            return
        starts = (rows[fresh] - around.top) * around.shape[1] + columns[fresh] - around.left
        rows, columns = np.divmod(_above(self._read(around), starts), around.shape[1])
        rows, columns = rows + around.top, columns + around.left
        here = (rows >= window.top) & (rows < window.bottom) & (columns >= window.left) & (columns < window.right)
        known[rows[here] - window.top, columns[here] - window.left] = True
        rows, columns = rows[~here], columns[~here]
        beyond = rows // _SQUARE, columns // _SQUARE
        for onward in set(zip(*(each.tolist() for each in beyond), strict=True)):
            of = (beyond[0] == onward[0]) & (beyond[1] == onward[1])
            yield onward, rows[of] * self._grid.width + columns[of]

    def together(self) -> tuple[Window, Truths]:
        """The window of all that is known with a cell more on each side, as far as there is one, and what is in it."""
        held = [self._window(square) for square in self._known]
        top, left = min(each.top for each in held), min(each.left for each in held)
        inside = np.zeros((max(each.bottom for each in held) - top, max(each.right for each in held) - left), bool)
        for window, known in zip(held, self._known.values(), strict=True):
            inside[window.top - top : window.bottom - top, window.left - left : window.right - left] = known
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        tight = Window(top + int(rows[0]), left + int(columns[0]), top + int(rows[-1]) + 1, left + int(columns[-1]) + 1)
        found = Window(
            max(0, tight.top - 1), max(0, tight.left - 1),
            min(self._grid.height, tight.bottom + 1), min(self._grid.width, tight.right + 1),
        )  # fmt: skip
        placed = np.zeros(found.shape, dtype=bool)
        placed[tight.top - found.top : tight.bottom - found.top, tight.left - found.left : tight.right - found.left] = (
            inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        )
        return found, placed

    def _window(self, square: tuple[int, int]) -> Window:
        top, left = square[0] * _SQUARE, square[1] * _SQUARE
        return Window(top, left, min(self._grid.height, top + _SQUARE), min(self._grid.width, left + _SQUARE))


def _above(directions: Directions, starts: Numbers) -> Numbers:
    """The cells that flow to some cells, themselves included, as far as the array goes."""
    if directions.size == 1:
        return starts
    down = pyflwdir.from_array(directions, ftype="d8", check_ftype=False).idxs_ds
    down[starts] = starts  # cut apart, so that the library meets no cell twice where one start lies above another
    return np.asarray(core.idxs_seq(down, starts.astype(down.dtype)), dtype=np.int64)


def _reaches_edge(directions: Directions, inside: Truths, row: int, column: int, window: Window) -> bool:
    """Whether a cell of a basin, other than its outlet, has a neighbour without height or beyond the model. The window
    has a cell more than the basin on each side, as far as the model goes."""
    edge = rim(directions != UNKNOWN) & inside
    edge[row - window.top, column - window.left] = False
    return bool(edge.any())


def outline(inside: Truths, grid: Grid) -> Any:
    """The surface of some cells (EPSG:4490), as a MultiPolygon along their edges."""
    found = shapes(inside.astype(np.uint8), mask=inside, connectivity=4, transform=grid.transform)
    return shapely.MultiPolygon([shapely.geometry.shape(shape) for shape, _ in found])


def ground(basin: Basin, grid: Grid) -> float:
    """m² of a basin on the ellipsoid."""
    return float(basin.inside.sum(axis=1) @ grid.part(basin.window).cell_areas())


def snap(
    areas: Heights, chosen: Truths, part: Grid, lon: float, lat: float, metres: float
) -> tuple[int, int, float] | None:
    """The chosen cell that a point means: the nearest or, where others are no farther than that and a cell's diagonal,
    the one of them with the most ground upstream. Its row and column in the part, and how far it is (m).

    None where none is near enough. A point that lies in the cell is 0 m off.
    """
    rows, columns = np.nonzero(chosen)
    if not len(rows):
        return None
    east, north = part.middle(rows, columns)
    away = GEOD.inv(np.full(len(rows), lon), np.full(len(rows), lat), east, north)[2]
    own = part.cell(lon, lat)
    if own is not None:
        away[(rows == own[0]) & (columns == own[1])] = 0
    diagonal = GEOD.inv(lon, lat, lon + part.step_x, lat - part.step_y)[2]
    near = np.flatnonzero(away <= min(metres, away.min() + diagonal))
    if not len(near):
        return None
    found = near[np.lexsort((away[near], -areas[rows[near], columns[near]]))[0]]
    return int(rows[found]), int(columns[found]), float(away[found])


def window_around(grid: Grid, row: int, column: int, metres: float) -> Window:
    """The window that holds all cells whose middles are no farther from a point in a cell than so many metres."""
    lat = grid.north - (row + 0.5) * grid.step_y
    south = GEOD.inv(0, lat, 0, lat - grid.step_y)[2]
    east = GEOD.inv(0, lat, grid.step_x, lat)[2]
    return grid.around(row, column, math.ceil(metres / south) + 1, math.ceil(metres / east * 1.01) + 1)
