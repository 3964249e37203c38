"""Layers as pictures of tiles: vector tiles drawn, rasters and cubes coloured.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.layers.symbols import symbols
from shikong.providers.errors import BadParameter, NotFound
from shikong.server import parameters
from shikong.server import tiles as tile_block
from shikong.server.asked import MAP_TILE, STYLED_MAP_TILE
from shikong.server.context import Context
from shikong.server.formats.table import PICTURES, Format, wanted
from shikong.server.tile_answers import Variant
from shikong.store import places
from shikong.store.moments import Moment
from shikong.tiles import drawing, matrix, mosaic, paint
from shikong.tiles import picture as painted
from shikong.tiles.frame import TILE_SIZE, Frame
from shikong.tiles.matrix import TileAddress
from shikong.tiles.paint import Picture

T = TypeVar("T")

#: The style of features. Of rasters it means the first one.
DEFAULT = "default"

#: How long caches may keep a whole map that can change.
FRESH = "max-age=60"

_DRAWING = CapacityLimiter(os.cpu_count() or 2)


@dataclass(frozen=True)
class Styled:
    """A layer in one of its styles."""

    layer: Layer
    style: str

    @property
    def photographic(self) -> bool:
        """Whether it is a photograph, which is kept smaller with some loss."""
        return self.layer.kind != "features" and self.layer.styles[self.style].bands is not None

    @property
    def coded(self) -> bool:
        """Whether its colours stand for numbers, which nothing may change."""
        return self.layer.kind != "features" and self.layer.styles[self.style].encoding is not None


def styles(layer: Layer) -> tuple[str, ...]:
    """The styles in which a layer can be drawn, the usual one first."""
    return (DEFAULT,) if layer.kind == "features" else tuple(layer.styles)


def styled(layer: Layer, style: str | None) -> Styled:
    """A layer in the style of a name, or in its first. Raises BadParameter."""
    known = styles(layer)
    if style is None or style == DEFAULT:
        return Styled(layer, known[0])
    if style not in known:
        raise BadParameter("style", f"{style[:40]!r} is not a style of {layer.id}", known)
    return Styled(layer, style)


def require_style(layer: Layer, style: str) -> None:
    """Raise NotFound, with those it has, where an address names a style that a layer has not."""
    if style not in (DEFAULT, *styles(layer)):
        raise NotFound(f"{layer.id} has no style {style!r}; it has {', '.join(styles(layer))}")


def formats(drawn: Styled) -> tuple[str, ...]:
    """The formats that a style is given in. JPEG would change heights that are told as colours."""
    return tuple(name for name in PICTURES if not (drawn.coded and name == "jpeg"))


def require_form(drawn: Styled, form: Format) -> None:
    """Raise BadParameter where a style is not given in a format."""
    if form.name not in formats(drawn):
        raise BadParameter("f", f"{drawn.style} is not given as {form.title}", formats(drawn))


async def get_tile(context: Context, request: Request, layer: Layer) -> Response:
    """One tile of a layer as a picture. Raises BadParameter, NotFound."""
    given, path = request.query_params, request.path_params
    (STYLED_MAP_TILE if "styleId" in path else MAP_TILE).check(given)
    tile = tile_block.address(request)
    tile_block.require_level(layer, tile)
    require_style(layer, path.get("styleId", DEFAULT))
    drawn = styled(layer, path.get("styleId", given.get("style")))
    form = wanted(request, PICTURES)
    moment = parameters.moment(given, context.catalog.city)
    return await answer(context, request, drawn, tile, moment, form, negotiated="f" not in given)


async def answer(
    context: Context, request: Request, drawn: Styled, tile: TileAddress, moment: Moment, form: Format,
    *, negotiated: bool = False,
) -> Response:  # fmt: skip
    """A tile, a clear one where nothing is, with what caches may do with it; 304 for what the client has.

    negotiated: whether the Accept header has chosen the format.
    """
    require_form(drawn, form)
    context.metadata.refresh_if_due()

    async def make() -> bytes:
        return await picture(context, drawn, tile, moment, form) or blank(drawn, form)

    margin = drawing.reach(drawn.layer) / TILE_SIZE if drawn.layer.kind == "features" else 0
    variant = Variant(form, drawn.style, margin)
    response = await context.tiles.answer(request, [drawn.layer], tile, moment, variant, lambda _: make)
    if negotiated:
        response.headers["Vary"] = "Accept"
    return response


async def picture(context: Context, drawn: Styled, tile: TileAddress, moment: Moment, form: Format) -> bytes | None:
    """A tile as a file of a picture; None where nothing is, and `blank` stands in for it.

    Raises PictureError for a time that a cube has not, and StoreError.
    """
    if drawn.layer.geometry not in (None, "Point", "MultiPoint"):
        shown = await _show_tile(context, drawn.layer, tile, moment)
    else:  # points reach further beyond a tile's edge than its vector tile has them
        shown = await show(context, drawn, Frame(matrix.box(tile)), moment)
    if shown is None:
        return None
    return await in_thread(partial(paint.file, shown, form.name, exact=not drawn.photographic))


@lru_cache(maxsize=256)
def blank(drawn: Styled, form: Format) -> bytes:
    """A tile of nothing."""
    return paint.file(nothing(drawn, TILE_SIZE, TILE_SIZE), form.name, exact=True)


def nothing(drawn: Styled, width: int, height: int) -> Picture:
    """What a layer looks like where nothing of it is."""
    return painted.blank(drawn.layer, drawn.style, width, height)


async def show(context: Context, drawn: Styled, frame: Frame, moment: Moment) -> Picture | None:
    """A layer in a style, as a frame shows it; None where nothing of it is there."""
    layer = drawn.layer
    if layer.kind == "features":
        assert layer.tiles is not None
        if layer.tiles.merged_below and frame.zoom < layer.tiles.merged_below:
            return await _show_merged(context, layer, frame, moment)
        return await _show_features(context, layer, frame, moment)
    return await in_thread(partial(_show_raster, context, drawn, frame, moment))


def _show_raster(context: Context, drawn: Styled, frame: Frame, moment: Moment) -> Picture | None:
    """In a thread: files are read, and the database may be asked which ones."""
    place = places.at(context.database, drawn.layer, moment.known_at)
    return painted.of_raster(context.catalog, drawn.layer, drawn.style, place, frame, moment.period)


async def _show_features(context: Context, layer: Layer, frame: Frame, moment: Moment) -> Picture | None:
    query, params, extent = drawing.asked(layer, frame, moment)
    rows = await context.database.fetch(query, params, binary=True)
    data: bytes = rows[0][0]
    if not data:
        return None
    drawn = partial(drawing.draw, data, layer, symbols(context.catalog, layer), frame.width, frame.height, extent)
    return await in_thread(drawn)


async def _show_tile(context: Context, layer: Layer, tile: TileAddress, moment: Moment) -> Picture | None:
    """Draw a vector tile."""
    data = await tile_block.make_tile(context, tile, moment, None, layer)()
    if not data:
        return None
    return await in_thread(partial(drawing.draw, data, layer, symbols(context.catalog, layer)))


async def _show_merged(context: Context, layer: Layer, frame: Frame, moment: Moment) -> Picture | None:
    """What tiles with merged areas show: a frame at their scales has too many rows."""
    assert layer.tiles is not None
    assert layer.tiles.merged_below is not None
    zoom = min(max(round(frame.zoom), layer.tiles.min_zoom), layer.tiles.merged_below - 1)
    release = context.metadata.releases.get(layer.id)
    extent = (release and release.extent) or context.catalog.city.bbox
    west, south, east, north = frame.bounds()
    box = (max(west, extent[0]), max(south, extent[1]), min(east, extent[2]), min(north, extent[3]))
    if not (box[0] < box[2] and box[1] < box[3]):
        return None
    drawn: dict[TileAddress, Picture] = {}
    for tile in mosaic.tiles(zoom, box):
        shown = await _show_tile(context, layer, tile, moment)
        drawn[tile] = paint.clear(TILE_SIZE, TILE_SIZE) if shown is None else shown
    return await in_thread(partial(mosaic.brought, drawn, frame))


async def in_thread(work: Callable[[], T]) -> T:
    """Do work beside the event loop, as many at a time as there are processors."""
    return await to_thread.run_sync(work, limiter=_DRAWING)
