"""Site finding over HTTP: every site held against the files of the sample city by geopandas, rasterio and pyproj, and
against the site check.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Geod
from rasterio.features import geometry_mask

from shikong.layers import catalog
from support.sample_files import read

GEOD = Geod(a=6378137.0, rf=298.257222101)
CITY = catalog.default()
PLANE = 4548
#: The plane is up to so much larger than the ground.
SCALE = 6e-4
#: What the rules forbid for a factory or for homes, by hand: layer and classes.
FORBIDDEN = (
    ("permanent_farmland", None), ("ecological_redline", None), ("water_plan", {"river_management", "blue_line", "source_level_1"}),
    ("heritage_zones", {"protection"}), ("utility_plan", {"power_corridor"}), ("approved_projects", None),
)  # fmt: skip


def ask(client: Any, **inputs: Any) -> Any:
    answer = client.post("/processes/site-find/execution", {"inputs": inputs})
    assert answer.status == 200, answer.text
    return answer.json


def sites_of(answer: Any) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame.from_features(answer["features"]["features"], crs=4490)
    assert [*frame["rank"]] == [*range(1, len(frame) + 1)]
    return frame


def hectares(shape: Any) -> float:
    return abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))[0]) / 10_000


@pytest.fixture(scope="module")
def plans(sample_city: Any) -> dict[str, gpd.GeoDataFrame]:
    """The surfaces that matter, of the files."""
    found = {}
    for name, classes in (*FORBIDDEN, ("planning_zones", None), ("roads", None), ("districts", None)):
        frame = read(sample_city.files, name).to_crs(4490)
        found[name] = frame[frame["type"].isin(classes)] if classes else frame
    return found


QUESTIONS = [
    {"project": "industry", "district": "371502", "min_area_ha": 2, "limit": 100},
    {"project": "housing", "district": "371502", "min_area_ha": 3, "max_area_ha": 8, "road_within_m": 150,
     "redline_distance_m": 250, "farmland_distance_m": 40, "max_slope_deg": 0.5, "limit": 60},
    {"project": "commercial", "units": "plots", "min_area_ha": 1, "classes": ["0901"], "road_classes": ["primary"],
     "road_within_m": 900, "limit": 40},
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=["factories", "homes", "plots"])
def test_each_site_is_what_was_asked_for(
    client: Any, plans: dict[str, gpd.GeoDataFrame], sample_city: Any, question: dict[str, Any]
) -> None:
    answer = ask(client, **question)
    sites, rows = sites_of(answer), answer["tables"]["sites"]["rows"]
    assert len(sites) == min(answer["found"], question["limit"]) > 5
    areas = [hectares(shape) for shape in sites.geometry]
    assert areas == [pytest.approx(row["area_ha"], abs=2e-4) for row in rows]
    assert min(areas) >= question["min_area_ha"]
    assert max(areas) <= question.get("max_area_ha", np.inf) * (1 + 1e-6)
    assert (sites.geom_type == "Polygon").all()
    assert sites.is_valid.all()

    if question.get("units") != "plots":
        fits = CITY.site_check.rules["zone_class"].fits[question["project"]] if CITY.site_check else ()
        zones = plans["planning_zones"]
        allowed = zones[zones["ghfldm"].str.startswith(tuple(fits))].union_all()
    else:
        plots = read(sample_city.files, "detailed_plots").to_crs(4490)
        allowed = plots[plots["ghfldm"].str.startswith("0901")].union_all()
    outside = shapely.difference(sites.geometry.to_numpy(), allowed)
    assert max(hectares(shape) * 10_000 for shape in outside) < 1
    for name, _ in FORBIDDEN:
        on = gpd.overlay(sites[["geometry"]], plans[name][["geometry"]], how="intersection", keep_geom_type=True)
        assert all(hectares(shape) * 10_000 < 1 for shape in on.geometry), name

    flat = sites.to_crs(PLANE).geometry
    for name, asked in (("ecological_redline", "redline_distance_m"), ("permanent_farmland", "farmland_distance_m")):
        if question.get(asked):
            others = plans[name].to_crs(PLANE).geometry.union_all()
            assert flat.distance(others).min() >= question[asked] * (1 - 1e-6)
    roads = plans["roads"]
    classes = question.get("road_classes", ["trunk", "primary", "secondary", "tertiary"])
    ways = roads[roads["class"].isin(classes)].to_crs(PLANE).geometry.union_all()
    for row, metres in zip(rows, flat.distance(ways), strict=True):
        assert row["road_m"] == pytest.approx(metres, rel=SCALE, abs=0.6)
        assert metres <= question.get("road_within_m", np.inf) * (1 + SCALE)


@pytest.mark.parametrize("question", QUESTIONS, ids=["factories", "homes", "plots"])
def test_no_site_is_forbidden_by_the_site_check_which_tells_the_same_conditions(
    client: Any, question: dict[str, Any]
) -> None:
    answer = ask(client, **question)
    for feature, site in zip(answer["features"]["features"], answer["sites"], strict=True):
        checked = client.post("/processes/site-check/execution", {
            "inputs": {"site": feature["geometry"], "project": question["project"]}}).json  # fmt: skip
        assert checked["verdict"] != "forbidden", site
        assert checked["verdict"] == feature["properties"]["verdict"]
        told = {finding["rule"]: finding["area_m2"] for finding in site["conditions"]}
        assert told == {each["rule"]: pytest.approx(each["area_m2"], rel=1e-4, abs=0.5) for each in checked["findings"]}
        assert {each["plot"] for each in site["indicators"]} <= {each["plot"] for each in checked["indicators"]}


def slope_by_hand(heights: Any, transform: Any, site: Any) -> tuple[float, float]:
    """Mean and 95th percentile of Horn's slope, cell by cell."""
    inside = geometry_mask([site], heights.shape, transform, invert=True)
    if not inside.any():
        inside = geometry_mask([site], heights.shape, transform, all_touched=True, invert=True)
    found = []
    for row, column in zip(*np.nonzero(inside), strict=True):
        z = heights[row - 1 : row + 2, column - 1 : column + 2]
        lon, lat = transform @ (column + 0.5, row + 0.5)
        across = GEOD.inv(lon, lat, lon + transform.a, lat)[2]
        down = GEOD.inv(lon, lat, lon, lat + transform.e)[2]
        if not np.isfinite(z).all():
            continue
        east = ((z[:, 2] - z[:, 0]) * [1, 2, 1]).sum() / (8 * across)
        south = ((z[2] - z[0]) * [1, 2, 1]).sum() / (8 * down)
        found.append(np.degrees(np.arctan(np.hypot(east, south))))
    return float(np.mean(found)), float(np.percentile(found, 95))


