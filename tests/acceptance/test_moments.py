"""`datetime` and `asOf` on tiles and processes: what they choose is what items choose, and what caches may keep of it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import mapbox_vector_tile
import morecantile
import pandas as pd
import psycopg
import pytest
import shapely

from shikong.store.database import Database
from support.loads import load, settings_for, wait_for

SIDE = 0.0037
#: Valid time of each delivery of parcels, and the day on which it became known.
DELIVERIES = [("2020-01-01", "2026-01-10"), ("2022-01-01", "2026-02-10"), ("2024-01-01", "2026-03-10")]
WHEN = [None, "2019-01-01", "2021-06-30", "2022-01-01", "2025-01-01", "2019-01-01/2023-01-01", "2023-01-01/.."]
KNOWN = [None, "2025-12-31", "2026-01-31", "2026-02-28", "2026-10-01"]
SETS = {"WebMercatorQuad": morecantile.Tile(6733, 3204, 13), "WorldCRS84Quad": morecantile.Tile(13467, 2437, 13)}


def _parcels(path: Path, number: int) -> Path:
    """A delivery of parcels on a grid of squares: some are missing, some have moved a little, all have some class."""
    chance = random.Random(number)
    cells = [(column, row) for column in range(20) for row in range(16) if chance.random() < 0.9]
    shift = [chance.choice([0, 0, 0.0006]) for _ in cells]
    shapes = [
        shapely.box(x, y, x + SIDE * 0.8, y + SIDE * 0.8)
        for (column, row), by in zip(cells, shift, strict=True)
        for x, y in [(115.871 + column * SIDE + by, 36.410 + row * SIDE)]
    ]
    frame = {
        "bsm": [f"P{column:02}{row:02}" for column, row in cells],
        "dlbm": [chance.choice(["0101", "0103", "0601"]) for _ in cells],
        "xzqdm": ["371502"] * len(cells),
    }
    gpd.GeoDataFrame(frame, geometry=shapes, crs=4490).to_file(path)
    return path


def _farmland(path: Path, number: int) -> Path:
    shapes = [shapely.box(115.88, 36.42 + n / 500, 115.93, 36.421 + n / 500) for n in range(4 + number)]
    codes = [f"F{n}" for n in range(4 + number)]
    gpd.GeoDataFrame({"code": codes}, geometry=shapes, crs=4490).to_file(path)
    return path


def _table(path: Path, head: str, rows: list[str]) -> Path:
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    return path


def _deliveries(folder: Path, number: int, held: str) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """What comes on a day: layer, file, options of the load."""
    since = datetime.fromisoformat(f"{held}T00:00:00+08:00")
    yield "parcels", _parcels(folder / f"{number}.fgb", number), {"valid_from": since}
    yield "permanent_farmland", _farmland(folder / f"farmland{number}.fgb", number), {}
    rows = [f"S{n},{number}号{n}站,{115.9 + n / 100},36.45,{30 + number},{32 + number}" for n in range(4)]
    yield "hydro_stations", _table(folder / f"s{number}.csv", "stcd,stnm,lon,lat,wrz,grz", rows), {}
    rows = [f"S{n},2026-07-{day:02}T08:00,{28 + n + day - number}" for n in range(3) for day in range(1, 4 + number)]
    yield "hydro_observations", _table(folder / f"o{number}.csv", "stcd,time,z", rows), {}
    days = [f"2026-09-{n + number:02}T09:00,2026-09-{n + number + 2:02}T18:00" for n in range(1, 9)]
    rows = [f"E{n},活动{n},115.9,36.45,{day}" for n, day in enumerate(days)]
    yield "culture_events", _table(folder / f"e{number}.csv", "event_id,title,lon,lat,starts,ends", rows), {}


def _published(dsn: str, report: Any, day: str) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute("UPDATE shikong.release SET published_at = %s WHERE id = %s", (day, report.release))


@pytest.fixture(scope="module")
def city(
    cluster: Any, template: str, run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A service over a few layers with both clocks in them."""
    folder, name = tmp_path_factory.mktemp("moments"), f"o{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    dsn = cluster.dsn_of(name)
    store = Database(settings_for(dsn, folder))
    for number, (held, known) in enumerate(DELIVERIES):
        for layer, source, options in _deliveries(folder, number, held):
            _published(dsn, load(store, source, layer, **options), known)
    store.close_threads()
    with run_service(dsn, folder) as running, httpx.Client(base_url=running.url, trust_env=False) as client:
        yield client


