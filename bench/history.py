"""Are today's answers as quick with a long history as without?

Two copies of a database: the layer as it was first loaded, and the same after a delivery of another date in which some
of the rows differ (a fifth: twenty quarters with 1 % each), so that they have a past. Both are asked the service's own
queries for pages and tiles, in turns. Run by `make bench-history`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import load
import morecantile
import psycopg
import pyogrio
import servers
from load import AT, DATABASE, ERR
from psycopg import sql
from rich.console import Console
from rich.table import Table

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.providers import items
from shikong.providers.items import Items
from shikong.store import cluster, migrate
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from shikong.store.settings import StoreSettings
from shikong.tiles import cut, matrix
from shikong.tiles.matrix import TileAddress

WITHOUT, WITH = f"{DATABASE}_fresh", f"{DATABASE}_aged"
LAYER = catalog.default().layer("parcels")
ZOOM, QUESTIONS, ROUNDS = 15, 150, 4


def main() -> None:
    """Make both databases, ask in turns, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="city", help="size of the sample city (default city: 500,000 parcels)")
    parser.add_argument("--share", type=float, default=0.2, help="share of the rows that have a past (default 0.2)")
    options = parser.parse_args()
    data = Path(os.environ.get("SHIKONG_BENCH_DATA") or servers.ROOT / "var/bench").resolve()
    first, _ = load.deliveries(data, options.size)
    running = cluster.private(data)
    running.ensure_running()
    try:
        _prepare(running, data, first, options.share)
        seconds = _ask(running)
    finally:
        running.stop()
    table = Table("answer", "with history / without", title="today's answers, median", title_justify="left")
    for name, times in seconds.items():
        table.add_row(name, f"{statistics.median(times[WITH]) / statistics.median(times[WITHOUT]):.2f}")
    Console(width=100).print(table)


def _prepare(running: Cluster, data: Path, first: Path, share: float) -> None:
    """The layer without a past, and a copy in which a share of the rows has one."""
    with psycopg.connect(running.dsn_of("postgres"), autocommit=True) as conn:
        for name in (WITHOUT, WITH):
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(WITHOUT)))
    migrate.migrate(running.dsn_of(WITHOUT))
    _load(running.dsn_of(WITHOUT), data, first, 1)
    with psycopg.connect(running.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(WITH), sql.Identifier(WITHOUT)))
    frame = pyogrio.read_dataframe(first)
    frame.loc[random.Random(1).sample(range(len(frame)), int(len(frame) * share)), "dlmc"] = "变更"
    other = data / "some_rows_differ.gpkg"
    frame.to_file(other, driver="GPKG")
    _load(running.dsn_of(WITH), data, other, 2)
    other.unlink()
    for name in (WITHOUT, WITH):
        with psycopg.connect(running.dsn_of(name), autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")


def _load(dsn: str, data: Path, file: Path, day: int) -> None:
    store = Database(StoreSettings(data=data, database_url=dsn, statement_timeout=3600, pool_size=2))
    try:
        options = Options(origin="generated", valid_from=AT.replace(day=day))
        counts = ingest(store, catalog.default(), file, LAYER.id, options, lambda *_: None).counts
    finally:
        store.close_threads()
    ERR.print(f"[cyan]▸[/] {counts.added:,} added, {counts.changed:,} changed")


def _ask(running: Cluster) -> dict[str, dict[str, list[float]]]:
    """Seconds of each answer, by kind and database."""
    with psycopg.connect(running.dsn_of(WITHOUT)) as conn:
        places = conn.execute("SELECT st_x(p), st_y(p) FROM (SELECT st_centroid(geom) AS p FROM data.parcels"
                              " ORDER BY bsm) AS x").fetchall()  # fmt: skip
    chance = random.Random(371500)
    chosen = chance.sample(places, QUESTIONS)
    kinds: dict[str, Callable[[float, float], tuple[bytes, dict[str, Any]]]] = {
        "page of 10": lambda x, y: _page(x, y, 10),
        "page of 1000": lambda x, y: _page(x, y, 1000),
        f"tile z{ZOOM}": _tile,
    }
    seconds: dict[str, dict[str, list[float]]] = {kind: {WITHOUT: [], WITH: []} for kind in kinds}
    with psycopg.connect(running.dsn_of(WITHOUT), autocommit=True) as one, psycopg.connect(
        running.dsn_of(WITH), autocommit=True
    ) as other:  # fmt: skip
        for turn in range(ROUNDS + 1):
            for kind, make in kinds.items():
                for name, conn in ((WITHOUT, one), (WITH, other)):
                    taken = [_time(conn, *make(*place)) for place in chosen]
                    if turn:  # the first warms up
                        seconds[kind][name] += taken
    return seconds


def _page(x: float, y: float, limit: int) -> tuple[bytes, dict[str, Any]]:
    statement = items.page(LAYER, Items(limit, bbox=(x - 0.02, y - 0.015, x + 0.02, y + 0.015)))
    return statement.query, statement.params


def _tile(x: float, y: float) -> tuple[bytes, dict[str, Any]]:
    tile = morecantile.tms.get("WebMercatorQuad").tile(x, y, ZOOM)
    return cut.tile(LAYER, matrix.box(TileAddress("WebMercatorQuad", ZOOM, tile.y, tile.x)))


def _time(conn: psycopg.Connection[Any], query: bytes, params: dict[str, Any]) -> float:
    begun = time.perf_counter()
    conn.execute(query, params, binary=True).fetchall()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
