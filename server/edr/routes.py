"""Where observations and cubes are asked for.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shikong.layers.model import Layer
from shikong.server import asked
from shikong.server.context import Context
from shikong.server.edr import block, cubes
from shikong.server.edr.questions import CubeKind, Kind
from shikong.server.errors import wants_html

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(context: Context, layer_of: Callable[[Request], Layer], others: Mapping[str, Endpoint]) -> list[Route]:
    """The routes. layer_of: the layer that a path names. others: who answers pages, by the query."""
    collection = "/collections/{collection_id}"

    def endpoint(kind: Kind, *, one: bool = False) -> Endpoint:
        async def answer(request: Request) -> Response:
            layer = layer_of(request)
            other = others.get(f"{kind}/one" if one else kind)
            if other is not None and wants_html(request):
                return await other(request)
            path = request.path_params
            if layer.kind == "cube" and kind != "locations":
                run = path.get("instance")
                known_at = None if run is None else await block.published(context, layer, run)
                return await cubes.get_query(context, request, layer, kind, known_at)
            asked.require_layer(layer, "StationLayer", request.url.path)
            return await block.get_query(context, request, layer, kind, path.get("location_id"), path.get("instance"))

        return answer

    async def instances(request: Request) -> Response:
        layer = layer_of(request)
        asked.require_layer(layer, "SeriesLayer", request.url.path)
        return await block.get_instances(context, request, layer, request.path_params.get("instance"))

    found = [
        Route(f"{collection}/instances", instances, methods=["GET"]),
        Route(f"{collection}/instances/{{instance}}", instances, methods=["GET"]),
    ]
    for base in (collection, f"{collection}/instances/{{instance}}"):
        found += [Route(f"{base}/{kind}", endpoint(kind), methods=["GET"]) for kind in get_args(CubeKind)]
        found.append(Route(f"{base}/locations", endpoint("locations"), methods=["GET"]))
        one = endpoint("locations", one=True)
        found.append(Route(f"{base}/locations/{{location_id}}", one, methods=["GET"]))
    return found
