"""Features carried away: all that match, in the formats of server/formats, as they come from the database.

Nothing is held but the batch under way, and a client that leaves stops the query.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, Literal, Protocol

import pyarrow as pa
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shikong.layers.model import Layer
from shikong.providers import arrow, items
from shikong.providers.errors import BadParameter, QueryError
from shikong.providers.items import Items
from shikong.providers.rows import Reading
from shikong.server.formats import files, text
from shikong.server.formats.columnar import ArrowStream, ParquetFile, geoarrow_field
from shikong.server.formats.table import Format
from shikong.server.formats.whole import file_chunks
from shikong.server.settings import ServerSettings
from shikong.store.database import ACQUIRE_TIMEOUT, Database
from shikong.store.errors import Busy, StoreError

LOG = structlog.get_logger()

#: A link to the next page, made from a cursor.
NextLink = Callable[[str], dict[str, str]]

_ENCODED: dict[str, Literal["geojson", "wkt"]] = {"csv": "wkt", "jsonfg": "geojson", "jsonl": "geojson"}


class _Writer(Protocol):
    def write(self, rows: Any, /) -> bytes: ...

    def finish(self) -> bytes: ...


class Exports:
    """The exports of a server process, of which a bounded number run at a time, for each holds a connection."""

    def __init__(self, database: Database, settings: ServerSettings) -> None:
        self._database = database
        self._slots = asyncio.Semaphore(settings.exports)
        self._timeout = settings.export_timeout

    def respond(
        self, request: Request, layer: Layer, question: Items, form: Format, headers: dict[str, str],
        links: list[dict[str, str]], next_link: NextLink,
    ) -> Response:  # fmt: skip
        """All features that match, or as many as the question's limit allows. Raises BadParameter.

        headers: what is known of the answer. links, next_link: for the format that has room for them, JSON-FG.
        """
        encoding = text_encoding(request, form)
        if form.name in files.ALWAYS_SHAPES and not question.geometry:
            raise BadParameter("skipGeometry", f"{form.title} is nothing without geometry", ["false"])
        question = replace(question, encoding=_ENCODED.get(form.name, "wkb"))
        columns = _columns(layer, question)
        if form.name == "jsonfg":
            chunks = self._jsonfg(layer, question, columns, links, next_link)
        elif form.name in ("csv", "jsonl"):
            chunks = self._text(layer, question, columns, form)
        elif form.name in ("arrow", "parquet"):
            chunks = self._columnar(layer, question, columns, form)
        else:
            reading, schema = self._arrow_reading(layer, question, columns)
            chunks = file_chunks(_record_batches(reading, schema), schema, form.name, layer, question.crs, encoding)
        disposition = f'attachment; filename="{layer.id}.{form.extension}"'
        return _Export(chunks, self._slot, headers | {"Content-Disposition": disposition})

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Busy from error
        try:
            yield
        finally:
            self._slots.release()

    def _reading(self, layer: Layer, question: Items, columns: tuple[str, ...]) -> Reading:
        return Reading(self._database, layer, replace(question, properties=columns), self._timeout)

    async def _text(
        self, layer: Layer, question: Items, columns: tuple[str, ...], form: Format
    ) -> AsyncGenerator[bytes]:
        writer: _Writer = text.GeoJSONLines(columns)
        if form.name == "csv":
            writer = text.CSV(layer, question.crs, columns, question.geometry)
        async with aclosing(self._reading(layer, question, columns).batches()) as batches:
            async for rows in batches:
                yield await asyncio.to_thread(writer.write, rows)
        yield writer.finish()

    async def _jsonfg(
        self, layer: Layer, question: Items, columns: tuple[str, ...], links: list[dict[str, str]], next_link: NextLink
    ) -> AsyncGenerator[bytes]:
        times = (name for name in text.time_fields(layer) if name)
        reading = self._reading(layer, question, tuple(dict.fromkeys([*columns, *times])))
        writer = text.JSONFG(layer, question.crs, columns)
        async with aclosing(reading.batches()) as batches:
            async for rows in batches:
                yield await asyncio.to_thread(writer.write, rows)
        if reading.following is not None:
            links = [*links, next_link(reading.following)]
        yield writer.finish(links)

    async def _columnar(
        self, layer: Layer, question: Items, columns: tuple[str, ...], form: Format
    ) -> AsyncGenerator[bytes]:
        reading, schema = self._arrow_reading(layer, question, columns)
        writer: _Writer = ArrowStream(schema)
        if form.name == "parquet":
            writer = ParquetFile(schema, question.crs)
        async with aclosing(_record_batches(reading, schema)) as batches:
            async for batch in batches:
                yield await asyncio.to_thread(writer.write, batch)
        yield await asyncio.to_thread(writer.finish)

    def _arrow_reading(self, layer: Layer, question: Items, columns: tuple[str, ...]) -> tuple[Reading, pa.Schema]:
        geometry = geoarrow_field(question.crs) if question.geometry else None
        return self._reading(layer, question, columns), arrow.schema(layer, columns, geometry)


async def _record_batches(reading: Reading, schema: pa.Schema) -> AsyncGenerator[pa.RecordBatch]:
    async with aclosing(reading.batches()) as batches:
        async for rows in batches:
            yield await asyncio.to_thread(arrow.record_batch, schema, rows)


def _columns(layer: Layer, question: Items) -> tuple[str, ...]:
    """The properties of an export: those asked for; in a table also the key, which names the feature."""
    chosen = items.property_names(layer) if question.properties is None else question.properties
    return chosen if question.encoding == "geojson" else tuple(dict.fromkeys([layer.key_field, *chosen]))


def text_encoding(request: Request, form: Format) -> str:
    """`encoding` of a Shapefile's texts; GBK is what the offices' programs take for granted. Raises BadParameter."""
    given = request.query_params.get("encoding")
    if given is None:
        return files.ENCODINGS[0]
    if form.name != "shp":
        raise BadParameter("encoding", f"{form.title} is always UTF-8; only f=shp can be had in another", ["f=shp"])
    if given.lower() not in files.ENCODINGS:
        raise BadParameter("encoding", f"{given!r} is not an encoding of Shapefiles here", files.ENCODINGS)
    return given.lower()


class _Export(Response):
    """An answer sent as it comes. It is told as an error while nothing is sent yet, and broken off after that."""

    def __init__(self, chunks: AsyncGenerator[bytes], slot: Callable[[], Any], headers: dict[str, str]) -> None:
        self._chunks, self._slot = chunks, slot
        self.status_code = 200
        self.background = None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        async with self._slot(), aclosing(self._chunks) as chunks:
            begun = False
            try:
                async for chunk in chunks:
                    if not begun:
                        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                        begun = True
                    if chunk:
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except (StoreError, QueryError) as error:
                if not begun:
                    raise
                # Without its end the client sees that the answer is not whole.
                LOG.error("export_broken_off", path=scope["path"], error=type(error).__name__, reason=str(error))
                return
            await send({"type": "http.response.body", "body": b""})
