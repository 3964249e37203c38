"""Rows on their way into a table: kept on disk, a file for each batch, and given back along the Hilbert curve.

What lies near on the map then lies near in the table, which map windows and tiles live from, and nothing has to
be sorted by the database. Memory holds one of the curve's stretches at a time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: The curve is cut into this many stretches (a power of two).
_STRETCHES = 128
_SHIFT = 32 - (_STRETCHES - 1).bit_length()

_PLACE, _BOX = "_place", "_box"


@dataclass(frozen=True)
class KeptRows:
    """Rows of one batch in a file. stretches: of those of the curve that have rows, in order, how many."""

    file: Path
    stretches: Mapping[int, int]

    def read(self, stretch: int) -> pa.RecordBatch:
        """The rows of one of the stretches, mapped from the file."""
        with pa.memory_map(str(self.file)) as file, pa.ipc.open_file(file) as reader:
            return reader.get_batch(list(self.stretches).index(stretch))


def keep(rows: pa.RecordBatch, places: NDArray[np.uint32], boxes: NDArray[np.float64], file: Path) -> KeptRows:
    """Write rows to a file.

    places: where each lies on the curve, of the curve's 2^32 places. boxes: west, south, east and north of each.
    """
    order = np.argsort(places, kind="stable")
    boxed = pa.FixedSizeListArray.from_arrays(np.ascontiguousarray(boxes).ravel(), 4)
    sorted_rows = rows.append_column(_PLACE, pa.array(places)).append_column(_BOX, boxed).take(pa.array(order))
    stretches, counts = np.unique(places >> _SHIFT, return_counts=True)
    starts = np.cumsum(counts) - counts
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, sorted_rows.schema) as writer:
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            writer.write_batch(sorted_rows.slice(start, count))
    return KeptRows(file, dict(zip(stretches.tolist(), counts.tolist(), strict=True)))


class OrderedRows:
    """All rows of a load, with the same columns, among them `_source_row`."""

    def __init__(self) -> None:
        self._kept: list[KeptRows] = []
        self._left_out: NDArray[np.int64] = np.empty(0, np.int64)

    def __len__(self) -> int:
        return sum(sum(kept.stretches.values()) for kept in self._kept) - len(self._left_out)

    def add(self, kept: KeptRows) -> None:
        """Take some more rows."""
        self._kept.append(kept)

    def leave_out(self, source_rows: Collection[int]) -> None:
        """Give these rows back no more but by `find`."""
        self._left_out = np.union1d(self._left_out, np.fromiter(source_rows, np.int64))

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Along the curve: each stretch with rows, and how many rows lie before it."""
        before = 0
        for stretch in range(_STRETCHES):
            count = sum(kept.stretches.get(stretch, 0) for kept in self._kept)
            if count:
                yield stretch, before
                before += count

    def read(self, stretch: int) -> tuple[pa.Table, NDArray[np.float64]]:
        """The rows of a stretch, in order, and the box of each."""
        rows = self._read(stretch)
        if len(self._left_out):
            rows = rows.filter(pa.array(~self._among(rows, self._left_out)))
        order = np.argsort(rows.column(_PLACE).to_numpy(), kind="stable")
        ordered = rows.take(pa.array(order))
        boxes = ordered.column(_BOX).combine_chunks().flatten().to_numpy().reshape(-1, 4)
        return ordered.drop_columns([_PLACE, _BOX]), boxes

    def find(self, source_rows: Collection[int]) -> Iterator[dict[str, Any]]:
        """Rows by their number in the source, each as column -> value."""
        wanted = np.fromiter(source_rows, np.int64)
        for stretch, _ in self.stretches():
            rows = self._read(stretch)
            yield from rows.filter(pa.array(self._among(rows, wanted))).drop_columns([_PLACE, _BOX]).to_pylist()

    def _read(self, stretch: int) -> pa.Table:
        return pa.Table.from_batches([kept.read(stretch) for kept in self._kept if stretch in kept.stretches])

    @staticmethod
    def _among(rows: pa.Table, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.isin(rows.column("_source_row").to_numpy(), numbers)
