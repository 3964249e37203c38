"""Features that the service itself works out from other layers, published as a release like any delivery.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from psycopg import Connection

from shikong.ingest import ends, features
from shikong.ingest.features import Options
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource, Geometries
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import tables


def publish(
    conn: Connection[Any], catalog: Catalog, layer: Layer, name: str, options: Options, rows: pd.DataFrame,
    shapes: Geometries,
) -> tuple[int, bool]:  # fmt: skip
    """Publish rows in the layer's fields with their shapes (EPSG:4490), and end `options.ending`.

    name: what the release is told to come from. Runs in a transaction of the caller's, who undoes it where nothing has
    changed. Returns the release, and whether anything has. Raises IngestError.
    """
    if not len(rows):
        return ends.end(conn, layer, options.ending, name, options)[0], True

    def batches() -> Iterator[Batch]:
        for start in range(0, len(rows), BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            yield Batch(start + 1, rows.iloc[part].reset_index(drop=True), shapes[part])

    source = FeatureSource(name, f"EPSG:{tables.SRID}", list(rows.columns), len(rows), batches)
    report = features.load(conn, catalog, layer, Path(name), source, options, _silent)
    done = report.counts
    return report.release, done.added + done.changed + done.ended > 0


def _silent(done: int, total: int | None) -> None:
    """Nobody waits for this step by itself."""
