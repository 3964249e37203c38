"""Deliveries of plans as bureaus make them: their names of columns, and what the layers' rules refuse.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import psycopg
import shapely

from shikong.store.database import Database
from support.loads import dsn_of, load

BOXES = [shapely.box(115.9 + 0.01 * number, 36.4, 115.908 + 0.01 * number, 36.405) for number in range(4)]


def test_plots_are_recognised_by_the_names_that_planners_use(empty_store: Database, tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {
            "DKBH": ["A1", "A2", "A3", "A4"], "YDDM": ["070102", "1001", "1401", "0811"], "DKMC": list("甲乙丙丁"),
            "容积率": [2.0, 1.2, 25.0, 1.0], "建筑限高": [54.0, 24.0, None, 20.0], "建筑密度": [25, 101, 5, 30],
            "绿地率": [35, 10, 70, 30],
        },
        geometry=BOXES, crs=4490,
    )  # fmt: skip
    frame.to_file(tmp_path / "plots.gpkg")
    report = load(empty_store, tmp_path / "plots.gpkg", "detailed_plots")
    assert sorted((found.source_row, found.rule, found.severity) for found in report.findings) == [
        (2, "range", "error"), (3, "range", "warning"), (4, "not_in_code_list:land_use_plan", "error"),
    ]  # fmt: skip
    with psycopg.connect(dsn_of(empty_store)) as conn:
        rows = conn.execute("SELECT code, ghfldm, name, rjl, jzxg, jzmd, ldl FROM data.detailed_plots ORDER BY code")
        assert rows.fetchall() == [
            ("A1", "070102", "甲", 2.0, 54.0, 25.0, 35.0),
            ("A3", "1401", "丙", 25.0, None, 5.0, 70.0),
        ]


def test_a_zone_of_a_heritage_site_that_is_not_there_is_refused(empty_store: Database, tmp_path: Path) -> None:
    sites = gpd.GeoDataFrame({"site_id": ["W1"], "name": ["楼"]}, geometry=[shapely.Point(115.9, 36.4)], crs=4490)
    sites.to_file(tmp_path / "sites.gpkg")
    load(empty_store, tmp_path / "sites.gpkg", "heritage_sites")
    zones = gpd.GeoDataFrame(
        {"code": ["Z1", "Z2"], "QHLX": ["protection", "control"], "WWBH": ["W1", "W9"], "限高": [None, 12.0]},
        geometry=BOXES[:2], crs=4490,
    )  # fmt: skip
    zones.to_file(tmp_path / "zones.gpkg")
    report = load(empty_store, tmp_path / "zones.gpkg", "heritage_zones")
    assert [(found.source_row, found.rule, found.field) for found in report.findings] == [(2, "references", "site")]
    assert report.counts.stored == 1


def test_a_quota_is_given_once_for_a_county_a_kind_and_a_period(empty_store: Database, tmp_path: Path) -> None:
    quotas = gpd.GeoDataFrame(
        {
            "code": ["1", "2", "3", "4"], "xzqdm": "371502", "kind": ["cropland", "cropland", "cropland", "new_construction"],
            "规划值": [10.0, 11.0, 12.0, 13.0], "period_from": [2021, 2021, 2006, 2021], "period_to": [2035, 2035, 2020, 2020],
        },
        geometry=[shapely.Point(115.9, 36.4)] * 4, crs=4490,
    )  # fmt: skip
    quotas.to_file(tmp_path / "quotas.gpkg")
    report = load(empty_store, tmp_path / "quotas.gpkg", "land_quotas")
    assert sorted((found.source_row, found.rule) for found in report.findings) == [(2, "unique"), (4, "compare")]
    assert report.counts.stored == 2
