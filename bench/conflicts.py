"""How fast are two plans of 100,000 surfaces each laid over each other, and brought up to date after a change?

The overlay alone beside geopandas.overlay and beside one query with ST_Intersection over indexed tables; with one and
with two threads, and with one and two workers of a Dask cluster, each a process that gets its surfaces by wire; then
whole runs of the conflict engine, from tables to a published layer, beside a run after 1 % of one plan has changed. The
two plans are irregular cells that fill the same square, so that nothing can be left out.
Run by `make bench-conflicts`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg
import servers
import shapely
from distributed import Client, LocalCluster
from rich.console import Console
from rich.table import Table
from times import Times

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import ConflictRules
from shikong.processes.conflicts import runs
from shikong.processes.overlay import kernel
from shikong.processes.overlay.kernel import Shapes
from shikong.processes.overlay.spread import Spread
from shikong.store import cluster, migrate
from shikong.store.database import Database
from shikong.store.settings import StoreSettings

DATABASE = "bench_conflicts"
PLACE, SIDE = np.array([115.5, 36.0]), 1.0
PLANS = ("urban_growth_boundary", "permanent_farmland")
ERR = Console(stderr=True)

_INTERSECTION = """
    CREATE TEMPORARY TABLE pieces AS
    SELECT a.id AS a, b.id AS b, st_collectionextract(st_intersection(a.geom, b.geom), 3) AS geom
    FROM plan_a AS a JOIN plan_b AS b ON st_intersects(a.geom, b.geom)
"""


def main() -> None:
    """Make the plans, measure in turns, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="surfaces in each plan (default 100,000)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--without", action="append", default=[], choices=("overlay", "runs"), help="leave this out")
    options = parser.parse_args()
    data = Path(os.environ.get("SHIKONG_BENCH_DATA") or servers.ROOT / "var/bench").resolve()
    first, second = cells(options.size, 1), cells(options.size, 2)
    pairs = len(kernel.meeting(first, second))
    ERR.print(f"{len(first):,} and {len(second):,} surfaces, {pairs:,} pairs of boxes that meet")
    times = Times()
    running = cluster.private(data)
    running.ensure_running()
    try:
        if "overlay" not in options.without:
            pieces = _overlays(running.dsn_of("postgres"), first, second, times, options.rounds)
            _show_overlays(times, pieces, pairs)
        if "runs" not in options.without:
            _engine(running.dsn_of("postgres"), data, (first, second), times)
    finally:
        running.stop()


def cells(number: int, seed: int) -> Shapes:
    """Irregular cells that fill a square; edges in common have the same corners, a dozen or two a cell."""
    rng = np.random.default_rng(seed)
    box = shapely.box(*PLACE, *(PLACE + SIDE))
    points = shapely.multipoints(rng.random((number, 2)) * SIDE + PLACE)
    found = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=box)), box)
    step = SIDE / np.sqrt(number) / 4
    many = shapely.segmentize(found, step)
    moved = np.asarray(shapely.transform(many, lambda xy: _shaken(xy, step * 0.3, seed)), dtype=object)
    return moved[shapely.is_valid(moved)]


def _shaken(xy: Any, by: float, seed: int) -> Any:
    """Corners moved a little, each always in the same way, wherever it comes."""
    at = np.round(xy, 12) - PLACE
    east = np.sin(at[:, 0] * 12.9898e4 * seed + at[:, 1] * 78.233e4) * 43758.5453
    north = np.sin(at[:, 0] * 39.346e4 + at[:, 1] * 11.135e4 * seed) * 24634.6345
    return xy + (np.column_stack([east, north]) % 1 - 0.5) * by


def _overlays(admin: str, first: Shapes, second: Shapes, times: Times, rounds: int) -> int:
    """The overlay by each, in turns; returns how many pieces there are, which all have to agree on."""
    frames = [gpd.GeoDataFrame({"id": range(len(s))}, geometry=s, crs=4490) for s in (first, second)]
    found: dict[str, tuple[int, float]] = {}
    for _ in range(rounds):
        with times.of("geopandas.overlay"):
            pieces = gpd.overlay(*frames, how="intersection", keep_geom_type=True)
        found["geopandas"] = len(pieces), float(pieces.geometry.area.sum())
        for workers in (1, 2):
            with times.of(f"shikong, {workers} threads"):
                ours = Spread(workers).overlay("shared", first, second, lambda done, total: None)
            found[f"shikong {workers}"] = len(ours), float(shapely.area(ours.shapes).sum())
            with _workers(workers) as client, times.of(f"shikong, {workers} Dask workers"):
                ours = Spread(client=client).overlay("shared", first, second, lambda done, total: None)
            found[f"Dask {workers}"] = len(ours), float(shapely.area(ours.shapes).sum())
    with psycopg.connect(_fresh(admin), autocommit=True) as conn:
        _tables(conn, first, second)
        with times.of("one query, ST_Intersection"):
            conn.execute(_INTERSECTION)
        row = conn.execute("SELECT count(*), sum(st_area(geom)) FROM pieces WHERE NOT st_isempty(geom)").fetchone()
    assert row is not None
    found["PostGIS"] = row[0], row[1]
    numbers, areas = zip(*found.values(), strict=True)
    assert len(set(numbers)) == 1, found
    assert max(areas) / min(areas) - 1 < 1e-9, found
    return numbers[0]


