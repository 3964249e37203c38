"""OGC API - Tiles: what is told of tiles: tile matrix sets, tilesets, TileJSON.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shikong.layers.model import Layer
from shikong.providers.crs import CRS84
from shikong.providers.options import field_schemas
from shikong.server import asked, profiles
from shikong.server.context import Context
from shikong.server.errors import wants_html
from shikong.server.tiles import MVT, levels, require_matrix_set
from shikong.tiles import matrix

_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_JSON, _TILEJSON = "application/json", "application/vnd.mapbox.tilejson+json"

_DIMENSION = {"Point": 0, "LineString": 1, "Polygon": 2}

Document = dict[str, Any]


async def get_matrix_sets(context: Context, request: Request) -> Response:
    """The tile matrix sets."""
    asked.PAGE.check(request.query_params)
    base = f"{context.base_url}/tileMatrixSets"
    sets = [
        {
            "id": served.id, "title": served.title, "uri": served.uri or f"{base}/{served.id}", "crs": served.crs,
            "links": [_link("self", _JSON, served.title, f"{base}/{served.id}?f=json")],
        }
        for served in matrix.SERVED.values()
    ]  # fmt: skip
    document = {"tileMatrixSets": sets, "links": _own_links(base, "tile matrix sets")}
    return _answer(context, request, document, "tilematrixsets/index.html")


async def get_matrix_set(context: Context, request: Request) -> Response:
    """The definition of one. Raises NotFound."""
    asked.PAGE.check(request.query_params)
    identifier = request.path_params["tileMatrixSetId"]
    require_matrix_set(identifier)
    document = {"uri": f"{context.base_url}/tileMatrixSets/{identifier}"} | matrix.definition(identifier)
    return _answer(context, request, document, "tilematrixsets/tilematrixset.html")


async def get_layer_tilesets(context: Context, request: Request, layer: Layer) -> Response:
    """The tilesets of a layer. Raises NotFound."""
    asked.PAGE.check(request.query_params)
    path, title = f"{context.base_url}/collections/{layer.id}", _title(context, request, layer)
    document = _tilesets(path, title, [name for name in matrix.SERVED if levels(layer, name)])
    if wants_html(request):
        return _layer_page(context, request, layer, document)
    return JSONResponse(document)


async def get_layer_tileset(context: Context, request: Request, layer: Layer) -> Response:
    """What one tileset of a layer has, as OGC's metadata or as TileJSON. Raises NotFound."""
    return _tileset_answer(context, request, [layer], f"/collections/{layer.id}", _title(context, request, layer))


async def get_dataset_tilesets(context: Context, request: Request) -> Response:
    """The tilesets that have all layers."""
    asked.PAGE.check(request.query_params)
    document = _tilesets(context.base_url, _city(context, request), list(matrix.SERVED))
    return _answer(context, request, document, "tiles.html")


async def get_dataset_tileset(context: Context, request: Request) -> Response:
    """What one tileset with all layers has. Raises NotFound."""
    layers = [layer for layer in context.catalog if layer.kind == "features" and layer.tiles]
    return _tileset_answer(context, request, layers, "", _city(context, request))


def with_tile_links(url: str, landing: Document) -> Document:
    """The landing page with links to what there is of tiles, in place of pygeoapi's. url: the service's address."""
    others = [link for link in landing["links"] if not link["rel"].endswith("/tiling-schemes")]
    return landing | {
        "links": [
            *others,
            _link(f"{_REL}/tiling-schemes", _JSON, "tile matrix sets", f"{url}/tileMatrixSets?f=json"),
            _link(f"{_REL}/tilesets-vector", _JSON, "vector tiles with several layers", f"{url}/tiles?f=json"),
        ]
    }


def _tileset_answer(context: Context, request: Request, layers: Sequence[Layer], path: str, title: str) -> Response:
    asked.TILESET.check(request.query_params)
    identifier = request.path_params["tileMatrixSetId"]
    require_matrix_set(identifier)
    form = request.query_params.get("f")
    address = f"{context.base_url}{path}/tiles/{identifier}"
    if form == "tilejson":
        return JSONResponse(_tilejson(context, request, layers, identifier, address, title), media_type=_TILEJSON)
    document = _tileset(context, request, layers, identifier, address, title)
    if wants_html(request):
        page = {
            "id": layers[0].id if path else "", "title": title, "tileset": identifier, "metadata": document,
            "json_url": f"{address}?f=json", "tilejson_url": f"{address}?f=tilejson",
            "collections_path": document["links"][-1]["href"],
        }  # fmt: skip
        return Response(context.pages.render("collections/tiles/metadata.html", page, request), media_type="text/html")
    return JSONResponse(document)


def _tilesets(path: str, title: str, sets: Sequence[str]) -> Document:
    return {
        "tilesets": [
            {
                "title": f"{title} · {matrix.SERVED[name].title}", "dataType": "vector", "crs": matrix.SERVED[name].crs,
                "tileMatrixSetId": name, "tileMatrixSetURI": _uri(path.partition("/collections/")[0], name),
                "links": [
                    _link("self", _JSON, name, f"{path}/tiles/{name}?f=json"),
                    _link("alternate", _TILEJSON, name, f"{path}/tiles/{name}?f=tilejson"),
                    _tile_link(f"{path}/tiles/{name}", title),
                ],
            }
            for name in sets
        ],
        "links": _own_links(f"{path}/tiles", title),
    }  # fmt: skip


