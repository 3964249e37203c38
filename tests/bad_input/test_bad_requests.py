"""Every bad request is refused with its reason, tells nothing of the server's inside, and the next is answered.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import http.client as http_client
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from shikong.store.database import Database
from support.editing import Editor, write_zones
from support.loads import load, settings_for
from support.refusals import check_refusal, check_silence, load_table

REQUESTS = load_table(__file__, "bad_requests").REQUESTS
BODIES = load_table(__file__, "bad_bodies").BODIES

#: httpx sends no longer address.
LONGEST = 60_000

GOOD = "/collections/parcels/items?f=json&limit=1&filter=tbmj%20%3E%200"


def test_the_tables_are_large_and_their_names_are_unique() -> None:
    names = [case.name for case in [*REQUESTS, *BODIES]]
    assert len(names) >= 150
    assert len(names) == len(set(names))


@pytest.fixture(scope="module")
def http(service: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
def test_a_bad_request_is_refused_in_words(http: httpx.Client, case: Any) -> None:
    answer = _ask(http, case.url)
    if case.status == 200:  # a text that is only a text, which nothing matches
        assert answer.status_code == 200, answer.text[:500]
        assert answer.json()["features"] == []
        check_silence(answer)
    else:
        problem = check_refusal(answer, case.status, case.words)
        if case.parameter is not None:
            assert problem["parameter"] == case.parameter
            assert problem.get("allowed") or case.parameter in ("filter", "cursor")
    assert http.get(GOOD).json()["numberReturned"] == 1


def _ask(http: httpx.Client, url: str) -> httpx.Response:
    if len(url) < LONGEST:
        return http.get(url, headers={"accept": "application/json"})
    connection = http_client.HTTPConnection(http.base_url.host, http.base_url.port, timeout=60)
    with contextlib.closing(connection):
        with contextlib.suppress(ConnectionError):  # the server need not read to its end what it refuses
            connection.request("GET", url)
        answer = connection.getresponse()
        return httpx.Response(answer.status, headers=list(answer.headers.items()), content=answer.read())


@pytest.fixture(scope="module")
def editor(
    cluster: Any, template: str, run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Editor]:
    """A client of a server with five zones, on which editing is open."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    folder = tmp_path_factory.mktemp("bodies")
    store = Database(settings_for(cluster.dsn_of(name), folder))
    load(store, write_zones(folder / "zones.gpkg", 5), "planning_zones")
    store.close_threads()
    with run_service(cluster.dsn_of(name), folder, SHIKONG_EDITING="open") as service:
        client = Editor(service.url, cluster.dsn_of(name))
        yield client
        client.http.close()


@pytest.mark.parametrize("case", BODIES, ids=lambda case: case.name)
def test_a_bad_body_is_refused_in_words_and_changes_nothing(editor: Editor, case: Any) -> None:
    before = editor.get("planning_zones", "Z1")
    headers = {"if-match": before.headers["etag"]} | case.headers
    headers = {name: value for name, value in headers.items() if value}
    if case.media_type:
        headers["content-type"] = case.media_type
    answer = editor.http.request(case.method, case.path, content=case.content, headers=headers)
    check_refusal(answer, case.status, case.words)
    after = editor.http.get("/collections/planning_zones/items", params={"f": "json"}).json()
    assert after["numberMatched"] == 5
    assert editor.get("planning_zones", "Z1").content == before.content