def test_slopes_are_those_of_the_raster(client: Any, sample_city: Any) -> None:
    with rasterio.open(sample_city.files / "elevation.tif") as raster:
        heights = raster.read(1, masked=True).astype(float).filled(np.nan)
        transform = raster.transform
    answer = ask(client, project="industry", district="371502", min_area_ha=2, limit=60)
    for feature, row in zip(answer["features"]["features"], answer["tables"]["sites"]["rows"], strict=True):
        mean, p95 = slope_by_hand(heights, transform, shapely.geometry.shape(feature["geometry"]))
        assert row["slope_mean_deg"] == pytest.approx(mean, abs=0.006)
        assert row["slope_p95_deg"] == pytest.approx(p95, abs=0.006)
    steep = sorted(row["slope_p95_deg"] for row in answer["tables"]["sites"]["rows"])
    middle = steep[len(steep) // 2] + 0.006
    flat = ask(client, project="industry", district="371502", min_area_ha=2, limit=100, max_slope_deg=middle)
    assert 0 < flat["found"] < answer["found"]
    assert all(row["slope_p95_deg"] <= middle + 0.005 for row in flat["tables"]["sites"]["rows"])


def test_the_account_of_the_land_is_that_of_an_overlay_of_the_files(
    client: Any, plans: dict[str, gpd.GeoDataFrame]
) -> None:
    answer = ask(client, project="industry", district="371502", min_area_ha=2)
    steps = answer["tables"]["account"]["rows"]
    county = plans["districts"].set_index("xzqdm").loc["371502"].geometry
    zones = plans["planning_zones"]
    land = shapely.intersection(zones[zones["ghfldm"].str.startswith("10")].union_all(), county)
    assert steps[0]["left_ha"] == pytest.approx(hectares(land), rel=1e-6)
    for name, _ in FORBIDDEN:
        near = plans[name].iloc[plans[name].sindex.query(land)]
        land = shapely.difference(land, near.union_all())
    width = next(step for step in steps if step["step"] == "width")
    assert width["left_ha"] + width["removed_ha"] == pytest.approx(hectares(land), rel=1e-6)
    for step, before in zip(steps[1:], steps, strict=False):
        assert step["left_ha"] == pytest.approx(before["left_ha"] - step["removed_ha"], abs=0.002)
    parts = [hectares(part) for part in shapely.get_parts(land)]
    assert abs(sum(area >= 2 for area in parts) - answer["found"]) <= 1, "a site is missing, or one too many"
    assert steps[-1]["pieces"] == answer["found"]


def test_sites_are_ranked_by_what_their_criteria_count(client: Any) -> None:
    question = {
        "project": "housing",
        "district": "371502",
        "min_area_ha": 3,
        "services": ["school", "library"],
        "limit": 50,
    }
    answer = ask(client, **question)
    declared = CITY.site_find.criteria if CITY.site_find else {}
    totals = []
    reasons = [each["rows"] for each in (answer["tables"]["sites"], answer["tables"]["reasons"])]
    for site, row, why in zip(answer["sites"], *reasons, strict=True):
        told = {each["criterion"]: each for each in site["criteria"]}
        assert set(told) == set(declared)
        for name, each in told.items():
            rule = declared[name]  # type: ignore[index]
            if each["value"] is None:
                assert each["score"] in (0, 1)
                continue
            share = (each["value"] - rule.worst) / (rule.best - rule.worst)
            assert each["score"] == pytest.approx(min(1, max(0, share)), abs=0.02)
            assert each["speaks"] == ("for" if each["score"] >= 0.5 else "against")
            assert each["reason"]["zh"] in why[each["speaks"]]["zh"]
        weight = sum(each["weight"] for each in told.values())
        total = sum(each["weight"] * each["score"] for each in told.values()) / weight
        assert row["score"] == pytest.approx(total, abs=1e-3)
        totals.append(row["score"])
    assert totals == sorted(totals, reverse=True)
    only = {name: 0.0 for name in declared} | {"service": 1.0}
    near = ask(client, **question, weights=only)["tables"]["sites"]["rows"]
    ways = [row["service_m"] if row["service_m"] is not None else np.inf for row in near]
    beyond = [max(way, 300) for way in ways]
    assert beyond == sorted(beyond)
    assert near[0]["service_m"] < max(way for way in ways if np.isfinite(way))


def test_services_are_as_far_as_the_files_say(client: Any, sample_city: Any) -> None:
    answer = ask(client, project="housing", district="371502", min_area_ha=3, services=["school", "library"],
                 service_within_m=2500, limit=40)  # fmt: skip
    plots = read(sample_city.files, "detailed_plots")
    schools = plots[plots["ghfldm"].str.startswith("0804")].to_crs(PLANE).geometry.union_all()
    venues = read(sample_city.files, "culture_venues")
    mine = venues[venues["type"] == "library"]
    libraries = gpd.GeoSeries(gpd.points_from_xy(mine["lon"], mine["lat"]), crs=4490).to_crs(PLANE).union_all()
    flat = sites_of(answer).to_crs(PLANE).geometry
    expected = np.maximum(flat.distance(schools), flat.distance(libraries))
    told = [row["service_m"] for row in answer["tables"]["sites"]["rows"]]
    assert told == [pytest.approx(way, rel=SCALE, abs=0.6) for way in expected]
    assert max(told) <= 2500


def test_present_classes_and_an_area_bound_the_search(client: Any, sample_city: Any) -> None:
    parcels = read(sample_city.files, "parcels").to_crs(4490)
    now = parcels[parcels["valid_to"].isna()]
    fields = now[now["dlbm"].str.startswith("01")]
    west, south, east, north = now.total_bounds
    area = shapely.box(west, south, east, north)
    answer = ask(client, project="utility", classes=["01", "07", "10"], present=["01"], min_area_ha=0.2,
                 area=shapely.geometry.mapping(area), limit=50)  # fmt: skip
    sites = sites_of(answer)
    assert len(sites)
    assert all("现状耕地占比" in each["against"]["zh"] for each in answer["tables"]["reasons"]["rows"])
    outside = shapely.difference(sites.geometry.to_numpy(), fields.union_all())
    assert max(hectares(shape) * 10_000 for shape in outside) < 1
    assert sites.within(area.buffer(1e-9)).all()
    for site, row in zip(answer["sites"], answer["tables"]["sites"]["rows"], strict=True):
        assert row["cropland_pct"] == pytest.approx(100, abs=0.1)
        assert {each["class"][:2] for each in site["present"] if each["area_ha"] > 0.001} == {"01"}


def test_when_there_is_nothing_the_reason_is_told(client: Any) -> None:
    answer = ask(client, project="industry", district="371502", min_area_ha=5000)
    assert (answer["found"], answer["features"]["features"], answer["sites"]) == (0, [], [])
    assert "小于 5000 公顷" in answer["reason"]["zh"]
    assert "5000 ha" in answer["reason"]["en"]
    last = answer["tables"]["account"]["rows"][-1]
    assert (last["left_ha"], last["pieces"]) == (0, 0)
    none = ask(client, project="industry", district="371502", classes=["20"])
    assert none["found"] == 0
    assert "没有" in none["reason"]["zh"]
    far = ask(client, project="industry", district="371502", road_classes=["motorway"], road_within_m=0)
    assert far["found"] == 0
    assert "距道路" in far["reason"]["zh"]


def test_answers_name_releases_say_that_they_are_samples_and_are_the_same_again(client: Any) -> None:
    question = {"project": "school", "district": "371525", "min_area_ha": 1}
    answer = ask(client, **question)
    assert answer == ask(client, **question)
    assert answer["label"]["zh"]
    layers = {source["layer"] for source in answer["sources"]}
    assert {"planning_zones", "roads", "parcels", "elevation", "districts", "permanent_farmland"} <= layers
    assert all(source["release"] for source in answer["sources"])


@pytest.mark.parametrize("form", ["csv", "xlsx", "html"])
def test_sites_come_as_files(client: Any, form: str) -> None:
    inputs = {"project": "industry", "district": "371502", "limit": 3}
    told = client.post(f"/processes/site-find/execution?f={form}", {"inputs": inputs})
    assert told.status == 200
    answer = ask(client, **inputs)
    if form == "csv":
        rows = list(csv.reader(io.StringIO(told.content.decode("utf-8-sig"))))
        at = next(number for number, row in enumerate(rows) if row and row[0].startswith("名次"))
        assert [row[0] for row in rows[at + 1 : at + 4]] == ["1", "2", "3"]
        assert rows[at + 1][3] == str(answer["tables"]["sites"]["rows"][0]["area_ha"])
    if form == "html":
        assert answer["tables"]["reasons"]["rows"][0]["for"]["zh"] in told.text


SHANGHAI = shapely.geometry.mapping(shapely.box(121.4, 31.2, 121.5, 31.3))


@pytest.mark.parametrize(
    ("inputs", "parameter", "words"),
    [
        ({}, "project", "required"),
        ({"project": "castle"}, "project", "industry"),
        ({"project": "industry", "min_area_ha": -1}, "min_area_ha", "greater"),
        ({"project": "industry", "min_area_ha": 0}, "min_area_ha", "greater"),
        ({"project": "industry", "min_area_ha": 5, "max_area_ha": 2}, "max_area_ha", "below"),
        ({"project": "industry", "classes": ["9999"]}, "classes", "no class"),
        ({"project": "industry", "present": ["1001X"]}, "present", "no class"),
        ({"project": "industry", "road_classes": ["lane"]}, "road_classes", "primary"),
        ({"project": "industry", "road_within_m": -5}, "road_within_m", "greater"),
        ({"project": "industry", "services": ["bar"]}, "services", "school"),
        ({"project": "industry", "service_within_m": 100}, "services", "service_within_m"),
        ({"project": "industry", "max_slope_deg": 91}, "max_slope_deg", "less"),
        ({"project": "industry", "weights": {"beauty": 1}}, "weights", "compactness"),
        ({"project": "industry", "weights": {"road": -1}}, "weights", "0 or more"),
        ({"project": "industry", "district": "999999"}, "district", "371502"),
        ({"project": "industry", "area": SHANGHAI}, "area", "outside of the city"),
        ({"project": "industry", "area": {"type": "Point", "coordinates": [116, 36.4]}}, "area", "Point"),
        ({"project": "industry", "area": SHANGHAI, "district": "371502"}, "area", "not both"),
        ({"project": "industry", "limit": 0}, "limit", "greater"),
        ({"project": "industry", "asOf": "2000-01-01"}, "datetime", "later"),
    ],
)
def test_wrong_inputs_are_named(client: Any, inputs: dict[str, Any], parameter: str, words: str) -> None:
    answer = client.post("/processes/site-find/execution", {"inputs": inputs})
    assert answer.status == 400, answer.text
    assert answer.json["parameter"] == parameter
    assert words in json.dumps(answer.json, ensure_ascii=False)


def test_inputs_are_described_in_both_languages(client: Any) -> None:
    for language, title in (("zh-CN", "选址"), ("en-US", "Site finding")):
        told = client.get("/processes/site-find", f="json", lang=language).json
        assert told["title"] == title
        assert told["inputs"]["project"]["schema"]["enum"]
