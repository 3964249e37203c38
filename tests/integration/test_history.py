"""Answers as of any release and any date against a history kept in plain Python; the way back; differences.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from shikong.ingest import export
from shikong.ingest.report import Report
from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers import items
from shikong.providers.items import Items
from shikong.store import as_of
from shikong.store.database import Database
from shikong.store.errors import NoSuchRelease, OlderThanKnown
from shikong.store.moments import Period
from support.loads import load

PARCELS = catalog.default().layer("parcels")
STATIONS = catalog.default().layer("hydro_stations")
KEYS = [f"K{number}" for number in range(12)]
CLASSES = ["0101", "0103", "0301", "0601"]
DAY = timedelta(days=1)
START = datetime(2020, 1, 1, tzinfo=UTC)

State = dict[str, str]


def _parcels(folder: Path, state: State) -> Path:
    shapes = [shapely.box(115.9 + KEYS.index(key) / 100, 36.4, 115.905 + KEYS.index(key) / 100, 36.41) for key in state]
    frame = gpd.GeoDataFrame({"bsm": list(state), "dlbm": list(state.values())}, geometry=shapes, crs=4490)
    path = folder / "parcels.gpkg"
    frame.to_file(path)
    return path


def _stations(folder: Path, state: State) -> Path:
    lines = [f"{key},{name},{115.9 + KEYS.index(key) / 100},36.4" for key, name in state.items()]
    path = folder / "stations.csv"
    path.write_text("\n".join(["stcd,stnm,lon,lat", *lines]), encoding="utf-8")
    return path


def _load(store: Database, layer: Layer, path: Path, **options: Any) -> Report:
    return load(store, path, layer.id, **options)


def _ask(store: Database, layer: Layer, name: str, **question: Any) -> State:
    """Key and one field of all features that a question finds."""
    statement = items.page(layer, Items(limit=1000, geometry=False, properties=(name,), **question))
    found = store.thread_fetch(statement.query, statement.params)
    assert len({row[0] for row in found}) == len(found)
    return {row[0]: row[2] for row in found}


def _published(store: Database, release: int) -> datetime:
    with store.thread_session() as conn:
        row = conn.execute("SELECT published_at FROM shikong.release WHERE id = %s", (release,)).fetchone()
    assert row is not None
    return datetime.fromisoformat(str(row[0]))


def test_any_date_as_known_at_any_of_twenty_releases(empty_store: Database, tmp_path: Path) -> None:
    chance = random.Random(371500)
    believed: list[list[tuple[datetime, State]]] = []  # after each release: from when which state held
    moments: list[datetime] = []
    at, state = START, {}
    for _ in range(20):
        at += DAY * chance.choice([0, 0, 1, 30])
        told = {key: chance.choice(CLASSES) for key in chance.sample(KEYS, chance.randint(1, len(KEYS)))}
        if chance.random() < 0.5 and state:  # most of a re-delivery is as before
            told = state | {key: told[key] for key in list(told)[:2]}
        mode = chance.choice(["replace", "update"])
        state = told if mode == "replace" else state | told
        report = _load(empty_store, PARCELS, _parcels(tmp_path, told), valid_from=at, mode=mode)
        moments.append(_published(empty_store, report.release))
        known = [(since, what) for since, what in (believed[-1] if believed else []) if since < at]
        believed.append([*known, (at, state)])
    assert moments == sorted(moments)
    days = [START - DAY, *(since + shift for since, _ in believed[-1] for shift in (timedelta(0), DAY / 2))]
    for moment, versions in zip(moments, believed, strict=True):
        for day in days:
            expected = next((what for since, what in reversed(versions) if since <= day), {})
            found = _ask(empty_store, PARCELS, "dlbm", known_at=moment, period=Period(day, day))
            assert found == expected, (moment, day)
        assert _ask(empty_store, PARCELS, "dlbm", known_at=moment) == versions[-1][1]
    assert _ask(empty_store, PARCELS, "dlbm") == believed[-1][-1][1]
    assert _ask(empty_store, PARCELS, "dlbm", known_at=moments[0] - DAY) == {}


def test_a_rollback_brings_back_what_was_known_and_forgets_nothing(empty_store: Database, tmp_path: Path) -> None:
    chance = random.Random(7)
    states, numbers = [], []
    for _ in range(5):
        states.append({key: chance.choice("甲乙丙") for key in chance.sample(KEYS, 6)})
        numbers.append(_load(empty_store, STATIONS, _stations(tmp_path, states[-1])).release)
    moments = [_published(empty_store, number) for number in numbers]
    with empty_store.thread_session() as conn:
        release, counts = as_of.rollback(conn, STATIONS, numbers[1])
    assert _ask(empty_store, STATIONS, "stnm") == states[1]
    assert [_ask(empty_store, STATIONS, "stnm", known_at=moment) for moment in moments] == states
    last = states[-1]
    assert counts.changed == sum(last[key] != states[1][key] for key in states[1].keys() & last.keys())
    assert counts.added == len(states[1].keys() - last.keys())
    assert counts.ended == len(last.keys() - states[1].keys())
    with empty_store.thread_session() as conn:
        kind = conn.execute("SELECT kind, restores FROM shikong.release WHERE id = %s", (release,)).fetchone()
    assert kind == ("rollback", numbers[1])


def test_a_versioned_layer_rolls_back_with_all_its_versions(empty_store: Database, tmp_path: Path) -> None:
    first = _load(empty_store, PARCELS, _parcels(tmp_path, {"K1": "0101", "K2": "0101"}), valid_from=START)
    second = _load(empty_store, PARCELS, _parcels(tmp_path, {"K1": "0601", "K2": "0101"}), valid_from=START + DAY * 9)
    with empty_store.thread_session() as conn:
        as_of.rollback(conn, PARCELS, first.release)
    assert _ask(empty_store, PARCELS, "dlbm") == {"K1": "0101", "K2": "0101"}
    later = START + DAY * 10
    assert _ask(empty_store, PARCELS, "dlbm", period=Period(later, later))["K1"] == "0101"
    with empty_store.thread_session() as conn:
        as_of.rollback(conn, PARCELS, second.release)
    early = START + DAY
    assert _ask(empty_store, PARCELS, "dlbm", period=Period(later, later))["K1"] == "0601"
    assert _ask(empty_store, PARCELS, "dlbm", period=Period(early, early))["K1"] == "0101"


def test_differences_are_those_of_two_dictionaries(empty_store: Database, tmp_path: Path) -> None:
    before = {"K1": "甲", "K2": "乙", "K3": "丙", "K4": "丁"}
    after = {"K1": "甲", "K2": "新", "K4": "丁", "K5": "戊", "K6": "己"}
    one = _load(empty_store, STATIONS, _stations(tmp_path, before)).release
    two = _load(empty_store, STATIONS, _stations(tmp_path, after)).release
    with empty_store.thread_session() as conn, conn.transaction():
        assert as_of.difference(conn, STATIONS, one, two) == as_of.Difference(added=2, ended=1, changed=1, unchanged=2)
        assert as_of.difference(conn, STATIONS, two, one) == as_of.Difference(added=1, ended=2, changed=1, unchanged=2)
        number = export.changes(STATIONS, as_of.changes(conn, STATIONS, one, two), tmp_path / "diff.gpkg")
    written = gpd.read_file(tmp_path / "diff.gpkg")
    assert number == len(written) == 5
    assert sorted(zip(written["change"], written["stcd"], written["stnm"], strict=True)) == [
        ("added", "K5", "戊"), ("added", "K6", "己"), ("changed_new", "K2", "新"), ("changed_old", "K2", "乙"),
        ("ended", "K3", "丙"),
    ]  # fmt: skip
    assert written.crs.to_epsg() == 4490


def test_an_unknown_release_is_refused(empty_store: Database, tmp_path: Path) -> None:
    one = _load(empty_store, STATIONS, _stations(tmp_path, {"K1": "甲"})).release
    with empty_store.thread_session() as conn:
        with pytest.raises(NoSuchRelease, match="no release 9999"):
            as_of.rollback(conn, STATIONS, 9999)
        with pytest.raises(NoSuchRelease, match="is one of hydro_stations"):
            as_of.rollback(conn, PARCELS, one)
    assert _ask(empty_store, STATIONS, "stnm") == {"K1": "甲"}


def test_a_snapshot_of_the_past_does_not_rewrite_what_came_later(empty_store: Database, tmp_path: Path) -> None:
    _load(empty_store, PARCELS, _parcels(tmp_path, {"K1": "0101"}), valid_from=START + DAY * 30)
    with pytest.raises(OlderThanKnown, match="2020-01-31"):
        _load(empty_store, PARCELS, _parcels(tmp_path, {"K1": "0601"}), valid_from=START)
    assert _ask(empty_store, PARCELS, "dlbm") == {"K1": "0101"}


def test_a_redelivery_writes_only_what_changed_to_history(empty_store: Database, tmp_path: Path) -> None:
    many = {key: "甲" for key in KEYS}
    _load(empty_store, STATIONS, _stations(tmp_path, many))
    report = _load(empty_store, STATIONS, _stations(tmp_path, many | {"K3": "乙"}))
    assert (report.counts.changed, report.counts.unchanged) == (1, len(KEYS) - 1)
    with empty_store.thread_session() as conn:
        assert conn.execute("SELECT stcd, stnm, _superseded FROM data.hydro_stations__history").fetchall() == [
            ("K3", "甲", report.release)
        ]
    many = {key: "0101" for key in KEYS}
    _load(empty_store, PARCELS, _parcels(tmp_path, many), valid_from=START)
    report = _load(empty_store, PARCELS, _parcels(tmp_path, many | {"K3": "0601"}), valid_from=START + DAY)
    assert (report.counts.changed, report.counts.unchanged) == (1, len(KEYS) - 1)
    with empty_store.thread_session() as conn:
        rows = conn.execute(
            "SELECT bsm, dlbm, valid_to, _held_to, _ended, _superseded FROM data.parcels__history"
        ).fetchall()
    assert rows == [("K3", "0101", START + DAY, None, report.release, None)]
