"""The queries of OGC API - EDR on observations, and their instances: the releases of a layer, as they were known.

CSV comes out of the database as it is sent; other formats are bounded in what they hold.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from psycopg import sql
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from shikong.layers.model import Layer
from shikong.providers import observed
from shikong.providers.errors import BadParameter, NotFound, TooMuch
from shikong.providers.observed import Station
from shikong.server import asked
from shikong.server.context import Context
from shikong.server.edr import answers, questions
from shikong.server.edr.answers import Answer
from shikong.server.edr.questions import Kind
from shikong.store.moments import Period

#: Stations that an answer may have.
MAX_STATIONS = 5_000

_COVERAGEJSON, _CSV = "application/prs.coverage+json", "text/csv; charset=utf-8"

#: Bytes of CSV that are sent at once.
_PIECE = 1_000_000

_RUNS = """
    SELECT id, source, kind, published_at, time_from, time_to FROM shikong.release
    WHERE layer = %(layer)s AND (%(id)s::integer IS NULL OR id = %(id)s) ORDER BY id DESC LIMIT %(limit)s
"""

_MOST_RUNS = 1_000


async def get_query(
    context: Context, request: Request, layer: Layer, kind: Kind, station: str | None = None, run: str | None = None
) -> Response:
    """Answer a query. station: that the path names. run: the instance that it names. Raises BadParameter, NotFound."""
    asked.EDR[kind].check(request.query_params)
    if "\0" in (station or ""):  # PostgreSQL has no place for it
        raise NotFound(f"there is no station {station!r}: a code has no NUL character")
    release = None if run is None else (await _runs(context, layer, run))[0][0]
    form = request.query_params.get("f") or "json"
    given = questions.read(kind, request.query_params, layer, context.catalog.city, station, release)
    stations = await _stations(context, given)
    if station is not None and not stations:
        raise NotFound(f"there is no station {station[:40]!r} with such observations in {layer.id}")
    if station is not None:
        stations = [replace(one, distance=0.0) for one in stations]
    if kind == "locations" and station is None and form != "csv":
        return Response(orjson.dumps(answers.places(stations)), media_type="application/geo+json")
    if kind == "position" and not stations:
        far = f"no station with such observations within {observed.NEAREST_WITHIN // 1000} km of it"
        raise BadParameter("coords", far, ["a point near a station: see /locations"])
    period = await _period(context, given, stations)
    params = given.question.values() | {
        "stations": [one.key for one in stations], "start": period.start, "end": period.end
    }  # fmt: skip
    if form == "csv":
        return await _csv(context, layer, given, params)
    rows = await context.database.fetch(observed.bounded(given.question), params)
    observed.require_bounded(given.question, rows)
    if station is not None and not rows:
        raise NotFound(f"station {station[:40]} has no values then")
    return await _told(Answer(given.question, stations, rows), form, layer)


async def _told(answer: Answer, form: str, layer: Layer) -> Response:
    match form:
        case "geojson":
            document = await run_in_threadpool(answers.features, answer)
            return Response(orjson.dumps(document), media_type="application/geo+json")
        case "netcdf":
            title = f"{layer.title.zh} / {layer.title.en}"
            headers = {"Content-Disposition": f'attachment; filename="{layer.id}.nc"'}
            content = await run_in_threadpool(answers.netcdf, answer, title)
            return Response(content, media_type="application/x-netcdf", headers=headers)
        case _:
            document = await run_in_threadpool(answers.coverages, answer)
            return Response(orjson.dumps(document), media_type=_COVERAGEJSON)


async def _csv(context: Context, layer: Layer, given: questions.Asked, params: dict[str, Any]) -> Response:
    query = observed.values(given.question)
    names = ["station", "time", *given.question.columns()]
    columns = sql.SQL(", ").join(
        sql.SQL("to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS time")
        if name == "time"
        else sql.Identifier(name)
        for name in names
    )
    copy = sql.SQL("COPY (SELECT {} FROM ({}) AS rows) TO STDOUT (FORMAT csv, HEADER)").format(columns, query)

    async def pieces() -> AsyncGenerator[bytes]:
        """The rows, some together: one message for each would cost more than the row."""
        held = bytearray()
        async with context.database.session() as conn, conn.cursor() as cursor, cursor.copy(copy, params) as out:
            async for row in out:
                held += row
                if len(held) >= _PIECE:
                    yield bytes(held)
                    held.clear()
        yield bytes(held)

    # What fits in one piece is sent whole; what is wrong with a query is told before anything is sent.
    made = pieces()
    first = await anext(made)
    headers = {"Content-Disposition": f'attachment; filename="{layer.id}.csv"'}
    if len(first) < _PIECE:
        return Response(first, media_type=_CSV, headers=headers)
    return StreamingResponse(_then(first, made), media_type=_CSV, headers=headers)


async def _then(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


async def _stations(context: Context, given: questions.Asked) -> list[Station]:
    query, params = observed.stations(given.question, given.where)
    found = [Station(*row) for row in await context.database.fetch(query, params)]
    if len(found) > MAX_STATIONS:
        raise TooMuch(f"{len(found):,} stations are meant and {MAX_STATIONS:,} allowed; ask for a smaller area")
    return found


async def _period(context: Context, given: questions.Asked, stations: list[Station]) -> Period:
    if given.period is not None:
        return observed.closed(given.period)
    params = given.question.values() | {"stations": [one.key for one in stations]}
    return observed.last_days((await context.database.fetch(observed.newest(given.question), params))[0][0])


async def published(context: Context, layer: Layer, run: str) -> datetime:
    """When an instance was published. Raises NotFound."""
    found: datetime = (await _runs(context, layer, run))[0][3]
    return found


async def _runs(context: Context, layer: Layer, run: str | None) -> list[tuple[Any, ...]]:
    """Releases of a layer, the newest first; or the one of this number. Raises NotFound."""
    if run is not None and (not run.isdecimal() or len(run) > 9):
        raise NotFound(f"{layer.id} has no instance {run[:40]!r}; see /collections/{layer.id}/instances")
    params = {"layer": layer.id, "id": None if run is None else int(run), "limit": _MOST_RUNS}
    found = await context.database.fetch(sql.SQL(_RUNS), params)
    if run is not None and not found:
        raise NotFound(f"{layer.id} has no instance {run[:40]!r}; see /collections/{layer.id}/instances")
    return found


async def get_instances(context: Context, request: Request, layer: Layer, run: str | None = None) -> Response:
    """The releases of a layer, each of which can be asked as it was known; or one of them."""
    asked.ONLY_JSON.check(request.query_params)
    told = [_instance(context, layer, *row) for row in await _runs(context, layer, run)]
    if run is not None:
        return JSONResponse(told[0])
    url = f"{context.base_url}/collections/{layer.id}/instances"
    return JSONResponse({"instances": told, "links": [{"rel": "self", "href": url, "type": "application/json"}]})


def _instance(
    context: Context, layer: Layer, number: int, source: str, kind: str, published_at: datetime,
    first: datetime | None, last: datetime | None,
) -> dict[str, Any]:  # fmt: skip
    url = f"{context.base_url}/collections/{layer.id}/instances/{number}"
    interval = [time.isoformat() if time else None for time in (first, last)]
    return {
        "id": str(number), "title": source, "shikong:kind": kind, "published": published_at.isoformat(),
        "extent": {"temporal": {"interval": [interval]}},
        "data_queries": data_queries(url, layer),
        "links": [{"rel": "self", "href": url, "type": "application/json"}],
    }  # fmt: skip


def collection_queries(url: str, layer: Layer) -> dict[str, Any]:
    """The queries of a collection, instances among them."""
    link = {"href": f"{url}/instances", "rel": "data", "variables": {"query_type": "instances"}}
    return data_queries(url, layer) | {"instances": {"link": link}}


def data_queries(url: str, layer: Layer) -> dict[str, Any]:
    """The queries below an address, as collections and instances tell them."""
    known = asked.CUBE if layer.kind == "cube" else asked.EDR
    return {
        kind: {"link": {
            "href": f"{url}/{kind}", "rel": "data",
            "variables": {"query_type": kind, "output_formats": list(knows.formats),
                          **({"within_units": ["m", "km"]} if kind == "radius" else {}),
                          **({"width_units": ["m", "km"]} if kind == "corridor" else {})},
        }}
        for kind, knows in known.items()
    }  # fmt: skip
