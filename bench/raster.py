"""How fast does a large raster become a published COG beside `gdal_translate -of COG`?

Both write the same file with the same creation options, in turns; the service besides looks for a value, keeps the
file's digest, validates the result and publishes it. Run by `make bench-raster`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import psycopg
import rasterio
import servers
from rasterio.transform import from_bounds
from rich.console import Console
from rich.table import Table

from shikong.ingest import raster
from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.store import cluster, migrate
from shikong.store.database import Database
from shikong.store.settings import StoreSettings

DATABASE = "bench_raster"
BLOCK = 512
ERR = Console(stderr=True)


def main() -> None:
    """Make the raster, convert it in turns, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    data = Path(os.environ.get("SHIKONG_BENCH_DATA") or servers.ROOT / "var/bench").resolve()
    source = _raster(data / f"terrain_{options.gigabytes:g}.tif", options.gigabytes)
    running = cluster.private(data)
    running.ensure_running()
    seconds: dict[str, list[float]] = {"gdal_translate -of COG": [], "shikong ingest": []}
    try:
        for _ in range(options.rounds):
            seconds["gdal_translate -of COG"].append(_gdal(source, data / "peer.tif"))
            seconds["shikong ingest"].append(_ours(running.dsn_of("postgres"), running.dsn_of(DATABASE), data, source))
    finally:
        running.stop()
    best = {name: min(times) for name, times in seconds.items()}
    table = Table(
        "work", "seconds", "it / gdal_translate", title=f"{options.gigabytes:g} GB to a COG", title_justify="left"
    )
    for name, taken in best.items():
        table.add_row(name, f"{taken:.0f}", f"{taken / best['gdal_translate -of COG']:.2f}")
    Console(width=100).print(table)


def _raster(path: Path, gigabytes: float) -> Path:
    """Terrain with noise, so that it compresses as real elevations do."""
    if path.exists():
        return path
    side = int((gigabytes * 1e9 / 4) ** 0.5) // BLOCK * BLOCK
    chance = np.random.default_rng(371500)
    unfinished = path.with_suffix(".part.tif")
    with rasterio.open(
        unfinished, "w", driver="GTiff", width=side, height=side, count=1, dtype="float32",
        nodata=-9999, crs="EPSG:4490",
        transform=from_bounds(115.3, 36.0, 116.6, 37.0, side, side), tiled=True, blockxsize=BLOCK, blockysize=BLOCK,
        bigtiff="YES",
    ) as out:  # fmt: skip
        for _, window in out.block_windows(1):
            rows = np.arange(window.row_off, window.row_off + window.height)[:, None]
            columns = np.arange(window.col_off, window.col_off + window.width)[None, :]
            ground = 35 + 10 * np.sin(rows / 900) * np.cos(columns / 700)
            noise = chance.normal(0, 0.05, (window.height, window.width))
            out.write(np.round(ground + noise, 2).astype(np.float32), 1, window=window)
    unfinished.rename(path)
    return path


def _gdal(source: Path, target: Path) -> float:
    given = [word for name, value in raster.COG.items() for word in ("-co", f"{name.upper()}={value}")]
    begun = time.perf_counter()
    subprocess.run(["gdal_translate", "-q", "-of", "COG", *given, str(source), str(target)], check=True)
    taken = time.perf_counter() - begun
    target.unlink()
    ERR.print(f"[cyan]▸[/] gdal_translate: {taken:.0f} s")
    return taken


def _ours(admin: str, dsn: str, data: Path, source: Path) -> float:
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        conn.execute(f"CREATE DATABASE {DATABASE}")
    migrate.migrate(dsn)
    place = data / "raster-store"
    store = Database(StoreSettings(data=place, database_url=dsn, statement_timeout=60, pool_size=2))
    begun = time.perf_counter()
    try:
        ingest(store, catalog.default(), source, "elevation", Options(origin="generated"), lambda *_: None)
    finally:
        store.close_threads()
    taken = time.perf_counter() - begun
    shutil.rmtree(place)
    ERR.print(f"[cyan]▸[/] shikong ingest: {taken:.0f} s")
    return taken


if __name__ == "__main__":
    main()
