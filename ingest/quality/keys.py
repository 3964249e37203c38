"""Rows whose key an earlier row of the same source has.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from shikong.ingest.quality.findings import Finding
from shikong.layers.model import Layer
from shikong.store import tables
from shikong.store.ordered import OrderedRows


@dataclass(frozen=True)
class KeyHashes:
    """Rows by their numbers in the source, and for each a number that is the same wherever the key is the same."""

    rows: NDArray[np.int64]
    hashes: NDArray[np.uint64]


class Keys:
    """The keys of a load's good rows, as hashes: memory holds those of millions."""

    def __init__(self) -> None:
        self._parts: list[KeyHashes] = []

    def add(self, keys: KeyHashes) -> None:
        """Take some more."""
        self._parts.append(keys)

    def repeated(self, layer: Layer, rows: OrderedRows) -> list[int]:
        """Numbers in the source of the rows whose key has come before. rows: all of them."""
        hashes = np.concatenate([np.empty(0, np.uint64), *(part.hashes for part in self._parts)])
        order = np.argsort(hashes, kind="stable")
        same = hashes[order[1:]] == hashes[order[:-1]]
        if not same.any():
            return []
        suspects = order[np.r_[False, same] | np.r_[same, False]]
        numbers = np.concatenate([part.rows for part in self._parts])[suspects].tolist()
        names = ["_source_row", *tables.unique_columns(layer)]
        told = sorted(tuple(row[name] for name in names) for row in rows.find(numbers))
        seen: set[tuple[Any, ...]] = set()
        found = []
        for number, *key in told:
            if tuple(key) in seen:
                found.append(number)
            seen.add(tuple(key))
        return found


def keys_of(layer: Layer, rows: pa.RecordBatch) -> KeyHashes:
    """The keys of rows in the columns of staging."""
    hashes = pd.util.hash_pandas_object(rows.select(tables.unique_columns(layer)).to_pandas(), index=False)
    return KeyHashes(rows.column("_source_row").to_numpy(), np.asarray(hashes, np.uint64))


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
