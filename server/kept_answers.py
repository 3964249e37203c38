"""Answers that are given again without a look at anything but a number: tiles that a process has answered lately.

They stand before all that a request otherwise passes through, because that takes ten times as long as such an answer.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shikong.server.etags import is_among
from shikong.server.logs import write_line
from shikong.tiles.revisions import LayerRevisions

Headers = list[tuple[bytes, bytes]]

#: Headers of requests of which an answer may depend; a request with one of them in another value is another one.
_TOLD = (b"accept-encoding", b"origin")

#: Requests with one of these are not answered from here.
_UNUSUAL = (b"range", b"if-match", b"authorization", b"cookie", b"access-control-request-method")


@dataclass
class Basis:
    """What an answer was made from; an endpoint that allows its answer to be kept fills it in.

    layers: the layers, with their newest release then. until: when, by time.time(), they will change by themselves.
    """

    layers: tuple[tuple[LayerRevisions, int], ...] = ()
    until: float | None = None

    def holds(self) -> bool:
        """Whether all is as it was."""
        if self.until is not None and time.time() >= self.until:
            return False
        return all(layer.newest == release for layer, release in self.layers)


@dataclass(frozen=True)
class _Answer:
    basis: Basis
    start: Message
    body: bytes
    tag: str | None

    @property
    def size(self) -> int:
        return len(self.body) + 1000  # its headers and its place in the books


class KeptAnswers:
    """Middleware that keeps answers in memory, the ones asked for lately, up to so many megabytes.

    trusted: whether releases are heard of; while they are not, nothing is answered from here.
    """

    def __init__(self, app: ASGIApp, megabytes: int, trusted: Callable[[], bool]) -> None:
        self._app, self._limit, self._trusted = app, megabytes * 1_000_000, trusted
        self._answers: OrderedDict[tuple[bytes, ...], _Answer] = OrderedDict()
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        key = _key(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        if key is None:
            await self._app(scope, receive, send)
            return
        answer = self._answers.get(key)
        if answer is not None and answer.basis.holds() and self._trusted():
            started, request_id = time.perf_counter(), os.urandom(6).hex()
            self._answers.move_to_end(key)
            status = await _give(answer, scope, send, request_id)
            write_line(scope, status, started, request_id)
            return
        scope["kept_answer"] = basis = Basis()
        begun: Message | None = None

        async def send_noting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message if message["status"] in (200, 204) else None
            elif begun is not None and basis.layers and not message.get("more_body", False):
                headers = [header for header in begun["headers"] if header[0] != b"x-request-id"]
                self._keep(key, basis, {**begun, "headers": headers}, message.get("body", b""))
            else:
                begun = None
            await send(message)

        await self._app(scope, receive, send_noting)

    def _keep(self, key: tuple[bytes, ...], basis: Basis, start: Message, body: bytes) -> None:
        tag = next((value.decode() for name, value in start["headers"] if name == b"etag"), None)
        before = self._answers.pop(key, None)
        if before is not None:
            self._size -= before.size
        answer = _Answer(basis, start, body, tag)
        self._answers[key] = answer
        self._size += answer.size
        while self._size > self._limit:
            _, oldest = self._answers.popitem(last=False)
            self._size -= oldest.size


def _key(scope: Scope) -> tuple[bytes, ...] | None:
    """What tells a request from others that may be answered otherwise; None for one that is not to be answered here."""
    found = [scope["raw_path"], scope["query_string"], b"", b""]
    for name, value in scope["headers"]:
        if name in _UNUSUAL:
            return None
        if name in _TOLD:
            # All origins are told the same; whether there is one makes the difference.
            found[2 + _TOLD.index(name)] = value if name == b"accept-encoding" else b"any"
        elif name == b"accept" and b"&f=" not in b"&" + scope["query_string"]:  # else the format is said
            found.append(value)
    return tuple(found)


async def _give(answer: _Answer, scope: Scope, send: Send, request_id: str) -> int:
    """Give an answer again, or say that the client has it; returns the status."""
    status, headers, body = answer.start["status"], answer.start["headers"], answer.body
    known = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
    if known is not None and answer.tag is not None and is_among(answer.tag, known.decode("latin-1")):
        status, body = 304, b""
        headers = [header for header in headers if header[0] not in (b"content-length", b"content-type")]
    headers = [*headers, (b"x-request-id", request_id.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return int(status)
