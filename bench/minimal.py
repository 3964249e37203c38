"""The peer to beat: the least that answers the same questions, all of it done in the database.

No counting, no links, no paging, no order of rows, no checks of parameters. It reads the very table
that the service reads. `ordered=1` gives the rows in a fixed order, as pages need it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_PROPERTIES = ("bsm", "dlbm", "dlmc", "xzqdm", "tbmj", "origin", "valid_from", "valid_to")

_ITEMS = f"""
    SELECT '{{"type":"FeatureCollection","features":[' || coalesce(string_agg(feature::text, ','), '') || ']}}'
    FROM (
        SELECT json_build_object(
            'type', 'Feature', 'id', bsm, 'geometry', st_asgeojson(geom)::json,
            'properties', json_build_object({", ".join(f"'{name}', {name}" for name in _PROPERTIES)})
        ) AS feature
        FROM data.parcels
        WHERE st_intersects(geom, st_makeenvelope(%s, %s, %s, %s, 4490))
        LIMIT %s
    ) AS page
"""
#: The conditions of the measure `filter`, as SQL.
_FILTERED = _ITEMS.replace("LIMIT", "AND tbmj > %s AND dlbm = ANY(%s) LIMIT")
_ORDERED = _ITEMS.replace("LIMIT", "ORDER BY _row LIMIT")

_COLOURS = cmap.get("terrain")

# Extent and margin as the service has them, so that both cut the same tile.
_TILE = f"""
    SELECT st_asmvt(tile, 'parcels', 4096, 'geom') FROM (
        SELECT st_asmvtgeom(st_transform(geom, 3857), st_tileenvelope(%(z)s, %(x)s, %(y)s), 4096, 64) AS geom,
            {", ".join(f"{name}::text" if name.startswith("valid") else name for name in _PROPERTIES)}
        FROM data.parcels
        WHERE geom && st_transform(st_tileenvelope(%(z)s, %(x)s, %(y)s, margin => 64 / 4096.0), 4490)
    ) AS tile
"""


def create_app() -> Starlette:
    """The application over the database that BENCH_DSN names."""
    pool = AsyncConnectionPool(os.environ["BENCH_DSN"], min_size=8, max_size=8, open=False, kwargs={"autocommit": True})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with pool:
            await pool.wait()
            yield

    async def items(request: Request) -> Response:
        box = map(float, request.query_params["bbox"].split(","))
        given = request.query_params
        if "over" in given:
            values = (*box, float(given["over"]), given["codes"].split(","), int(given["limit"]))
            return await answer(_FILTERED, values)
        query = _ORDERED if "ordered" in given else _ITEMS
        return await answer(query, (*box, int(given["limit"])))

    async def answer(query: str, values: tuple[object, ...]) -> Response:
        async with pool.connection() as conn:
            cursor = await conn.execute(query, values)
            row = await cursor.fetchone()
        assert row is not None
        return Response(row[0], media_type="application/geo+json")

    async def tile(request: Request) -> Response:
        async with pool.connection() as conn:
            cursor = await conn.execute(_TILE, request.path_params)
            row = await cursor.fetchone()
        assert row is not None
        return Response(bytes(row[0]), media_type="application/vnd.mapbox-vector-tile")

    async def picture(request: Request) -> Response:
        found = await run_in_threadpool(_picture, **request.path_params)
        return Response(found, media_type="image/png")

    place = "{z:int}/{x:int}/{y:int}"
    routes = [Route("/items", items), Route(f"/tiles/{place}", tile), Route(f"/pictures/{place}", picture)]
    return Starlette(routes=routes, lifespan=lifespan)


def _picture(z: int, x: int, y: int) -> bytes:
    """A tile of the COG that BENCH_COG names, in colours between its lowest and its highest ground."""
    with Reader(os.environ["BENCH_COG"]) as source:
        found = source.tile(x, y, z, resampling_method="bilinear")
    found.rescale(in_range=((20, 60),))
    return bytes(found.render(img_format="PNG", colormap=_COLOURS))
