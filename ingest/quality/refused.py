"""Refused rows of a load, set aside on disk until its release is known, however many there are.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shikong.ingest.convert import Mapping
from shikong.ingest.quality.findings import storable
from shikong.ingest.readers.base import Batch, Geometries


class RefusedRows:
    """Rows with their records in the order in which they came; columns that feed a field have its name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, lines: Sequence[str]) -> None:
        """Set rows aside, as `lines_of` a batch gives them."""
        self._file.writelines(lines)

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any], bytes | None]]:
        """Number in the source, record, WKB."""
        self._file.seek(0)
        for line in self._file:
            number, shape, text = line.rstrip("\n").split("\t", 2)
            # PostgreSQL's JSON has no place for NUL characters; they become the replacement character.
            record = json.loads(text.replace("\\u0000", "\ufffd"))
            yield int(number), record, bytes.fromhex(shape) if shape else None


def lines_of(batch: Batch, refused: NDArray[np.bool_], shapes: Geometries, mapping: Mapping) -> list[str]:
    """The refused rows of a batch, a line each. shapes: all of the batch's geometries in EPSG:4490."""
    if not refused.any():
        return []
    frame = batch.columns[refused]
    names = {source: field for field, source in mapping.columns.items()}
    frame = frame.rename(columns={name: names.get(name) or _aside(str(name), names) for name in frame.columns})
    records = frame.to_json(orient="records", lines=True, force_ascii=False, date_format="iso", default_handler=str)
    wkb = storable(shapes[refused])
    numbers = np.flatnonzero(refused) + batch.first_row
    return [
        f"{number}\t{shape.hex() if shape else ''}\t{record}\n"
        for number, record, shape in zip(numbers.tolist(), records.splitlines() or ["{}"] * len(wkb), wkb, strict=True)
    ]


def _aside(name: str, taken: dict[str, Any]) -> str:
    """A column that feeds no field keeps its name, unless that is another field's."""
    return f"{name}_" if name in taken.values() else name
