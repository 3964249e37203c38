"""How many questions of a process are taken on, and in which form an answer is told.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import anyio
import orjson
import pytest
from pygeoapi import l10n
from starlette.requests import Request

from shikong.layers.declared import Text
from shikong.processes.base import BadInput, Inputs, Process, Rendering
from shikong.providers.errors import BadParameter
from shikong.server import process_execution
from shikong.server.context import Context
from shikong.store.errors import Busy

LOCALES = l10n.get_locales({"server": {"languages": ["zh", "en-US"]}})


class Slow(Process):
    """Answers once it is let."""

    id = "slow"
    title = description = Text(zh="慢", en="slow")
    inputs = Inputs
    renderings: ClassVar = {
        "csv": Rendering("text/csv", "csv", lambda answer, language: f"{answer},{language}".encode())
    }
    may: ClassVar[threading.Event] = threading.Event()

    def answer(self, inputs: Inputs) -> dict[str, Any]:
        """Nothing, later."""
        assert self.may.wait(20)
        return {"done": True}


@pytest.fixture
def context() -> Context:
    Slow.may.clear()
    manager = SimpleNamespace(processes={"slow": {}}, get_processor=lambda name: Slow({"name": name}))
    return cast(
        Context,
        SimpleNamespace(api=SimpleNamespace(manager=manager, locales=LOCALES)),
    )


def request(body: Any = None, query: bytes = b"") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": orjson.dumps(body or {}), "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query, "headers": [],
             "path_params": {"process_id": "slow"}}  # fmt: skip
    return Request(scope, receive)


def test_more_than_can_wait_are_told_to_come_back(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_execution, "MAX_WAITING", 2)
    done: list[int] = []

    async def ask() -> None:
        done.append((await process_execution.execute(context, request())).status_code)

    async def crowd() -> None:
        limiter = process_execution._at_once("slow")
        async with anyio.create_task_group() as group:
            for _ in range(int(limiter.total_tokens) + 2):
                group.start_soon(ask)
            while limiter.statistics().tasks_waiting < 2:  # noqa: ASYNC110 - a limiter has no event for it
                await anyio.sleep(0.01)
            with pytest.raises(Busy):
                await process_execution.execute(context, request())
            assert not done
            Slow.may.set()
        assert done == [200] * (int(limiter.total_tokens) + 2)

    anyio.run(crowd)


@pytest.mark.parametrize(
    ("body", "query", "told"),
    [
        ({}, b"", b'{"done":true}'),
        ({}, b"f=csv&lang=en", b"{'done': True},en"),
        ({"outputs": {"answer": {"format": {"mediaType": "text/csv"}}}}, b"lang=zh", b"{'done': True},zh"),
        ({"outputs": {"answer": {"format": {"mediaType": "application/json"}}}}, b"", b'{"done":true}'),
    ],
)
def test_the_answer_comes_in_the_form_that_is_asked_for(context: Context, body: Any, query: bytes, told: bytes) -> None:
    Slow.may.set()
    answer = anyio.run(process_execution.execute, context, request(body, query))
    assert answer.body == told


@pytest.mark.parametrize(
    ("body", "query", "error"),
    [
        ({}, b"f=pdf", BadParameter),
        ({"outputs": {"answer": {"format": {"mediaType": "application/pdf"}}}}, b"", BadInput),
        ({"outputs": []}, b"", BadInput),
        ({"outputs": {"answer": {"format": "csv"}}}, b"", BadInput),
        ({"inputs": []}, b"", BadInput),
    ],
)
def test_forms_that_there_are_not_are_refused(context: Context, body: Any, query: bytes, error: Any) -> None:
    Slow.may.set()
    with pytest.raises(error):
        anyio.run(process_execution.execute, context, request(body, query))
