"""OGC API - Tiles: which map tiles a layer has, and where.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shikong.layers.model import Layer
from shikong.providers.crs import CRS84
from shikong.server import asked, pictures
from shikong.server.context import Context
from shikong.server.formats.table import PICTURES
from shikong.server.tiles import levels, require_matrix_set
from shikong.tiles import matrix

_REL = "http://www.opengis.net/def/rel/ogc/1.0/"


def links(base: str, layer: Layer) -> list[dict[str, str]]:
    """Links from a collection to its pictures. base: the service's address."""
    place, title = f"{base}/collections/{layer.id}/map", layer.title.zh
    found = [
        {"rel": f"{_REL}map", "type": form.media_type, "title": title, "href": f"{place}?f={form.name}"}
        for form in PICTURES.values()
    ]
    tilesets = {"rel": f"{_REL}tilesets-map", "type": "application/json", "title": title, "href": f"{place}/tiles"}
    return [*found, tilesets]


async def get_tilesets(context: Context, request: Request, layer: Layer) -> Response:
    """All tilesets of a layer's pictures."""
    asked.ONLY_JSON.check(request.query_params)
    place = f"{context.base_url}{_place(request, layer)}"
    tilesets = []
    for name in matrix.SERVED:
        whole = _tileset(context, layer, name, place)
        of_itself = {"rel": "self", "type": "application/json", "href": f"{place}/{name}"}
        kept = {key: whole[key] for key in ("title", "dataType", "crs", "tileMatrixSetURI") if key in whole}
        tilesets.append(kept | {"links": [of_itself, *whole["links"]]})
    alone = {"rel": "self", "type": "application/json", "href": place}
    return JSONResponse({"links": [alone], "tilesets": tilesets})


async def get_tileset(context: Context, request: Request, layer: Layer) -> Response:
    """One tileset of a layer's pictures. Raises NotFound."""
    asked.ONLY_JSON.check(request.query_params)
    name = request.path_params["tileMatrixSetId"]
    require_matrix_set(name)
    return JSONResponse(_tileset(context, layer, name, f"{context.base_url}{_place(request, layer)}"))


def _place(request: Request, layer: Layer) -> str:
    """The path of the list of tilesets. Raises NotFound for a style that the layer has not."""
    style = request.path_params.get("styleId")
    if style is None:
        return f"/collections/{layer.id}/map/tiles"
    pictures.require_style(layer, style)
    return f"/collections/{layer.id}/styles/{style}/map/tiles"


def _tileset(context: Context, layer: Layer, name: str, place: str) -> dict[str, Any]:
    served, base = matrix.SERVED[name], context.base_url
    release = context.metadata.releases.get(layer.id)
    west, south, east, north = (release and release.extent) or context.catalog.city.bbox
    tile = f"{place}/{name}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
    definition = f"{base}/tileMatrixSets/{name}?f=json"
    return {
        "title": layer.title.zh, "description": layer.description.zh, "dataType": "map", "crs": served.crs,
        **({"tileMatrixSetURI": served.uri} if served.uri else {}), "tileMatrixSetLimits":
            matrix.limits(name, levels(layer, name), (west, south, east, north)),
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north],
                        "crs": CRS84},
        "links": [
            *({"rel": "item", "type": form.media_type, "templated": True, "title": layer.title.zh,
               "href": f"{tile}?f={form.name}"} for form in PICTURES.values()),
            {"rel": f"{_REL}tiling-scheme", "type": "application/json", "title": name, "href": definition},
        ],
    }  # fmt: skip
