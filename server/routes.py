"""Every address of the service and who answers there.

Features, tiles and executions are answered by our own blocks, everything else by pygeoapi's.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from pygeoapi import api as core
from pygeoapi.api import coverages, environmental_data_retrieval, itemtypes, processes, tiles
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shikong.layers.model import Layer
from shikong.providers import iso19139, release_document, release_records
from shikong.providers import versions as version_rules
from shikong.providers.errors import CollectionNotFound, NotFound
from shikong.providers.knowledge import as_known_at
from shikong.server import (
    editing,
    errors,
    features,
    filtering,
    health,
    lineage,
    openapi,
    parameters,
    process_execution,
    versions,
)
from shikong.server import jobs as job_block
from shikong.server import tiles as tile_block
from shikong.server.context import Context
from shikong.server.pygeoapi_adapter import Handler, run
from shikong.server.stac import Stac

Endpoint = Callable[[Request], Awaitable[Response]]

_EDITING = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_PAGING = frozenset({"limit", "offset"})


class Endpoints:
    """The endpoints of a running service."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def pygeoapi(
        self, handler: Handler, *names: str, known: frozenset[str] = frozenset(), check_format: bool = True
    ) -> Endpoint:
        """An endpoint that one of pygeoapi's handlers answers, given these path parameters."""

        async def endpoint(request: Request) -> Response:
            parameters.require_known(request.query_params, known)
            self._context.metadata.refresh_if_due()
            if "collection_id" in request.path_params:
                self._layer(request)
            given = [request.path_params[name] for name in names]
            moment = parameters.known_at(request.query_params.get("asOf"), self._context.catalog.city.timezone)
            with as_known_at(moment):
                return await run(self._context, request, handler, *given, check_format=check_format)

        return endpoint

    def edr(self, kind: str, *location: str) -> Endpoint:
        """An endpoint of OGC API - EDR for one kind of query."""

        def query(api: Any, request: Any, dataset: str, *place: str) -> Any:
            return environmental_data_retrieval.get_collection_edr_query(api, request, dataset, None, kind, *place)

        return self.pygeoapi(query, "collection_id", *location, known=parameters.EDR)

    async def items(self, request: Request) -> Response:
        """A page of features or records."""
        layer = self._layer(request)
        if layer.kind == "records":
            handler = itemtypes.get_collection_items
            return await self.pygeoapi(handler, "collection_id", known=parameters.RECORDS[layer.lists or "layers"])(
                request
            )
        self._context.metadata.refresh_if_due()
        return _response(await features.get_items(self._context, request, _with_items(layer)))

    async def item(self, request: Request) -> Response:
        """One feature or record."""
        layer = self._layer(request)
        if layer.kind == "records":
            if layer.lists == "releases" and request.query_params.get("f") == "iso19139":
                return await self._iso19139(request)
            return await self.pygeoapi(itemtypes.get_collection_item, "collection_id", "item_id")(request)
        item = request.path_params["item_id"]
        return _response(await features.get_item(self._context, request, _with_items(layer), item))

    async def _iso19139(self, request: Request) -> Response:
        """The record of a release as an ISO 19139 document."""
        parameters.require_known(request.query_params, ())
        identifier = request.path_params["item_id"]
        row = await run_in_threadpool(release_records.release, identifier)
        if row is None:
            raise NotFound(f"there is no release {identifier!r}")
        record = release_document.record(row, self._context.base_url)
        return Response(iso19139.document(record), media_type="application/xml")

    async def queryables(self, request: Request) -> Response:
        """What a filter may name."""
        layer = self._layer(request)
        if layer.kind != "features":
            return await self.pygeoapi(itemtypes.get_collection_queryables, "collection_id")(request)
        return await filtering.get_queryables(self._context, request, layer)

    async def edit_items(self, request: Request) -> Response:
        """New features of a collection."""
        return await editing.edit_items(self._context, request, self._layer(request))

    async def edit_item(self, request: Request) -> Response:
        """Changes of one feature."""
        return await editing.edit_item(self._context, request, self._layer(request))

    async def transactions(self, request: Request) -> Response:
        """Changes of several layers as one."""
        return await editing.transact(self._context, request)

    async def lineage(self, request: Request) -> Response:
        """Where a feature comes from."""
        return await lineage.get_lineage(self._context, request, _with_items(self._layer(request)))

    async def collection(self, request: Request) -> Response:
        """What one collection tells of itself; of features also along which clock they have versions."""
        answer = await self.pygeoapi(core.describe_collections, "collection_id")(request)
        layer = self._layer(request)
        if layer.kind != "features" or "json" not in answer.headers["content-type"]:
            return answer
        document = orjson.loads(answer.body) | {"versioning": {"timeAxis": version_rules.time_axis(layer)}}
        answer.body = orjson.dumps(document)
        answer.headers["content-length"] = str(len(answer.body))
        return answer

    async def versions(self, request: Request) -> Response:
        """The Time Map of a feature."""
        return await versions.get_time_map(self._context, request, _with_items(self._layer(request)))

    async def tile(self, request: Request) -> Response:
        """One vector tile."""
        return await tile_block.get_tile(self._context, request, self._layer(request))

    async def execution(self, request: Request) -> Response:
        """Execute a process."""
        return await process_execution.execute(self._context, request)

    async def process(self, request: Request) -> Response:
        """The description of a process; its page takes the inputs' names to fill its form."""
        identifier = request.path_params["process_id"]
        known: frozenset[str] = frozenset()
        if identifier in self._context.api.manager.processes:
            known = frozenset(self._context.api.manager.get_processor(identifier).inputs.names())
        return await self.pygeoapi(processes.describe_processes, "process_id", known=known)(request)

    async def jobs(self, request: Request) -> Response:
        """The jobs of the workers."""
        return await job_block.listing(self._context, request)

    async def job(self, request: Request) -> Response:
        """One job; DELETE dismisses it."""
        if request.method == "DELETE":
            return await job_block.dismiss(self._context, request)
        return await job_block.one(self._context, request)

    async def conformance(self, request: Request) -> Response:
        """The conformance classes. pygeoapi's own list grows at every request."""
        parameters.require_known(request.query_params, ())
        document = {"conformsTo": openapi.conformance_classes()}
        if errors.wants_html(request):
            return Response(self._context.pages.render("conformance.html", document, request), media_type="text/html")
        return JSONResponse(document)

    async def health(self, _: Request) -> Response:
        """Whether the service can answer."""
        status, report = await health.check(self._context)
        return JSONResponse(report, status, headers={"Retry-After": "3"} if status == 503 else None)

    def _layer(self, request: Request) -> Layer:
        """The layer that the path names. Raises CollectionNotFound."""
        identifier = request.path_params["collection_id"]
        layer = self._context.catalog.layers.get(identifier)
        if layer is None:
            raise CollectionNotFound(identifier, self._context.catalog.layers)
        return layer


