"""Every address of the service and who answers there.

Features, tiles and executions are answered by our own blocks, everything else by pygeoapi's.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from pygeoapi import api as core
from pygeoapi.api import coverages, environmental_data_retrieval, itemtypes, processes
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
    access,
    archives,
    asked,
    conformance,
    coordination,
    editing,
    errors,
    features,
    filtering,
    health,
    item_routes,
    map_tilesets,
    observed_schema,
    openapi,
    parameters,
    picture_routes,
    process_execution,
    signing_in,
    tilesets,
    warnings,
    water_page,
)
from shikong.server import jobs as job_block
from shikong.server import tiles as tile_block
from shikong.server.asked import LINKED, PAGE, Asked
from shikong.server.context import Context
from shikong.server.edr import block as edr_block
from shikong.server.edr import routes as edr_routes
from shikong.server.item_routes import EDITING, with_items
from shikong.server.pygeoapi_adapter import Handler, run
from shikong.server.qgis import Qgis
from shikong.server.sensorthings import routes as things_routes
from shikong.server.stac import Stac
from shikong.server.styles import Styles, with_styles
from shikong.server.wmts import Wmts

Endpoint = Callable[[Request], Awaitable[Response]]

_JSON, _GEOJSON = "application/json", "application/geo+json"
_COVERAGEJSON, _SCHEMA = "application/prs.coverage+json", "application/schema+json"


class Endpoints:
    """The endpoints of a running service."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def pygeoapi(
        self, handler: Handler, *names: str, knows: Asked = PAGE, layers: str = "AnyLayer", json_type: str = _JSON
    ) -> Endpoint:
        """An endpoint that one of pygeoapi's handlers answers, given these path parameters.

        knows, layers: what can be asked, and of which layers (server/asked.py). json_type: the media type of its JSON.
        """

        async def endpoint(request: Request) -> Response:
            knows.check(request.query_params)
            parameters.check_values(request.query_params, self._context.catalog.city)
            self._context.metadata.refresh_if_due()
            if "collection_id" in request.path_params:  # what a layer is may be known to everyone
                layer = self.declared(request) if layers == "AnyLayer" else self.layer(request)
                asked.require_layer(layer, layers, request.url.path)
            given = [request.path_params[name] for name in names]
            moment = parameters.known_at(request.query_params.get("asOf"), self._context.catalog.city.timezone)
            with as_known_at(moment):
                answer = await run(self._context, request, handler, *given, formats=knows.formats)
            if answer.headers["content-type"] == _JSON:
                answer.headers["content-type"] = json_type
            return answer

        return endpoint

    def tiled(self, handler: Callable[[Context, Request, Layer], Awaitable[Response]]) -> Endpoint:
        """An endpoint for layers with vector tiles."""

        async def endpoint(request: Request) -> Response:
            layer = self.layer(request)
            asked.require_layer(layer, "TiledLayer", request.url.path)
            return await handler(self._context, request, layer)

        return endpoint

    def edr(self, kind: str, knows: Asked, layers: str, json_type: str, *location: str) -> Endpoint:
        """An endpoint of OGC API - EDR for one kind of query."""

        def query(api: Any, request: Any, dataset: str, *place: str) -> Any:
            return environmental_data_retrieval.get_collection_edr_query(api, request, dataset, None, kind, *place)

        return self.pygeoapi(query, "collection_id", *location, knows=knows, layers=layers, json_type=json_type)

    async def items(self, request: Request) -> Response:
        """A page of features or records."""
        layer = self.layer(request)
        if layer.kind == "records":
            about = asked.RECORDS[layer.lists or "layers"]
            handler = itemtypes.get_collection_items
            return await self.pygeoapi(handler, "collection_id", knows=about, json_type=_GEOJSON)(request)
        self._context.metadata.refresh_if_due()
        return _response(await features.get_items(self._context, request, with_items(layer)))

    async def item(self, request: Request) -> Response:
        """One feature or record."""
        layer = self.layer(request)
        if layer.kind == "records":
            about = asked.RECORD[layer.lists or "layers"]
            if request.query_params.get("f") == "iso19139" in about.formats:
                return await self._iso19139(request)
            handler = itemtypes.get_collection_item
            return await self.pygeoapi(handler, "collection_id", "item_id", knows=about, json_type=_GEOJSON)(request)
        item = request.path_params["item_id"]
        return _response(await features.get_item(self._context, request, with_items(layer, item), item))

    async def _iso19139(self, request: Request) -> Response:
        """The record of a release as an ISO 19139 document."""
        asked.RECORD["releases"].check(request.query_params)
        identifier = request.path_params["item_id"]
        row = await run_in_threadpool(release_records.release, identifier)
        if row is None:
            raise NotFound(f"there is no release {identifier!r}")
        record = release_document.record(row, self._context.base_url)
        return Response(iso19139.document(record), media_type="application/xml")

    async def queryables(self, request: Request) -> Response:
        """What a filter may name."""
        layer = self.declared(request)
        if layer.kind != "features":
            handler = itemtypes.get_collection_queryables
            return await self.pygeoapi(handler, "collection_id", layers="QueriedLayer", json_type=_SCHEMA)(request)
        return await filtering.get_queryables(self._context, request, layer)

    async def schema(self, request: Request) -> Response:
        """What a layer's features, cells or observations have. pygeoapi knows none for observations."""
        layer = self.declared(request)
        if layer.kind == "observations":
            return observed_schema.get_schema(self._context, request, layer)
        return await self.pygeoapi(core.get_collection_schema, "collection_id", json_type=_SCHEMA)(request)

    async def edit_items(self, request: Request) -> Response:
        """New features of a collection."""
        return await editing.edit_items(self._context, request, self.layer(request))

    async def edit_item(self, request: Request) -> Response:
        """Changes of one feature."""
        return await editing.edit_item(self._context, request, self.layer(request))

    async def transactions(self, request: Request) -> Response:
        """Changes of several layers as one."""
        return await editing.transact(self._context, request)

    async def collection(self, request: Request) -> Response:
        """What one collection tells of itself; of features also along which clock they have versions; and where it is
        drawn."""
        answer = await self.pygeoapi(core.describe_collections, "collection_id", knows=LINKED)(request)
        layer = self.declared(request)
        if answer.headers["content-type"] != _JSON:
            return answer
        more: dict[str, Any] = {}
        if layer.kind == "features":
            more = {"versioning": {"timeAxis": version_rules.time_axis(layer)}}
        elif asked.LAYERS["SeriesLayer"](layer):
            url = f"{self._context.base_url}/collections/{layer.id}"
            more = {"data_queries": edr_block.collection_queries(url, layer)}
        links = map_tilesets.links(self._context.base_url, layer) if layer.tiles else []
        return _changed(answer, lambda told: told | more | {"links": [*told["links"], *links]})

    async def tile(self, request: Request) -> Response:
        """One vector tile."""
        return await tile_block.get_tile(self._context, request, self.layer(request))

    async def dataset_tile(self, request: Request) -> Response:
        """One vector tile of several layers."""
        return await tile_block.get_dataset_tile(self._context, request)

    async def execution(self, request: Request) -> Response:
        """Execute a process."""
        return await process_execution.execute(self._context, request)

    async def process(self, request: Request) -> Response:
        """The description of a process; its page takes the inputs' names to fill its form."""
        identifier = request.path_params["process_id"]
        inputs: frozenset[str] = frozenset()
        if identifier in self._context.api.manager.processes:
            inputs = frozenset(self._context.api.manager.get_processor(identifier).inputs.names())
        described = Asked(inputs, PAGE.formats)
        return await self.pygeoapi(processes.describe_processes, "process_id", knows=described)(request)

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
        PAGE.check(request.query_params)
        document = {"conformsTo": conformance.classes(self._context.editing)}
        if errors.wants_html(request):
            return Response(self._context.pages.render("conformance.html", document, request), media_type="text/html")
        return JSONResponse(document)

    async def landing(self, request: Request) -> Response:
        """The landing page, with the API's description in both versions of OpenAPI."""
        answer = await self.pygeoapi(core.landing_page, knows=LINKED)(request)
        if answer.headers["content-type"] != "application/json":
            return answer
        url = self._context.base_url

        def linked(told: dict[str, Any]) -> dict[str, Any]:
            return tilesets.with_tile_links(url, with_styles(url, openapi.with_both_versions(url, told)))

        return _changed(answer, linked)

    async def openapi(self, request: Request) -> Response:
        """What the service can do, as OpenAPI or as a page to try it."""
        return openapi.get_openapi(self._context, request)

    async def health(self, request: Request) -> Response:
        """Whether the service can answer."""
        asked.ONLY_JSON.check(request.query_params)
        status, report = await health.check(self._context)
        return JSONResponse(report, status, headers={"Retry-After": "3"} if status == 503 else None)

    def layer(self, request: Request) -> Layer:
        """The layer that the path names, for its data. Raises CollectionNotFound, NotSignedIn, Forbidden."""
        layer = self.declared(request)
        access.require_readable(layer)
        return layer

    def declared(self, request: Request) -> Layer:
        """The layer that the path names, for what is declared of it. Raises CollectionNotFound."""
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
    ends, stac, styles, qgis = Endpoints(context), Stac(context), Styles(context), Qgis(context)
    wmts = Wmts(context)
    pygeoapi = ends.pygeoapi
    collection = "/collections/{collection_id}"
    tileset = f"{collection}/tiles/{{tileMatrixSetId}}"
    get_coverage = coverages.get_collection_coverage
    coverage = pygeoapi(get_coverage, "collection_id", knows=asked.COVERAGE, layers="RasterLayer")
    # Routes are tried in order: what is asked for most comes first.
    return [
        Route(f"{tileset}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", Direct(ends.tile), methods=["GET"]),
        Route("/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}", Direct(ends.dataset_tile), methods=["GET"]),
        Route(f"{collection}/items", Direct(ends.items), methods=["GET"]),
        *item_routes.routes(context, ends.layer),
        Route(f"{collection}/items/{{item_id:path}}", ends.item, methods=["GET"]),
        Route(f"{collection}/items", ends.edit_items, methods=EDITING),
        Route(f"{collection}/items/{{item_id:path}}", ends.edit_item, methods=EDITING),
        Route("/transactions", ends.transactions, methods=["POST", "OPTIONS"]),
        Route("/", ends.landing),
        Route("/health", ends.health),
        Route("/conformance", ends.conformance),
        Route("/functions", filtering.get_functions),
        Route("/openapi", ends.openapi),
        Route("/collections", pygeoapi(core.describe_collections, knows=LINKED)),
        Route(collection, ends.collection),
        Route(f"{collection}/schema", ends.schema),
        Route(f"{collection}/queryables", ends.queryables),
        Route(f"{collection}/tiles", ends.tiled(tilesets.get_layer_tilesets)),
        Route(tileset, ends.tiled(tilesets.get_layer_tileset)),
        Route(f"{tileset}/metadata", ends.tiled(tilesets.get_layer_tileset)),
        Route("/tiles", partial(tilesets.get_dataset_tilesets, context)),
        Route("/tiles/{tileMatrixSetId}", partial(tilesets.get_dataset_tileset, context)),
        *picture_routes.routes(context, ends.layer),
        Route(f"{collection}/coverage", coverage),
        *edr_routes.routes(
            context,
            ends.layer,
            {
                "position": ends.edr("position", asked.POSITION, "SeriesLayer", _COVERAGEJSON),
                "locations": ends.edr("locations", asked.LOCATIONS, "StationLayer", _GEOJSON),
                "locations/one": ends.edr("locations", asked.LOCATIONS, "StationLayer", _COVERAGEJSON, "location_id"),
            },
        ),
        *things_routes.routes(context),
        Route("/tileMatrixSets", partial(tilesets.get_matrix_sets, context)),
        Route("/tileMatrixSets/{tileMatrixSetId}", partial(tilesets.get_matrix_set, context)),
        Route("/archives", partial(archives.get_archives, context)),
        Route("/archives/{archive}", partial(archives.get_archive, context)),
        Route("/processes", _with_sound_links(pygeoapi(processes.describe_processes, knows=asked.PROCESSES))),
        Route("/processes/{process_id}", ends.process),
        Route("/processes/{process_id}/execution", ends.execution, methods=["POST"]),
        Route("/styles", styles.listing),
        Route("/styles/{style_id}", styles.style),
        Route("/styles/{style_id}/metadata", styles.metadata),
        Route("/styles/{style_id}/legend", styles.legend),
        Route(f"{collection}/styles", styles.of_collection),
        Route("/qgis/project.qgz", qgis.project),
        Route("/qgis/{theme}.qlr", qgis.definition),
        Route("/stac", stac.catalog),
        Route("/stac/collections/{collection_id}", stac.collection),
        Route("/stac/collections/{collection_id}/items/{release}", stac.item),
        Route("/stac/collections/{collection_id}/items/{release}/data", stac.data),
        *wmts.routes(),
        *warnings.Warnings(context).routes(),
        Route("/water", partial(water_page.get_page, context)),
        Route("/coordination", partial(coordination.get_page, context)),
        Route("/account", partial(signing_in.account, context), methods=["GET", "POST"]),
        Route("/account/sign-out", partial(signing_in.sign_out, context), methods=["POST"]),
        Route("/jobs", ends.jobs),
        Route("/jobs/{job_id}", ends.job, methods=["GET", "DELETE"]),
    ]


def _changed(answer: Response, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    """An answer of JSON with its document changed."""
    answer.body = orjson.dumps(change(orjson.loads(answer.body)))
    answer.headers["content-length"] = str(len(answer.body))
    return answer


def _with_sound_links(endpoint: Endpoint) -> Endpoint:
    """An endpoint of pygeoapi's without its links to linked data, which lead nowhere."""

    def mended(document: dict[str, Any]) -> dict[str, Any]:
        return document | {"links": [link for link in document["links"] if link["type"] != "application/ld+json"]}

    async def answer(request: Request) -> Response:
        given = await endpoint(request)
        return _changed(given, mended) if given.headers["content-type"] == _JSON else given

    return answer


def _response(answer: features.Answer | Response) -> Response:
    if isinstance(answer, Response):
        return answer
    headers, status, content = answer
    return Response(content, status_code=status, headers=headers)
