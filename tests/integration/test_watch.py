"""Warnings that follow from values as they arrive, by hand and by the watch that runs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import sql

from shikong.ingest import edits
from shikong.ingest.edits import Operation
from shikong.layers import catalog
from shikong.processes.coordination import cases
from shikong.processes.warnings import mqtt, rehearsal
from shikong.processes.warnings.watch import Watch
from shikong.store import observations
from shikong.store.database import Database
from shikong.store.principal import Principal, acting_as
from support.loads import load
from support.telemetry import broker, until

CITY = catalog.default()
LAYER = CITY.layer("hydro_observations")
STATIONS = CITY.layer("hydro_stations")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
WORKER = Principal("worker:test", ("worker",))
HYDROLOGIST = Principal("hydro", ("hydrologist",))


@pytest.fixture
def store(empty_store: Database, tmp_path: Path) -> Iterator[Database]:
    """An empty store with two stations of a river and a rain gauge, and the worker's role."""
    stations = tmp_path / "stations.csv"
    stations.write_text(
        "stcd,stnm,sttp,rvnm,xzqdm,wrz,grz,obhtz,lon,lat\n"
        "S1,甲,ZQ,徒骇河,371502,32,33.5,34.2,115.9,36.4\nS2,乙,ZQ,徒骇河,371502,30,31.5,32.2,116.0,36.5\n"
        "P1,丙,PP,,371502,,,,116.1,36.4\n",
        encoding="utf-8",
    )
    load(empty_store, stations, "hydro_stations")
    with acting_as(WORKER):
        yield empty_store


def _come(store: Database, *values: tuple[str, str, datetime, float], quality: int = 0) -> None:
    with store.thread_session() as conn, conn.transaction():
        observations.empty_stage(conn)
        rows = [(*value, quality, "delivered") for value in values]
        observations.append(conn, LAYER, "telemetry", observations.stage(conn, rows))


def _warnings(store: Database) -> list[dict[str, Any]]:
    names = ("rule", "subject", "level", "state", "value", "stations", "origin", "code")
    query = sql.SQL("SELECT {} FROM data.warnings ORDER BY rule, subject").format(
        sql.SQL(", ").join(map(sql.Identifier, names))
    )
    return [dict(zip(names, row, strict=True)) for row in store.thread_fetch(query)]


def _told(store: Database) -> list[tuple[str, str, str, str]]:
    return [(one["rule"], one["subject"], one["level"], one["state"]) for one in _warnings(store)]


def test_a_warning_begins_rises_and_ends_with_what_arrives(store: Database) -> None:
    watch = Watch(store, CITY)
    minute = timedelta(minutes=1)
    _come(store, ("S1", "z", NOW - 50 * minute, 31.9))
    assert [event.change for event in watch.once(NOW - 50 * minute)] == ["issue"]
    assert _told(store) == [("flood_stage", "S1", "blue", "active")]
    _come(store, ("S1", "z", NOW - 49 * minute, 33.9))
    watch.once(NOW - 49 * minute)
    assert ("flood_stage", "S1", "orange", "active") in _told(store)
    _come(store, ("S1", "z", NOW - 48 * minute, 99.0), quality=3)  # what cannot be raises nothing
    assert watch.once(NOW - 48 * minute) == []
    _come(store, ("S1", "z", NOW - 47 * minute, 30.0))
    assert watch.once(NOW - 47 * minute) == []
    events = watch.once(NOW - 10 * minute)  # nothing has come, time has passed
    assert ("lift", ("flood_stage", "S1")) in [(event.change, event.subject) for event in events]
    assert ("flood_stage", "S1", "orange", "lifted") in _told(store)
    query = sql.SQL("SELECT step, principal FROM shikong.step WHERE key LIKE %(key)s ORDER BY id")
    assert store.thread_fetch(query, {"key": "%flood_stage-S1"}) == [
        (step, "worker:test") for step in ("issue", "change", "lift")
    ]


