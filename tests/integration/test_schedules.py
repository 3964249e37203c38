"""Scheduled loads: at the city's times, once over all workers, never piled up, and no secret told.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import psycopg
import pytest
import shapely
from procrastinate.periodic import PeriodicDeferrer
from psycopg import sql

from shikong.ingest.errors import IngestError, SourceAway, UnreadableSource
from shikong.ingest.jobs import fetch, worker
from shikong.ingest.jobs.loads import Backoff, Loads
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.source import SourceDecl
from shikong.store import jobs
from shikong.store.database import ConnectionLost, Database
from shikong.store.errors import DatabaseAway, DiskFull, SchemaConflict


def with_source(**source: Any) -> Catalog:
    """The shipped catalogue, districts with a source."""
    found = catalog.default()
    layer = found.layer("districts").model_copy(update={"source": SourceDecl.model_validate(source)})
    return replace(found, layers=found.layers | {"districts": layer})


def due(store: Database, found: Catalog, *moments: datetime) -> None:
    """Let two workers at once see that these times have come."""

    async def one() -> None:
        app = Loads(store, found).app()
        async with app.open_async():
            deferrer = PeriodicDeferrer(registry=app.periodic_registry, **app.periodic_defaults)
            for moment in moments:
                await deferrer.defer_jobs(deferrer.get_previous_tasks(at=moment.timestamp()))

    async def both() -> None:
        await asyncio.gather(one(), one())

    asyncio.run(both())


def timestamps(store: Database) -> list[datetime]:
    """The times for which jobs have been deferred."""
    rows = store.thread_fetch(
        sql.SQL("SELECT (args ->> 'timestamp')::float FROM procrastinate.procrastinate_jobs ORDER BY id")
    )
    return [datetime.fromtimestamp(seconds, UTC) for (seconds,) in rows]


def finish_all(store: Database) -> None:
    """Take every job out of the queue, as if it had been run."""
    assert store.settings.database_url is not None
    with psycopg.connect(store.settings.database_url, options="-c search_path=procrastinate") as conn:
        conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo'")


URL = "http://li:geheim@127.0.0.1:1/districts.geojson?token=geheim"

#: For tests with a worker: it makes up for what was missed by its own clock, of a daily schedule always something.
YEARLY = "0 3 2 3 *"


def test_a_time_is_the_citys_and_comes_once(empty_store: Database) -> None:
    found = with_source(url=URL, schedule="0 3 * * *")
    night = datetime(2026, 3, 2, 3, 0, 5, tzinfo=ZoneInfo("Asia/Shanghai"))
    due(empty_store, found, night)
    assert timestamps(empty_store) == [datetime(2026, 3, 1, 19, tzinfo=UTC)]
    finish_all(empty_store)
    due(empty_store, found, night, night + timedelta(hours=20))
    assert len(timestamps(empty_store)) == 1, "done already, also for workers that start anew"


def test_missed_times_are_made_up_for_once(empty_store: Database) -> None:
    found = with_source(url=URL, schedule="*/10 * * * *")
    start = datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC)
    due(empty_store, found, start, start + timedelta(hours=5))
    assert len(timestamps(empty_store)) == 1, "one waits; the thirty after it are not put behind it"
    finish_all(empty_store)
    due(empty_store, found, start + timedelta(hours=9))
    assert timestamps(empty_store)[1:] == [datetime(2026, 3, 2, 17, 0, tzinfo=UTC)]


def test_a_schedule_agrees_with_a_search_minute_by_minute(empty_store: Database) -> None:
    """The last time before a moment is found by trying every minute of the city's clock backwards."""
    found = with_source(url=URL, schedule="30 6 * * 1")
    moment = datetime(2026, 3, 2, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    tried = moment
    while not (tried.weekday() == 0 and (tried.hour, tried.minute) == (6, 30)):
        tried -= timedelta(minutes=1)
    due(empty_store, found, moment)
    assert timestamps(empty_store) == [tried.astimezone(UTC)]


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[tuple[str, list[Any]]]:
    """A server that gives the prepared answers one after the other: a status, or a file. Wants a user and password."""
    answers: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.pop(0)
            if self.headers.get("Authorization") != "Basic bGk6Z2VoZWlt":  # li:geheim
                answer = 401
            body = b"" if isinstance(answer, int) else answer.read_bytes()
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://li:geheim@127.0.0.1:{server.server_port}/daily/districts.geojson?token=geheim", answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_schedule_loads_what_the_address_gives_and_tries_again(
    empty_store: Database, tmp_path: Path, bureau: tuple[str, list[Any]]
) -> None:
    url, answers = bureau
    path = tmp_path / "d.geojson"
    frame = gpd.GeoDataFrame({"c": ["1"], "xzqmc": ["东"]}, geometry=[shapely.box(116, 36, 116.1, 36.1)], crs=4326)
    frame.to_file(path)
    found = with_source(url=url, schedule=YEARLY, fields={"xzqdm": "c"})
    due(empty_store, found, datetime(2026, 3, 2, 3, 1, tzinfo=ZoneInfo("Asia/Shanghai")))
    answers += [503, path]
    worker.run(empty_store, found, worker.Timing(), once=True)
    (job,) = jobs.seen(empty_store.thread_fetch(*jobs.listing(10)))
    assert (job.state, job.attempts) == ("accepted", 1)
    assert "503" in (job.message or "")
    assert "later" in (job.message or "")
    waits = empty_store.thread_fetch(
        sql.SQL("SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate.procrastinate_jobs")
    )
    assert 0 < waits[0][0] <= 2
    with empty_store.thread_session() as conn:
        conn.execute("SELECT pg_sleep(2)")
    worker.run(empty_store, found, worker.Timing(), once=True)
    (job,) = jobs.seen(empty_store.thread_fetch(*jobs.listing(10)))
    assert (job.state, job.source) == ("successful", url.split("@")[1].split("?")[0].join(["http://", ""]))
    assert empty_store.thread_fetch(sql.SQL("SELECT xzqdm, xzqmc FROM data.districts")) == [("1", "东")]
    kept = empty_store.thread_fetch(sql.SQL(
        "SELECT j::text || coalesce(p::text, '') || (SELECT string_agg(r::text, '') FROM shikong.release AS r)"
        " FROM procrastinate.procrastinate_jobs AS j LEFT JOIN shikong.job_progress AS p ON p.job_id = j.id"))  # fmt: skip
    assert "geheim" not in kept[0][0]
    assert list((empty_store.settings.data / "incoming").iterdir()) == []


