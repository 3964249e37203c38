"""Rows on their way into a table: kept on disk, and given back along the Hilbert curve.

What lies near on the map then lies near in the table, which map windows and tiles live from, and nothing has to
be sorted by the database. Memory holds one of the curve's stretches at a time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: The curve is cut into this many stretches (a power of two), each a file.
_STRETCHES = 64
_SHIFT = 32 - (_STRETCHES - 1).bit_length()

_PLACE = "_place"


class OrderedRows:
    """Rows with the same columns, among them `_source_row`. A temporary folder, gone when the block ends."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="shikong-rows-")
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        self._counts: Counter[int] = Counter()
        self._left_out: NDArray[np.int64] = np.empty(0, np.int64)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def __len__(self) -> int:
        return self._counts.total() - len(self._left_out)

    def add(self, rows: pa.RecordBatch, places: NDArray[np.uint32]) -> None:
        """Keep rows. places: where each lies on the curve, of the curve's 2^32 places."""
        if not len(places):
            return
        order = np.argsort(places, kind="stable")
        sorted_rows = rows.append_column(_PLACE, pa.array(places)).take(pa.array(order))
        stretches, starts = np.unique(places[order] >> _SHIFT, return_index=True)
        ends = [*starts[1:].tolist(), len(places)]
        for stretch, start, end in zip(stretches.tolist(), starts.tolist(), ends, strict=True):
            writer = self._writers.get(stretch)
            if writer is None:
                writer = self._writers[stretch] = pa.ipc.new_stream(self._file(stretch), sorted_rows.schema)
            writer.write_batch(sorted_rows.slice(start, end - start))
            self._counts[stretch] += end - start

    def close(self) -> None:
        """No more rows will be added; now they can be read."""
        for writer in self._writers.values():
            writer.close()

    def leave_out(self, source_rows: Collection[int]) -> None:
        """Give these rows back no more but by `find`."""
        self._left_out = np.union1d(self._left_out, np.fromiter(source_rows, np.int64))

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Along the curve: each stretch with rows, and how many rows were added before it."""
        before = 0
        for stretch in sorted(self._counts):
            yield stretch, before
            before += self._counts[stretch]

    def read(self, stretch: int) -> pa.Table:
        """The rows of a stretch, in order."""
        rows = self._read(stretch)
        if len(self._left_out):
            rows = rows.filter(pa.array(~self._among(rows, self._left_out)))
        order = np.argsort(rows.column(_PLACE).to_numpy(), kind="stable")
        return rows.take(pa.array(order)).drop_columns([_PLACE])

    def find(self, source_rows: Collection[int]) -> Iterator[dict[str, Any]]:
        """Rows by their number in the source, each as column -> value."""
        wanted = np.fromiter(source_rows, np.int64)
        for stretch, _ in self.stretches():
            rows = self._read(stretch)
            yield from rows.filter(pa.array(self._among(rows, wanted))).drop_columns([_PLACE]).to_pylist()

    def _read(self, stretch: int) -> pa.Table:
        with pa.OSFile(str(self._file(stretch))) as file, pa.ipc.open_stream(file) as reader:
            return reader.read_all()

    def _file(self, stretch: int) -> Path:
        return Path(self._folder.name) / f"{stretch:02}.arrows"

    @staticmethod
    def _among(rows: pa.Table, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.isin(rows.column("_source_row").to_numpy(), numbers)
