"""Publishing: what was staged becomes the layer's new state in one transaction.

Rows are compared by key and content hash, so that a full re-delivery moves only what changed.

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

Mode = Literal["replace", "update"]


@dataclass(frozen=True)
class Source:
    """Where a release's data came from."""

    name: str
    sha256: str | None
    crs: str | None
    datum_note: str | None
    origin: Literal["delivered", "generated"]


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


def staging_table(layer: Layer) -> sql.Identifier:
    """The session's own staging table of a layer."""
    return sql.Identifier("pg_temp", f"staged_{layer.id}")


def create_staging(conn: Connection[Any], layer: Layer) -> None:
    """Make an empty staging table with the layer's content columns, for this session only."""
    columns = sql.SQL(", ").join(map(sql.Identifier, tables.row_columns(layer)))
    conn.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT 0::bigint AS _source_row, {} FROM {} WITH NO DATA").format(
            sql.Identifier(f"staged_{layer.id}"), columns, tables.table(layer)
        )
    )


def next_release(conn: Connection[Any], layer: Layer, source: Source, counts: Counts, place: str | None = None) -> int:
    """Register a release; its counts and extent are completed by `finish`."""
    row = conn.execute(
        "INSERT INTO shikong.release (layer, source, source_sha256, source_crs, datum_note, origin, principal, place,"
        " rows_read, rows_stored, rows_quarantined, added, changed, ended, unchanged)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0, 0, 0) RETURNING id",
        (
            layer.id, source.name, source.sha256, source.crs, source.datum_note, source.origin,
            current_principal.get().name, place, counts.read, counts.stored, counts.quarantined,
        ),
    ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0])


def finish(conn: Connection[Any], release: int, counts: Counts, extent: Extent) -> None:
    """Complete a release's record."""
    conn.execute(
        "UPDATE shikong.release SET rows_stored = %s, added = %s, changed = %s, ended = %s, unchanged = %s,"
        " current_rows = %s, extent = %s, time_from = %s, time_to = %s WHERE id = %s",
        (
            counts.stored, counts.added, counts.changed, counts.ended, counts.unchanged, counts.current,
            list(extent.bbox) if extent.bbox else None, extent.time_from, extent.time_to, release,
        ),
    )  # fmt: skip


def publish_features(conn: Connection[Any], layer: Layer, release: int, mode: Mode) -> Counts:
    """Make the staged rows the layer's state, inside the caller's transaction.

    mode: `replace` ends what is not staged any more, `update` leaves it.
    """
    conn.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (layer.id,))
    parts = _parts(layer)
    conn.execute(sql.SQL(_HASHED).format(**parts))
    conn.execute(sql.SQL("CREATE INDEX ON hashed ({key}, _hash)").format(**parts))
    conn.execute("ANALYZE hashed")
    gone = conn.execute(sql.SQL(_SUPERSEDE[mode]).format(**parts)).rowcount
    fresh = conn.execute(sql.SQL(_ADD).format(**parts), {"release": release}).rowcount
    conn.execute(sql.SQL("DELETE FROM {blocks}").format(**parts))
    conn.execute(sql.SQL(_BLOCKS).format(**parts))
    changed = _number(conn, sql.SQL(_CHANGED).format(**parts), {"release": release})
    if layer.versioned:
        conn.execute(sql.SQL(_SUPERSEDE_ENDED[mode]).format(**parts))
        conn.execute(sql.SQL(_ADD_ENDED).format(**parts), {"release": release})
    current = _number(conn, sql.SQL("SELECT count(*) FROM {table}").format(**parts), None)
    staged = _number(conn, sql.SQL("SELECT count(*) FROM hashed"), None)
    conn.execute("DROP TABLE hashed")
    conn.execute(sql.SQL("DROP TABLE {staged}").format(**parts))
    return Counts(
        read=0, stored=staged, quarantined=0, added=fresh - changed, changed=changed, ended=gone - changed,
        unchanged=current - fresh, current=current,
    )  # fmt: skip


