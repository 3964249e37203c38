"""The table that every server of the comparison reads: half a million parcels of the sample city.

It is generated and loaded by the service's own ingest, once; later runs find it in the data folder.
Stock pygeoapi cannot serve CGCS2000, so it has the same rows once more, in the same order, in EPSG:4326.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.samples import city
from shikong.store import cluster, migrate, tables
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from shikong.store.settings import StoreSettings

DATABASE = "bench"
#: The sample is the same at every run, whatever the day.
NOW = datetime(2025, 7, 1, tzinfo=UTC)

Say = Callable[[str], None]


def layer() -> Layer:
    """The layer that is measured."""
    return catalog.default().layer("parcels")


def prepare(data: Path, size: str, say: Say) -> Cluster:
    """The running cluster with the table in it; makes what is missing. The caller stops it."""
    running = cluster.private(data)
    running.ensure_running()
    with psycopg.connect(running.dsn_of("postgres"), autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            conn.execute(f"CREATE DATABASE {DATABASE}")
    dsn = running.dsn_of(DATABASE)
    migrate.migrate(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        tables.ensure(conn, layer())
        empty = conn.execute("SELECT NOT EXISTS (SELECT FROM data.parcels)").fetchone() == (True,)
    if empty:
        _load(dsn, data, size, say)
    with psycopg.connect(dsn, autocommit=True) as conn:
        if conn.execute("SELECT to_regclass('stock.parcels') IS NULL").fetchone() == (True,):
            say("copying the table to EPSG:4326 for stock pygeoapi")
            _copy_for_stock(conn)
        conn.execute("VACUUM (ANALYZE) data.parcels")
        conn.execute("CHECKPOINT")
    return running


def _load(dsn: str, data: Path, size: str, say: Say) -> None:
    files = data / f"city-{size}"
    if not (files / "manifest.json").exists():
        say(f"generating the sample city, size {size} (once)")
        city.generate(size, files, now=NOW)
    say("loading the parcels (once)")
    store = Database(StoreSettings(data=data, database_url=dsn, statement_timeout=3600, pool_size=2))
    try:
        report = ingest(
            store, catalog.default(), files / "parcels.fgb", "parcels", Options(origin="generated"), lambda *_: None
        )
    finally:
        store.close_threads()
    say(f"{report.counts.current:,} parcels")


def _copy_for_stock(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    columns = ", ".join(f'"{name}"' for name in tables.row_columns(layer()) if name != "geom")
    conn.execute("CREATE SCHEMA IF NOT EXISTS stock")
    with conn.transaction():
        conn.execute(
            "CREATE TABLE stock.parcels AS"
            f" SELECT {columns}, st_setsrid(geom, 4326)::geometry (MultiPolygon, 4326) AS geom"
            " FROM data.parcels ORDER BY _row"
        )
        conn.execute("ALTER TABLE stock.parcels ADD PRIMARY KEY (bsm)")
        conn.execute("CREATE INDEX ON stock.parcels USING gist (geom)")
    conn.execute("VACUUM (ANALYZE) stock.parcels")


def row_count(dsn: str) -> int:
    """Rows of the measured table."""
    with psycopg.connect(dsn) as conn:
        row = conn.execute("SELECT count(*) FROM data.parcels").fetchone()
    assert row is not None
    return int(row[0])
