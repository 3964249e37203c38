"""QGIS reads every style, opens the project and the layer definitions, and draws them in the declared colours.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import matplotlib.image
import numpy as np
import pytest

from shikong.layers import catalog

CATALOG = catalog.load()
FEATURES = [layer for layer in CATALOG if layer.kind == "features" and layer.style]
RASTERS = [layer for layer in CATALOG if layer.styles]
THEMES = ("base", "planning", "nature", "water", "culture")

#: Pictures: CRS, box and layers; without layers what the project shows at first.
MIDDLE = [116.02, 36.39, 116.10, 36.45]


def _pictures(artefacts: Path) -> dict[str, list[Any]]:
    city = [115.2, 35.7, 116.6, 37.1]
    return {
        str(artefacts / "qgis-project.png"): ["EPSG:4490", *MIDDLE],
        str(artefacts / "qgis-project-3857.png"): ["EPSG:3857", *MIDDLE],
        str(artefacts / "qgis-project-city.png"): ["EPSG:4490", *city],
        str(artefacts / "qgis-parcels-tiles.png"): ["EPSG:3857", *MIDDLE, "parcels_tiles"],
        str(artefacts / "qgis-parcels-features.png"): ["EPSG:3857", *MIDDLE, "parcels_features"],
        str(artefacts / "qgis-relief.png"): ["EPSG:3857", *MIDDLE, "elevation_pictures"],
        str(artefacts / "qgis-plan.png"): ["EPSG:4490", *MIDDLE, "planning_zones_tiles"],
    }


@pytest.fixture(scope="module")
def found(
    service: Any, artefacts: Path, run_client: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What QGIS has found."""
    folder = tmp_path_factory.mktemp("qgis")
    with httpx.Client(base_url=service.url, trust_env=False, params={"lang": "zh"}, timeout=60) as client:
        (folder / "project.qgz").write_bytes(client.get("/qgis/project.qgz").content)
        for theme in THEMES:
            (folder / f"{theme}.qlr").write_bytes(client.get(f"/qgis/{theme}.qlr").content)
        for layer in FEATURES:
            for form, ending in (("qml", "qml"), ("sld10", "sld"), ("mapbox", "json")):
                content = client.get(f"/styles/{layer.id}", params={"f": form, "lang": "zh"}).content
                (folder / f"{layer.id}.{ending}").write_bytes(content)
    script = Path(__file__).with_name("qgis_styles.py")
    output = run_client(
        "/usr/bin/python3", str(script), str(folder), json.dumps(_pictures(artefacts)), QT_QPA_PLATFORM="offscreen",
        XDG_RUNTIME_DIR=str(folder), QGIS_CUSTOM_CONFIG_PATH=str(folder), HOME=str(folder),
    )  # fmt: skip
    return json.loads(output.strip().splitlines()[-1])


def _symbols(layer: Any) -> list[list[str]]:
    """Code, title and colour of each symbol, from the declarations."""
    if layer.style.by is None:
        return [["", "", layer.style.color.lower()]]
    codes = CATALOG.codes[layer.fields[layer.style.by].codes].codes
    listed = [[code, told.title.zh, told.color.lower()] for code, told in codes.items() if told.color]
    return [*listed, ["", "其他", layer.style.color.lower()]]


@pytest.mark.parametrize("layer", FEATURES, ids=lambda layer: layer.id)
def test_qgis_reads_its_own_style(found: dict[str, Any], layer: Any) -> None:
    read = found["qml"][layer.id]
    assert read["kind"] == ("categorizedSymbol" if layer.style.by else "singleSymbol")
    assert read["attribute"] == (layer.style.by or "")
    assert read["symbols"] == _symbols(layer)
    assert read["label"] == (layer.style.label.field if layer.style.label else None)
    assert not read["unlike"]


@pytest.mark.parametrize("layer", FEATURES, ids=lambda layer: layer.id)
def test_qgis_reads_sld(found: dict[str, Any], layer: Any) -> None:
    read = found["sld"][layer.id]
    titles = [[title or layer.title.zh, colour] for _, title, colour in _symbols(layer)]
    assert read["rules"][: len(titles)] == titles
    assert bool(read["labels"]) == bool(layer.style.label)