class Direct:
    """An endpoint without the layer in which Starlette catches what an endpoint has half sent: ours send at the end."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def routes(context: Context) -> list[Route]:
    """The routing table."""
    ends, stac = Endpoints(context), Stac(context)
    pygeoapi = ends.pygeoapi
    collection = "/collections/{collection_id}"
    tileset = f"{collection}/tiles/{{tileMatrixSetId}}"
    tileset_metadata = pygeoapi(
        tiles.get_collection_tiles_metadata, "collection_id", "tileMatrixSetId", check_format=False
    )
    coverage = pygeoapi(
        coverages.get_collection_coverage, "collection_id", known=parameters.COVERAGE, check_format=False
    )
    # Routes are tried in order: what is asked for most comes first.
    return [
        Route(f"{tileset}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", Direct(ends.tile), methods=["GET"]),
        Route(f"{collection}/items", Direct(ends.items), methods=["GET"]),
        Route(f"{collection}/items/{{item_id:path}}/lineage", ends.lineage),
        Route(f"{collection}/items/{{item_id:path}}/versions", ends.versions),
        Route(f"{collection}/items/{{item_id:path}}", ends.item, methods=["GET"]),
        Route(f"{collection}/items", ends.edit_items, methods=_EDITING),
        Route(f"{collection}/items/{{item_id:path}}", ends.edit_item, methods=_EDITING),
        Route("/transactions", ends.transactions, methods=["POST", "OPTIONS"]),
        Route("/", pygeoapi(core.landing_page)),
        Route("/health", ends.health),
        Route("/conformance", ends.conformance),
        Route("/functions", filtering.get_functions),
        Route("/openapi", pygeoapi(core.openapi_, known=frozenset({"ui"}))),
        Route("/collections", pygeoapi(core.describe_collections, known=_PAGING)),
        Route(collection, ends.collection),
        Route(f"{collection}/schema", pygeoapi(core.get_collection_schema, "collection_id")),
        Route(f"{collection}/queryables", ends.queryables),
        Route(f"{collection}/tiles", pygeoapi(tiles.get_collection_tiles, "collection_id")),
        Route(tileset, tileset_metadata),
        Route(f"{tileset}/metadata", tileset_metadata),
        Route(f"{collection}/coverage", coverage),
        Route(f"{collection}/position", ends.edr("position")),
        Route(f"{collection}/locations", ends.edr("locations")),
        Route(f"{collection}/locations/{{location_id}}", ends.edr("locations", "location_id")),
        Route("/TileMatrixSets", pygeoapi(tiles.tilematrixsets)),
        Route("/TileMatrixSets/{tileMatrixSetId}", pygeoapi(tiles.tilematrixset, "tileMatrixSetId")),
        Route("/processes", pygeoapi(processes.describe_processes, known=_PAGING)),
        Route("/processes/{process_id}", ends.process),
        Route("/processes/{process_id}/execution", ends.execution, methods=["POST"]),
        Route("/stac", stac.catalog),
        Route("/stac/collections/{collection_id}", stac.collection),
        Route("/stac/collections/{collection_id}/items/{release}", stac.item),
        Route("/stac/collections/{collection_id}/items/{release}/data", stac.data),
        Route("/jobs", ends.jobs),
        Route("/jobs/{job_id}", ends.job, methods=["GET", "DELETE"]),
    ]


def _with_items(layer: Layer) -> Layer:
    if layer.kind != "features":
        raise NotFound(f"{layer.id} has no items: it is of kind {layer.kind}")
    return layer


def _response(answer: features.Answer | Response) -> Response:
    if isinstance(answer, Response):
        return answer
    headers, status, content = answer
    return Response(content, status_code=status, headers=headers)
