"""What needs no application: a request that cannot even be read as HTTP is refused, and what a process keeps in memory
is given again at once, in a third of the time that the way through uvicorn's tasks takes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import os
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shikong.server.kept_answers import Answer, KeptAnswers, key_of
from shikong.server.logs import write_line

#: Bytes that an address may have: the parser of httptools counts no further.
MAX_ADDRESS = 65_535

_REFUSAL = {
    "type": "about:blank", "title": HTTPStatus.BAD_REQUEST.phrase, "status": int(HTTPStatus.BAD_REQUEST),
    "code": "BadRequest",
    "detail": "the request cannot be read as HTTP; an address may have "
    f"{MAX_ADDRESS:,} bytes and letters that are percent-encoded",
}  # fmt: skip


class _Done:
    """Stands where uvicorn has a request under way: it is answered."""

    response_complete = True
    message_event = asyncio.Event()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with refusals as all others are told, and with a short way for kept answers."""

    def on_headers_complete(self) -> None:
        """Answer from memory, or let the application answer."""
        found = self._kept() if self.cycle is None or self.cycle.response_complete else None
        if found is None:
            super().on_headers_complete()
            return
        started, request_id = time.perf_counter(), os.urandom(6).hex()
        head = [STATUS_LINE[found.status]]
        for name, value in (*self.server_state.default_headers, *found.headers):
            head += (name, b": ", value, b"\r\n")
        head += (b"x-request-id: ", request_id.encode(), b"\r\n\r\n")
        self.transport.writelines([b"".join(head), found.body])
        self.cycle = _DONE
        self.on_response_complete()
        path, _, query = self.url.partition(b"?")
        scope = {"method": "GET", "path": unquote(path.decode("ascii")), "query_string": query}
        write_line(scope, found.status, started, request_id)

    def _kept(self) -> Answer | None:
        """The answer that is kept for a plain GET on a connection that stays open."""
        kept: KeptAnswers | None = self.app_state.get("kept_answers")
        plain = self.parser.get_method() == b"GET" and self.parser.get_http_version() == "1.1"
        if kept is None or not plain or not self.parser.should_keep_alive() or self.parser.should_upgrade():
            return None
        if self.flow.write_paused or not self.url.startswith(b"/"):
            return None
        path, _, query = self.url.partition(b"?")
        key = key_of(path, query, self.headers)
        return None if key is None else kept.find(key, self.headers)

    def send_400_response(self, msg: str) -> None:
        """Answer with a problem document, and close."""
        body = orjson.dumps(_REFUSAL | {"description": _REFUSAL["detail"]})
        head = (
            f"HTTP/1.1 {HTTPStatus.BAD_REQUEST.value} {HTTPStatus.BAD_REQUEST.phrase}\r\n"
            f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()


_DONE: Any = _Done()
