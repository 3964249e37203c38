"""The shipped declarations, what is derived from them, and how mistakes in them are told.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from shikong.layers import catalog, json_schema
from shikong.layers.errors import DeclarationError, UnknownLayer
from shikong.server import pygeoapi_config

ROOT = Path(__file__).parents[2]


def test_pygeoapi_config_is_what_the_declarations_say() -> None:
    committed = (ROOT / "pygeoapi-config.yml").read_text(encoding="utf-8")
    assert committed == pygeoapi_config.render(catalog.load()), "drifted: run `shikong layers config` and commit"


@pytest.mark.parametrize("name", json_schema.MODELS)
def test_editor_schemas_are_what_the_models_say(name: str) -> None:
    committed = (catalog.HOME / "schema" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert committed == json_schema.render(json_schema.MODELS[name]), "drifted: run `shikong layers config` and commit"


def test_every_declaration_fits_its_editor_schema() -> None:
    schemas = {name: json.loads(json_schema.render(model)) for name, model in json_schema.MODELS.items()}
    for path in catalog.HOME.rglob("*.yml"):
        folders = {"codes": "code_list", "crosswalks": "crosswalk"}
        alone = {
            "city.yml": "city",
            "conflicts.yml": "conflict_rules",
            "site_check.yml": "site_check",
            "site_find.yml": "site_find",
            "coordination.yml": "coordination",
            "reservoirs.yml": "reservoirs",
            "warning_rules.yml": "warning_rules",
            "forecasts.yml": "forecasts",
        }
        kind = alone.get(path.name) or folders.get(path.parent.name, "layer")
        jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schemas[kind])


def test_all_five_domains_and_the_base_map_have_layers() -> None:
    found = catalog.load()
    themes = {layer.theme for layer in found}
    assert themes >= {"base", "planning", "nature", "water", "culture"}
    assert len(found.layers) >= 15
    with pytest.raises(UnknownLayer, match="parcels"):
        found.layer("parcel")


BROKEN = [
    ("conflicts.yml", "layer: urban_growth_boundary", "layer: nowhere", "rules.growth_on_farmland.a.layer", "not a layer of surfaces"),
    ("conflicts.yml", "layer: urban_growth_boundary", "layer: roads", "rules.growth_on_farmland.a.layer", "not a layer of surfaces"),
    ("conflicts.yml", "group: construction", "group: houses", "rules.built_on_farmland.a.group", "no group"),
    ("conflicts.yml", "group: construction", "classes: [\"9999\"]", "rules.built_on_farmland.a.classes", "no classes of parcels"),
    ("conflicts.yml", "b: {layer: permanent_farmland}", "b: {layer: urban_growth_boundary}", "rules.growth_on_farmland", "the same layer"),
    ("conflicts.yml", "severity: high", "severity: grave", "rules.growth_on_farmland.severity", "Input should be"),
    ("conflicts.yml", "a: {layer: urban_growth_boundary}", "limit: {value: zone, at_most: area}\n    a: {layer: urban_growth_boundary}", "rules.growth_on_farmland.limit", "not a number field"),
    ("conflicts.yml", "a: {layer: urban_growth_boundary}", "limit: {value: area}\n    a: {layer: urban_growth_boundary}", "rules.growth_on_farmland.limit", "at_most"),
    ("site_find.yml", "zones: planning_zones", "zones: roads", "zones", "surfaces with classes"),
    ("site_find.yml", "terrain: elevation", "terrain: parcels", "terrain", "not a coverage"),
    ("site_find.yml", "classes: [library]", "classes: [castle]", "services.library.land.classes", "no classes of culture_venues"),
    ("site_find.yml", "redline: {layer: ecological_redline}", "redline: {layer: elevation}", "redline.layer", "not a layer of features"),
    ("site_find.yml", "taken: [approved_before]", "taken: [approved_after]", "taken", "no rules of site_check.yml"),
    ("site_find.yml", "cropland: [\"01\"]", "cropland: [\"99\"]", "cropland", "no classes of parcels"),
    ("site_find.yml", "  road: {title", "  walk: {title", "criteria.walk", "Input should be"),
    ("site_find.yml", "best: 50, worst: 2000", "best: 50, worst: 50", "criteria.road", "the same"),
    ("base/districts.yml", "steward:", "colour: red\nsteward:", "colour", "Extra inputs"),
    ("base/districts.yml", "steward: 聊城市民政局", "", "steward", "required"),
    ("base/districts.yml", ", en: Administrative districts", "", "title.en", "required"),
    ("base/districts.yml", "geometry: MultiPolygon", "geometry: Blob", "geometry", "Input should be"),
    ("base/districts.yml", "codes: district_level", "codes: nothing", "fields.level.codes", "no code list"),
    ("base/districts.yml", "key: true, title: {zh: 行政区代码", "title: {zh: 行政区代码", "(file)", "exactly one field"),
    ("base/districts.yml", "theme: base", "theme: water", "theme", "lies in base/"),
    ("base/districts.yml", "id: districts", "id: district", "id", "the file is called"),
    ("base/districts.yml", "kind: features", "kind: features\nkind: coverage", "(yaml)", "given twice"),
    ("base/districts.yml", "min_zoom: 4", "min_zoom: 20", "tiles", "above max_zoom"),
    ("base/districts.yml", "{color: \"#7A8A99\",", "{color: \"#7A8A99\", by: area,", "(file)", "not a field with `codes`"),
    ("base/districts.yml", "  level: {", "  origin: {", "(file)", "the service's own"),
    ("culture/culture_events.yml", "start: starts", "start: title", "(file)", "not a date"),
    ("nature/parcels.yml", "time: {valid: true}", "time: {valid: true, start: bsm}", "time", "either"),
    ("water/hydro_observations.yml", "stations: hydro_stations", "stations: rivers", "stations", "not a layer of points"),
    ("base/districts.yml", "access:", "source: {url: \"http://h/a.zip\", schedule: 0 25 * * *}\naccess:", "source.schedule", "no cron expression"),
    ("base/districts.yml", "access:", "source: {url: \"http://h/a.zip\", schedule: \"@daily\"}\naccess:", "source.schedule", "no cron expression"),
    ("base/districts.yml", "access:", "source: {url: \"http://h/a.zip\"}\naccess:", "source", "`url` needs `schedule`"),
    ("base/districts.yml", "access:", "source: {url: \"http://h/a.zip\", schedule: 0 3 * * *, folder: a, pattern: \"*.zip\"}\naccess:", "source", "give either"),
    ("base/districts.yml", "access:", "source: {folder: ../etc, pattern: \"*.zip\"}\naccess:", "source.folder", "below the data folder"),
    ("base/districts.yml", "access:", "source: {folder: /etc, pattern: \"*.zip\"}\naccess:", "source.folder", "below the data folder"),
    ("base/districts.yml", "access:", "source: {folder: in, pattern: \"*.shp\"}\naccess:", "source.pattern", "a shapefile comes zipped"),
    ("catalogue/layers.yml", "access:", "source: {folder: in, pattern: \"*.zip\"}\naccess:", "(file)", "has no `source`"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "field", "message"), BROKEN)
def test_a_mistake_is_told_with_file_line_and_field(
    home: Path, file: str, old: str, new: str, field: str, message: str
) -> None:
    path = home / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        catalog.load(home)
    fault = caught.value.faults[0]
    assert (fault.file, fault.field) == (path, field)
    assert message in fault.message
    assert str(fault).startswith(f"{path}:{fault.line}: {field}: ")
    if new.startswith(("colour", "geometry")):
        assert path.read_text(encoding="utf-8").splitlines()[fault.line - 1] == new.splitlines()[0]


def test_a_cron_expression_that_is_wrong_is_told_with_its_line(home: Path) -> None:
    path = home / "base/roads.yml"
    text = path.read_text(encoding="utf-8") + "source:\n  url: http://host/roads.zip\n  schedule: 61 3 * * *\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        catalog.load(home)
    (fault,) = caught.value.faults
    assert text.splitlines()[fault.line - 1] == "  schedule: 61 3 * * *"


def test_two_layers_cannot_watch_one_folder(home: Path) -> None:
    for file in ("base/roads.yml", "water/rivers.yml"):
        path = home / file
        text = path.read_text(encoding="utf-8") + 'source: {folder: inbox, pattern: "*.zip"}\n'
        path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"roads, rivers|rivers, roads"):
        catalog.load(home)


def test_all_mistakes_are_told_together(home: Path) -> None:
    for file in ("base/roads.yml", "water/precipitation.yml"):
        path = home / file
        path.write_text(path.read_text(encoding="utf-8").replace("steward:", "stewart:"), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        catalog.load(home)
    assert {fault.file.name for fault in caught.value.faults} == {"roads.yml", "precipitation.yml"}


def test_a_file_that_is_not_utf8_is_told(home: Path) -> None:
    (home / "base/roads.yml").write_bytes("id: roads\ntitle: 道路".encode("gb18030"))
    with pytest.raises(DeclarationError, match="not UTF-8"):
        catalog.load(home)
