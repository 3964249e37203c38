"""Tiles that are kept, tiles of the whole city, and pictures of a raster: how quick are they?

Kept tiles are compared with nginx that gives out the same bytes as files; tiles of low zooms with the service's own of
zoom 14; pictures of a COG with rio-tiler alone in the same minimal application. Run by `make bench-tiles`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import city_table
import psycopg
import questions
import servers
import uvloop
from client import Question, Timing, run_round
from rich.console import Console
from rich.table import Table

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.store import places
from shikong.store.database import Database
from shikong.store.settings import StoreSettings
from shikong.tiles import matrix, overview_work

ROUNDS = 3
ERR = Console(stderr=True)
#: What is asked for of the service: the least share of nginx's rate; how much longer than one of zoom 14 a tile of the
#: whole city may take, and its bytes; how much longer than rio-tiler's a picture may take.
NGINX, WHOLE, BYTES, PICTURE = 0.5, 3.0, 500_000, 1.2

_NGINX = """
worker_processes 1;
daemon off;
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    sendfile on;
    tcp_nopush on;
    default_type application/vnd.mapbox-vector-tile;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {folder}/www; keepalive_requests 1000000; }}
}}
"""


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=9, help="seconds per server and measure (default 9)")
    options = parser.parse_args()
    if shutil.which("nginx") is None:
        raise SystemExit("nginx is not installed: apt-get install nginx-light")
    data = Path(os.environ.get("SHIKONG_BENCH_DATA") or servers.ROOT / "var/bench").resolve()
    cluster = city_table.prepare(data, "city", _say)
    try:
        with tempfile.TemporaryDirectory(prefix="shikong-bench-") as folder:
            _run(cluster.dsn_of(city_table.DATABASE), Path(folder), options.seconds)
    finally:
        cluster.stop()


def _run(dsn: str, folder: Path, seconds: float) -> None:
    _merge(dsn, folder)
    table = Table("measure", "server", title="tiles of one 500,000-polygon table, 8 clients")
    for column in ("requests/s", "p50 ms", "bytes (mean)", "ratio", "goal"):
        table.add_column(column, justify="right")
    with psycopg.connect(dsn) as conn:
        kept = questions.tiles(conn, 14)
    low = {zoom: _city_tiles(zoom) for zoom in (8, 9, 10)}
    with servers.running(dsn, folder, ["shikong"], "") as (cold,):
        fourteen = _ask(cold.port, [cold.tile(tile.z, tile.x, tile.y) for tile in kept], seconds)
        _row(table, "z14, cut anew", "shikong", fourteen)
        for zoom, tiles in low.items():
            sizes = {path: len(servers.get(cold.port, path)) for path in (cold.tile(zoom, *tile) for tile in tiles)}
            timing = _ask(cold.port, [path for path, size in sizes.items() if size], seconds / 3)
            cost, most = timing.percentile(0.5) / fourteen.percentile(0.5), max(sizes.values())
            told = f"{cost:.2f} x z14's time", _mark(cost <= WHOLE, WHOLE)
            _row(table, f"z{zoom}, whole city", "shikong", timing, *told)
            _say(f"z{zoom}: {len(tiles)} tiles, the largest has {most:,} bytes {_mark(most <= BYTES, BYTES)}")
    with servers.running(dsn, folder, ["shikong"], "", keeping=True) as (ours,), _nginx(folder) as port:
        paths = [ours.tile(tile.z, tile.x, tile.y) for tile in kept]
        files = []
        for number, path in enumerate(paths):
            (folder / "www" / f"{number}.mvt").write_bytes(servers.get(ours.port, path))
            files.append(f"/{number}.mvt")
        mine, theirs = Timing(), Timing()
        for _ in range(ROUNDS):
            mine.add(_ask(ours.port, paths, seconds / ROUNDS))
            theirs.add(_ask(port, files, seconds / ROUNDS))
        ratio = mine.rate / theirs.rate
        _row(table, "z14, kept", "shikong", mine, f"{ratio:.2f} x nginx", _mark(ratio >= NGINX, NGINX))
        _row(table, "", "nginx", theirs)
    _pictures(dsn, folder, table, seconds)
    Console(width=120).print(table)


def _pictures(dsn: str, folder: Path, table: Table, seconds: float) -> None:
    """Pictures of elevation, made anew, beside those that rio-tiler makes of the same file."""
    data = folder / "shikong-data"
    store = Database(StoreSettings(data=data, database_url=dsn, statement_timeout=600, pool_size=4))
    source = servers.ROOT / "var/bench/city-city/elevation.tif"
    ingest(store, catalog.default(), source, "elevation", Options(origin="generated"), lambda *_: None)
    store.close_threads()
    (folder / "elevation.tif").symlink_to(places.current(data, catalog.default().layer("elevation")))
    asked = [(zoom, *tile) for zoom in (10, 11, 12) for tile in _city_tiles(zoom)][::7]
    mine, theirs = Timing(), Timing()
    with servers.running(dsn, folder, ["shikong", "minimal"], "") as (ours, bare):
        base = "/collections/elevation/map/tiles/WebMercatorQuad"
        for _ in range(ROUNDS):
            paths = [f"{base}/{zoom}/{row}/{column}?f=png&style=elevation" for zoom, column, row in asked]
            mine.add(_ask(ours.port, paths, seconds / ROUNDS))
            theirs.add(_ask(bare.port, [f"/pictures/{z}/{x}/{y}" for z, x, y in asked], seconds / ROUNDS))
    cost = theirs.rate / mine.rate
    _row(table, "elevation, made anew", "shikong", mine, f"{cost:.2f} x its time", _mark(cost <= PICTURE, PICTURE))
    _row(table, "", "rio-tiler", theirs)


def _merge(dsn: str, folder: Path) -> None:
    """Make the merged tiles, as a load does when it has published."""
    store = Database(StoreSettings(data=folder / "data", database_url=dsn, statement_timeout=600, pool_size=4))
    begun = time.monotonic()
    number = overview_work.build(store, city_table.layer(), lambda done, total: None)
    _say(f"{number} merged tiles are there (made in {time.monotonic() - begun:.0f} s, unless they were)")
    store.close_threads()


def _city_tiles(zoom: int) -> list[tuple[int, int]]:
    """Columns and rows that the city reaches at a zoom."""
    [limit] = matrix.limits("WebMercatorQuad", range(zoom, zoom + 1), (115.3, 35.8, 116.5, 37.0))
    return [
        (column, row)
        for row in range(limit["minTileRow"], limit["maxTileRow"] + 1)
        for column in range(limit["minTileCol"], limit["maxTileCol"] + 1)
    ]


@contextmanager
def _nginx(folder: Path) -> Iterator[int]:
    port = servers.free_port()
    (folder / "www").mkdir()
    folder.chmod(0o755)  # its worker has another user
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port), encoding="utf-8")
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        process.wait()


def _ask(port: int, paths: list[str], seconds: float) -> Timing:
    """Ask for some seconds, after each path was asked for once."""
    asked = [Question(path, bool) for path in paths]
    uvloop.run(run_round(port, asked, 0.3, 0))
    return uvloop.run(run_round(port, asked, seconds, 0))


def _row(table: Table, name: str, server: str, timing: Timing, ratio: str = "", goal: str = "") -> None:
    mean = timing.received / len(timing.latencies)
    table.add_row(name, server, f"{timing.rate:.1f}", f"{timing.percentile(0.5):.2f}", f"{mean:,.0f}", ratio, goal)


def _mark(reached: bool, goal: float) -> str:
    return f"{'✓' if reached else '✗'} {goal:g}"


def _say(text: str) -> None:
    ERR.print(f"[cyan]▸[/] {text}")


if __name__ == "__main__":
    main()
