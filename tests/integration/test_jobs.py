"""Jobs with real workers: what is deferred is done once, and nothing that happens to a worker harms a layer.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import psycopg
import pytest
import shapely
from procrastinate.jobs import Job
from psycopg import sql
from typer.testing import CliRunner

from shikong.cli import main
from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.ingest.jobs import folders, loads, worker
from shikong.layers import catalog
from shikong.layers.source import SourceDecl
from shikong.store import database, jobs, migrate, queue
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from shikong.store.jobs import JobView
from shikong.store.settings import StoreSettings

WORKER = Path(__file__).with_name("job_worker.py")
QUICK = {"heartbeat": 0.3, "silent_for": 1.5, "grace": 0.5, "still_for": 1.0, "look": 0.2}


def write_districts(path: Path, number: int, name: str = "街道") -> Path:
    """A source of districts: squares in a row."""
    boxes = [shapely.box(115.5 + i % 50 * 0.01, 36.2 + i // 50 * 0.01, 115.509 + i % 50 * 0.01, 36.209 + i // 50 * 0.01)
             for i in range(number)]  # fmt: skip
    codes = [f"37150{i:05}" for i in range(number)]
    gpd.GeoDataFrame(
        {"xzqdm": codes, "xzqmc": [f"{name}{i}" for i in range(number)]}, geometry=boxes, crs=4490
    ).to_file(path)
    return path


def job_of(store: Database, number: int) -> JobView:
    """A job as it is now."""
    return jobs.the_only(number, store.thread_fetch(*jobs.one(number)))


def wait_for(done: Callable[[], Any], what: str, seconds: float = 25) -> None:
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
def loaded(empty_store: Database, tmp_path: Path) -> Database:
    """A store with an old release of districts."""
    ingest(
        empty_store,
        catalog.default(),
        write_districts(tmp_path / "old.gpkg", 20, "旧"),
        "districts",
        Options(),
        lambda *_: None,
    )
    return empty_store


def dsn_of(store: Database) -> str:
    """The address of a test's database."""
    assert store.settings.database_url is not None
    return store.settings.database_url


def run_once(store: Database) -> None:
    """Drain the queue in this process."""
    worker.run(store, catalog.default(), worker.Timing(), once=True)


