"""A large source is prepared by processes: with the same outcome, and without leaving any behind.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import psycopg
import pytest
import shapely

from shikong.ingest import features
from shikong.ingest.errors import IngestError, WrongGeometry
from shikong.ingest.features import Options, Progress
from shikong.ingest.job import ingest
from shikong.ingest.readers import vector
from shikong.ingest.report import Report
from shikong.layers import catalog
from shikong.store.database import Database

ROWS = 300


@pytest.fixture(autouse=True)
def many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of few rows, prepared by processes however few rows there are."""
    monkeypatch.setattr(vector, "BATCH_ROWS", 20)
    monkeypatch.setattr(features, "_LEAST_FOR_PROCESSES", 1)


def _deliver(path: Path, shape: Any = shapely.box) -> Path:
    """Districts in the city; one has no name, one a key that has come before, one crosses itself."""
    edges = [(115.5 + i % 20 * 0.01, 35.9 + i // 20 * 0.01) for i in range(ROWS)]
    shapes = [shape(x, y, x + 0.009, y + 0.009) for x, y in edges]
    names = [None if i == 33 else f"区{i}" for i in range(ROWS)]
    codes = [f"37150{7 if i == 44 else i:05}" for i in range(ROWS)]
    gpd.GeoDataFrame({"xzqdm": codes, "xzqmc": names}, geometry=shapes, crs=4490).to_file(path)
    return path


def _load(store: Database, path: Path, progress: Progress = lambda *_: None) -> Report:
    return ingest(store, catalog.default(), path, "districts", Options(), progress)


def _stored(store: Database, table: str, columns: str) -> list[Any]:
    with psycopg.connect(str(store.settings.database_url)) as conn:
        return conn.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2".encode()).fetchall()


def test_processes_leave_what_threads_leave(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _deliver(tmp_path / "d.gpkg")
    by_processes = _load(empty_store, path)
    rows = _stored(empty_store, "data.districts", "xzqdm, xzqmc, _hash, _source_row, geom")
    refused = _stored(empty_store, "shikong.quarantine", "source_row, record, geom")
    assert by_processes.counts.added == ROWS - 2
    assert len(refused) == 2
    monkeypatch.setattr(features, "_LEAST_FOR_PROCESSES", ROWS + 1)
    by_threads = _load(empty_store, path)
    assert by_threads.counts.unchanged == ROWS - 2, "the digests differ"
    assert by_threads.findings == by_processes.findings
    assert _stored(empty_store, "data.districts", "xzqdm, xzqmc, _hash, _source_row, geom") == rows
    assert [row[1:] for row in _stored(empty_store, "shikong.quarantine", "id, source_row, record, geom")][
        2:
    ] == refused


def test_what_a_process_refuses_is_told_as_ever(empty_store: Database, tmp_path: Path) -> None:
    path = _deliver(tmp_path / "d.gpkg", lambda *edges: shapely.Point(edges[:2]))
    with pytest.raises(WrongGeometry, match="districts holds MultiPolygon, but the source has Point"):
        _load(empty_store, path)


def test_a_killed_process_is_told_and_nothing_is_published(empty_store: Database, tmp_path: Path) -> None:
    path = _deliver(tmp_path / "d.gpkg")

    def kill(done: int, total: int | None) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(IngestError, match="want of memory"):
        _load(empty_store, path, kill)
    assert not _stored(empty_store, "shikong.release", "id, layer")
    assert _load(empty_store, path).counts.added == ROWS - 2


def test_processes_end_with_a_killed_loader() -> None:
    script = (
        "import os, time; from shikong.ingest.workers import workers\n"
        "with workers(2, processes=True) as helpers:\n"
        "    found = {os.getpid()}\n"
        "    while len(found) < 2:\n"
        "        found.add(int(helpers.give(os.readlink, '/proc/self').result()))\n"
        "        time.sleep(0.05)\n"
        "    print(*found - {os.getpid()}, flush=True)\n"
        "    time.sleep(60)\n"
    )
    loader = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert loader.stdout is not None
    numbers = [int(number) for number in loader.stdout.readline().split()]
    assert numbers
    os.kill(loader.pid, signal.SIGKILL)
    loader.communicate()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{number}").exists() for number in numbers):
        assert time.monotonic() < deadline, "a process has outlived the load that it worked for"
        time.sleep(0.05)
