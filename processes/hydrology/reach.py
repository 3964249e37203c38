"""How high does water stand along a drain, when its level is known at one place?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shikong.hydrology.terrain import basins, flow, hand, streams, trace
from shikong.hydrology.terrain.grid import GEOD, Directions, Heights, Numbers, Window
from shikong.hydrology.terrain.hand import Flood
from shikong.processes.base import BadInput
from shikong.processes.hydrology import spots
from shikong.processes.hydrology.model import Model

#: Cells on each side of a reach that are looked at first.
_BESIDE = 64


@dataclass(frozen=True)
class Reach:
    """A stretch of drain around a place. cells: numbered row by row, from its upper to its lower end. at: the position
    of the place among them. beds: metres, of each. line: drawn downstream (EPSG:4490). length: m. moved: m from the
    place that was given to its cell. window: around it."""

    cells: Numbers
    at: int
    beds: Heights
    line: Any
    length: float
    moved: float
    window: Window

    @property
    def bed(self) -> float:
        """The drain's bed at the place (m)."""
        return float(self.beds[self.at])


def reach(model: Model, lon: float, lat: float, snap_m: float, metres: float) -> Reach:
    """The drain that is nearest to a place, for so many metres up and down from there. Raises BadInput, NoStream."""
    cell = spots.cell_of(model, lon, lat)
    near = basins.window_around(model.grid, *cell, snap_m)
    found = basins.snap(model.areas(near), model.drains(near) != flow.NO_DRAIN, model.grid.part(near), lon, lat, snap_m)
    if found is None:
        raise BadInput("snap_m", f"no drain lies within {snap_m:g} m of ({lon:g}, {lat:g}); ask farther around")
    whole = model.grid.whole
    drains = streams.network(
        model.grid, model.directions(whole), model.areas(whole), model.drains(whole) != flow.NO_DRAIN
    )
    position = drains.at(found[0] + near.top, found[1] + near.left)
    assert position is not None
    here = drains.to_end[position]
    above = trace.main_stem(drains, position, drains.to_end - here <= metres)
    below = trace.follow(drains.flow.idxs_ds, position)
    below = below[here - drains.to_end[below] <= metres]
    positions = np.concatenate([above[::-1], below[1:]])
    cells = drains.cells[positions]
    window = _window(model, cells)
    line = drains.line(positions) if len(positions) > 1 else None
    length = float(GEOD.geometry_length(line)) if line is not None else 0.0
    return Reach(cells, len(above) - 1, _beds(model, cells, window), line, length, found[2], window)


def _window(model: Model, cells: Numbers) -> Window:
    rows, columns = np.divmod(cells, model.grid.width)
    return Window(
        max(0, int(rows.min()) - _BESIDE), max(0, int(columns.min()) - _BESIDE),
        min(model.grid.height, int(rows.max()) + _BESIDE + 1), min(model.grid.width, int(columns.max()) + _BESIDE + 1),
    )  # fmt: skip


def _beds(model: Model, cells: Numbers, window: Window) -> Heights:
    """The ground less what it stands above its drain, which for a drain is its own bed."""
    rows, columns = np.divmod(cells, model.grid.width)
    at = rows - window.top, columns - window.left
    return np.asarray(model.heights(window)[at] - model.above(window)[at])


def flood(model: Model, found: Reach, above_bed: float) -> Flood:
    """What water floods that stands so many metres above the drain's bed along a reach."""

    def read(window: Window) -> tuple[Directions, Heights]:
        return model.directions(window), model.heights(window)

    surface = (found.beds + np.float32(above_bed)).astype(np.float32)
    return hand.along(read, model.grid, found.cells, surface, found.window)