def _asked(**times: str | None) -> dict[str, str]:
    return {name: value for name, value in times.items() if value is not None}


def _path(matrix_set: str, layer: str = "parcels") -> str:
    tile = SETS[matrix_set]
    return f"/collections/{layer}/tiles/{matrix_set}/{tile.z}/{tile.y}/{tile.x}"


def _area(matrix_set: str, margin: float) -> str:
    """A tile's area as `bbox`, so many units of the tile wider on all sides."""
    bounds = morecantile.tms.get(matrix_set).bounds(SETS[matrix_set])
    x, y = ((high - low) / 4096 * margin for low, high in ((bounds.left, bounds.right), (bounds.bottom, bounds.top)))
    return f"{bounds.left - x},{bounds.bottom - y},{bounds.right + x},{bounds.top + y}"


def _told(properties: dict[str, Any]) -> tuple[str, str]:
    """A version: its key, and since when it holds."""
    key = next(properties[name] for name in ("bsm", "stcd", "event_id") if name in properties)
    since = properties.get("valid_from")
    return key, pd.Timestamp(since).tz_convert("UTC").isoformat() if since else ""


def _drawn(client: httpx.Client, path: str, **params: str) -> list[tuple[str, str]]:
    answer = client.get(path, params=params)
    if answer.status_code == 204:
        return []
    assert answer.status_code == 200, answer.text
    (layer,) = mapbox_vector_tile.decode(answer.content).values()
    return sorted(_told(feature["properties"]) for feature in layer["features"])


def _listed(client: httpx.Client, layer: str, **params: str) -> list[tuple[str, str]]:
    answer = client.get(f"/collections/{layer}/items", params={"f": "json", "limit": "10000"} | params)
    assert answer.status_code == 200, answer.text
    return sorted(_told(feature["properties"]) for feature in answer.json()["features"])


@pytest.mark.parametrize("matrix_set", SETS)
@pytest.mark.parametrize("known", KNOWN)
def test_a_tile_of_any_moment_holds_what_items_of_it_hold(
    city: httpx.Client, matrix_set: str, known: str | None
) -> None:
    found = []
    for when in WHEN:
        for condition in (None, "dlbm = '0601'"):
            times = _asked(datetime=when, asOf=known, filter=condition)
            expected = _listed(city, "parcels", bbox=_area(matrix_set, 64), **times)
            assert _drawn(city, _path(matrix_set), **times) == expected, times
            found.append(expected)
    assert bool(found[0]) == (known != "2025-12-31")
    if known in (None, "2026-10-01"):
        assert len({len(versions) for versions in found}) > 6, "the moments tell nothing apart"


@pytest.mark.parametrize("known", KNOWN)
def test_a_layer_without_valid_time_takes_times_as_items_do(city: httpx.Client, known: str | None) -> None:
    for when in WHEN:
        times = _asked(datetime=when, asOf=known)
        path = _path("WebMercatorQuad", "hydro_stations")
        expected = _listed(city, "hydro_stations", bbox=_area("WebMercatorQuad", 64), **times)
        assert _drawn(city, path, **times) == expected
    names = (
        {
            feature["properties"]["stnm"][:1]
            for feature in mapbox_vector_tile.decode(city.get(path, params=_asked(asOf=known)).content)[
                "hydro_stations"
            ]["features"]
        }
        if known != "2025-12-31"
        else set()
    )
    assert (
        names
        == {None: {"2"}, "2025-12-31": set(), "2026-01-31": {"0"}, "2026-02-28": {"1"}, "2026-10-01": {"2"}}[known]
    )


