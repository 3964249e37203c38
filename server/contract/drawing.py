"""The paths of the OpenAPI document whose answers are pictures, and what tells of them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.server import asked, maps
from shikong.server.asked import Asked
from shikong.server.contract.parameters import query
from shikong.server.contract.reading import Content, headers, operation, read, told
from shikong.server.contract.schemas import Part
from shikong.server.formats.table import PICTURES
from shikong.server.wmts_capabilities import VERSION

_PICTURE: Content = {form.media_type: {"schema": {"type": "string", "format": "binary"}} for form in PICTURES.values()}
_UNCHANGED: Part = {"304": {"description": "what the client has is still so (If-None-Match)"}}
_SIDE: Part = {"type": "integer", "minimum": 1, "maximum": maps.MAX_SIDE}

#: Query parameters of pictures alone.
PARAMETERS = [
    query("style", {"type": "string"}, "a style of the layer, or `default` for its first"),
    query("collections", {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": maps.MAX_LAYERS},
          "the layers to draw, the first below", required=True),
    query("width", _SIDE, f"pixels; together with the height at most {maps.MAX_PIXELS:,}; pixels are square unless "
          "both are given"),
    query("height", _SIDE, "pixels"),
    query("transparent", {"type": "boolean"}, "whether what is not drawn is clear; so unless `bgcolor` is given"),
    query("bgcolor", {"type": "string"}, "the colour of what is not drawn: 0xRRGGBB, #RRGGBB or a name of CSS"),
]  # fmt: skip


_XML: Content = {"application/xml": {"schema": {"type": "string"}}}
_KEYED = [
    query("SERVICE", {"type": "string", "enum": ["WMTS"]}, "the service", required=True),
    query("REQUEST", {"type": "string", "enum": ["GetCapabilities", "GetTile"]}, "what is wanted; GetTile also takes "
          "VERSION, LAYER, STYLE, FORMAT, TILEMATRIXSET, TILEMATRIX, TILEROW, TILECOL and TIME", required=True),
]  # fmt: skip


def paths() -> dict[str, Part]:
    """All paths of pictures."""
    several = _drawn("a picture of several layers; without `collections`, for browsers, the map page", "getMapOfLayers")
    several["responses"]["200"]["content"] |= {"text/html": {"schema": {"type": "string"}}}
    found = {"/map": read(asked.MAP_OF_LAYERS, several)}
    for base, ends, tile, whole, style in (
        ("/collections/{collectionId}/map", "", asked.MAP_TILE, asked.MAP, ()),
        ("/collections/{collectionId}/styles/{styleId}/map", "InStyle", asked.STYLED_MAP_TILE, asked.STYLED_MAP,
         ("layerStyleId",)),
    ):  # fmt: skip
        found |= _of_layer(base, ends, tile, whole, ("DrawnLayer", *style))
    return found | _wmts()


def _wmts() -> dict[str, Part]:
    """WMTS, whose parameters are told by name whatever its case."""
    report: Part = {"description": "why not (OWS Common 1.1)", "content": _XML}
    refused = {str(status): report for status in (400, 404, 410, 500, 501, 503)}
    asked_for = {"200": {"description": "capabilities, or a tile", "content": _XML | _PICTURE}} | _UNCHANGED | refused
    tile = {"200": {"description": "a tile", "content": _PICTURE}} | _UNCHANGED | refused
    keyed: Part = {"summary": "WMTS 1.0.0", "tags": ["pictures"], "responses": asked_for}
    manner = "in the manner of 天地图: a layer and `_c` or `_w`"
    place = "{tileMatrixSet}/{tileMatrix}/{tileRow}/{tileCol}.{ext}"
    names = ("layer", "style", "time", "tileMatrixSet", "tileMatrix", "tileRow", "tileCol", "ext")
    text = {name: {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names}
    found: dict[str, Part] = {
        "/wmts": {"parameters": _KEYED, "get": keyed | {"operationId": "getWmts"}},
        "/{named}/wmts": {
            "parameters": [{**text["layer"], "name": "named", "description": manner}, *_KEYED],
            "get": keyed | {"operationId": "getWmtsOfLayer"},
        },
        f"/wmts/{VERSION}/WMTSCapabilities.xml": {"get": {
            "summary": "what the WMTS offers", "tags": ["pictures"], "operationId": "getWmtsCapabilities",
            "responses": {"200": {"description": "capabilities", "content": _XML}, "503": report},
        }},
    }  # fmt: skip
    for time in ("", "{time}/"):
        given = [part for name, part in text.items() if time or name != "time"]
        got = {"summary": "a tile by its address", "tags": ["pictures"], "responses": tile,
               "operationId": f"getWmtsTile{'OfTime' if time else ''}"}  # fmt: skip
        found[f"/wmts/{VERSION}/{{layer}}/{{style}}/{time}{place}"] = {"parameters": given, "get": got}
    return found


def _of_layer(base: str, ends: str, tile: Asked, whole: Asked, path: tuple[str, ...]) -> dict[str, Part]:
    """ends: of the operations' names. tile, whole: what can be asked of tiles and of whole pictures."""
    listed = operation("its tilesets of pictures", f"getMapTilesets{ends}", "pictures", told("Tilesets"), 404)
    one = operation("a tileset of pictures", f"getMapTileset{ends}", "pictures", told("Tileset"), 404)
    place = (*path, "tileMatrixSetId")
    return {
        base: read(whole, _drawn("a picture of it", f"getMap{ends}"), *path),
        f"{base}/tiles": read(asked.ONLY_JSON, listed, *path),
        f"{base}/tiles/{{tileMatrixSetId}}": read(asked.ONLY_JSON, one, *place),
        f"{base}/tiles/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": read(
            tile, _drawn("a tile as a picture", f"getMapTile{ends}"), *place, "tileMatrix", "tileRow", "tileCol"),
    }  # fmt: skip


def _drawn(summary: str, name: str) -> Part:
    found = operation(summary, name, "pictures", _PICTURE, 404, 410, 500)
    found["responses"]["200"]["headers"] = headers("ETag")
    found["responses"] |= _UNCHANGED
    return found
