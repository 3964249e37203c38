"""Taking refused rows in after all: as they were mended in quarantine, or from an exported file that was mended.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import shapely
from psycopg import Connection

from shikong.ingest import features
from shikong.ingest.errors import IngestError
from shikong.ingest.features import Options, Progress
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource, object_array
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.store import locks, quarantine
from shikong.store.errors import NoSuchRelease
from shikong.store.quarantine import Quarantined

#: The column by which rows of an exported file are known again.
ID_COLUMN = "quarantine_id"


def resubmit(
    conn: Connection[Any],
    catalog: Catalog,
    release: int,
    progress: Progress,
    *,
    mended: FeatureSource | None = None,
    only: int | None = None,
    crs: str | None = None,
) -> Report:
    """Load the open rows that a release refused, through the same checks, beside what is there.

    A load of the layer that is under way is waited for.
    mended: the rows as an exported file has them now; crs: that file's, where it does not say it; only: one row.
    What is refused again stands in quarantine under the new release.
    Raises IngestError, NoSuchRelease, and then nothing has changed.
    """
    found = conn.execute("SELECT layer, origin, valid_from FROM shikong.release WHERE id = %s", (release,)).fetchone()
    if found is None:
        raise NoSuchRelease(f"there is no release {release}; see `shikong releases`")
    layer = catalog.layer(found[0])
    options = Options(crs=crs, origin=found[1], valid_from=found[2], mode="update", kind="correction")
    with locks.loading(conn, layer.id), conn.transaction():
        rows = list(quarantine.rows(conn, release=release, state="open", identifier=only))
        if not rows:
            raise IngestError(f"no open row of release {release} is in quarantine; see `shikong quarantine list`")
        given, source = _given(rows, release, mended)
        name = Path(f"quarantine of release {release}")
        report = features.load(conn, catalog, layer, name, _only(source, given), options, progress)
        quarantine.resolve(conn, sorted(given), "resubmitted", release=report.release)
    return report


def _given(rows: list[Quarantined], release: int, mended: FeatureSource | None) -> tuple[set[int], FeatureSource]:
    """The numbers of the rows to load and where they are read from. Raises IngestError when the file has none."""
    source = _source(rows) if mended is None else mended
    given = {row.id for row in rows}
    if mended is not None:
        given &= _ids(mended)
        if not given:
            raise IngestError(
                f"no row of the file is an open one of release {release}: is the column {ID_COLUMN} there?"
            )
    return given, source


def _source(rows: list[Quarantined]) -> FeatureSource:
    """Rows of quarantine as a source of features in EPSG:4490."""
    names = list(dict.fromkeys(name for row in rows for name in row.record))

    def batches() -> Iterator[Batch]:
        for start in range(0, len(rows), BATCH_ROWS):
            part = rows[start : start + BATCH_ROWS]
            frame = pd.DataFrame([row.record | {ID_COLUMN: row.id} for row in part], columns=[*names, ID_COLUMN])
            shapes = [None if row.geom is None else shapely.from_wkb(row.geom) for row in part]
            yield Batch(start + 1, frame, object_array(shapes))

    return FeatureSource("quarantine", "EPSG:4490", [*names, ID_COLUMN], len(rows), batches)


def _ids(source: FeatureSource) -> set[int]:
    if ID_COLUMN not in source.fields:
        return set()
    numbers = pd.concat([pd.to_numeric(batch.columns[ID_COLUMN], errors="coerce") for batch in source.batches()])
    return {int(number) for number in numbers.dropna()}


def _only(source: FeatureSource, wanted: set[int]) -> FeatureSource:
    """The rows with these numbers."""

    def batches() -> Iterator[Batch]:
        row = 1
        for batch in source.batches():
            keep = pd.to_numeric(batch.columns[ID_COLUMN], errors="coerce").isin(wanted).to_numpy(dtype=bool)
            if keep.any():
                frame = batch.columns[keep].drop(columns=ID_COLUMN).reset_index(drop=True)
                yield Batch(row, frame, batch.geometry[keep])
                row += len(frame)

    fields = [name for name in source.fields if name != ID_COLUMN]
    return replace(source, fields=fields, total=len(wanted), batches=batches)
