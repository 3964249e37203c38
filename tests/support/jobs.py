"""What tests of jobs share: a job as it is now, and doing what is in the queue.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.ingest.jobs import worker
from shikong.layers import catalog
from shikong.store import jobs
from shikong.store.database import Database
from shikong.store.jobs import JobView


def job_of(store: Database, number: int) -> JobView:
    """A job as it is now."""
    return jobs.the_only(number, store.thread_fetch(*jobs.one(number)))


def run_once(store: Database) -> None:
    """Drain the queue in this process."""
    worker.run(store, catalog.default(), worker.Timing(), once=True)
