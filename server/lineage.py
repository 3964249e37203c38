"""`/collections/{id}/items/{id}/lineage`: which release, file, row, time and person a feature comes from.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.providers import lineage
from shikong.providers.errors import NotFound
from shikong.server.asked import ONLY_JSON
from shikong.server.context import Context


async def get_lineage(context: Context, request: Request, layer: Layer) -> Response:
    """All versions of a feature that were ever known. Raises NotFound, BadParameter."""
    ONLY_JSON.check(request.query_params)
    item = request.path_params["item_id"]
    rows = await context.database.fetch(lineage.versions(layer), {"key": item})
    if not rows:
        raise NotFound(f"{layer.id} has no feature {item!r} and never had one")
    base = f"{context.base_url}/collections/{layer.id}/items/{item}"
    document = {
        "id": item,
        "layer": layer.id,
        "versions": [lineage.version(row) for row in rows],
        "links": [
            {"rel": "self", "type": "application/json", "href": f"{base}/lineage"},
            {"rel": "item", "type": "application/geo+json", "href": f"{base}?f=json"},
        ],
    }
    return Response(orjson.dumps(document), media_type="application/json")
