"""What a job does: one load in a thread, told about while it goes on, stopped when asked to.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import structlog
from croniter import croniter
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from psycopg import sql
from pydantic import TypeAdapter

from shikong.ingest import valid_time
from shikong.ingest.errors import IngestError, QualityStop, SourceAway, UnreadableSource
from shikong.ingest.features import Options, Progress, file_digest
from shikong.ingest.job import ingest
from shikong.ingest.jobs import fetch, folders
from shikong.ingest.jobs.chores import Chore
from shikong.ingest.quality import report as quality
from shikong.ingest.readers import remote
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.errors import UnknownLayer
from shikong.layers.source import SourceDecl
from shikong.store import database as databases
from shikong.store import jobs, queue
from shikong.store.database import Database
from shikong.store.errors import DatabaseAway, DiskFull, StoreError
from shikong.store.principal import Principal, acting_as, current_principal
from shikong.tiles import overview_work

LOG = structlog.get_logger()

LOAD, REFRESH = "load", "refresh"

#: How often a job is begun before it is given up. With waits that double from 2 s this is over eight minutes.
ATTEMPTS = 9

#: A time that was missed because no worker ran is made up for once, when it is not longer ago than this (seconds).
_MAKE_UP = 24 * 3600.0

_NOTE_EVERY = 1.0  # seconds

_OPTIONS: TypeAdapter[Options] = TypeAdapter(Options)

Work = Callable[[Database, Progress], str]


def defer(database: Database, source: Path | str, layer: str, options: Options) -> int:
    """Defer the load of a file into a layer; returns the job's number. Raises UnreadableSource, DatabaseAway."""
    if isinstance(source, str) and remote.is_address(source):  # it may hold a password, and jobs are kept
        raise UnreadableSource("an address is not deferred: load it directly, or declare it as the layer's `source`")
    path = Path(source)
    if not path.exists():
        raise UnreadableSource(f"{path} does not exist")
    args = {"shown": path.name, "source": str(path.resolve()), "principal": asdict(current_principal.get()),
            "options": _OPTIONS.dump_python(options, mode="json")}  # fmt: skip
    with queue.session(database) as conn:
        return queue.defer(conn, Job(queue="default", task_name=LOAD, lock=layer, queueing_lock=None, task_kwargs=args))


class Backoff(BaseRetryStrategy):
    """Again when what is wrong may pass by itself; a source that is refused is refused the second time too."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When to try again, or None for never."""
        if isinstance(exception, JobAborted):  # the worker stops; another takes the job up at once
            return RetryDecision()
        if isinstance(exception, DatabaseAway | SourceAway) and job.attempts + 1 < ATTEMPTS:
            return RetryDecision(retry_in={"seconds": 2 ** (job.attempts + 1)})
        return None


@dataclass
class _Track:
    """Tells how far a load is, and ends it when it is to stop."""

    database: Database
    job: int
    stop: threading.Event
    _last: float = field(default=0.0)
    _phase: str = "waiting"

    def __call__(self, done: int, total: int | None) -> None:
        """Note the rows done; raises JobAborted when the load is to stop."""
        if self.stop.is_set():
            raise JobAborted
        phase = "publishing" if total is not None and done >= total else "loading"
        if phase != self._phase or time.monotonic() - self._last >= _NOTE_EVERY:
            jobs.note(self.database, self.job, phase, done, total)
            self._last, self._phase = time.monotonic(), phase


