"""Publishing: what was staged becomes the layer's new state, inside one transaction.

Rows are compared by key and content digest, so that a full re-delivery moves only what changed. Nothing is
ever overwritten: a row that is no longer believed goes to history and names the release that superseded it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import blocks, releases, tables
from shikong.store.errors import OlderThanKnown
from shikong.store.releases import Counts

#: `replace` ends what is not staged any more, `update` leaves it.
Mode = Literal["replace", "update"]

#: Where fewer than one row in so many came or went, what is known of the others is left as it is.
_FEW = 10


def staging_table(layer: Layer) -> sql.Identifier:
    """The session's own staging table of a layer."""
    return sql.Identifier("pg_temp", f"staged_{layer.id}")


def staging_columns(layer: Layer) -> list[str]:
    """Its columns: where a row stood in the source, the digest of its content, the content."""
    return ["_source_row", "_hash", *tables.row_columns(layer)]


@contextmanager
def staging(conn: Connection[Any], layer: Layer) -> Iterator[sql.Identifier]:
    """A staging table to fill, for this session only; it is gone when the transaction ends."""
    table = staging_table(layer)
    columns = sql.SQL(", ").join(map(sql.Identifier, staging_columns(layer)))
    conn.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
            sql.Identifier(f"staged_{layer.id}"), columns, tables.table(layer)
        )
    )
    yield table
    conn.execute(sql.SQL("CREATE INDEX ON {} ({}, _hash)").format(table, sql.Identifier(layer.key_field)))
    conn.execute(sql.SQL("ANALYZE {}").format(table))


def publish_features(
    conn: Connection[Any],
    layer: Layer,
    release: int,
    mode: Mode,
    snapshot_of: datetime | None = None,
    *,
    ended: int = 0,
) -> Counts:
    """Make the staged rows the layer's state. ended: how many rows the release has ended before (`end_features`).

    snapshot_of: for a layer with valid time, when the staged rows are what held at that time; without it each
    staged row says itself from when until when it holds. Raises OlderThanKnown for a snapshot of a time before
    versions that it would have to change.
    """
    parts = _parts(layer)
    first = tables.next_row(conn, layer)
    params = {"release": release, "at": snapshot_of, "first": first}
    swept = ended
    if layer.versioned and snapshot_of is not None:
        _refuse_older(conn, layer, mode, snapshot_of, parts)
        swept = conn.execute(sql.SQL(_SWEEP[mode]).format(**parts), params).rowcount
        gone, fresh, changed = _publish_snapshot(conn, mode, parts, params)
    else:
        gone, fresh, changed = _publish_versions(conn, layer, mode, parts, params)
    before = releases.before(conn, layer, release) if mode == "update" else None
    if before is None or before.rows is None:
        current = _number(conn, "SELECT count(*) FROM {table}", parts, params)
    else:  # what an update costs follows what it changes, however much there is
        current = before.rows + fresh - gone - swept
    blocks.refresh(conn, layer, 0 if _is_much(fresh + gone + swept, current) else first)
    staged = _number(conn, "SELECT count(*) FROM {staged}", parts, params)
    conn.execute(sql.SQL("DROP TABLE {staged}").format(**parts))
    return Counts(
        read=0, stored=staged, quarantined=0, added=fresh - changed, changed=changed, ended=gone - changed + ended,
        unchanged=current - fresh, current=current,
    )  # fmt: skip


def tell_planner(conn: Connection[Any], layer: Layer, done: Counts) -> None:
    """Let the planner know what the layer holds now, unless that is much the same as before."""
    if _is_much(done.added + done.changed + done.ended, done.current or 0):
        conn.execute(sql.SQL("ANALYZE {}").format(tables.table(layer)))


def _is_much(changes: int, rows: int) -> bool:
    """Whether what came and went is much beside what a layer holds, so that what is known of it is found out anew."""
    return changes * _FEW >= rows


def end_features(conn: Connection[Any], layer: Layer, release: int, keys: Sequence[Any], at: datetime | None) -> int:
    """End the features with these keys, as a part of a release; returns how many rows held until now.

    at: when they end, for a layer with valid time; what held before stays known. Blocks and counts are the caller's.
    """
    ends = "c.{key} = ANY(%(keys)s)" + (" AND (c.valid_to IS NULL OR c.valid_to > %(at)s)" if layer.versioned else "")
    statement = (_END_ROWS if layer.versioned else _MOVE_ROWS).replace("{which}", ends)
    params = {"release": release, "keys": list(keys), "at": at}
    return conn.execute(sql.SQL(statement).format(**_parts(layer)), params).rowcount


def end_as_planned(conn: Connection[Any], layer: Layer, release: int, ends: Mapping[Any, datetime]) -> None:
    """Give versions that a release has begun the ends that were planned for those before them. ends: by key."""
    if ends:
        params = {"release": release, "keys": list(ends), "ends": list(ends.values())}
        key_type = sql.SQL(tables.COLUMN_TYPES[layer.fields[layer.key_field].type])
        conn.execute(sql.SQL(_END_AS_PLANNED).format(**_parts(layer), key_type=key_type), params)


