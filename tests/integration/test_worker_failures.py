"""Whatever happens to a worker, its database or its disk: no layer is harmed, and the work is done in the end.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.jobs import Job
from psycopg import sql

from shikong.ingest.features import Options
from shikong.ingest.jobs import loads, worker
from shikong.store import migrate, queue
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from support.jobs import job_of, run_once
from support.loads import (
    blocked,
    dsn_of,
    load,
    names,
    published,
    settings_for,
    wait_for,
    write_districts,
)


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
        assert running.wait(timeout=60) == 0
        assert job_of(loaded, number).state == "accepted"
        assert published(dsn) == before
    run_once(loaded)
    assert job_of(loaded, number).state == "successful"


def test_a_job_that_kills_its_workers_is_given_up(loaded: Database, tmp_path: Path) -> None:
    number = loads.defer(loaded, write_districts(tmp_path / "new.gpkg", 5), "districts", Options())
    dsn = dsn_of(loaded)
    for attempt in range(1, loads.ATTEMPTS + 1):
        with psycopg.connect(dsn, options=queue.SEARCH_PATH) as conn:  # a worker that begins the job, then is gone
            assert conn.execute("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)").fetchone() == (number,)
        worker.rescue(loaded, 30)
        assert job_of(loaded, number).state == ("failed" if attempt == loads.ATTEMPTS else "accepted")
    assert "worker died" in (job_of(loaded, number).message or "")


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
    store = Database(settings_for(durable.dsn, tmp_path / "data"))
    load(store, write_districts(tmp_path / "old.gpkg", 20, "旧"), "districts")
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
    # Pauses double from try to try, and a slow machine may need several.
    wait_for(lambda: job_of(store, number).state == "successful", "the job to be tried again")
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
    store = Database(settings_for(cluster.dsn_of(name), tmp_path / "data"))
    try:
        load(store, write_districts(tmp_path / "old.gpkg", 20, "旧"), "districts")
        before = published(cluster.dsn_of(name))
        number = loads.defer(store, write_districts(tmp_path / "new.gpkg", 12_000, "新"), "districts", Options())
        # A new database's files have holes until its pages are written out: only then is what is free known.
        with psycopg.connect(cluster.dsn_of(name), autocommit=True) as conn:
            conn.execute("CHECKPOINT")
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(max(0, shutil.disk_usage(small_disk).free - 1_500_000)))
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
