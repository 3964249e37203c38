"""Every error of ours has its status, and a refusal is told as RFC 9457 has it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

import shikong.processes
import shikong.providers
import shikong.server
import shikong.store
from shikong.layers.errors import UnknownLayer
from shikong.processes.base import BadInput
from shikong.providers.errors import BadParameter, CollectionNotFound, NotFound, QueryError, UnknownParameter
from shikong.server import errors
from shikong.store.errors import DatabaseAway, NotPublished, QueryTooSlow, SchemaConflict, StoreError

for package in (shikong.store, shikong.providers, shikong.processes, shikong.server):
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def _family(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


ALL = [kind for root in (StoreError, QueryError, BadInput, UnknownLayer) for kind in _family(root)]


def _request(path: str = "/collections/x/items", accept: str = "application/json", query: str = "") -> Request:
    headers = [(b"accept", accept.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": query.encode()}
    return Request(scope)


def _answer(error: Exception, handler: Any = errors.handle) -> tuple[Any, dict[str, Any]]:
    response = asyncio.run(handler(_request(), error))
    return response, json.loads(response.body)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not QueryError], ids=lambda kind: kind.__name__)
def test_every_error_of_ours_has_a_status_by_its_ancestry(kind: type[Exception]) -> None:
    assert any(parent in errors.STATUS for parent in kind.__mro__)


def test_query_error_itself_is_never_raised_bare() -> None:
    # It is only a family: each member must be in the table, which the test above sees to.
    assert len(list(_family(QueryError))) >= 5


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadParameter("limit", "is too large", ["1 to 10"]), 400, "InvalidParameterValue"),
        (UnknownParameter("limt", ["limit"]), 400, "InvalidParameterValue"),
        (BadInput("lon", "is missing"), 400, "InvalidParameterValue"),
        (CollectionNotFound("parcel", ["parcels"]), 404, "NotFound"),
        (NotFound("nothing there"), 404, "NotFound"),
        (UnknownLayer("parcel", ["parcels"]), 404, "NotFound"),
        (NotPublished(), 404, "NotFound"),
        (DatabaseAway(), 503, "ServiceUnavailable"),
        (QueryTooSlow(), 503, "QueryTooSlow"),
        (SchemaConflict("a table differs"), 500, "NoApplicableCode"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_becomes_a_problem_document(error: Exception, status: int, code: str) -> None:
    response, document = _answer(error)
    assert (response.status_code, response.media_type) == (status, "application/problem+json")
    assert document["status"] == status
    assert document["title"] == HTTPStatus(status).phrase
    assert document["type"] == "about:blank"
    assert document["code"] == code
    assert document["detail"] == document["description"] == str(error)
    assert ("retry-after" in response.headers) == (status == 503)


def test_a_wrong_parameter_is_named_with_what_would_be_right() -> None:
    _, document = _answer(BadParameter("limit", "is too large", ["1 to 10"]))
    assert document["parameter"] == "limit"
    assert document["allowed"] == ["1 to 10"]
    _, document = _answer(NotFound("nothing there"))
    assert not {"parameter", "allowed"} & set(document)


@pytest.mark.parametrize(("kind", "seconds"), [(DatabaseAway, "3"), (QueryTooSlow, "30")])
def test_a_client_is_told_when_to_try_again(kind: type[StoreError], seconds: str) -> None:
    response, _ = _answer(kind())
    assert response.headers["retry-after"] == seconds


def test_a_defect_tells_nothing_of_the_inside() -> None:
    response, document = _answer(RuntimeError("password=secret at /srv/x.py"), errors.handle_defect)
    assert response.status_code == 500
    assert "secret" not in response.body.decode()
    assert "operator" in document["detail"]


@pytest.mark.parametrize(("status", "words"), [(404, "nothing at /collections/x/items"), (405, "GET is not possible")])
def test_what_routing_refuses_is_told_the_same_way(status: int, words: str) -> None:
    response, document = _answer(HTTPException(status, headers={"x-kept": "1"}), errors.handle_http)
    assert (response.status_code, document["status"]) == (status, status)
    assert words in document["detail"]
    assert response.headers["x-kept"] == "1"


@pytest.mark.parametrize(
    ("accept", "query", "html"),
    [("text/html", "", True), ("text/html", "f=json", False), ("application/json", "f=html", True), ("*/*", "", False)],
)
def test_a_browser_gets_a_page_and_a_program_json(accept: str, query: str, html: bool) -> None:
    assert errors.wants_html(_request(accept=accept, query=query)) is html
