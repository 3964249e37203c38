"""OGC API - EDR over the stations, against the file that was loaded, pyproj's distances and shapely's shapes.

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
from pygeoapi.provider.base import ProviderInvalidQueryError, ProviderItemNotFoundError
from pyproj import Geod

from shikong.layers import catalog
from shikong.providers.observations import ObservationsProvider

GEOD = Geod(a=6378137, rf=298.257222101)
BASE = "/collections/hydro_observations"
ALL = "2000-01-01/.."
CENTRE = (115.98, 36.45)
METHODS = {name: decl.cell_method for name, decl in catalog.default().layer("hydro_observations").parameters.items()}


@pytest.fixture(scope="module")
def loaded(sample_city: Any) -> pd.DataFrame:
    """What was loaded: station, parameter, time (UTC), value."""
    frame = pd.read_csv(sample_city.files / "hydro_observations.csv", dtype={"stcd": str})
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    long = frame.drop(columns="origin").melt(["stcd", "time"], var_name="parameter").dropna(subset=["value"])
    return long.rename(columns={"stcd": "station"}).sort_values(["station", "parameter", "time"])


@pytest.fixture(scope="module")
def places(client: Any, loaded: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Where the stations with observations are."""
    features = client.get("/collections/hydro_stations/items", f="json", limit=1000).json["features"]
    found = {feature["id"]: tuple(feature["geometry"]["coordinates"]) for feature in features}
    return {station: found[station] for station in loaded["station"].unique()}


def _stations(document: dict[str, Any]) -> set[str]:
    coverages = document["coverages"] if document["type"] == "CoverageCollection" else [document]
    return {coverage["shikong:station"]["id"] for coverage in coverages}


def _distance(place: tuple[float, float], point: tuple[float, float]) -> float:
    return float(GEOD.inv(*place, *point)[2])


def test_stations_within_a_radius_are_those_that_pyproj_finds(client: Any, places: dict[str, Any]) -> None:
    for km in (5, 20, 45):
        expected = {code for code, place in places.items() if _distance(place, CENTRE) <= km * 1000}
        document = client.get(f"{BASE}/radius", f="json", coords=f"POINT({CENTRE[0]} {CENTRE[1]})", within=km,
                              **{"within-units": "km"}, datetime=ALL).json  # fmt: skip
        assert _stations(document) == expected
    assert len(expected) > 3


def test_stations_in_an_area_a_box_and_along_a_line_are_those_that_shapely_finds(
    client: Any, places: dict[str, Any]
) -> None:
    area = shapely.Polygon([(115.6, 36.2), (116.2, 36.25), (116.1, 36.8), (115.7, 36.6)])
    within = {code for code, place in places.items() if area.covers(shapely.Point(place))}
    assert _stations(client.get(f"{BASE}/area", f="json", coords=area.wkt, datetime=ALL).json) == within
    box = (115.7, 36.2, 116.15, 36.6)
    expected = {code for code, place in places.items() if shapely.box(*box).covers(shapely.Point(place))}
    found = client.get(f"{BASE}/cube", f="json", bbox=",".join(map(str, box)), datetime=ALL).json
    assert _stations(found) == expected
    line = shapely.LineString([(115.6, 36.1), (116.0, 36.45), (116.3, 36.8)])
    dense = [(point.x, point.y) for point in shapely.line_interpolate_point(line, np.linspace(0, line.length, 4000))]
    near = {code for code, place in places.items() if min(_distance(place, point) for point in dense) <= 7_500}
    found = client.get(f"{BASE}/corridor", f="json", coords=line.wkt, datetime=ALL,
                       **{"corridor-width": 15, "width-units": "km"}).json  # fmt: skip
    assert _stations(found) == near
    nearest = {min(places, key=lambda code: _distance(places[code], point)) for point in line.coords}
    assert _stations(client.get(f"{BASE}/trajectory", f="json", coords=line.wkt, datetime=ALL).json) == nearest
    assert min(map(len, (within, expected, near, nearest))) > 1


def _one(client: Any, station: str, name: str, **more: Any) -> pd.Series[Any]:
    document = client.get(f"{BASE}/locations/{station}", f="json", parameter_name=name, datetime=ALL, **more).json
    times = pd.to_datetime(document["domain"]["axes"]["t"]["values"])
    return pd.Series(document["ranges"][name]["values"], index=times)


