"""Which shapes of a layer may overlap others: told from their edges alone, without looking at pairs of shapes.

Where surfaces cover a region side by side, each edge is used twice, once in either direction. How many surfaces lie
over a point changes only across edges for which that is not so, the loose ones; so whatever region lies under two
surfaces is bounded by loose edges, and each overlap can be found from the shapes near them. A well-made survey
has few: its rim, and slips. Finding them is one sort of numbers. What is narrower than 0.1 mm is no overlap here.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from shikong.ingest.readers.base import Geometries
from shikong.store.ellipsoid import Rings, rings_of

#: West, south, east, north (degrees); those that are kept are rounded as the edges' ends are.
Boxes = NDArray[np.floating[Any]]

#: An edge: a number that tells it from others, with its direction as the last bit, and its two ends (degrees).
#: Two different edges have the same number with a chance of 1 to 2^63.
_EDGE = np.dtype([("edge", "<u8"), ("ends", "<f4", (4,))])

_DIRECTION = np.uint64(1)

#: Vertices this near to each other (degrees; 0.1 mm) are one: neighbours that were computed apart differ in a digit.
_SAME = 1e-9

#: Parts over which edges are spread by number, so that those of a large layer are compared bit by bit.
_PARTS = 64
_SHIFT = np.uint64(64 - (_PARTS - 1).bit_length())

#: Most cells along each side of the raster that tells what is near (some for each row are enough), and the least size
#: of one, for `ends` are rounded.
_MOST_CELLS = 2048
_CELLS_A_ROW = 64
_LEAST_CELL = 2e-5

#: Rows whose boxes are looked up on it at a time.
_ROWS_AT_A_TIME = 200_000


@dataclass(frozen=True)
class KeptEdges:
    """Edges on disk, sorted by the part that their numbers are in. starts: where in the file each part begins, and
    where the last ends (edges)."""

    rows: NDArray[np.int64]
    boxes: Boxes
    file: Path
    starts: NDArray[np.intp]

    def read(self, part: int) -> NDArray[Any]:
        """The edges of one part."""
        first, end = self.starts[part : part + 2].tolist()
        return np.fromfile(self.file, _EDGE, end - first, offset=first * _EDGE.itemsize)


@dataclass(frozen=True)
class Edges:
    """The edges of some shapes, with the shapes' rows in the source and their boxes (degrees).

    shape: which of the shapes each edge belongs to.
    """

    rows: NDArray[np.int64]
    boxes: Boxes
    edges: NDArray[Any]
    shape: NDArray[np.intp]

    def near_loose(self) -> tuple[Neighbourhood, NDArray[np.bool_]]:
        """The rows near loose edges, and which shapes have one themselves."""
        loose = _loose(self.edges)
        near = Neighbourhood(self.rows, self.boxes)
        near.widen(_boxes_of(self.edges["ends"][loose]))
        own = np.zeros(len(self.rows), bool)
        own[self.shape[loose]] = True
        return near, own

    def keep(self, file: Path) -> KeptEdges:
        """Write the edges to a file."""
        parts = (self.edges["edge"] >> _SHIFT).astype(np.uint8)  # by which numpy sorts without comparing
        whole = self.edges.view(np.dtype((np.void, _EDGE.itemsize)))  # moved at once, not field by field
        whole[np.argsort(parts, kind="stable")].tofile(file)
        starts = np.concatenate([[0], np.cumsum(np.bincount(parts, minlength=_PARTS))])
        return KeptEdges(self.rows, self.boxes.astype(np.float32), file, starts)


def edges_of(shapes: Geometries, rows: NDArray[np.int64], rings: Rings | None = None) -> Edges:
    """The edges of surfaces (EPSG:4490) from these rows of the source. rings: the shapes', where they are at hand."""
    of = rings or rings_of(shapes)
    coordinates, ring = of.coordinates, of.ring
    cells = np.rint(coordinates / _SAME).astype(np.int64).view(np.uint64)
    vertices = _mixed(_mixed(cells[:, 0]) + cells[:, 1])
    starts, ends = vertices[:-1], vertices[1:]
    real = (ring[1:] == ring[:-1]) & (starts != ends)
    edges = np.empty(int(real.sum()), _EDGE)
    numbers = starts + ends  # wraps around, and is the same in both directions
    edges["edge"] = ((numbers & ~_DIRECTION) | (starts < ends))[real]
    edges["ends"][:, :2] = coordinates[:-1][real]
    edges["ends"][:, 2:] = coordinates[1:][real]
    return Edges(rows, shapely.bounds(shapes), edges, of.shape[ring[:-1][real]])


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers spread evenly over all of 64 bits (the finaliser of SplitMix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


class EdgeAccount:
    """The edges of all shapes of a load."""

    def __init__(self) -> None:
        self._kept: list[KeptEdges] = []

    def add(self, kept: KeptEdges) -> None:
        """Take the edges of some more shapes."""
        self._kept.append(kept)

    def near_loose(self) -> Neighbourhood:
        """The rows near loose edges."""
        rows = np.concatenate([np.empty(0, np.int64), *(kept.rows for kept in self._kept)])
        boxes = np.concatenate([np.empty((0, 4), np.float32), *(kept.boxes for kept in self._kept)])
        near = Neighbourhood(rows, boxes)
        near.widen(np.concatenate([_boxes_of(self._loose_ends(part)) for part in range(_PARTS)]))
        return near

    def _loose_ends(self, part: int) -> NDArray[np.float32]:
        edges = np.concatenate([np.empty(0, _EDGE), *(kept.read(part) for kept in self._kept)])
        return np.asarray(edges["ends"][_loose(edges)])


def _loose(edges: NDArray[Any]) -> NDArray[np.intp]:
    """The edges that are not used once in either direction."""
    order = np.argsort(edges["edge"])
    directed = edges["edge"][order]
    numbers = directed & ~_DIRECTION
    first = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]][: len(numbers)])
    count = np.diff(np.r_[first, len(numbers)])
    paired = count == 2
    paired[paired] = directed[first[paired]] != directed[first[paired] + 1]
    return np.asarray(order[np.repeat(~paired, count)])


