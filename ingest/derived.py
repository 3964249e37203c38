"""Features that the service itself works out from other layers, published as a release like any delivery.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from psycopg import Connection, Rollback, sql

from shikong.ingest import ends, features
from shikong.ingest.features import Options
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource, Geometries
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import tables


def publish(
    conn: Connection[Any], catalog: Catalog, layer: Layer, name: str, options: Options, rows: pd.DataFrame,
    shapes: Geometries,
) -> int | None:  # fmt: skip
    """Publish rows in the layer's fields with their shapes (EPSG:4490): in mode `replace` in place of all that is
    there, in mode `update` beside it, ending `options.ending`.

    name: what the release is told to come from. Runs in a transaction of the caller's. Returns the release, or None
    where nothing differs. Raises IngestError.
    """
    if not len(rows):
        return _ended(conn, layer, name, options)

    def batches() -> Iterator[Batch]:
        for start in range(0, len(rows), BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            yield Batch(start + 1, rows.iloc[part].reset_index(drop=True), shapes[part])

    source = FeatureSource(name, f"EPSG:{tables.SRID}", list(rows.columns), len(rows), batches)
    with conn.transaction() as attempt:
        report = features.load(conn, catalog, layer, Path(name), source, options, _silent)
        done = report.counts
        if done.added + done.changed + done.ended == 0:
            raise Rollback(attempt)
        return report.release
    return None


def _ended(conn: Connection[Any], layer: Layer, name: str, options: Options) -> int | None:
    """End what no rows are left of; the release, or None where there is nothing."""
    ending = options.ending
    if options.mode == "replace":
        query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(layer.key_field), tables.table(layer))
        ending = tuple(key for (key,) in conn.execute(query))
    return ends.end(conn, layer, ending, name, options)[0] if ending else None


def _silent(done: int, total: int | None) -> None:
    """Nobody waits for this step by itself."""
