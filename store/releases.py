"""The ledger of releases: what was loaded into which layer, when, by whom, from where.

A release's number is the recorded clock: within a layer a later release has a larger number and a later
`published_at`, because a load holds the layer's lock (store/locks.py) from its start to its end.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import rim, tables
from shikong.store.principal import current_principal
from shikong.store.touched import CHANNEL

Box = tuple[float, float, float, float]
Kind = Literal["load", "rollback", "correction", "edit", "live"]

#: For so long one release takes up what comes live.
LIVE_FOR = timedelta(hours=1)


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

    bbox: Box | None
    time_from: datetime | None = None
    time_to: datetime | None = None


@dataclass(frozen=True)
class State:
    """What a release left behind. rows: how many hold, None where that was not counted."""

    rows: int | None
    extent: Extent
    origin: Literal["delivered", "generated"]


def before(conn: Connection[Any], layer: Layer, release: int | None = None) -> State | None:
    """What the layer's last release before one (None: its last) left behind; None before the first."""
    row = conn.execute(
        "SELECT current_rows, extent, time_from, time_to, origin FROM shikong.release"
        " WHERE layer = %s AND (%s::integer IS NULL OR id < %s) ORDER BY id DESC LIMIT 1",
        (layer.id, release, release),
    ).fetchone()
    if row is None:
        return None
    rows, box, time_from, time_to, origin = row
    return State(rows, Extent(None if box is None else (box[0], box[1], box[2], box[3]), time_from, time_to), origin)


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


def open_live(conn: Connection[Any], layer: Layer, source: str) -> int:
    """The release that takes up what comes live from a source: the layer's last one, if it is such and young enough.

    The caller holds the layer's merges (store/locks.py).
    """
    row = conn.execute(
        "SELECT id, kind = 'live' AND source = %s AND published_at > clock_timestamp() - %s"
        " FROM shikong.release WHERE layer = %s ORDER BY id DESC LIMIT 1",
        (source, LIVE_FOR, layer.id),
    ).fetchone()
    if row is not None and row[1]:
        return int(row[0])
    state = before(conn, layer)
    nothing = Counts(0, 0, 0, current=state.rows if state else 0)
    release = next_release(conn, layer, Source(source, None, None, None, "delivered", kind="live"), nothing)
    finish(conn, release, nothing, state.extent if state else Extent(None))
    return release


def add_live(conn: Connection[Any], release: int, counts: Counts, extent: Extent) -> None:
    """Add to an open release what has come; extent: the times that it has values for."""
    conn.execute(
        "UPDATE shikong.release SET rows_read = rows_read + %(read)s, rows_stored = rows_stored + %(stored)s,"
        " added = added + %(added)s, changed = changed + %(changed)s,"
        " unchanged = unchanged + %(stored)s - %(added)s - %(changed)s, current_rows = current_rows + %(added)s,"
        " time_from = least(time_from, %(first)s), time_to = greatest(time_to, %(last)s) WHERE id = %(release)s",
        {
            "read": counts.read, "stored": counts.stored, "added": counts.added, "changed": counts.changed,
            "first": extent.time_from, "last": extent.time_to, "release": release,
        },
    )  # fmt: skip


def restoring(conn: Connection[Any], release: int) -> Source:
    """The source of a rollback to a release: that release's own."""
    row = conn.execute(
        "SELECT source, source_sha256, source_crs, datum_note, origin FROM shikong.release WHERE id = %s", (release,)
    ).fetchone()
    assert row is not None
    name, sha256, crs, datum_note, origin = row
    return Source(name, sha256, crs, datum_note, origin, kind="rollback", restores=release)


def finish(
    conn: Connection[Any], release: int, counts: Counts, extent: Extent, touched: list[float] | None = None
) -> None:
    """Complete a release's record, as the last thing before the commit: from `published_at` on it is known, and those
    who listen hear of it when it commits.

    touched: the boxes of what came, went or changed (store/touched.py); None is everything.
    """
    conn.execute(
        "WITH finished AS ("
        "UPDATE shikong.release SET published_at = clock_timestamp(), rows_read = %s, rows_quarantined = %s,"
        " rows_stored = %s, added = %s, changed = %s, ended = %s, unchanged = %s,"
        " current_rows = %s, extent = %s, time_from = %s, time_to = %s, touched = %s WHERE id = %s RETURNING layer"
        ") SELECT pg_notify(%s, layer) FROM finished",
        (
            counts.read, counts.quarantined,
            counts.stored, counts.added, counts.changed, counts.ended, counts.unchanged, counts.current,
            list(extent.bbox) if extent.bbox else None, extent.time_from, extent.time_to, touched, release,
            CHANNEL,
        ),
    )  # fmt: skip


