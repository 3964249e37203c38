"""Styles over HTTP: each in every encoding, in the colours of the code lists, on tiles that are there, with legends.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import mapbox_vector_tile
import matplotlib.image
import morecantile
import numpy as np
import pytest
import shapely
import yaml

LAYERS = Path(__file__).parents[2] / "layers"
SLD = {"sld": "http://www.opengis.net/sld", "ogc": "http://www.opengis.net/ogc"}
TYPES = {
    "mapbox": "application/vnd.mapbox.style+json", "sld10": "application/vnd.ogc.sld+xml;version=1.0",
    "qml": "application/x-qgis-layer-settings",
}  # fmt: skip


def _declared() -> dict[str, dict[str, Any]]:
    """The layers of features that are drawn, as their files have them."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in LAYERS.glob("*/*.yml")]
    return {file["id"]: file for file in files if file.get("kind") == "features" and "style" in file}


def _colours(layer: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Colour and titles by code, as the file of the code list has them."""
    listed = LAYERS / "codes" / f"{layer['fields'][layer['style']['by']]['codes']}.yml"
    codes = yaml.safe_load(listed.read_text(encoding="utf-8"))["codes"]
    return {
        code: (told["color"], told["title"]["zh"], told["title"]["en"])
        for code, told in codes.items()
        if "color" in told
    }


DECLARED = _declared()
BY_CODE = sorted(name for name, layer in DECLARED.items() if "by" in layer["style"])


def test_every_layer_has_a_style_that_every_link_leads_to(client: Any) -> None:
    listed = client.get("/styles", f="json").json
    assert {style["id"] for style in listed["styles"]} >= {"city", *DECLARED}
    assert listed["default"] == "city"
    for style in listed["styles"]:
        sheets = [link for link in style["links"] if link["rel"] == "stylesheet"]
        assert {link["type"] for link in sheets} == set(TYPES.values()) or style["id"] not in DECLARED
        for link in style["links"]:
            answer = client.link(link["href"])
            assert answer.status == 200, link
            assert answer.headers["content-type"].partition(";")[0] == link["type"].partition(";")[0]
        [described] = [link["href"] for link in style["links"] if link["rel"] == "describedby"]
        metadata = client.link(described).json
        assert metadata["id"] == style["id"]
        assert [each["link"]["href"] for each in metadata["stylesheets"]] == [link["href"] for link in sheets]


def test_layers_and_landing_page_lead_to_styles(client: Any) -> None:
    for path in ("/", "/collections/parcels"):
        links = client.get(path, f="json").json["links"]
        found = [link for link in links if link["rel"].endswith("/rel/ogc/1.0/styles")]
        assert {client.link(link["href"]).status for link in found} == {200}, path
    own = client.get("/collections/parcels/styles", f="json").json["styles"]
    assert [style["id"] for style in own] == ["parcels"]
    assert client.get("/collections/hydro_observations/styles").status == 404


@pytest.mark.parametrize(("form", "media_type"), TYPES.items())
def test_encodings_are_found_by_their_type_too(client: Any, form: str, media_type: str) -> None:
    answer = client.get("/styles/parcels", accept=media_type)
    assert answer.headers["content-type"] == media_type
    assert answer.content == client.get("/styles/parcels", f=form).content


@pytest.mark.parametrize("name", BY_CODE)
def test_colours_are_those_of_the_code_list(client: Any, name: str) -> None:
    layer = DECLARED[name]
    colours = _colours(layer)
    maplibre = client.get(f"/styles/{name}", f="mapbox").json["layers"][0]
    [painted] = [value for key, value in maplibre["paint"].items() if re.fullmatch("(fill|line|circle)-color", key)]
    operator, value, *cases, otherwise = painted
    assert (operator, value, otherwise) == ("match", ["get", layer["style"]["by"]], layer["style"]["color"])
    assert dict(zip(cases[::2], cases[1::2], strict=True)) == {code: told[0] for code, told in colours.items()}
    rules = ET.fromstring(client.get(f"/styles/{name}", f="sld10", lang="zh").content).findall(".//sld:Rule", SLD)
    found = {}
    for rule in rules:
        code = rule.findtext(".//ogc:Literal", None, SLD)
        if code is not None:
            assert rule.findtext(".//ogc:PropertyIsEqualTo/ogc:PropertyName", None, SLD) == layer["style"]["by"]
            painted = rule.find(".//sld:CssParameter[@name='fill']", SLD)
            painted = rule.find(".//sld:CssParameter[@name='stroke']", SLD) if painted is None else painted
            found[code] = (painted.text, rule.findtext("sld:Title", None, SLD))
    assert found == {code: told[:2] for code, told in colours.items()}


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_a_style_draws_tiles_that_are_there(client: Any, name: str) -> None:
    """The tile in which a feature lies, by the address in the style: its layer and the field are those that are drawn."""
    style = client.get(f"/styles/{name}", f="mapbox").json
    [(source_id, source)] = style["sources"].items()
    feature = client.get(f"/collections/{name}/items", f="json", limit=1).json["features"][0]
    place = shapely.geometry.shape(feature["geometry"]).representative_point()
    tile = morecantile.tms.get("WebMercatorQuad").tile(place.x, place.y, source["minzoom"] + 2)
    address = source["tiles"][0].replace("{z}", str(tile.z)).replace("{x}", str(tile.x)).replace("{y}", str(tile.y))
    decoded = mapbox_vector_tile.decode(client.link(address).content)
    known = set(client.get(f"/collections/{name}/schema", f="json").json["properties"])
    west, south, east, north = source["bounds"]
    assert west < place.x < east
    assert south < place.y < north
    for layer in style["layers"]:
        assert layer["source"] == source_id
        drawn = decoded[layer["source-layer"]]["features"]
        assert drawn
        there = set().union(*(each["properties"] for each in drawn))
        assert set(re.findall(r"\['get', '(\w+)'\]", str(layer.get("paint")))) <= there
        # A tile leaves out what is null, and few things have names.
        assert set(re.findall(r"\['get', '(\w+)'\]", str(layer))) <= known


def test_the_city_has_areas_below_and_labels_on_top(client: Any) -> None:
    city = client.get("/styles/city", f="mapbox").json
    kinds = [layer["type"] for layer in city["layers"] if not layer["id"].endswith("-outline")]
    order = ["raster", "fill", "line", "circle", "symbol"]
    assert kinds == sorted(kinds, key=order.index)
    assert set(city["sources"]) >= set(DECLARED)
    ids = [layer["id"] for layer in city["layers"]]
    assert len(ids) == len(set(ids))
    assert ids.index("parcels") < ids.index("buildings") < ids.index("districts") < ids.index("roads")
    visible = {layer["source"] for layer in city["layers"] if layer["layout"].get("visibility") != "none"}
    assert "parcels" in visible
    assert "planning_zones" not in visible


#: From the MapLibre style specification, version 8: the properties of each type of layer that are used here.
SPECIFIED = {
    "fill": {"fill-color", "fill-opacity"},
    "line": {"line-cap", "line-join", "line-color", "line-width"},
    "circle": {"circle-color", "circle-radius", "circle-stroke-color", "circle-stroke-width"},
    "symbol": {
        "symbol-placement", "text-field", "text-font", "text-size", "text-anchor", "text-offset", "text-color",
        "text-halo-color", "text-halo-width",
    },
    "raster": set(),
}  # fmt: skip


def test_styles_keep_to_the_specification(client: Any) -> None:
    """Its rules for what is written here; its own validator was asked by hand (docs/decisions/0011)."""
    for name in ("city", *DECLARED):
        style = client.get(f"/styles/{name}", f="mapbox").json
        assert style["version"] == 8
        assert set(style) <= {"version", "name", "metadata", "center", "zoom", "sources", "layers"}
        for source in style["sources"].values():
            assert 0 <= source["minzoom"] <= source["maxzoom"] <= 24
            assert {"{z}", "{x}", "{y}"} <= set(re.findall(r"\{.\}", source["tiles"][0]))
        assert len({layer["id"] for layer in style["layers"]}) == len(style["layers"])
        for layer in style["layers"]:
            assert style["sources"][layer["source"]]["type"] == ("raster" if layer["type"] == "raster" else "vector")
            used = {*layer.get("paint", ()), *layer["layout"]} - {"visibility"}
            assert used <= SPECIFIED[layer["type"]], layer["id"]
            assert layer["minzoom"] < layer.get("maxzoom", 24) <= 24
            for value in (*layer.get("paint", {}).values(), *layer["layout"].values()):
                if isinstance(value, list) and value[0] == "match":
                    labels = value[2:-1:2]
                    assert len(value) % 2 == 1
                    assert len(labels) == len(set(labels)) > 0


def test_styles_name_no_other_host(client: Any) -> None:
    for name in ("city", *DECLARED):
        style = client.get(f"/styles/{name}", f="mapbox")
        assert {"glyphs", "sprite"}.isdisjoint(style.json)
        assert set(re.findall(r"https?://[^/\"]+", style.text)) == {client.url}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_legend_tells_what_the_code_list_has_and_no_more(client: Any, lang: str) -> None:
    colours = _colours(DECLARED["hydro_stations"])
    legend = client.get("/styles/hydro_stations/legend", f="svg", lang=lang)
    assert legend.headers["content-language"] == lang
    root = ET.fromstring(legend.content)
    svg = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in root.iter(f"{svg}text")]
    title = DECLARED["hydro_stations"]["title"][lang]
    assert texts == [title, *(told[1 if lang == "zh" else 2] for told in colours.values())]
    assert [mark.get("fill") for mark in root.iter(f"{svg}circle")] == [told[0] for told in colours.values()]


def test_a_legend_as_picture_shows_the_colours(client: Any) -> None:
    answer = client.get("/styles/hydro_stations/legend", accept="image/png")
    assert answer.headers["content-type"] == "image/png"
    image = (matplotlib.image.imread(io.BytesIO(answer.content))[:, :, :3] * 255).round().astype(int)
    seen = {tuple(colour) for colour in np.unique(image.reshape(-1, 3), axis=0)}
    assert {tuple(bytes.fromhex(told[0][1:])) for told in _colours(DECLARED["hydro_stations"]).values()} <= seen


def test_where_no_font_is_a_picture_without_words_is_not_given(
    sample_city: Any, run_service: Callable[..., Any], make_client: Callable[[str], Any], tmp_path: Path
) -> None:
    (tmp_path / "fonts").mkdir()
    fonts = tmp_path / "fonts.conf"
    fonts.write_text(f"<fontconfig><dir>{tmp_path / 'fonts'}</dir></fontconfig>", encoding="utf-8")
    with run_service(sample_city.dsn, tmp_path, FONTCONFIG_FILE=str(fonts)) as service:
        client = make_client(service.url)
        refused = client.get("/styles/parcels/legend", f="png", lang="zh")
        assert refused.status == 501
        assert "f=svg" in refused.json["detail"]
        assert client.get("/styles/parcels/legend", f="svg", lang="zh").status == 200
        client.close()


def test_pages_show_the_legend_in_the_reader_s_language(client: Any) -> None:
    page = client.get("/styles/parcels", f="html", lang="zh").text
    assert "图例" in page
    assert "/styles/parcels/legend?f=svg&amp;lang=zh" in page
    assert "All layers" in client.get("/styles", f="html", lang="en-US").text


def test_a_style_that_is_not_there_is_told_with_those_that_are(client: Any) -> None:
    answer = client.get("/styles/parcel")
    assert answer.status == 404
    assert {"city", "parcels"} <= set(re.findall(r"\w+", answer.json["detail"]))
    for path, form in (("/styles/parcels", "css"), ("/styles/city", "sld10"), ("/styles/city/legend", "gif")):
        wrong = client.get(path, f=form)
        assert (wrong.status, wrong.json["parameter"]) == (400, "f")
        assert wrong.json["allowed"]


def test_files_for_qgis_come_under_their_names_and_types(client: Any) -> None:
    project = client.get("/qgis/project.qgz")
    assert project.headers["content-type"] == "application/x-qgis-project-container"
    assert project.headers["content-disposition"] == 'attachment; filename="liaocheng.qgz"'
    with zipfile.ZipFile(io.BytesIO(project.content)) as archive:
        [name] = archive.namelist()
        titles = {node.get("name") for node in ET.fromstring(archive.read(name)).iter("layer-tree-layer")}
    assert titles >= {layer["title"]["zh"] for layer in DECLARED.values()}
    [link] = [
        link for link in client.get("/collections/parcels", f="json").json["links"] if link["title"] == "QGIS"
    ]  # fmt: skip
    definition = client.link(link["href"])
    assert definition.headers["content-type"] == link["type"] == "application/x-qgis-layer-definition"
    english = client.get("/qgis/nature.qlr", lang="en")
    assert "Land-use parcels" in english.text
    assert english.headers["content-language"] == "en"


def test_a_theme_that_is_not_there_is_told_with_those_that_are(client: Any) -> None:
    for theme in ("nosuch", "catalogue"):
        answer = client.get(f"/qgis/{theme}.qlr")
        assert answer.status == 404
        assert {"base", "planning", "nature", "water", "culture"} <= set(re.findall(r"\w+", answer.json["detail"]))
