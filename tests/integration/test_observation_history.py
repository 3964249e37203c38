"""Observations as known at any release against a history kept in plain Python; the way back; differences.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from typer.testing import CliRunner

from shikong.cli import main
from shikong.layers import catalog
from shikong.providers.knowledge import as_known_at
from shikong.providers.observations import ObservationsProvider
from shikong.store import as_of, observations
from shikong.store.database import Database
from shikong.store.errors import NoSuchRelease
from shikong.store.releases import Counts
from support.loads import load

LAYER = catalog.default().layer("hydro_observations")
STATIONS = ("S1", "S2")
START = datetime(2026, 1, 31, 20, tzinfo=UTC)  # the hours after it lie in two months
HOURS = [START + timedelta(hours=hour) for hour in range(8)]
KEYS = [(station, parameter, hour) for station in STATIONS for parameter in ("z", "drp") for hour in HOURS]

Key = tuple[str, str, datetime]
State = dict[Key, float]


@pytest.fixture
def store(default_store: Database, tmp_path: Path) -> Database:
    """The process-wide store with two stations."""
    stations = tmp_path / "stations.csv"
    stations.write_text("stcd,stnm,lon,lat\nS1,甲,115.9,36.4\nS2,乙,116.1,36.4\n", encoding="utf-8")
    load(default_store, stations, "hydro_stations")
    return default_store


def _deliver(store: Database, folder: Path, told: State) -> tuple[int, Counts]:
    """Load observations from a table with a row for each station and time."""
    lines = ["stcd,time,z,drp"]
    for station, hour in sorted({(station, hour) for station, _, hour in told}):
        values = [told.get((station, parameter, hour), "") for parameter in ("z", "drp")]
        lines.append(",".join(map(str, (station, hour.isoformat(), *values))))
    path = folder / "observations.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    report = load(store, path, LAYER.id)
    return report.release, report.counts


def _published(store: Database, release: int) -> datetime:
    moment: datetime = store.thread_fetch(
        sql.SQL("SELECT published_at FROM shikong.release WHERE id = %(id)s"), {"id": release}
    )[0][0]
    return moment


def _state(store: Database, source: sql.Composable) -> State:
    query = sql.SQL("SELECT station, parameter, time, value FROM {} AS o JOIN {} AS s ON s.id = o.series").format(
        source, sql.Identifier("data", f"{LAYER.id}__series")
    )
    rows = store.thread_fetch(query)
    found = {(station, parameter, time.astimezone(UTC)): value for station, parameter, time, value in rows}
    assert len(found) == len(rows)
    return found


def _asked(moment: datetime | None) -> State:
    """All observations, asked from the EDR provider as it was known at a time."""
    provider = ObservationsProvider({"name": "x", "type": "edr", "data": LAYER.id})
    found: State = {}
    with as_known_at(moment):
        for feature in provider.locations()["features"]:
            series = provider.locations(location_id=feature["id"], datetime_="2026-01-01/2026-03-01")
            hours = map(datetime.fromisoformat, series["domain"]["axes"]["t"]["values"])
            for position, hour in enumerate(hours):
                for parameter, values in series["ranges"].items():
                    if values["values"][position] is not None:
                        found[feature["id"], parameter, hour.astimezone(UTC)] = values["values"][position]
    return found


def _differences(before: State, after: State) -> as_of.Difference:
    both = before.keys() & after.keys()
    changed = sum(before[key] != after[key] for key in both)
    return as_of.Difference(len(after.keys() - both), len(before.keys() - both), changed, len(both) - changed)


def test_any_observation_as_known_at_any_of_twenty_releases(store: Database, tmp_path: Path) -> None:
    chance = random.Random(371500)
    states: list[State] = []
    numbers: list[int] = []
    for turn in range(20):
        before = states[-1] if states else {}
        if turn > 3 and chance.random() < 0.3:
            back = chance.randrange(len(numbers))
            with store.thread_session() as conn:
                release, counts = observations.rollback(conn, LAYER, numbers[back])
            told, after = states[back], states[back]
        else:
            told = {key: float(chance.randint(1, 3)) for key in chance.sample(KEYS, chance.randint(1, 20))}
            after = before | told
            release, counts = _deliver(store, tmp_path, told)
        expected = _differences(before, after)
        assert (counts.added, counts.changed, counts.ended) == (expected.added, expected.changed, expected.ended)
        assert counts.unchanged == sum(before.get(key) == value for key, value in told.items())
        assert counts.current == len(after)
        states.append(after)
        numbers.append(release)
    assert any(earlier.keys() - later.keys() for earlier, later in itertools.pairwise(states)), "no withdrawal"
    for number, state in zip(numbers, states, strict=True):
        assert _state(store, observations.known(LAYER, sql.Literal(number))) == state
        assert _asked(_published(store, number)) == state
    assert _state(store, sql.Identifier("data", LAYER.id)) == _asked(None) == states[-1]
    assert _asked(_published(store, numbers[0]) - timedelta(seconds=1)) == {}
    with store.thread_session() as conn:
        for _ in range(20):
            one, two = chance.randrange(20), chance.randrange(20)
            found = observations.difference(conn, LAYER, numbers[one], numbers[two])
            assert found == _differences(states[one], states[two])


def _stored(store: Database) -> Any:
    """Every stored observation with its physical version."""
    query = "SELECT ctid, xmin, xmax, * FROM data.hydro_observations ORDER BY series, time"
    past = "SELECT value, origin, _release, _superseded FROM data.hydro_observations__history"
    return store.thread_fetch(sql.SQL(query)), store.thread_fetch(sql.SQL(past))


def test_a_delivery_that_repeats_what_is_known_writes_nothing(store: Database, tmp_path: Path) -> None:
    told = {key: float(number) for number, key in enumerate(KEYS)}
    _deliver(store, tmp_path, told)
    before = _stored(store)
    _, counts = _deliver(store, tmp_path, told)
    assert (counts.added, counts.changed, counts.unchanged) == (0, 0, len(KEYS))
    assert _stored(store) == before
    release, counts = _deliver(store, tmp_path, told | {KEYS[0]: 1.5})
    assert (counts.changed, counts.unchanged) == (1, len(KEYS) - 1)
    ((*_, value, origin, first, superseded),) = _stored(store)[1]
    assert (value, origin, superseded - first) == (0.0, "delivered", 2)
    assert superseded == release


def test_a_source_that_contradicts_itself_is_told(store: Database, tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    hour = HOURS[0].isoformat()
    path.write_text(f"stcd,time,z\nS1,{hour},1\nS1,{hour},1\nS1,{hour},2\n", encoding="utf-8")
    report = load(store, path, LAYER.id)
    assert [(f.source_row, f.rule, f.field) for f in report.findings] == [(3, "duplicate_observation", "z")]
    assert (report.counts.read, report.counts.stored, report.counts.quarantined) == (3, 2, 1)
    assert _asked(None) == {("S1", "z", HOURS[0]): 1.0}


def test_rollback_and_diff_are_commands(store: Database, tmp_path: Path) -> None:
    first, _ = _deliver(store, tmp_path, {KEYS[0]: 1.0})
    second, _ = _deliver(store, tmp_path, {KEYS[0]: 2.0, KEYS[1]: 5.0})
    told = CliRunner().invoke(main.app, ["diff", LAYER.id, str(first), str(second)]).output
    assert [line.split("│")[1:3] for line in told.splitlines() if "│" in line] == [
        [f" {name:<9} ", f" {number:<12} "]
        for name, number in (("added", 1), ("ended", 0), ("changed", 1), ("unchanged", 0))
    ]
    refused = CliRunner().invoke(main.app, ["diff", LAYER.id, str(first), str(second), "--to", "x.gpkg"])
    assert (refused.exit_code, "leave --to out" in refused.output) == (1, True)
    told = CliRunner().invoke(main.app, ["rollback", LAYER.id, str(first)]).output
    assert "0 came back, 1 changed back, 1 ended, 0 had not changed" in told.replace("\n", " ")
    assert _asked(None) == {KEYS[0]: 1.0}


def test_an_unknown_release_is_refused(store: Database, tmp_path: Path) -> None:
    first, _ = _deliver(store, tmp_path, {KEYS[0]: 1.0})
    with store.thread_session() as conn:
        with pytest.raises(NoSuchRelease, match="no release 9999"):
            observations.rollback(conn, LAYER, 9999)
        with pytest.raises(NoSuchRelease, match="is one of hydro_stations"):
            observations.difference(conn, LAYER, first, first - 1)
    assert _asked(None) == {KEYS[0]: 1.0}
