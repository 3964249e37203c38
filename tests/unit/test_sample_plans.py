"""Do the sample's plans agree with each other, but for the conflicts that are told to be in them?

Overlaps are found by brute force with geopandas, areas with pyproj.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from shikong.layers import catalog
from shikong.samples import places
from support.sample_files import GEOD, OTHER_PLANS, overlaps, read

PLAN = catalog.load().codes["land_use_plan"]
#: A corner of one layer on a long edge of another leaves it by centimetres in degrees; no conflict is as small (m2).
SLIVER = 50.0


def top(code: str) -> str:
    return (code, *PLAN.ancestors(code))[-1]


def other_class(one: Any, other: Any) -> bool:
    return top(one.ghfldm) != top(other.ghfldm)


#: The layers that conflict, when two of their objects do, and which values are told.
KINDS: list[tuple[str, str, Callable[[Any, Any], bool], tuple[str, str] | None]] = [
    ("detailed_plots", "heritage_zones", lambda plot, zone: bool(plot.jzxg > zone.xzgd), ("jzxg", "xzgd")),
    ("detailed_plots", "water_plan", lambda plot, water: bool(water.type == "river_management"), None),
    ("detailed_plots", "planning_zones", other_class, ("ghfldm", "ghfldm")),
    ("approved_projects", "permanent_farmland", lambda *_: True, None),
    ("approved_projects", "planning_zones", other_class, ("ghfldm", "ghfldm")),
    ("approved_projects", "detailed_plots", other_class, ("ghfldm", "ghfldm")),
]


@pytest.mark.parametrize(("a", "b", "conflict", "values"), KINDS)
def test_the_known_conflicts_are_all_there_are(
    sample: Path, a: str, b: str, conflict: Callable[[Any, Any], bool], values: tuple[str, str] | None
) -> None:
    left, right = read(sample, a), read(sample, b)
    one, other = left.set_index("code"), right.set_index("code")
    found = {
        pair: area for pair, area in overlaps(left, right).items()
        if area > SLIVER and conflict(one.loc[pair[0]], other.loc[pair[1]])
    }  # fmt: skip
    known = json.loads((sample / "known_conflicts.json").read_text(encoding="utf-8"))
    told = {(item["a_id"], item["b_id"]): item for item in known if (item["a_layer"], item["b_layer"]) == (a, b)}
    assert len(told) >= 3
    assert set(found) == set(told)
    for pair, item in told.items():
        assert found[pair] == pytest.approx(item["area_m2"], rel=1e-6, abs=1e-3), pair
        assert item["what"]
        if values:
            assert (item["a_value"], item["b_value"]) == (one.loc[pair[0], values[0]], other.loc[pair[1], values[1]])
        else:
            assert "a_value" not in item


def test_each_kind_of_known_conflict_is_one_that_is_checked_here_or_beside(sample: Path) -> None:
    known = json.loads((sample / "known_conflicts.json").read_text(encoding="utf-8"))
    beside = {
        ("urban_growth_boundary", "permanent_farmland"),
        ("urban_growth_boundary", "ecological_redline"),
        ("planning_zones", "permanent_farmland"),
    }
    assert {(item["a_layer"], item["b_layer"]) for item in known} == {kind[:2] for kind in KINDS} | beside


def test_shapes_are_valid_and_those_of_a_plan_side_by_side(sample: Path) -> None:
    for layer in OTHER_PLANS:
        assert read(sample, layer).geometry.is_valid.all(), layer
    for layer in ("detailed_plots", "forestry_plan", "heritage_zones", "approved_projects"):
        shapes = read(sample, layer).to_crs(4548).geometry.to_numpy()
        left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        one = left < right
        shared = shapely.area(shapely.intersection(shapes[left[one]], shapes[right[one]]))
        assert shared.max(initial=0.0) < 1.0, layer


def test_a_heritage_site_has_two_rings_that_do_not_overlap(sample: Path) -> None:
    zones = read(sample, "heritage_zones").to_crs(4548)
    sites = json.loads((sample / "heritage_sites.geojson").read_text(encoding="utf-8"))["features"]
    points = gpd.GeoSeries.from_wkt(
        [f"POINT ({x} {y})" for x, y in (site["geometry"]["coordinates"] for site in sites)], crs=4490
    ).to_crs(4548)
    places_of = dict(zip([site["properties"]["site_id"] for site in sites], points, strict=True))
    levels = {site["properties"]["site_id"]: site["properties"]["level"] for site in sites}
    assert set(zones["site"]) == {site for site, level in levels.items() if level != "unrated"}
    limited = zones["type"] == "control"
    assert zones[~limited]["xzgd"].isna().all()
    assert 0 < zones[limited]["xzgd"].isna().sum() < limited.sum() / 2
    for site, rings in zones.groupby("site"):
        inner = rings[rings["type"] == "protection"].geometry.iloc[0]
        outer = rings[rings["type"] == "control"].geometry.iloc[0]
        assert len(rings) == 2
        assert inner.contains(places_of[site])
        assert inner.intersection(outer).area < 0.1
        assert outer.distance(places_of[site]) > 10
        assert outer.distance(inner) == pytest.approx(0, abs=0.01)


def test_plots_lie_in_the_zone_of_their_class_and_have_limits_that_go_together(sample: Path) -> None:
    plots, zones = read(sample, "detailed_plots").to_crs(4548), read(sample, "planning_zones").to_crs(4548)
    middle = gpd.GeoDataFrame(plots.drop(columns="geometry"), geometry=plots.representative_point())
    joined = gpd.sjoin(middle, zones[["ghfldm", "geometry"]], predicate="within", rsuffix="zone")
    assert len(joined) == len(plots) > 5000
    below = [PLAN.within(*codes) for codes in zip(joined["ghfldm_left"], joined["ghfldm_zone"], strict=True)]
    assert (~np.array(below)).sum() == 3  # the planted ones
    storeys = plots["rjl"] / (plots["jzmd"] / 100)
    assert (storeys * 3 < plots["jzxg"]).all()
    assert (plots["jzmd"] + plots["ldl"] <= 100).all()
    heights = plots.groupby(plots["ghfldm"].str[:2])["jzxg"].mean()
    assert heights["07"] > heights["10"] > heights["14"]


def test_corridors_follow_the_roads_and_rivers_of_the_city(sample: Path) -> None:
    roads, rivers = read(sample, "roads").to_crs(4548), read(sample, "rivers").to_crs(4548)
    for layer, column, named in (
        ("transport_plan", "hxkd", roads[roads["class"].isin(["motorway", "trunk"])]), ("water_plan", None, rivers)
    ):  # fmt: skip
        plan = read(sample, layer).to_crs(4548)
        if layer == "water_plan":
            plan = plan[plan["type"] == "river_management"]
        by_name = {
            name.removesuffix("河道管理范围"): row for name, row in zip(plan["name"], plan.itertuples(), strict=True)
        }
        for line in named.itertuples():
            row = by_name[line.name]
            assert line.geometry.difference(row.geometry).length < 1, line.name
            if column:
                assert row.geometry.area == pytest.approx(line.geometry.length * row.hxkd, rel=0.1), line.name
    assert set(read(sample, "water_plan")["river_id"].dropna()) <= set(rivers["river_id"])


def test_forest_land_is_clear_of_what_is_built_and_of_permanent_farmland(sample: Path) -> None:
    forest, zones = read(sample, "forestry_plan"), read(sample, "planning_zones")
    built = zones[[PLAN.group_of(code) == "construction" for code in zones["ghfldm"]]]
    for other in (built, read(sample, "permanent_farmland")):
        assert max(overlaps(forest, other).values(), default=0.0) < SLIVER
    assert {"2", "3", "4"} == set(forest["grade"])


def area_ha(frame: pd.DataFrame) -> float:
    shapes = shapely.orient_polygons(frame.geometry.to_numpy())
    return sum(abs(GEOD.geometry_area_perimeter(shape)[0]) for shape in shapes) / 10_000


def test_quotas_are_those_of_the_areas_of_the_other_layers(sample: Path) -> None:
    quotas = read(sample, "land_quotas")
    assert len(quotas) == len(places.COUNTIES) * len(catalog.load().codes["quota_kind"].codes)
    assert not quotas.duplicated(["xzqdm", "kind", "period_from"]).any()
    zones, farmland = read(sample, "planning_zones"), read(sample, "permanent_farmland")
    projects = read(sample, "approved_projects")
    approved = projects[projects["stage"].isin(["land_approved", "permitted", "building", "completed"])]
    table = quotas.pivot(index="xzqdm", columns="kind", values="used")
    for county in ("371502", "371522", "371581"):
        mine = zones[zones["xzqdm"] == county]
        built = [PLAN.group_of(code) == "construction" and code != "16" for code in mine["ghfldm"]]
        expected = {
            "construction_total": area_ha(mine[built]), "cropland": area_ha(mine[mine["ghfldm"] == "01"]),
            "permanent_farmland": area_ha(farmland[farmland["xzqdm"] == county]),
            "new_construction": area_ha(approved[approved["xzqdm"] == county]),
        }  # fmt: skip
        for kind, area in expected.items():
            assert table.loc[county, kind] == pytest.approx(area, rel=1e-4, abs=0.01), (county, kind)
    assert (table["new_on_cropland"] <= table["new_construction"]).all()
    assert table["new_on_cropland"].sum() > 0
    planned = quotas.pivot(index="xzqdm", columns="kind", values="planned")
    assert (planned["permanent_farmland"] < table["permanent_farmland"]).all()
    assert (planned["construction_total"] > table["construction_total"]).all()


def test_projects_are_of_all_stages_and_the_old_ones_further_on(sample: Path) -> None:
    projects = read(sample, "approved_projects")
    stages = list(catalog.load().codes["project_stage"].codes)
    assert set(projects["stage"]) == set(stages)
    assert set(projects["type"]) == set(catalog.load().codes["project_type"].codes)
    approved = pd.to_datetime(projects["approved_on"])
    assert approved.min().date() >= date(2021, 1, 1)
    assert approved.max().date() < date(2026, 1, 1)
    latest = approved.groupby(projects["stage"]).max()
    assert [latest[stage] for stage in stages] == sorted(latest, reverse=True)