def test_evidence_says_what_a_warning_rests_on(store: Database) -> None:
    _come(store, *(("P1", "drp", NOW - timedelta(hours=hour), 12.5) for hour in range(4)))
    Watch(store, CITY).once(NOW)
    row = store.thread_fetch(sql.SQL("SELECT value, threshold, evidence, headline_zh, headline_en, st_astext(geom)"
                                     " FROM data.warnings WHERE rule = 'rain_6h'"))[0]  # fmt: skip
    assert row[:2] == (50.0, 50.0)
    evidence = json.loads(row[2])
    assert (evidence["parameter"], evidence["over"], evidence["values"], evidence["value"]) == ("drp", "PT6H", 4, 50.0)
    assert row[3:] == ("黄色（Ⅲ级）预警：丙6 小时降雨 50.00 mm（限值 50.00）",
                       "Yellow (III) warning: 丙: rain in six hours 50.00 mm (limit 50.00)", "MULTIPOINT((116.1 36.4))")  # fmt: skip


def test_stations_of_a_river_are_looked_at_together(store: Database) -> None:
    watch = Watch(store, CITY)
    _come(store, ("S1", "z", NOW, 32.1))
    watch.once(NOW)
    assert ("river_flood", "徒骇河", "orange", "active") not in _told(store)
    _come(store, ("S2", "z", NOW, 30.1))
    watch.once(NOW)
    joint = next(one for one in _warnings(store) if one["rule"] == "river_flood")
    assert (joint["subject"], joint["level"], joint["stations"]) == ("徒骇河", "orange", "S1,S2")


def test_a_watch_that_starts_anew_goes_on_with_what_is_in_force(store: Database) -> None:
    _come(store, ("S1", "z", NOW, 32.1))
    Watch(store, CITY).once(NOW)
    before = _warnings(store)
    assert Watch(store, CITY).once(NOW) == []
    assert _warnings(store) == before


def test_a_hydrologist_acknowledges_and_closes_and_what_comes_later_is_a_new_warning(store: Database) -> None:
    watch = Watch(store, CITY)
    _come(store, ("S1", "z", NOW, 32.1))
    watch.once(NOW)
    (code,) = [one["code"] for one in _warnings(store) if one["rule"] == "flood_stage"]
    layer = CITY.layer("warnings")
    with acting_as(HYDROLOGIST):
        cases.apply(store, CITY, [Operation(layer, "update", code, None, {"state": "acknowledged"}, None, False)])
    _come(store, ("S1", "z", NOW + timedelta(minutes=1), 33.6))
    watch.once(NOW + timedelta(minutes=1))
    assert ("flood_stage", "S1", "orange", "active") in _told(store)  # graver than what was acknowledged
    with acting_as(HYDROLOGIST):
        cases.apply(
            store, CITY, [Operation(layer, "update", code, None, {"state": "closed"}, None, False, note="误报")]
        )
    watch.once(NOW + timedelta(minutes=2))
    assert sorted(told for told in _told(store) if told[0] == "flood_stage") == [
        ("flood_stage", "S1", "orange", "active"), ("flood_stage", "S1", "orange", "closed"),
    ]  # fmt: skip


def _deliver(store: Database, folder: Path) -> None:
    path = folder / "changed.csv"
    path.write_text("stcd,stnm,sttp,wrz,lon,lat\nS1,甲,ZQ,30.5,115.9,36.4\n", encoding="utf-8")
    load(store, path, "hydro_stations", mode="update")


def _edit(store: Database, folder: Path) -> None:
    changed = Operation(STATIONS, "update", "S1", None, {"wrz": 30.5}, None, False)
    with acting_as(HYDROLOGIST):
        edits.apply(store, CITY, [changed], lenient=False)


@pytest.mark.parametrize("change", [_deliver, _edit])
def test_a_changed_level_of_a_station_holds_from_the_next_value_on(
    store: Database, tmp_path: Path, change: Callable[[Database, Path], None]
) -> None:
    watch = Watch(store, CITY)
    _come(store, ("S1", "z", NOW - timedelta(minutes=3), 31.0))
    assert watch.once(NOW - timedelta(minutes=3)) == []
    change(store, tmp_path)
    _come(store, ("S1", "z", NOW - timedelta(minutes=2), 31.0))
    events = [(event.subject, event.verdict.threshold) for event in watch.once(NOW - timedelta(minutes=2))]
    assert events == [(("flood_stage", "S1"), 30.5)]