@pytest.mark.parametrize(("answer", "error"), [
    (500, SourceAway), (429, SourceAway), (404, UnreadableSource), (401, UnreadableSource), (204, UnreadableSource),
])  # fmt: skip
def test_answers_that_may_change_are_told_from_those_that_will_not(
    tmp_path: Path, bureau: tuple[str, list[Any]], answer: int, error: type[Exception]
) -> None:
    url, answers = bureau
    answers.append(answer)
    with pytest.raises(IngestError) as caught, fetch.fetched(url, tmp_path / "in"):
        pass
    assert type(caught.value) is error
    assert "geheim" not in str(caught.value)
    assert "/daily/districts.geojson" in str(caught.value)


@pytest.mark.parametrize(("url", "error"), [
    ("http://li:geheim@127.0.0.1:1/d.zip", SourceAway), ("ftp://127.0.0.1/d.zip", UnreadableSource),
    ("http://127.0.0.1:1/", UnreadableSource), ("d.zip", UnreadableSource), ("http://[::1/d.zip", UnreadableSource),
])  # fmt: skip
def test_an_address_that_gives_nothing_is_told(tmp_path: Path, url: str, error: type[Exception]) -> None:
    with pytest.raises(IngestError) as caught, fetch.fetched(url, tmp_path / "in"):
        pass
    assert type(caught.value) is error
    assert "geheim" not in str(caught.value)


def test_a_schedule_reads_a_feature_service_and_waits_for_one_that_is_away(empty_store: Database) -> None:
    """An address without a file's name goes to the readers of services; nobody listens at this one."""
    found = with_source(url="postgresql://li:geheim@127.0.0.1:1/gis#public.districts", schedule=YEARLY)
    due(empty_store, found, datetime(2026, 3, 2, 3, 1, tzinfo=ZoneInfo("Asia/Shanghai")))
    worker.run(empty_store, found, worker.Timing(), once=True)
    (job,) = jobs.seen(empty_store.thread_fetch(*jobs.listing(10)))
    assert (job.state, job.source) == ("accepted", "postgresql://127.0.0.1:1/gis")
    assert job.attempts >= 1  # on a slow machine the second try is already due before the worker stops
    assert "cannot be read" in (job.message or "")
    assert "geheim" not in str(job)


@pytest.mark.parametrize(("text", "told"), [
    ("https://li:ge@heim@host:8443/a/b.zip?token=geheim#x cannot", "https://host:8443/a/b.zip cannot"),
    ("postgresql://li:geheim@host/db", "postgresql://host/db"),
    ("no address: a@b, c?d", "no address: a@b, c?d"), ("http://host/a", "http://host/a"),
])  # fmt: skip
def test_addresses_are_told_without_secrets(text: str, told: str) -> None:
    assert fetch.without_secrets(text) == told


@pytest.mark.parametrize(("error", "waits"), [
    (DatabaseAway(), True), (ConnectionLost(), True), (SourceAway("x"), True), (IngestError("x"), False),
    (UnreadableSource("x"), False), (DiskFull(), False), (SchemaConflict(), False), (ValueError(), False),
])  # fmt: skip
def test_only_what_may_pass_by_itself_is_tried_again(error: Exception, waits: bool) -> None:
    from procrastinate.jobs import Job

    pauses = []
    for attempts in range(20):
        job = Job(queue="default", task_name="load", lock="x", queueing_lock=None, attempts=attempts)
        decision = Backoff().get_retry_decision(exception=error, job=job)
        if decision is not None:
            assert decision.retry_at is not None
            pauses.append(round((decision.retry_at - datetime.now(UTC)).total_seconds()))
    assert pauses == ([2, 4, 8, 16, 32, 64, 128, 256] if waits else [])
