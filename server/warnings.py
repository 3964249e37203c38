"""Warnings as they come: a stream of events (Server-Sent Events), messages of the Common Alerting Protocol, and a feed
of those in force.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import orjson
from psycopg import sql
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from shikong.layers.model import Layer
from shikong.processes.warnings import cap, publishing
from shikong.processes.warnings.facts import rules_of
from shikong.providers.errors import BadParameter, NotFound
from shikong.server import access, asked
from shikong.server.context import Context
from shikong.store import tables
from shikong.store.errors import Busy

#: Seconds without an event after which the client is told that the stream lives.
_ALIVE = 15.0

#: Streams that one server process keeps open.
MOST_STREAMS = 500

#: Milliseconds after which a client comes back when a stream has broken.
_AGAIN = 3000

_ATOM = "http://www.w3.org/2005/Atom"

_IN_FORCE = sql.SQL("state = ANY (%(states)s)"), {"states": list(publishing.IN_FORCE)}

_BEFORE = "SELECT max(_release) FROM {history} WHERE code = %(code)s"


class Warnings:
    """The endpoints."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._streams = 0

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/warnings/events", self.events, methods=["GET"]),
            Route("/warnings/cap", self.feed, methods=["GET"]),
            Route("/warnings/{code:path}/cap", self.message, methods=["GET"]),
        ]

    @property
    def _layer(self) -> Layer:
        layer = self._context.catalog.layer(rules_of(self._context.catalog).published_as)
        access.require_readable(layer)
        return layer

    async def events(self, request: Request) -> Response:
        """The warnings in force, then each change as it comes. `Last-Event-ID` goes on where a stream broke off."""
        asked.EVENTS.check(request.query_params)
        last = request.headers.get("last-event-id", "")
        if last and not last.isdecimal():
            raise BadParameter("Last-Event-ID", f"{last[:40]!r} is no event of this stream", ["the id of an event"])
        layer = self._layer
        if self._streams >= MOST_STREAMS:
            raise Busy("too many streams are open; try again shortly")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        stream = self._stream(layer, int(last) if last else None)
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _stream(self, layer: Layer, last: int | None) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            yield f"retry: {_AGAIN}\n\n".encode()
            metadata = self._context.metadata
            while True:
                newest = metadata.releases[layer.id].release if layer.id in metadata.releases else 0
                if last is None or newest > last:
                    which = _IN_FORCE if last is None else (sql.SQL("_release > %(last)s"), {"last": last})
                    for feature, release in await self._features(layer, *which):
                        yield b"id: %d\nevent: warning\ndata: %s\n\n" % (release, orjson.dumps(feature))
                        newest = max(newest, release)
                    last = newest
                if not await metadata.changed_within(_ALIVE):
                    yield b": alive\n\n"
        finally:
            self._streams -= 1

    async def message(self, request: Request) -> Response:
        """A warning's present state as a message of the Common Alerting Protocol."""
        asked.CAP.check(request.query_params)
        layer, code = self._layer, request.path_params["code"]
        found = await self._features(layer, sql.SQL("code = %(code)s"), {"code": code})
        if not found:
            raise NotFound(f"there is no warning {code[:80]!r}")
        ((feature, release),) = found
        before = await self._context.database.fetch(
            sql.SQL(_BEFORE).format(history=tables.history(layer)), {"code": code}
        )
        places = [(x, y) for x, y in feature["geometry"]["coordinates"]]
        warning = feature["properties"] | {"before": before[0][0]}
        body = cap.message(self._context.catalog, warning, places, release)
        return Response(body, media_type=cap.MEDIA_TYPE)

    async def feed(self, request: Request) -> Response:
        """The warnings in force as an Atom feed of such messages."""
        asked.CAP.check(request.query_params)
        layer = self._layer
        found = [(one["properties"], release) for one, release in await self._features(layer, *_IN_FORCE)]
        url = self._context.base_url
        root = ET.Element("feed", {"xmlns": _ATOM})
        _text(root, "id", f"{url}/warnings/cap")
        _text(root, "title", layer.title.zh + " / " + layer.title.en)
        newest = max((str(warning["changed_at"]) for warning, _ in found), default="1970-01-01T00:00:00+00:00")
        _text(root, "updated", newest)
        for warning, release in found:
            entry = ET.SubElement(root, "entry")
            _text(entry, "id", f"urn:shikong:{quote(cap.identifier(warning, release), safe='')}")
            _text(entry, "title", f"{warning['headline_zh']} / {warning['headline_en']}")
            _text(entry, "updated", str(warning["changed_at"]))
            address = f"{url}/warnings/{quote(str(warning['code']), safe='')}/cap"
            ET.SubElement(entry, "link", {"href": address, "type": cap.MEDIA_TYPE})
        ET.indent(root)
        return Response(
            ET.tostring(root, encoding="utf-8", xml_declaration=True),
            media_type="application/atom+xml",
        )

    async def _features(
        self, layer: Layer, condition: sql.Composable, params: dict[str, Any]
    ) -> list[tuple[dict[str, Any], int]]:
        """Warnings as they are now, each with the release that brought its state."""
        rows = await self._context.database.fetch(publishing.query(layer, condition), params)
        return [publishing.feature(layer, row) for row in rows]


def _text(to: ET.Element, name: str, text: str) -> None:
    ET.SubElement(to, name).text = text