class Loads:
    """The tasks of a worker over one store and one catalogue."""

    def __init__(self, store: Database, catalog: Catalog, chores: Sequence[Chore] = ()) -> None:
        self._store = store
        self._catalog = catalog
        self._chores = chores
        #: The jobs that run now.
        self.running: set[int] = set()

    def app(self) -> App:
        """The queue's application, with its tasks and the layers' schedules in the city's time zone."""
        pool = {"options": queue.SEARCH_PATH, "application_name": "shikong worker", "connect_timeout": 2}
        connector = PsycopgConnector(
            conninfo=databases.dsn(self._store.settings), kwargs=pool, min_size=1, max_size=4, timeout=10.0
        )
        app = App(connector=connector, periodic_defaults={"max_delay": _MAKE_UP})
        app.task(name=LOAD, pass_context=True, retry=Backoff())(self.load)
        app.task(name=folders.TAKE, pass_context=True, retry=Backoff())(self.take)
        refresh: Any = app.task(name=REFRESH, pass_context=True, retry=Backoff())(self.refresh)
        for chore in self._chores:
            app.task(name=chore.name, pass_context=True, retry=Backoff())(partial(self.do, chore))
        zone = ZoneInfo(self._catalog.city.timezone)
        for layer in self._catalog:
            if layer.source is None or layer.source.schedule is None or layer.source.url is None:
                continue
            periodic: Any = app.periodic_registry.register_task(
                refresh, layer.source.schedule, layer.id,
                {"lock": layer.id, "queueing_lock": f"{layer.id}:schedule",
                 "task_kwargs": {"shown": fetch.without_secrets(layer.source.url)}},
            )  # fmt: skip
            # The library reckons in UTC; its cached iterator is replaced by one that knows the city's time.
            vars(periodic)["croniter"] = croniter(layer.source.schedule, datetime.now(zone))
        return app

    async def load(
        self, context: JobContext, *, shown: str, source: str, options: dict[str, Any], principal: Any = None
    ) -> None:
        """Load one file, as an operator has asked, and in the operator's name."""
        layer = _layer(context)

        def work(database: Database, progress: Progress) -> str:
            report = ingest(database, self._catalog, Path(source), layer, _OPTIONS.validate_python(options), progress)
            return _summary(report)

        await self._run(context, work)

    async def refresh(self, context: JobContext, *, shown: str, timestamp: int) -> None:
        """Load what is at the layer's address now."""
        layer = _layer(context)

        def work(database: Database, progress: Progress) -> str:
            declared = self._declared(layer)
            if declared.url is None:
                raise IngestError(f"{layer} has no `source.url` any more; nothing is loaded")
            if remote.is_service(declared.url):
                options = self._options(declared, Path(declared.url))
                return _summary(ingest(database, self._catalog, declared.url, layer, options, progress))
            with fetch.fetched(declared.url, database.settings.data / "incoming") as path:
                return _summary(ingest(database, self._catalog, path, layer, self._options(declared, path), progress))

        await self._run(context, work)

    async def take(self, context: JobContext, *, shown: str, source: str) -> None:
        """Load a file that has come into the layer's folder, once, and put it away."""
        path, job = Path(source), _number(context)
        work = partial(self._take, path, job, _layer(context))
        try:
            await self._run(context, work)
        except (IngestError, StoreError, UnknownLayer, JobAborted, OSError) as error:
            if isinstance(error, JobAborted):
                final = context.abort_reason() is AbortReason.USER_REQUEST
            else:
                final = Backoff().get_retry_decision(exception=error, job=context.job) is None
            if final:
                folders.put_away(path, "failed", job, _refusal(error, path.parent))
            raise

    async def do(self, chore: Chore, context: JobContext, *, shown: str, principal: Any = None) -> None:
        """Do what follows from releases."""
        await self._run(context, chore.work)

    def _take(self, source: Path, job: int, layer: str, database: Database, progress: Progress) -> str:
        path = folders.where_is(source, job)
        if not path.exists():
            return f"{source.name} is not there any more; nothing to load"
        digest = file_digest(path)
        earlier = database.thread_fetch(_RELEASE_OF, {"layer": layer, "sha256": digest})
        if earlier:
            message = f"the same file as in release {earlier[0][0]}; not loaded again"
            folders.put_away(source, "done", job, orjson.dumps({"note": message, "sha256": digest}))
            return message
        report = ingest(database, self._catalog, path, layer, self._options(self._declared(layer), path), progress)
        with database.thread_session() as conn:
            account = quality.as_json(quality.load(conn, report.release))
        folders.put_away(source, "done", job, account.encode())
        return _summary(report)

    def _declared(self, layer: str) -> SourceDecl:
        declared = self._catalog.layer(layer).source
        if declared is None:
            raise IngestError(f"{layer} has no `source` any more; nothing is loaded")
        return declared

    def _options(self, declared: SourceDecl, path: Path) -> Options:
        zone = ZoneInfo(self._catalog.city.timezone)
        valid_from = valid_time.parse(declared.valid_from, path, zone) if declared.valid_from else None
        return Options(
            crs=declared.crs, datum=declared.datum, source_layer=declared.source_layer, fields=declared.fields,
            swap_axes=declared.swap_axes, valid_from=valid_from, mode="update" if declared.update else "replace",
        )  # fmt: skip

    async def _run(self, context: JobContext, work: Work) -> None:
        """Run a load in a thread and settle the job's account."""
        job = _number(context)
        self.running.add(job)
        try:
            await self._settled(context, job, work)
        finally:
            self.running.discard(job)

    async def _settled(self, context: JobContext, job: int, work: Work) -> None:
        database, stop = Database(self._store.settings), threading.Event()
        loop = asyncio.get_running_loop()
        load = loop.run_in_executor(
            None, copy_context().run, self._begun, context, work, database, _Track(self._store, job, stop)
        )
        try:
            await asyncio.wait({load})
        except asyncio.CancelledError:
            stop.set()
            while not load.done():
                await asyncio.to_thread(database.cancel_threads)
                await asyncio.wait({load}, timeout=0.5)
        await asyncio.to_thread(database.close_threads)
        error = load.exception()
        if error is None:
            await asyncio.to_thread(jobs.note, self._store, job, "done", *load.result())
            return
        if stop.is_set():
            error = JobAborted("stopped")
        elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            error = DiskFull(f"no room is left below {self._store.settings.data}; free some, then load again")
        with suppress(DatabaseAway):  # then there is nowhere to tell it
            place = Path(str(context.job.task_kwargs.get("source", self._store.settings.data / "incoming"))).parent
            await asyncio.to_thread(jobs.note, self._store, job, "stopped", 0, None, told(error, place))
        raise error

    def _begun(self, context: JobContext, work: Work, database: Database, track: _Track) -> tuple[int, int | None, str]:
        jobs.note(self._store, _number(context), "waiting")
        rows: tuple[int, int | None] = (0, None)

        def progress(done: int, total: int | None) -> None:
            nonlocal rows
            rows = (done, total)
            track(done, total)

        with acting_as(_principal(context)):
            message = work(database, progress)
            with suppress(StoreError):  # then whoever asks for such a tile has it made
                overview_work.build(database, self._catalog.layer(_layer(context)), lambda done, total: None)
        return (*rows, message)