@contextmanager
def _workers(number: int) -> Iterator[Client]:
    """A cluster of worker processes, ready to work."""
    with (
        LocalCluster(n_workers=number, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as running,
        Client(running, set_as_default=False) as client,
    ):
        client.wait_for_workers(number)
        yield client


def _tables(conn: psycopg.Connection[Any], first: Shapes, second: Shapes) -> None:
    for name, shapes in (("plan_a", first), ("plan_b", second)):
        conn.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, geom geometry (Geometry, 4490))".encode())
        with conn.cursor().copy(f"COPY {name} FROM STDIN".encode()) as copy:
            for number, wkb in enumerate(shapely.to_wkb(shapely.set_srid(shapes, 4490), hex=True, include_srid=True)):
                copy.write_row((number, wkb))
        conn.execute(f"CREATE INDEX ON {name} USING gist (geom)".encode())
        conn.execute(f"ANALYZE {name}".encode())


def _fresh(admin: str) -> str:
    """The address of an empty database with all that a store needs."""
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        conn.execute(f"CREATE DATABASE {DATABASE}".encode())
    dsn = admin.replace("dbname=postgres", f"dbname={DATABASE}")
    migrate.migrate(dsn)
    return dsn


def _rules() -> Catalog:
    """The shipped catalogue with one rule for the two plans."""
    shipped = catalog.default()
    rules = ConflictRules(rules={"growth_on_farmland": shipped.conflicts.rules["growth_on_farmland"]})
    return replace(shipped, conflicts=rules)


def _engine(admin: str, data: Path, plans: tuple[Shapes, Shapes], times: Times) -> None:
    """Whole runs, and one after a change."""
    store = Database(StoreSettings(data=data, database_url=_fresh(admin), statement_timeout=600, pool_size=4))
    city = _rules()
    for layer, shapes in zip(PLANS, plans, strict=True):
        _load(store, data, layer, shapes, "replace")
    silent: Callable[[int, int], None] = lambda done, total: None  # noqa: E731
    with times.of("first run"):
        first = runs.update(store, city, silent)
    with times.of("a run over all again"):
        assert runs.update(store, city, silent, whole=True).release is None
    rng = np.random.default_rng(3)
    changed = np.sort(rng.choice(len(plans[1]), len(plans[1]) // 100, replace=False))
    moved = plans[1].copy()
    moved[changed] = shapely.buffer(moved[changed], -0.0002)
    changed = changed[~shapely.is_empty(moved[changed])]
    _load(store, data, PLANS[1], moved, "update", changed)
    with times.of("after 1 % changed"):
        after = runs.update(store, city, silent)
    assert not after.whole
    assert runs.update(store, city, silent, whole=True).release is None, "a run over all finds something else"
    table = Table("work", "seconds", "conflicts", "first run / it", "run over all / it", "goal", title="runs")
    whole = times.best("a run over all again")
    conflicts = {"first run": first.found, "a run over all again": first.found, "after 1 % changed": after.found}
    for name, found in conflicts.items():
        best = times.best(name)
        goal = "" if name != "after 1 % changed" else ("✓" if whole / best >= 30 else "✗") + " 30"
        ratio = times.best("first run") / best, whole / best
        table.add_row(name, f"{best:.2f}", f"{found:,}", f"{ratio[0]:.1f}", f"{ratio[1]:.1f}", goal)
    Console().print(table)
    store.close_threads()


def _load(store: Database, data: Path, layer: str, shapes: Shapes, mode: Any, only: Any = None) -> None:
    number = np.arange(len(shapes)) if only is None else only
    path = data / f"{layer}.gpkg"
    path.unlink(missing_ok=True)
    frame = gpd.GeoDataFrame({"code": [f"P{n:06}" for n in number]}, geometry=shapes[number], crs=4490)
    frame.to_file(path, driver="GPKG")
    ingest(store, catalog.default(), path, layer, Options(origin="generated", mode=mode), lambda done, total: None)


def _show_overlays(times: Times, pieces: int, pairs: int) -> None:
    ours = times.best("shikong, 2 threads")
    goals = {"geopandas.overlay": 2.0, "one query, ST_Intersection": 5.0, "shikong, 1 threads": None,
             "shikong, 2 Dask workers": None, "shikong, 1 Dask workers": None}  # fmt: skip
    table = Table("overlay", "seconds", "it / ours", "goal", title=f"{pieces:,} pieces of {pairs:,} pairs")
    table.add_row("shikong, 2 threads", f"{ours:.2f}", "", "")
    for name, goal in goals.items():
        ratio = times.best(name) / ours
        mark = "" if goal is None else f"{'✓' if ratio >= goal else '✗'} {goal:g}"
        table.add_row(name, f"{times.best(name):.2f}", f"{ratio:.2f}", mark)
    Console().print(table)
    for name in ("2 threads", "1 Dask workers", "2 Dask workers"):
        Console().print(f"a million pieces: {times.best(f'shikong, {name}') / pieces * 1e6:.1f} s with {name}")


if __name__ == "__main__":
    main()
