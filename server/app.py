"""The ASGI application.

`create_app` puts the parts together; every handler below only chooses who answers. Features and
tiles are answered by our own blocks, everything else by pygeoapi's.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pygeoapi import api as core
from pygeoapi.api import API, coverages, environmental_data_retrieval, itemtypes, processes, tiles
from pygeoapi.util import yaml_load
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers.errors import CollectionNotFound, NotFound
from shikong.server import errors, features, health, openapi, parameters, process_execution
from shikong.server import settings as server_settings
from shikong.server import tiles as tile_block
from shikong.server.context import Context
from shikong.server.logs import AccessLog, configure
from shikong.server.metadata import Metadata
from shikong.server.middleware import PrincipalOfRequest, StopWhenClientLeaves
from shikong.server.pages import Pages
from shikong.server.pygeoapi_adapter import Handler, run
from shikong.store import database
from starlette.exceptions import HTTPException

#: What a page of ours may load: nothing from another host.
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'self'"
)

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app() -> Starlette:
    """The application for the environment's settings."""
    configure()
    settings = server_settings.from_env()
    os.environ.setdefault("SHIKONG_URL", settings.url)
    openapi.install_blocks()
    with settings.config.open(encoding="utf-8") as file:
        config = yaml_load(file)
    home = settings.config.parent
    _anchor(config, home)
    pygeoapi = API(config, openapi.document(config))
    store = database.default()
    context = Context(pygeoapi, store, catalog.default(), Metadata(pygeoapi, store), Pages(pygeoapi))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await store.open()
        yield
        await store.close()

    static = Mount("/static", StaticFiles(directory=config["server"]["templates"]["static"]), name="static")
    app = Starlette(
        routes=[static, *_routes(context)],
        lifespan=lifespan,
        middleware=[
            Middleware(AccessLog),
            Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"],
                       expose_headers=["Content-Crs", "Link", "X-Request-Id"]),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=3),
            Middleware(StopWhenClientLeaves),
            Middleware(PrincipalOfRequest),
        ],
        exception_handlers=_exception_handlers(),
    )  # fmt: skip
    app.state.pages = context.pages
    app.state.context = context
    return app


def _anchor(config: dict[str, Any], home: Path) -> None:
    """Make the configuration's relative folders relative to the file, whatever the working directory."""
    templates = config["server"]["templates"]
    for key in ("path", "static"):
        templates[key] = str(home / templates[key])
    config["server"]["locale_dir"] = str(home / config["server"]["locale_dir"])


def _exception_handlers() -> dict[Any, Any]:
    ours = dict.fromkeys(errors.STATUS, errors.handle)
    return {**ours, HTTPException: errors.handle_http, Exception: errors.handle_defect}


