"""Jobs from the queue to their end: deferred, listed, run, retried, forgotten.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from procrastinate.jobs import Job
from psycopg import sql
from typer.testing import CliRunner

from shikong.cli import main
from shikong.ingest.features import Options
from shikong.ingest.jobs import loads, worker
from shikong.layers import catalog
from shikong.store import jobs, queue
from shikong.store.database import Database
from shikong.store.principal import ANONYMOUS, Principal, acting_as, current_principal
from support.jobs import job_of, run_once
from support.loads import (
    blocked,
    dsn_of,
    names,
    published,
    wait_for,
    write_districts,
)

WHO = sql.SQL("SELECT principal FROM shikong.release ORDER BY id")


def test_a_load_is_deferred_listed_and_run_by_commands(default_store: Database, tmp_path: Path) -> None:
    path = write_districts(tmp_path / "d.geojson", 10)

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
    assert names(dsn_of(default_store)) == {"街道"}
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert default_store.thread_fetch(WHO) == [(f"operator:{user}",)]
    assert "release 2" in shikong("rollback", "districts", "1")
    assert default_store.thread_fetch(WHO)[-1] == (f"operator:{user}",)
    assert current_principal.get() == ANONYMOUS, "a command's name ends with the command"


def test_a_job_runs_in_the_name_of_who_queued_it(empty_store: Database, tmp_path: Path) -> None:
    path = write_districts(tmp_path / "d.geojson", 3)
    with acting_as(Principal("operator:li", ("operator",))):
        loads.defer(empty_store, path, "districts", Options())
    with queue.session(empty_store) as conn:  # as a version before has queued it: nobody is named
        args: Any = {"shown": path.name, "source": str(path), "options": {}}
        queue.defer(
            conn, Job(queue="default", task_name="load", lock="districts", queueing_lock=None, task_kwargs=args)
        )
    with acting_as(Principal("worker:shikong")):
        run_once(empty_store)
    assert empty_store.thread_fetch(WHO) == [("operator:li",), ("worker:shikong",)]


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
    _, errors = direct.communicate(timeout=120)
    assert direct.returncode == 0
    assert "under way; this one waits" in errors.replace("\n", " ")
    assert job_of(loaded, number).state == "successful"
    with psycopg.connect(dsn) as conn:
        order = conn.execute("SELECT source, added, changed, ended FROM shikong.release ORDER BY id").fetchall()
    assert order == [("old.gpkg", 20, 0, 0), ("new.gpkg", 10, 20, 0), ("second.gpkg", 10, 30, 0)]


def test_no_shipped_layer_has_a_source() -> None:
    """A service that nobody has configured fetches nothing and watches nothing."""
    assert [layer.id for layer in catalog.default() if layer.source] == []


def test_old_jobs_are_forgotten_by_workers(loaded: Database, tmp_path: Path, start_worker: Any) -> None:
    """Those that ended 90 days ago, but for cancelled ones, whose file may still lie in a watched folder."""
    path = write_districts(tmp_path / "d.gpkg", 3)
    stays: set[tuple[str, int]] = set()
    with psycopg.connect(dsn_of(loaded), options=queue.SEARCH_PATH) as conn:
        for status in ("succeeded", "failed", "aborted", "cancelled", "todo"):
            for days in (89, 91):
                number = loads.defer(loaded, path, "districts", Options())
                conn.execute("UPDATE procrastinate_jobs SET status = %s WHERE id = %s", (status, number))
                conn.execute(
                    "UPDATE procrastinate_events SET at = now() - make_interval(days => %s) WHERE job_id = %s",
                    (days, number),
                )
                jobs.note(loaded, number, "done")
                if days < 90 or status in ("cancelled", "todo"):
                    stays.add((status, number))

    def left() -> set[tuple[str, int]]:
        return set(loaded.thread_fetch(sql.SQL("SELECT status::text, id FROM procrastinate.procrastinate_jobs")))

    patient = Database(replace(loaded.settings, jobs_kept=100))
    worker.prune(patient)
    patient.close_threads()
    assert len(left()) == 10
    worker.prune(loaded)
    assert left() == stays
    assert loaded.thread_fetch(sql.SQL("SELECT count(*) FROM shikong.job_progress")) == [(len(stays),)]
    (old,) = (number for status, number in stays if status == "todo" and number == max(n for _, n in stays))
    with psycopg.connect(dsn_of(loaded), options=queue.SEARCH_PATH) as conn:
        conn.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", (old,))
        conn.execute("UPDATE procrastinate_events SET at = at - interval '91 days' WHERE job_id = %s", (old,))
    start_worker(loaded)
    wait_for(lambda: old not in {number for _, number in left()}, "a worker to forget the job by itself")
