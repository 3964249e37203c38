"""How quick are series and last values with a hundred million observations on disk?

Ten thousand stations with a stage each minute of a week are 100.8 million values; fifty of them have an hourly
discharge of a year as well. A year of one station is asked as CSV by OGC API - EDR, beside a minimal application that
answers the same from one query by COPY. The last value of every station is asked of the service's table of last values,
beside the query that one would write without it. Run by `make bench-observations`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import servers
from client import Question, run_round
from psycopg import sql
from psycopg_pool import AsyncConnectionPool
from rich.console import Console
from rich.table import Table
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.store import cluster, migrate, observed_tables, rollups, tables
from shikong.store.database import Database
from shikong.store.settings import StoreSettings

DATABASE = "observations"
LAYER = catalog.default().layer("hydro_observations")
WEEK, YEAR = (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 8, tzinfo=UTC)), 2025
OF_A_YEAR = 50
GOAL_SERIES, GOAL_LATEST = 0.8, 100.0

_FILL = """
    INSERT INTO {table} (series, time, value, origin, _release)
    SELECT s.id, t, 30 + mod(s.id, 100) / 100.0 + mod(extract(epoch FROM t)::bigint / 60, 97) / 100.0, 'generated', 1
    FROM {series} AS s, generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 minute',
        interval '1 minute') AS t
    WHERE s.parameter = 'z'
"""
_FILL_YEAR = """
    INSERT INTO {table} (series, time, value, origin, _release)
    SELECT s.id, t, 20 + mod(s.id, 7) + mod(extract(epoch FROM t)::bigint / 3600, 31) / 10.0, 'generated', 1
    FROM {series} AS s, generate_series('2025-01-01Z'::timestamptz, '2025-12-31 23:00Z', interval '1 hour') AS t
    WHERE s.parameter = 'q'
"""

_LATEST = """
    SELECT s.station, l.time, l.value FROM {latest} AS l JOIN {series} AS s ON s.id = l.series WHERE s.parameter = 'z'
"""
_WITHOUT = """
    SELECT s.station, o.time, o.value FROM {series} AS s CROSS JOIN LATERAL (
        SELECT time, value FROM {table} AS o WHERE o.series = s.id ORDER BY time DESC LIMIT 1
    ) AS o WHERE s.parameter = 'z'
"""

_SIZE = """
    SELECT sum(reltuples)::bigint, pg_size_pretty(sum(pg_total_relation_size(oid))) FROM pg_class
    WHERE relname LIKE 'hydro_observations__2%' AND relkind = 'r'
"""

_CSV = """COPY (
    SELECT o.time, o.value
    FROM data.hydro_observations AS o JOIN data.hydro_observations__series AS s ON s.id = o.series
    WHERE s.station = {} AND s.parameter = {} AND o.time >= {} AND o.time < {} ORDER BY o.time
) TO STDOUT (FORMAT csv, HEADER)"""


def create_app() -> Starlette:
    """The peer: the least that answers with a series as CSV, over the database that BENCH_DSN names."""
    pool = AsyncConnectionPool(os.environ["BENCH_DSN"], min_size=8, max_size=8, open=False, kwargs={"autocommit": True})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await pool.open()
        yield
        await pool.close()

    async def series(request: Request) -> Response:
        asked = request.query_params
        query = sql.SQL(_CSV).format(*(sql.Literal(asked[name]) for name in ("station", "parameter", "start", "end")))
        async with pool.connection() as conn, conn.cursor() as cursor, cursor.copy(query) as copy:
            body = b"".join([bytes(piece) async for piece in copy])
        return Response(body, media_type="text/csv")

    return Starlette(routes=[Route("/series", series)], lifespan=lifespan)


def main() -> None:
    """Fill a database unless it is there, ask, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stations", type=int, default=10_000)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each round")
    given = arguments.parse_args()
    console = Console()
    data = Path(os.environ.get("SHIKONG_BENCH_DATA") or servers.ROOT / "var/bench").resolve()
    running = cluster.private(data)
    running.ensure_running()
    try:
        dsn = running.dsn_of(DATABASE)
        if not _is_filled(running.dsn_of("postgres"), dsn, given.stations):
            _fill(running.dsn_of("postgres"), dsn, given.stations, lambda text: console.print(f"▸ {text}"))
        _show(console, dsn, given.seconds)
    finally:
        running.stop()


def _is_filled(admin: str, dsn: str, stations: int) -> bool:
    with psycopg.connect(admin, autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            return False
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            "SELECT count(*) FROM data.hydro_observations__series WHERE parameter = 'z'"
            " AND EXISTS (SELECT FROM data.hydro_observations__latest)"
        ).fetchone()
    return row is not None and row[0] == stations


