"""How long does a site check take in a whole city, and how much longer when many ask at once?

Half a million parcels, all other layers of the sample city, and copies of its plans, so that there are 30 layers of
surfaces with data in them; sites of 0.3 to 300 ha anywhere in the city, for each kind of project. All of it is made and
loaded once. Run by `make bench-site-check`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import city_table
import httpx
import numpy as np
import orjson
import psycopg
import servers
import shapely
import yaml
from client import Timing
from rich.console import Console
from rich.table import Table

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.samples import city
from shikong.server import pygeoapi_config
from shikong.store import cluster, migrate
from shikong.store.database import Database
from shikong.store.settings import StoreSettings

DATABASE = "bench_sites"
SURFACES, CLIENTS = 30, 16
#: Seconds that 95 of 100 checks may take at most, and how many times that when 16 ask at once.
QUICK, AT_ONCE = 2.0, 8.0
ERR = Console(stderr=True)


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=200, help="checks by one client, and by all 16 (default 200)")
    options = parser.parse_args()
    data = Path(os.environ.get("SHIKONG_BENCH_DATA") or servers.ROOT / "var/bench").resolve()
    layers = _declarations(data)
    running = cluster.private(data)
    running.ensure_running()
    try:
        known = catalog.load(layers)
        config = data / "site-check.yml"
        config.write_text(pygeoapi_config.render(known).replace(": web/", f": {servers.ROOT}/web/"), encoding="utf-8")
        dsn = _loaded(running.dsn_of("postgres"), data, known)
        questions = _questions(dsn, options.checks)
        with servers.site_check(dsn, data, layers, config) as server:
            address = f"http://127.0.0.1:{server.port}/processes/site-check/execution"
            asyncio.run(_asked(address, questions[:20], 1))
            alone, many = (asyncio.run(_asked(address, questions, clients)) for clients in (1, CLIENTS))
    finally:
        running.stop()
    _show(alone, many)


def create_app() -> Any:
    """The service with the declarations in the folder BENCH_LAYERS."""
    catalog.default = cache(lambda: catalog.load(Path(os.environ["BENCH_LAYERS"])))
    from shikong.server.app import create_app as create  # what it imports reads the declarations

    return create()


def _declarations(data: Path) -> Path:
    """The shipped declarations, with copies of those plans' that the rules do not name: SURFACES layers in all."""
    folder = data / "layers"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(catalog.HOME, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__", "schema"))
    plans = [layer for layer in _surfaces(catalog.default()) if layer.theme == "planning"]
    missing = SURFACES - len(_surfaces(catalog.default()))
    for number in range(missing):
        of = plans[number % len(plans)].id
        declared = yaml.safe_load((folder / "planning" / f"{of}.yml").read_text(encoding="utf-8"))
        name = _copy(of, number // len(plans))
        declared |= {"id": name}
        (folder / "planning" / f"{name}.yml").write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
    return folder


def _surfaces(known: Catalog) -> list[Any]:
    return [layer for layer in known if "Polygon" in (layer.geometry or "") and layer.id != "plan_conflicts"]


def _copy(name: str, number: int) -> str:
    return f"{name}_{number + 2}"


def _loaded(admin: str, data: Path, known: Catalog) -> str:
    """The address of the database in which all layers of surfaces are; loads those that are not."""
    with psycopg.connect(admin, autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            conn.execute(f"CREATE DATABASE {DATABASE}")
    dsn = admin.replace("dbname=postgres", f"dbname={DATABASE}")
    migrate.migrate(dsn)
    files = data / "city-city"
    if not (files / "detailed_plots.gpkg").exists():
        _say("generating the sample city (once)")
        city.generate("city", files, now=city_table.NOW)
    with psycopg.connect(dsn) as conn:
        there = {name for (name,) in conn.execute("SELECT DISTINCT layer FROM shikong.release").fetchall()}
    store = Database(StoreSettings(data=data, database_url=dsn, statement_timeout=3600, pool_size=2))
    sources = {path.stem: path for path in files.glob("*") if path.suffix in (".gpkg", ".fgb", ".geojson")}
    more = [known.layer(name) for name in ("heritage_sites", "land_quotas")]  # what zones name, and what is told
    for layer in more + _surfaces(known):
        if layer.id not in there:
            _say(f"loading {layer.id} (once)")
            source = sources[layer.id.rstrip("0123456789").removesuffix("_")]
            ingest(store, known, source, layer.id, Options(origin="generated"), lambda *_: None)
    store.close_threads()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("VACUUM (ANALYZE)")
    return dsn


def _questions(dsn: str, number: int) -> list[bytes]:
    """Sites around parcels that were drawn by lot, each for another kind of project."""
    rng = np.random.default_rng(7)
    with psycopg.connect(dsn) as conn:
        places = conn.execute(
            "SELECT st_x(p), st_y(p) FROM ("
            "SELECT bsm, st_pointonsurface(geom) AS p FROM data.parcels WHERE hashtext(bsm) % 997 = 0"
            ") AS s ORDER BY bsm"
        ).fetchall()
    known = catalog.default()
    assert known.site_check is not None
    projects = list(known.codes[known.site_check.projects].codes)
    asked = []
    for turn in range(number):
        lon, lat = places[rng.integers(len(places))]
        radius = np.sqrt(10 ** rng.uniform(3.5, 6.5) / np.pi) / 111_000
        corners = rng.uniform(0.7, 1.0, 12) * radius
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        ring = np.column_stack([lon + 1.24 * corners * np.cos(angles), lat + corners * np.sin(angles)])
        site = shapely.geometry.mapping(shapely.Polygon(ring))
        asked.append(orjson.dumps({"inputs": {"site": site, "project": projects[turn % len(projects)]}}))
    return asked


async def _asked(address: str, questions: Sequence[bytes], clients: int) -> Timing:
    """Ask all questions once, so many at a time."""
    timing, following = Timing(), iter(questions)
    begun = time.perf_counter()

    async def client(session: httpx.AsyncClient) -> None:
        for question in following:
            asked = time.perf_counter()
            answer = await session.post(address, content=question)
            timing.latencies.append(time.perf_counter() - asked)
            timing.received += len(answer.content)
            found = answer.raise_for_status().json()
            assert len([each for each in found["releases"].values() if each]) == SURFACES, found["releases"]

    async with httpx.AsyncClient(timeout=120, trust_env=False) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    timing.elapsed = time.perf_counter() - begun
    return timing


def _show(alone: Timing, many: Timing) -> None:
    table = Table("clients", title=f"site checks, 500,000 parcels, {SURFACES} layers of surfaces")
    for column in ("checks", "checks/s", "p50 ms", "p95 ms", "KB (mean)"):
        table.add_column(column, justify="right")
    for name, timing in (("1", alone), (str(CLIENTS), many)):
        number = len(timing.latencies)
        table.add_row(
            name, str(number), f"{timing.rate:.1f}", f"{timing.percentile(0.5):.0f}", f"{timing.percentile(0.95):.0f}",
            f"{timing.received / number / 1000:.0f}",
        )  # fmt: skip
    out = Console(width=120)
    out.print(table)
    slow, ratio = alone.percentile(0.95) / 1000, many.percentile(0.95) / alone.percentile(0.95)
    half = many.percentile(0.5) / alone.percentile(0.5)
    out.print(f"one client, p95: {slow:.2f} s {_mark(slow < QUICK, QUICK)}")
    out.print(f"{CLIENTS} clients / one: p95 {ratio:.1f} {_mark(ratio <= AT_ONCE, AT_ONCE)}, p50 {half:.1f}")


def _mark(reached: bool, goal: float) -> str:
    return f"{'✓' if reached else '✗'} {goal:g}"


def _say(text: str) -> None:
    ERR.print(f"[cyan]▸[/] {text}")


if __name__ == "__main__":
    main()