def _boxes_of(ends: NDArray[np.float32]) -> Boxes:
    """The box of each edge, from its two ends."""
    pairs = ends.astype(float).reshape(-1, 2, 2)
    return np.hstack([pairs.min(axis=1), pairs.max(axis=1)])


class Neighbourhood:
    """The rows whose boxes lie near places that have been marked, on a raster over all rows."""

    def __init__(self, rows: NDArray[np.int64], boxes: Boxes) -> None:
        self._all, self._boxes = rows, boxes
        low = boxes[:, :2].min(axis=0).astype(float) if len(boxes) else np.zeros(2)
        high = boxes[:, 2:].max(axis=0).astype(float) if len(boxes) else np.zeros(2)
        self._along = min(_MOST_CELLS, math.isqrt(_CELLS_A_ROW * len(rows)) + 1)
        self._low, self._cell = low, np.maximum((high - low) / self._along, _LEAST_CELL)
        self._near = np.zeros(len(rows), bool)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows near what has been marked so far."""
        return self._all[self._near]

    @property
    def share(self) -> float:
        """Which part of all rows that is."""
        return float(self._near.mean()) if len(self._near) else 0.0

    def boxes_of(self, rows: Collection[int]) -> Boxes:
        """The boxes of rows."""
        return np.asarray(self._boxes[np.isin(self._all, np.fromiter(rows, np.int64))])

    def widen(self, boxes: Boxes) -> bool:
        """Mark boxes; whether that brought rows in that were not near before."""
        if not len(boxes):
            return False
        marked = np.zeros((self._along + 4, self._along + 4), np.int32)
        left, bottom, right, top = self._cells(boxes, margin=1)
        for x, y, step in ((left, bottom, 1), (right + 1, bottom, -1), (left, top + 1, -1), (right + 1, top + 1, 1)):
            marked += step * np.bincount(x * marked.shape[1] + y, minlength=marked.size).reshape(marked.shape)
        for axis in (0, 1):
            np.cumsum(marked, axis=axis, out=marked)
        covered = marked > 0
        sums = np.pad(covered.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32), ((1, 0), (1, 0)))
        wider = self._near.copy()
        for start in range(0, len(wider), _ROWS_AT_A_TIME):
            part = slice(start, start + _ROWS_AT_A_TIME)
            left, bottom, right, top = self._cells(self._boxes[part], margin=0)
            number = sums[right + 1, top + 1] - sums[left, top + 1] - sums[right + 1, bottom] + sums[left, bottom]
            wider[part] |= number > 0
        grown = bool((wider & ~self._near).any())
        self._near = wider
        return grown

    def _cells(self, boxes: Boxes, margin: int) -> tuple[Any, Any, Any, Any]:
        """First and last column and row of the raster that each box touches."""
        low = np.floor((boxes[:, :2] - self._low) / self._cell).astype(np.intp) + 1 - margin
        high = np.floor((boxes[:, 2:] - self._low) / self._cell).astype(np.intp) + 1 + margin
        last = self._along + 2
        low, high = np.clip(low, 0, last), np.clip(high, 0, last)
        return low[:, 0], low[:, 1], high[:, 0], high[:, 1]