def test_a_load_is_deferred_listed_and_run_by_commands(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_districts(tmp_path / "d.geojson", 10)
    monkeypatch.setenv("DATABASE_URL", dsn_of(empty_store))
    monkeypatch.setenv("SHIKONG_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    database.default.cache_clear()

    def shikong(*arguments: str) -> str:
        done = CliRunner().invoke(main.app, arguments)
        assert done.exit_code == 0, done.output
        return done.output

    assert "job 1" in shikong("ingest", str(path), "--layer", "districts", "--queue")
    listed = shikong("jobs")
    assert all(word in listed for word in ("accepted", "districts", "d.geojson", "0 %"))
    subprocess.run([sys.executable, "-m", "shikong.cli.main", "worker", "--once"], cwd=tmp_path, check=True)
    shown = shikong("jobs", "show", "1")
    assert all(word in shown for word in ("successful", "100 %", "10 of 10", "release 1: 10 rows stored"))
    for command, reason in (("cancel", "only a job that waits or runs"), ("retry", "only a failed job")):
        refused = CliRunner().invoke(main.app, ["jobs", command, "1"])
        assert refused.exit_code == 1
        assert reason in refused.output
    database.default.cache_clear()
    assert names(dsn_of(empty_store)) == {"街道"}


def test_a_source_that_is_refused_fails_at_once_and_can_be_retried(loaded: Database, tmp_path: Path) -> None:
    before = published(dsn_of(loaded))
    path = tmp_path / "bad.gpkg"
    path.write_text("no GeoPackage", encoding="utf-8")
    number = loads.defer(loaded, path, "districts", Options())
    run_once(loaded)
    job = job_of(loaded, number)
    assert (job.state, job.attempts) == ("failed", 1)
    assert "bad.gpkg" in (job.message or "")
    assert published(dsn_of(loaded)) == before
    write_districts(path, 5, "新")
    with queue.session(loaded) as conn:
        queue.retry(conn, number)
    run_once(loaded)
    assert job_of(loaded, number).state == "successful"
    assert names(dsn_of(loaded)) == {"新"}


def test_a_killed_worker_leaves_the_layer_and_another_takes_the_job_up(
    loaded: Database, tmp_path: Path, start_worker: Any
) -> None:
    dsn = dsn_of(loaded)
    before = published(dsn)
    number = loads.defer(loaded, write_districts(tmp_path / "new.gpkg", 30, "新"), "districts", Options())
    with blocked(dsn) as hangs:
        first = start_worker(loaded)
        wait_for(hangs, "the load to be in its transaction")
        assert job_of(loaded, number).state == "running"
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert published(dsn) == before
    assert published(dsn) == before
    start_worker(loaded)
    wait_for(lambda: job_of(loaded, number).state == "successful", "another worker to finish the job")
    assert names(dsn) == {"新"}
    assert job_of(loaded, number).attempts == 2


def test_a_stopped_worker_puts_a_long_load_back(loaded: Database, tmp_path: Path, start_worker: Any) -> None:
    dsn = dsn_of(loaded)
    before = published(dsn)
    number = loads.defer(loaded, write_districts(tmp_path / "new.gpkg", 30, "新"), "districts", Options())
    with blocked(dsn) as hangs:
        running = start_worker(loaded)
        wait_for(hangs, "the load to be in its transaction")
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=10) == 0
        assert job_of(loaded, number).state == "accepted"
        assert published(dsn) == before
    run_once(loaded)
    assert job_of(loaded, number).state == "successful"


def test_a_running_job_is_cancelled(loaded: Database, tmp_path: Path, start_worker: Any) -> None:
    dsn = dsn_of(loaded)
    before = published(dsn)
    path = write_districts(tmp_path / "new.gpkg", 30, "新")
    running, waiting = (loads.defer(loaded, path, "districts", Options()) for _ in range(2))
    with blocked(dsn) as hangs:
        start_worker(loaded)
        wait_for(hangs, "the load to be in its transaction")
        assert job_of(loaded, waiting).state == "accepted", "loads of one layer queue up"
        for number in (waiting, running):
            with queue.session(loaded) as conn:
                assert queue.cancel(conn, number)
        wait_for(lambda: job_of(loaded, running).state == "dismissed", "the job to stop")
        assert job_of(loaded, waiting).state == "dismissed"
    assert "nothing has changed" in (job_of(loaded, running).message or "")
    time.sleep(0.5)
    assert published(dsn) == before


def test_a_direct_load_waits_for_one_that_is_under_way(loaded: Database, tmp_path: Path, start_worker: Any) -> None:
    """While a job holds the layer, a load in another process waits; then both are published, one after the other."""
    dsn = dsn_of(loaded)
    number = loads.defer(loaded, write_districts(tmp_path / "new.gpkg", 30, "新"), "districts", Options())
    second = write_districts(tmp_path / "second.gpkg", 40, "二")
    environment = os.environ | {"DATABASE_URL": dsn, "SHIKONG_DATA": str(loaded.settings.data)}
    command = [sys.executable, "-m", "shikong.cli.main", "ingest", str(second), "--layer", "districts"]
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    with blocked(dsn) as hangs, psycopg.connect(dsn, autocommit=True) as conn:
        start_worker(loaded)
        wait_for(hangs, "the job to be in its transaction")
        direct = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: conn.execute(waits).fetchone() == (1,), "the direct load to wait")
        assert direct.poll() is None
    _, errors = direct.communicate(timeout=30)
    assert direct.returncode == 0
    assert "under way; this one waits" in errors.replace("\n", " ")
    assert job_of(loaded, number).state == "successful"
    with psycopg.connect(dsn) as conn:
        order = conn.execute("SELECT source, added, changed, ended FROM shikong.release ORDER BY id").fetchall()
    assert order == [("old.gpkg", 20, 0, 0), ("new.gpkg", 10, 20, 0), ("second.gpkg", 10, 30, 0)]