def test_events_on_a_tile_are_those_of_the_time(client: Any, service: Any) -> None:
    events = client.get("/collections/culture_events/items", f="json", limit=1000).json["features"]
    starts = sorted(event["properties"]["starts"] for event in events)
    x, y = events[0]["geometry"]["coordinates"]
    tile = morecantile.tms.get("WebMercatorQuad").tile(x, y, 8)
    path = f"/collections/culture_events/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"
    with httpx.Client(base_url=service.url, trust_env=False) as asking:
        for when in (starts[0], starts[len(starts) // 2], f"../{starts[3]}", f"{starts[-3]}/.."):
            bounds = morecantile.tms.get("WebMercatorQuad").bounds(tile)
            box = ",".join(map(str, bounds))
            assert 0 < len(listed := _listed(asking, "culture_events", bbox=box, datetime=when)) < len(events)
            assert _drawn(asking, path, datetime=when) == listed


@pytest.mark.parametrize(
    ("params", "name"),
    [({"datetime": "gestern"}, "datetime"), ({"asOf": ".."}, "asOf"), ({"asof": "2024-01-01"}, "asof")],
)
def test_a_tile_of_no_time_is_refused_by_name(city: httpx.Client, params: dict[str, str], name: str) -> None:
    answer = city.get(_path("WebMercatorQuad"), params=params)
    assert (answer.status_code, answer.json()["parameter"]) == (400, name)


def test_caches_keep_a_tile_of_the_past_for_good_and_ask_again_for_todays(city: httpx.Client) -> None:
    path = _path("WebMercatorQuad")
    settled = city.get(path, params={"datetime": "2021-06-30", "asOf": "2026-02-28"})
    assert "immutable" in settled.headers["cache-control"]
    assert settled.headers["etag"].startswith('"')
    for params in ({}, {"asOf": "2026-02-28"}, {"datetime": "2021-06-30"}):
        assert "immutable" not in city.get(path, params=params).headers["cache-control"], params
    wait_for(lambda: "etag" in city.get(path).headers, "a tag")
    tags = {city.get(path, params=params).headers["etag"] for params in ({}, {"datetime": "2025-01-01"})}
    assert len(tags | {settled.headers["etag"]}) == 3


def test_a_tile_that_is_known_is_not_cut_again(client: Any, service: Any, sample_city: Any) -> None:
    """Even where the shapes cannot be read."""
    frame = gpd.read_file(sample_city.files / "parcels.fgb").to_crs(4490)
    tile = morecantile.tms.get("WebMercatorQuad").tile(*shapely.box(*frame.total_bounds).centroid.coords[0], 13)
    path = f"/collections/parcels/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"
    wait_for(lambda: "etag" in client.get(path).headers, "a tag")
    tag = client.get(path).headers["etag"]
    with psycopg.connect(sample_city.dsn) as conn:
        conn.execute("LOCK TABLE data.parcels IN ACCESS EXCLUSIVE MODE")
        answer = httpx.get(f"{service.url}{path}", headers={"if-none-match": tag}, trust_env=False)
        conn.rollback()
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


def _execute(city: httpx.Client, process: str, **inputs: Any) -> Any:
    given = {name: value for name, value in inputs.items() if value is not None}
    answer = city.post(f"/processes/{process}/execution", json={"inputs": given})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _features(city: httpx.Client, layer: str, **times: str | None) -> gpd.GeoDataFrame:
    answer = city.get(f"/collections/{layer}/items", params={"f": "json", "limit": "10000"} | _asked(**times))
    assert answer.status_code == 200, answer.text
    found = answer.json()["features"]
    return gpd.GeoDataFrame.from_features(found) if found else gpd.GeoDataFrame({"geometry": []}, geometry="geometry")


INSTANTS = [None, "2021-06-30", "2022-01-01", "2025-01-01T00:00:00Z"]


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("when", INSTANTS)
def test_plans_conflict_where_items_of_then_lie_on_each_other(
    city: httpx.Client, known: str | None, when: str | None
) -> None:
    told = _execute(city, "plan-conflicts", a="parcels", b="permanent_farmland", sliver_m2=1, datetime=when, asOf=known)
    pairs = {(f["properties"]["a_id"], f["properties"]["b_id"]) for f in told["features"]["features"]}
    parcels = _features(city, "parcels", datetime=when, asOf=known)
    farmland = _features(city, "permanent_farmland", datetime=when, asOf=known)
    expected = {
        (one.bsm, other.code)
        for one in parcels.itertuples()
        for other in farmland.itertuples()
        if one.geometry.intersection(other.geometry).area > 1e-10
    }
    assert pairs == expected
    assert bool(expected) == (known != "2025-12-31")


@pytest.mark.parametrize("known", KNOWN)
def test_what_is_here_is_what_items_of_then_have_here(city: httpx.Client, known: str | None) -> None:
    lon, lat = 115.8829, 36.4225
    for when in INSTANTS:
        here = _execute(city, "what-is-here", lon=lon, lat=lat, radius=300, datetime=when, asOf=known)
        found = {feature["id"]: feature["properties"] for feature in here["features"]["features"]}
        expected = {}
        for layer, key in (("parcels", "bsm"), ("permanent_farmland", "code")):
            rows = _features(city, layer, datetime=when, asOf=known)
            expected |= {
                f"{layer}/{row[key]}": row["origin"]
                for _, row in rows[rows.intersects(shapely.Point(lon, lat))].iterrows()
            }
        assert found.keys() == expected.keys()
        assert bool(expected) == (known != "2025-12-31")
        assert not any(name.startswith("_") for properties in found.values() for name in properties)


@pytest.mark.parametrize("known", KNOWN)
def test_land_classes_add_up_to_items_of_the_ends_of_the_years(city: httpx.Client, known: str | None) -> None:
    told = _execute(city, "land-use-change", from_year=2021, to_year=2024, asOf=known)
    for year, column in ((2021, "from_ha"), (2024, "to_ha")):
        rows = _features(city, "parcels", datetime=f"{year}-12-31T23:59:59", asOf=known)
        expected = (rows.groupby("dlbm").tbmj.sum() / 10_000).to_dict() if len(rows) else {}
        areas = {row["class"].partition(" ")[0]: row[column] for row in told["areas"] if row[column]}
        assert areas == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("when", [None, "2026-07-02T12:00:00", "2026-08-01"])
def test_stations_are_rated_by_what_was_known_of_then(city: httpx.Client, known: str | None, when: str | None) -> None:
    number = {None: 2, "2025-12-31": -1, "2026-01-31": 0, "2026-02-28": 1, "2026-10-01": 2}[known]
    if number < 0:
        answer = city.post("/processes/station-state/execution", json={"inputs": {"asOf": known}})
        assert (answer.status_code, answer.json()["parameter"]) == (400, "station")
        return
    day = 2 if when == "2026-07-02T12:00:00" else 3 + number
    rows = {row["station"]: row for row in _execute(city, "station-state", datetime=when, asOf=known)["stations"]}
    assert {station: row["level_m"] for station, row in rows.items()} == {
        "S0": 28 + day - number, "S1": 29 + day - number, "S2": 30 + day - number, "S3": None,
    }  # fmt: skip
    assert {(row["name"][:1], row["warning_m"]) for row in rows.values()} == {(str(number), 30 + number)}


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("when", ["2026-09-02", "2026-09-06", "2026-10-01"])
def test_events_of_a_week_are_items_of_that_week(city: httpx.Client, known: str | None, when: str) -> None:
    week = _execute(city, "culture-this-week", lon=115.9, lat=36.45, days=2, datetime=when, asOf=known)
    until = f"{when[:-2]}{int(when[-2:]) + 2:02}T00:00:00"
    rows = _features(city, "culture_events", datetime=f"{when}T00:00:00/{until}", asOf=known)
    assert {row["title"] for row in week["events"]} == set(rows.get("title", ()))


def test_times_of_processes_are_described_and_wrong_ones_refused(city: httpx.Client) -> None:
    for process in (
        "what-is-here",
        "plan-conflicts",
        "station-state",
        "culture-this-week",
        "land-use-change",
        "land-balance",
    ):
        inputs = city.get(f"/processes/{process}", params={"f": "json", "lang": "en-US"}).json()["inputs"]
        assert inputs["asOf"]["title"] == "As known at (optional; a day means its end)"
        assert inputs["asOf"]["minOccurs"] == 0
        assert inputs["asOf"]["schema"]["type"] == "string"
        assert ("datetime" in inputs) == (process != "land-use-change")
        for name, value in (
            ("asOf", "gestern"),
            ("asOf", ".."),
            ("datetime", "2024-01-01/2024-02-01"),
            ("as_of", "2024-01-01"),
        ):
            answer = city.post(f"/processes/{process}/execution", json={"inputs": {name: value}})
            assert (answer.status_code, answer.json()["parameter"]) == (400, name)
