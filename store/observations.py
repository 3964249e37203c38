"""Writing observations: idempotent on (series, time), a correction replaces the value.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import tables

Observation = tuple[str, str, datetime, float, str]


def stage(conn: Connection[Any], rows: Iterable[Observation]) -> int:
    """Copy (station, parameter, time, value, origin) rows into the session's staging table; returns how many."""
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
    """Merge the staged rows into the layer; returns how many were new and how many changed a value."""
    conn.execute("ANALYZE staged_observation")
    months = conn.execute(
        "SELECT DISTINCT extract(year FROM t)::int, extract(month FROM t)::int"
        " FROM (SELECT time AT TIME ZONE 'UTC' AS t FROM staged_observation) AS o"
    ).fetchall()
    for year, month in months:
        tables.ensure_month(conn, layer, year, month)
    parts = {"table": tables.table(layer), "series": tables.series(layer)}
    conn.execute(
        sql.SQL(
            "INSERT INTO {series} (station, parameter) SELECT DISTINCT station, parameter FROM staged_observation"
            " ON CONFLICT DO NOTHING"
        ).format(**parts)
    )
    changed = conn.execute(sql.SQL(_CHANGED).format(**parts)).fetchone()
    merged = conn.execute(sql.SQL(_MERGE).format(**parts), {"release": release}).rowcount
    assert changed is not None
    return merged - int(changed[0]), int(changed[0])


_INCOMING = """
    SELECT DISTINCT ON (s.id, o.time) s.id AS series, o.time, o.value, o.origin
    FROM staged_observation AS o JOIN {series} AS s USING (station, parameter)
    ORDER BY s.id, o.time
"""

_CHANGED = f"""
    SELECT count(*)
    FROM ({_INCOMING}) AS n JOIN {{table}} AS t USING (series, time)
    WHERE t.value IS DISTINCT FROM n.value
"""

_MERGE = f"""
    INSERT INTO {{table}} AS t (series, time, value, origin, _release)
    SELECT series, time, value, origin, %(release)s FROM ({_INCOMING}) AS n
    ON CONFLICT (series, time) DO UPDATE
        SET value = excluded.value, origin = excluded.origin, _release = excluded._release
        WHERE t.value IS DISTINCT FROM excluded.value
"""


def extent(conn: Connection[Any], layer: Layer) -> tuple[datetime | None, datetime | None, int]:
    """First and last time of the layer's observations, and how many there are."""
    row = conn.execute(sql.SQL("SELECT min(time), max(time), count(*) FROM {}").format(tables.table(layer))).fetchone()
    assert row is not None
    first, last, number = row
    return (first.astimezone(UTC) if first else None, last.astimezone(UTC) if last else None, int(number))
