"""WMTS over HTTP: what its document says, and that tiles are those of /map/tiles, by all ways of asking.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from itertools import product
from typing import Any

import httpx
import morecantile
import pyproj
import pytest
from lxml import etree

from shikong.layers import catalog

CITY = catalog.default()
NS = {
    "wmts": "http://www.opengis.net/wmts/1.0",
    "ows": "http://www.opengis.net/ows/1.1",
    "xlink": "http://www.w3.org/1999/xlink",
}
SETS = ("WebMercatorQuad", "WorldCRS84Quad", "c", "w")
#: A tile with parcels, land cover and imagery: set, level, row, column.
TILES = (
    ("WebMercatorQuad", 14, 6410, 13473),
    ("WorldCRS84Quad", 13, 2438, 13473),
    ("c", 14, 2438, 13473),
    ("w", 14, 6410, 13473),
)


def _document(client: Any, path: str = "/wmts/1.0.0/WMTSCapabilities.xml", **given: str) -> Any:
    answer = client.get(path, **given)
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"].startswith("application/xml")
    return etree.fromstring(answer.content)


def _texts(node: Any, path: str) -> list[str]:
    return [found.text for found in node.xpath(path, namespaces=NS)]


def _keyed(client: Any, path: str, text: str) -> Any:
    return httpx.get(f"{client.url}{path}?{text}", trust_env=False)


def test_the_document_has_every_drawn_layer_with_its_styles_and_titles(client: Any) -> None:
    told = _document(client)
    layers = {layer.id: layer for layer in CITY if layer.tiles}
    assert _texts(told, "//wmts:Layer/ows:Identifier") == list(layers)
    assert _texts(told, "//wmts:Layer/ows:Title") == [layer.title.zh for layer in layers.values()]
    english = _document(client, lang="en")
    assert _texts(english, "//wmts:Layer/ows:Title") == [layer.title.en for layer in layers.values()]
    for node in told.xpath("//wmts:Layer", namespaces=NS):
        layer = layers[_texts(node, "ows:Identifier")[0]]
        assert _texts(node, "wmts:Style/ows:Identifier") == (list(layer.styles) or ["default"])
        assert (
            _texts(node, "wmts:Style[@isDefault='true']/ows:Identifier")
            == _texts(node, "wmts:Style/ows:Identifier")[:1]
        )
        assert _texts(node, "wmts:Format") == ["image/png", "image/webp", "image/jpeg"]
        assert _texts(node, "wmts:TileMatrixSetLink/wmts:TileMatrixSet") == list(SETS)
        assert bool(node.xpath("wmts:Dimension", namespaces=NS)) == bool(layer.time or layer.kind == "cube")
    assert (
        _keyed(client, "/wmts", "service=wmts&Request=getcapabilities").content
        == client.get("/wmts/1.0.0/WMTSCapabilities.xml").content
    )


@pytest.mark.parametrize("name", SETS)
def test_matrix_sets_are_told_by_the_rules_of_the_standard(client: Any, name: str) -> None:
    """Scales from a pixel of 0.28 mm, corners in the order of the axes that pyproj tells."""
    node = next(each for each in _document(client).xpath("//wmts:Contents/wmts:TileMatrixSet", namespaces=NS)
                if _texts(each, "ows:Identifier") == [name])  # fmt: skip
    crs = pyproj.CRS.from_user_input(_texts(node, "ows:SupportedCRS")[0])
    assert _texts(node, "ows:SupportedCRS") == [
        {"WebMercatorQuad": "urn:ogc:def:crs:EPSG::3857", "w": "urn:ogc:def:crs:EPSG::3857", "c": "urn:ogc:def:crs:EPSG::4490",
         "WorldCRS84Quad": "urn:ogc:def:crs:OGC:1.3:CRS84"}[name]]  # fmt: skip
    metres = 1.0 if crs.is_projected else 111_319.49079327358
    left, top = (-20037508.342789244, 20037508.342789244) if crs.is_projected else (-180.0, 90.0)
    north_first = crs.axis_info[0].direction == "north"
    levels = node.xpath("wmts:TileMatrix", namespaces=NS)
    assert [int(_texts(level, "ows:Identifier")[0]) for level in levels] == list(
        {"WebMercatorQuad": range(23), "WorldCRS84Quad": range(22), "c": range(1, 19), "w": range(1, 19)}[name]
    )
    for level in levels:
        scale = float(_texts(level, "wmts:ScaleDenominator")[0])
        width, height = (int(_texts(level, f"wmts:Matrix{side}")[0]) for side in ("Width", "Height"))
        corner = [float(part) for part in _texts(level, "wmts:TopLeftCorner")[0].split()]
        assert corner == pytest.approx([top, left] if north_first else [left, top])
        pixel = scale * 0.00028 / metres
        assert width * 256 * pixel == pytest.approx(-2 * left, rel=1e-9)
        assert height * 256 * pixel == pytest.approx(
            (180 if metres > 1 else 1) * (1 if metres > 1 else 2 * top), rel=1e-9
        )


def test_known_scales_of_tianditu(client: Any) -> None:
    """Level 10 of `c` and `w`, by 0.28 mm."""
    for name in ("c", "w"):
        told = _document(client, f"/parcels_{name}/wmts", SERVICE="WMTS", REQUEST="GetCapabilities")
        assert _texts(told, "//wmts:Contents/wmts:TileMatrixSet/ows:Identifier") == [name]
        assert _texts(told, "//wmts:Layer/ows:Identifier") == ["parcels"]
        level = next(
            each for each in told.xpath("//wmts:TileMatrix", namespaces=NS) if _texts(each, "ows:Identifier") == ["10"]
        )
        assert float(_texts(level, "wmts:ScaleDenominator")[0]) == pytest.approx(545978.7734655447, rel=1e-9)


def test_limits_take_in_all_that_is_there(client: Any) -> None:
    west, south, east, north = client.get("/collections/districts", f="json").json["extent"]["spatial"]["bbox"][0]
    node = next(
        each
        for each in _document(client).xpath("//wmts:Layer", namespaces=NS)
        if _texts(each, "ows:Identifier") == ["districts"]
    )
    for link in node.xpath("wmts:TileMatrixSetLink", namespaces=NS):
        name = _texts(link, "wmts:TileMatrixSet")[0]
        grid = morecantile.tms.get("WebMercatorQuad" if name in ("w", "WebMercatorQuad") else "WorldCRS84Quad")
        for limits in link.xpath(".//wmts:TileMatrixLimits", namespaces=NS):
            level = int(_texts(limits, "wmts:TileMatrix")[0]) - (name == "c")
            first, last = grid.tile(west, north, level), grid.tile(east, south, level)
            assert [int(_texts(limits, f"wmts:{each}")[0]) for each in ("MinTileRow", "MaxTileRow", "MinTileCol", "MaxTileCol")] == [
                first.y, last.y, first.x, last.x]  # fmt: skip


@pytest.mark.parametrize("layer", ["parcels", "imagery", "land_cover", "elevation"])
@pytest.mark.parametrize("tile", TILES, ids=lambda tile: tile[0])
def test_all_ways_of_asking_give_the_tile_of_map_tiles(
    client: Any, layer: str, tile: tuple[str, int, int, int]
) -> None:
    name, level, row, column = tile
    style = next(iter(CITY.layer(layer).styles), "default")
    for form in ("png", "webp", "jpeg"):
        expected = client.get(f"/collections/{layer}/map/tiles/{name}/{level}/{row}/{column}", f=form).content
        assert len(expected) > 900
        by_key = _keyed(client, "/wmts", f"SERVICE=WMTS&VERSION=1.0.0&REQUEST=GetTile&LAYER={layer}&STYLE={style}&TILEMATRIXSET={name}"
                        f"&TILEMATRIX={level}&TILEROW={row}&TILECOL={column}&FORMAT=image/{form}")  # fmt: skip
        assert (by_key.status_code, by_key.headers["content-type"]) == (200, f"image/{form}")
        assert by_key.content == expected
        assert client.get(f"/wmts/1.0.0/{layer}/{style}/{name}/{level}/{row}/{column}.{form}").content == expected
        assert client.get(f"/wmts/1.0.0/{layer}/default/{name}/{level}/{row}/{column}.{form}").content == expected


@pytest.mark.parametrize("tile", TILES[2:], ids=lambda tile: tile[0])
def test_clients_of_tianditu_get_their_tiles(client: Any, tile: tuple[str, int, int, int]) -> None:
    name, level, row, column = tile
    expected = client.get(f"/collections/parcels/map/tiles/{name}/{level}/{row}/{column}", f="png").content
    text = (f"SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=parcels&STYLE=default&TILEMATRIXSET={name}&FORMAT=tiles"
            f"&TILEMATRIX={level}&TILEROW={row}&TILECOL={column}&tk=0123456789abcdef")  # fmt: skip
    found = _keyed(client, f"/parcels_{name}/wmts", text)
    assert (found.status_code, found.headers["content-type"], found.content) == (200, "image/png", expected)
    assert _keyed(client, f"/parcels_{name}/wmts", text.lower().replace("gettile", "GetTile")).content == expected
    assert _keyed(client, "/wmts", text).content == expected
    tag = found.headers["etag"]
    again = httpx.get(f"{client.url}/parcels_{name}/wmts?{text}", headers={"if-none-match": tag}, trust_env=False)
    assert again.status_code == 304


def test_times_are_told_and_chosen(client: Any) -> None:
    told = _document(client)
    node = next(
        each
        for each in told.xpath("//wmts:Layer", namespaces=NS)
        if _texts(each, "ows:Identifier") == ["precipitation"]
    )
    [value] = _texts(node, "wmts:Dimension[ows:Identifier='time']/wmts:Value")
    first, last, step = value.split("/")
    axis = client.get("/collections/precipitation/coverage", f="json").json["domain"]["axes"]["t"]["values"]
    assert (first, last, step) == (axis[0], axis[-1], "PT1H")
    template = node.xpath("wmts:ResourceURL[@format='image/png']/@template", namespaces=NS)[0]
    values = {"style": "rain", "TileMatrixSet": "w", "TileMatrix": "9", "TileRow": "200", "TileCol": "421"}
    for key, text in values.items():
        template = template.replace(f"{{{key}}}", text)
    shown = {
        when: client.link(template.replace("{time}", when)).content for when in ("current", last, *axis[-30:-20:3])
    }
    assert shown["current"] == shown[last]
    assert len(set(shown.values())) >= 3
    text = "SERVICE=WMTS&VERSION=1.0.0&REQUEST=GetTile&LAYER=precipitation&STYLE=rain&TILEMATRIXSET=w&TILEMATRIX=9&TILEROW=200&TILECOL=421&FORMAT=image/png"
    assert _keyed(client, "/wmts", f"{text}&TIME={axis[-30]}").content == shown[axis[-30]]
    assert _keyed(client, "/wmts", f"{text}&time=default").content == shown["current"]
    wrong = _keyed(client, "/wmts", f"{text}&TIME=2001-01-01")
    assert _refused(wrong) == (400, "InvalidParameterValue", "time")


def _refused(answer: Any) -> tuple[int, str, str | None]:
    """Status, code and locator of an exception report."""
    report = etree.fromstring(answer.content)
    assert report.tag == f"{{{NS['ows']}}}ExceptionReport"
    assert report.get("version") == "1.1.0"
    [exception] = report
    assert exception[0].text
    return answer.status_code, exception.get("exceptionCode"), exception.get("locator")


GOOD = {
    "SERVICE": "WMTS", "VERSION": "1.0.0", "REQUEST": "GetTile", "LAYER": "elevation", "STYLE": "hillshade", "TILEMATRIXSET": "c",
    "TILEMATRIX": "9", "TILEROW": "76", "TILECOL": "421", "FORMAT": "image/png",
}  # fmt: skip
NAMES = {"SERVICE": "Service", "REQUEST": "Request", "VERSION": "Version", "LAYER": "Layer", "STYLE": "Style", "FORMAT": "Format",
         "TILEMATRIXSET": "TileMatrixSet", "TILEMATRIX": "TileMatrix", "TILEROW": "TileRow", "TILECOL": "TileCol"}  # fmt: skip


@pytest.mark.parametrize("missing", GOOD)
def test_a_missing_parameter_is_named(client: Any, missing: str) -> None:
    assert httpx.get(f"{client.url}/wmts", params=GOOD, trust_env=False).status_code == 200
    given = {key: value for key, value in GOOD.items() if key != missing}
    answer = httpx.get(f"{client.url}/wmts", params=given, trust_env=False)
    assert _refused(answer) == (400, "MissingParameterValue", NAMES[missing])


WRONG = [
    ("SERVICE", "WMS", "InvalidParameterValue", 400), ("VERSION", "1.1.0", "InvalidParameterValue", 400),
    ("REQUEST", "GetFeatureInfo", "OperationNotSupported", 501), ("REQUEST", "GetMap", "InvalidParameterValue", 400),
    ("LAYER", "nosuch", "InvalidParameterValue", 400), ("LAYER", "hydro_observations", "InvalidParameterValue", 400),
    ("STYLE", "nosuch", "InvalidParameterValue", 400), ("FORMAT", "image/gif", "InvalidParameterValue", 400),
    ("TILEMATRIXSET", "nosuch", "InvalidParameterValue", 400), ("TILEMATRIX", "nosuch", "InvalidParameterValue", 400),
    ("TILEMATRIX", "1", "InvalidParameterValue", 400), ("TILEMATRIX", "99", "InvalidParameterValue", 400),
    ("TILEROW", "256", "TileOutOfRange", 400), ("TILECOL", "512", "TileOutOfRange", 400), ("TILEROW", "-1", "InvalidParameterValue", 400),
    ("TILECOL", "1.5", "InvalidParameterValue", 400), ("TILEROW", "' OR 1=1 --", "InvalidParameterValue", 400),
    ("TILECOL", "9" * 50, "InvalidParameterValue", 400),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "code", "status"), WRONG)
def test_a_wrong_parameter_is_named(client: Any, name: str, value: str, code: str, status: int) -> None:
    answer = httpx.get(f"{client.url}/wmts", params=GOOD | {name: value}, trust_env=False)
    assert _refused(answer) == (status, code, NAMES[name])


def test_wrong_addresses_are_refused(client: Any) -> None:
    for path, locator in (("nosuch/default/c/9/76/421.png", "Layer"), ("elevation/nosuch/c/9/76/421.png", "Style"),
                          ("elevation/default/x/9/76/421.png", "TileMatrixSet"), ("elevation/default/c/9/76/421.gif", "Format"),
                          ("elevation/terrain_rgb/c/9/76/421.jpeg", "Format"), ("elevation/default/c/9/76/9999.png", "TileCol"),
                          ("precipitation/rain/yesterday/c/9/76/421.png", "time")):  # fmt: skip
        answer = httpx.get(f"{client.url}/wmts/1.0.0/{path}", trust_env=False)
        assert _refused(answer)[::2] == (400, locator), path
    for path, locator in (("/nosuch_c/wmts", "Layer"), ("/parcels_x/wmts", "TileMatrixSet"), ("/elevation_w/wmts", "TileMatrixSet"),
                          ("/parcels_c/wmts", "Layer")):  # fmt: skip
        answer = httpx.get(f"{client.url}{path}", params=GOOD, trust_env=False)
        assert _refused(answer) == (400, "InvalidParameterValue", locator)
    old = httpx.get(
        f"{client.url}/wmts",
        params={"SERVICE": "WMTS", "REQUEST": "GetCapabilities", "AcceptVersions": "0.9.0"},
        trust_env=False,
    )
    assert _refused(old) == (400, "VersionNegotiationFailed", "AcceptVersions")


def test_templates_of_the_document_lead_to_tiles(client: Any) -> None:
    """Every layer, set and format by the addresses that the document gives."""
    for node in _document(client).xpath("//wmts:Layer", namespaces=NS):
        style = _texts(node, "wmts:Style/ows:Identifier")[-1]
        for link, template in product(
            node.xpath("wmts:TileMatrixSetLink", namespaces=NS), node.xpath("wmts:ResourceURL", namespaces=NS)
        ):
            limits = link.xpath(".//wmts:TileMatrixLimits", namespaces=NS)[-2]
            address = template.get("template")
            for key, value in (("style", style), ("time", "current"), ("TileMatrixSet", _texts(link, "wmts:TileMatrixSet")[0]),
                               ("TileMatrix", _texts(limits, "wmts:TileMatrix")[0]), ("TileRow", _texts(limits, "wmts:MinTileRow")[0]),
                               ("TileCol", _texts(limits, "wmts:MinTileCol")[0])):  # fmt: skip
                address = address.replace(f"{{{key}}}", value)
            answer = client.link(address)
            if style == "terrain_rgb" and template.get("format") == "image/jpeg":
                assert answer.status == 400
            else:
                assert (answer.status, answer.headers["content-type"]) == (200, template.get("format")), address


def test_prefixes_are_those_that_qgis_knows_whatever_else_the_process_has_written(client: Any) -> None:
    """WeasyPrint takes the empty prefix of the library's registry for itself."""
    square = [[[116.03, 36.42], [116.031, 36.42], [116.031, 36.421], [116.03, 36.42]]]
    inputs = {"site": {"type": "Polygon", "coordinates": square}, "project": "school"}
    assert client.post("/processes/site-check/execution?f=pdf", {"inputs": inputs}).status == 200
    text = client.get("/wmts/1.0.0/WMTSCapabilities.xml").text
    assert '<Capabilities xmlns="http://www.opengis.net/wmts/1.0"' in text
    assert "<ows:Title>" in text
    assert "ns0:" not in text
