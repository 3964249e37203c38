"""Styles as OGC Styled Layer Descriptor 1.0 (02-070): a rule for each code, with its title, and one for all others.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.styles import StyleDecl
from shikong.layers.symbols import Symbol, symbols
from shikong.tiles.styles import drawing
from shikong.tiles.styles.drawing import Language

MEDIA_TYPE = "application/vnd.ogc.sld+xml;version=1.0"

_SLD, _OGC = "http://www.opengis.net/sld", "http://www.opengis.net/ogc"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = f"{_SLD} http://schemas.opengis.net/sld/1.0.0/StyledLayerDescriptor.xsd"


def of_layer(catalog: Catalog, layer: Layer, language: Language) -> bytes:
    """The style of a layer of features. language: of titles. The order of elements is the schema's."""
    assert layer.style is not None
    root = ET.Element("StyledLayerDescriptor", {
        "version": "1.0.0", "xmlns": _SLD, "xmlns:ogc": _OGC, "xmlns:xsi": _XSI, "xsi:schemaLocation": _SCHEMA,
    })  # fmt: skip
    named = ET.SubElement(root, "NamedLayer")
    ET.SubElement(named, "Name").text = layer.id
    style = ET.SubElement(named, "UserStyle")
    ET.SubElement(style, "Name").text = layer.id
    ET.SubElement(style, "Title").text = getattr(layer.title, language)
    ET.SubElement(style, "Abstract").text = getattr(layer.description, language)
    drawn = _features(style, layer)
    for symbol in symbols(catalog, layer):
        _rule(drawn, layer, symbol, language)
    if layer.style.label:
        # Apart from the others: the rule for all others holds where no rule beside it does.
        rule = ET.SubElement(_features(style, layer), "Rule")
        _name(rule, "label", getattr(layer.fields[layer.style.label.field].title, language))
        nearest, farthest = drawing.scales(layer.style.label)
        ET.SubElement(rule, "MinScaleDenominator").text = f"{nearest:.0f}"
        ET.SubElement(rule, "MaxScaleDenominator").text = f"{farthest:.0f}"
        _label(rule, layer, layer.style.label.field)
    ET.indent(root)
    whole: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return whole


def _features(style: ET.Element, layer: Layer) -> ET.Element:
    drawn = ET.SubElement(style, "FeatureTypeStyle")
    ET.SubElement(drawn, "FeatureTypeName").text = layer.id
    return drawn


def _name(rule: ET.Element, name: str, title: str) -> None:
    ET.SubElement(rule, "Name").text = name
    ET.SubElement(rule, "Title").text = title


def _rule(drawn: ET.Element, layer: Layer, symbol: Symbol, language: Language) -> None:
    style = layer.style
    assert style is not None
    rule = ET.SubElement(drawn, "Rule")
    if style.by is None:
        _name(rule, layer.id, getattr(symbol.title, language))
    elif symbol.value is None:
        _name(rule, "others", getattr(drawing.OTHERS, language))
        ET.SubElement(rule, "ElseFilter")
    else:
        _name(rule, symbol.value, getattr(symbol.title, language))
        equal = ET.SubElement(ET.SubElement(rule, "ogc:Filter"), "ogc:PropertyIsEqualTo")
        ET.SubElement(equal, "ogc:PropertyName").text = style.by
        ET.SubElement(equal, "ogc:Literal").text = symbol.value
    ET.SubElement(rule, "MaxScaleDenominator").text = f"{drawing.farthest(layer):.0f}"
    {"area": _area, "line": _line, "point": _point}[drawing.shape(layer)](rule, style, symbol.color)


def _paint(parent: ET.Element, kind: str, **values: str) -> None:
    """`Fill`, `Stroke` or `Font`, with its parameters."""
    element = ET.SubElement(parent, kind)
    for name, value in values.items():
        ET.SubElement(element, "CssParameter", {"name": name.replace("_", "-")}).text = value


def _area(rule: ET.Element, style: StyleDecl, color: str) -> None:
    symbolizer = ET.SubElement(rule, "PolygonSymbolizer")
    _paint(symbolizer, "Fill", fill=color, fill_opacity=f"{style.opacity:g}")
    if style.outline:
        _paint(symbolizer, "Stroke", stroke=style.outline, stroke_width=f"{style.width:g}")


def _line(rule: ET.Element, style: StyleDecl, color: str) -> None:
    round_ = {"stroke_linejoin": "round", "stroke_linecap": "round"}
    _paint(ET.SubElement(rule, "LineSymbolizer"), "Stroke", stroke=color, stroke_width=f"{style.width:g}", **round_)


def _point(rule: ET.Element, style: StyleDecl, color: str) -> None:
    graphic = ET.SubElement(ET.SubElement(rule, "PointSymbolizer"), "Graphic")
    mark = ET.SubElement(graphic, "Mark")
    ET.SubElement(mark, "WellKnownName").text = "circle"
    _paint(mark, "Fill", fill=color)
    if style.outline:
        _paint(mark, "Stroke", stroke=style.outline, stroke_width=f"{style.width:g}")
    ET.SubElement(graphic, "Size").text = f"{style.radius * 2:g}"


def _label(rule: ET.Element, layer: Layer, field: str) -> None:
    assert layer.style is not None
    symbolizer = ET.SubElement(rule, "TextSymbolizer")
    ET.SubElement(ET.SubElement(symbolizer, "Label"), "ogc:PropertyName").text = field
    _paint(symbolizer, "Font", font_family="sans-serif", font_size=str(drawing.LETTERS))
    placement = ET.SubElement(symbolizer, "LabelPlacement")
    if drawing.shape(layer) == "line":
        ET.SubElement(ET.SubElement(placement, "LinePlacement"), "PerpendicularOffset").text = "0"
    else:
        below = layer.style.radius + 3 if drawing.shape(layer) == "point" else 0
        point = ET.SubElement(placement, "PointPlacement")
        for kind, axis, x, y in (("AnchorPoint", "AnchorPoint", 0.5, 1 if below else 0.5),
                                 ("Displacement", "Displacement", 0, -below)):  # fmt: skip
            place = ET.SubElement(point, kind)
            ET.SubElement(place, f"{axis}X").text = f"{x:g}"
            ET.SubElement(place, f"{axis}Y").text = f"{y:g}"
    halo = ET.SubElement(symbolizer, "Halo")
    ET.SubElement(halo, "Radius").text = "1.5"
    _paint(halo, "Fill", fill=drawing.HALO)
    _paint(symbolizer, "Fill", fill=drawing.INK)
