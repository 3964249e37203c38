"""Coverages, the cube, observations and records over HTTP, compared with the files that were loaded.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from owslib.etree import etree
from owslib.iso import MD_Metadata
from rasterio.io import MemoryFile

from shikong.layers import catalog

BBOX = "115.9,36.4,116.0,36.5"


def test_coverage_equals_the_raster(client: Any, sample_city: Any) -> None:
    document = client.get("/collections/elevation/coverage", f="json", bbox=BBOX).json
    axes = document["domain"]["axes"]
    xs = np.linspace(axes["x"]["start"], axes["x"]["stop"], axes["x"]["num"])
    ys = np.linspace(axes["y"]["start"], axes["y"]["stop"], axes["y"]["num"])
    values = document["ranges"]["elevation"]
    assert values["axisNames"] == ["y", "x"]
    grid = np.array(values["values"], dtype=float).reshape(values["shape"])
    with rasterio.open(next(sample_city.files.glob("*.tif"))) as source:
        points = [(x, y) for y in ys for x in xs]
        expected = np.array([value[0] for value in source.sample(points)]).reshape(grid.shape)
    assert grid == pytest.approx(expected, abs=1e-3)


def test_coverage_as_geotiff_has_the_same_values(client: Any) -> None:
    answer = client.get("/collections/elevation/coverage", f="GeoTIFF", bbox=BBOX)
    document = client.get("/collections/elevation/coverage", f="json", bbox=BBOX).json
    with MemoryFile(answer.content) as memory, memory.open() as raster:
        assert raster.crs.to_epsg() == 4490
        assert raster.read(1).ravel() == pytest.approx(document["ranges"]["elevation"]["values"], abs=1e-3)


def test_cube_equals_the_netcdf(client: Any, sample_city: Any) -> None:
    with xr.open_dataset(next(sample_city.files.glob("*.nc"))) as opened:
        source = opened.sortby(["time", "lat", "lon"])
        time = pd.Timestamp(source["time"].values[10]).isoformat()
        document = client.get("/collections/precipitation/coverage", f="json", datetime=f"{time}Z/{time}Z").json
        values = document["ranges"]["precipitation"]
        assert values["axisNames"] == ["t", "y", "x"]
        expected = source["precipitation"].isel(time=10).transpose("lat", "lon").values
        assert values["shape"] == [1, *expected.shape]
        assert np.array(values["values"]) == pytest.approx(expected.ravel(), abs=1e-3)


def test_cube_series_at_a_position(client: Any, sample_city: Any) -> None:
    answer = client.get("/collections/precipitation/position", f="json", coords="POINT(116.0 36.45)")
    document = answer.json
    assert document["domain"]["domainType"] == "PointSeries"
    with xr.open_dataset(next(sample_city.files.glob("*.nc"))) as source:
        cell = source["precipitation"].sel(lon=116.0, lat=36.45, method="nearest")
        assert document["ranges"]["precipitation"]["values"] == pytest.approx(cell.values.tolist(), abs=1e-3)


@pytest.fixture(scope="module")
def observations(sample_city: Any) -> pd.DataFrame:
    """The observations that were loaded."""
    frame = pd.read_csv(sample_city.files / "hydro_observations.csv", dtype={"stcd": str})
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    return frame


def test_position_answers_with_the_nearest_station(client: Any, observations: pd.DataFrame) -> None:
    stations = client.get("/collections/hydro_stations/items", f="json", limit=100).json["features"]
    levels = observations.dropna(subset=["z"])
    station = next(s for s in stations if s["id"] in set(levels["stcd"]))
    lon, lat = station["geometry"]["coordinates"]
    document = client.get("/collections/hydro_observations/position", f="json", parameter_name="z",
                          coords=f"POINT({lon + 0.0005} {lat})", datetime="2000-01-01/..").json  # fmt: skip
    assert document["shikong:station"]["id"] == station["id"]
    expected = levels[levels["stcd"] == station["id"]].sort_values("time")
    assert document["ranges"]["z"]["values"] == pytest.approx(expected["z"].tolist())
    assert document["domain"]["axes"]["t"]["values"] == expected["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    assert document["parameters"]["z"]["unit"]["symbol"]["value"] == "m"


def test_a_location_by_id_in_an_interval(client: Any, observations: pd.DataFrame) -> None:
    rain = observations.dropna(subset=["drp"])
    station = rain["stcd"].iloc[0]
    times = rain[rain["stcd"] == station]["time"].sort_values()
    begin, end = times.iloc[3], times.iloc[9]
    document = client.get(f"/collections/hydro_observations/locations/{station}", f="json", parameter_name="drp",
                          datetime=f"{begin.isoformat()}/{end.isoformat()}").json  # fmt: skip
    expected = rain[(rain["stcd"] == station) & rain["time"].between(begin, end)].sort_values("time")
    assert document["ranges"]["drp"]["values"] == pytest.approx(expected["drp"].tolist())


def test_edr_refusals(client: Any) -> None:
    path = "/collections/hydro_observations/position"
    assert client.get(path, f="json", coords="POINT(0 0)").status == 400
    assert client.get(path, f="json", coords="nonsense").status == 400
    assert client.get(path, f="json", coords="POINT(116 36)", datetime="soon").status == 400
    assert client.get(path, f="json", coords="POINT(116 36)", parameter_name="x").status == 400
    assert client.get("/collections/elevation/coverage", f="json", bbox="115,37,116,36").status == 400
    assert client.get("/collections/elevation/coverage", f="json", bbox="0,0,1,1").status == 400
    assert client.get("/collections/hydro_observations/locations/none", f="json").status == 404


def test_records_tell_every_layer_with_its_release(client: Any) -> None:
    document = client.get("/collections/layers/items", f="json", limit=100).json
    records = {feature["id"]: feature["properties"] for feature in document["features"]}
    collections = {item["id"] for item in client.get("/collections", f="json").json["collections"]}
    assert set(records) == collections - {"layers", "releases"}
    public = [records[name] for name in records if catalog.default().layer(name).access.public]
    assert all(record["origin"] == "generated" and record["release"] for record in public)
    assert not any("release" in record for record in records.values() if record not in public)
    found = client.get("/collections/layers/items", f="json", q="水文").json["features"]
    ids = {feature["id"] for feature in found}
    assert {"hydro_observations", "hydro_stations"} <= ids
    assert ids.isdisjoint({"parcels", "culture_events", "roads"})
    assert client.get("/collections/layers/items/parcels", f="json").json["properties"]["kind"] == "features"


def test_a_release_is_a_record_and_an_iso_document(client: Any) -> None:
    page = client.get("/collections/releases/items", f="json", layer="parcels").json
    record = page["features"][0]
    assert record["properties"]["contacts"][0]["roles"] == ["custodian"]
    links = {link["rel"]: link["href"] for link in record["links"]}
    known = client.link(links["http://www.opengis.net/def/rel/ogc/1.0/data"])
    assert known.status == 200
    assert known.json["features"]
    iso = client.link(links["alternate"])
    assert iso.headers["content-type"] == "application/xml"
    found = MD_Metadata(etree.fromstring(iso.content))
    assert found.identifier == f"shikong-release-{record['id']}"
    alone = client.get(f"/collections/releases/items/{record['id']}", f="json").json
    assert alone["properties"] == record["properties"]
    assert {link["href"] for link in record["links"]} <= {link["href"] for link in alone["links"]}
    for identifier in ("999999", "x"):
        missing = client.get(f"/collections/releases/items/{identifier}", f="iso19139")
        assert (missing.status, missing.json["code"]) == (404, "NotFound")
    assert client.get("/collections/parcels/items/x", f="iso19139").status == 400
    assert client.get(f"/collections/releases/items/{record['id']}", f="html").status == 200
