"""Writing observations: idempotent on (series, time); what is corrected or withdrawn goes to history.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import as_of, locks, releases, tables
from shikong.store.as_of import Difference
from shikong.store.releases import Counts, Extent

Observation = tuple[str, str, datetime, float, str]


def stage(conn: Connection[Any], rows: Iterable[Observation]) -> int:
    """Copy (station, parameter, time, value, origin) rows into the session's staging table; returns how many.

    Each station, parameter and time comes once.
    """
    conn.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS staged_observation (station text NOT NULL, parameter text NOT NULL,"
        " time timestamptz NOT NULL, value double precision NOT NULL, origin text NOT NULL) ON COMMIT DROP"
    )
    number = 0
    with conn.cursor() as cursor, cursor.copy("COPY staged_observation FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["text", "text", "timestamptz", "float8", "text"])
        for row in rows:
            copy.write_row(row)
            number += 1
    return number


def publish(conn: Connection[Any], layer: Layer, release: int) -> tuple[int, int]:
    """Merge the staged rows into the layer; returns how many were new and how many changed."""
    conn.execute("ANALYZE staged_observation")
    months = conn.execute(
        "SELECT DISTINCT extract(year FROM t)::int, extract(month FROM t)::int"
        " FROM (SELECT time AT TIME ZONE 'UTC' AS t FROM staged_observation) AS o"
    ).fetchall()
    for year, month in months:
        tables.ensure_month(conn, layer, year, month)
    conn.execute(
        sql.SQL(
            "INSERT INTO {} (station, parameter) SELECT DISTINCT station, parameter FROM staged_observation"
            " ON CONFLICT DO NOTHING"
        ).format(tables.series(layer))
    )
    added, changed, _ = _apply(conn, layer, release, _OF_STAGED, {})
    return added, changed


def rollback(conn: Connection[Any], layer: Layer, release: int) -> tuple[int, Counts]:
    """Make what was known at a release the layer's state again, as a new release; nothing is forgotten.

    A load that is under way is waited for. Returns the new release and its counts. Raises NoSuchRelease.
    """
    with locks.loading(conn, layer.id), conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")
        as_of.require_release(conn, layer, release)
        tables.ensure(conn, layer)
        row = conn.execute(
            sql.SQL("SELECT count(*) FROM {} AS known").format(known(layer, sql.Literal(release)))
        ).fetchone()
        assert row is not None
        restored = int(row[0])
        counts = Counts(restored, restored, 0)
        fresh = releases.next_release(conn, layer, releases.restoring(conn, release), counts)
        added, changed, ended = _apply(conn, layer, fresh, _OF_RELEASE, {"restored": release})
        counts = replace(counts, added=added, changed=changed, ended=ended, unchanged=restored - added - changed)
        first, last, number = extent(conn, layer)
        counts = replace(counts, current=number)
        releases.finish(conn, fresh, counts, Extent(None, first, last))
    return fresh, counts


def known(layer: Layer, release: sql.Composable) -> sql.Composable:
    """SQL for the observations that were known at a release: series, time, value, origin."""
    return sql.SQL(
        "(SELECT series, time, value, origin FROM {table} WHERE _release <= {release}"
        " UNION ALL SELECT series, time, value, origin FROM {history}"
        " WHERE _release <= {release} AND _superseded > {release})"
    ).format(table=tables.table(layer), history=tables.history(layer), release=release)


def difference(conn: Connection[Any], layer: Layer, before: int, after: int) -> Difference:
    """Count what differs between what was known at two releases. Raises NoSuchRelease."""
    for release in (before, after):
        as_of.require_release(conn, layer, release)
    row = conn.execute(
        sql.SQL(_DIFFERENCE).format(before=known(layer, sql.Literal(before)), after=known(layer, sql.Literal(after)))
    ).fetchone()
    assert row is not None
    return Difference(*map(int, row))


def extent(conn: Connection[Any], layer: Layer) -> tuple[datetime | None, datetime | None, int]:
    """First and last time of the layer's observations, and how many there are."""
    row = conn.execute(sql.SQL("SELECT min(time), max(time), count(*) FROM {}").format(tables.table(layer))).fetchone()
    assert row is not None
    first, last, number = row
    return (first.astimezone(UTC) if first else None, last.astimezone(UTC) if last else None, int(number))


def _apply(
    conn: Connection[Any], layer: Layer, release: int, differing: str, params: dict[str, Any]
) -> tuple[int, int, int]:
    """Write what differs; returns how many observations were added, changed, withdrawn. What is alike is not touched.

    differing: SQL for series, time, value and origin to be (null when withdrawn), and whether one is there now.
    """
    parts = {"table": tables.table(layer), "series": tables.series(layer), "history": tables.history(layer)}
    conn.execute(sql.SQL(f"CREATE TEMPORARY TABLE differing ON COMMIT DROP AS {differing}").format(**parts), params)
    conn.execute("ANALYZE differing")
    row = conn.execute(
        "SELECT count(*) FILTER (WHERE NOT present), count(*) FILTER (WHERE present AND value IS NOT NULL),"
        " count(*) FILTER (WHERE value IS NULL) FROM differing"
    ).fetchone()
    conn.execute(sql.SQL(_SUPERSEDE).format(**parts), {"release": release})
    conn.execute(sql.SQL(_ADD).format(**parts), {"release": release})
    conn.execute("DROP TABLE differing")
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


_OF_STAGED = """
    SELECT s.id AS series, o.time, o.value, o.origin, t.series IS NOT NULL AS present
    FROM staged_observation AS o
    JOIN {series} AS s USING (station, parameter)
    LEFT JOIN {table} AS t ON t.series = s.id AND t.time = o.time
    WHERE t.series IS NULL OR (t.value, t.origin) IS DISTINCT FROM (o.value, o.origin)
"""

# What is there now and came before that release was known then, too.
_OF_RELEASE = """
    SELECT series, time, h.value, h.origin, t._release IS NOT NULL AS present
    FROM (SELECT * FROM {table} WHERE _release > %(restored)s) AS t
    FULL JOIN (
        SELECT * FROM {history} WHERE _release <= %(restored)s AND _superseded > %(restored)s
    ) AS h USING (series, time)
    WHERE (t.value, t.origin) IS DISTINCT FROM (h.value, h.origin)
"""

_SUPERSEDE = """
    WITH gone AS (
        DELETE FROM {table} AS t USING differing AS d
        WHERE d.present AND t.series = d.series AND t.time = d.time
        RETURNING t.series, t.time, t.value, t.origin, t._release
    )
    INSERT INTO {history} (series, time, value, origin, _release, _superseded)
    SELECT series, time, value, origin, _release, %(release)s FROM gone
"""

_ADD = """
    INSERT INTO {table} (series, time, value, origin, _release)
    SELECT series, time, value, origin, %(release)s FROM differing WHERE value IS NOT NULL
"""

_DIFFERENCE = """
    SELECT count(*) FILTER (WHERE b.value IS NULL), count(*) FILTER (WHERE a.value IS NULL),
        count(*) FILTER (WHERE a.value IS NOT NULL AND b.value IS NOT NULL
            AND (a.value, a.origin) IS DISTINCT FROM (b.value, b.origin)),
        count(*) FILTER (WHERE (a.value, a.origin) = (b.value, b.origin))
    FROM {before} AS b FULL JOIN {after} AS a USING (series, time)
"""