@pytest.mark.parametrize(("name", "statistic"), [
    ("z", None), ("z", "min"), ("z", "max"), ("z", "count"), ("drp", None), ("drp", "max"), ("q", "mean"),
])  # fmt: skip
@pytest.mark.parametrize("step", ["hour", "day", "month"])
def test_steps_of_time_are_what_pandas_makes_of_them(
    client: Any, loaded: pd.DataFrame, step: str, name: str, statistic: str | None
) -> None:
    """Of a moment a value belongs to the step that begins with it, rain to the one that ends with it."""
    own = loaded[loaded["parameter"] == name]
    station = own["station"].iloc[0]
    values = own[own["station"] == station].set_index("time")["value"]
    at = values.index - pd.Timedelta("1us") if METHODS[name] == "sum" else values.index
    starts = (
        at.floor({"hour": "h", "day": "D"}[step])
        if step != "month"
        else at.floor("D") - pd.to_timedelta(at.day - 1, "D")
    )
    figure = statistic or ("sum" if METHODS[name] == "sum" else "mean")
    expected = values.groupby(starts).agg(figure)
    ends = {"hour": pd.Timedelta("1h"), "day": pd.Timedelta("1D"), "month": pd.DateOffset(months=1)}[step]
    expected.index = expected.index + ends
    found = _one(client, station, name, step=step, **({"statistic": statistic} if statistic else {}))
    assert found.index.tolist() == expected.index.tolist()
    assert found.to_numpy(dtype=float) == pytest.approx(expected.to_numpy(dtype=float), abs=1e-6)


def test_every_format_has_the_same_values(client: Any, loaded: pd.DataFrame, tmp_path: Path) -> None:
    names = "z,drp"
    query = {"coords": f"POINT({CENTRE[0]} {CENTRE[1]})", "within": 25, "within-units": "km", "datetime": ALL}
    wanted = {"parameter-name": names, **query}
    csv = pd.read_csv(io.BytesIO(client.get(f"{BASE}/radius", f="csv", **wanted).content), dtype={"station": str})
    assert list(csv.columns) == ["station", "time", "z", "drp"]
    csv["time"] = pd.to_datetime(csv["time"], utc=True)
    wide = loaded[loaded["parameter"].isin(["z", "drp"]) & loaded["station"].isin(set(csv["station"]))]
    expected = wide.pivot_table(index=["station", "time"], columns="parameter", values="value")
    rows = csv.set_index(["station", "time"]).sort_index()
    assert rows.index.tolist() == expected.index.tolist()
    for name in ("z", "drp"):
        assert rows[name].to_numpy() == pytest.approx(expected[name].to_numpy(), nan_ok=True)
    features = client.get(f"{BASE}/radius", f="geojson", **wanted).json["features"]
    told = {(feature["id"], time): value for feature in features
            for time, value in zip(feature["properties"]["time"], feature["properties"].get("z", []), strict=False)}  # fmt: skip
    levels = {
        (station, time.strftime("%Y-%m-%dT%H:%M:%SZ")): value for (station, time), value in rows["z"].dropna().items()
    }
    assert {key: value for key, value in told.items() if value is not None} == pytest.approx(levels)
    content = client.get(f"{BASE}/radius", f="netcdf", **wanted).content
    path = tmp_path / "series.nc"
    path.write_bytes(content)
    with xr.open_dataset(path, engine="netcdf4") as data:
        assert data.attrs["featureType"] == "timeSeries"
        assert data["z"].attrs["units"] == "m"
        assert data["drp"].attrs["cell_methods"] == "time: sum"
        frame = data["z"].to_series().dropna()
    assert frame.to_numpy() == pytest.approx(rows["z"].dropna().to_numpy())


def test_without_a_time_the_last_seven_days_are_told(client: Any, loaded: pd.DataFrame) -> None:
    own = loaded[loaded["parameter"] == "z"]
    station = own["station"].iloc[0]
    times = own[own["station"] == station]["time"]
    document = client.get(f"{BASE}/locations/{station}", f="json", parameter_name="z").json
    expected = times[times >= times.max() - pd.Timedelta("7D")]
    assert document["domain"]["axes"]["t"]["values"] == expected.dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()


