"""Features as a picture: a vector tile drawn in the layer's style, without labels.

resvg draws SVG, and holds Python's lock while it does. So much is drawn in parts, laid over each other, that the
server answers others in between. Features are put in an order of their own, because the database gives them in any:
the same features are the same picture.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pyogrio
import resvg_py
import shapely
from numpy.typing import NDArray
from PIL import Image

from shikong.layers.model import Layer
from shikong.layers.styles import StyleDecl
from shikong.layers.symbols import Symbol
from shikong.store.moments import Moment
from shikong.tiles import cut, paint
from shikong.tiles.frame import TILE_SIZE, Frame
from shikong.tiles.matrix import BUFFER, EXTENT, TileBox
from shikong.tiles.paint import Picture

#: Units of a vector tile to a pixel.
UNITS = EXTENT // TILE_SIZE

#: Characters of SVG that are drawn at once: about 20 ms.
_PART = 100_000

#: Points that are drawn at once.
_DOTS = 2000

Shapes = NDArray[np.object_]

_OPENED, _CLOSED = re.compile(r"[A-Z ]*\(+"), re.compile(r"\)+,?")


def reach(layer: Layer) -> int:
    """How far beyond its own place a feature is drawn, in pixels."""
    style = layer.style
    assert style is not None
    return math.ceil(style.radius + style.width if layer.geometry in ("Point", "MultiPoint") else style.width)


def asked(layer: Layer, frame: Frame, moment: Moment) -> tuple[bytes, dict[str, Any], int]:
    """SQL and parameters for what a frame shows of a layer, as one vector tile from its upper left corner on, and the
    tile's extent."""
    box, side = frame.box, max(frame.width, frame.height)
    x, y = frame.pixel
    whole = TileBox(box.west, box.north - side * y, box.west + side * x, box.north, box.srid)
    extent = side * UNITS
    buffer = max(BUFFER, reach(layer) * UNITS)
    condition, values = cut.drawn_at(layer, frame.zoom)
    query, params = cut.tile(layer, whole, condition, moment, shown=box, extent=extent, buffer=buffer)
    return query, params | values, extent


def draw(
    tile: bytes,
    layer: Layer,
    symbols: list[Symbol],
    width: int = TILE_SIZE,
    height: int = TILE_SIZE,
    extent: int = EXTENT,
) -> Picture:
    """A vector tile of a layer as a picture whose upper left corner is that of the tile.

    symbols: of the layer (layers/symbols.py), the first is drawn last. extent: of the tile, with UNITS to a pixel.
    """
    style = layer.style
    assert style is not None
    columns = [style.by] if style.by else []
    # Cut at its edge, an outline would be drawn along it, and points beyond it would lack their part in the tile.
    table = pyogrio.read_arrow(tile, layer=layer.id, columns=columns, CLIP="NO")[1]
    shapes = shapely.from_wkb(np.array(table["wkb_geometry"].to_pylist(), dtype=object))
    known = style.by in table.column_names  # a tile has no column in which all values are missing
    codes = np.array(table[style.by].to_pylist() if known else [None] * len(shapes), dtype=object).astype(str)
    colours = {symbol.value: symbol.color for symbol in reversed(symbols)}
    others = ~np.isin(codes, [value for value in colours if value is not None])
    parts = (
        part
        for value, colour in colours.items()
        for part in _parts(shapes[others if value is None else codes == value], style, colour)
    )
    picture = paint.clear(width, height)
    for svg in _together(parts):
        framed = _FRAME.format(width=width, height=height, w=width * UNITS, h=height * UNITS, top=extent, parts=svg)
        png = resvg_py.svg_to_bytes(svg_string=framed, skip_system_fonts=True)
        picture = paint.over(picture, np.asarray(Image.open(BytesIO(png))))
    return picture


def _together(parts: Iterator[str]) -> Iterator[str]:
    """Parts joined into pieces that are drawn at once."""
    held: list[str] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held)) > _PART:
            yield "".join(held)
            held.clear()
    if held:
        yield "".join(held)


# Rows of what was read from the tile count from below.
_FRAME = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {w} {h}">'
    '<g transform="matrix(1 0 0 -1 0 {top})">{parts}</g></svg>'
)


def _parts(shapes: Shapes, style: StyleDecl, colour: str) -> Iterator[str]:
    """Features of one colour as SVG, in pieces that are drawn one after another."""
    for dimension, elements in ((2, _areas), (1, _lines), (0, _points)):
        chosen = shapes[shapely.get_dimensions(shapes) == dimension]
        yield from elements(chosen, style, colour)


def _areas(shapes: Shapes, style: StyleDecl, colour: str) -> Iterator[str]:
    """One path for many areas of a colour.

    Where two colours meet, both cover the pixels of the edge in part, and the ground would shine through. So opaque
    areas have the pixels below them that they hold the middle of.
    """
    outline = (
        f'stroke="{style.outline}" stroke-width="{style.width * UNITS}" stroke-linejoin="round"'
        if style.outline
        else ""
    )
    for text in _pieces(shapes):
        rings = _CLOSED.sub("Z", text)
        if style.opacity == 1:
            yield f'<path fill="{colour}" shape-rendering="crispEdges" d="{rings}"/>'
        yield f'<path fill="{colour}" fill-opacity="{style.opacity}" {outline} d="{rings}"/>'


def _lines(shapes: Shapes, style: StyleDecl, colour: str) -> Iterator[str]:
    for text in _pieces(shapes):
        yield (
            f'<path fill="none" stroke="{colour}" stroke-width="{style.width * UNITS}" stroke-linejoin="round" '
            f'stroke-linecap="round" d="{_CLOSED.sub("", text)}"/>'
        )


def _points(shapes: Shapes, style: StyleDecl, colour: str) -> Iterator[str]:
    outline = f'stroke="{style.outline}" stroke-width="{style.width * UNITS}"' if style.outline else ""
    places = shapely.get_coordinates(shapes)
    places = places[np.lexsort((places[:, 0], -places[:, 1]))]  # what lies further south lies on top
    dots = [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{style.radius * UNITS}"/>' for x, y in places]
    for start in range(0, len(dots), _DOTS):
        yield f'<g fill="{colour}" {outline}>{"".join(dots[start : start + _DOTS])}</g>'


def _pieces(shapes: Shapes) -> Iterator[str]:
    """Coordinates as paths, `M` before each line or ring, and brackets still behind it."""
    texts = np.sort(shapely.to_wkt(shapes, rounding_precision=0, trim=True))
    ends = np.cumsum([len(text) for text in texts], dtype=int) // _PART
    for number in np.unique(ends):
        yield _OPENED.sub("M", " ".join(texts[ends == number])).replace(", ", " ")
