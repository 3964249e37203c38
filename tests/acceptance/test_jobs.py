"""Jobs over HTTP, in the shape of OGC API - Processes, for machines and for people.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import jsonschema
import psycopg
import pytest
import shapely

from shikong.ingest.features import Options
from shikong.ingest.jobs import loads, worker
from shikong.layers import catalog
from shikong.store import accounts, jobs
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from shikong.store.settings import StoreSettings

# Of OGC 18-062r2, 7.11: what a status document must have, and of which kinds its members are.
STATUS_INFO = {
    "type": "object",
    "required": ["jobID", "status", "type"],
    "properties": {
        "jobID": {"type": "string"}, "type": {"enum": ["process"]},
        "status": {"enum": ["accepted", "running", "successful", "failed", "dismissed"]},
        "message": {"type": "string"}, "progress": {"type": "integer", "minimum": 0, "maximum": 100},
        "created": {"type": "string", "format": "date-time"}, "started": {"type": "string", "format": "date-time"},
        "finished": {"type": "string", "format": "date-time"}, "updated": {"type": "string", "format": "date-time"},
        "links": {"type": "array", "items": {"type": "object", "required": ["href"]}},
    },
}  # fmt: skip


def deliver(path: Path) -> Path:
    """Two districts."""
    boxes = [shapely.box(116 + i, 36, 116.1 + i, 36.1) for i in range(2)]
    gpd.GeoDataFrame({"xzqdm": ["1", "2"], "xzqmc": ["东", "西"]}, geometry=boxes, crs=4490).to_file(path)
    return path


@pytest.fixture(scope="module")
def store(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A store for the jobs of these tests."""
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE shikong_jobs TEMPLATE {template}".encode())
    data = tmp_path_factory.mktemp("data")
    found = Database(StoreSettings(data, cluster.dsn_of("shikong_jobs"), statement_timeout=30, pool_size=4))
    yield found
    found.close_threads()


@pytest.fixture(scope="module")
def asking(store: Database, make_client: Any, run_service: Any) -> Iterator[Any]:
    """A client of a server over that store."""
    with run_service(store.settings.database_url, store.settings.data) as running:
        found = make_client(running.url)
        yield found
        found.close()


def test_jobs_are_told_from_waiting_to_done(asking: Any, store: Database, tmp_path: Path) -> None:
    good = loads.defer(store, deliver(tmp_path / "d.gpkg"), "districts", Options())
    secret = tmp_path / "geheim"
    secret.mkdir()
    (secret / "bad.gpkg").write_text("nothing", encoding="utf-8")
    bad = loads.defer(store, secret / "bad.gpkg", "roads", Options())
    waiting = asking.get(f"/jobs/{good}", f="json").json
    assert (waiting["status"], waiting["progress"], waiting["layer"]) == ("accepted", 0, "districts")
    assert "started" not in waiting
    jobs.note(store, good, "loading", 1, 2)
    assert asking.get(f"/jobs/{good}", f="json").json["progress"] == 45
    worker.run(store, catalog.default(), worker.Timing(), once=True)
    listed = asking.get("/jobs", f="json").json
    assert [(job["jobID"], job["status"], job["progress"]) for job in listed["jobs"][:2]] == [
        (str(bad), "failed", 0), (str(good), "successful", 100),
    ]  # fmt: skip
    for job in listed["jobs"][:2]:
        jsonschema.validate(job, STATUS_INFO, format_checker=jsonschema.FormatChecker())
        created, started, finished = (datetime.fromisoformat(job[name]) for name in ("created", "started", "finished"))
        assert created <= started <= finished
    assert "bad.gpkg" in listed["jobs"][0]["message"]
    assert "geheim" not in str(listed), "where a file lies on the server is nobody's business"
    one = asking.get(f"/jobs/{good}", f="json").json
    assert "2 rows stored" in one["message"]
    assert one["rows"] == {"done": 2, "total": 2}
    for link in one["links"]:
        assert asking.link(link["href"]).status == 200


def _all_pages(asking: Any, **asked: Any) -> list[str]:
    """The numbers of the jobs on all pages, along the `next` links."""
    answer, seen = asking.get("/jobs", f="json", **asked).json, []
    while True:
        seen += [job["jobID"] for job in answer["jobs"]]
        onward = [link["href"] for link in answer["links"] if link["rel"] == "next"]
        if not onward:
            return seen
        answer = asking.link(onward[0] + "&f=json").json


def test_jobs_are_paged(asking: Any, store: Database, tmp_path: Path) -> None:
    path = deliver(tmp_path / "d.gpkg")
    numbers = [str(loads.defer(store, path, "districts", Options())) for _ in range(5)]
    seen = _all_pages(asking, limit=2)
    assert seen[:5] == numbers[::-1]
    assert len(seen) == len(set(seen)) == int(numbers[-1]), "every job once: their numbers have no gaps here"