def _publish_versions(
    conn: Connection[Any], layer: Layer, mode: Mode, parts: dict[str, sql.Composable], params: dict[str, Any]
) -> tuple[int, int, int]:
    """Staged rows say when they hold; returns how many present rows went and came, and how many pairs are changes."""
    gone = conn.execute(sql.SQL(_SUPERSEDE[mode]).format(**parts), params).rowcount
    fresh = conn.execute(sql.SQL(_ADD).format(**parts), params).rowcount
    changed = _number(conn, _CHANGED, parts, params)
    if layer.versioned:
        conn.execute(sql.SQL(_SUPERSEDE_ENDED[mode]).format(**parts), params)
        conn.execute(sql.SQL(_ADD_ENDED).format(**parts), params)
    return gone, fresh, changed


def _publish_snapshot(
    conn: Connection[Any], mode: Mode, parts: dict[str, sql.Composable], params: dict[str, Any]
) -> tuple[int, int, int]:
    """Staged rows are what held at a time; returns the same."""
    gone = conn.execute(sql.SQL(_END[mode]).format(**parts), params).rowcount
    fresh = conn.execute(sql.SQL(_BEGIN).format(**parts), params).rowcount
    return gone, fresh, _number(conn, _CHANGED, parts, params)


def _refuse_older(
    conn: Connection[Any], layer: Layer, mode: Mode, at: datetime, parts: dict[str, sql.Composable]
) -> None:
    row = conn.execute(sql.SQL(_NEWER[mode]).format(**parts), {"at": at}).fetchone()
    assert row is not None
    number, newest = row
    if number:
        raise OlderThanKnown(
            f"{layer.id} already holds {number:,} other versions that begin after {at:%Y-%m-%d} (the last on "
            f"{newest:%Y-%m-%d}); deliver an older state with the columns valid_from and valid_to in its rows"
        )


def _number(conn: Connection[Any], query: str, parts: dict[str, sql.Composable], params: dict[str, Any]) -> int:
    row = conn.execute(sql.SQL(query).format(**parts), params).fetchone()
    return int(row[0]) if row else 0


def _parts(layer: Layer) -> dict[str, sql.Composable]:
    """The pieces from which the statements below are put together."""
    names = tables.row_columns(layer)
    key = sql.Identifier(layer.key_field)
    matches: sql.Composable = sql.SQL("h.{key} = c.{key} AND h._hash = c._hash").format(key=key)
    same: sql.Composable = sql.SQL("h.{key} = c.{key}").format(key=key)
    if layer.versioned:
        matches = sql.SQL("{} AND h.valid_from = c.valid_from AND h.valid_to IS NOT DISTINCT FROM c.valid_to").format(
            matches
        )
        same = sql.SQL("{} AND h.valid_from = c.valid_from").format(same)
    content = [name for name in names if name not in ("valid_from", "valid_to")]
    return {
        "table": tables.table(layer),
        "history": tables.history(layer),
        "staged": staging_table(layer),
        "name": sql.Literal(f"data.{layer.id}"),
        "key": key,
        "columns": _columns("", names),
        "of_current": _columns("c.", names),
        "content": _columns("", content),
        "content_of_current": _columns("c.", content),
        "content_of_staged": _columns("h.", content),
        "lost": tables.gone(layer, sql.Placeholder("release")),
        "matches": matches,
        "same": same,
        "holds": sql.SQL("(h.valid_to IS NULL OR h.valid_to > now())" if layer.versioned else "true"),
    }


def _columns(prefix: str, names: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(name) for name in names)


_MOVE_ROWS = """
    WITH gone AS (
        DELETE FROM {table} AS c
        WHERE {which}
        RETURNING c._row, c._release, c._source_row, c._hash, {of_current}
    )
    INSERT INTO {history} (_row, _release, _source_row, _hash, {columns}, _superseded)
    SELECT c._row, c._release, c._source_row, c._hash, {of_current}, %(release)s FROM gone AS c
"""

_OTHER = "NOT EXISTS (SELECT FROM {staged} AS h WHERE {matches} AND {holds})"

_SUPERSEDE = {
    "replace": _MOVE_ROWS.replace("{which}", _OTHER),
    "update": _MOVE_ROWS.replace("{which}", _OTHER + " AND EXISTS (SELECT FROM {staged} AS h WHERE {same})"),
}

_FORGET = """
    UPDATE {history} AS c SET _superseded = %%(release)s
    WHERE c._superseded IS NULL
      AND NOT EXISTS (SELECT FROM {staged} AS h WHERE {matches} AND NOT {holds}) AND %s
"""

