"""Rows whose key an earlier row of the same source has.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from shikong.ingest.quality.findings import Finding
from shikong.layers.model import Layer


class Keys:
    """The keys of a load's good rows; versions of one feature differ in `valid_from`."""

    def __init__(self) -> None:
        self._parts: list[pa.RecordBatch] = []

    def add(self, keys: pa.RecordBatch) -> None:
        """Take some more, as `keys_of` gives them, in the source's order."""
        self._parts.append(keys)

    def repeated(self) -> list[int]:
        """Numbers in the source of the rows whose key has come before."""
        if not self._parts:
            return []
        keys = pa.Table.from_batches(self._parts).to_pandas()
        return [int(row) for row in keys.loc[keys.duplicated(list(keys.columns[1:])), "_source_row"]]


def keys_of(layer: Layer, rows: pa.RecordBatch) -> pa.RecordBatch:
    """What tells rows in the columns of staging apart, after their numbers in the source."""
    return rows.select(["_source_row", layer.key_field, *(["valid_from"] if layer.versioned else [])])


def findings(layer: Layer, rows: Iterator[dict[str, Any]]) -> Iterator[Finding]:
    """What is to be said of rows with repeated keys."""
    for row in rows:
        told = str(row[layer.key_field])
        if layer.versioned:
            told += f", {row['valid_from'].isoformat()}"
        yield Finding(
            row["_source_row"], "unique", layer.key_field, told, key=str(row[layer.key_field]), shape=row["geom"]
        )


def record(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it is kept in quarantine."""
    apart = ("_source_row", "_hash", "geom")
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in row.items()
        if name not in apart
    }
