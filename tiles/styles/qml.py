"""Styles as QGIS keeps them (.qml), and their parts, of which project files are made too.

QGIS 3.20 and later read them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.styles import LabelDecl, StyleDecl
from shikong.layers.symbols import Symbol, symbols
from shikong.tiles.styles import drawing
from shikong.tiles.styles.drawing import Language, Shape

MEDIA_TYPE = "application/x-qgis-layer-settings"

#: The version whose files these are.
VERSION = "3.22.16"

#: QGIS's numbers of kinds of geometry.
GEOMETRIES: dict[Shape, str] = {"point": "0", "line": "1", "area": "2"}

#: QGIS's numbers of places of labels: around a point, along a line, level inside an area.
_PLACES: dict[Shape, str] = {"point": "6", "line": "3", "area": "4"}

#: A point of type in pixels of 0.28 mm.
_POINT = 25.4 / 72 / drawing.PIXEL


def of_layer(catalog: Catalog, layer: Layer, language: Language) -> bytes:
    """The style of a layer of features as a .qml file. language: of titles."""
    root = ET.Element("qgis", {
        "version": VERSION, "styleCategories": "Symbology|Labeling|Rendering", **scales(layer),
        "labelsEnabled": "1" if layer.style and layer.style.label else "0",
    })  # fmt: skip
    add_drawing(root, catalog, layer, language)
    ET.SubElement(root, "layerGeometryType").text = GEOMETRIES[drawing.shape(layer)]
    ET.indent(root)
    whole: bytes = ET.tostring(root, encoding="utf-8")
    return b"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + whole


def scales(layer: Layer) -> dict[str, str]:
    """Attributes for the scales at which a layer is drawn."""
    return {"hasScaleBasedVisibilityFlag": "1", "minScale": f"{drawing.farthest(layer):.0f}", "maxScale": "0"}


def add_drawing(parent: ET.Element, catalog: Catalog, layer: Layer, language: Language) -> None:
    """Renderer and labels of a layer of features."""
    style = layer.style
    assert style is not None
    found = symbols(catalog, layer)
    kind = {"type": "categorizedSymbol", "attr": style.by} if style.by else {"type": "singleSymbol"}
    renderer = ET.SubElement(parent, "renderer-v2", kind | {"enableorderby": "0", "forceraster": "0"})
    if style.by:
        categories = ET.SubElement(renderer, "categories")
        for number, symbol in enumerate(found):
            ET.SubElement(categories, "category", {
                "value": symbol.value or "", "symbol": str(number), "label": title(layer, symbol, language),
                "render": "true", "type": "string",
            })  # fmt: skip
    drawn = ET.SubElement(renderer, "symbols")
    for number, symbol in enumerate(found):
        add_symbol(drawn, layer, symbol.color, str(number))
    if style.label:
        labeling = ET.SubElement(parent, "labeling", {"type": "simple"})
        add_label(labeling, layer, style.label)
    ET.SubElement(parent, "layerOpacity").text = "1"


def title(layer: Layer, symbol: Symbol, language: Language) -> str:
    """What a symbol is called in lists of symbols."""
    others = layer.style is not None and layer.style.by is not None and symbol.value is None
    return str(getattr(drawing.OTHERS if others else symbol.title, language))


def add_symbol(parent: ET.Element, layer: Layer, color: str, name: str) -> None:
    """A symbol in this colour; the rest is as the layer declares it."""
    style = layer.style
    assert style is not None
    shape = drawing.shape(layer)
    kind = {"point": "marker", "line": "line", "area": "fill"}[shape]
    symbol = ET.SubElement(
        parent, "symbol", {"type": kind, "name": name, "alpha": "1", "clip_to_extent": "1", "force_rhr": "0"}
    )
    described = {"point": ("SimpleMarker", _marker), "line": ("SimpleLine", _line), "area": ("SimpleFill", _fill)}
    name_of_class, options = described[shape]
    part = ET.SubElement(symbol, "layer", {"class": name_of_class, "enabled": "1", "locked": "0", "pass": "0"})
    values = ET.SubElement(part, "Option", {"type": "Map"})
    for key, value in options(style, color).items():
        ET.SubElement(values, "Option", {"type": "QString", "name": key, "value": value})


def _rgba(color: str, opacity: float = 1.0) -> str:
    red, green, blue = bytes.fromhex(color[1:])
    return f"{red},{green},{blue},{round(opacity * 255)}"


def _mm(pixels: float) -> str:
    return f"{pixels * drawing.PIXEL:.3g}"


def _outline(style: StyleDecl) -> dict[str, str]:
    if style.outline is None:
        return {"outline_style": "no"}
    return {
        "outline_style": "solid", "outline_color": _rgba(style.outline), "outline_width": _mm(style.width),
        "outline_width_unit": "MM", "joinstyle": "round",
    }  # fmt: skip


def _fill(style: StyleDecl, color: str) -> dict[str, str]:
    return {"color": _rgba(color, style.opacity), "style": "solid"} | _outline(style)


def _marker(style: StyleDecl, color: str) -> dict[str, str]:
    size = {"size": _mm(2 * style.radius), "size_unit": "MM", "scale_method": "diameter"}
    return {"name": "circle", "color": _rgba(color)} | size | _outline(style)


def _line(style: StyleDecl, color: str) -> dict[str, str]:
    return {
        "line_color": _rgba(color), "line_style": "solid", "line_width": _mm(style.width), "line_width_unit": "MM",
        "capstyle": "round", "joinstyle": "round",
    }  # fmt: skip


def add_label(parent: ET.Element, layer: Layer, label: LabelDecl) -> None:
    """How labels are written."""
    settings = ET.SubElement(parent, "settings", {"calloutType": "simple"})
    text = ET.SubElement(settings, "text-style", {
        "fieldName": label.field, "isExpression": "0", "fontFamily": "Noto Sans CJK SC", "namedStyle": "Regular",
        "fontSize": f"{drawing.LETTERS / _POINT:.1f}", "fontSizeUnit": "Point", "textColor": _rgba(drawing.INK),
        "textOpacity": "1", "fontWeight": "50",
    })  # fmt: skip
    families = ET.SubElement(text, "families")
    for family in ("Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC"):
        ET.SubElement(families, "family", {"name": family})
    ET.SubElement(text, "text-buffer", {
        "bufferDraw": "1", "bufferSize": _mm(1.5), "bufferSizeUnits": "MM", "bufferColor": _rgba(drawing.HALO),
        "bufferOpacity": "1", "bufferNoFill": "1", "bufferJoinStyle": "128",
    })  # fmt: skip
    ET.SubElement(settings, "text-format", {"multilineAlign": "3", "wrapChar": ""})
    shape = drawing.shape(layer)
    ET.SubElement(settings, "placement", {
        "placement": _PLACES[shape], "placementFlags": "10", "polygonPlacementFlags": "2", "priority": "5",
        "centroidWhole": "1", "dist": "0", "distUnits": "MM", "offsetType": "1",
        "predefinedPositionOrder": "BSR,TSR,R,L,BR,BL", "layerType": "UnknownGeometry",
    })  # fmt: skip
    nearest, farthest = drawing.scales(label)
    ET.SubElement(settings, "rendering", {
        "scaleVisibility": "1", "scaleMax": f"{farthest:.0f}", "scaleMin": f"{nearest:.0f}",
        "drawLabels": "1", "obstacle": "1", "mergeLines": "1" if shape == "line" else "0", "fontMaxPixelSize": "10000",
        "maxNumLabels": "2000",
    })  # fmt: skip
