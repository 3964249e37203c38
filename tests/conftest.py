"""What tests share: a real PostGIS of their own, a database each, the sample city, a running server.

The cluster is private to the test run (no port, no durability) and every database is a copy of a
template, so that tests neither wait for nor see each other.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from shikong.cli import console, tiles
from shikong.cli.data import load_sample
from shikong.layers import catalog
from shikong.processes.warnings.watch import Watch
from shikong.samples import city
from shikong.store import database, migrate, tables
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from shikong.store.principal import Principal, acting_as
from support.loads import settings_for

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"

for name in [name for name in os.environ if name.startswith(("SHIKONG_", "DATABASE_URL", "PG"))]:
    del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def wide_tables() -> None:
    """Commands write wide tables, whatever the terminal of the test run: words are not cut."""
    console.out.width = console.err.width = 300


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The test run's own PostGIS."""
    home = Path(tempfile.mkdtemp(prefix="shikong-test-"))
    home.chmod(0o755)
    found = Cluster(home / "postgres", home / "socket", durable=False)
    found.ensure_running()
    yield found
    found.stop()
    shutil.rmtree(home, ignore_errors=True)


def _create(cluster: Cluster, name: str, template: str = "template1") -> str:
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        # By files, for the template is small: the usual way writes all of it into the log.
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return cluster.dsn_of(name)


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """A migrated, empty database with every layer's tables."""
    dsn = _create(cluster, "shikong_template")
    migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        for layer in catalog.default():
            tables.ensure(conn, layer)
    return "shikong_template"


@pytest.fixture
def empty_store(cluster: Cluster, template: str, tmp_path: Path) -> Iterator[Database]:
    """A store without data, for this test alone."""
    name = f"t{uuid.uuid4().hex[:12]}"
    store = Database(settings_for(_create(cluster, name, template), tmp_path / "data"))
    yield store
    store.close_threads()
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:  # hundreds of them are gigabytes
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def make_store(cluster: Cluster, template: str) -> Iterator[Callable[[Path], Database]]:
    """Makes stores without data for the tests of a module; they end with the run."""
    made: list[Database] = []

    def make(data: Path) -> Database:
        made.append(Database(settings_for(_create(cluster, f"t{uuid.uuid4().hex[:12]}", template), data)))
        return made[-1]

    yield make
    for store in made:
        store.close_threads()


@dataclass(frozen=True)
class SampleCity:
    """The tiny sample city, loaded."""

    dsn: str
    data: Path
    files: Path


@pytest.fixture(scope="session")
def sample_city(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> SampleCity:
    """The tiny sample city in a database and data folder of its own. Tests only read it."""
    dsn = _create(cluster, "shikong_sample", template)
    files, data = tmp_path_factory.mktemp("city"), tmp_path_factory.mktemp("data")
    city.generate("tiny", files)
    store = Database(settings_for(dsn, data))
    with pytest.MonkeyPatch.context() as patch:
        # Low zooms of two layers take half a minute; who asks for one has it made then.
        patch.setattr(tiles, "merge", lambda *_: None)
        load_sample(files, store)
    with acting_as(Principal("worker:test", ("worker",))):  # what a worker would have found by now
        Watch(store, catalog.default()).once(datetime.now(UTC))
    store.close_threads()
    return SampleCity(dsn, data, files)


@pytest.fixture
def as_default(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Path], Database]]:
    """Makes a database and a data folder the process-wide store, as plugins and commands see it, for this test."""

    def make(dsn: str, data: Path) -> Database:
        monkeypatch.setenv("DATABASE_URL", dsn)
        monkeypatch.setenv("SHIKONG_DATA", str(data))
        database.default.cache_clear()
        return database.default()

    yield make
    database.default().close_threads()
    database.default.cache_clear()


@pytest.fixture
def sample_store(sample_city: SampleCity, as_default: Callable[[str, Path], Database]) -> Database:
    """The sample city as the process-wide store."""
    return as_default(sample_city.dsn, sample_city.data)


@dataclass(frozen=True)
class Service:
    """A running server."""

    url: str
    data: Path
    process: subprocess.Popen[bytes]
    log: Path


def start_service(dsn: str, data: Path, log: Path, **settings: str) -> Service:
    """Start a server on a free port of the loopback interface and wait until it answers.

    settings: more of the environment.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": dsn, "SHIKONG_DATA": str(data), "SHIKONG_PORT": str(port),
        "SHIKONG_URL": f"http://127.0.0.1:{port}", "PYGEOAPI_CONFIG": str(ROOT / "pygeoapi-config.yml"),
        **settings,
    }  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "shikong.cli.main", "serve"], env=environment, stdout=file, stderr=file, cwd=data
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/conformance", timeout=2):
                return Service(url, data, process, log)
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"the server did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


def stop_service(service: Service) -> None:
    """Stop a server and wait for its end."""
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(timeout=60)


@pytest.fixture(scope="session")
def service(sample_city: SampleCity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server over the sample city, for the whole run."""
    running = start_service(sample_city.dsn, sample_city.data, tmp_path_factory.mktemp("log") / "server.log")
    yield running
    stop_service(running)


@pytest.fixture(scope="session")
def run_service() -> Callable[..., AbstractContextManager[Service]]:
    """Runs a server for as long as a context lasts, for the tests of one module."""

    @contextmanager
    def run(dsn: str, data: Path, **settings: str) -> Iterator[Service]:
        running = start_service(dsn, data, data / "server.log", **settings)
        try:
            yield running
        finally:
            stop_service(running)

    return run


@pytest.fixture
def make_service() -> Iterator[Callable[[str, Path], Service]]:
    """Starts servers that a test needs for itself; they end with the test."""
    started: list[Service] = []

    def make(dsn: str, data: Path) -> Service:
        started.append(start_service(dsn, data, data / "server.log"))
        return started[-1]

    yield make
    for running in started:
        stop_service(running)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real files beside the project; tests on it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data at {SHARED}: tests on real files are not run")
    return SHARED
