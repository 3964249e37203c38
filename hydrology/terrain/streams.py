"""The network of streams: which there are, of what order, how long, and what flows into what.

Cells of streams are few among all cells. They are taken out into a network of their own, on which the library works as
it does on grids, so that orders and distances are those of the whole model wherever one looks.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyflwdir import basins as library_basins
from pyflwdir import streams as library
from pyflwdir.flwdir import Flwdir

from shikong.hydrology.terrain.errors import NoStream, TooMany
from shikong.hydrology.terrain.grid import GEOD, Directions, Floats, Grid, Heights, Numbers, Truths, down_of

#: Cells that a network may have.
MOST = 4_000_000


@dataclass(frozen=True)
class Network:
    """Cells of streams in the order of their numbers, which count the model's cells row by row.

    flow: the library's directions from one of them to the next. areas: m² upstream. to_end: m along the flow to where
    the stream ends. orders: after Strahler.
    """

    grid: Grid
    cells: Numbers
    flow: Any
    areas: Heights
    to_end: Floats
    orders: NDArray[np.uint8]

    def at(self, row: int, column: int) -> int | None:
        """The position of a cell in the network; None where it is of no stream."""
        number = row * self.grid.width + column
        position = int(np.searchsorted(self.cells, number))
        return position if position < len(self.cells) and self.cells[position] == number else None

    def line(self, positions: Any) -> Any:
        """The line through cells' middles, in the order of the positions."""
        rows, columns = np.divmod(self.cells[positions], self.grid.width)
        return shapely.LineString(np.column_stack(self.grid.middle(rows, columns)))

    def upstream(self, position: int) -> Truths:
        """Which of its cells' water passes one of them, itself included."""
        at = np.array([position], dtype=self.flow.idxs_ds.dtype)
        return np.asarray(library_basins.basins(self.flow.idxs_ds, at, self.flow.idxs_seq) != 0)

    def only(self, which: Truths) -> Network | None:
        """The network of some of its cells, with areas, distances and orders as they are in the whole; None for less
        than two."""
        kept = np.flatnonzero(which)
        if len(kept) < 2:
            return None
        to = self.flow.idxs_ds[kept]
        down = np.minimum(np.searchsorted(kept, to), len(kept) - 1)
        down = np.where(kept[down] == to, down, np.arange(len(kept))).astype(np.int32)
        return Network(
            self.grid, self.cells[kept], _flow(down), self.areas[kept], self.to_end[kept], self.orders[kept]
        )  # fmt: skip


@dataclass(frozen=True)
class Stream:
    """A stretch of stream between two junctions, or from its head or to its end.

    number, into: the cells where it begins and where it ends; the stretch that begins there goes on. order: after
    Strahler. area: m² upstream of its lower end. length: m. line: drawn downstream (EPSG:4490).
    """

    number: int
    into: int
    order: int
    area: float
    length: float
    line: Any


def network(grid: Grid, directions: Directions, areas: Heights, chosen: Truths) -> Network:
    """The network of the chosen cells of a whole model. Raises NoStream, TooMany."""
    cells = np.flatnonzero(chosen)
    if len(cells) < 2:
        raise NoStream
    if len(cells) > MOST:
        raise TooMany
    going = directions.ravel()[cells]
    to = down_of(cells, going, grid.width)
    down = np.minimum(np.searchsorted(cells, to), len(cells) - 1)
    ends = (cells[down] != to) | (going == 0)
    down = np.where(ends, np.arange(len(cells)), down).astype(np.int32)
    steps = np.where(ends, 0.0, grid.steps(cells // grid.width, going))
    flow = _flow(down)
    to_end = library.accuflux_ds(down, flow.idxs_seq, steps, -9999.0)
    orders = library.strahler_order(down, flow.idxs_seq, mask=None)
    return Network(grid, cells, flow, areas.ravel()[cells], to_end, orders)


def _flow(down: Any) -> Any:
    """The library's directions; it keeps nothing, as what it keeps of one question it would give to another."""
    flow = Flwdir(down, cache=False)
    flow.order_cells(method="walk")
    return flow


def streams(whole: Network) -> list[Stream]:
    """The stretches of a network."""
    down = whole.flow.idxs_ds
    joining = np.bincount(down[down != np.arange(len(down))], minlength=len(down))
    found = []
    for positions in library.streams(down, whole.flow.idxs_seq):
        if positions[0] == positions[-1]:
            continue
        lowest = positions[-2] if joining[positions[-1]] > 1 else positions[-1]
        line = whole.line(positions)
        found.append(
            Stream(
                int(whole.cells[positions[0]]), int(whole.cells[positions[-1]]), int(whole.orders[positions[0]]),
                float(whole.areas[lowest]), float(GEOD.geometry_length(line)), line,
            )
        )  # fmt: skip
    return found
