"""Where pictures of layers are: tiles, tilesets and whole maps, in the usual style or in one that the address names.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shikong.layers.model import Layer
from shikong.server import asked, map_tilesets, maps, pictures
from shikong.server.context import Context

_Answer = Callable[[Context, Request, Layer], Awaitable[Response]]

#: What is below `/map`, and who answers.
_BELOW: dict[str, _Answer] = {
    "/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}": pictures.get_tile,
    "/tiles/{tileMatrixSetId}": map_tilesets.get_tileset,
    "/tiles": map_tilesets.get_tilesets,
    "": maps.get_map,
}


def routes(context: Context, layer_of: Callable[[Request], Layer]) -> list[Route]:
    """The routes. layer_of: the layer that a path names."""

    def drawn(
        answer: Callable[[Context, Request, Layer], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            layer = layer_of(request)
            asked.require_layer(layer, "DrawnLayer", request.url.path)
            return await answer(context, request, layer)

        return endpoint

    return [
        *(
            Route(f"/collections/{{collection_id}}{style}/map{tail}", drawn(answer), methods=["GET"])
            for style in ("", "/styles/{styleId}")
            for tail, answer in _BELOW.items()
        ),
        Route("/map", partial(maps.get_map_of_layers, context), methods=["GET"]),
    ]
