"""OGC API - Features over HTTP: pages, boxes, coordinates, times, filters, and what is refused.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Transformer

from shikong.layers import catalog

ITEMS = "/collections/{}/items"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/{}"


def _all_pages(client: Any, path: str, **params: Any) -> list[dict[str, Any]]:
    """Every feature, by following the next links."""
    answer = client.get(path, f="json", **params)
    found = []
    for _ in range(1000):
        document = answer.json
        found += document["features"]
        following = [link["href"] for link in document["links"] if link["rel"] == "next"]
        if not following:
            return found
        answer = client.link(following[0])
    raise AssertionError("the next links do not end")


def test_districts_lie_in_liaocheng_longitude_first(client: Any) -> None:
    document = client.get(ITEMS.format("districts"), f="json", limit=1000).json
    assert document["numberReturned"] == document["numberMatched"] == len(document["features"]) > 8
    for feature in document["features"]:
        west, south, east, north = shapely.geometry.shape(feature["geometry"]).bounds
        assert 115 < west < east < 117
        assert 35 < south < north < 38
        assert "crs" not in feature["geometry"]
    names = {feature["properties"]["xzqmc"] for feature in document["features"]}
    assert {"聊城市", "东昌府区", "临清市"} <= names


@pytest.mark.parametrize("limit", [7, 100])
@pytest.mark.parametrize("sortby", [None, "dlbm", "-tbmj,dlbm", "valid_to"])
def test_paging_gives_every_feature_once_in_order(client: Any, limit: int, sortby: str | None) -> None:
    params = {"limit": limit} | ({"sortby": sortby} if sortby else {})
    features = _all_pages(client, ITEMS.format("parcels"), skipGeometry="true", **params)
    whole = client.get(ITEMS.format("parcels"), f="json", limit=10000, skipGeometry="true").json
    assert len(features) == whole["numberMatched"]
    assert sorted(f["id"] for f in features) == sorted(f["id"] for f in whole["features"])
    if sortby == "dlbm":
        codes = [f["properties"]["dlbm"] for f in features]
        assert codes == sorted(codes)
    if sortby == "-tbmj,dlbm":
        areas = [f["properties"]["tbmj"] for f in features]
        assert areas == sorted(areas, reverse=True)


def test_box_gives_what_a_plain_scan_gives(client: Any, sample_city: Any) -> None:
    parcels = gpd.read_file(sample_city.files / "parcels.fgb").to_crs(4490)
    parcels = parcels[parcels["valid_to"].isna()]
    west, south, east, north = parcels.total_bounds
    random = np.random.default_rng(1)
    for _ in range(12):
        x0, y0 = random.uniform(west, east), random.uniform(south, north)
        x1, y1 = x0 + random.uniform(0, 0.01), y0 + random.uniform(0, 0.01)
        answer = client.get(ITEMS.format("parcels"), f="json", bbox=f"{x0},{y0},{x1},{y1}", limit=10000)
        expected = set(parcels[parcels.intersects(shapely.box(x0, y0, x1, y1))]["bsm"])
        assert {feature["id"] for feature in answer.json["features"]} == expected


@pytest.mark.parametrize("far", [(0.0, 0.0), (0.05, 0.0), (0.0, 0.05)])
def test_a_box_without_width_or_height_finds_what_it_touches(
    client: Any, sample_city: Any, far: tuple[float, float]
) -> None:
    x, y = 116.03532, 36.42324
    districts = gpd.read_file(sample_city.files / "districts.gpkg").to_crs(4490)
    shape = shapely.LineString([(x, y), (x + far[0], y + far[1])]) if any(far) else shapely.Point(x, y)
    expected = set(districts[districts.intersects(shape)]["xzqdm"])
    assert len(expected) >= 3
    box = f"{x},{y},{x + far[0]},{y + far[1]}"
    answer = client.get(ITEMS.format("districts"), f="json", bbox=box, limit=1000).json
    assert {feature["id"] for feature in answer["features"]} == expected


@pytest.mark.parametrize("code", catalog.default().city.crs)
def test_coordinates_agree_with_pyproj_in_the_authoritys_order(client: Any, code: int) -> None:
    stations = client.get(ITEMS.format("hydro_stations"), f="json", limit=50).json["features"]
    answer = client.get(ITEMS.format("hydro_stations"), f="json", limit=50, crs=EPSG.format(code))
    assert answer.headers["content-crs"] == f"<{EPSG.format(code)}>"
    transformer = Transformer.from_crs(4490, code, always_xy=False)  # authority order on both sides
    for plain, moved in zip(stations, answer.json["features"], strict=True):
        lon, lat = plain["geometry"]["coordinates"]
        expected = transformer.transform(lat, lon)
        tolerance = 1e-7 if code in (4326, 4490) else 2e-3
        assert moved["geometry"]["coordinates"] == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("code", [4490, 4326, 3857, 4548, 4527])
def test_box_in_any_crs_finds_the_same(client: Any, code: int) -> None:
    west, south, east, north = 115.9, 36.3, 116.1, 36.5
    expected = {f["id"] for f in client.get(ITEMS.format("roads"), f="json", limit=10000,
                                            bbox=f"{west},{south},{east},{north}").json["features"]}  # fmt: skip
    assert expected
    transformer = Transformer.from_crs(4490, code, always_xy=False)
    corners = [transformer.transform(lat, lon) for lat in (south, north) for lon in (west, east)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    answer = client.get(ITEMS.format("roads"), f="json", limit=10000, bbox_crs=EPSG.format(code),
                        bbox=f"{low[0]},{low[1]},{high[0]},{high[1]}")  # fmt: skip
    found = {f["id"] for f in answer.json["features"]}
    assert expected <= found  # a box that is straight in another CRS is a little larger in degrees
    assert len(found) < len(expected) * 1.2


def test_datetime_gives_the_state_of_that_day(client: Any, sample_city: Any) -> None:
    rows = gpd.read_file(sample_city.files / "parcels.fgb", ignore_geometry=True)
    for day in ("2020-06-30", "2022-06-30", "2024-06-30", "2026-06-30"):
        begun, ended = rows["valid_from"].astype(str) <= day, rows["valid_to"].astype(str) <= day
        holds = rows[begun & (rows["valid_to"].isna() | ~ended)]
        features = _all_pages(client, ITEMS.format("parcels"), skipGeometry="true", limit=500, datetime=day)
        assert {(f["id"], f["properties"]["dlbm"]) for f in features} == set(
            zip(holds["bsm"], holds["dlbm"], strict=True)
        )


def test_one_feature_then_and_now(client: Any, sample_city: Any) -> None:
    rows = gpd.read_file(sample_city.files / "parcels.fgb", ignore_geometry=True)
    ended = rows[rows["valid_to"].notna()].iloc[0]
    path = f"{ITEMS.format('parcels')}/{ended['bsm']}"
    now = client.get(path, f="json").json
    then = client.get(path, f="json", datetime="2020-06-30").json
    assert then["properties"]["dlbm"] == ended["dlbm"] != now["properties"]["dlbm"]
    assert client.get(path, f="json", datetime="1999-01-01").status == 410


def test_events_in_an_interval(client: Any) -> None:
    events = _all_pages(client, ITEMS.format("culture_events"), limit=1000)
    starts = sorted(feature["properties"]["starts"] for feature in events)
    day = starts[len(starts) // 2][:10]
    found = _all_pages(client, ITEMS.format("culture_events"), datetime=f"{day}/{day}", limit=1000)
    begin, end = datetime.fromisoformat(f"{day}T00:00:00+08:00"), datetime.fromisoformat(f"{day}T23:59:59.999999+08:00")
    expected = {
        f["id"]
        for f in events
        if datetime.fromisoformat(f["properties"]["starts"]) <= end
        and datetime.fromisoformat(f["properties"]["ends"]) >= begin
    }
    assert {f["id"] for f in found} == expected
    assert expected


def test_property_filters_and_chosen_properties(client: Any) -> None:
    answer = client.get(ITEMS.format("parcels"), f="json", dlbm="0102", properties="dlbm,tbmj", limit=10000)
    features = answer.json["features"]
    assert features
    assert {f["properties"]["dlbm"] for f in features} == {"0102"}
    assert all(set(f["properties"]) == {"dlbm", "tbmj"} for f in features)


def test_every_record_says_that_it_is_generated(client: Any) -> None:
    for layer in catalog.default():
        if layer.kind == "features" and layer.access.public:
            features = client.get(ITEMS.format(layer.id), f="json", limit=5, skipGeometry="true").json["features"]
            assert features, layer.id
            assert {f["properties"]["origin"] for f in features} == {"generated"}, layer.id


REFUSED = [
    ("/collections/nothing/items", {}, 404, None),
    ("/collections/districtz", {}, 404, None),
    ("/collections/districts/items/000000", {}, 404, None),
    ("/collections/elevation/items", {}, 404, None),
    (ITEMS.format("districts"), {"limt": 5}, 400, "limt"),
    (ITEMS.format("districts"), {"limit": 0}, 400, "limit"),
    (ITEMS.format("districts"), {"limit": 10001}, 400, "limit"),
    (ITEMS.format("districts"), {"limit": "ten"}, 400, "limit"),
    (ITEMS.format("districts"), {"offset": -1}, 400, "offset"),
    (ITEMS.format("districts"), {"bbox": "115,37,116,36"}, 400, "bbox"),
    (ITEMS.format("districts"), {"bbox": "36,115,37,116"}, 400, "bbox"),
    (ITEMS.format("districts"), {"bbox": "115,36,nan,37"}, 400, "bbox"),
    (ITEMS.format("districts"), {"bbox": "115,36,inf,37"}, 400, "bbox"),
    (ITEMS.format("districts"), {"bbox": "115,36,116"}, 400, "bbox"),
    (ITEMS.format("districts"), {"bbox": "a,b,c,d"}, 400, "bbox"),
    (ITEMS.format("districts"), {"bbox": "115,36,116,37", "bbox_crs": EPSG.format(2154)}, 400, "bbox-crs"),
    (ITEMS.format("districts"), {"bbox_crs": EPSG.format(4490)}, 400, "bbox-crs"),
    (ITEMS.format("districts"), {"crs": "EPSG:9999999"}, 400, "crs"),
    (ITEMS.format("parcels"), {"datetime": "yesterday"}, 400, "datetime"),
    (ITEMS.format("parcels"), {"datetime": "2024-13-01"}, 400, "datetime"),
    (ITEMS.format("parcels"), {"datetime": "2025-01-01/2024-01-01"}, 400, "datetime"),
    (ITEMS.format("parcels"), {"sortby": "colour"}, 400, "sortby"),
    (ITEMS.format("parcels"), {"properties": "colour"}, 400, "properties"),
    (ITEMS.format("parcels"), {"tbmj": "much"}, 400, "tbmj"),
    (ITEMS.format("parcels"), {"cursor": "xyz"}, 400, "cursor"),
    (ITEMS.format("parcels"), {"skipGeometry": "maybe"}, 400, "skipGeometry"),
    (ITEMS.format("parcels"), {"f": "dwg"}, 400, "f"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "params", "status", "parameter"), REFUSED)
def test_refusals_name_the_parameter_and_what_is_allowed(
    client: Any, path: str, params: dict[str, Any], status: int, parameter: str | None
) -> None:
    params = {"f": "json"} | params
    answer = client.get(path, **params)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status
    assert problem.get("parameter") == parameter
    assert "Traceback" not in answer.text
    if status == 400 and parameter != "cursor":
        assert problem["allowed"]


def test_unknown_parameter_names_the_closest(client: Any) -> None:
    assert "did you mean 'limit'" in client.get(ITEMS.format("districts"), limt=5).json["detail"]


def test_a_cursor_belongs_to_its_sorting(client: Any) -> None:
    first = client.get(ITEMS.format("parcels"), f="json", limit=5, sortby="dlbm").json
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    cursor = dict(pair.split("=") for pair in following.split("?")[1].split("&"))["cursor"]
    assert client.get(ITEMS.format("parcels"), f="json", cursor=cursor).status == 400


def test_errors_for_a_browser_are_pages(client: Any) -> None:
    answer = client.get("/collections/nothing/items", accept="text/html")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "nothing" in answer.text
