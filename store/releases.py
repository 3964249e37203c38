"""The ledger of releases: what was loaded into which layer, when, by whom, from where.

A release's number is the recorded clock: within a layer a later release has a larger number and a later
`published_at`, because a load holds the layer's lock (store/locks.py) from its start to its end.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import tables
from shikong.store.principal import current_principal

Kind = Literal["load", "rollback", "correction"]


@dataclass(frozen=True)
class Source:
    """Where a release's data came from.

    valid_from: since when it holds, where its rows do not say it themselves.
    restores: the release whose state a rollback brings back.
    """

    name: str
    sha256: str | None
    crs: str | None
    datum_note: str | None
    origin: Literal["delivered", "generated"]
    kind: Kind = "load"
    valid_from: datetime | None = None
    restores: int | None = None


@dataclass(frozen=True)
class Counts:
    """What a release did. `current` is the number of rows that hold afterwards."""

    read: int
    stored: int
    quarantined: int
    added: int = 0
    changed: int = 0
    ended: int = 0
    unchanged: int = 0
    current: int | None = None


@dataclass(frozen=True)
class Extent:
    """Where (EPSG:4490 degrees: west, south, east, north) and when a layer has data."""

    bbox: tuple[float, float, float, float] | None
    time_from: datetime | None = None
    time_to: datetime | None = None


def next_release(conn: Connection[Any], layer: Layer, source: Source, counts: Counts, place: str | None = None) -> int:
    """Register a release; its counts and extent are completed by `finish`."""
    row = conn.execute(
        "INSERT INTO shikong.release (layer, source, source_sha256, source_crs, datum_note, origin, principal, place,"
        " kind, valid_from, restores,"
        " rows_read, rows_stored, rows_quarantined, added, changed, ended, unchanged)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0, 0, 0) RETURNING id",
        (
            layer.id, source.name, source.sha256, source.crs, source.datum_note, source.origin,
            current_principal.get().name, place, source.kind, source.valid_from, source.restores,
            counts.read, counts.stored, counts.quarantined,
        ),
    ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0])


def restoring(conn: Connection[Any], release: int) -> Source:
    """The source of a rollback to a release: that release's own."""
    row = conn.execute(
        "SELECT source, source_sha256, source_crs, datum_note, origin FROM shikong.release WHERE id = %s", (release,)
    ).fetchone()
    assert row is not None
    name, sha256, crs, datum_note, origin = row
    return Source(name, sha256, crs, datum_note, origin, kind="rollback", restores=release)


def finish(conn: Connection[Any], release: int, counts: Counts, extent: Extent) -> None:
    """Complete a release's record, as the last thing before the commit: from `published_at` on it is known."""
    conn.execute(
        "UPDATE shikong.release SET published_at = clock_timestamp(), rows_read = %s, rows_quarantined = %s,"
        " rows_stored = %s, added = %s, changed = %s, ended = %s, unchanged = %s,"
        " current_rows = %s, extent = %s, time_from = %s, time_to = %s WHERE id = %s",
        (
            counts.read, counts.quarantined,
            counts.stored, counts.added, counts.changed, counts.ended, counts.unchanged, counts.current,
            list(extent.bbox) if extent.bbox else None, extent.time_from, extent.time_to, release,
        ),
    )  # fmt: skip


def extent_of(conn: Connection[Any], layer: Layer) -> Extent:
    """Extent of a features layer's present rows."""
    if layer.time and layer.time.start:
        time: sql.Composable = sql.SQL("min({}), max({})").format(
            sql.Identifier(layer.time.start), sql.Identifier(layer.time.end or layer.time.start)
        )
    elif layer.versioned:
        time = sql.SQL(
            "least(min(valid_from), (SELECT min(valid_from) FROM {} WHERE _superseded IS NULL)), NULL::timestamptz"
        ).format(tables.history(layer))
    else:
        time = sql.SQL("NULL::timestamptz, NULL::timestamptz")
    row = conn.execute(
        sql.SQL(
            "SELECT st_xmin(e), st_ymin(e), st_xmax(e), st_ymax(e), f, t"
            " FROM (SELECT st_extent(geom), {} FROM {}) AS x (e, f, t)"
        ).format(time, tables.table(layer))
    ).fetchone()
    assert row is not None
    return Extent(None if row[0] is None else (row[0], row[1], row[2], row[3]), row[4], row[5])