def _tileset(
    context: Context, request: Request, layers: Sequence[Layer], identifier: str, address: str, title: str
) -> Document:
    base = context.base_url
    reached = [levels(layer, identifier) for layer in layers]
    zooms = range(min(zoom[0] for zoom in reached if zoom), max(zoom[-1] for zoom in reached if zoom) + 1)
    box = context.catalog.city.bbox
    definition = f"{base}/tileMatrixSets/{identifier}?f=json"
    return {
        "title": title, "dataType": "vector", "crs": matrix.SERVED[identifier].crs,
        "tileMatrixSetId": identifier, "tileMatrixSetURI": _uri(base, identifier),
        "tileMatrixSetLimits": matrix.limits(identifier, zooms, box),
        "boundingBox": {"lowerLeft": list(box[:2]), "upperRight": list(box[2:]), "crs": CRS84},
        "layers": [_layer(context, request, layer, zoom) for layer, zoom in zip(layers, reached, strict=True) if zoom],
        "links": [
            *_own_links(address, title),
            _link("alternate", _TILEJSON, title, f"{address}?f=tilejson"),
            _link(f"{_REL}/tiling-scheme", _JSON, matrix.SERVED[identifier].title, definition),
            _tile_link(address, title),
        ],
    }  # fmt: skip


def _layer(context: Context, request: Request, layer: Layer, zooms: range) -> Document:
    """What a tileset tells of one of its layers."""
    assert layer.tiles is not None
    dimension = _DIMENSION[(layer.geometry or "").removeprefix("Multi")]
    told: Document = {
        "id": layer.id, "title": _title(context, request, layer), "dataType": "vector", "geometryDimension": dimension,
        "minTileMatrix": str(zooms[0]), "maxTileMatrix": str(zooms[-1]),
        "propertiesSchema": {"type": "object", "properties": field_schemas(layer)},
        "links": [_link(f"{_REL}/geodata", _JSON, layer.id, f"{context.base_url}/collections/{layer.id}?f=json")],
    }  # fmt: skip
    if layer.tiles.merged_below is not None and layer.style is not None:
        told["description"] = (
            f"below zoom {layer.tiles.merged_below} of WebMercatorQuad areas of one {layer.style.by} are merged, "
            "and those that are too small to be seen go into their neighbours"
        )
    return told


def _tilejson(
    context: Context, request: Request, layers: Sequence[Layer], identifier: str, address: str, title: str
) -> Document:
    """TileJSON 3.0.0. It knows no matrix sets; clients take the numbers of the template for those of Web Mercator."""
    reached = {layer.id: levels(layer, identifier) for layer in layers}
    named: list[Document] = [
        {
            "id": layer.id, "description": _title(context, request, layer), "minzoom": reached[layer.id][0],
            "maxzoom": reached[layer.id][-1],
            "fields": {name: schema["title"] for name, schema in field_schemas(layer).items()},
        }
        for layer in layers
        if reached[layer.id]
    ]  # fmt: skip
    west, south, east, north = context.catalog.city.bbox
    return {
        "tilejson": "3.0.0", "name": title, "scheme": "xyz", "tiles": [f"{address}/{{z}}/{{y}}/{{x}}?f=mvt"],
        "minzoom": min(layer["minzoom"] for layer in named), "maxzoom": max(layer["maxzoom"] for layer in named),
        "bounds": [west, south, east, north], "center": [(west + east) / 2, (south + north) / 2, named[0]["minzoom"]],
        "attribution": ", ".join(dict.fromkeys(layer.steward for layer in layers)), "vector_layers": named,
    }  # fmt: skip


def _layer_page(context: Context, request: Request, layer: Layer, document: Document) -> Response:
    assert layer.tiles is not None
    path = f"{context.base_url}/collections/{layer.id}/tiles"
    page = document | {
        "id": layer.id, "title": _title(context, request, layer),
        "collections_path": f"{context.base_url}/collections", "bounds": [list(context.catalog.city.bbox)],
        "tilesets": [each["tileMatrixSetId"] for each in document["tilesets"]],
        "template": f"{path}/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}?f=mvt",
        "zooms": {
            name: [levels(layer, name)[0], levels(layer, name)[-1]] for name in matrix.SERVED if levels(layer, name)
        },
    }  # fmt: skip
    return Response(context.pages.render("collections/tiles/index.html", page, request), media_type="text/html")


def _answer(context: Context, request: Request, document: Document, template: str) -> Response:
    if wants_html(request):
        return Response(context.pages.render(template, document, request), media_type="text/html")
    return JSONResponse(document)


def _title(context: Context, request: Request, layer: Layer) -> str:
    return str(getattr(layer.title, profiles.language(context.api, request)))


def _city(context: Context, request: Request) -> str:
    return str(getattr(context.catalog.city.title, profiles.language(context.api, request)))


def _uri(base: str, identifier: str) -> str:
    """The URI of a set: the registry's, or where its definition is."""
    return matrix.SERVED[identifier].uri or f"{base}/tileMatrixSets/{identifier}"


def _link(rel: str, media_type: str, title: str, address: str) -> Document:
    return {"rel": rel, "type": media_type, "title": title, "href": address}


def _own_links(address: str, title: str) -> list[Document]:
    return [
        _link("self", _JSON, title, f"{address}?f=json"),
        _link("alternate", "text/html", title, f"{address}?f=html"),
    ]


def _tile_link(address: str, title: str) -> Document:
    template = f"{address}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}?f=mvt"
    return _link("item", MVT.media_type, title, template) | {"templated": True}
