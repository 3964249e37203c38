"""The cells of an elevation model: where they lie, how large they are, how far apart.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Geod

Floats = NDArray[np.float64]
Heights = NDArray[np.float32]
Directions = NDArray[np.uint8]
Truths = NDArray[np.bool_]
Numbers = NDArray[np.int64]

#: The ellipsoid of CGCS2000.
GEOD = Geod(a=6378137.0, rf=298.257222101)
_B2, _E = GEOD.b**2, math.sqrt(GEOD.es)

#: A height that is not known, and the direction of a cell without height (the library's own number).
NODATA, UNKNOWN = -9999.0, 247


@dataclass(frozen=True)
class Window:
    """Rows from top to bottom and columns from left to right, the last ones not included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts it out of an array of the whole model."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True)
class Grid:
    """Cells in degrees of EPSG:4490 (x = longitude), the first row in the north. step_x, step_y: a cell's size."""

    west: float
    north: float
    step_x: float
    step_y: float
    height: int
    width: int

    @classmethod
    def of(cls, transform: Any, height: int, width: int) -> Grid:
        """The grid of an affine transform that is not rotated and goes south."""
        return cls(transform.c, transform.f, transform.a, -transform.e, height, width)

    @property
    def transform(self) -> Affine:
        """From column and row to degrees."""
        return Affine(self.step_x, 0.0, self.west, 0.0, -self.step_y, self.north)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def whole(self) -> Window:
        """All cells."""
        return Window(0, 0, self.height, self.width)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        return (
            self.west, self.north - self.height * self.step_y, self.west + self.width * self.step_x, self.north,
        )  # fmt: skip

    def cell(self, lon: float, lat: float) -> tuple[int, int] | None:
        """Row and column of the cell that holds a point; None outside."""
        row, column = math.floor((self.north - lat) / self.step_y), math.floor((lon - self.west) / self.step_x)
        return (row, column) if 0 <= row < self.height and 0 <= column < self.width else None

    def middle(self, rows: Any, columns: Any) -> tuple[Any, Any]:
        """Longitude and latitude of the middles of cells."""
        return self.west + (np.asarray(columns) + 0.5) * self.step_x, self.north - (
            np.asarray(rows) + 0.5
        ) * self.step_y

    def part(self, window: Window) -> Grid:
        """The grid of a window."""
        west, north = self.west + window.left * self.step_x, self.north - window.top * self.step_y
        return Grid(west, north, self.step_x, self.step_y, *window.shape)

    def around(self, row: int, column: int, rows: int, columns: int) -> Window:
        """The window of so many rows and columns on each side of a cell, as far as there are any."""
        return Window(
            max(0, row - rows), max(0, column - columns),
            min(self.height, row + rows + 1), min(self.width, column + columns + 1),
        )  # fmt: skip

    def over(self, west: float, south: float, east: float, north: float) -> Window | None:
        """The window of all cells that a box touches; None where there are none."""
        top, bottom = math.floor((self.north - north) / self.step_y), math.ceil((self.north - south) / self.step_y)
        left, right = math.floor((west - self.west) / self.step_x), math.ceil((east - self.west) / self.step_x)
        found = Window(max(0, top), max(0, left), min(self.height, bottom), min(self.width, right))
        return found if found.top < found.bottom and found.left < found.right else None

    def wider(self, window: Window, inside: Truths) -> Window:
        """A window that goes on, as far again as it reaches, on each side that cells of it touch.

        inside: which cells of the window. The same window where they touch none, or no more than the model's border.
        """
        rows, columns = window.shape
        return Window(
            max(0, window.top - rows) if inside[0].any() else window.top,
            max(0, window.left - columns) if inside[:, 0].any() else window.left,
            min(self.height, window.bottom + rows) if inside[-1].any() else window.bottom,
            min(self.width, window.right + columns) if inside[:, -1].any() else window.right,
        )

    def cell_areas(self) -> Floats:
        """m² on the ellipsoid of a cell of each row: the zone between two parallels, cut by meridians."""
        edges = np.radians(self.north - np.arange(self.height + 1) * self.step_y)
        sine = np.sin(edges)
        zones = sine / (1 - (_E * sine) ** 2) + np.arctanh(_E * sine) / _E
        return np.asarray(_B2 / 2 * math.radians(self.step_x) * (zones[:-1] - zones[1:]))

    def steps(self, rows: Any, directions: Any) -> Floats:
        """Metres from the middles of cells to those that they flow to; 0 where they flow nowhere.

        rows, directions: of the cells, in arrays of one shape.
        """
        return np.asarray(self._step_table()[rows, _KIND[directions]])

    def _step_table(self) -> Floats:
        """For each row: nothing, a step east, a step south, a step aslant."""
        lat = self.north - (np.arange(self.height) + 0.5) * self.step_y
        lon, east, south = np.zeros(self.height), np.full(self.height, self.step_x), lat - self.step_y
        table = np.zeros((self.height, 4))
        for number, (to_lon, to_lat) in enumerate(((east, lat), (lon, south), (east, south)), 1):
            table[:, number] = GEOD.inv(lon, lat, to_lon, to_lat)[2]
        return table


def rim(known: Truths) -> Truths:
    """The known cells that lie at the border of the array or have a neighbour, also aslant, that is not known."""
    unknown = ~known
    beside = unknown.copy()
    beside[:, 1:] |= unknown[:, :-1]
    beside[:, :-1] |= unknown[:, 1:]
    near = beside.copy()
    near[1:] |= beside[:-1]
    near[:-1] |= beside[1:]
    near[[0, -1]] = near[:, [0, -1]] = True
    return np.asarray(near & known)


def _kinds() -> Numbers:
    """For each D8 number: 0 none, 1 east or west, 2 north or south, 3 aslant."""
    kinds = np.zeros(256, dtype=np.int64)
    kinds[[1, 16]], kinds[[4, 64]], kinds[[2, 8, 32, 128]] = 1, 2, 3
    return kinds


_KIND = _kinds()


def down_of(cells: Numbers, directions: Any, width: int) -> Numbers:
    """The cells that cells flow to, by numbers that count the cells row by row; themselves where the flow ends."""
    return np.asarray(cells + _ROWS[directions] * width + _COLUMNS[directions])


def _moves() -> tuple[Numbers, Numbers]:
    rows, columns = np.zeros(256, dtype=np.int64), np.zeros(256, dtype=np.int64)
    for number, row, column in ((1, 0, 1), (2, 1, 1), (4, 1, 0), (8, 1, -1), (16, 0, -1), (32, -1, -1), (64, -1, 0),
                                (128, -1, 1)):  # fmt: skip
        rows[number], columns[number] = row, column
    return rows, columns


_ROWS, _COLUMNS = _moves()
