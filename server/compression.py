"""Answers compressed as the client accepts: zstd or gzip, piece by piece for what is streamed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import zlib
from functools import lru_cache
from typing import Protocol

import zstandard
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Shorter answers fit into a packet or two as they are.
_LEAST = 1000

#: Longer pieces are compressed in a thread, beside other requests.
_LARGE = 200_000

#: Media types, or their beginnings, that get shorter; all else is compressed already or made of numbers.
_WORTH = (
    "application/geo+json", "application/json", "application/ld+json", "application/fg+json", "application/x-ndjson",
    "application/schema+json", "application/problem+json", "application/prs.coverage+json", "application/xml",
    "application/vnd.oai.openapi+json", "application/javascript", "application/vnd.mapbox-vector-tile",
    "application/flatgeobuf", "application/geopackage+sqlite3", "application/vnd.apache.arrow.stream",
    "image/svg+xml", "text/",
)  # fmt: skip


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class Compression:
    """Compresses what is worth it, and keeps tags apart: one tag is one sequence of bytes.

    An encoding's name is put at the end of a tag that goes out and taken off tags that come in, so that nobody
    behind this needs to know.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        encoding = negotiated(headers.get("accept-encoding", ""))
        scope, known = _without_encodings(scope)
        await self._app(scope, receive, _Answer(send, encoding, known))


class _Answer:
    """The way of one answer to the client."""

    def __init__(self, send: Send, encoding: str | None, known: str | None) -> None:
        self._send, self._encoding, self._known = send, encoding, known
        self._start: Message | None = None
        self._compressor: _Compressor | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message  # waits for the first piece, which tells how long the answer is
            if message["status"] == 304:
                self._mark(MutableHeaders(raw=message["headers"]), self._known)
            return
        if self._start is not None:
            start, self._start = self._start, None
            self._begin(start, message)
            await self._send(start)
        if self._compressor is not None and message["type"] == "http.response.body":
            large = len(message.get("body", b"")) > _LARGE
            if large:
                message = await asyncio.to_thread(_compressed, self._compressor, message)
            else:
                message = _compressed(self._compressor, message)
        await self._send(message)

    def _begin(self, start: Message, first: Message) -> None:
        headers = MutableHeaders(raw=start["headers"])
        kind = headers.get("content-type", "")
        # An event must not wait in a compressor for the next one.
        if not kind.startswith(_WORTH) or kind.startswith("text/event-stream") or "content-encoding" in headers:
            return
        headers.add_vary_header("Accept-Encoding")
        short = not first.get("more_body", False) and len(first.get("body", b"")) < _LEAST
        if self._encoding is None or short:
            return
        self._compressor = _compressor(self._encoding)
        headers["Content-Encoding"] = self._encoding
        if "content-length" in headers:
            del headers["content-length"]
        self._mark(headers, self._encoding)

    @staticmethod
    def _mark(headers: MutableHeaders, encoding: str | None) -> None:
        tag = headers.get("etag", "")
        if encoding and tag.endswith('"'):
            headers["ETag"] = f'{tag[:-1]}-{encoding}"'


def _compressed(compressor: _Compressor, message: Message) -> Message:
    body = compressor.compress(message.get("body", b""))
    if not message.get("more_body", False):
        body += compressor.flush()
    return {**message, "body": body}


def _compressor(encoding: str) -> _Compressor:
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=1).compressobj()
    return zlib.compressobj(3, zlib.DEFLATED, 31)


@lru_cache(maxsize=256)
def negotiated(accepted: str) -> str | None:
    """The encoding that Accept-Encoding likes best, zstd before gzip; None where it wants neither."""
    qualities: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = (piece.strip() for piece in part.partition(";"))
        try:
            qualities[name] = float(parameter.removeprefix("q=") or 1)
        except ValueError:
            continue
    best = max(("zstd", "gzip"), key=lambda name: qualities.get(name, 0))  # of equals the first
    return best if qualities.get(best, 0) > 0 else None


def _without_encodings(scope: Scope) -> tuple[Scope, str | None]:
    """The request with encodings taken off its tags, and the one that was on If-None-Match's."""
    found = None
    headers = []
    for name, value in scope["headers"]:
        if name in (b"if-none-match", b"if-match"):
            for encoding in ("zstd", "gzip"):
                ending = f'-{encoding}"'.encode()
                if ending in value:
                    found = encoding
                    value = value.replace(ending, b'"')  # noqa: PLW2901
        headers.append((name, value))
    return ({**scope, "headers": headers} if found else scope), found