def test_what_rests_on_generated_values_is_marked_as_generated(store: Database, tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text(f"stcd,time,z,origin\nS1,{NOW.isoformat()},32.1,generated\n", encoding="utf-8")
    load(store, path, "hydro_observations")
    Watch(store, CITY).once(NOW)
    assert {one["origin"] for one in _warnings(store) if one["subject"] == "S1"} == {"generated"}


def test_a_rehearsal_says_what_the_watch_said(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same values, hour by hour as they arrive, and all at once afterwards."""
    chance = random.Random(7)
    hours = [NOW - timedelta(hours=back) for back in range(60, -1, -1)]
    levels = {"S1": 31.0, "S2": 29.0}
    watch, seen = Watch(store, CITY), []
    for hour in hours:
        for station, level in levels.items():
            levels[station] = min(max(level + chance.gauss(0.02, 0.4), 28.0), 35.0)
        rain = max(0.0, chance.gauss(4, 9))
        _come(store, *((station, "z", hour, round(level, 2)) for station, level in levels.items()),
              ("P1", "drp", hour, round(rain, 1)))  # fmt: skip
        seen += [(event.at, event.change, event.subject, event.level) for event in watch.once(hour)]
    assert len({subject for _, _, subject, _ in seen}) > 5
    assert {change for _, change, _, _ in seen} == {"issue", "raise", "lower", "lift"}
    monkeypatch.setattr(rehearsal, "default_database", lambda: store)
    told = rehearsal.Rehearsal({"name": "x"}).answer(
        rehearsal.Storm.model_validate({"start": hours[0].isoformat(), "end": hours[-1].isoformat()})
    )
    found = [
        (datetime.fromisoformat(one["at"]), one["change"], (one["rule"], one["subject"]), one["level"])
        for one in told["events"]
    ]
    assert sorted(found) == sorted(seen)
    assert told["highest"]["red"] + told["highest"]["orange"] > 0
    heavier = rehearsal.Rehearsal({"name": "x"}).answer(
        rehearsal.Storm.model_validate(
            {"start": hours[0].isoformat(), "end": hours[-1].isoformat(), "rain_factor": 4, "stage_shift_m": 2}
        )
    )
    assert heavier["highest"]["red"] > told["highest"]["red"]
    assert heavier["actions"]


def test_the_running_watch_warns_within_seconds_and_tells_of_it(store: Database) -> None:
    told: list[str] = []
    stop = threading.Event()

    def run() -> None:
        with acting_as(WORKER):
            Watch(store, CITY, told.extend).run(stop)

    running = threading.Thread(target=run)
    running.start()
    try:
        _come(store, ("S1", "z", datetime.now(UTC), 34.3))
        until(lambda: bool(_told(store)))
        assert ("flood_stage", "S1", "red", "active") in _told(store)
        until(lambda: bool(told))
    finally:
        stop.set()
        running.join()


def test_a_broker_hears_of_each_change_as_a_feature(store: Database, tmp_path: Path) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    with broker(tmp_path) as port, mqtt.publisher(f"mqtt://127.0.0.1:{port}", store, CITY) as tell:
        client = Client(CallbackAPIVersion.VERSION2, "listener")
        subscribed = threading.Event()
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = lambda _client, _data, message: heard.append((message.topic, json.loads(message.payload)))
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe("shikong/warnings/#", qos=1)
        assert subscribed.wait(10)
        watch = Watch(store, CITY, tell)
        for minute, level in enumerate((32.1, 34.3)):
            _come(store, ("S1", "z", NOW - timedelta(minutes=5 - minute), level))
            watch.once(NOW - timedelta(minutes=5 - minute))
        until(lambda: "shikong/warnings/flood/red" in [topic for topic, _ in heard])
        client.loop_stop()
    feature = next(feature for topic, feature in heard if topic == "shikong/warnings/flood/red")
    assert feature["geometry"] == {"type": "MultiPoint", "coordinates": [[115.9, 36.4]]}
    told = next(one for one in _warnings(store) if one["rule"] == "flood_stage")
    assert feature["id"] == told["code"]
    assert {name: feature["properties"][name] for name in told} == told
    assert datetime.fromisoformat(feature["properties"]["observed_at"]) == NOW - timedelta(minutes=4)