def test_a_job_that_kills_its_workers_is_given_up(loaded: Database, tmp_path: Path) -> None:
    number = loads.defer(loaded, write_districts(tmp_path / "new.gpkg", 5), "districts", Options())
    dsn = dsn_of(loaded)
    for attempt in range(1, loads.ATTEMPTS + 1):
        with psycopg.connect(dsn, options=queue.SEARCH_PATH) as conn:  # a worker that begins the job, then is gone
            assert conn.execute("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)").fetchone() == (number,)
        worker.rescue(loaded, 30)
        assert job_of(loaded, number).state == ("failed" if attempt == loads.ATTEMPTS else "accepted")
    assert "worker died" in (job_of(loaded, number).message or "")


@pytest.fixture
def durable() -> Iterator[Cluster]:
    """A cluster that the test may restart."""
    home = Path(tempfile.mkdtemp(prefix="shikong-test-"))
    home.chmod(0o755)
    found = Cluster(home / "postgres", home / "socket")
    found.ensure_running()
    yield found
    found.stop()
    shutil.rmtree(home, ignore_errors=True)


def test_a_database_that_restarts_in_the_middle_is_waited_for(
    durable: Cluster, tmp_path: Path, start_worker: Any
) -> None:
    with psycopg.connect(durable.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute("CREATE DATABASE shikong")
    migrate.migrate(durable.dsn)
    store = Database(StoreSettings(tmp_path / "data", durable.dsn, statement_timeout=30, pool_size=4))
    ingest(
        store,
        catalog.default(),
        write_districts(tmp_path / "old.gpkg", 20, "旧"),
        "districts",
        Options(),
        lambda *_: None,
    )
    before = published(durable.dsn)
    number = loads.defer(store, write_districts(tmp_path / "new.gpkg", 30, "新"), "districts", Options())
    holder = psycopg.connect(durable.dsn)
    holder.execute("LOCK TABLE data.districts IN EXCLUSIVE MODE")
    running = start_worker(store)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
    with psycopg.connect(durable.dsn, autocommit=True) as conn:
        wait_for(lambda: conn.execute(waiting).fetchone() == (1,), "the load to be in its transaction")
    durable.stop()
    holder.close()
    durable.ensure_running()
    store.close_threads()
    store = Database(store.settings)
    assert published(durable.dsn)[0] == before[0]
    wait_for(lambda: job_of(store, number).state == "successful", "the job to be tried again", 40)
    assert running.poll() is None
    assert names(durable.dsn) == {"新"}
    assert job_of(store, number).attempts > 1
    store.close_threads()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB that the cluster's account may write to."""
    place = Path(tempfile.mkdtemp(prefix="shikong-disk-"))
    place.chmod(0o755)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip("a small file system cannot be mounted here: the test of a full disk is not run")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
    place.rmdir()


def test_a_full_disk_fails_the_job_clearly_and_changes_nothing(
    cluster: Cluster, template: str, small_disk: Path, tmp_path: Path
) -> None:
    space = small_disk / "space"
    space.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(space, "postgres", "postgres")
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE TABLESPACE {name} LOCATION '{space}'".encode())
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {name}".encode())
    store = Database(StoreSettings(tmp_path / "data", cluster.dsn_of(name), statement_timeout=30, pool_size=4))
    try:
        ingest(
            store,
            catalog.default(),
            write_districts(tmp_path / "old.gpkg", 20, "旧"),
            "districts",
            Options(),
            lambda *_: None,
        )
        before = published(cluster.dsn_of(name))
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(max(0, shutil.disk_usage(small_disk).free - 1_500_000)))
        number = loads.defer(store, write_districts(tmp_path / "new.gpkg", 12_000, "新"), "districts", Options())
        run_once(store)
        job = job_of(store, number)
        assert (job.state, job.attempts) == ("failed", 1)
        assert "no room left" in (job.message or "")
        assert published(cluster.dsn_of(name)) == before
        ballast.unlink()
        with queue.session(store) as conn:
            queue.retry(conn, number)
        run_once(store)
        assert job_of(store, number).state == "successful"
        assert names(cluster.dsn_of(name)) == {"新"}
    finally:
        store.close_threads()
        with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            conn.execute(f"DROP TABLESPACE {name}".encode())