@pytest.mark.parametrize("layer", FEATURES, ids=lambda layer: layer.id)
def test_qgis_reads_maplibre_without_complaint(found: dict[str, Any], layer: Any) -> None:
    read = found["maplibre"][layer.id]
    assert read["done"]
    # QGIS looks for the fonts of a glyph server; it takes its own where there is none.
    assert [text for text in read["complaints"] if "font" not in text.lower()] == []
    assert any(name.startswith(layer.id) for name in read["styles"])


def test_the_project_opens_whole(found: dict[str, Any]) -> None:
    project = found["project"]
    assert project["title"] == CATALOG.city.title.zh
    assert project["crs"] == "EPSG:4490"
    assert project["extent"] == list(CATALOG.city.bbox)
    wanted = {f"{layer.id}_{way}" for layer in FEATURES for way in ("tiles", "features")}
    assert set(project["layers"]) == wanted | {f"{layer.id}_pictures" for layer in RASTERS}
    for name, layer in project["layers"].items():
        declared = CATALOG.layer(name.rpartition("_")[0])
        assert layer["valid"], name
        assert (layer["title"], layer["abstract"]) == (declared.title.zh, declared.description.zh)
        assert layer["crs"] == ("OGC:CRS84" if name.endswith("_features") else "EPSG:3857")
        assert layer["scales"]
    assert [group["group"] for group in project["tree"]] == ["基础地理", "多规合一", "自然资源", "水利水文", "文化地图"]


def test_tiles_are_on_and_features_are_off(found: dict[str, Any]) -> None:
    shown = {}
    for group in found["project"]["tree"]:
        *tiles, features = group["has"]
        assert features["group"].startswith("要素")
        shown |= {each["layer"]: each["shown"] for each in [*tiles, *features["has"]]}
    assert len(shown) == 2 * len(FEATURES) + len(RASTERS)
    assert not any(yes for name, yes in shown.items() if name.endswith(("_features", "_pictures")))
    assert shown["parcels_tiles"]
    assert not shown["planning_zones_tiles"]
    order = found["project"]["order"]
    assert order.index("hydro_stations_tiles") < order.index("roads_tiles") < order.index("parcels_tiles")


def test_features_come_with_titles_of_fields_and_meanings_of_codes(found: dict[str, Any]) -> None:
    for layer in FEATURES:
        read = found["project"]["features"][f"{layer.id}_features"]
        assert read["has"], layer.id
        assert read["renderer"] == ("categorizedSymbol" if layer.style.by else "singleSymbol")
        for name, field in layer.fields.items():
            assert read["aliases"][name] == field.title.zh, layer.id
            assert (read["widget"][name] == "ValueMap") == bool(field.codes), (layer.id, name)


def test_layer_definitions_open(found: dict[str, Any]) -> None:
    for theme in THEMES:
        read = found["definitions"][theme]
        assert len(read["groups"]) == 1
        assert set(read["valid"]) == {layer.title.zh for layer in (*FEATURES, *RASTERS) if layer.theme == theme}
        assert all(read["valid"].values())


def _colours(picture: Path) -> dict[tuple[int, ...], int]:
    image = (matplotlib.image.imread(picture)[:, :, :3] * 255).round().astype(int)
    colours, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(colour): int(count) for colour, count in zip(colours.tolist(), counts, strict=True)}


@pytest.mark.parametrize("name", ["qgis-parcels-tiles", "qgis-parcels-features"])
def test_parcels_are_drawn_in_the_colours_of_their_classes(
    found: dict[str, Any], service: Any, artefacts: Path, name: str
) -> None:
    """The classes in the picture's middle are seen in the colours of the code list, and those that are not, not."""
    assert found
    west, south, east, north = MIDDLE
    items = httpx.get(
        f"{service.url}/collections/parcels/items", trust_env=False,
        params={"f": "json", "bbox": f"{west},{south},{east},{north}", "limit": 10000},
    ).json()["features"]  # fmt: skip
    areas: dict[str, float] = {}
    for item in items:
        areas[item["properties"]["dlbm"]] = areas.get(item["properties"]["dlbm"], 0) + item["properties"]["tbmj"]
    codes = CATALOG.codes["land_use_survey"].codes
    largest = sorted(areas, key=lambda code: -areas[code])[:6]
    seen = _colours(artefacts / f"{name}.png")
    for code in largest:
        assert seen.get(tuple(bytes.fromhex(codes[code].color[1:])), 0) > 300, code
    absent = {codes[code].color for code in codes} - {codes[code].color for code in areas}
    assert not [colour for colour in absent if seen.get(tuple(bytes.fromhex(colour[1:])), 0) > 300]