def extent_of(conn: Connection[Any], layer: Layer) -> Extent:
    """Extent of a features layer's present rows."""
    if layer.time and layer.time.start:
        time: sql.Composable = sql.SQL("min({}), max({})").format(
            sql.Identifier(layer.time.start), sql.Identifier(layer.time.end or layer.time.start)
        )
    elif layer.versioned:
        time = sql.SQL(
            "least(min(valid_from), (SELECT min(valid_from) FROM {} WHERE recorded_to IS NULL)), NULL::timestamptz"
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


def _number(conn: Connection[Any], query: Any, params: Any) -> int:
    row = conn.execute(query, params).fetchone()
    return int(row[0]) if row else 0


def _parts(layer: Layer) -> dict[str, sql.Composable]:
    """The pieces from which the statements below are put together."""
    columns = tables.row_columns(layer)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    key = sql.Identifier(layer.key_field)
    same: sql.Composable = sql.SQL("h.{key} = c.{key}").format(key=key)
    if layer.versioned:
        same = sql.SQL("{} AND h.valid_from = c.valid_from").format(same)
    return {
        "table": tables.table(layer),
        "history": tables.history(layer),
        "name": sql.Literal(f"data.{layer.id}"),
        "blocks": tables.blocks(layer),
        "rows": sql.Literal(_BLOCK_ROWS),
        "staged": staging_table(layer),
        "columns": names,
        "current": sql.SQL(", ").join(sql.SQL("c.{}").format(sql.Identifier(name)) for name in columns),
        "key": key,
        "same": same,
        "holds": sql.SQL("(valid_to IS NULL OR valid_to > now())" if layer.versioned else "true"),
    }


_HASHED = """
    CREATE TEMPORARY TABLE hashed ON COMMIT DROP AS
    SELECT {columns}, {holds} AS _holds, md5(row({columns})::text)::uuid AS _hash
    FROM {staged}
"""

_MOVE = """
    WITH gone AS (
        DELETE FROM {table} AS c
        WHERE NOT EXISTS (SELECT FROM hashed AS h WHERE h.{key} = c.{key} AND h._hash = c._hash AND h._holds) AND %s
        RETURNING c._row, c._release, c._hash, {current}
    )
    INSERT INTO {history} (_row, _release, _hash, {columns}, recorded_from, recorded_to)
    SELECT c._row, c._release, c._hash, {current}, r.published_at, now()
    FROM gone AS c JOIN shikong.release AS r ON r.id = c._release
"""

_SUPERSEDE = {
    "replace": _MOVE % "true",
    "update": _MOVE % "EXISTS (SELECT FROM hashed AS h WHERE {same})",
}

_FORGET = """
    UPDATE {history} AS c SET recorded_to = now()
    WHERE c.recorded_to IS NULL
      AND NOT EXISTS (SELECT FROM hashed AS h WHERE h.{key} = c.{key} AND h._hash = c._hash AND NOT h._holds) AND %s
"""

_SUPERSEDE_ENDED = {
    "replace": _FORGET % "true",
    "update": _FORGET % "EXISTS (SELECT FROM hashed AS h WHERE {same})",
}

_ADD_ENDED = """
    INSERT INTO {history} (_row, _release, _hash, {columns}, recorded_from)
    SELECT nextval(pg_get_serial_sequence({name}, '_row')), %(release)s, h._hash, {columns}, now()
    FROM hashed AS h
    WHERE NOT h._holds AND NOT EXISTS (
        SELECT FROM {history} AS c WHERE c.{key} = h.{key} AND c._hash = h._hash AND c.recorded_to IS NULL
    )
"""

# Ordered along the Hilbert curve (PostGIS sorts geometries so), because a map reads neighbours together.
_ADD = """
    INSERT INTO {table} (_release, _hash, {columns})
    SELECT %(release)s, h._hash, {columns}
    FROM hashed AS h
    WHERE h._holds AND NOT EXISTS (
        SELECT FROM {table} AS c WHERE c.{key} = h.{key} AND c._hash = h._hash
    )
    ORDER BY h.geom
"""

# A key may lose and gain several versions at once; each pair of one lost and one gained is one change.
#: Rows in a block: few enough to read whole, many enough that blocks are few.
_BLOCK_ROWS = 128

_BLOCKS = """
    INSERT INTO {blocks} (first, last, area)
    SELECT min(_row), max(_row), st_envelope(st_buffer(st_setsrid(st_extent(geom)::geometry, 4490), 1e-9))
    FROM {table} GROUP BY _row / {rows}
"""

_CHANGED = """
    SELECT coalesce(sum(least(gained.n, lost.n)), 0)
    FROM (SELECT {key}, count(*) AS n FROM {table} WHERE _release = %(release)s GROUP BY 1) AS gained
    JOIN (SELECT {key}, count(*) AS n FROM {history} WHERE recorded_to = now() GROUP BY 1) AS lost USING ({key})
"""
