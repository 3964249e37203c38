"""The job queue in the database: procrastinate's tables, in a schema of their own, and what is asked of them.

The library's functions find each other by the search path, so every statement that changes the queue runs in
`session`; reading needs only the schema's name.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import SyncPsycopgConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from procrastinate.sql import queries
from psycopg import Connection, sql

from shikong.store.database import Database
from shikong.store.errors import StoreError

SCHEMA = "procrastinate"

#: For libpq: what a connection of the library needs.
SEARCH_PATH = f"-c search_path={SCHEMA}"

# It has no pool of its own: every call brings a connection.
_CONNECTOR = SyncPsycopgConnector()
_MANAGER = JobManager(_CONNECTOR)

_LOCK = 7_156_004  # any constant; two programs that start at once would collide

_LEDGER = """
    CREATE SCHEMA IF NOT EXISTS shikong;
    CREATE TABLE IF NOT EXISTS shikong.queue_migration (
        name text PRIMARY KEY,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


def bring_forward(dsn: str) -> None:
    """Make the queue's schema, or apply the steps that the installed library has and the database lacks.

    Each step of the library is a transaction, for some use a new value of an enumeration, which PostgreSQL allows
    only after the step that adds it. Raises StoreError when the database is newer than the library.
    """
    steps = {path.name: path for path in sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))}
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        conn.execute(_LEDGER)
        applied = {name for (name,) in conn.execute("SELECT name FROM shikong.queue_migration").fetchall()}
        if newer := sorted(applied - set(steps)):
            raise StoreError(f"the job queue has {newer[-1]}, which this procrastinate does not know; upgrade Shikong")
        missing = [name for name in steps if name not in applied]
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
        if applied:
            for name in missing:
                _apply(conn, steps[name].read_bytes(), [name])
        elif missing:
            _apply(conn, SchemaManager.get_schema().encode(), missing)


def _apply(conn: Connection[Any], script: bytes, names: list[str]) -> None:
    with conn.transaction():
        _look_in_queue(conn)
        conn.execute(script)
        conn.execute("INSERT INTO shikong.queue_migration (name) SELECT unnest(%s::text[])", (names,))


def _look_in_queue(conn: Connection[Any]) -> None:
    """Let unqualified names mean the queue's, until the transaction ends."""
    conn.execute("SELECT set_config('search_path', %s, true)", (SCHEMA,))


@contextmanager
def session(database: Database) -> Iterator[Connection[Any]]:
    """A transaction that may change the queue. Raises DatabaseAway."""
    with database.thread_session() as conn, conn.transaction():
        _look_in_queue(conn)
        yield conn


def defer(conn: Connection[Any], job: Job) -> int:
    """Put a job into the queue; returns its number. Raises procrastinate's AlreadyEnqueued."""
    deferred = _MANAGER.defer_job(job, connection=conn)
    assert deferred.id is not None
    return deferred.id


def cancel(conn: Connection[Any], job: int) -> bool:
    """Take a waiting job out of the queue, or ask its worker to stop it; whether there was such a job."""
    return _MANAGER.cancel_job_by_id(job, abort=True, connection=conn)


def retry(conn: Connection[Any], job: int) -> None:
    """Put a failed job back into the queue."""
    conn.execute(
        queries["retry_job"],
        {"job_id": job, "retry_at": None, "new_priority": None, "new_queue_name": None, "new_lock": None},
    )


def rescue(conn: Connection[Any], silent_for: float, attempts: int) -> tuple[list[int], list[int]]:
    """Put jobs whose worker has gone back into the queue; give up those tried too often.

    silent_for: seconds without a heartbeat after which a worker has gone.
    Returns the numbers of the jobs that were put back, and of those given up.
    """
    # The row locks keep two workers from rescuing the same job, the second after the first has begun it anew.
    rows = conn.execute(_STALLED, {"silent_for": silent_for}).fetchall()
    back = [job for job, tried in rows if tried + 1 < attempts]
    lost = [job for job, tried in rows if tried + 1 >= attempts]
    for job in back:
        retry(conn, job)
    for job in lost:
        conn.execute(queries["finish_job"], {"job_id": job, "status": "failed", "delete_job": False})
    return back, lost


def prune(conn: Connection[Any], days: int) -> int:
    """Forget jobs that ended so many days ago; returns how many.

    Cancelled ones stay: a file that still lies in a watched folder would be taken again.
    """
    ended = ["succeeded", "failed", "aborted"]
    return conn.execute(queries["delete_old_jobs"], {"statuses": ended, "queue": None, "nb_hours": days * 24}).rowcount


_STALLED = """
    SELECT j.id, j.attempts FROM procrastinate_jobs AS j
    WHERE j.status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers AS w
        WHERE w.id = j.worker_id AND w.last_heartbeat >= clock_timestamp() - make_interval(secs => %(silent_for)s)
    )
    ORDER BY j.id
    FOR UPDATE OF j SKIP LOCKED
"""
