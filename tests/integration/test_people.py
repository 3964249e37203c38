"""People under water against areas and shares worked out building by building, and what is said where they are not known.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod

from shikong.layers import catalog
from shikong.processes.hydrology import people
from shikong.processes.hydrology.people import People
from shikong.store.database import Database
from shikong.store.moments import NOW
from support.loads import load

CITY = catalog.default()
GEOD = Geod(ellps="GRS80")
EAST, WEST = "371502101", "371502102"
USES = ("residential", "rural", "industrial")


def _districts(store: Database, folder: Path, residents: dict[str, int | None]) -> None:
    """A county with two townships, side by side along 115.9° E."""
    shapes = {"371502": shapely.box(115.8, 36.4, 116.0, 36.5), WEST: shapely.box(115.8, 36.4, 115.9, 36.5),
              EAST: shapely.box(115.9, 36.4, 116.0, 36.5)}  # fmt: skip
    gpd.GeoDataFrame(
        {"xzqdm": list(shapes), "xzqmc": ["东昌府区", "西镇", "东镇"], "level": ["county", "township", "township"],
         "residents": [residents.get(code) for code in shapes]},
        geometry=list(shapes.values()), crs=4490,
    ).astype({"residents": "Int64"}).to_file(folder / "districts.gpkg")  # fmt: skip
    load(store, folder / "districts.gpkg", "districts")


def _buildings(store: Database, folder: Path, rows: list[dict[str, Any]]) -> None:
    gpd.GeoDataFrame(rows, crs=4490).to_file(folder / "buildings.gpkg")
    load(store, folder / "buildings.gpkg", "buildings")


def _built(number: int, **more: Any) -> list[dict[str, Any]]:
    """Buildings here and there, some across the border of the townships, none of which meet."""
    chance = np.random.default_rng(7)
    places = chance.permutation(400)[:number]
    return [
        {"building_id": f"B{at}", "use": USES[int(chance.integers(3))], "storeys": int(chance.integers(1, 9)),
         "geometry": shapely.box(lon, lat, lon + chance.uniform(1e-4, 4e-4), lat + chance.uniform(1e-4, 4e-4))} | more
        for at in places.tolist()
        for lon, lat in [(115.8502 + 0.005 * (at % 20) - 2e-4, 36.402 + 0.0045 * (at // 20))]
    ]  # fmt: skip


def _told(store: Database, rows: list[dict[str, Any]], water: Any) -> People:
    wet = {row["building_id"]: row["geometry"] for row in rows if row["geometry"].intersection(water).area > 0}
    blocks = np.array([water], dtype=object)
    with store.thread_session() as conn:
        return people.under_water(conn, CITY, blocks, wet, NOW)


def _by_hand(rows: list[dict[str, Any]], water: Any, residents: dict[str, int | None]) -> float:
    floors = {code: [0.0, 0.0] for code in (EAST, WEST)}
    for row in rows:
        shape = row["geometry"]
        if row["use"] == "industrial":
            continue
        floor = abs(GEOD.geometry_area_perimeter(shape)[0]) * row["storeys"]
        district = floors[EAST if shapely.point_on_surface(shape).x > 115.9 else WEST]
        district[0] += floor
        district[1] += floor if shape.intersection(water).area > 0 else 0.0
    return sum((residents[code] or 0) * wet / floor for code, (floor, wet) in floors.items())


@pytest.mark.parametrize("south", [36.41, 36.43, 36.47])
def test_people_are_spread_over_the_floors_of_dwellings(empty_store: Database, tmp_path: Path, south: float) -> None:
    residents: dict[str, int | None] = {EAST: 7_000, WEST: 3_000, "371502": 999_999}
    _districts(empty_store, tmp_path, residents)
    rows = _built(160)
    _buildings(empty_store, tmp_path, rows)
    water = shapely.Polygon([(115.84, south), (115.97, south), (115.93, 36.49), (115.86, 36.48)])
    found = _told(empty_store, rows, water)
    expected = _by_hand(rows, water, residents)
    assert found.reason is None
    assert expected > 100
    assert found.number == pytest.approx(expected, abs=1 + 1e-4 * expected)
    assert [row["district"] for row in found.rows] == [EAST, WEST]
    assert sum(row["people"] for row in found.rows) == pytest.approx(found.number, abs=2)
    whole = _told(empty_store, rows, shapely.box(115.8, 36.4, 116.0, 36.5))
    assert whole.number == 10_000
    dry = _told(empty_store, rows, shapely.box(115.801, 36.401, 115.802, 36.402))
    assert (dry.number, [row["district"] for row in dry.rows]) == (0, [WEST])


@pytest.mark.parametrize(("residents", "changed", "words"), [
    ({EAST: 7_000}, {}, "西镇: residents are not known"),
    ({EAST: 7_000, WEST: 3_000}, {"storeys": None}, "have no storeys"),
    ({EAST: 7_000, WEST: 3_000}, {"use": "industrial"}, "no dwelling is known"),
    ({EAST: 7_000, WEST: 90_000_000}, {}, "西镇: dwellings are missing"),
])  # fmt: skip
def test_what_is_not_known_is_said(
    empty_store: Database, tmp_path: Path, residents: dict[str, int | None], changed: dict[str, Any], words: str
) -> None:
    _districts(empty_store, tmp_path, residents)
    rows = _built(60, **changed)
    _buildings(empty_store, tmp_path, rows)
    found = _told(empty_store, rows, shapely.box(115.8, 36.4, 116.0, 36.5))
    assert found.number is None
    assert found.reason is not None
    assert words in found.reason.en
    assert all((row["people"] is None) == (row["reason"] is not None) for row in found.rows)


def test_without_districts_or_outside_of_them_nobody_is_counted(empty_store: Database, tmp_path: Path) -> None:
    rows = _built(20)
    water = shapely.box(115.8, 36.4, 116.0, 36.5)
    _buildings(empty_store, tmp_path, rows)
    nowhere = _told(empty_store, rows, water)
    assert (nowhere.number, nowhere.rows) == (None, [])
    _districts(empty_store, tmp_path, {EAST: 7_000, WEST: 3_000})
    far = {"building_id": "far", "use": "rural", "storeys": 1, "geometry": shapely.box(116.2, 36.4, 116.2001, 36.4001)}
    _buildings(empty_store, tmp_path, [*rows, far])
    found = _told(empty_store, [*rows, far], shapely.box(115.8, 36.4, 116.3, 36.5))
    assert found.number is None
    assert found.reason is not None
    assert "1 dwellings under water lie in no district" in found.reason.en
