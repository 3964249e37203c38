"""Where does water go from here, and from where does it come along the streams?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyflwdir
import shapely
from pyflwdir import core

from shikong.hydrology.terrain import streams
from shikong.hydrology.terrain.grid import GEOD, Directions, Floats, Grid, Numbers, Truths, Window
from shikong.hydrology.terrain.streams import Network, Stream

#: Cells on each side of a window in which a path is followed.
_REACH = 256


#: The library's compiled functions take a transform in this form only.
_UNIT = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def follow(down: Any, start: int) -> Numbers:
    """The cells from one on, along the library's numbers of the next cells, to where the flow ends."""
    return np.asarray(core.path(np.array([start]), down, transform=_UNIT)[0][0], dtype=np.int64)


@dataclass(frozen=True)
class Path:
    """A path along the flow. rows, columns: of its cells, from its start on. distances: m from there. leaves: whether
    it goes on to where the model ends, and not only as far as was asked for."""

    rows: Numbers
    columns: Numbers
    distances: Floats
    leaves: bool

    @property
    def length(self) -> float:
        """Metres."""
        return float(self.distances[-1])

    def line(self, grid: Grid) -> Any:
        """The path through cells' middles (EPSG:4490); a point where it is one cell."""
        points = np.column_stack(grid.middle(self.rows, self.columns))
        return shapely.LineString(points) if len(points) > 1 else shapely.Point(points[0])


def downstream(
    read: Callable[[Window], Directions], grid: Grid, row: int, column: int, metres: float | None = None
) -> Path:
    """The way of water from a cell to where it leaves the model, or for so many metres.

    read: the directions of a window.
    """
    rows, columns = [np.array([row])], [np.array([column])]
    length = 0.0
    while True:
        window = grid.around(int(rows[-1][-1]), int(columns[-1][-1]), _REACH, _REACH)
        directions = read(window)
        here = (int(rows[-1][-1]) - window.top) * window.shape[1] + int(columns[-1][-1]) - window.left
        flow = pyflwdir.from_array(directions, ftype="d8", check_ftype=False)
        path = follow(flow.idxs_ds, here)
        more_rows, more_columns = np.divmod(path[1:], window.shape[1])
        if not len(path[1:]):
            break
        rows.append(more_rows + window.top)
        columns.append(more_columns + window.left)
        length += float(grid.steps(rows[-1], directions.ravel()[path[:-1]]).sum())
        if metres is not None and length > metres:
            break
    return _measured(read, grid, np.concatenate(rows), np.concatenate(columns), metres)


def _measured(
    read: Callable[[Window], Directions], grid: Grid, rows: Numbers, columns: Numbers, metres: float | None
) -> Path:
    lon, lat = grid.middle(rows, columns)
    distances = np.concatenate([[0.0], np.cumsum(GEOD.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2])])
    kept = len(rows) if metres is None else max(1, int(np.searchsorted(distances, metres, side="right")))
    last = Window(int(rows[kept - 1]), int(columns[kept - 1]), int(rows[kept - 1]) + 1, int(columns[kept - 1]) + 1)
    leaves = bool(kept == len(rows) and read(last)[0, 0] == 0)
    return Path(rows[:kept], columns[:kept], distances[:kept], leaves)


@dataclass(frozen=True)
class Above:
    """What lies upstream of a place on a stream. stem: positions in the network from there upstream along the stream
    with the most ground above it. length: m of the stem. to_head: whether it goes to its head, and not only as far as
    was asked for. stretches: of it and of all that flows into it."""

    stem: Numbers
    length: float
    to_head: bool
    stretches: list[Stream]


def upstream(whole: Network, position: int, metres: float | None = None) -> Above:
    """The streams upstream of a position in a network, for so many metres along the flow."""
    reach = np.inf if metres is None else metres
    above = whole.upstream(position) & (whole.to_end - whole.to_end[position] <= reach)
    stem = main_stem(whole, position, above)
    to_head = not (whole.flow.idxs_ds == stem[-1]).nonzero()[0].size
    part = whole.only(above)
    length = float(whole.to_end[stem[-1]] - whole.to_end[position])
    return Above(stem, length, to_head, [] if part is None else streams.streams(part))


def main_stem(whole: Network, position: int, among: Truths) -> Numbers:
    """The way upstream from a position along the stream with the most ground above it, as far as it is among others."""
    largest = whole.flow.main_upstream(uparea=whole.areas)
    stem = [position]
    while (onward := int(largest[stem[-1]])) >= 0 and among[onward]:
        stem.append(onward)
    return np.array(stem)
