"""What all ways to write a style share: which layers are drawn, how they lie upon each other, sizes and scales.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Literal

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer, TilesDecl
from shikong.layers.styles import LabelDecl, RasterStyle
from shikong.layers.symbols import Symbol, palette, symbols
from shikong.tiles import matrix

Language = Literal["zh", "en"]
Shape = Literal["point", "line", "area", "raster"]

#: The pixel in which sizes are declared, in mm (that of OGC's standards).
PIXEL = 0.28

#: Letters of labels and the light around them, on every layer alike.
INK, HALO = "#2B3A42", "#FFFFFF"

#: Height of labels, in pixels.
LETTERS = 12

#: What a value without a colour of its own is called.
OTHERS = Text(zh="其他", en="Other")

_SHAPES: dict[str, Shape] = {"Point": "point", "LineString": "line", "Polygon": "area"}
_FROM_BELOW: tuple[Shape, ...] = ("raster", "area", "line", "point")


def is_drawn(layer: Layer) -> bool:
    """Whether a layer has a style that everyone may see: features with tiles, or a raster with styles."""
    declared = layer.styles if layer.kind in ("coverage", "cube") else layer.style
    return bool(declared) and layer.tiles is not None and layer.access.public


def from_below(catalog: Catalog) -> list[Layer]:
    """The layers that are drawn, the lowest first: rasters, areas, lines, points.

    Of areas those that hide less lie above; of equals those that are not shown at first, for who chooses them wants to
    see them, and then those that are seen only near by.
    """

    def rank(layer: Layer) -> tuple[float, ...]:
        return _FROM_BELOW.index(shape(layer)), -opacity(layer), not layer.shown_at_first, zooms(layer).min_zoom

    return sorted((layer for layer in catalog if is_drawn(layer)), key=rank)


def zooms(layer: Layer) -> TilesDecl:
    """The zoom levels of a layer that is drawn."""
    assert layer.tiles is not None
    return layer.tiles


def shape(layer: Layer) -> Shape:
    """As what a layer is drawn."""
    return _SHAPES[layer.geometry.removeprefix("Multi")] if layer.geometry else "raster"


def opacity(layer: Layer) -> float:
    """How much of what lies below a layer hides, 0 to 1."""
    return layer.style.opacity if layer.style else 1.0


def farthest(layer: Layer) -> float:
    """The scale denominator from which on a layer is drawn: half a level before its tiles begin, as clients round."""
    return matrix.scale(zooms(layer).min_zoom - 0.5)


def scales(label: LabelDecl) -> tuple[float, float]:
    """The scale denominators between which a label is written, the smaller first."""
    return matrix.scale(label.max_zoom + 0.9), matrix.scale(label.min_zoom)


def usual(layer: Layer) -> tuple[str, RasterStyle]:
    """The name and style in which a raster is usually drawn."""
    return next(iter(layer.styles.items()))


def entries(catalog: Catalog, layer: Layer) -> list[Symbol]:
    """What a legend tells: the values of the code list that have a colour, or the one colour of all features."""
    if layer.style is not None:
        found = symbols(catalog, layer)
        return found[:-1] if layer.style.by else found
    return entries_of(catalog, layer, usual(layer)[1])


def entries_of(catalog: Catalog, layer: Layer, style: RasterStyle) -> list[Symbol]:
    """What a legend tells of a raster in a style: the codes of its palette, or the values of its ramp."""
    if style.palette:
        return palette(catalog, layer, style.palette)
    parameter = next(iter(layer.parameters.values()))
    return [
        Symbol(f"{value:g}", Text(zh=f"{value:g} {parameter.unit}", en=f"{value:g} {parameter.unit}"), color)
        for value, color in style.ramp or ()
    ]
