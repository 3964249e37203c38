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
Key = tuple[bytes, ...]

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
class _Kept:
    basis: Basis
    answer: Answer
    tag: str | None

    @property
    def size(self) -> int:
        return len(self.answer.body) + 1000  # its headers and its place in the books


@dataclass(frozen=True)
class Answer:
    """An answer, ready to be sent."""

    status: int
    headers: Headers
    body: bytes


class KeptAnswers:
    """The answers that a process keeps in memory, the ones asked for lately, up to so many megabytes.

    trusted: whether releases are heard of; while they are not, nothing is answered from here.
    """

    def __init__(self, megabytes: int, trusted: Callable[[], bool]) -> None:
        self._limit, self._trusted = megabytes * 1_000_000, trusted
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._size = 0

    def find(self, key: Key, headers: Headers) -> Answer | None:
        """The answer to a GET, or that the client has it, where nothing has changed since it was given."""
        kept = self._kept.get(key)
        if kept is None or not kept.basis.holds() or not self._trusted():
            return None
        self._kept.move_to_end(key)
        known = next((value for name, value in headers if name == b"if-none-match"), None)
        if known is not None and kept.tag is not None and is_among(kept.tag, known.decode("latin-1")):
            of_body = (b"content-length", b"content-type")
            return Answer(304, [header for header in kept.answer.headers if header[0] not in of_body], b"")
        return kept.answer

    def keep(self, key: Key, basis: Basis, answer: Answer) -> None:
        """Keep an answer, in the place of those that were not asked for for longest."""
        before = self._kept.pop(key, None)
        tag = next((value.decode() for name, value in answer.headers if name == b"etag"), None)
        self._kept[key] = fresh = _Kept(basis, answer, tag)
        self._size += fresh.size - (before.size if before is not None else 0)
        while self._size > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size


class KeepAnswers:
    """Middleware that gives kept answers again, and keeps those that endpoints allow to be kept."""

    def __init__(self, app: ASGIApp, kept: KeptAnswers) -> None:
        self._app, self._kept = app, kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        key = key_of(scope["raw_path"], scope["query_string"], scope["headers"])
        found = None if key is None else self._kept.find(key, scope["headers"])
        if found is not None:
            started, request_id = time.perf_counter(), os.urandom(6).hex()
            headers = [*found.headers, (b"x-request-id", request_id.encode())]
            await send({"type": "http.response.start", "status": found.status, "headers": headers})
            await send({"type": "http.response.body", "body": found.body})
            write_line(scope, found.status, started, request_id)
            return
        await self._app(scope, receive, send if key is None else self._noting(key, scope, send))

    def _noting(self, key: Key, scope: Scope, send: Send) -> Send:
        """A way out that keeps what goes by, if its endpoint allows it and it comes in one piece."""
        scope["kept_answer"] = basis = Basis()
        begun: Message | None = None

        async def send_noting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message if message["status"] in (200, 204) else None
            elif begun is not None and basis.layers and not message.get("more_body", False):
                body = message.get("body", b"")
                self._kept.keep(key, basis, Answer(begun["status"], _headers(begun, body), body))
            else:
                begun = None
            await send(message)

        return send_noting


def _headers(start: Message, body: bytes) -> Headers:
    """The headers of an answer without what is of one request, and with its length, which is known now."""
    own = (b"x-request-id", b"content-length", b"transfer-encoding")
    length = [] if start["status"] == 204 else [(b"content-length", str(len(body)).encode())]
    return [header for header in start["headers"] if header[0] not in own] + length


def key_of(path: bytes, query: bytes, headers: Headers) -> Key | None:
    """What tells a GET from others that may be answered otherwise; None for one that is not to be answered from memory.

    path, query: as they came.
    """
    found = [path, query, b"", b""]
    for name, value in headers:
        if name in _UNUSUAL:
            return None
        if name in _TOLD:
            # All origins are told the same; whether there is one makes the difference.
            found[2 + _TOLD.index(name)] = value if name == b"accept-encoding" else b"any"
        elif name == b"accept" and b"&f=" not in b"&" + query:  # else the format is said
            found.append(value)
    return tuple(found)
