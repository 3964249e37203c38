"""What tests of loads share: a source to load, what is published, and holding a load in its middle.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import psycopg
import shapely

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.ingest.report import Report
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.store.database import Database
from shikong.store.settings import StoreSettings


def load(store: Database, source: Path | str, layer: str, city: Catalog | None = None, **options: Any) -> Report:
    """Load a source into a layer of the shipped catalogue, or of another."""
    return ingest(store, city or catalog.default(), source, layer, Options(**options), lambda done, total: None)


def write_districts(path: Path, number: int, name: str = "街道") -> Path:
    """A source of districts: squares in a row."""
    boxes = [shapely.box(115.5 + i % 50 * 0.01, 36.2 + i // 50 * 0.01, 115.509 + i % 50 * 0.01, 36.209 + i // 50 * 0.01)
             for i in range(number)]  # fmt: skip
    codes = [f"37150{i:05}" for i in range(number)]
    gpd.GeoDataFrame(
        {"xzqdm": codes, "xzqmc": [f"{name}{i}" for i in range(number)]}, geometry=boxes, crs=4490
    ).to_file(path)
    return path


def write_county(path: Path) -> Path:
    """A source of one county, 115.8 to 116.2° E and 36.3 to 36.6° N."""
    columns = {"xzqdm": ["371502"], "xzqmc": ["东昌府区"], "level": ["county"]}
    gpd.GeoDataFrame(columns, geometry=[shapely.box(115.8, 36.3, 116.2, 36.6)], crs=4490).to_file(path)
    return path


def settings_for(dsn: str, data: Path) -> StoreSettings:
    """Store settings for a test's database and data folder."""
    return StoreSettings(data=data, database_url=dsn, statement_timeout=30, pool_size=4)


def dsn_of(store: Database) -> str:
    """The address of a test's database."""
    assert store.settings.database_url is not None
    return store.settings.database_url


def wait_for(done: Callable[[], Any], what: str, seconds: float = 120) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.05)


def published(dsn: str) -> tuple[Any, ...]:
    """Everything that a load of districts publishes, as one value."""
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            "SELECT (SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM data.districts AS t),"
            " (SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM data.districts__history AS t),"
            " (SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM data.districts__block AS t),"
            " (SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM shikong.release AS t),"
            " (SELECT count(*) FROM shikong.quarantine)"
        ).fetchone()
    assert row is not None
    return row


def names(dsn: str) -> set[str]:
    """The kinds of names of the published districts, without their numbers."""
    with psycopg.connect(dsn) as conn:
        return {name.rstrip("0123456789") for (name,) in conn.execute("SELECT xzqmc FROM data.districts").fetchall()}


@contextmanager
def blocked(dsn: str) -> Iterator[Callable[[], bool]]:
    """Hold every load of districts in the middle of its transaction; yields whether one hangs there now."""
    waiting = (
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
        " AND relation = 'data.districts'::regclass)"
    )
    with psycopg.connect(dsn) as holder, psycopg.connect(dsn, autocommit=True) as conn:
        holder.execute("LOCK TABLE data.districts IN EXCLUSIVE MODE")  # readers go on
        yield lambda: bool(conn.execute(waiting.encode()).fetchone() == (True,))


def waits_for_layer(dsn: str) -> bool:
    """Whether something waits for another change of a layer to end."""
    with psycopg.connect(dsn) as conn:
        return conn.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        ).fetchone() == (True,)
