"""A loader that is killed at any moment leaves the old or the new state, and the same load then finishes the work.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import psycopg
import pytest
import shapely

from shikong.store.database import Database

LOADER = Path(__file__).with_name("forked_loader.py")
MOMENTS = 30
ROWS = 600

# Tables that a load writes, row for row. Sequences are left out: a number that was drawn and thrown away is no harm.
TABLES = ("data.districts", "data.districts__history", "data.districts__block", "shikong.release", "shikong.quarantine")


def deliver(path: Path, name: str, first: int) -> dict[str, tuple[str, bytes]]:
    """Write districts number `first` and following; returns what must be published: name and shape by code."""
    numbers = range(first, first + ROWS)
    shapes = [
        shapely.box(115.5 + i % 50 * 0.01, 35.9 + i // 50 * 0.01, 115.509 + i % 50 * 0.01, 35.909 + i // 50 * 0.01)
        for i in numbers
    ]
    codes = [f"37150{i:05}" for i in numbers]
    called = [name if i % 2 else "同" for i in numbers]
    gpd.GeoDataFrame({"xzqdm": codes, "xzqmc": called}, geometry=shapes, crs=4490).to_file(path)
    normal = [shapely.normalize(shapely.MultiPolygon([shape])).wkb for shape in shapes]
    return dict(zip(codes, zip(called, normal, strict=True), strict=True))


class State:
    """What stands in the database."""

    def __init__(self, dsn: str) -> None:
        with psycopg.connect(dsn) as conn:
            self.tables = {
                table: conn.execute(
                    f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} AS t".encode()
                ).fetchone()
                for table in TABLES
            }
            rows = conn.execute("SELECT xzqdm, xzqmc, st_asbinary(geom) FROM data.districts").fetchall()
            self.releases = conn.execute("SELECT count(*) FROM shikong.release").fetchall()[0][0]
        self.rows = {code: (name, shapely.normalize(shapely.from_wkb(bytes(shape))).wkb) for code, name, shape in rows}


def settled(dsn: str) -> State:
    """The state when no loader's backend is at work any more: one may still be committing."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        deadline = time.monotonic() + 60
        while conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shikong' AND datname = current_database()"
        ).fetchone() != (0,):
            assert time.monotonic() < deadline, "the backend of a killed loader goes on"
            time.sleep(0.01)
    return State(dsn)


class Loader:
    """Loads files in processes of their own, killed when asked to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def load(self, path: Path, kill_after: float | None = None) -> bool:
        """Load a file; whether the load came to its end."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{'-' if kill_after is None else kill_after} {path}\n")
        self._process.stdin.flush()
        status = int(self._line())
        assert status in (0, signal.SIGKILL)
        return status == 0


@pytest.fixture
def loader(empty_store: Database, tmp_path: Path) -> Iterator[Loader]:
    """A loader into the test's database."""
    arguments = [str(empty_store.settings.database_url), str(tmp_path)]
    process = subprocess.Popen([sys.executable, str(LOADER), *arguments], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    yield Loader(process)
    process.communicate()


def test_a_load_killed_at_random_moments_is_whole_or_nothing(
    empty_store: Database, loader: Loader, tmp_path: Path
) -> None:
    dsn = str(empty_store.settings.database_url)
    sources: list[tuple[Path, Any]] = []
    for name, first in (("旧", 0), ("新", 100)):
        path = tmp_path / f"{name}.gpkg"
        sources.append((path, deliver(path, name, first)))
    assert loader.load(sources[0][0])
    started = time.monotonic()
    assert loader.load(sources[1][0])
    lasts = time.monotonic() - started
    chance, interrupted = random.Random(371500), 0
    for moment in range(MOMENTS):
        path, wanted = sources[moment % 2]
        before = State(dsn)
        ended = loader.load(path, kill_after=chance.uniform(0, lasts))
        after = settled(dsn)
        if after.releases == before.releases:
            assert not ended
            assert after.tables == before.tables, f"moment {moment}: no release, and yet something has changed"
            interrupted += 1
        else:
            assert after.releases == before.releases + 1
            assert after.rows == wanted, f"moment {moment}: a release, but not what was delivered"
        assert loader.load(path)
        assert State(dsn).rows == wanted, f"moment {moment}: the same load has not finished the work"
    assert interrupted > MOMENTS / 2, "too few of the loads were interrupted for this to prove anything"


def test_a_first_load_killed_at_random_moments_is_whole_or_nothing(
    empty_store: Database, loader: Loader, tmp_path: Path
) -> None:
    dsn = str(empty_store.settings.database_url)
    path = tmp_path / "first.gpkg"
    wanted = deliver(path, "新", 0)
    started = time.monotonic()
    assert loader.load(path)
    lasts = time.monotonic() - started
    chance, interrupted = random.Random(371501), 0
    for moment in range(MOMENTS // 2):
        with psycopg.connect(dsn) as conn:
            conn.execute(f"TRUNCATE {', '.join(TABLES[:4])} CASCADE".encode())
        if not loader.load(path, kill_after=chance.uniform(0, lasts)):
            after = settled(dsn)
            if not after.releases:
                assert not after.rows, f"moment {moment}: rows without a release"
                interrupted += 1
            loader.load(path)
        assert State(dsn).rows == wanted, f"moment {moment}"
    with psycopg.connect(dsn) as conn:
        left = conn.execute("SELECT relname FROM pg_class WHERE relname LIKE '%\\_\\_fresh%'").fetchall()
    assert not left, "the table that was filled aside is still there"
    assert interrupted > MOMENTS / 4
