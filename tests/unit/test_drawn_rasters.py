"""Rasters that declare styles, in styles, legends and projects beside the layers of features.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree as ET

import pytest

from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.tiles.styles import drawing, legend, maplibre, project

URL = "http://127.0.0.1:5000"
RAMP = [[0, "#2B83BA"], [30, "#FFFFBF"], [60, "#D7191C"]]


@pytest.fixture
def city() -> Catalog:
    """The declarations, the elevation drawn in two ways."""
    default = catalog.load()
    told = default.layer("elevation").model_dump(exclude_none=True) | {
        "tiles": {"min_zoom": 5, "max_zoom": 14},
        "styles": {
            "tints": {"title": {"zh": "分层设色", "en": "Tints"}, "ramp": RAMP},
            "relief": {"title": {"zh": "晕渲", "en": "Relief"}, "shade": {}},
        },
    }
    layers = default.layers | {"elevation": Layer.model_validate(told)}
    return Catalog(default.city, layers, default.codes)


def test_a_raster_lies_below_everything(city: Catalog) -> None:
    below = drawing.from_below(city)
    assert below[0].id == "elevation"
    style = maplibre.of_city(city, URL)
    assert style["layers"][0]["type"] == "raster"
    assert style["sources"]["elevation"] == {
        "type": "raster", "tileSize": 256, "minzoom": 5, "maxzoom": 14, "bounds": list(city.city.bbox),
        "tiles": [f"{URL}/collections/elevation/map/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f=png"],
        "attribution": city.layer("elevation").steward,
    }  # fmt: skip


def test_its_legend_tells_the_values_of_the_usual_style(city: Catalog) -> None:
    root = ET.fromstring(legend.svg(city, [city.layer("elevation")], "zh"))
    svg = "{http://www.w3.org/2000/svg}"
    assert [text.text for text in root.iter(f"{svg}text")] == ["数字高程模型", "0 m", "30 m", "60 m"]
    colours = [rect.get("fill") for rect in root.iter(f"{svg}rect")][1:]
    assert colours == [colour for _, colour in RAMP]


def test_the_project_has_it_as_pictures(city: Catalog) -> None:
    content = project.project(city, URL, {"nature": Text(zh="自然资源", en="Nature")}, "en")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        [name] = archive.namelist()
        root = ET.fromstring(archive.read(name))
    described = {layer.findtext("id"): layer for layer in root.iter("maplayer")}
    raster = described["elevation_pictures"]
    assert raster.get("type") == "raster"
    assert raster.findtext("provider") == "wms"
    source = (
        f"type=xyz&url={URL}/collections/elevation/map/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f%3Dpng&zmin=5&zmax=14"
    )
    assert raster.findtext("datasource") == source
    assert [item.text for item in root.iter("item")][-1] == "elevation_pictures"
    assert "elevation_features" not in described


def test_a_layer_without_styles_or_for_few_is_left_out(city: Catalog) -> None:
    kept = city.layer("rivers")
    hidden = kept.model_copy(update={"access": kept.access.model_copy(update={"read": "hydrologist"})})
    reduced = Catalog(city.city, city.layers | {"rivers": hidden}, city.codes)
    assert {layer.id for layer in drawing.from_below(city)} - {layer.id for layer in drawing.from_below(reduced)} == {
        "rivers"
    }
    assert not drawing.is_drawn(city.layer("hydro_observations"))
