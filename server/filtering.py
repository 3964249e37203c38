"""OGC API - Features, Part 3: what a filter may name, the functions that it may call, and how the API tells of them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.providers.cql2 import functions
from shikong.providers.options import field_schemas
from shikong.server import asked
from shikong.server.context import Context
from shikong.server.errors import wants_html

#: The profile (Features, Part 5) in which schemas here have code lists: each code with its title, in the schema itself.
_CODELIST_INLINE = {"Link": '<http://www.opengis.net/def/profile/OGC/0/codelist-inline>; rel="profile"'}

_ROLES = {"valid_from": "primary-interval-start", "valid_to": "primary-interval-end"}


async def get_queryables(context: Context, request: Request, layer: Layer) -> Response:
    """What a filter on a layer of features may name, as JSON Schema."""
    asked.PAGE.check(request.query_params)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{context.base_url}/collections/{layer.id}/queryables",
        "type": "object",
        "title": layer.title.zh,
        "x-title-en": layer.title.en,
        "properties": queryables(context.catalog, layer),
        "additionalProperties": False,
    }
    if wants_html(request):
        return Response(context.pages.queryables(request, layer, document), media_type="text/html")
    return JSONResponse(document, media_type="application/schema+json", headers=_CODELIST_INLINE)


async def get_functions(request: Request) -> Response:
    """The functions that a filter may call."""
    asked.ONLY_JSON.check(request.query_params)
    return JSONResponse(functions.description())


def queryables(catalog: Catalog, layer: Layer) -> dict[str, dict[str, Any]]:
    """The schema of each property that a filter may name; codes with what they mean."""
    found: dict[str, dict[str, Any]] = {
        "geometry": {
            "title": "几何", "x-title-en": "Geometry", "format": f"geometry-{(layer.geometry or 'any').lower()}",
            "x-ogc-role": "primary-geometry",
        }
    }  # fmt: skip
    for name, schema in field_schemas(layer).items():
        values = schema.pop("values", None)
        field = layer.fields.get(name)
        if field and field.codes:
            meanings = catalog.codes[field.codes].codes
            schema["oneOf"] = [
                {"const": code, "title": meaning.title.zh, "x-title-en": meaning.title.en}
                for code, meaning in meanings.items()
            ]
        if values:
            schema["enum"] = values
        if name == layer.key_field:
            schema["x-ogc-role"] = "id"
        elif name in _ROLES:
            schema["x-ogc-role"] = _ROLES[name]
        found[name] = schema
    if layer.versioned:
        found["valid_to"]["description"] = (
            "缺省表示仍然有效；在 INTERVAL(valid_from, valid_to) 中视为开放端。"
            " Missing while the version holds; an open end in INTERVAL(valid_from, valid_to)."
        )
    return found
