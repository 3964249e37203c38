"""QGIS project (.qgz) and layer definition (.qlr) files: a group for each theme, each layer of features twice.

Its vector tiles are for looking around; below them, switched off and only as near as the tiles, are the features
themselves through OGC API - Features, for attributes, queries and editing. Rasters come as pictures.

The project is in EPSG:4490, in which the data are kept, so that what is read off the map is CGCS2000; QGIS brings the
tiles, which it knows in EPSG:3857 only, there as it draws.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote
from xml.etree import ElementTree as ET

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.tiles.styles import drawing, qgis_layers, qml
from shikong.tiles.styles.drawing import Language

PROJECT_TYPE, DEFINITION_TYPE = "application/x-qgis-project-container", "application/x-qgis-layer-definition"

Way = Literal["tiles", "features", "pictures"]

_PROVIDERS: dict[Way, str] = {"tiles": "vectortile", "features": "OAPIF", "pictures": "wms"}
_FEATURES = Text(zh="要素（属性、查询、编辑）", en="Features (attributes, queries, editing)")
_SYSTEM = "EPSG:4490"


@dataclass(frozen=True)
class _Entry:
    """A layer of QGIS: one of ours in one of the ways to look at it."""

    layer: Layer
    way: Way
    url: str

    @property
    def id(self) -> str:
        return f"{self.layer.id}_{self.way}"

    @property
    def shown(self) -> bool:
        return self.way != "features" and self.layer.shown_at_first

    @property
    def source(self) -> str:
        if self.way == "features":
            return f" pagingEnabled='true' restrictToRequestBBOX='1' typename='{self.layer.id}' url='{self.url}'"
        zooms = drawing.zooms(self.layer)
        part, form = ("tiles", "mvt") if self.way == "tiles" else ("map/tiles", "png")
        address = f"{self.url}/collections/{self.layer.id}/{part}/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f={form}"
        return f"type=xyz&url={quote(address, safe=':/{}?')}&zmin={zooms.min_zoom}&zmax={zooms.max_zoom}"


def project(catalog: Catalog, url: str, themes: Mapping[str, Text], language: Language) -> bytes:
    """The city as a .qgz file. url: the service's address. themes: titles of groups. language: of all names."""
    city = catalog.city
    title = getattr(city.title, language)
    root = ET.Element("qgis", {"version": qml.VERSION, "projectname": title})
    ET.SubElement(root, "title").text = title
    qgis_layers.add_system(ET.SubElement(root, "projectCrs"), _SYSTEM)
    below = drawing.from_below(catalog)
    tree = ET.SubElement(root, "layer-tree-group")
    for theme, named in themes.items():
        _add_group(tree, _of_theme(below, theme), getattr(named, language), url, language)
    order = ET.SubElement(tree, "custom-order", {"enabled": "1"})
    entries = [entry for layer in reversed(below) for entry in _entries(layer, url)]
    for entry in entries:
        ET.SubElement(order, "item").text = entry.id
    layers = ET.SubElement(root, "projectlayers")
    for entry in entries:
        _add_layer(layers, catalog, entry, language)
    _add_view(root, city.bbox)
    # Without this QGIS passes over the project's system.
    enabled = ET.SubElement(ET.SubElement(ET.SubElement(root, "properties"), "SpatialRefSys"), "ProjectionsEnabled")
    enabled.set("type", "int")
    enabled.text = "1"
    metadata = ET.SubElement(root, "projectMetadata")
    for name, value in (("identifier", url), ("type", "dataset"), ("title", title),
                        ("abstract", getattr(city.description, language)),
                        ("author", getattr(city.publisher, language))):  # fmt: skip
        ET.SubElement(metadata, name).text = value
    ET.indent(root)
    file = io.BytesIO()
    # A fixed date: the same declarations give the same file.
    entry_of_file = zipfile.ZipInfo(f"{city.id}.qgs", (2020, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry_of_file, _document(root, "qgis"), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def definition(catalog: Catalog, url: str, theme: str, title: str, language: Language) -> bytes:
    """The layers of a theme as a .qlr file, to be added to any project. title: of their group."""
    layers = _of_theme(drawing.from_below(catalog), theme)
    root = ET.Element("qlr")
    _add_group(ET.SubElement(root, "layer-tree-group", {"name": ""}), layers, title, url, language)
    described = ET.SubElement(root, "maplayers")
    for layer in layers:
        for entry in _entries(layer, url):
            _add_layer(described, catalog, entry, language)
    ET.indent(root)
    return _document(root, "qgis-layer-definition")


def _document(root: ET.Element, kind: str) -> bytes:
    whole: bytes = ET.tostring(root, encoding="utf-8")
    return f"<!DOCTYPE {kind}>\n".encode() + whole


def _of_theme(below: list[Layer], theme: str) -> list[Layer]:
    """The layers of a theme, the highest first."""
    return [layer for layer in reversed(below) if layer.theme == theme]


def _entries(layer: Layer, url: str) -> list[_Entry]:
    if layer.style is None:
        return [_Entry(layer, "pictures", url)]
    return [_Entry(layer, "tiles", url), _Entry(layer, "features", url)]


def _add_group(tree: ET.Element, layers: list[Layer], title: str, url: str, language: Language) -> None:
    """A group with what is looked at, and one in it with the features."""
    if not layers:
        return
    entries = [entry for layer in layers for entry in _entries(layer, url)]
    group = _group(tree, title, checked=True)
    for entry in entries:
        if entry.way != "features":
            _leaf(group, entry, language)
    features = [entry for entry in entries if entry.way == "features"]
    if features:
        apart = _group(group, getattr(_FEATURES, language), checked=True)
        for entry in features:
            _leaf(apart, entry, language)


def _group(parent: ET.Element, name: str, *, checked: bool) -> ET.Element:
    return ET.SubElement(parent, "layer-tree-group", {"name": name, "checked": _checked(checked), "expanded": "0"})


def _leaf(parent: ET.Element, entry: _Entry, language: Language) -> None:
    ET.SubElement(parent, "layer-tree-layer", {
        "id": entry.id, "name": getattr(entry.layer.title, language), "source": entry.source,
        "providerKey": _PROVIDERS[entry.way], "checked": _checked(entry.shown), "expanded": "0",
    })  # fmt: skip


def _checked(yes: bool) -> str:
    return "Qt::Checked" if yes else "Qt::Unchecked"


def _add_layer(parent: ET.Element, catalog: Catalog, entry: _Entry, language: Language) -> None:
    """A layer in full: where its data are, what they are about, how they are drawn."""
    layer = entry.layer
    attributes = {"type": {"tiles": "vector-tile", "features": "vector", "pictures": "raster"}[entry.way]}
    described = ET.SubElement(parent, "maplayer", attributes | qml.scales(layer))
    ET.SubElement(described, "id").text = entry.id
    ET.SubElement(described, "datasource").text = entry.source
    ET.SubElement(described, "layername").text = getattr(layer.title, language)
    qgis_layers.add_system(ET.SubElement(described, "srs"), "OGC:CRS84" if entry.way == "features" else "EPSG:3857")
    qgis_layers.add_metadata(described, catalog, layer, entry.url, language)
    ET.SubElement(described, "provider", {"encoding": "UTF-8"}).text = _PROVIDERS[entry.way]
    if entry.way == "tiles":
        qgis_layers.add_tile_drawing(described, catalog, layer, language)
    elif entry.way == "features":
        described.set("geometry", drawing.shape(layer).replace("area", "polygon").capitalize())
        described.set("labelsEnabled", "1" if layer.style and layer.style.label else "0")
        qgis_layers.add_fields(described, catalog, layer, language)
        qml.add_drawing(described, catalog, layer, language)


def _add_view(root: ET.Element, bbox: tuple[float, float, float, float]) -> None:
    """What is seen at first: the extent of the city. bbox: in degrees of longitude and latitude."""
    sides = dict(zip(("xmin", "ymin", "xmax", "ymax"), map(str, bbox), strict=True))
    canvas = ET.SubElement(root, "mapcanvas", {"name": "theMapCanvas"})
    ET.SubElement(canvas, "units").text = "degrees"
    extent = ET.SubElement(canvas, "extent")
    for side, value in sides.items():
        ET.SubElement(extent, side).text = value
    qgis_layers.add_system(ET.SubElement(canvas, "destinationsrs"), _SYSTEM)
    settings = ET.SubElement(root, "ProjectViewSettings", {"UseProjectScales": "0"})
    qgis_layers.add_system(ET.SubElement(settings, "DefaultViewExtent", sides), _SYSTEM)
