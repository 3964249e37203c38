"""The tables of an observations layer, derived from its declaration.

`data.<id>__series` has one row per station and parameter; `data.<id>` the values, partitioned by month (UTC; by year
where all are daily);
`data.<id>__history` what was corrected or withdrawn. A row names the release that brought it (`_release`); one that
came live also when it was written (`_recorded`), for the release of a stream stays open for a while. Likewise
`_superseded` and `_superseded_at`. `quality` is a code of the list observation_quality; 0 is good.

What is asked for most is kept beside them, in the transaction that changes the values (store/rollups.py):
`data.<id>__hour` and `data.<id>__day` have the good values of each hour and hydrologic day summed up,
`data.<id>__latest` the last value of each series, and the transaction that changed the series last: who follows what
comes asks for what transactions have changed that had not ended when he asked before.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store.tables import history, table


def series(layer: Layer) -> sql.Identifier:
    """The table of the series."""
    return sql.Identifier("data", f"{layer.id}__series")


def hours(layer: Layer) -> sql.Identifier:
    """The table of what each hour's good values come to."""
    return sql.Identifier("data", f"{layer.id}__hour")


def days(layer: Layer) -> sql.Identifier:
    """The table of what each hydrologic day's good values come to."""
    return sql.Identifier("data", f"{layer.id}__day")


def latest(layer: Layer) -> sql.Identifier:
    """The table of each series' last value."""
    return sql.Identifier("data", f"{layer.id}__latest")


def names(layer: Layer) -> dict[str, sql.Composable]:
    """The tables by what queries call them."""
    return {
        "table": table(layer), "series": series(layer), "history": history(layer), "hour": hours(layer),
        "day": days(layer), "latest": latest(layer),
    }  # fmt: skip


def ensure(conn: Connection[Any], layer: Layer) -> bool:
    """Make the tables that are missing.

    Returns whether values are there of which nothing is summed up yet (store/rollups.py `rebuild` does so).
    """
    had_values, had_hours = (_exists(conn, name) for name in (layer.id, f"{layer.id}__hour"))
    for statement in _TABLES:
        conn.execute(sql.SQL(statement).format(**names(layer)))
    index = sql.Identifier(f"{layer.id}__history_time")
    conn.execute(sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (series, time)").format(index, history(layer)))
    return had_values and not had_hours


def ensure_month(conn: Connection[Any], layer: Layer, year: int, month: int) -> None:
    """Make the partitions of one month (UTC), or of its year where values come a day or more apart."""
    name, following = f"{year:04}{month:02}", (year + month // 12, month % 12 + 1)
    if all(declared.interval is not None and declared.interval[-1] == "D" for declared in layer.parameters.values()):
        name, month, following = f"{year:04}", 1, (year + 1, 1)
    for whole, part, room in ((table(layer), layer.id, 100), (hours(layer), f"{layer.id}__hour", 80)):
        conn.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({}) WITH (fillfactor = {})"
            ).format(
                sql.Identifier("data", f"{part}__{name}"),
                whole,
                sql.Literal(f"{year:04}-{month:02}-01T00:00:00Z"),
                sql.Literal(f"{following[0]:04}-{following[1]:02}-01T00:00:00Z"),
                sql.Literal(room),
            )
        )


def _exists(conn: Connection[Any], name: str) -> bool:
    found = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (f'data."{name}"',)).fetchone()
    assert found is not None
    return bool(found[0])


_SUMS = """
    series integer NOT NULL REFERENCES {series} (id),
    start timestamptz NOT NULL,
    number integer NOT NULL,  -- good values; null in the columns below where there is none
    flagged integer NOT NULL,  -- values that are not good
    total double precision,
    least double precision,
    greatest double precision,
    PRIMARY KEY (series, start)
"""

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS {series} (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        station text NOT NULL,
        parameter text NOT NULL,
        UNIQUE (station, parameter)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS {table} (
        series integer NOT NULL REFERENCES {series} (id),
        time timestamptz NOT NULL,
        value double precision NOT NULL,
        origin text NOT NULL,
        _release integer NOT NULL,
        quality smallint NOT NULL DEFAULT 0,
        _recorded timestamptz,
        PRIMARY KEY (series, time)
    ) PARTITION BY RANGE (time)
    """,
    """
    CREATE TABLE IF NOT EXISTS {history} (
        series integer NOT NULL REFERENCES {series} (id),
        time timestamptz NOT NULL,
        value double precision NOT NULL,
        origin text NOT NULL,
        _release integer NOT NULL,
        _superseded integer NOT NULL,
        quality smallint NOT NULL DEFAULT 0,
        _recorded timestamptz,
        _superseded_at timestamptz
    )
    """,
    f"CREATE TABLE IF NOT EXISTS {{hour}} ({_SUMS}) PARTITION BY RANGE (start)",
    f"CREATE TABLE IF NOT EXISTS {{day}} ({_SUMS}) WITH (fillfactor = 80)",
    """
    CREATE TABLE IF NOT EXISTS {latest} (
        series integer PRIMARY KEY REFERENCES {series} (id),
        time timestamptz NOT NULL,
        value double precision NOT NULL,
        quality smallint NOT NULL,
        origin text NOT NULL,
        changed_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint
    ) WITH (fillfactor = 60)
    """,
)
