"""OGC API - Tiles: vector tiles of one layer, and of several in one tile.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.providers.cql2.compile import Filter
from shikong.providers.cql2.evaluate import evaluating
from shikong.providers.errors import BadParameter, NotFound
from shikong.server import parameters
from shikong.server.asked import DATASET_TILE, TILE
from shikong.server.context import Context
from shikong.server.formats.table import Format
from shikong.server.tile_answers import Make, Variant
from shikong.store.moments import NOW, Moment
from shikong.tiles import cut, matrix, overview
from shikong.tiles.matrix import TileAddress
from shikong.tiles.overview import Question
from shikong.tiles.provider import MIMETYPE

MVT = Format("mvt", "Mapbox Vector Tile", MIMETYPE)
_VARIANT = Variant(MVT)


async def get_tile(context: Context, request: Request, layer: Layer) -> Response:
    """One vector tile of what a filter selects at a moment; 204 for an empty one. Raises BadParameter, NotFound."""
    given = request.query_params
    TILE.check(given)
    if layer.kind != "features":
        raise NotFound(f"{layer.id} has no vector tiles")
    context.metadata.refresh_if_due()
    tile = address(request)
    require_level(layer, tile)
    moment = parameters.moment(given, context.catalog.city) if given else NOW
    cql = parameters.cql_filter(layer, given, context.catalog.city) if given else None
    make = partial(make_tile, context, tile, moment, cql)
    return await context.tiles.answer(request, [layer], tile, moment, _VARIANT, make, kept=cql is None)


async def get_dataset_tile(context: Context, request: Request) -> Response:
    """One vector tile with several layers: those that `collections` names, or all that have tiles at this scale."""
    given = request.query_params
    DATASET_TILE.check(given)
    context.metadata.refresh_if_due()
    tile = address(request)
    moment = parameters.moment(given, context.catalog.city)
    layers = [
        layer for layer in chosen(context, given.get("collections")) if tile.zoom in levels(layer, tile.matrix_set)
    ]
    if not layers:
        raise NotFound(f"no layer has tiles in {tile.matrix_set} at zoom {tile.zoom}")
    make = partial(make_tile, context, tile, moment, None)
    return await context.tiles.answer(request, layers, tile, moment, _VARIANT, make)


def chosen(context: Context, text: str | None) -> list[Layer]:
    """`collections`, separated by commas; all layers with vector tiles without it. Raises BadParameter."""
    tiled = {layer.id: layer for layer in context.catalog if layer.kind == "features" and layer.tiles}
    if text is None:
        return list(tiled.values())
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in tiled:
            raise BadParameter("collections", f"{name[:60]!r} is no layer with vector tiles", tuple(tiled))
    return [tiled[name] for name in names]


def make_tile(context: Context, tile: TileAddress, moment: Moment, cql: Filter | None, layer: Layer) -> Make:
    """What makes a tile of a layer."""
    if overview.is_merged(layer, tile):
        return partial(_merged, context, layer, tile, moment, cql)
    return partial(_cut, context, layer, tile, moment, cql)


async def _cut(context: Context, layer: Layer, tile: TileAddress, moment: Moment, cql: Filter | None) -> bytes:
    """Cut a tile from the layer's rows."""
    condition, values = cut.drawn_at(layer, tile.scale_zoom)
    if cql is not None:
        condition, values = f"({cql.text}) AND {condition}", values | cql.params
    query, params = cut.tile(layer, matrix.box(tile), condition, moment)
    with evaluating(cql):
        rows = await context.database.fetch(query, params | values, binary=True)
    return bytes(rows[0][0])


async def _merged(context: Context, layer: Layer, tile: TileAddress, moment: Moment, cql: Filter | None) -> bytes:
    """A tile with merged areas: as it is kept, or made in another process."""
    if cql is None and moment == NOW:
        state = await context.caching.overview_state(layer, matrix.lonlat_box(tile))
        rows = await context.database.fetch(overview.KEPT, overview.place(layer, tile) | {"state": state}, binary=True)
        if rows:
            return bytes(rows[0][0])
    question = Question(layer.id, moment)
    if cql is not None:
        _require_filtered_zoom(layer, tile)
        question = Question(layer.id, moment, cql.text, tuple(cql.params.items()))
    with evaluating(cql):
        return await context.overviews.tile(question, tile)


def _require_filtered_zoom(layer: Layer, tile: TileAddress) -> None:
    """Raise BadParameter where too much would have to be looked through for one tile."""
    assert layer.tiles is not None
    assert layer.tiles.merged_below is not None
    least = layer.tiles.merged_below - overview.FILTERED_ZOOMS
    if tile.scale_zoom < least:
        first = matrix.levels(tile.matrix_set, least, layer.tiles.max_zoom)[0]
        raise BadParameter(
            "filter",
            f"tiles of {layer.id} at zoom {tile.zoom} show merged areas of all of it",
            [f"from zoom {first} on"],
        )


def levels(layer: Layer, matrix_set: str) -> range:
    """The levels of a matrix set at which a layer has tiles."""
    if layer.tiles is None:
        raise NotFound(f"{layer.id} has no tiles")
    return matrix.levels(matrix_set, layer.tiles.min_zoom, layer.tiles.max_zoom)


def require_level(layer: Layer, tile: TileAddress) -> None:
    """Raise NotFound, with those it has, where a layer has no tiles at a level."""
    has = levels(layer, tile.matrix_set)
    if tile.zoom not in has:
        raise NotFound(f"{layer.id} has tiles in {tile.matrix_set} from zoom {has[0]} to {has[-1]}")


def require_matrix_set(identifier: str) -> None:
    """Raise NotFound unless this tile matrix set is served."""
    if identifier not in matrix.SERVED:
        raise NotFound(f"there is no tile matrix set {identifier!r}; there are: {', '.join(matrix.SERVED)}")


def address(request: Request) -> TileAddress:
    """The tile that the path names. Raises NotFound where the matrix has none, BadParameter for what is no number."""
    path = request.path_params
    zoom, row, column = (
        parameters.whole_number(name, path[name], 0, 0, 2**31) for name in ("tileMatrix", "tileRow", "tileCol")
    )
    return tile_of(path["tileMatrixSetId"], zoom, row, column)


def tile_of(matrix_set: str, zoom: int, row: int, column: int) -> TileAddress:
    """A tile of a matrix set. Raises NotFound with the sets, levels, rows or columns that there are."""
    require_matrix_set(matrix_set)
    found = TileAddress(matrix_set, zoom, row, column)
    try:
        matrix.box(found)
    except IndexError as error:
        raise NotFound(str(error)) from error
    return found