_RELEASE_OF = sql.SQL(
    "SELECT id FROM shikong.release WHERE layer = %(layer)s AND source_sha256 = %(sha256)s ORDER BY id DESC LIMIT 1"
)


def told(error: BaseException, place: Path) -> str:
    """What people are told of an error: no secrets, no trace, and not where on the server (`place`) a file lies."""
    if isinstance(error, JobAborted):
        return "stopped before it was published; nothing has changed"
    if isinstance(error, IngestError | StoreError | UnknownLayer):
        return fetch.without_secrets(str(error)).replace(f"{place}/", "")
    if isinstance(error, OSError):
        return f"the file could not be read or moved: {error.strerror}; mend that, then `shikong jobs retry`"
    return f"a defect of the service stopped the load ({type(error).__name__}); the worker's log has the details"


def _refusal(error: BaseException, place: Path) -> bytes:
    """The report (JSON) of a file that was not loaded: why, and the rows that the checks found."""
    document: dict[str, Any] = {"error": told(error, place)}
    if isinstance(error, QualityStop):
        document["results"] = [
            {"rule": rule, "field": name, "severity": severity, "failed": failed}
            for (rule, name, severity), failed in error.report.results.most_common()
        ]
        document["findings"] = [
            {"source_row": found.source_row, "key": found.key, "rule": found.rule, "field": found.field,
             "severity": found.severity, "value": found.value}
            for found in error.report.findings[: quality.LISTED]
        ]  # fmt: skip
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _summary(report: Report) -> str:
    counts = report.counts
    return (
        f"release {report.release}: {counts.stored:,} rows stored, {counts.quarantined:,} quarantined,"
        f" {counts.added:,} added, {counts.changed:,} changed, {counts.ended:,} ended"
    )


def _principal(context: JobContext) -> Principal:
    """Who has queued a job; what comes by itself, on schedule or into a folder, is loaded in the worker's name."""
    told: Any = context.job.task_kwargs.get("principal")
    return current_principal.get() if told is None else Principal(told["name"], tuple(told["roles"]))


def _layer(context: JobContext) -> str:
    assert context.job.lock is not None
    return context.job.lock


def _number(context: JobContext) -> int:
    assert context.job.id is not None
    return context.job.id
