"""OGC API - Features, Part 3: what a filter may name, the functions that it may call, and how the API tells of them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shikong.layers.catalog import Catalog
from shikong.layers.catalog import default as default_catalog
from shikong.layers.model import Layer
from shikong.providers import crs
from shikong.providers.cql2 import functions
from shikong.providers.cql2.parse import LANGUAGES
from shikong.providers.options import field_schemas
from shikong.server import parameters
from shikong.server.context import Context
from shikong.server.errors import wants_html

_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf/"

CONFORMANCE_CLASSES = [
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    f"{_CQL2}cql2-text",
    f"{_CQL2}cql2-json",
    f"{_CQL2}basic-cql2",
    f"{_CQL2}advanced-comparison-operators",
    f"{_CQL2}case-insensitive-comparison",
    f"{_CQL2}accent-insensitive-comparison",
    f"{_CQL2}basic-spatial-functions",
    f"{_CQL2}basic-spatial-operators",  # the draft's name for basic-spatial-functions, which QGIS looks for
    f"{_CQL2}basic-spatial-functions-plus",
    f"{_CQL2}spatial-functions",
    f"{_CQL2}temporal-functions",
    f"{_CQL2}array-functions",
    f"{_CQL2}property-property",
    f"{_CQL2}functions",
    f"{_CQL2}arithmetic",
]

#: The profile (Features, Part 5) in which schemas here have code lists: each code with its title, in the schema itself.
_CODELIST_INLINE = {"Link": '<http://www.opengis.net/def/profile/OGC/0/codelist-inline>; rel="profile"'}

_ROLES = {"valid_from": "primary-interval-start", "valid_to": "primary-interval-end"}


async def get_queryables(context: Context, request: Request, layer: Layer) -> Response:
    """What a filter on a layer of features may name, as JSON Schema."""
    parameters.require_known(request.query_params, ())
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
    parameters.require_known(request.query_params, ())
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


def openapi_parameters() -> list[dict[str, Any]]:
    """The query parameters of a filter."""
    served = crs.uris(default_catalog().city.crs)
    return [
        {
            "name": "filter", "in": "query", "required": False, "schema": {"type": "string"},
            "description": "a condition in CQL2 on the properties of /queryables; joined to the others by AND",
        },
        {
            "name": "filter-lang", "in": "query", "required": False,
            "schema": {"type": "string", "enum": list(LANGUAGES), "default": "cql2-text"},
            "description": "the language of `filter`",
        },
        {
            "name": "filter-crs", "in": "query", "required": False,
            "schema": {"type": "string", "format": "uri", "enum": served, "default": crs.CRS84},
            "description": "the CRS, and its axis order, of the geometries in `filter`",
        },
    ]  # fmt: skip


def openapi_functions() -> dict[str, Any]:
    """The path /functions."""
    return {
        "get": {
            "summary": "Functions of filters", "operationId": "getFunctions", "tags": ["server"],
            "description": "the functions that a filter may call, with their arguments",
            "responses": {"200": {
                "description": "the functions",
                "content": {"application/json": {"schema": {"type": "object", "required": ["functions"],
                            "properties": {"functions": {"type": "array", "items": {"type": "object"}}}}}},
            }},
        }
    }  # fmt: skip