def test_instances_are_the_releases_and_answer_as_they_were_known(client: Any, loaded: pd.DataFrame) -> None:
    listed = client.get(f"{BASE}/instances", f="json").json["instances"]
    (run,) = [one for one in listed if one["title"] == "hydro_observations.csv"]
    assert client.get(f"{BASE}/instances/{run['id']}", f="json").json == run
    station = loaded["station"].iloc[0]
    known = client.get(f"{BASE}/instances/{run['id']}/locations/{station}", f="csv", datetime=ALL)
    now = client.get(f"{BASE}/locations/{station}", f="csv", datetime=ALL)
    assert known.content == now.content
    assert client.get(f"{BASE}/instances/999999", f="json").status == 404
    assert client.get(f"{BASE}/instances/x/area", f="json", coords="POINT(1 1)").status == 404


def test_the_collection_tells_its_queries(client: Any) -> None:
    told = client.get(BASE, f="json").json["data_queries"]
    assert set(told) == {"position", "radius", "area", "cube", "trajectory", "corridor", "locations", "instances"}
    assert set(told["area"]["link"]["variables"]["output_formats"]) == {"json", "geojson", "csv", "netcdf"}


@pytest.mark.parametrize(("path", "query", "parameter"), [
    ("radius", {"coords": "POINT(116 36)"}, "within"),
    ("radius", {"coords": "POINT(116 36)", "within": "5"}, "within-units"),
    ("radius", {"coords": "POINT(116 36)", "within": "-5", "within-units": "km"}, "within"),
    ("radius", {"coords": "POINT(116 36)", "within": "nan", "within-units": "km"}, "within"),
    ("area", {"coords": "POINT(116 36)"}, "coords"), ("area", {}, "coords"),
    ("area", {"coords": "POLYGON((0 0,1 1,0 1,1 0,0 0))"}, "coords"),
    ("area", {"coords": "POLYGON((0 0,999 0,999 9,0 0))"}, "coords"),
    ("cube", {}, "bbox"), ("corridor", {"coords": "LINESTRING(115 36,116 36)"}, "corridor-width"),
    ("position", {"coords": "POINT(116 36.4)", "step": "week"}, "step"),
    ("position", {"coords": "POINT(116 36.4)", "statistic": "mean"}, "statistic"),
    ("position", {"coords": "POINT(116 36.4)", "step": "hour", "parameter-name": "dyp"}, "step"),
    ("position", {"coords": "POINT(116 36.4)", "step": "day", "statistic": "sum", "parameter-name": "z"}, "statistic"),
    ("position", {"coords": "POINT(116 36.4)", "crs": "EPSG:4548"}, "crs"),
    ("position", {"coords": "POINT(116 36.4)", "f": "shp"}, "f"), ("area", {"coords": "POINT(1 1)", "f": "png"}, "f"),
    ("trajectory", {"coords": "LINESTRING(115 36)"}, "coords"),
])  # fmt: skip
def test_what_is_wrong_is_named(client: Any, path: str, query: dict[str, str], parameter: str) -> None:
    answer = client.get(f"{BASE}/{path}", **{"f": "json", **query})
    assert (answer.status, answer.json["parameter"]) == (400, parameter)


@pytest.mark.usefixtures("sample_store")
def test_what_pygeoapi_asks_for_its_pages_is_the_nearest_station_as_it_was_loaded(
    client: Any, loaded: pd.DataFrame, places: dict[str, Any]
) -> None:
    provider = ObservationsProvider({"name": "x", "type": "edr", "data": "hydro_observations"})
    assert {one["id"]: tuple(one["geometry"]["coordinates"]) for one in provider.locations()["features"]} == places
    chance = np.random.default_rng(7)
    for lon, lat in chance.uniform((115.7, 36.3), (116.2, 36.6), (5, 2)):
        document = provider.position(shapely.Point(lon, lat), datetime_=ALL)
        (station,) = _stations(document)
        assert _distance(places[station], (lon, lat)) == min(_distance(one, (lon, lat)) for one in places.values())
        known = loaded[loaded["station"] == station].pivot(index="time", columns="parameter", values="value")
        assert pd.to_datetime(document["domain"]["axes"]["t"]["values"], utc=True).tolist() == known.index.tolist()
        for name, found in document["ranges"].items():
            np.testing.assert_allclose(np.array(found["values"], float), known[name], atol=1e-6)
        assert set(document["ranges"]) == set(known)
    with pytest.raises(ProviderInvalidQueryError):
        provider.position(shapely.Point(100, 20))
    with pytest.raises(ProviderItemNotFoundError):
        provider.locations("nobody")
    assert station in client.get(f"{BASE}/position", f="html", coords=f"POINT({lon} {lat})").text
