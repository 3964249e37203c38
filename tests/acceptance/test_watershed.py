"""Water on the ground over HTTP: basins, traces, streams and floods of the sample city, held against its files and
against each other.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from pyproj import Geod
from rasterio.features import geometry_mask

from support.sample_files import read

GEOD = Geod(a=6378137.0, rf=298.257222101)
#: On the Tuhai (R02), a main river that canals cross, and below where two tributaries have joined it.
TUHAI = {"lon": 116.20, "lat": 36.64}


def ask(client: Any, process: str, **inputs: Any) -> Any:
    answer = client.post(f"/processes/{process}/execution", {"inputs": inputs})
    assert answer.status == 200, answer.text
    return answer.json


def refused(client: Any, process: str, **inputs: Any) -> Any:
    answer = client.post(f"/processes/{process}/execution", {"inputs": inputs})
    assert 400 <= answer.status < 500, answer.text
    return answer.json


def shapes(answer: Any, kind: str) -> list[Any]:
    return [shapely.geometry.shape(each["geometry"]) for each in answer["features"]["features"]
            if each["properties"]["kind"] == kind]  # fmt: skip


def km2(shape: Any) -> float:
    """Along parallels and meridians, as cells lie."""
    many = shapely.segmentize(shapely.orient_polygons(shape), 0.001)
    return abs(GEOD.geometry_area_perimeter(many)[0]) / 1e6


def figures(answer: Any) -> dict[str, float]:
    return {row["name"]: row["value"] for row in answer["tables"]["characteristics"]["rows"]}


@pytest.fixture(scope="module")
def basin(client: Any) -> Any:
    return ask(client, "watershed", **TUHAI)


@pytest.fixture(scope="module")
def rivers(sample_city: Any) -> gpd.GeoDataFrame:
    return read(sample_city.files, "rivers").to_crs(4490).set_index("river_id")


def test_a_basin_has_the_ground_that_the_rivers_drain(basin: Any, rivers: gpd.GeoDataFrame, sample_city: Any) -> None:
    (shape,) = shapes(basin, "basin")
    assert shape.is_valid
    told = figures(basin)
    assert told["area_km2"] == pytest.approx(km2(shape), rel=1e-5)
    assert told["area_km2"] == pytest.approx(basin["outlet"]["upstream_km2"], rel=1e-5)
    # The Tuhai's own course above the place lies in it but for cells along its rim, and so do its tributaries there.
    step = 0.004
    (place,) = shapes(basin, "outlet_snapped")
    for name, tolerance in (("R02", 0.02), ("R07", 0.1), ("R09", 0.1), ("R10", 0.1)):
        line = rivers.geometry[name]
        above = (
            line
            if name != "R02"
            else shapely.ops.substring(shapely.line_merge(line), 0, shapely.line_merge(line).project(place))
        )
        outside = above.difference(shape.buffer(step))
        assert outside.length <= tolerance * above.length, name
    with rasterio.open(next(sample_city.files.glob("elevation*.tif"))) as raster:
        inside = geometry_mask([shape], raster.shape, raster.transform, invert=True)
        heights = raster.read(1, masked=True)[inside]
    assert told["elevation_min_m"] == pytest.approx(float(heights.min()), abs=0.01)
    assert told["elevation_max_m"] == pytest.approx(float(heights.max()), abs=0.01)
    assert told["elevation_mean_m"] == pytest.approx(float(heights.mean()), abs=0.05)
    assert told["elevation_p50_m"] == pytest.approx(float(np.median(heights.compressed())), abs=0.05)


def test_the_answer_says_what_was_done_and_from_what(basin: Any, client: Any) -> None:
    releases = client.get("/collections/releases/items", f="json", limit=100).json["features"]
    of = [int(each["id"]) for each in releases if each["properties"]["layer"] == "elevation"]
    assert basin["model"]["release"] == max(of)
    assert basin["model"]["rivers_burnt"] == 19
    assert "烧入" in basin["model"]["note"]["zh"]
    assert {source["layer"] for source in basin["sources"]} == {"elevation", "rivers", "hydro_stations"}
    assert basin["label"] == {"zh": "生成的样例数据", "en": "Generated sample"}
    assert basin["outlet"]["clicked"] == [TUHAI["lon"], TUHAI["lat"]]
    assert basin["complete"] is (basin["incomplete"] is None)


def test_a_basin_has_its_stations_and_no_others(basin: Any, sample_city: Any) -> None:
    (shape,) = shapes(basin, "basin")
    stations = read(sample_city.files, "hydro_stations")
    lon, lat = next((a, b) for a, b in (("lon", "lat"), ("lgtd", "lttd"), ("x", "y")) if a in stations)
    inside = stations[shapely.contains_xy(shape, stations[lon], stations[lat])]
    assert len(inside) > 2
    assert {row["station"] for row in basin["tables"]["stations"]["rows"]} == set(inside["stcd"])


def test_a_basin_at_the_rim_of_the_model_is_said_to_be_incomplete(client: Any) -> None:
    answer = ask(client, "watershed", lon=116.37, lat=36.28)
    assert answer["complete"] is False
    assert "edge of the elevation model" in answer["incomplete"]["en"]
    small = ask(client, "watershed", lon=116.08, lat=36.34, min_upstream_km2=1)
    assert small["complete"] is True
    assert small["incomplete"] is None


def test_a_click_is_moved_to_the_stream_or_stays(client: Any) -> None:
    beside = ask(client, "watershed", lon=116.212, lat=36.632, snap_m=3000, min_upstream_km2=500)
    moved = GEOD.inv(116.212, 36.632, *beside["outlet"]["snapped"])[2]
    assert beside["outlet"]["moved_m"] == pytest.approx(moved, abs=0.1)
    assert 100 < moved <= 3000
    assert beside["outlet"]["upstream_km2"] >= 500
    here = ask(client, "watershed", lon=116.212, lat=36.632, snap_m=0)
    assert here["outlet"]["moved_m"] == 0
    assert here["outlet"]["upstream_km2"] < 500


def test_a_trace_downstream_keeps_to_the_river(client: Any, rivers: gpd.GeoDataFrame) -> None:
    answer = ask(client, "river-trace", lon=115.70, lat=36.165, direction="downstream")
    (line,) = shapes(answer, "downstream")
    (row,) = answer["tables"]["traces"]["rows"]
    assert row["length_km"] == pytest.approx(GEOD.geometry_length(line) / 1000, abs=0.002)
    assert row["reaches_end"]["en"] == "yes"
    tuhai = rivers.geometry["R02"]
    away = [tuhai.distance(shapely.Point(xy)) for xy in line.coords]
    assert np.quantile(away, 0.95) < 0.004
    end = shapely.Point(shapely.line_merge(tuhai).coords[-1])
    assert end.distance(shapely.Point(line.coords[-1])) < 0.03
    assert {"31150300", "31150400", "31150500"} <= {each["station"] for each in answer["tables"]["stations"]["rows"]}
    short = ask(client, "river-trace", lon=115.70, lat=36.165, direction="downstream", distance_km=10)
    (row,) = short["tables"]["traces"]["rows"]
    assert 9 < row["length_km"] <= 10
    assert row["reaches_end"]["en"] == "no"


def test_a_trace_upstream_has_what_the_basin_has(client: Any, basin: Any) -> None:
    answer = ask(client, "river-trace", **TUHAI, direction="upstream")
    (shape,) = shapes(basin, "basin")
    found = shapes(answer, "stream")
    assert len(found) > 10
    inside = shape.buffer(1e-9)
    assert all(inside.contains(shapely.Point(line.coords[0])) for line in found)
    # Streams as lines, and cell by cell in the basin's figures, are the same length but for the rounding of both.
    together = sum(GEOD.geometry_length(line) for line in found) / 1000
    assert together == pytest.approx(figures(basin)["streams_km"], rel=0.002)
    assert sum(row["length_km"] for row in answer["tables"]["streams"]["rows"]) == pytest.approx(together, abs=0.1)
    (stem,) = shapes(answer, "main_stem")
    assert stem.coords[-1] == pytest.approx(basin["outlet"]["snapped"], abs=1e-6)
    both = ask(client, "river-trace", **TUHAI, direction="both", distance_km=5)
    assert [row["direction"]["en"] for row in both["tables"]["traces"]["rows"]] == ["Downstream", "Upstream"]
    assert all(row["length_km"] <= 5 for row in both["tables"]["traces"]["rows"])


def test_the_network_of_a_basin_is_what_lies_upstream(client: Any) -> None:
    whole = ask(client, "stream-network", min_upstream_km2=20)
    of = ask(client, "stream-network", min_upstream_km2=20, **TUHAI)
    orders = {each["id"]: each["properties"]["order"] for each in whole["features"]["features"]}
    part = {each["id"]: each["properties"]["order"] for each in of["features"]["features"]}
    assert part.items() <= orders.items()
    assert 5 < len(part) < len(orders)
    for each in whole["features"]["features"]:
        below = each["properties"]["flows_into"]
        assert orders.get(below, 99) >= each["properties"]["order"]
    traced = ask(client, "river-trace", **TUHAI, direction="upstream", min_upstream_km2=20)
    assert traced["tables"]["streams"] | {"title": None} == of["tables"]["streams"] | {"title": None}
    box = shapely.box(116.0, 36.5, 116.3, 36.7)
    boxed = ask(client, "stream-network", min_upstream_km2=20, bbox=list(box.bounds))
    lines = shapes(boxed, "stream")
    assert 0 < len(lines) < len(orders)
    assert all(box.contains(line) for line in lines)
    assert ask(client, "stream-network", bbox=[116.35, 36.27, 116.352, 36.272])["features"]["features"] == []


@pytest.fixture(scope="module")
def flood(client: Any) -> Any:
    return ask(client, "inundation", station="31150500", level_m=27.8, reach_km=15)


def test_a_level_at_a_station_floods_what_is_lower_and_drains_there(flood: Any, sample_city: Any) -> None:
    level = flood["level"]
    assert level["level_m"] == pytest.approx(27.8)
    assert level["above_drain_m"] == pytest.approx(27.8 - level["bed_m"], abs=0.002)
    assert level["datum"] == "1985国家高程基准"
    wet = shapes(flood, "flood")
    hectares = [
        each["properties"]["area_ha"] for each in flood["features"]["features"] if each["properties"]["kind"] == "flood"
    ]
    assert hectares == pytest.approx([km2(shape) * 100 for shape in wet], rel=1e-5)
    assert sum(hectares) == pytest.approx(flood["area_ha"], abs=0.01)
    assert [row["area_ha"] for row in flood["tables"]["depths"]["rows"]] == hectares
    with rasterio.open(next(sample_city.files.glob("elevation*.tif"))) as raster:
        heights = raster.read(1, masked=True)
        under = geometry_mask(wet, raster.shape, raster.transform, invert=True)
    (reach,) = shapes(flood, "reach")
    assert 14_000 < GEOD.geometry_length(reach) <= 30_000
    assert heights[under].max() <= 27.8 + 15 * 0.6, "the surface rises with the bed"
    assert heights[under].min() < 27


def test_what_a_flood_meets_is_what_geopandas_finds(flood: Any, sample_city: Any) -> None:
    wet = shapely.union_all(shapes(flood, "flood"))
    told = {row["exposed"]: row for row in flood["tables"]["met"]["rows"]}
    buildings = read(sample_city.files, "buildings").to_crs(4490)
    cut = buildings.geometry.intersection(wet)
    areas = np.array([km2(shape) * 100 for shape in cut])
    assert told["buildings"]["features"] == (areas > 1e-6).sum() > 0
    assert told["buildings"]["area_ha"] == pytest.approx(areas.sum(), rel=1e-3)
    sites = gpd.read_file(sample_city.files / "heritage_sites.geojson").to_crs(4490)
    inside = sites[sites.intersects(wet)]
    key = "site_id" if "site_id" in inside else inside.columns[0]
    assert told["heritage_sites"]["features"] == len(inside) > 0
    places = [row for row in flood["tables"]["places"]["rows"] if row["layer"] == "heritage_sites"]
    assert {row["id"] for row in places} == set(inside[key])
    assert all(row["depth_m"] >= 0 for row in places)


def test_cropland_under_water_is_what_the_parcels_say(client: Any, sample_city: Any) -> None:
    parcels = read(sample_city.files, "parcels").to_crs(4490)
    now = parcels[parcels["valid_to"].isna() & parcels["dlbm"].str.startswith("01")]
    middle = shapely.union_all(now.geometry).centroid
    answer = ask(client, "inundation", lon=middle.x, lat=middle.y, above_drain_m=12, reach_km=10, snap_m=20_000)
    wet = shapely.union_all(shapes(answer, "flood"))
    areas = np.array([km2(shape) * 100 for shape in now.geometry.intersection(wet)])
    told = {row["exposed"]: row for row in answer["tables"]["met"]["rows"]}["cropland"]
    assert told["features"] == pytest.approx((areas > 1e-6).sum(), abs=1)
    assert told["features"] > 0
    assert told["area_ha"] == pytest.approx(areas.sum(), rel=1e-3)


def test_people_under_water_are_those_of_the_dwellings_there(client: Any, sample_city: Any) -> None:
    buildings = read(sample_city.files, "buildings").to_crs(4490)
    homes = buildings[buildings["use"].isin(["residential", "rural"])]
    districts = read(sample_city.files, "districts")
    towns = districts[(districts["level"] == "township") & districts["residents"].notna()]
    middle = shapely.union_all(homes.geometry).centroid
    answer = ask(client, "inundation", lon=middle.x, lat=middle.y, above_drain_m=12, reach_km=10, snap_m=20_000)
    wet = shapely.union_all(shapes(answer, "flood"))
    assert (answer["people"] is None) == (answer["people_reason"] is not None)
    known = {row["district"]: row["people"] for row in answer["tables"]["people"]["rows"] if row["people"] is not None}
    assert known
    for code, told in known.items():
        town = towns[towns["xzqdm"] == code].iloc[0]
        mine = homes[homes.geometry.representative_point().within(town.geometry)]
        floor = np.array([km2(shape) for shape in mine.geometry]) * mine["storeys"].to_numpy()
        under = shapely.area(shapely.intersection(mine.geometry.to_numpy(), wet)) > 0
        assert told == pytest.approx(town["residents"] * floor[under].sum() / floor.sum(), rel=0.02, abs=2)
    assert max(known.values()) > 0


def test_more_water_floods_more_and_holds_what_less_does(client: Any) -> None:
    areas = []
    before = shapely.Point()
    for above in (1.0, 2.0, 4.0):
        answer = ask(client, "inundation", **TUHAI, above_drain_m=above, reach_km=4)
        wet = shapely.union_all(shapes(answer, "flood"))
        assert km2(shapely.difference(before, wet)) < 1e-6
        areas.append(answer["area_ha"])
        before = wet
    assert areas == sorted(areas)
    assert areas[0] < areas[-1]
    boxed = ask(client, "inundation", bbox=[116.1, 36.5, 116.3, 36.7], above_drain_m=1.0)
    assert 0 < boxed["area_ha"] < km2(shapely.box(116.1, 36.5, 116.3, 36.7)) * 100 * 1.1
    assert "bed_m" not in boxed["level"]


def test_a_level_in_another_vertical_datum_is_refused(client: Any, sample_city: Any) -> None:
    stations = read(sample_city.files, "hydro_stations")
    old = stations[stations["dtmnm"] == "废黄河口"]["stcd"].iloc[0]
    problem = refused(client, "inundation", station=old, level_m=33.0)
    assert problem["parameter"] == "station"
    assert "废黄河口" in problem["detail"]
    assert "1985国家高程基准" in problem["detail"]
    assert set(problem["allowed"]) == set(stations[stations["dtmnm"] == "1985国家高程基准"]["stcd"])
    assert ask(client, "inundation", station=old, above_drain_m=1.0)["area_ha"] > 0
    rain = stations[pd.isna(stations["dtmnm"])]["stcd"].iloc[0]
    assert "not told" in refused(client, "inundation", station=rain, level_m=33.0)["detail"]


WRONG = [
    ("watershed", {"lon": 120.0, "lat": 36.4}, "lon", "outside of the elevation model"),
    ("watershed", {"lon": 115.3, "lat": 37.0, "snap_m": 0}, "lon", "no height"),
    ("watershed", {"min_upstream_km2": 90_000}, "snap_m", "no stream with"),
    ("watershed", {"snap_m": -1}, "snap_m", "greater than or equal to 0"),
    ("watershed", {"depth": 1}, "depth", "Extra inputs"),
    ("river-trace", {"lon": 116.0, "lat": 36.85, "snap_m": 0, "direction": "upstream", "min_upstream_km2": 500}, "min_upstream_km2", "no stream"),
    ("river-trace", {"direction": "sideways"}, "direction", "Input should be"),
    ("stream-network", {"lon": 116.0}, "lat", "give both"),
    ("stream-network", {"bbox": [116.2, 36.2, 116.1, 36.3]}, "bbox", "is no box on the elevation model"),
    ("stream-network", {"bbox": [1e308, 36.2, 116.1, 36.3]}, "bbox.0", "less than or equal to 180"),
    ("stream-network", {"bbox": [116.2, 36.2, 116.1]}, "bbox", "at least 4 items"),
    ("inundation", {"bbox": [100, 30, 101, 31], "above_drain_m": 1}, "bbox", "is no box on the elevation model"),
    ("stream-network", {"bbox": [116.1, 36.2, 116.2, 36.3], "lon": 116.1, "lat": 36.3}, "bbox", "not both"),
    ("inundation", {"lon": 116.2, "lat": 36.6}, "level_m", "give either"),
    ("inundation", {"above_drain_m": 1, "level_m": 30, "lon": 116.2, "lat": 36.6}, "level_m", "give either"),
    ("inundation", {"above_drain_m": 1}, "lon", "give one of"),
    ("inundation", {"above_drain_m": 1, "station": "31150500", "lon": 116, "lat": 36.5}, "station", "give one of"),
    ("inundation", {"level_m": 30, "bbox": [116, 36, 116.1, 36.1]}, "bbox", "a level holds at a place"),
    ("inundation", {"level_m": 2, **TUHAI}, "level_m", "not above the drain's bed"),
    ("inundation", {"level_m": 30, "station": "0"}, "station", "there is no station"),
    ("inundation", {"above_drain_m": 1, "lon": 116.16, "lat": 36.45, "snap_m": 1}, "snap_m", "no drain lies within"),
    ("inundation", {"above_drain_m": 1, "lon": 100, "lat": 36.92}, "lon", "outside of the elevation model"),
]  # fmt: skip


@pytest.mark.parametrize(("process", "inputs", "parameter", "words"), WRONG)
def test_what_is_wrong_is_said(client: Any, process: str, inputs: Any, parameter: str, words: str) -> None:
    problem = refused(client, process, **inputs)
    assert problem["parameter"] == parameter
    assert words in problem["detail"]


def test_too_rare_streams_and_a_time_before_the_model_are_said(client: Any) -> None:
    answer = client.post("/processes/stream-network/execution", {"inputs": {"min_upstream_km2": 900_000}})
    assert answer.status == 422
    assert "No stream lies there" in answer.json["detail"]
    early = client.post("/processes/watershed/execution", {"inputs": {"asOf": "2001-01-01"}})
    assert early.status == 404
    assert "elevation" in early.json["detail"]


@pytest.mark.parametrize("form", ["csv", "xlsx", "html"])
def test_figures_come_as_files_too(client: Any, form: str) -> None:
    answer = client.post(f"/processes/watershed/execution?f={form}", {"inputs": TUHAI})
    assert answer.status == 200
    if form == "csv":
        assert "集水面积" in answer.text


@pytest.mark.parametrize("process", ["watershed", "river-trace", "stream-network", "inundation"])
def test_each_is_described_in_both_languages(client: Any, process: str) -> None:
    for language, word in (("zh", "河"), ("en", "m")):
        told = client.get(f"/processes/{process}", f="json", lang=language).json
        assert told["title"]
        assert word in told["description"]
        assert all(each["title"] for each in told["inputs"].values())