_SUPERSEDE_ENDED = {
    "replace": _FORGET % "true",
    "update": _FORGET % "EXISTS (SELECT FROM {staged} AS h WHERE {same})",
}

_ADD_ENDED = """
    INSERT INTO {history} (_row, _release, _source_row, _hash, {columns})
    SELECT nextval(pg_get_serial_sequence({name}, '_row')), %(release)s, h._source_row, h._hash, {columns}
    FROM {staged} AS h
    WHERE NOT {holds} AND NOT EXISTS (SELECT FROM {history} AS c WHERE {matches} AND c._superseded IS NULL)
"""

# Ordered along the Hilbert curve (PostGIS sorts geometries so), because a map reads neighbours together.
_ADD = """
    INSERT INTO {table} (_release, _source_row, _hash, {columns})
    SELECT %(release)s, h._source_row, h._hash, {columns}
    FROM {staged} AS h
    WHERE {holds} AND NOT EXISTS (SELECT FROM {table} AS c WHERE {matches})
    ORDER BY h.geom
"""

# A snapshot knows nothing of versions that end later; what has ended by then is no part of the comparison.
_SWEEP_ROWS = """
    WITH past AS (
        DELETE FROM {table} AS c WHERE {which}
        RETURNING c._row, c._release, c._source_row, c._hash, {of_current}
    )
    INSERT INTO {history} (_row, _release, _source_row, _hash, {columns})
    SELECT c._row, c._release, c._source_row, c._hash, {of_current} FROM past AS c
"""

_OF_STAGED = "EXISTS (SELECT FROM {staged} AS h WHERE h.{key} = c.{key})"

_SWEEP = {
    "replace": _SWEEP_ROWS.replace("{which}", "c.valid_to <= %(at)s"),
    "update": _SWEEP_ROWS.replace("{which}", "c.valid_to <= %(at)s AND " + _OF_STAGED),
}

# A version that ends stays known, and until when it was believed to hold before; one that was to begin only then is not
# believed any more.
_END_ROWS = """
    WITH gone AS (
        DELETE FROM {table} AS c
        WHERE {which}
        RETURNING c._row, c._release, c._source_row, c._hash, {of_current}
    )
    INSERT INTO {history} (
        _row, _release, _source_row, _hash, {content}, valid_from, valid_to, _held_to, _ended, _superseded
    )
    SELECT c._row, c._release, c._source_row, c._hash, {content_of_current}, c.valid_from,
        CASE WHEN held THEN %(at)s ELSE c.valid_to END, CASE WHEN held THEN c.valid_to END,
        CASE WHEN held THEN %(release)s END, CASE WHEN NOT held THEN %(release)s END
    FROM gone AS c, LATERAL (SELECT c.valid_from < %(at)s AS held) AS h
"""

_END_AS_PLANNED = """
    UPDATE {table} AS c SET valid_to = planned.valid_to
    FROM unnest(%(keys)s::{key_type}[], %(ends)s::timestamptz[]) AS planned (key, valid_to)
    WHERE c.{key} = planned.key AND c._release = %(release)s AND c.valid_to IS NULL
"""

_OTHER_CONTENT = "NOT EXISTS (SELECT FROM {staged} AS h WHERE h.{key} = c.{key} AND h._hash = c._hash)"

_END = {
    "replace": _END_ROWS.replace("{which}", _OTHER_CONTENT),
    "update": _END_ROWS.replace("{which}", _OTHER_CONTENT + " AND " + _OF_STAGED),
}

_BEGIN = """
    INSERT INTO {table} (_release, _source_row, _hash, {content}, valid_from)
    SELECT %(release)s, h._source_row, h._hash, {content_of_staged}, %(at)s
    FROM {staged} AS h
    WHERE NOT EXISTS (SELECT FROM {table} AS c WHERE h.{key} = c.{key} AND h._hash = c._hash)
    ORDER BY h.geom
"""

_NEWER_OTHERS = """
    SELECT count(*), max(c.valid_from) FROM {table} AS c
    WHERE c.valid_from > %%(at)s
      AND NOT EXISTS (SELECT FROM {staged} AS h WHERE h.{key} = c.{key} AND h._hash = c._hash) AND %s
"""

_NEWER = {
    "replace": _NEWER_OTHERS % "true",
    "update": _NEWER_OTHERS % "EXISTS (SELECT FROM {staged} AS h WHERE h.{key} = c.{key})",
}

# A key may lose and gain several versions at once; each pair of one lost and one gained is one change. What is new
# has the highest row numbers.
_CHANGED = """
    SELECT coalesce(sum(least(gained.n, lost.n)), 0)
    FROM (SELECT {key}, count(*) AS n FROM {table} WHERE _row >= %(first)s AND _release = %(release)s
        GROUP BY 1) AS gained
    JOIN (SELECT {key}, count(*) AS n FROM {history} WHERE {lost} GROUP BY 1) AS lost USING ({key})
"""
