"""Work that follows from releases: workers look whether it is due, and do it as a job.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from procrastinate.jobs import Job

from shikong.ingest.features import Progress
from shikong.store import queue
from shikong.store.database import Database
from shikong.store.principal import current_principal

_DEFERRING = 7_156_005  # any constant; two workers that look at the same time would defer it twice


@dataclass(frozen=True)
class Chore:
    """One kind of such work.

    name: of its jobs. layer: the layer that it publishes. due: a word for the state that asks for it, None where
    nothing does; a state that has had its job asks for no other. work: does it, and says what it came to.
    """

    name: str
    layer: str
    due: Callable[[Database], str | None]
    work: Callable[[Database, Progress], str]


def defer(database: Database, chore: Chore) -> int | None:
    """Defer a chore if it is due; the job's number, or None."""
    state = chore.due(database)
    if state is None:
        return None
    once = f"{chore.name}:{state}"
    with queue.session(database) as conn:
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_DEFERRING,))
        known = conn.execute("SELECT FROM procrastinate_jobs WHERE queueing_lock = %s LIMIT 1", (once,)).fetchone()
        if known is not None:
            return None
        args: dict[str, Any] = {"shown": "", "principal": asdict(current_principal.get())}
        job = Job(queue="default", task_name=chore.name, lock=chore.layer, queueing_lock=once, task_kwargs=args)
        return queue.defer(conn, job)
