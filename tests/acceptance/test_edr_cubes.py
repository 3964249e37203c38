"""OGC API - EDR over a cube, against the NetCDF file that was loaded, shapely's shapes and pyproj's distances.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from pyproj import Geod

BASE = "/collections/precipitation"
GEOD = Geod(a=6378137, rf=298.257222101)
AREA = shapely.Polygon([(115.62, 36.21), (116.18, 36.27), (116.09, 36.77), (115.71, 36.58)])
LINE = shapely.LineString([(115.63, 36.12), (116.01, 36.47), (116.27, 36.81)])


@pytest.fixture(scope="module")
def source(sample_city: Any) -> xr.DataArray:
    """The rain of the file (time, lat, lon)."""
    with xr.open_dataset(sample_city.files / "precipitation.nc") as opened:
        rain: xr.DataArray = opened["precipitation"].sortby(["time", "lat", "lon"]).transpose("time", "lat", "lon")
        return rain.load()


@pytest.fixture(scope="module")
def boxes(source: xr.DataArray) -> dict[tuple[float, float], Any]:
    """Each cell by its middle."""
    lon, lat = source["lon"].values, source["lat"].values
    half_x, half_y = np.diff(lon).mean() / 2, np.diff(lat).mean() / 2
    return {
        (round(float(x), 6), round(float(y), 6)): shapely.box(x - half_x, y - half_y, x + half_x, y + half_y)
        for x in lon for y in lat
    }  # fmt: skip


def _rows(client: Any, kind: str, **query: Any) -> pd.DataFrame:
    answer = client.get(f"{BASE}/{kind}", f="csv", **query)
    assert answer.status == 200, answer.text
    return pd.read_csv(io.BytesIO(answer.content))


def _cells(rows: pd.DataFrame) -> list[tuple[float, float]]:
    """The cells of an answer in their order."""
    return list(dict.fromkeys(zip(rows["lon"].round(6).tolist(), rows["lat"].round(6).tolist(), strict=True)))


def _require_values_of(source: xr.DataArray, rows: pd.DataFrame) -> None:
    cell = {axis: xr.DataArray(rows[axis].to_numpy()) for axis in ("lon", "lat")}
    times = xr.DataArray(pd.to_datetime(rows["time"]).dt.tz_localize(None).to_numpy())
    expected = source.sel(time=times).sel(**cell, method="nearest").values
    assert rows["precipitation"].to_numpy() == pytest.approx(expected, abs=1e-3, nan_ok=True)


def test_an_area_and_a_box_mean_the_cells_that_they_reach_into(
    client: Any, source: xr.DataArray, boxes: dict[tuple[float, float], Any]
) -> None:
    rows = _rows(client, "area", coords=AREA.wkt)
    assert set(_cells(rows)) == {middle for middle, box in boxes.items() if AREA.intersection(box).area > 1e-9}
    assert len(rows) == len(_cells(rows)) * source.sizes["time"]
    _require_values_of(source, rows)
    box = (115.71, 36.23, 116.13, 36.61)
    asked = shapely.box(*box)
    rows = _rows(client, "cube", bbox=",".join(map(str, box)))
    assert set(_cells(rows)) == {middle for middle, cell in boxes.items() if asked.intersection(cell).area > 1e-9}
    _require_values_of(source, rows)


def test_a_box_of_whole_cells_means_these_and_no_neighbour(client: Any, boxes: dict[tuple[float, float], Any]) -> None:
    middles = sorted(boxes)
    first, last = boxes[middles[len(middles) // 3]], boxes[middles[2 * len(middles) // 3]]
    whole = shapely.union_all([first, last]).bounds
    rows = _rows(client, "cube", bbox=",".join(map(repr, whole)))
    assert set(_cells(rows)) == {middle for middle in boxes if shapely.box(*whole).covers(shapely.Point(middle))}


def test_a_radius_and_a_corridor_are_true_distances(client: Any, boxes: dict[tuple[float, float], Any]) -> None:
    centre = (115.98, 36.45)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 41), np.linspace(-0.5, 0.5, 41))
    for km in (3, 20):
        near = set()
        for middle, box in boxes.items():
            west, south, east, north = box.bounds
            lon, lat = middle[0] + x.ravel() * (east - west), middle[1] + y.ravel() * (north - south)
            least = GEOD.inv(np.full(lon.size, centre[0]), np.full(lon.size, centre[1]), lon, lat)[2].min()
            near |= {middle} if least <= km * 1000 else set()
        found = _rows(client, "radius", coords=f"POINT({centre[0]} {centre[1]})", within=km, **{"within-units": "km"})
        different = near ^ set(
            _cells(found)
        )  # a cell whose edge is as far as the radius, by the points that were tried
        assert len(different) <= 1
        assert len(near) > (1 if km == 3 else 20)
    corridor = _rows(client, "corridor", coords=LINE.wkt, **{"corridor-width": 12, "width-units": "km"})
    dense = shapely.line_interpolate_point(LINE, np.linspace(0, LINE.length, 3000))
    for middle, box in boxes.items():
        ways = GEOD.inv(np.full(len(dense), middle[0]), np.full(len(dense), middle[1]), shapely.get_x(dense),
                        shapely.get_y(dense))[2]  # fmt: skip
        west, south, east, north = box.bounds
        reach = GEOD.inv(west, south, east, north)[2] / 2
        if ways.min() < 6000:
            assert middle in _cells(corridor)
        if ways.min() > 6000 + reach:
            assert middle not in _cells(corridor)


def test_a_line_gives_the_cells_that_it_crosses_in_its_order(
    client: Any, source: xr.DataArray, boxes: dict[tuple[float, float], Any]
) -> None:
    rows = _rows(client, "trajectory", coords=LINE.wkt)
    assert set(_cells(rows)) == {middle for middle, box in boxes.items() if LINE.intersects(box)}
    along = [LINE.project(shapely.Point(middle)) for middle in _cells(rows)]
    assert along == sorted(along)
    _require_values_of(source, rows)
    document = client.get(f"{BASE}/trajectory", f="json", coords=LINE.wkt).json
    axes = [one["domain"]["axes"] for one in document["coverages"]]
    assert [(*axis["x"]["values"], *axis["y"]["values"]) for axis in axes] == _cells(rows)


def test_points_give_the_series_of_the_cells_that_hold_them(client: Any, source: xr.DataArray) -> None:
    coords = "MULTIPOINT((116.01 36.46),(115.71 36.31),(116.011 36.461))"
    document = client.get(f"{BASE}/position", f="json", coords=coords).json
    assert document["type"] == "CoverageCollection"
    for one, (lon, lat) in zip(document["coverages"], ((116.01, 36.46), (115.71, 36.31)), strict=True):
        expected = source.sel(lon=lon, lat=lat, method="nearest").values.tolist()
        assert one["ranges"]["precipitation"]["values"] == pytest.approx(expected, abs=1e-3)


def test_every_format_has_the_same_values(client: Any, source: xr.DataArray, tmp_path: Path) -> None:
    day = f"{pd.Timestamp(source['time'].values[-30]).isoformat()}Z/{pd.Timestamp(source['time'].values[-7]).isoformat()}Z"
    query = {"coords": AREA.wkt, "datetime": day}
    rows = _rows(client, "area", **query)
    assert rows["time"].nunique() == 24
    _require_values_of(source, rows)
    document = client.get(f"{BASE}/area", f="json", **query).json
    values = np.array(document["ranges"]["precipitation"]["values"], dtype=float)
    assert document["domain"]["domainType"] == "Grid"
    grid = values.reshape(document["ranges"]["precipitation"]["shape"])
    assert np.isnan(grid).any()
    assert np.nansum(grid) == pytest.approx(rows["precipitation"].sum())
    features = client.get(f"{BASE}/area", f="geojson", **query).json["features"]
    told = [value for feature in features for value in feature["properties"]["precipitation"]]
    assert told == pytest.approx(rows["precipitation"].tolist())
    path = tmp_path / "part.nc"
    path.write_bytes(client.get(f"{BASE}/area", f="netcdf", **query).content)
    with xr.open_dataset(path) as data:
        assert data["precipitation"].transpose("time", "lat", "lon").values == pytest.approx(
            grid, nan_ok=True, abs=1e-6
        )


def test_releases_are_instances_and_the_collection_tells_its_queries(client: Any) -> None:
    collection = client.get(BASE, f="json").json
    assert set(collection["data_queries"]) == {
        "position", "radius", "area", "cube", "trajectory", "corridor", "instances"
    }  # fmt: skip
    formats = collection["data_queries"]["area"]["link"]["variables"]["output_formats"]
    assert formats == ["json", "geojson", "csv", "netcdf"]
    newest = client.get(f"{BASE}/instances", f="json").json["instances"][0]
    query = {"f": "csv", "coords": "POINT(116.01 36.46)"}
    then = client.get(f"{BASE}/instances/{newest['id']}/position", **query)
    assert then.status == 200
    assert then.content == client.get(f"{BASE}/position", **query).content
    assert client.get(f"{BASE}/instances/999999/position", **query).status == 404


@pytest.mark.parametrize(("path", "query", "parameter"), [
    ("position", {"coords": "POINT(10 10)"}, "coords"), ("area", {"coords": "POINT(116 36.4)"}, "coords"),
    ("area", {}, "coords"), ("cube", {"bbox": "1,1,2,2"}, "bbox"), ("cube", {}, "bbox"),
    ("radius", {"coords": "POINT(116 36.4)", "within": "20000", "within-units": "km"}, "coords"),
    ("area", {"coords": AREA.wkt, "datetime": "1950-01-01/1950-02-01"}, "datetime"),
    ("area", {"coords": AREA.wkt, "parameter-name": "nosuch"}, "parameter-name"),
    ("area", {"coords": AREA.wkt, "step": "day"}, "step"),
    ("area", {"coords": AREA.wkt, "crs": "EPSG:4549"}, "crs"),
])  # fmt: skip
def test_what_is_wrong_is_named(client: Any, path: str, query: dict[str, str], parameter: str) -> None:
    answer = client.get(f"{BASE}/{path}", f="json", **query)
    assert answer.status == 400
    assert answer.json["parameter"] == parameter


def test_stations_of_a_cube_there_are_none(client: Any) -> None:
    assert client.get(f"{BASE}/locations", f="json").status == 404