@pytest.fixture(scope="module")
def many(store: Database, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Sixty jobs of random kinds, states, times and durations."""
    chance = random.Random(371500)
    path = deliver(tmp_path_factory.mktemp("many") / "many.gpkg")
    with psycopg.connect(str(store.settings.database_url), options="-c search_path=procrastinate") as conn:
        conn.execute("DELETE FROM procrastinate_jobs")
        for _ in range(60):
            number = loads.defer(store, path, "districts", Options())
            created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=chance.randrange(500))
            started = created + timedelta(minutes=1)
            status, event = chance.choice(
                [("todo", None), ("succeeded", "succeeded"), ("failed", "failed"), ("cancelled", "cancelled")]
            )
            conn.execute(
                "UPDATE procrastinate_jobs SET status = %s, task_name = %s WHERE id = %s",
                (status, chance.choice(["load", "take", "refresh"]), number),
            )
            conn.execute("DELETE FROM procrastinate_events WHERE job_id = %s", (number,))
            events = [("deferred", created)]
            if event in ("succeeded", "failed"):
                events += [("started", started), (event, started + timedelta(seconds=chance.randrange(100)))]
            elif event is not None:
                events.append((event, started))
            for kind, moment in events:
                conn.execute(
                    "INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, %s, %s)", (number, kind, moment)
                )
    return store


def _took(job: dict[str, Any]) -> float:
    if "started" not in job:
        return float("nan")
    return (datetime.fromisoformat(job["finished"]) - datetime.fromisoformat(job["started"])).total_seconds()


@pytest.mark.parametrize(("asked", "fits"), [
    ({}, lambda job: True), ({"type": "process"}, lambda job: True),
    ({"status": "failed"}, lambda job: job["status"] == "failed"),
    ({"status": "successful,dismissed"}, lambda job: job["status"] in ("successful", "dismissed")),
    ({"processID": "take"}, lambda job: job["processID"] == "take"),
    ({"processID": "take,load", "status": "accepted"},
     lambda job: job["processID"] != "refresh" and job["status"] == "accepted"),
    ({"processID": "what-is-here"}, lambda job: False),
    ({"datetime": "2026-01-05T00:00:00Z/2026-01-09T12:00:00Z"},
     lambda job: "2026-01-05T00" <= job["created"] <= "2026-01-09T12:00:00+00:00"),
    ({"datetime": "../2026-01-09T12:00:00Z"}, lambda job: job["created"] <= "2026-01-09T12:00:00+00:00"),
    ({"minDuration": "50"}, lambda job: _took(job) >= 50), ({"maxDuration": "50"}, lambda job: _took(job) <= 50),
    ({"minDuration": "20", "maxDuration": "70", "status": "failed"},
     lambda job: 20 <= _took(job) <= 70 and job["status"] == "failed"),
])  # fmt: skip
def test_jobs_are_filtered_as_the_standard_says(asking: Any, many: Database, asked: Any, fits: Any) -> None:
    every = asking.get("/jobs", f="json", limit=1000).json["jobs"]
    expected = [job["jobID"] for job in every if fits(job)]
    assert len(every) == 60
    assert len(expected) in (0, 60) or 1 < len(expected) < 60, "the filter has nothing to tell apart"
    seen = _all_pages(asking, limit=7, **asked)
    assert seen == expected


@pytest.mark.parametrize(("language", "word"), [("zh-CN", "来源"), ("en-US", "Source")])
def test_pages_show_jobs(asking: Any, store: Database, tmp_path: Path, language: str, word: str) -> None:
    number = loads.defer(store, deliver(tmp_path / "d.gpkg"), "districts", Options())
    for path in ("/jobs", f"/jobs/{number}"):
        page = asking.get(path, f="html", lang=language)
        assert page.status == 200
        assert word in page.text
        assert "d.gpkg" in page.text
    worker.run(store, catalog.default(), worker.Timing(), once=True)
    assert 'class="state state-successful"' in asking.get(f"/jobs/{number}", f="html", lang=language).text


@pytest.mark.parametrize(("path", "status", "word"), [
    ("/jobs/999", 404, "there is no job 999"), ("/jobs/abc", 400, "whole number"), ("/jobs?limit=0", 400, "1 to 1000"),
    ("/jobs?state=failed", 400, "no parameter"), ("/jobs?status=failed,broken", 400, "status: 'broken'"),
    ("/jobs?type=wps", 400, "type: 'wps'"), ("/jobs?minDuration=-1", 400, "minDuration"),
    ("/jobs?datetime=gestern", 400, "datetime"),
])  # fmt: skip
def test_what_does_not_exist_is_told(client: Any, path: str, status: int, word: str) -> None:
    answer = client.link(client.url + path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.json["detail"]


def test_anonymous_may_not_dismiss(asking: Any, store: Database, tmp_path: Path) -> None:
    number = loads.defer(store, deliver(tmp_path / "d.gpkg"), "districts", Options())
    answer = httpx.delete(f"{asking.url}/jobs/{number}", trust_env=False)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "operator" in answer.json()["detail"]
    assert asking.get(f"/jobs/{number}", f="json").json["status"] == "accepted"


def test_an_operator_dismisses(asking: Any, store: Database, tmp_path: Path) -> None:
    with store.thread_session() as conn:
        token = accounts.add(conn, f"zhang-{uuid.uuid4().hex[:6]}", ["operator"], None)
    number = loads.defer(store, deliver(tmp_path / "d.gpkg"), "districts", Options())
    with httpx.Client(base_url=asking.url, trust_env=False, headers={"authorization": f"Bearer {token}"}) as http:
        done, again, unknown = (http.delete(f"/jobs/{job}") for job in (number, number, 999))
    assert (done.status_code, done.json()["status"]) == (200, "dismissed")
    assert (again.status_code, again.json()["code"]) == (409, "JobEnded")
    assert unknown.status_code == 404
