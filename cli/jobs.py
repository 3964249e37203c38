"""`shikong worker` and `shikong jobs`: loads that run by themselves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from shikong.cli import conflicts, schema
from shikong.cli.console import clear_errors, out
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.server import logs
from shikong.store import database, jobs, queue
from shikong.store.database import Database

if TYPE_CHECKING:
    from shikong.ingest.features import Progress
    from shikong.ingest.jobs.chores import Chore

app = typer.Typer(invoke_without_command=True, help="List the jobs, newest first; look at one, cancel it, retry it.")

Number = Annotated[int, typer.Argument(help="number of a job: `shikong jobs`")]


def worker(
    once: Annotated[bool, typer.Option("--once", help="run what is in the queue, then end")] = False,
) -> None:
    """Run the jobs: deferred loads, schedules and watched folders of the layer files. `up` starts one."""
    from shikong.ingest.jobs import worker as workers

    with clear_errors():
        logs.configure()
        store = database.default()
        schema.bring_forward(store.settings)
        city = catalog.default()
        with nullcontext() if once else _watching(store, city):
            workers.run(store, city, workers.Timing(), once=once, chores=_chores(city))


@contextmanager
def _watching(store: Database, city: Catalog) -> Iterator[None]:
    """Watch what arrives for warnings, beside the jobs; a broker (SHIKONG_MQTT) hears of them, too. What they affect is
    found out after them, one at a time."""
    from shikong.processes.warnings import affected, mqtt
    from shikong.processes.warnings.watch import Watch

    stop, broker = threading.Event(), os.environ.get("SHIKONG_MQTT")
    with (
        mqtt.publisher(broker, store, city) if broker else nullcontext(lambda codes: None) as tell,
        ThreadPoolExecutor(1, "affected") as later,
    ):

        def heard(codes: list[str]) -> None:
            tell(codes)
            later.submit(copy_context().run, affected.assess_later, store, city, codes)

        context = copy_context()  # the thread acts in the worker's name
        watching = threading.Thread(target=context.run, args=(Watch(store, city, heard).run, stop), name="watch")
        watching.start()
        try:
            yield
        finally:
            stop.set()
            watching.join()


def _chores(city: Catalog) -> list[Chore]:
    """What workers do by themselves besides loads."""
    from shikong.ingest.jobs.chores import Chore
    from shikong.processes.coordination import cases, lapse, tasks
    from shikong.processes.forecasts import runs

    def lapse_overdue(store: Database, progress: Progress) -> str:
        return lapse.work(store, city, progress)

    def end_tasks(store: Database, progress: Progress) -> str:
        return tasks.work(store, city, progress)

    def forecast(store: Database, progress: Progress) -> str:
        return runs.work(store, city, progress)

    opinions = cases.declared(city).opinions
    return [
        conflicts.chore(city),
        Chore("lapse", opinions, partial(lapse.due, city=city), lapse_overdue),
        Chore("end-tasks", tasks.LAYER, partial(tasks.due, city=city), end_tasks),
        Chore("forecast", city.forecasts.published_as, partial(runs.due, city=city), forecast),
    ]


@app.callback()
def list_jobs(context: typer.Context) -> None:
    """List the newest jobs when no command is given."""
    if context.invoked_subcommand is not None:
        return
    with clear_errors():
        table = Table("job", "state", "layer", "source", "progress", "attempts", "message")
        for job in jobs.seen(database.default().thread_fetch(*jobs.listing(limit=100))):
            table.add_row(
                str(job.number), job.state, job.layer, job.source, f"{job.progress} %", str(job.attempts),
                job.message or "",
            )  # fmt: skip
        out.print(table)


@app.command()
def show(number: Number) -> None:
    """Show all that is known of a job."""
    with clear_errors():
        job = _job(number)
        table = Table(title=f"job {job.number}", title_justify="left", show_header=False)
        rows = f"{job.rows_done:,}" + (f" of {job.rows_total:,}" if job.rows_total is not None else "")
        for name, value in (
            ("state", job.state), ("layer", job.layer), ("source", job.source), ("phase", job.phase),
            ("progress", f"{job.progress} %"), ("rows", rows), ("attempts", str(job.attempts)),
            ("created", job.created), ("started", job.started), ("finished", job.finished),
            ("message", job.message),
        ):  # fmt: skip
            table.add_row(name, "" if value is None else str(value))
        out.print(table)


@app.command()
def cancel(number: Number) -> None:
    """Take a job out of the queue, or stop it when it runs; what is published stays as it is."""
    with clear_errors():
        job = _job(number)
        with queue.session(database.default()) as conn:
            done = queue.cancel(conn, number)
        if not done:
            raise jobs.JobEnded(f"job {number} is {job.state}; only a job that waits or runs can be cancelled")
        out.print(f"job {number} is {'stopping' if job.state == 'running' else 'cancelled'}")


@app.command()
def retry(number: Number) -> None:
    """Put a failed job back into the queue."""
    with clear_errors():
        job = _job(number)
        if job.state != "failed":
            raise jobs.JobEnded(
                f"job {number} is {job.state}; only a failed job can be retried, others are loaded anew"
            )
        with queue.session(database.default()) as conn:
            queue.retry(conn, number)
        out.print(f"job {number} is in the queue again")


def _job(number: int) -> jobs.JobView:
    """The job with this number. Raises NoSuchJob."""
    return jobs.the_only(number, database.default().thread_fetch(*jobs.one(number)))
