"""Runs of forecasts over HTTP: each an instance with its own values; the process and its forms; the worker's chore.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from conftest import Service
from psycopg import sql
from typer.testing import CliRunner

from shikong.cli.main import app
from shikong.ingest.jobs import worker
from shikong.ingest.jobs.chores import Chore
from shikong.layers import catalog
from shikong.processes.forecasts import runs
from shikong.store.database import Database
from support.loads import dsn_of, load

CITY = catalog.default()
CODE, GAUGE = "31151200", "31158100"
ISSUE = datetime.fromisoformat("2026-07-20T08:00:00+08:00")
AGO = sql.SQL("UPDATE shikong.release SET published_at = published_at - interval '2 hours'")


@pytest.fixture
def store(empty_store: Database, tmp_path: Path, as_default: Callable[[str, Path], Database]) -> Database:
    """A forecast station with a gauge, a flood that rises, and rain that is expected; as the process-wide store."""
    empty_store.settings.data.mkdir(exist_ok=True)
    as_default(dsn_of(empty_store), empty_store.settings.data)
    pd.DataFrame({"stcd": [CODE, GAUGE], "stnm": ["王铺闸", "冠县"], "sttp": ["ZQ", "PP"], "lon": [115.8, 115.4],
                  "dtmnm": ["1985国家高程基准", None], "lat": [36.6, 36.5]}).to_csv(tmp_path / "s.csv", index=False)  # fmt: skip
    load(empty_store, tmp_path / "s.csv", "hydro_stations")
    _read(empty_store, tmp_path, ISSUE, 40.0)
    return empty_store


def _read(store: Database, folder: Path, at: datetime, flow: float) -> None:
    rows = [{"stcd": CODE, "time": at.isoformat(), "q": flow}]
    rows += [{"stcd": GAUGE, "time": (at - timedelta(hours=hour)).isoformat(), "drp": 6.0} for hour in range(3)]
    pd.DataFrame(rows).to_csv(folder / "o.csv", index=False)
    load(store, folder / "o.csv", "hydro_observations")


def _published(store: Database) -> list[tuple[Any, ...]]:
    query = "SELECT id, valid_from, origin FROM shikong.release WHERE layer = 'hydro_forecasts' ORDER BY id"
    return store.thread_fetch(sql.SQL(query))


def _values(url: str, parameter: str) -> dict[str, float]:
    answer = httpx.get(url, params={"parameter-name": parameter, "datetime": "2026-07-20/2026-08-01", "f": "json"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    times = told["domain"]["axes"]["t"]["values"]
    return dict(zip(times, told["ranges"][parameter]["values"], strict=True))


def test_each_run_is_an_instance_with_its_own_values(
    store: Database, tmp_path: Path, run_service: Callable[..., AbstractContextManager[Service]]
) -> None:
    commands = CliRunner()
    first = commands.invoke(app, ["forecast", "run"])
    assert first.exit_code == 0, first.output
    assert "1 stations" in first.output
    _read(store, tmp_path, ISSUE + timedelta(hours=6), 120.0)
    assert commands.invoke(app, ["forecast", "run", "--horizon", "24"]).exit_code == 0
    (one, issued, origin), (two, issued_later, _) = _published(store)
    assert (issued, issued_later, origin) == (ISSUE, ISSUE + timedelta(hours=6), "generated")
    with run_service(dsn_of(store), store.settings.data) as service:
        base = f"{service.url}/collections/hydro_forecasts"
        told = httpx.get(f"{base}/instances").json()["instances"]
        assert [instance["id"] for instance in told] == [str(two), str(one)]
        now = _values(f"{base}/locations/{CODE}", "q")
        before, after = (_values(f"{base}/instances/{run}/locations/{CODE}", "q") for run in (one, two))
    assert len(before) == 72
    assert after == now
    hours = [pd.Timestamp(time) for time in before]
    assert (min(hours), max(hours)) == (ISSUE + timedelta(hours=1), ISSUE + timedelta(hours=72))
    changed = {pd.Timestamp(time) for time in before if before[time] != after[time]}
    # What lay behind the second issue, and beyond its horizon, stays as the first run had it.
    assert changed == {ISSUE + timedelta(hours=hour) for hour in range(7, 31)}
    first_of_second = next(value for time, value in after.items() if pd.Timestamp(time) == ISSUE + timedelta(hours=7))
    assert first_of_second == pytest.approx(120, rel=0.2)
    assert max(before.values()) < max(after.values())


def test_a_run_tells_stages_and_areal_rain_too(store: Database, tmp_path: Path) -> None:
    times = [(ISSUE + timedelta(hours=hour)).isoformat() for hour in range(1, 5)]
    pd.DataFrame({"stcd": GAUGE, "time": times, "drp": 7.5}).to_csv(tmp_path / "rain.csv", index=False)
    load(store, tmp_path / "rain.csv", "rain_forecast")
    outcome = runs.update(store, CITY, 8)
    assert (outcome.stations, outcome.issue) == (1, ISSUE)
    query = sql.SQL("SELECT s.parameter, array_agg(o.value ORDER BY o.time), bool_and(o.quality = 0)"
                    " FROM data.hydro_forecasts AS o JOIN data.hydro_forecasts__series AS s ON s.id = o.series"
                    " GROUP BY s.parameter")  # fmt: skip
    found = {parameter: (values, good) for parameter, values, good in store.thread_fetch(query)}
    assert found["arp"] == ([7.5] * 4 + [0.0] * 4, True)
    assert all(len(values) == 8 and good for values, good in found.values())
    assert all(30.7 < stage < 36 for stage in found["z"][0])


def test_a_run_is_due_when_there_are_newer_readings_and_the_last_is_old_enough(store: Database, tmp_path: Path) -> None:
    asked = runs.due(store, CITY)
    assert asked is not None
    assert datetime.fromisoformat(asked) == ISSUE
    chore = Chore("forecast", "hydro_forecasts", lambda of: runs.due(of, CITY),
                  lambda of, progress: runs.work(of, CITY, progress))  # fmt: skip
    worker.run(store, CITY, worker.Timing(), once=True, chores=[chore])
    assert [issue for _, issue, _ in _published(store)] == [ISSUE]
    assert runs.due(store, CITY) is None
    _read(store, tmp_path, ISSUE + timedelta(hours=2), 60.0)
    assert runs.due(store, CITY) is None  # the last run is too young
    with store.thread_session() as conn:
        conn.execute(AGO)
    again = runs.due(store, CITY)
    assert again is not None
    assert datetime.fromisoformat(again) == ISSUE + timedelta(hours=2)
    worker.run(store, CITY, worker.Timing(), once=True, chores=[chore])
    assert [issue for _, issue, _ in _published(store)] == [ISSUE, ISSUE + timedelta(hours=2)]
    with store.thread_session() as conn:
        conn.execute(AGO)
    assert runs.due(store, CITY) is None  # nothing newer


def test_without_readings_there_is_no_run(empty_store: Database) -> None:
    assert runs.due(empty_store, CITY) is None
    assert runs.update(empty_store, CITY).release is None
    assert _published(empty_store) == []


def test_a_storm_over_a_district_is_told_by_the_districts_name(client: Any) -> None:
    items = "/collections/{}/items"
    found = client.get(items.format("forecast_warnings"), f="json", rule="district_storm").json["features"]
    assert found
    for one in found:
        code = one["properties"]["subject"]
        (district,) = client.get(items.format("districts"), f="json", xzqdm=code).json["features"]
        assert one["properties"]["name"] == district["properties"]["xzqmc"]
        assert district["properties"]["xzqmc"] in one["properties"]["headline_zh"]


def test_the_process_answers_over_http(client: Any) -> None:
    described = client.get("/processes/water-forecast", f="json").json
    assert set(described["inputs"]) >= {"station", "issue", "horizon_h", "rain", "storm", "rain_from", "asOf"}
    storm = described["inputs"]["storm"]["schema"]
    assert set(storm["required"]) == {"lon", "lat", "peak_mm_h", "duration_h", "radius_km"}
    path, inputs = "/processes/water-forecast/execution", {"inputs": {"station": "31150300"}}
    answer = client.post(path, inputs).json
    assert {row["station"] for row in answer["tables"]["peaks"]["rows"]} == {"31150300"}
    for form, kind in (("csv", "text/csv"), ("svg", "image/svg+xml"), ("html", "text/html")):
        assert client.post(f"{path}?f={form}", inputs).headers["content-type"].startswith(kind)
    refused = client.post(path, {"inputs": {"station": "x"}})
    assert (refused.status, refused.json["parameter"]) == (400, "station")


def test_the_sample_has_a_run_of_all_stations(client: Any) -> None:
    told = client.get("/collections/hydro_forecasts/locations", f="json").json
    assert {feature["id"] for feature in told["features"]} == set(CITY.forecasts.stations)


def _rain_ahead(store: Database, folder: Path, depth: float) -> None:
    times = [(ISSUE + timedelta(hours=hour)).isoformat() for hour in range(1, 13)]
    pd.DataFrame({"stcd": GAUGE, "time": times, "drp": depth}).to_csv(folder / "rain.csv", index=False)
    load(store, folder / "rain.csv", "rain_forecast")


def test_the_warnings_that_a_run_brings_are_features_until_a_run_says_otherwise(
    store: Database, tmp_path: Path, run_service: Callable[..., AbstractContextManager[Service]]
) -> None:
    _rain_ahead(store, tmp_path, 18.0)
    runs.update(store, CITY, 48)
    with run_service(dsn_of(store), store.settings.data) as service:
        url = f"{service.url}/collections/forecast_warnings/items"
        features = httpx.get(url, params={"limit": 1000}).json()["features"]
        inputs = {"horizon_h": 48, "issue": ISSUE.isoformat()}
        answer = httpx.post(f"{service.url}/processes/water-forecast/execution", json={"inputs": inputs}).json()
        _rain_ahead(store, tmp_path, 0.0)
        runs.update(store, CITY, 48)
        assert httpx.get(url).json()["features"] == []
        store_time = store.thread_fetch(sql.SQL("SELECT min(published_at) FROM shikong.release"
                                                " WHERE layer = 'forecast_warnings'"))[0][0]  # fmt: skip
        before = httpx.get(url, params={"asOf": store_time.isoformat()}).json()["features"]
        runs.update(store, CITY, 48)
    assert {one["id"] for one in before} == {one["id"] for one in features}
    events = pd.DataFrame(answer["tables"]["warnings"]["rows"])
    events["code"] = events["rule_code"] + "-" + events["subject"]
    events["kind"] = [change["en"] for change in events["change"]]
    events["at"] = pd.to_datetime(events["at"])
    events = events[events["at"] > ISSUE]
    rising = events[events["kind"].isin(["Issue", "Raise"])]
    assert {one["id"] for one in features} == set(rising["code"])
    assert {"rain_6h-31158100", "rain_24h-31158100"} <= set(rising["code"])
    for one in features:
        told, own = one["properties"], rising[rising["code"] == one["id"]]
        assert pd.Timestamp(told["expected_at"]) == own["at"].min()
        assert told["level"] == max(own["level_code"], key=["blue", "yellow", "orange", "red"].index)
        assert pd.Timestamp(told["issue"]) == ISSUE
        assert told["headline_en"] in [headline["en"] for headline in own["headline"]]
        last = events[events["code"] == one["id"]].iloc[-1]
        assert (told["lifted_at"] is None) == (last["kind"] != "Lift")
        assert told["origin"] == "generated"
        assert one["geometry"]["type"] == "MultiPoint"
    kept = store.thread_fetch(sql.SQL("SELECT count(*) FROM shikong.release WHERE layer = 'forecast_warnings'"))
    assert kept == [(2,)], "a run that brings nothing new publishes nothing"
