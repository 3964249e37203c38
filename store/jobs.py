"""Jobs as people see them: what is in the queue, how far it is, what came of it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import sql

from shikong.store.database import Database, Query
from shikong.store.errors import StoreError

#: The states of OGC API - Processes.
State = Literal["accepted", "running", "successful", "failed", "dismissed"]

_STATES: dict[str, State] = {
    "todo": "accepted", "doing": "running", "succeeded": "successful", "failed": "failed", "cancelled": "dismissed",
    "aborting": "running", "aborted": "dismissed",
}  # fmt: skip


class NoSuchJob(StoreError):
    """No job has this number."""


class JobEnded(StoreError):
    """The job is not in a state in which this can be done."""


@dataclass(frozen=True)
class JobView:
    """One job. process: load, refresh or take. Times are aware; `rows_total` is None when the source cannot tell."""

    number: int
    state: State
    process: str
    layer: str
    source: str
    attempts: int
    phase: str
    rows_done: int
    rows_total: int | None
    message: str | None
    created: datetime | None
    started: datetime | None
    finished: datetime | None
    updated: datetime | None

    @property
    def progress(self) -> int:
        """How much is done, in percent. The last tenth is publishing, whose length nobody knows beforehand."""
        if self.state == "successful":
            return 100
        return min(90, self.rows_done * 90 // self.rows_total) if self.rows_total else 0


@dataclass(frozen=True)
class Wanted:
    """Which jobs are asked for; what is empty or None does not matter.

    since, until: when they were created, both included. shortest, longest: seconds that they took, or have until now.
    """

    states: tuple[State, ...] = ()
    processes: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    shortest: float | None = None
    longest: float | None = None


_JOBS = sql.SQL("""
    SELECT j.id, j.status::text, j.task_name, coalesce(j.lock, ''), coalesce(j.args ->> 'shown', ''), j.attempts,
        coalesce(p.phase, ''), coalesce(p.rows_done, 0), p.rows_total, p.message,
        e.created, e.started, e.finished, greatest(p.updated_at, e.last)
    FROM procrastinate.procrastinate_jobs AS j
    LEFT JOIN shikong.job_progress AS p ON p.job_id = j.id
    CROSS JOIN LATERAL (
        SELECT
            min(at) FILTER (WHERE type = 'deferred') AS created,
            max(at) FILTER (WHERE type = 'started') AS started,
            max(at) FILTER (WHERE type IN ('succeeded', 'failed', 'cancelled', 'aborted')
                AND j.status NOT IN ('todo', 'doing')) AS finished,
            max(at) FILTER (WHERE type <> 'scheduled') AS last
        FROM procrastinate.procrastinate_events WHERE job_id = j.id
    ) AS e
    CROSS JOIN LATERAL (SELECT extract(epoch FROM coalesce(e.finished, now()) - e.started) AS took) AS d
    WHERE (%(job)s::bigint IS NULL OR j.id = %(job)s)
      AND (%(statuses)s::text[] IS NULL OR j.status::text = ANY(%(statuses)s))
      AND (%(processes)s::text[] IS NULL OR j.task_name = ANY(%(processes)s))
      AND (%(since)s::timestamptz IS NULL OR e.created >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR e.created <= %(until)s)
      AND (%(shortest)s::float8 IS NULL OR d.took >= %(shortest)s)
      AND (%(longest)s::float8 IS NULL OR d.took <= %(longest)s)
    ORDER BY j.id DESC
    LIMIT %(limit)s OFFSET %(offset)s
""")


def listing(limit: int, offset: int = 0, wanted: Wanted = Wanted()) -> tuple[Query, dict[str, Any]]:
    """The query for the newest jobs; `seen` makes views of its rows."""
    return _JOBS, _params(wanted) | {"limit": limit, "offset": offset}


def one(job: int) -> tuple[Query, dict[str, Any]]:
    """The query for one job; `the_only` makes a view of its row."""
    return _JOBS, _params(Wanted()) | {"job": job, "limit": 1, "offset": 0}


def _params(wanted: Wanted) -> dict[str, Any]:
    statuses = [status for status, state in _STATES.items() if state in wanted.states]
    return {
        "job": None, "statuses": statuses or None, "processes": list(wanted.processes) or None,
        "since": wanted.since, "until": wanted.until, "shortest": wanted.shortest, "longest": wanted.longest,
    }  # fmt: skip


def seen(rows: list[tuple[Any, ...]]) -> list[JobView]:
    """Views of the rows of `listing`."""
    return [JobView(row[0], _STATES[row[1]], *row[2:]) for row in rows]


def the_only(job: int, rows: list[tuple[Any, ...]]) -> JobView:
    """The view of the row of `one`. Raises NoSuchJob."""
    if not rows:
        raise NoSuchJob(f"there is no job {job}; `shikong jobs` and /jobs list them")
    return seen(rows)[0]


def note(
    database: Database, job: int, phase: str, done: int = 0, total: int | None = None, message: str | None = None
) -> None:
    """Write how far a job is, on a connection of its own, so that others see it while the load goes on."""
    with database.thread_session() as conn:
        conn.execute(
            "INSERT INTO shikong.job_progress (job_id, phase, rows_done, rows_total, message)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (job_id) DO UPDATE SET phase = excluded.phase,"
            " rows_done = excluded.rows_done, rows_total = excluded.rows_total, message = excluded.message,"
            " updated_at = clock_timestamp()",
            (job, phase, done, total, message),
        )
