"""OGC API - Tiles: the tiles themselves, cut in the database; pygeoapi tells about them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.providers.cql2.evaluate import evaluating
from shikong.providers.errors import NotFound
from shikong.server import parameters
from shikong.server.asked import TILE
from shikong.server.context import Context
from shikong.server.formats.table import Format
from shikong.store.moments import NOW
from shikong.tiles import cut, matrix
from shikong.tiles.matrix import TileAddress, TileBox
from shikong.tiles.provider import MIMETYPE

_MVT = Format("mvt", "Mapbox Vector Tile", MIMETYPE)

#: A map asks for the same tiles again and again; a minute's delay of what is new is hardly seen there.
_FRESH = "max-age=60"


async def get_tile(context: Context, request: Request, layer: Layer) -> Response:
    """One vector tile of what a filter selects at a moment; 204 for an empty one. Raises BadParameter, NotFound."""
    given = request.query_params
    TILE.check(given)
    context.metadata.refresh_if_due()
    box = _box(request, layer)
    moment = parameters.moment(given, context.catalog.city) if given else NOW
    cql = parameters.cql_filter(layer, given, context.catalog.city) if given else None
    headers = context.caching.tagged(request, layer, moment, _MVT, keep=_FRESH)
    if await context.caching.unchanged(request, layer, headers.get("ETag")):
        return Response(status_code=304, headers=headers)
    query, values = cut.tile(layer, box, cql.text if cql else "true", moment)
    with evaluating(cql):
        rows = await context.database.fetch(query, values | cql.params if cql else values, binary=True)
    data: bytes = rows[0][0]
    if not data:
        return Response(status_code=204, headers=headers)
    return Response(data, media_type=_MVT.media_type, headers=headers)


def _box(request: Request, layer: Layer) -> TileBox:
    """The bounds of the tile that is asked for. Raises NotFound where the layer has none."""
    if layer.tiles is None:
        raise NotFound(f"{layer.id} has no tiles")
    address = _address(request)
    levels = matrix.levels(address.matrix_set, layer.tiles.min_zoom, layer.tiles.max_zoom)
    if address.zoom not in levels:
        raise NotFound(f"{layer.id} has tiles in {address.matrix_set} from zoom {levels[0]} to {levels[-1]}")
    try:
        return matrix.box(address)
    except IndexError as error:
        raise NotFound(str(error)) from error


def require_matrix_set(identifier: str) -> None:
    """Raise NotFound unless this tile matrix set is served."""
    if identifier not in matrix.SERVED:
        raise NotFound(f"there is no tile matrix set {identifier!r}; there are: {', '.join(matrix.SERVED)}")


def _address(request: Request) -> TileAddress:
    path = request.path_params
    require_matrix_set(path["tileMatrixSetId"])
    numbers = []
    for name in ("tileMatrix", "tileRow", "tileCol"):
        numbers.append(parameters.whole_number(name, path[name], 0, 0, 2**31))
    return TileAddress(path["tileMatrixSetId"], *numbers)
