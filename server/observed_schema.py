"""`/collections/{id}/schema` of observations: the parameters that are observed. pygeoapi has none for OGC API - EDR.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shikong.layers.model import Layer
from shikong.providers.coverage import parameter_fields
from shikong.server.asked import PAGE
from shikong.server.context import Context
from shikong.server.errors import wants_html


def get_schema(context: Context, request: Request, layer: Layer) -> Response:
    """The parameters of a layer of observations as JSON Schema. Raises BadParameter."""
    PAGE.check(request.query_params)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{context.base_url}/collections/{layer.id}/schema",
        "type": "object",
        "title": layer.title.zh,
        "x-title-en": layer.title.en,
        "properties": parameter_fields(layer),
    }
    if wants_html(request):
        return Response(context.pages.schema(request, layer, document), media_type="text/html")
    return JSONResponse(document, media_type="application/schema+json")