def _routes(context: Context) -> list[Route]:
    """Every address of the service."""

    def pygeoapi(
        handler: Handler, *names: str, known: frozenset[str] = frozenset(), check_format: bool = True
    ) -> Endpoint:
        """An endpoint that one of pygeoapi's handlers answers, given these path parameters."""

        async def endpoint(request: Request) -> Response:
            parameters.require_known(request.query_params, known)
            await context.metadata.refresh()
            if "collection_id" in request.path_params:
                _collection(context, request)
            given = [request.path_params[name] for name in names]
            response = await run(context, request, handler, *given, check_format=check_format)
            return _guarded(response)

        return endpoint

    async def items(request: Request) -> Response:
        layer = _collection(context, request)
        if layer.kind == "records":
            records = pygeoapi(itemtypes.get_collection_items, "collection_id", known=parameters.RECORDS)
            return await records(request)
        await context.metadata.refresh()
        return _answer(await features.get_items(context, request, _features(layer)))

    async def item(request: Request) -> Response:
        layer = _collection(context, request)
        if layer.kind == "records":
            return await pygeoapi(itemtypes.get_collection_item, "collection_id", "item_id")(request)
        await context.metadata.refresh()
        return _answer(await features.get_item(context, request, _features(layer), request.path_params["item_id"]))

    async def tile(request: Request) -> Response:
        return await tile_block.get_tile(context, request, _collection(context, request))

    async def conformance(request: Request) -> Response:
        parameters.require_known(request.query_params, ())
        document = {"conformsTo": openapi.conformance_classes()}
        if errors.wants_html(request):
            page = context.pages.render("conformance.html", document, request)
            return _guarded(Response(page, media_type="text/html"))
        return JSONResponse(document)

    async def execution(request: Request) -> Response:
        return await process_execution.execute(context, request)

    async def healthy(request: Request) -> Response:
        status, report = await health.check(context)
        return JSONResponse(report, status, headers={"Retry-After": "3"} if status == 503 else None)

    def edr(kind: str, *location: str) -> Endpoint:
        handler = environmental_data_retrieval.get_collection_edr_query

        def query(api: Any, request: Any, dataset: str, *place: str) -> Any:
            return handler(api, request, dataset, None, kind, *place)

        return pygeoapi(query, "collection_id", *location, known=parameters.EDR)

    collection = "/collections/{collection_id}"
    tile_path = f"{collection}/tiles/{{tileMatrixSetId}}"
    limit = frozenset({"limit", "offset"})
    tile_metadata = pygeoapi(
        tiles.get_collection_tiles_metadata, "collection_id", "tileMatrixSetId", check_format=False
    )
    return [
        Route("/", pygeoapi(core.landing_page)),
        Route("/health", healthy),
        Route("/conformance", conformance),
        Route("/openapi", pygeoapi(core.openapi_, known=frozenset({"ui"}))),
        Route("/collections", pygeoapi(core.describe_collections, known=limit)),
        Route(collection, pygeoapi(core.describe_collections, "collection_id")),
        Route(f"{collection}/schema", pygeoapi(core.get_collection_schema, "collection_id")),
        Route(f"{collection}/queryables", pygeoapi(itemtypes.get_collection_queryables, "collection_id")),
        Route(f"{collection}/items", items),
        Route(f"{collection}/items/{{item_id:path}}", item),
        Route(f"{collection}/tiles", pygeoapi(tiles.get_collection_tiles, "collection_id")),
        Route(tile_path, tile_metadata),
        Route(f"{tile_path}/metadata", tile_metadata),
        Route(f"{tile_path}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", tile),
        Route(f"{collection}/coverage", pygeoapi(coverages.get_collection_coverage, "collection_id",
                                                 known=parameters.COVERAGE, check_format=False)),
        *(Route(f"{collection}/{kind}", edr(kind)) for kind in ("position", "locations")),
        Route(f"{collection}/locations/{{location_id}}", edr("locations", "location_id")),
        Route("/TileMatrixSets", pygeoapi(tiles.tilematrixsets)),
        Route("/TileMatrixSets/{tileMatrixSetId}", pygeoapi(tiles.tilematrixset, "tileMatrixSetId")),
        Route("/tileMatrixSets", pygeoapi(tiles.tilematrixsets)),
        Route("/processes", pygeoapi(processes.describe_processes, known=limit)),
        Route("/processes/{process_id}", pygeoapi(processes.describe_processes, "process_id")),
        Route("/processes/{process_id}/execution", execution, methods=["POST"]),
        Route("/jobs", pygeoapi(processes.get_jobs, known=limit)),
    ]  # fmt: skip


def _collection(context: Context, request: Request) -> Layer:
    """The layer that the path names. Raises CollectionNotFound."""
    identifier = request.path_params["collection_id"]
    layer = context.catalog.layers.get(identifier)
    if layer is None:
        raise CollectionNotFound(identifier, context.catalog.layers)
    return layer


def _features(layer: Layer) -> Layer:
    if layer.kind != "features":
        raise NotFound(f"{layer.id} has no items: it is of kind {layer.kind}")
    return layer


def _answer(answer: features.Answer) -> Response:
    headers, status, content = answer
    return _guarded(Response(content, status_code=status, headers=headers))


def _guarded(response: Response) -> Response:
    if response.headers.get("content-type", "").startswith("text/html"):
        response.headers["Content-Security-Policy"] = _POLICY
    return response
