"""The balance of land on a small world whose figures are known: identities, parcels that were divided and joined,
zones of no county, quotas and projects, each against a calculation of its own.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pytest
import shapely
from pyproj import Geod

from shikong.processes.base import BadInput
from shikong.processes.figures import text, workbook
from shikong.processes.land_balance import LandBalance
from shikong.store.database import Database
from support.loads import load

GEOD = Geod(a=6378137.0, rf=298.257222101)
WEST, SOUTH, STEP, CELLS = 115.98, 36.44, 0.002, 8
EAST_COUNTY = WEST + CELLS * STEP
COUNTIES = {"371502": WEST, "371503": EAST_COUNTY}


def cell(county: str, column: int, row: int) -> Any:
    west, south = COUNTIES[county] + column * STEP, SOUTH + row * STEP
    return shapely.box(west, south, west + STEP, south + STEP)


def hectares(shape: Any) -> float:
    return abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))[0]) / 10_000


def halves(shape: Any) -> tuple[Any, Any]:
    west, south, east, north = shape.bounds
    middle = (west + east) / 2
    return shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)


def parcels() -> gpd.GeoDataFrame:
    """Rows 0 to 3 are irrigated fields, 4 and 5 orchards, 6 homes, 7 pits; in 2022 and 2023 some of it changes."""
    rows: list[dict[str, Any]] = []

    def add(bsm: str, dlbm: str, county: str, shape: Any, begins: str = "2020-01-01", ends: str | None = None) -> None:
        rows.append(
            {"bsm": bsm, "dlbm": dlbm, "xzqdm": county, "valid_from": begins, "valid_to": ends, "geometry": shape}
        )

    changed = {("371502", 0, 0), ("371502", 1, 0), ("371502", 0, 4), ("371502", 1, 4), ("371502", 5, 5)}
    for county in COUNTIES:
        for column in range(CELLS):
            for row in range(CELLS):
                code = "0102" if row < 4 else {4: "0201", 5: "0201", 6: "0702", 7: "1104"}[row]
                ends = "2022-01-01" if (county, column, row) in changed else None
                add(f"{county}{column}{row}", code, county, cell(county, column, row), ends=ends)
    add("37150200", "0601", "371502", cell("371502", 0, 0), "2022-01-01")
    left, right = halves(cell("371502", 1, 0))
    add("split-1", "0102", "371502", left, "2022-01-01")
    add("split-2", "0701", "371502", right, "2022-01-01")
    joined = shapely.union_all([cell("371502", 0, 4), cell("371502", 1, 4)])
    add("joined", "0103", "371502", joined, "2022-01-01")
    # Changed twice: what it was in between is no part of a balance over both.
    add("37150255", "0301", "371502", cell("371502", 5, 5), "2022-01-01", "2023-01-01")
    add("37150255", "0601", "371502", cell("371502", 5, 5), "2023-01-01")
    return gpd.GeoDataFrame(rows, crs=4490)


def deliver(store: Database, folder: Path, layer: str, rows: list[dict[str, Any]]) -> None:
    gpd.GeoDataFrame(rows, crs=4490).to_file(folder / f"{layer}.gpkg")
    load(store, folder / f"{layer}.gpkg", layer)


@pytest.fixture
def world(default_store: Database, tmp_path: Path) -> Database:
    wide = CELLS * STEP
    counties = [
        {
            "xzqdm": code,
            "xzqmc": name,
            "level": "county",
            "geometry": shapely.box(west, SOUTH, west + wide, SOUTH + wide),
        }
        for (code, west), name in zip(COUNTIES.items(), ("东县", "=西县"), strict=True)
    ]
    deliver(default_store, tmp_path, "districts", counties)
    parcels().to_file(tmp_path / "parcels.gpkg")
    load(default_store, tmp_path / "parcels.gpkg", "parcels")
    # A highway of the whole city, which lies in both counties; below it the first county's zone, above it the second's.
    strip = shapely.box(WEST, SOUTH, WEST + 2 * wide, SOUTH + STEP / 2)
    zones = [
        {"code": "road", "ghfldm": "1202", "xzqdm": "371500", "geometry": strip},
        {"code": "works", "ghfldm": "100101", "xzqdm": "371502", "geometry": cell("371502", 2, 2)},
        {"code": "fields", "ghfldm": "01", "xzqdm": "371503001", "geometry": cell("371503", 2, 2)},
    ]
    deliver(default_store, tmp_path, "planning_zones", zones)
    deliver(default_store, tmp_path, "permanent_farmland", [
        {"code": "kept", "dlbm": "0102", "xzqdm": "371502", "geometry": cell("371502", 3, 3)}])  # fmt: skip
    deliver(default_store, tmp_path, "approved_projects", [
        {"code": "a", "name": "厂", "type": "industry", "stage": "building", "xzqdm": "371502",
         "geometry": shapely.union_all([cell("371502", 0, 0), cell("371502", 0, 6)])},
        {"code": "b", "name": "校", "type": "school", "stage": "siting", "xzqdm": "371502",
         "geometry": cell("371502", 4, 4)}])  # fmt: skip
    quotas = [("371502", "construction_total", 300.0, 20.0), ("371502", "new_construction", 50.0, 9.0),
              ("371502", "new_on_cropland", 40.0, None), ("371502", "cropland", 90.0, 100.0),
              ("371502", "permanent_farmland", 2.0, 3.0), ("371503", "construction_total", 250.0, 30.0)]  # fmt: skip
    features = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [116.0, 36.45]}, "properties": {
            "code": f"{county}{kind}", "xzqdm": county, "kind": kind, "planned": planned, "used": used,
            "period_from": 2021, "period_to": 2035}}
        for county, kind, planned, used in quotas
    ]  # fmt: skip
    (tmp_path / "land_quotas.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    load(default_store, tmp_path / "land_quotas.geojson", "land_quotas")
    return default_store


def ask(**inputs: Any) -> Any:
    process = LandBalance({"name": "land-balance"})
    return process.answer(process.checked(inputs))["tables"]


def found(table: Any, **wanted: Any) -> Any:
    (row,) = [row for row in table["rows"] if all(row[name] == value for name, value in wanted.items())]
    return row


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("level", ["group", "level_1", "level_2"])
def test_balances_close_and_add_up_to_the_last_digit(level: str) -> None:
    tables = ask(since="2021-01-01", level=level)
    for name in ("land_balance", "farmland_balance"):
        for row in (*tables[name]["rows"], *tables[name]["totals"]):
            closing = row["opening_ha"] - row["lost_ha"] + row["gained_ha"] + row["adjusted_ha"]
            assert round(closing, 4) == row["closing_ha"]
            assert abs(row["adjusted_ha"]) <= 0.001
    balance = tables["land_balance"]
    grand = balance["totals"][-1]
    for total in balance["totals"]:
        mine = [row for row in balance["rows"] if total["district"] in (None, row["district"])
                and total["class"] in (None, row["class"])]  # fmt: skip
        for column in ("opening_ha", "lost_ha", "gained_ha", "closing_ha"):
            assert round(sum(row[column] for row in mine), 4) == total[column]
    whole = shapely.box(WEST, SOUTH, WEST + 2 * CELLS * STEP, SOUTH + CELLS * STEP)
    assert grand["closing_ha"] == pytest.approx(hectares(whole), abs=0.01)
    assert grand["opening_ha"] == pytest.approx(grand["closing_ha"], abs=0.002)
    now = ask(table=["land_balance"], level=level)["land_balance"]
    assert [row["area_ha"] for row in now["rows"]] == [
        row["closing_ha"] for row in balance["rows"] if row["closing_ha"]
    ]


@pytest.mark.usefixtures("world")
def test_what_became_what_is_known_of_parcels_divided_joined_and_changed_twice() -> None:
    tables = ask(since="2021-01-01", level="level_2")
    told = {(row["from"], row["to"]): row["area_ha"] for row in tables["land_flows"]["rows"]}
    expected = {
        ("0102", "0601"): hectares(cell("371502", 0, 0)),
        ("0102", "0701"): hectares(halves(cell("371502", 1, 0))[1]),
        ("0201", "0103"): 2 * hectares(cell("371502", 0, 4)),
        ("0201", "0601"): hectares(cell("371502", 5, 5)),
    }
    assert told == {pair: pytest.approx(area, abs=2e-4) for pair, area in expected.items()}
    cropland = found(tables["farmland_balance"], district="371502")
    assert cropland["to_construction_ha"] == pytest.approx(
        expected["0102", "0601"] + expected["0102", "0701"], abs=3e-4
    )
    assert cropland["gained_ha"] == pytest.approx(expected["0201", "0103"], abs=3e-4)
    assert cropland["to_agricultural_ha"] == cropland["to_unused_ha"] == cropland["to_other_ha"] == 0
    in_between = ask(since="2021-01-01", datetime="2022-06-01", level="level_2", table=["land_balance"])
    assert ("0201", "0301") in {(row["from"], row["to"]) for row in in_between["land_flows"]["rows"]}
    other = ask(since="2021-01-01", level="level_2", district="371503")["land_flows"]
    assert other["rows"] == []


@pytest.mark.usefixtures("world")
def test_what_must_be_kept_is_held_against_what_there_is() -> None:
    tables = ask(table=["farmland_balance"])["farmland_balance"]
    one, other = (found(tables, district=county) for county in COUNTIES)
    assert one["permanent_ha"] == pytest.approx(hectares(cell("371502", 3, 3)), abs=1e-4)
    assert one["permanent_margin_ha"] == pytest.approx(one["permanent_ha"] - 2, abs=1e-4)
    assert one["cropland_margin_ha"] == pytest.approx(one["closing_ha"] - 90, abs=1e-4)
    assert one["opening_ha"] is one["lost_ha"] is None
    assert "起始时间" in one["note"]["zh"]
    assert other["cropland_floor_ha"] is other["cropland_margin_ha"] is None
    assert "保有量" in other["note"]["zh"]
    assert other["permanent_ha"] == 0


@pytest.mark.usefixtures("world")
def test_plan_and_present_are_told_in_the_same_classes() -> None:
    table = ask(table=["plan_against_present"], level="level_2")["plan_against_present"]
    road = [found(table, district=county, **{"class": "1202"}) for county in COUNTIES]
    half = hectares(shapely.box(WEST, SOUTH, EAST_COUNTY, SOUTH + STEP / 2))
    assert [row["planned_ha"] for row in road] == [pytest.approx(half, abs=2e-4)] * 2
    works = found(table, district="371502", **{"class": "1001"})
    assert works["planned_ha"] == pytest.approx(hectares(cell("371502", 2, 2)), abs=1e-4)
    assert works["present_ha"] == pytest.approx(
        hectares(cell("371502", 0, 0)) + hectares(cell("371502", 5, 5)), abs=2e-4
    )
    assert works["difference_ha"] == round(works["planned_ha"] - works["present_ha"], 4)
    pits = found(table, district="371503", **{"class": "1704"})
    assert pits["planned_ha"] == 0
    assert pits["present_ha"] == pytest.approx(8 * hectares(cell("371503", 0, 7)), abs=1e-3)
    fields = found(table, district="371503", **{"class": "01"})
    assert fields["planned_ha"] > 0


@pytest.mark.usefixtures("world")
def test_quotas_are_told_as_declared_as_measured_and_as_projects_take_them() -> None:
    table = ask(table=["building_land_quota"])["building_land_quota"]
    total, new, fields = (found(table, district="371502", kind=kind)
                          for kind in ("construction_total", "new_construction", "new_on_cropland"))  # fmt: skip
    square, homes = hectares(cell("371502", 0, 0)), 8 * hectares(cell("371502", 0, 6))
    built = 2.5 * square
    assert total["measured_ha"] == pytest.approx(homes + built, abs=2e-3)
    assert new["measured_ha"] == pytest.approx(built, abs=2e-3)
    assert fields["measured_ha"] == pytest.approx(1.5 * square, abs=1e-3)
    assert (new["used_ha"], new["left_ha"], fields["used_ha"], fields["left_ha"]) == (9, 41, None, None)
    assert "申报" in fields["note"]["zh"]
    assert new["measured_left_ha"] == pytest.approx(50 - new["measured_ha"], abs=1e-4)
    # Of the approved project one cell was homes before; the one that is pending lies on an orchard.
    assert new["approved_ha"] == pytest.approx(square, abs=1e-3)
    assert fields["approved_ha"] == pytest.approx(square, abs=1e-3)
    assert new["pending_ha"] == pytest.approx(hectares(cell("371502", 4, 4)), abs=1e-3)
    assert fields["pending_ha"] == 0
    missing = found(table, district="371503", kind="new_construction")
    assert missing["planned_ha"] is missing["measured_ha"] is missing["approved_ha"] is None
    assert missing["note"]["en"]
    city = next(row for row in table["totals"] if row["kind"] == "construction_total")
    assert city["planned_ha"] == 550
    assert next(row for row in table["totals"] if row["kind"] == "new_construction")["planned_ha"] is None


@pytest.mark.usefixtures("world")
def test_before_the_survey_there_are_no_figures_and_the_reason_is_told() -> None:
    tables = ask(datetime="2019-06-01", since="2018-01-01")
    assert tables["land_balance"]["rows"] == tables["land_flows"]["rows"] == []
    assert "没有地类图斑" in tables["land_balance"]["notes"][-1]["zh"]
    for row in tables["farmland_balance"]["rows"]:
        assert row["closing_ha"] is row["opening_ha"] is None
        assert "没有地类图斑" in row["note"]["zh"]
    assert all(row["present_ha"] is None for row in tables["plan_against_present"]["rows"])


def test_figures_are_told_as_they_were_known(world: Database, tmp_path: Path) -> None:
    before = ask(level="level_2")
    known = datetime.now(UTC).isoformat()
    deliver(world, tmp_path, "planning_zones", [
        {"code": "works", "ghfldm": "0701", "xzqdm": "371502", "geometry": cell("371502", 2, 2)}])  # fmt: skip
    changed = parcels()
    changed.loc[changed["bsm"] == "37150307", "dlbm"] = "0601"
    changed.to_file(tmp_path / "again.gpkg")
    load(world, tmp_path / "again.gpkg", "parcels")
    after = ask(level="level_2")
    assert after["land_balance"] != before["land_balance"]
    assert found(after["plan_against_present"], district="371502", **{"class": "0701"})["planned_ha"] > 0
    assert ask(level="level_2", asOf=known) == before


@pytest.mark.usefixtures("world")
def test_names_that_look_like_formulas_are_words_in_files() -> None:
    process = LandBalance({"name": "land-balance"})
    answer = process.answer(process.checked({"table": ["land_balance"]}))
    assert "'=西县" in text.write(answer, "zh").decode()
    sheet = openpyxl.load_workbook(io.BytesIO(workbook.write(answer, "zh"))).worksheets[0]
    names = {(row[1].value, row[1].data_type) for row in sheet.iter_rows(min_row=4)}
    assert ("=西县", "s") in names


@pytest.mark.usefixtures("default_store")
def test_a_store_without_anything_answers_with_empty_tables() -> None:
    tables = ask(since="2021-01-01")
    assert all(table["rows"] == [] for table in tables.values())
    with pytest.raises(BadInput, match="no county"):
        ask(district="371502")
