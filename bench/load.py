"""How fast is a checked and published load beside the least that puts the same rows into a table?

The peer is binary COPY of ready rows into a plain table, then its primary key and both spatial indexes. The service
reads the same rows from a GeoPackage, converts, checks, compares, publishes and indexes them. Both write into
one database of the private cluster, in turns. Run by `make bench-load`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import city_table
import geopandas as gpd
import psycopg
import pyogrio
import servers
import shapely
from rich.console import Console
from rich.table import Table
from times import Times

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.samples import city
from shikong.store import cluster, migrate
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from shikong.store.releases import Counts
from shikong.store.settings import StoreSettings

DATABASE = "bench_load"
AT = datetime(2025, 1, 1, tzinfo=UTC)
ERR = Console(stderr=True)
_FIELDS = ("bsm", "dlbm", "dlmc", "xzqdm")


def main() -> None:
    """Prepare, measure in turns, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="city", help="size of the sample city (default city: 500,000 parcels)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--copies", type=int, metavar="N", help="only load N copies side by side, and say how much memory it took"
    )
    options = parser.parse_args()
    data = Path(os.environ.get("SHIKONG_BENCH_DATA") or servers.ROOT / "var/bench").resolve()
    first, second = deliveries(data, options.size)
    running = cluster.private(data)
    running.ensure_running()
    times = Times()
    if options.copies:
        _memory(running, data, first, options.copies)
        return
    try:
        for _ in range(options.rounds):
            _round(running, data, first, second, times)
    finally:
        running.stop()
    _show(times, len(gpd.read_file(first, ignore_geometry=True, columns=["bsm"])))


def deliveries(data: Path, size: str) -> tuple[Path, Path]:
    """A GeoPackage of what holds now, and the same with 1 % of the rows changed."""
    files = data / f"city-{size}"
    if not (files / "manifest.json").exists():
        city.generate(size, files, now=city_table.NOW)
    first, second = files / "delivery_1.gpkg", files / "delivery_2.gpkg"
    if not second.exists():
        frame = pyogrio.read_dataframe(files / "parcels.fgb")
        frame = frame[frame["valid_to"].isna()][[*_FIELDS, "geometry"]].reset_index(drop=True)
        frame.to_file(first, driver="GPKG")
        changed = random.Random(1).sample(range(len(frame)), len(frame) // 100)
        frame.loc[changed, "dlmc"] = "变更"
        frame.to_file(second, driver="GPKG")
    return first, second


def _memory(running: Cluster, data: Path, first: Path, copies: int) -> None:
    """Load the city several times over, each copy east of the one before, in a process that does nothing else."""
    many = data / f"delivery_{copies}_copies.gpkg"
    if not many.exists():
        for number in range(copies):
            frame = pyogrio.read_dataframe(first)
            frame["bsm"] = f"{number}" + frame["bsm"]
            frame.geometry = frame.geometry.translate(0, number * 150_000)
            frame.to_file(many, driver="GPKG", mode="a" if number else "w")
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import load;"
        "counts = load.one(sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4]));"
        "print(f'{counts.added:,} rows')"
    )
    try:
        dsn, most = _empty(running), 0.0
        command = [sys.executable, "-c", script, str(Path(__file__).parent), dsn, str(data), str(many)]
        loader = subprocess.Popen(command, start_new_session=True)
        while loader.poll() is None:
            most = max(most, _session_memory(loader.pid))
            time.sleep(0.1)
        if loader.returncode:
            raise SystemExit(f"the load ended with {loader.returncode}")
        Console().print(
            f"{most:,.0f} MiB at most, of the loader and its helpers together (what they share counted once)"
        )
    finally:
        running.stop()


def _session_memory(session: int) -> float:
    """Proportional set size (MiB) of all processes of a session, as the kernel tells it now."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                total += int((folder / "smaps_rollup").read_text().partition("Pss:")[2].split()[0])
    return total / 1024


def one(dsn: str, data: Path, file: Path) -> Counts:
    """Load a file into an empty database."""
    store = Database(StoreSettings(data=data, database_url=dsn, statement_timeout=3600, pool_size=2))
    try:
        return ingest(
            store, catalog.default(), file, "parcels", Options(origin="generated", valid_from=AT), lambda *_: None
        ).counts
    finally:
        store.close_threads()


def _empty(running: Cluster) -> str:
    """An empty database of the present shape; its address."""
    with psycopg.connect(running.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        conn.execute(f"CREATE DATABASE {DATABASE}")
    dsn = running.dsn_of(DATABASE)
    migrate.migrate(dsn)
    return dsn


def _round(running: Cluster, data: Path, first: Path, second: Path, times: Times) -> None:
    dsn = _empty(running)
    _copy(dsn, first, times)
    store = Database(StoreSettings(data=data, database_url=dsn, statement_timeout=3600, pool_size=2))
    try:
        for name, file, day in (("first load", first, 1), ("1 % changed", second, 2)):
            with times.of(name):
                options = Options(origin="generated", valid_from=AT.replace(day=day))
                report = ingest(store, catalog.default(), file, "parcels", options, lambda *_: None)
            ERR.print(f"  {report.counts.added:,} added, {report.counts.changed:,} changed")
    finally:
        store.close_threads()


def _copy(dsn: str, file: Path, times: Times) -> None:
    """The peer: rows that are ready in memory, COPY, indexes."""
    frame = pyogrio.read_dataframe(file)
    wkb = shapely.to_wkb(shapely.set_srid(frame.geometry.to_crs(4490).to_numpy(), 4490), include_srid=True)
    rows: list[tuple[Any, ...]] = list(zip(*(frame[name] for name in _FIELDS), wkb, strict=True))
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE public.plain (row bigint GENERATED ALWAYS AS IDENTITY, bsm text, dlbm text, dlmc text,"
            " xzqdm text, geom geometry (MultiPolygon, 4490),"
            " geom_3857 geometry (MultiPolygon, 3857) GENERATED ALWAYS AS (st_transform(geom, 3857)) STORED)"
        )
        with times.of("binary COPY and indexes"):
            with (
                conn.cursor() as cursor,
                cursor.copy("COPY public.plain (bsm, dlbm, dlmc, xzqdm, geom) FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.set_types(["text", "text", "text", "text", "bytea"])
                for row in rows:
                    copy.write_row(row)
            conn.execute("ALTER TABLE public.plain ADD PRIMARY KEY (row)")
            conn.execute("CREATE UNIQUE INDEX ON public.plain (bsm)")
            conn.execute("CREATE INDEX ON public.plain USING gist (geom)")
            conn.execute("CREATE INDEX ON public.plain USING gist (geom_3857)")


def _show(times: Times, rows: int) -> None:
    peer = times.best("binary COPY and indexes")
    table = Table("work", "seconds", "binary COPY / it", title=f"loading {rows:,} polygons", title_justify="left")
    for name in times.seconds:
        table.add_row(name, f"{times.best(name):.1f}", f"{peer / times.best(name):.2f}")
    out = Console(width=100)
    out.print(table)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.print(f"largest memory of this process, the peer's rows included: {memory:,.0f} MiB")


if __name__ == "__main__":
    main()
