"""What integration tests of jobs share: worker processes, and a layer that has a release already.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shikong.store.database import Database
from support.editing import DAY, Editor, write_parcels, write_zones
from support.loads import dsn_of, load, write_districts

WORKER = Path(__file__).with_name("job_worker.py")
QUICK = {"heartbeat": 0.3, "silent_for": 1.5, "grace": 0.5, "still_for": 1.0, "look": 0.2}


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts worker processes; they end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(store: Database, sources: dict[str, Any] | None = None, **timing: float) -> subprocess.Popen[str]:
        log = (tmp_path / f"worker{len(started)}.log").open("wb")
        arguments = [str(store.settings.database_url), str(store.settings.data), json.dumps(QUICK | timing),
                     json.dumps(sources or {})]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, str(WORKER), *arguments], stdout=subprocess.PIPE, stderr=log, text=True
        )
        log.close()
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def default_store(empty_store: Database, as_default: Callable[[str, Path], Database]) -> Database:
    """A store without data that is the process-wide one, for this test alone."""
    as_default(dsn_of(empty_store), empty_store.settings.data)
    return empty_store


@pytest.fixture
def loaded(empty_store: Database, tmp_path: Path) -> Database:
    """A store with an old release of districts."""
    load(empty_store, write_districts(tmp_path / "old.gpkg", 20, "旧"), "districts")
    return empty_store


@pytest.fixture(scope="module")
def edited_store(make_store: Callable[[Path], Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Forty parcels (with versions) and forty zones (without), for the tests of a module."""
    folder = tmp_path_factory.mktemp("editing")
    store = make_store(folder)
    load(store, write_parcels(folder / "parcels.gpkg", 40), "parcels", valid_from=DAY)
    load(store, write_zones(folder / "zones.gpkg", 40), "planning_zones")
    return store


@pytest.fixture(scope="module")
def editor(edited_store: Database, run_service: Callable[..., Any]) -> Iterator[Editor]:
    """A client of a server on which editing is open."""
    dsn = edited_store.settings.database_url
    assert dsn is not None
    with run_service(dsn, edited_store.settings.data, SHIKONG_EDITING="open") as service:
        client = Editor(service.url, dsn)
        yield client
        client.http.close()
