"""OGC API - Maps: pictures of any box, in any served CRS and size, of one layer or of several.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from functools import partial

import numpy as np
from PIL import ImageColor
from pyproj import Transformer
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import City, Layer
from shikong.providers import crs as crs_rules
from shikong.providers.crs import ServedCrs
from shikong.providers.errors import BadParameter, CollectionNotFound
from shikong.server import asked, map_page, parameters, pictures
from shikong.server.context import Context
from shikong.server.formats.table import PICTURES, wanted
from shikong.server.pictures import Styled
from shikong.store.tables import SRID
from shikong.tiles import paint
from shikong.tiles.frame import Box, Frame
from shikong.tiles.matrix import TileBox

#: Pixels along a side, and in all, that one picture may have; and its width where nothing is said.
MAX_SIDE, MAX_PIXELS, WIDTH = 4096, 16_777_216, 800

#: Layers on one picture.
MAX_LAYERS = 20


async def get_map(context: Context, request: Request, layer: Layer) -> Response:
    """A picture of a layer. Raises BadParameter, NotFound."""
    given, style = request.query_params, request.path_params.get("styleId")
    (asked.MAP if style is None else asked.STYLED_MAP).check(given)
    pictures.require_style(layer, style or pictures.DEFAULT)
    return await _picture(context, request, [pictures.styled(layer, style or given.get("style"))])


async def get_map_of_layers(context: Context, request: Request) -> Response:
    """A picture of several layers, the first below, or the map page. Raises BadParameter, CollectionNotFound."""
    if map_page.is_wanted(request):
        return await map_page.get_map_page(context, request)
    given, known = request.query_params, context.catalog.layers
    asked.MAP_OF_LAYERS.check(given)
    drawable = [layer.id for layer in context.catalog if layer.tiles is not None]
    names = [name.strip() for name in given.get("collections", "").split(",") if name.strip()]
    if not 0 < len(names) <= MAX_LAYERS:
        raise BadParameter("collections", f"{len(names)} are named; one to {MAX_LAYERS} are drawn", drawable)
    for name in names:
        if name not in known:
            raise CollectionNotFound(name, known)
        if name not in drawable:
            raise BadParameter("collections", f"{name} is not drawn", drawable)
    return await _picture(context, request, [pictures.styled(known[name], None) for name in names])


async def _picture(context: Context, request: Request, drawn: list[Styled]) -> Response:
    given, city = request.query_params, context.catalog.city
    form, moment = wanted(request, PICTURES), parameters.moment(given, city)
    background = _background(given)
    crs = crs_rules.parse("crs", given.get("crs"), city.crs)
    frame = _frame(given, city, crs, _extent(context, drawn))
    for each in drawn:
        pictures.require_form(each, form)
    context.metadata.refresh_if_due()
    headers = {"Content-Crs": f"<{crs.uri}>", "Content-Bbox": _told(frame.box, crs)}
    if len(drawn) == 1:
        headers |= context.caching.tagged(request, drawn[0].layer, moment, form, keep=pictures.FRESH)
        if await context.caching.unchanged(request, drawn[0].layer, headers.get("ETag")):
            return Response(status_code=304, headers=headers)
    if "f" not in given:
        headers["Vary"] = "Accept"
    picture = None
    for each in drawn:
        # As tiles, a layer is not drawn at scales at which there is too much of it.
        assert each.layer.tiles is not None
        if round(frame.zoom, 6) < each.layer.tiles.min_zoom:
            continue
        shown = await pictures.show(context, each, frame, moment)
        if shown is not None:
            picture = shown if picture is None else await pictures.in_thread(partial(paint.over, picture, shown))
    if picture is None:
        picture = pictures.nothing(drawn[0], frame.width, frame.height)
    exact = not any(each.photographic for each in drawn)
    written = partial(paint.file, picture, form.name, exact=exact, background=background)
    return Response(await pictures.in_thread(written), media_type=form.media_type, headers=headers)


def _extent(context: Context, drawn: list[Styled]) -> Box:
    """The box of what is drawn: that of the one layer's release, or else the city's."""
    release = context.metadata.releases.get(drawn[0].layer.id)
    if len(drawn) > 1 or release is None or not release.extent:
        return context.catalog.city.bbox
    west, south, east, north = release.extent
    return west, south, east, north


def _frame(given: QueryParams, city: City, crs: ServedCrs, extent: Box) -> Frame:
    """The box that is asked for, in the CRS that is asked for, and the size. Raises BadParameter."""
    box_crs = crs_rules.parse("bbox-crs", given.get("bbox-crs"), city.crs)
    if "bbox-crs" in given and "bbox" not in given:
        raise BadParameter("bbox-crs", "is given without bbox", ["bbox"])
    asked_for = parameters.bbox(given.get("bbox"), box_crs)
    if asked_for is not None and box_crs == crs and not crs.same_as_storage:  # numbers stay as they are
        numbers = [float(part) for part in given["bbox"].split(",")]
        first, second, third, fourth = numbers if len(numbers) == 4 else [*numbers[:2], *numbers[3:5]]
        west, south, east, north = (second, first, fourth, third) if crs.swapped else (first, second, third, fourth)
    else:
        west, south, east, north = _moved(asked_for or extent, crs)
    if not (west < east and south < north):
        raise BadParameter("bbox", "has no area, or lies over the antimeridian", ["a box with some area"])
    width, height = _size(given, (east - west) / (north - south))
    srid = SRID if crs.same_as_storage else crs.srid
    return Frame(TileBox(west, south, east, north, srid), width, height)


def _moved(box: Box, crs: ServedCrs) -> Box:
    """A box of storage in another CRS, x = easting. Raises BadParameter where that has no meaning."""
    if crs.same_as_storage:
        return box
    moved = Transformer.from_crs(SRID, crs.srid, always_xy=True).transform_bounds(*box, densify_pts=21)
    if not np.isfinite(moved).all():
        raise BadParameter("bbox", f"{box} lies outside the area in which {crs.uri} can be used")
    west, south, east, north = moved
    return west, south, east, north


def _size(given: QueryParams, ratio: float) -> tuple[int, int]:
    """Width and height in pixels; where one is not given, pixels are square. ratio: of the box. Raises BadParameter."""
    width, height = (
        parameters.whole_number(name, given[name], 0, 1, MAX_SIDE) if name in given else None
        for name in ("width", "height")
    )
    name = "height" if width is None and height is not None else "width"
    if width is None and height is None:
        width = WIDTH if ratio >= 1 else max(1, round(WIDTH * ratio))
    width = width or max(1, round((height or 1) * ratio))
    height = height or max(1, round(width / ratio))
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadParameter(
            name, f"{width} x {height} pixels are too many; at most {MAX_SIDE} along a side", [f"1 to {MAX_SIDE}"]
        )
    return width, height


def _background(given: QueryParams) -> tuple[int, int, int] | None:
    """`bgcolor` and `transparent`: what shows through; None for nothing. Raises BadParameter."""
    named = given.get("bgcolor")
    clear = parameters.flag("transparent", given["transparent"]) if "transparent" in given else named is None
    if named is None:
        return None if clear else paint.WHITE
    text = f"#{named[2:]}" if named.lower().startswith("0x") else named
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as error:
        allowed = ["0xRRGGBB", "#RRGGBB", "a name of CSS such as white"]
        raise BadParameter("bgcolor", f"{named[:40]!r} is not a colour", allowed) from error
    return None if clear else (red, green, blue)


def _told(box: TileBox, crs: ServedCrs) -> str:
    """A box in the axis order of its CRS."""
    numbers = [box.south, box.west, box.north, box.east] if crs.swapped else [box.west, box.south, box.east, box.north]
    return ",".join(str(round(number, crs.decimals)) for number in numbers)
