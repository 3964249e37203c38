"""The worker: takes jobs from the queue, watches folders, takes up what dead workers have left.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
import structlog
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker
from psycopg import sql

from shikong.ingest.jobs import chores as following
from shikong.ingest.jobs import folders
from shikong.ingest.jobs.chores import Chore
from shikong.ingest.jobs.loads import ATTEMPTS, Loads
from shikong.layers.catalog import Catalog
from shikong.store import jobs, queue
from shikong.store.database import Database
from shikong.store.errors import DatabaseAway

LOG = structlog.get_logger()


@dataclass(frozen=True)
class Timing:
    """How long a worker waits for what, in seconds.

    heartbeat: between two signs of life; silent_for: without one, a worker has gone and its jobs are taken up.
    grace: a running load may take so long after the worker was asked to stop; then it is put back into the queue.
    still_for: a file in a watched folder must not change for so long. look: between two looks around.
    """

    heartbeat: float = 5.0
    silent_for: float = 30.0
    grace: float = 10.0
    still_for: float = 20.0
    look: float = 2.0


def run(store: Database, catalog: Catalog, timing: Timing, *, once: bool, chores: Sequence[Chore] = ()) -> None:
    """Work until SIGTERM or SIGINT, or until the queue is empty when `once`.

    chores: what is to be done when releases ask for it, besides loads.
    A database that goes away is waited for; when `once`, DatabaseAway is raised instead.
    """
    asyncio.run(_run(store, catalog, timing, once, chores))


async def _run(store: Database, catalog: Catalog, timing: Timing, once: bool, chores: Sequence[Chore]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    watch = folders.Watch(store.settings.data, tuple(catalog), timing.still_for)
    gone: int | None = None
    while not stop.is_set():
        loads = Loads(store, catalog, chores)
        app = loads.app()
        worker = Worker(
            app, wait=not once, fetch_job_polling_interval=timing.look, abort_job_polling_interval=timing.look,
            shutdown_graceful_timeout=timing.grace, install_signal_handlers=False,
            update_heartbeat_interval=timing.heartbeat, stalled_worker_timeout=timing.silent_for,
        )  # fmt: skip
        rounds = None if once else _Rounds(store, timing, watch, worker, loads, chores)
        try:
            if once:
                await asyncio.to_thread(prune, store)
                for chore in chores:
                    await asyncio.to_thread(defer_chore, store, chore)
            await _until_stopped(app, worker, gone, rounds, stop)
            if once:
                return
        except (ConnectorException, psycopg.OperationalError, DatabaseAway) as error:
            LOG.warning("database_away", reason=str(error))
            if once:
                raise DatabaseAway from error
        # Still set when the worker could not take its leave; then its jobs are freed as soon as the database answers.
        gone = worker.worker_id or gone
        await _pause(stop, timing.look)


async def _until_stopped(
    app: App, worker: Worker, gone: int | None, rounds: _Rounds | None, stop: asyncio.Event
) -> None:
    """Run a worker and what it does beside its jobs, until it ends or is asked to."""
    async with app.open_async():
        if gone is not None:
            await app.job_manager.unregister_worker(gone)
        working = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
        beside = [] if rounds is None else [asyncio.create_task(rounds.go())]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({working, stopping, *beside}, return_when=asyncio.FIRST_COMPLETED)
        worker.stop()  # type: ignore[no-untyped-call]
        for task in (stopping, *beside):
            task.cancel()
        await working
        for ended in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


#: Seconds between two looks for jobs that are old.
_PRUNE_EVERY = 3600.0


@dataclass
class _Rounds:
    """What a worker does every few seconds."""

    store: Database
    timing: Timing
    watch: folders.Watch
    worker: Worker
    loads: Loads
    chores: Sequence[Chore]
    _adrift: set[int] = field(default_factory=set)
    _pruned: float = -_PRUNE_EVERY

    async def go(self) -> None:
        """Look around until cancelled. Raises DatabaseAway."""
        while True:
            await asyncio.to_thread(self._once)
            await asyncio.sleep(self.timing.look)

    def _once(self) -> None:
        self._look_for_adrift()
        rescue(self.store, self.timing.silent_for)
        if time.monotonic() - self._pruned >= _PRUNE_EVERY:
            prune(self.store)
            self._pruned = time.monotonic()
        for chore in self.chores:
            defer_chore(self.store, chore)
        try:
            deliveries = self.watch.look(time.monotonic())
        except OSError as error:  # a network share that is away, or closed to us
            LOG.warning("folder_away", reason=str(error))
            return
        for delivery in deliveries:
            job = folders.defer(self.store, delivery)
            if job is not None:
                LOG.info("delivery_deferred", layer=delivery.layer, file=delivery.path.name, job=job)

    def _look_for_adrift(self) -> None:
        """Raise DatabaseAway when the queue has a job as ours that we do not run.

        So it is when the database went away just as the job's end was to be written. Starting anew frees the job.
        """
        ours = self.store.thread_fetch(_OURS, {"worker": self.worker.worker_id})
        adrift = {job for (job,) in ours} - self.loads.running
        if self._adrift & adrift:  # seen twice: not one that begins or ends just now
            raise DatabaseAway(f"the end of jobs {sorted(adrift)} could not be written; they are begun anew")
        self._adrift = adrift


def defer_chore(store: Database, chore: Chore) -> None:
    """Defer a chore if it is due."""
    job = following.defer(store, chore)
    if job is not None:
        LOG.info("chore_deferred", chore=chore.name, job=job)


_OURS = sql.SQL("SELECT id FROM procrastinate.procrastinate_jobs WHERE status = 'doing' AND worker_id = %(worker)s")


def rescue(store: Database, silent_for: float) -> None:
    """Take up the jobs of workers that have gone. A job that kills one worker after the other is given up."""
    with queue.session(store) as conn:
        back, lost = queue.rescue(conn, silent_for, ATTEMPTS)
    for job in back:
        LOG.warning("job_taken_up", job=job)
    for job in lost:
        message = f"the worker died {ATTEMPTS} times while it ran this; the source may be at fault"
        jobs.note(store, job, "stopped", message=message)
        LOG.error("job_given_up", job=job)


def prune(store: Database) -> None:
    """Forget jobs that ended longer ago than the store's settings keep them. Releases and reports stay."""
    with queue.session(store) as conn:
        number = queue.prune(conn, store.settings.jobs_kept)
    if number:
        LOG.info("jobs_forgotten", number=number)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
