"""The city's questions over HTTP, compared with answers worked out another way.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from pyproj import Transformer

from shikong.layers import catalog

ELLIPSOID = "+a=6378137 +rf=298.257222101 +no_defs"
EQUAL_AREA = Transformer.from_crs(f"+proj=longlat {ELLIPSOID}", f"+proj=cea +lon_0=116 {ELLIPSOID}", always_xy=True)


def _ask(client: Any, process: str, **inputs: Any) -> Any:
    answer = client.post(f"/processes/{process}/execution", {"inputs": inputs})
    assert answer.status == 200, answer.text
    return answer.json


def test_what_is_here_agrees_with_the_files(client: Any, sample_city: Any) -> None:
    parcels = gpd.read_file(sample_city.files / "parcels.fgb").to_crs(4490)
    parcel = parcels[parcels["valid_to"].isna()].iloc[100]
    point = parcel.geometry.representative_point()
    answer = _ask(client, "what-is-here", lon=point.x, lat=point.y, radius=500)
    found = {feature["id"] for feature in answer["features"]["features"]}
    assert f"parcels/{parcel['bsm']}" in found
    districts = gpd.read_file(sample_city.files / "districts.gpkg")
    assert {f"districts/{code}" for code in districts[districts.intersects(point)]["xzqdm"]} <= found
    layers = {row["layer"] for row in answer["answers"]}
    assert {"行政区", "地类图斑", "数字高程模型", "降水格网"} <= layers
    told = {row["collection"]: (row["what"], row["what_en"]) for row in answer["answers"]}
    height = told["elevation"][0].removeprefix("高程 ")
    assert told["elevation"] == (f"高程 {height}", f"Elevation {height}")
    assert "Township (township)" in " ".join(row["what_en"] for row in answer["answers"])


@pytest.mark.parametrize("rule", ["growth_on_farmland", "growth_on_redline", "construction_on_farmland"])
def test_plan_conflicts_are_exactly_the_planted_ones(client: Any, sample_city: Any, rule: str) -> None:
    declared = catalog.default().conflicts.rules[rule]
    planted = json.loads((sample_city.files / "known_conflicts.json").read_text(encoding="utf-8"))
    sides = declared.a.layer, declared.b.layer
    expected = {(c["a_id"], c["b_id"]): c["area_m2"] for c in planted if (c["a_layer"], c["b_layer"]) == sides}
    assert expected
    answer = _ask(client, "plan-conflicts", rules=[rule])
    features = [*answer["features"]["features"], *answer["sliver_features"]["features"]]
    found = {(f["properties"]["a_id"], f["properties"]["b_id"]): f for f in features}
    assert set(found) == set(expected)
    for pair, area in expected.items():
        # The generator overlays in the Gauss-Krueger plane, whose edges are not quite the rule's: a sliver shows it.
        assert found[pair]["properties"]["area_m2"] == pytest.approx(area, rel=1e-4, abs=2)
        # PROJ's equal-area plane gives areas independently, with so many points on each edge that it is straight in
        # degrees as it was cut. A piece has its share of its surface's area by the rule, which differs by millionths.
        many = shapely.segmentize(shapely.geometry.shape(found[pair]["geometry"]), 1e-5)
        plane = shapely.transform(many, _equal_area)
        assert found[pair]["properties"]["area_m2"] == pytest.approx(plane.area, rel=2e-5, abs=0.006)


def _equal_area(degrees: Any) -> Any:
    return np.column_stack(EQUAL_AREA.transform(degrees[:, 0], degrees[:, 1]))


def test_slivers_are_set_apart_not_dropped(client: Any) -> None:
    plans = {"a": "urban_growth_boundary", "b": "permanent_farmland"}
    everything = _ask(client, "plan-conflicts", sliver_m2=0, **plans)
    strict = _ask(client, "plan-conflicts", sliver_m2=20_000, **plans)
    assert strict["conflicts"] + strict["slivers"] == everything["conflicts"]
    assert strict["area_m2"] + strict["slivers_area_m2"] == pytest.approx(everything["area_m2"], abs=0.5)


def test_land_use_change_adds_up(client: Any, sample_city: Any) -> None:
    answer = _ask(client, "land-use-change", from_year=2020, to_year=2025)
    rows = gpd.read_file(sample_city.files / "parcels.fgb", ignore_geometry=True)

    def at(day: str) -> pd.DataFrame:
        return rows[
            (rows["valid_from"].astype(str) <= day) & (rows["valid_to"].isna() | (rows["valid_to"].astype(str) > day))
        ]

    joined = at("2020-12-31").merge(at("2025-12-31"), on="bsm", suffixes=("_old", "_new"))
    changed = joined[joined["dlbm_old"] != joined["dlbm_new"]].groupby(["dlbm_old", "dlbm_new"]).size()
    told = {(c["from"][: c["from"].index(" ")], c["to"][: c["to"].index(" ")]): c["parcels"] for c in answer["changes"]}
    assert told == changed.to_dict()
    assert answer["total_from_ha"] == pytest.approx(answer["total_to_ha"])
    assert sum(row["change_ha"] for row in answer["areas"]) == pytest.approx(0, abs=0.01)
    assert sum(row["to_ha"] for row in answer["areas"]) == pytest.approx(answer["total_to_ha"], abs=0.01)


def test_station_states_follow_their_levels(client: Any, sample_city: Any) -> None:
    observations = pd.read_csv(sample_city.files / "hydro_observations.csv", dtype={"stcd": str}).dropna(subset=["z"])
    newest = observations.sort_values("time").groupby("stcd").last()["z"]
    answer = _ask(client, "station-state")
    states = {row["station"]: row for row in answer["stations"]}
    assert {row["state"] for row in states.values()} >= {"above_guarantee", "above_warning", "normal", "not_rateable"}
    for code, row in states.items():
        assert row["level_m"] == (pytest.approx(newest[code]) if code in newest.index else None)
        if row["state"] == "above_warning":
            assert row["level_m"] >= row["warning_m"]
        if row["state"] == "normal":
            assert row["level_m"] < row["warning_m"]
    above = next(code for code, row in states.items() if row["state"] == "above_guarantee")
    assert _ask(client, "station-state", station=above)["plot"].startswith("data:image/svg+xml")


def test_events_near_me_are_near_and_soon(client: Any) -> None:
    answer = _ask(client, "culture-this-week", radius_km=20)
    assert answer["found"] == len(answer["events"]) > 0
    assert all(row["distance_m"] <= 20_000 for row in answer["events"])


def _own_rule(**changed: Any) -> dict[str, Any]:
    """A rule matrix as a client may send it."""
    words = {name: {"zh": "甲", "en": "A"} for name in ("title", "basis", "advice")}
    rule = {
        "severity": "low",
        "a": {"layer": "parcels", "classes": ["07"]},
        "b": {"layer": "ecological_redline", "within": 50},
    }
    return {"rules": {"mine": words | rule | changed}}


def test_the_published_conflicts_are_the_answer_for_today(client: Any) -> None:
    answer = _ask(client, "plan-conflicts")
    told = {
        f["id"]: f["properties"]["area_m2"]
        for part in ("features", "sliver_features")
        for f in answer[part]["features"]
    }
    items = client.get("/collections/plan_conflicts/items", f="json", limit=10000).json["features"]
    assert told == pytest.approx({f["id"]: f["properties"]["area"] for f in items}, abs=0.006)
    assert (
        sum(rule["conflicts"] for rule in answer["rules"]) == answer["conflicts"] == len(answer["features"]["features"])
    )
    assert answer["releases"].keys() >= {"urban_growth_boundary", "parcels"}


def test_rules_of_ones_own_and_single_districts(client: Any) -> None:
    answer = _ask(client, "plan-conflicts", matrix=_own_rule())
    assert {f["properties"]["rule"] for f in answer["features"]["features"]} <= {"mine"}
    whole = _ask(client, "plan-conflicts", rules=["construction_on_redline"])
    ids = {f["id"] for f in whole["features"]["features"]}
    parts = [
        {
            f["id"]
            for f in _ask(client, "plan-conflicts", rules=["construction_on_redline"], district=code)["features"][
                "features"
            ]
        }
        for code in sorted({f["properties"]["xzqdm"] for f in whole["features"]["features"]})
    ]
    assert set().union(*parts) == ids
    assert all(part < ids for part in parts) or len(parts) == 1


@pytest.mark.parametrize(
    ("process", "inputs", "parameter"),
    [
        ("what-is-here", {"lon": 500}, "lon"),
        ("what-is-here", {"lat": "north"}, "lat"),
        ("what-is-here", {"longitude": 116}, "longitude"),
        ("plan-conflicts", {"a": "roads"}, "a"),
        ("plan-conflicts", {"a": "parcels", "b": "parcels"}, "b"),
        ("plan-conflicts", {"a": "parcels"}, "b"),
        ("plan-conflicts", {"a": "parcels", "rules": ["growth_on_farmland"]}, "rules"),
        ("plan-conflicts", {"rules": ["none"]}, "rules"),
        ("plan-conflicts", {"district": "999999"}, "district"),
        ("plan-conflicts", {"matrix": {"rules": {"x": {}}}}, "matrix.rules.x.title"),
        ("plan-conflicts", {"matrix": _own_rule(a={"layer": "nowhere"})}, "matrix.rules.mine.a.layer"),
        (
            "plan-conflicts",
            {"matrix": _own_rule(a={"layer": "parcels", "classes": ["99"]})},
            "matrix.rules.mine.a.classes",
        ),
        ("land-use-change", {"from_year": 2025, "to_year": 2020}, "to_year"),
        ("station-state", {"station": "none"}, "station"),
    ],
)
def test_wrong_inputs_are_named(client: Any, process: str, inputs: dict[str, Any], parameter: str) -> None:
    answer = client.post(f"/processes/{process}/execution", {"inputs": inputs})
    assert answer.status == 400
    assert answer.json["parameter"] == parameter


def test_processes_are_described_in_both_languages(client: Any) -> None:
    for language, title in (("zh-CN", "此处有什么"), ("en-US", "What is here")):
        description = client.get("/processes/what-is-here", f="json", lang=language).json
        assert description["title"] == title
        assert list(description["inputs"]) == ["lon", "lat", "radius", "asOf", "datetime"]
    assert client.post("/processes/none/execution", {}).status == 404


def test_rain_here_is_the_last_up_to_the_time(client: Any, sample_city: Any) -> None:
    with xr.open_dataset(sample_city.files / "precipitation.nc") as rain:
        times = pd.DatetimeIndex(rain["time"].values, tz="UTC")
    for moment, expected in ((times[7], times[7]), (times[9] - pd.Timedelta("1s"), times[8]), (None, times[-1])):
        given = {"datetime": moment.isoformat()} if moment is not None else {}
        rows = _ask(client, "what-is-here", lon=115.985, lat=36.456, **given)["answers"]
        assert [pd.Timestamp(row["id"]) for row in rows if row["layer"] == "降水格网"] == [expected]
    early = (times[0] - pd.Timedelta("1s")).isoformat()
    rows = _ask(client, "what-is-here", lon=115.985, lat=36.456, datetime=early)["answers"]
    assert "降水格网" not in {row["layer"] for row in rows}