def _fill(admin: str, dsn: str, stations: int, say: Callable[[str], None]) -> None:
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        conn.execute(f"CREATE DATABASE {DATABASE}")
    migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        for layer in catalog.default():
            tables.ensure(conn, layer)
    _load_stations(dsn, stations)
    with psycopg.connect(dsn, autocommit=True) as conn:
        # The values are known to have their series; looking each up would take longer than all the rest.
        conn.execute("SET session_replication_role = replica")
        conn.execute("SET statement_timeout = 0")
        conn.execute("SET maintenance_work_mem = '1GB'")
        names = observed_tables.names(LAYER)
        fill = "INSERT INTO {series} (station, parameter) SELECT stcd, 'z' FROM data.hydro_stations"
        conn.execute(sql.SQL(fill).format(**names))
        conn.execute(
            sql.SQL("INSERT INTO {series} (station, parameter) SELECT stcd, 'q' FROM data.hydro_stations"
                    " ORDER BY stcd LIMIT %s").format(**names), (OF_A_YEAR,)
        )  # fmt: skip
        for month in range(1, 13):
            observed_tables.ensure_month(conn, LAYER, YEAR, month)
        observed_tables.ensure_month(conn, LAYER, 2026, 6)
        observed_tables.ensure_month(conn, LAYER, 2026, 5)
        say(f"{stations * 7 * 24 * 60:,} values")
        start, end = WEEK
        conn.execute(sql.SQL(_FILL).format(**names), {"start": start, "end": end})
        conn.execute(sql.SQL(_FILL_YEAR).format(**names))
        say("hours, days and last values")
        with conn.transaction():
            rollups.rebuild(conn, LAYER)
        conn.execute("VACUUM ANALYZE")


def _load_stations(dsn: str, stations: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stations.csv"
        rows = [f"{40_000_000 + number},站{number},{115.3 + number % 100 / 100},{35.9 + number // 100 / 100}"
                for number in range(stations)]  # fmt: skip
        path.write_text("\n".join(["stcd,stnm,lon,lat", *rows]), encoding="utf-8")
        store = Database(StoreSettings(data=Path(folder), database_url=dsn, pool_size=4, statement_timeout=600))
        ingest(store, catalog.default(), path, "hydro_stations", Options(), lambda done, total: None)
        store.close_threads()


def _show(console: Console, dsn: str, seconds: float) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute(_SIZE).fetchone()
        assert row is not None
        console.print(f"{row[0]:,} values on disk, {row[1]}")
        latest, without = (_median(conn, text) for text in (_LATEST, _WITHOUT))
    mark = "✓" if latest < GOAL_LATEST else "✗"
    console.print(f"last value of every station: {latest:.0f} ms {mark} {GOAL_LATEST:g} ms; "
                  f"without a table of last values {without / latest:.1f} times that")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, servers.series(dsn, Path(folder)) as (ours, minimal):
        table = Table("a year of hourly values as CSV", "answers/s", "ours / minimal", "goal")
        stations = [f"{40_000_000 + number}" for number in range(OF_A_YEAR)]
        rates = {}
        for name, port, paths in (
            ("shikong", ours, [
                f"/collections/hydro_observations/locations/{station}?f=csv&parameter-name=q"
                "&datetime=2025-01-01T00:00:00Z/2025-12-31T23:00:00Z" for station in stations
            ]),
            ("minimal", minimal, [
                f"/series?station={station}&parameter=q&start=2025-01-01T00:00:00Z&end=2026-01-01T00:00:00Z"
                for station in stations
            ]),
        ):  # fmt: skip
            questions = [Question(path, lambda body: body.count(b"\n") == 8_761) for path in paths]
            rounds = [asyncio.run(run_round(port, questions, seconds, 0)).rate for _ in range(3)]
            rates[name] = statistics.median(rounds)
        ratio = rates["shikong"] / rates["minimal"]
        met = "✓" if ratio >= GOAL_SERIES else "✗"
        table.add_row("shikong", f"{rates['shikong']:.0f}", f"{ratio:.2f}", f"{met} {GOAL_SERIES}")
        table.add_row("minimal", f"{rates['minimal']:.0f}", "", "")
        console.print(table)


def _median(conn: psycopg.Connection[Any], text: str) -> float:
    query = sql.SQL(text).format(**observed_tables.names(LAYER))
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        conn.execute(query, binary=True).fetchall()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