def test_a_file_in_a_watched_folder_is_taken_once_and_put_away(
    loaded: Database, tmp_path: Path, start_worker: Any
) -> None:
    inbox = loaded.settings.data / "inbox/districts"
    inbox.mkdir(parents=True)
    sources = {"districts": {"folder": "inbox/districts", "pattern": "*.gpkg"}}
    for _ in range(2):
        start_worker(loaded, sources)
    whole = write_districts(tmp_path / "d.gpkg", 30, "新").read_bytes()
    with (inbox / "d.gpkg").open("wb") as file:  # a copy over a slow network: pieces with pauses below `still_for`
        for start in range(0, len(whole), len(whole) // 5):
            file.write(whole[start : start + len(whole) // 5])
            file.flush()
            time.sleep(0.5)
    wait_for((inbox / "done/1-d.gpkg").exists, "the file to be loaded")
    report = json.loads((inbox / "done/1-d.gpkg.report.json").read_text(encoding="utf-8"))
    assert (report["release"]["source"], report["release"]["rows_stored"]) == ("d.gpkg", 30)
    assert names(dsn_of(loaded)) == {"新"}
    (inbox / "again.gpkg").write_bytes(whole)
    (inbox / "bad.gpkg").write_bytes(whole[:3000])
    (inbox / "notes.txt").write_text("left alone", encoding="utf-8")
    wait_for(lambda: list(inbox.glob("failed/*-bad.gpkg")), "the bad file to be put away")
    wait_for(lambda: list(inbox.glob("done/*-again.gpkg")), "the file that is known to be put away")
    error = json.loads(next(inbox.glob("failed/*-bad.gpkg.report.json")).read_text(encoding="utf-8"))["error"]
    assert "bad.gpkg" in error
    found = jobs.seen(loaded.thread_fetch(*jobs.listing(10)))
    assert sorted((job.source, job.state) for job in found) == [
        ("again.gpkg", "successful"), ("bad.gpkg", "failed"), ("d.gpkg", "successful"),
    ]  # fmt: skip
    assert [job.message for job in found if job.source == "again.gpkg"] == [
        "the same file as in release 2; not loaded again"
    ]
    assert sorted(path.name for path in inbox.iterdir()) == ["done", "failed", "notes.txt"]
    assert published(dsn_of(loaded))[4] == 0


def test_a_file_whose_job_was_cancelled_is_not_begun_again(loaded: Database, tmp_path: Path) -> None:
    layer = catalog.default().layer("districts")
    watched = layer.model_copy(update={"source": SourceDecl(folder="inbox", pattern="*.gpkg")})
    watch = folders.Watch(loaded.settings.data, [watched], still_for=10)
    assert watch.look(0) == []
    path = write_districts(loaded.settings.data / "inbox/d.gpkg", 3)
    assert watch.look(1) == []
    assert watch.look(10.9) == []
    (delivery,) = watch.look(11)
    first = folders.defer(loaded, delivery)
    assert first is not None
    assert folders.defer(loaded, delivery) is None
    with queue.session(loaded) as conn:
        assert queue.cancel(conn, first)
    assert folders.defer(loaded, delivery) is None
    os.utime(path, (1, 1))
    assert watch.look(12) == []
    (changed,) = watch.look(30)
    assert folders.defer(loaded, changed) == first + 1
    path.unlink()
    assert watch.look(31) == []


def test_no_shipped_layer_has_a_source() -> None:
    """A service that nobody has configured fetches nothing and watches nothing."""
    assert [layer.id for layer in catalog.default() if layer.source] == []


def test_a_job_whose_end_could_not_be_written_is_begun_anew(
    loaded: Database, tmp_path: Path, start_worker: Any
) -> None:
    """The queue says that a living worker runs a job, but it does not."""
    start_worker(loaded)
    ours = sql.SQL("SELECT max(id) FROM procrastinate.procrastinate_workers")
    wait_for(lambda: loaded.thread_fetch(ours)[0][0] is not None, "the worker to register")
    path = write_districts(tmp_path / "new.gpkg", 5, "新")
    with queue.session(loaded) as conn:
        args: Any = {"shown": "new.gpkg", "source": str(path), "options": {}}
        number = queue.defer(
            conn, Job(queue="default", task_name="load", lock="districts", queueing_lock=None, task_kwargs=args)
        )
        row = conn.execute(
            "SELECT id FROM procrastinate_fetch_job_v2(NULL, (SELECT max(id) FROM procrastinate_workers))"
        ).fetchone()
        assert row == (number,)
    assert job_of(loaded, number).state == "running"
    wait_for(lambda: job_of(loaded, number).state == "successful", "the job to be begun anew")
    assert names(dsn_of(loaded)) == {"新"}


def test_the_report_of_a_refused_delivery_names_its_rows(loaded: Database) -> None:
    loaded.settings.data.mkdir(exist_ok=True)
    path = write_districts(loaded.settings.data / "inbox.gpkg", 3)
    frame = gpd.read_file(path).assign(xzqmc=None)
    frame.to_file(path)
    layer = catalog.default().layer("districts")
    found = replace(catalog.default(), layers=catalog.default().layers | {
        "districts": layer.model_copy(update={"source": SourceDecl(folder="in", pattern="*.gpkg")})
    })  # fmt: skip
    (loaded.settings.data / "in").mkdir()
    path = path.rename(loaded.settings.data / "in/d.gpkg")
    (delivery,) = folders.Watch(loaded.settings.data, list(found), still_for=0).look(0)
    assert folders.defer(loaded, delivery) == 1
    worker.run(loaded, found, worker.Timing(), once=True)
    report = json.loads((path.parent / "failed/1-d.gpkg.report.json").read_text(encoding="utf-8"))
    assert [(row["source_row"], row["rule"], row["field"]) for row in report["findings"]] == [
        (number, "required", "xzqmc") for number in (1, 2, 3)
    ]  # fmt: skip
    assert report["error"] == job_of(loaded, 1).message


def test_rows_of_a_delivery_hold_from_the_day_of_its_file(loaded: Database) -> None:
    found = catalog.default()
    layer = found.layer("parcels").model_copy(
        update={"source": SourceDecl(folder="inbox", pattern="*.gpkg", valid_from="file-date")}
    )
    found = replace(found, layers=found.layers | {"parcels": layer})
    path = loaded.settings.data / "inbox/p.gpkg"
    path.parent.mkdir(parents=True)
    frame = gpd.GeoDataFrame({"bsm": ["1"], "dlbm": ["0101"]}, geometry=[shapely.box(116, 36, 116.01, 36.01)], crs=4490)
    frame.to_file(path)
    os.utime(path, (1735603200, 1735603200))  # 2024-12-31 at eight in the morning in Shanghai
    (delivery,) = folders.Watch(loaded.settings.data, [layer], still_for=0).look(0)
    number = folders.defer(loaded, delivery)
    assert number is not None
    worker.run(loaded, found, worker.Timing(), once=True)
    assert job_of(loaded, number).state == "successful", job_of(loaded, number).message
    rows = loaded.thread_fetch(sql.SQL("SELECT valid_from FROM data.parcels"))
    assert rows == [(datetime(2024, 12, 31, tzinfo=ZoneInfo("Asia/Shanghai")),)]
