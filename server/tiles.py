"""OGC API - Tiles: the tiles themselves, cut in the database; pygeoapi tells about them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.providers.cql2.evaluate import evaluating
from shikong.providers.errors import BadParameter, NotFound
from shikong.server import parameters
from shikong.server.context import Context
from shikong.tiles import cut, matrix
from shikong.tiles.matrix import TileAddress
from shikong.tiles.provider import MIMETYPE


async def get_tile(context: Context, request: Request, layer: Layer) -> Response:
    """One vector tile of what a filter selects; 204 when nothing is in it. Raises BadParameter, NotFound."""
    parameters.require_known(request.query_params, parameters.FILTER)
    wanted = request.query_params.get("f", "mvt")
    if wanted not in ("mvt", "pbf"):
        raise BadParameter("f", f"{wanted!r} is not a format of tiles", ["mvt"])
    if layer.tiles is None:
        raise NotFound(f"{layer.id} has no tiles")
    address = _address(request)
    if not layer.tiles.min_zoom <= address.zoom <= layer.tiles.max_zoom:
        raise NotFound(f"{layer.id} has tiles from zoom {layer.tiles.min_zoom} to {layer.tiles.max_zoom}")
    try:
        box = matrix.box(address)
    except IndexError as error:
        raise NotFound(str(error)) from error
    cql = parameters.cql_filter(layer, request.query_params, context.catalog.city) if request.url.query else None
    query, values = cut.tile(layer, box, cql.text) if cql else cut.tile(layer, box)
    with evaluating(cql):
        rows = await context.database.fetch(query, values | cql.params if cql else values, binary=True)
    data: bytes = rows[0][0]
    headers = {"Cache-Control": "public, max-age=60"}
    if not data:
        return Response(status_code=204, headers=headers)
    return Response(data, media_type=MIMETYPE, headers=headers)


def _address(request: Request) -> TileAddress:
    path = request.path_params
    if path["tileMatrixSetId"] not in matrix.SERVED:
        raise NotFound(
            f"there is no tile matrix set {path['tileMatrixSetId']!r}; there are: {', '.join(matrix.SERVED)}"
        )
    numbers = []
    for name in ("tileMatrix", "tileRow", "tileCol"):
        numbers.append(parameters.whole_number(name, path[name], 0, 0, 2**31))
    if numbers[0] > matrix.MAX_ZOOM:
        raise NotFound(f"zoom {numbers[0]} is above {matrix.MAX_ZOOM}")
    return TileAddress(path["tileMatrixSetId"], *numbers)
