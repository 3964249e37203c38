"""What the WMTS offers, as its capabilities document (OGC 07-057r7).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.server.formats.table import PICTURES
from shikong.server.pictures import DEFAULT, Styled, formats, styles
from shikong.server.tiles import levels
from shikong.tiles import matrix
from shikong.tiles.frame import TILE_SIZE, Box

VERSION = "1.0.0"

WMTS, OWS, XLINK = "http://www.opengis.net/wmts/1.0", "http://www.opengis.net/ows/1.1", "http://www.w3.org/1999/xlink"

# QGIS knows `Capabilities` and `ows:Title`, with these prefixes and no others. They are written as they are, for the
# library's registry of prefixes is the whole process's, and others (WeasyPrint) take the empty one for themselves.
SPACES = {"xmlns": WMTS, "xmlns:ows": OWS, "xmlns:xlink": XLINK}


@dataclass(frozen=True)
class Offered:
    """A layer that is offered. extent: CRS84. times: values of its dimension `time`; None where it has none."""

    layer: Layer
    extent: Box
    times: str | None


@dataclass(frozen=True)
class Addresses:
    """Where the service is asked. base: its address. keyed: where parameters are put behind the question mark."""

    base: str
    keyed: str

    @property
    def document(self) -> str:
        """Where the capabilities lie without parameters."""
        return f"{self.base}/wmts/{VERSION}/WMTSCapabilities.xml"


def add(parent: ET.Element, short: str, text: str | None = None, **attributes: str) -> ET.Element:
    """Add an element; those of WMTS itself are written without prefix. Attributes have an underscore for the colon."""
    found = ET.SubElement(parent, short.removeprefix("wmts:"))
    found.text = text
    for key, value in attributes.items():
        found.set(key.replace("_", ":", 1), value)
    return found


def document(
    catalog: Catalog, offered: Iterable[Offered], sets: Iterable[str], addresses: Addresses, language: str
) -> bytes:
    """The document. sets: the tile matrix sets that are told. language: zh or en, of titles."""
    sets = tuple(sets)
    root = ET.Element("Capabilities", SPACES | {"version": VERSION})
    _service(root, catalog, language)
    _operations(root, addresses.keyed)
    contents = add(root, "wmts:Contents")
    for each in offered:
        _layer(contents, each, sets, addresses, language)
    for identifier in sets:
        _matrix_set(contents, matrix.definition(identifier))
    add(root, "wmts:ServiceMetadataURL", xlink_href=addresses.document)
    ET.indent(root, " ")
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _in(text: Text, language: str) -> str:
    return text.en if language == "en" else text.zh


def _service(root: ET.Element, catalog: Catalog, language: str) -> None:
    city = catalog.city
    service = add(root, "ows:ServiceIdentification")
    add(service, "ows:Title", _in(city.title, language))
    add(service, "ows:Abstract", _in(city.description, language))
    add(service, "ows:ServiceType", "OGC WMTS")
    add(service, "ows:ServiceTypeVersion", VERSION)
    provider = add(root, "ows:ServiceProvider")
    add(provider, "ows:ProviderName", _in(city.publisher, language))
    contact = add(add(provider, "ows:ServiceContact"), "ows:ContactInfo")
    add(add(contact, "ows:Address"), "ows:ElectronicMailAddress", city.contact)


def _operations(root: ET.Element, keyed: str) -> None:
    operations = add(root, "ows:OperationsMetadata")
    for each in ("GetCapabilities", "GetTile"):
        http = add(add(add(operations, "ows:Operation", name=each), "ows:DCP"), "ows:HTTP")
        encoding = add(add(http, "ows:Get", xlink_href=f"{keyed}?"), "ows:Constraint", name="GetEncoding")
        add(add(encoding, "ows:AllowedValues"), "ows:Value", "KVP")


def _layer(contents: ET.Element, offered: Offered, sets: tuple[str, ...], addresses: Addresses, language: str) -> None:
    layer = offered.layer
    assert layer.tiles is not None
    west, south, east, north = offered.extent
    told = add(contents, "wmts:Layer")
    add(told, "ows:Title", _in(layer.title, language))
    add(told, "ows:Abstract", _in(layer.description, language))
    box = add(told, "ows:WGS84BoundingBox")
    add(box, "ows:LowerCorner", f"{west} {south}")
    add(box, "ows:UpperCorner", f"{east} {north}")
    add(told, "ows:Identifier", layer.id)
    for number, each in enumerate(styles(layer)):
        style = add(told, "wmts:Style", isDefault=str(number == 0).lower())
        title = layer.title if each == DEFAULT else layer.styles[each].title
        add(style, "ows:Title", _in(title, language))
        add(style, "ows:Identifier", each)
    offers = formats(Styled(layer, styles(layer)[0]))
    for form in offers:
        add(told, "wmts:Format", PICTURES[form].media_type)
    if offered.times is not None:
        _dimension(told, offered.times)
    for each in sets:
        _limits(told, each, matrix.limits(each, levels(layer, each), offered.extent))
    when = "/{time}" if offered.times is not None else ""
    for form in offers:
        place = f"{layer.id}/{{style}}{when}/{{TileMatrixSet}}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.{form}"
        add(told, "wmts:ResourceURL", format=PICTURES[form].media_type, resourceType="tile",
            template=f"{addresses.base}/wmts/{VERSION}/{place}")  # fmt: skip


def _dimension(layer: ET.Element, times: str) -> None:
    dimension = add(layer, "wmts:Dimension")
    add(dimension, "ows:Identifier", "time")
    add(dimension, "ows:UOM", "ISO8601")
    add(dimension, "wmts:Default", "current")
    add(dimension, "wmts:Current", "true")
    add(dimension, "wmts:Value", times)


def _limits(layer: ET.Element, matrix_set: str, limits: list[dict[str, Any]]) -> None:
    link = add(layer, "wmts:TileMatrixSetLink")
    add(link, "wmts:TileMatrixSet", matrix_set)
    listed = add(link, "wmts:TileMatrixSetLimits")
    for each in limits:
        one = add(listed, "wmts:TileMatrixLimits")
        for key, value in each.items():
            add(one, f"wmts:{key[0].upper()}{key[1:]}", str(value))


def _matrix_set(contents: ET.Element, definition: dict[str, Any]) -> None:
    """Origins are in the order of the axes of the CRS, scales from a pixel of 0.28 mm."""
    told = add(contents, "wmts:TileMatrixSet")
    add(told, "ows:Title", definition["title"])
    add(told, "ows:Identifier", definition["id"])
    add(told, "ows:SupportedCRS", _urn(definition["crs"]))
    # That of degrees has another level 0 in WMTS 1.0.
    if definition.get("wellKnownScaleSet", "").endswith("GoogleMapsCompatible"):
        add(told, "wmts:WellKnownScaleSet", "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible")
    for each in definition["tileMatrices"]:
        level = add(told, "wmts:TileMatrix")
        add(level, "ows:Identifier", each["id"])
        add(level, "wmts:ScaleDenominator", repr(each["scaleDenominator"]))
        add(level, "wmts:TopLeftCorner", " ".join(map(repr, each["pointOfOrigin"])))
        add(level, "wmts:TileWidth", str(TILE_SIZE))
        add(level, "wmts:TileHeight", str(TILE_SIZE))
        add(level, "wmts:MatrixWidth", str(each["matrixWidth"]))
        add(level, "wmts:MatrixHeight", str(each["matrixHeight"]))


def _urn(uri: str) -> str:
    """The address of a CRS as a URN."""
    authority, version, code = uri.rsplit("/", 3)[1:]
    return f"urn:ogc:def:crs:{authority}:{'' if version == '0' else version}:{code}"
