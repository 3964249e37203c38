"""Parts of layers in QGIS's files: coordinate systems, metadata, fields, and how vector tiles are drawn.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from functools import cache
from xml.etree import ElementTree as ET

from pyproj import CRS

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.symbols import Symbol, symbols
from shikong.tiles.styles import drawing, qml
from shikong.tiles.styles.drawing import Language


def add_system(parent: ET.Element, authority: str) -> None:
    """A coordinate reference system by its name, such as EPSG:4490; QGIS knows none by the name alone."""
    described = ET.SubElement(parent, "spatialrefsys")
    ET.SubElement(described, "wkt").text = _wkt(authority)
    ET.SubElement(described, "authid").text = authority


@cache
def _wkt(authority: str) -> str:
    return str(CRS.from_user_input(authority).to_wkt())


def add_metadata(parent: ET.Element, catalog: Catalog, layer: Layer, url: str, language: Language) -> None:
    """What a layer is about and who answers for it."""
    address = f"{url}/collections/{layer.id}"
    told = ET.SubElement(parent, "resourceMetadata")
    for name, value in (("identifier", address), ("type", "dataset"), ("title", getattr(layer.title, language)),
                        ("abstract", getattr(layer.description, language))):  # fmt: skip
        ET.SubElement(told, name).text = value
    keywords = ET.SubElement(told, "keywords", {"vocabulary": "gmd:descriptiveKeywords"})
    for word in layer.keywords:
        ET.SubElement(keywords, "keyword").text = word
    contact = ET.SubElement(told, "contact")
    for name, value in (("name", ""), ("organization", layer.steward), ("email", catalog.city.contact),
                        ("role", "custodian")):  # fmt: skip
        ET.SubElement(contact, name).text = value
    links = ET.SubElement(told, "links")
    ET.SubElement(links, "link", {
        "name": layer.id, "type": "WWW:LINK", "url": f"{address}?f=html", "description": "", "format": "",
        "mimeType": "text/html", "size": "",
    })  # fmt: skip


def add_fields(parent: ET.Element, catalog: Catalog, layer: Layer, language: Language) -> None:
    """What attributes are called, and what codes mean, in tables and forms."""
    configured = ET.SubElement(parent, "fieldConfiguration")
    aliases = ET.SubElement(parent, "aliases")
    for number, (name, field) in enumerate(layer.fields.items()):
        ET.SubElement(aliases, "alias", {"field": name, "index": str(number), "name": getattr(field.title, language)})
        if field.codes is None:
            continue
        widget = ET.SubElement(ET.SubElement(configured, "field", {"name": name}), "editWidget", {"type": "ValueMap"})
        config = ET.SubElement(ET.SubElement(widget, "config"), "Option", {"type": "Map"})
        listed = ET.SubElement(config, "Option", {"type": "List", "name": "map"})
        for code, entry in catalog.codes[field.codes].codes.items():
            pair = ET.SubElement(listed, "Option", {"type": "Map"})
            meaning = f"{code} {getattr(entry.title, language)}"
            ET.SubElement(pair, "Option", {"type": "QString", "name": meaning, "value": code})


def add_tile_drawing(parent: ET.Element, catalog: Catalog, layer: Layer, language: Language) -> None:
    """Renderer and labels of a layer of vector tiles: a style for each code, and one for all others."""
    style = layer.style
    assert style is not None
    found = symbols(catalog, layer)
    styles = ET.SubElement(ET.SubElement(parent, "renderer", {"type": "basic"}), "styles")
    for symbol in found:
        title = qml.title(layer, symbol, language)
        described = _style(styles, layer, title, _condition(style.by, symbol, found))
        qml.add_symbol(ET.SubElement(described, "symbols"), layer, symbol.color, "0")
    if style.label:
        labels = ET.SubElement(ET.SubElement(parent, "labeling", {"type": "basic"}), "styles")
        name = getattr(layer.fields[style.label.field].title, language)
        qml.add_label(_style(labels, layer, name, ""), layer, style.label)


def _style(parent: ET.Element, layer: Layer, name: str, condition: str) -> ET.Element:
    return ET.SubElement(parent, "style", {
        "name": name, "layer": layer.id, "geometry": qml.GEOMETRIES[drawing.shape(layer)], "enabled": "1",
        "expression": condition, "min-zoom": "-1", "max-zoom": "-1",
    })  # fmt: skip


def _condition(field: str | None, symbol: Symbol, among: list[Symbol]) -> str:
    """Which features of a tile a symbol stands for, as an expression of QGIS."""
    if field is None:
        return ""
    if symbol.value is not None:
        return f"\"{field}\" = '{symbol.value}'"
    coded = ", ".join(f"'{each.value}'" for each in among if each.value is not None)
    return f'coalesce("{field}" NOT IN ({coded}), true)'