def extent_of(conn: Connection[Any], layer: Layer) -> Extent:
    """Extent of a features layer's present rows."""
    box = rim.bounds(conn, layer)
    known = _BOX if box is None else sql.SQL("{}, {}, {}, {}").format(*map(sql.Literal, box))
    row = conn.execute(
        # One row also where nothing is left to be gathered from all of them.
        sql.SQL("SELECT {}, {} FROM {} LIMIT 1").format(known, _time(layer, whole=True), tables.table(layer))
    ).fetchone()
    assert row is not None
    return _extent(row)


def extent_after(conn: Connection[Any], layer: Layer, release: int, first: int, known: Extent) -> Extent:
    """Extent of a features layer's rows after an update, told from what it changed wherever that is possible.

    first: the rows that it brought have this number or higher ones. known: the extent before it.
    """
    gained = conn.execute(
        sql.SQL("SELECT {}, {} FROM {} WHERE _row >= %s AND _release = %s").format(
            _BOX, _time(layer), tables.table(layer)
        ),
        (first, release),
    ).fetchone()
    lost = conn.execute(
        sql.SQL("SELECT {}, {} FROM {} WHERE {}").format(
            _BOX, _time(layer), tables.history(layer), tables.gone(layer, sql.Literal(release))
        )
    ).fetchone()
    assert gained is not None
    assert lost is not None
    gone = _extent(lost)
    if known.bbox is None or _held_time(known, gone, layer.versioned):
        return extent_of(conn, layer)
    if not _held_place(known.bbox, gone.bbox):
        return _together(known, _extent(gained))
    box = rim.bounds(conn, layer)
    return extent_of(conn, layer) if box is None else replace(_together(known, _extent(gained)), bbox=box)


_BOX = sql.SQL("st_xmin(st_extent(geom)), st_ymin(st_extent(geom)), st_xmax(st_extent(geom)), st_ymax(st_extent(geom))")


def _time(layer: Layer, *, whole: bool = False) -> sql.Composable:
    """SQL for since when and until when rows have data; whole: what has ended counts too."""
    if layer.time and layer.time.start:
        return sql.SQL("min({}), max({})").format(
            sql.Identifier(layer.time.start), sql.Identifier(layer.time.end or layer.time.start)
        )
    if not layer.versioned:
        return sql.SQL("NULL::timestamptz, NULL::timestamptz")
    if not whole:
        return sql.SQL("min(valid_from), NULL::timestamptz")
    return sql.SQL(
        "least(min(valid_from), (SELECT min(valid_from) FROM {} WHERE _superseded IS NULL)), NULL::timestamptz"
    ).format(tables.history(layer))


def _extent(row: tuple[Any, ...]) -> Extent:
    return Extent(None if row[0] is None else (row[0], row[1], row[2], row[3]), row[4], row[5])


def _held_place(known: Box, gone: Box | None) -> bool:
    """Whether rows that have gone reached the rim."""
    if gone is None:
        return False
    low = any(lost <= held for lost, held in zip(gone[:2], known[:2], strict=True))
    return low or any(lost >= held for lost, held in zip(gone[2:], known[2:], strict=True))


def _held_time(known: Extent, lost: Extent, versioned: bool) -> bool:
    """Whether rows that have gone were the first or the last. Of a version that ends, its beginning stays known."""
    first, last = (lost.time_from, known.time_from), (lost.time_to, known.time_to)
    sooner = not versioned and None not in first and first[0] <= first[1]  # type: ignore[operator]
    later = None not in last and last[0] >= last[1]  # type: ignore[operator]
    return sooner or later


def _together(one: Extent, other: Extent) -> Extent:
    """The extent of both."""
    if one.bbox is None or other.bbox is None:
        return one if other.bbox is None else other
    (west, south, east, north), (w, s, e, n) = one.bbox, other.bbox
    starts = [time for time in (one.time_from, other.time_from) if time is not None]
    ends = [time for time in (one.time_to, other.time_to) if time is not None]
    return Extent(
        (min(west, w), min(south, s), max(east, e), max(north, n)),
        min(starts, default=None),
        max(ends, default=None),
    )
