"""Ground that is made for tests, what is derived of it, and a descent cell by cell to hold that against.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pyproj import Geod

from shikong.hydrology.terrain import flow
from shikong.hydrology.terrain.flow import Derived, River
from shikong.hydrology.terrain.grid import UNKNOWN, Grid

GEOD = Geod(a=6378137.0, rf=298.257222101)
STEP = 0.001
MOVES = {1: (0, 1), 2: (1, 1), 4: (1, 0), 8: (1, -1), 16: (0, -1), 32: (-1, -1), 64: (-1, 0), 128: (-1, 1)}


def grid_of(heights: Any) -> Grid:
    return Grid(115.5, 36.5, STEP, STEP, *heights.shape)


def reader(values: Any) -> Any:
    """What reads windows of an array, as rasters are read."""
    return lambda window: np.ascontiguousarray(values[window.slices])


def derived(heights: Any, *rivers: River, drain: float = 1e5) -> tuple[Grid, Derived]:
    grid = grid_of(heights)
    return grid, flow.derive(grid, heights.astype("float32"), rivers, drain)


def descent(directions: Any, row: int, column: int) -> list[tuple[int, int]]:
    """The cells that water passes, step by step."""
    path = [(row, column)]
    while directions[path[-1]] in MOVES:
        down, right = MOVES[int(directions[path[-1]])]
        path.append((path[-1][0] + down, path[-1][1] + right))
        assert len(path) <= directions.size, "water runs in a circle"
    return path


def descents(directions: Any) -> dict[tuple[int, int], list[tuple[int, int]]]:
    return {
        (row, column): descent(directions, row, column) for row, column in np.argwhere(directions != UNKNOWN).tolist()
    }


def rough(size: int, seed: int = 3) -> Any:
    """Ground with hills, valleys and hollows (m), lower to the south."""
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(0, 6, size), np.linspace(0, 6, size))
    hills = sum(
        rng.normal() * np.sin(rng.uniform(0.5, 3) * across + rng.uniform(0, 6)) * np.cos(rng.uniform(0.5, 3) * down)
        for _ in range(12)
    )
    return (200 + 20 * hills - 12 * down + rng.normal(0, 0.3, (size, size))).astype("float32")


def plain(size: int = 60) -> Any:
    """A plain that falls a little to the east, with a dyke across."""
    heights = np.tile(np.linspace(30, 24, size), (size, 1)).astype("float32")
    heights[:, size // 2] += 8
    return heights


def middle(row: float, column: float) -> tuple[float, float]:
    return 115.5 + (column + 0.5) * STEP, 36.5 - (row + 0.5) * STEP
