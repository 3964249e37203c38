"""Values that come live, beside deliveries and rollbacks: what was known at any time, and what hours and days come to,
against a history kept in plain Python.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from shikong.layers import catalog
from shikong.store import observations, observed_tables, releases, rollups, tables
from shikong.store.database import Database
from shikong.store.observations import Merged
from shikong.store.releases import Counts, Source
from support.loads import dsn_of

LAYER = catalog.default().layer("hydro_observations")
START = datetime(2026, 1, 30, 22, tzinfo=UTC)
TIMES = [START + timedelta(minutes=20 * step) for step in range(160)]  # over two month's ends and three days

Key = tuple[str, str, datetime]
State = dict[Key, tuple[float, int]]


@pytest.fixture
def conn(empty_store: Database) -> Iterator[psycopg.Connection[Any]]:
    """A session of an empty store with the layer's tables."""
    with psycopg.connect(dsn_of(empty_store), autocommit=True) as conn:
        tables.ensure(conn, LAYER)
        yield conn


def _append(conn: psycopg.Connection[Any], told: State) -> Merged:
    with conn.transaction():
        observations.empty_stage(conn)
        rows = [(*key, value, quality, "delivered") for key, (value, quality) in told.items()]
        return observations.append(conn, LAYER, "telemetry", observations.stage(conn, rows))


def _deliver(conn: psycopg.Connection[Any], told: State) -> int:
    with conn.transaction():
        observations.empty_stage(conn)
        rows = [(*key, value, quality, "delivered") for key, (value, quality) in told.items()]
        number = observations.stage(conn, rows)
        source = Source("delivery", None, None, None, "delivered")
        return observations.publish(conn, LAYER, source, Counts(number, number, 0))[0]


def _state(conn: psycopg.Connection[Any], source: sql.Composable, params: dict[str, Any] | None = None) -> State:
    query = sql.SQL("SELECT station, parameter, time, value, quality FROM {} AS o JOIN {} AS s ON s.id = o.series")
    rows = conn.execute(query.format(source, observed_tables.series(LAYER)), params or {}).fetchall()
    return {
        (station, parameter, time.astimezone(UTC)): (value, quality)
        for station, parameter, time, value, quality in rows
    }


def _summed(conn: psycopg.Connection[Any], which: sql.Identifier) -> dict[Key, tuple[Any, ...]]:
    query = sql.SQL(
        "SELECT station, parameter, start, number, flagged, total, least, greatest FROM {} AS o JOIN {} AS s"
        " ON s.id = o.series"
    ).format(which, observed_tables.series(LAYER))
    return {(row[0], row[1], row[2].astimezone(UTC)): row[3:] for row in conn.execute(query)}


def _expected(state: State, hours: int) -> dict[Key, tuple[Any, ...]]:
    """What each stretch of so many hours (UTC) comes to. Rain belongs to the hour that ends with its stamp."""
    found: dict[Key, list[tuple[float, int]]] = {}
    for (station, parameter, time), told in state.items():
        seconds = int(time.timestamp()) - (1 if parameter == "drp" else 0)
        start = datetime.fromtimestamp(seconds // (hours * 3600) * hours * 3600, UTC)
        found.setdefault((station, parameter, start), []).append(told)
    summed: dict[Key, tuple[Any, ...]] = {}
    for key, values in found.items():
        good = [value for value, quality in values if quality == 0]
        figures = (sum(good), min(good), max(good)) if good else (None, None, None)
        summed[key] = (len(good), len(values) - len(good), *figures)
    return summed


def _latest(state: State) -> dict[tuple[str, str], tuple[datetime, float, int]]:
    found: dict[tuple[str, str], tuple[datetime, float, int]] = {}
    for (station, parameter, time), told in sorted(state.items()):
        found[station, parameter] = (time, *told)
    return found


def test_all_that_is_known_and_summed_up_is_right_after_every_change(conn: psycopg.Connection[Any]) -> None:
    chance = random.Random(371500)
    keys = [(station, parameter, time) for station in ("S1", "S2") for parameter in ("z", "drp") for time in TIMES]
    state: State = {}
    moments: list[tuple[datetime, State]] = []
    delivered: list[tuple[int, State]] = []
    for _ in range(40):
        told = {
            key: (float(chance.randint(0, 8)), chance.choice([0, 0, 0, 3]))
            for key in chance.sample(keys, chance.randint(1, 60))
        }
        turn = chance.random()
        if turn < 0.6:
            merged = _append(conn, told)
            assert merged.added == len(told.keys() - state.keys())
            assert merged.changed == sum(state.get(key, told[key]) != told[key] for key in told)
            state = state | told
        elif turn < 0.8 or not delivered:
            state = state | told
            delivered.append((_deliver(conn, told), state))
        else:
            release, state = chance.choice(delivered)
            delivered.append((observations.rollback(conn, LAYER, release)[0], state))
        moments.append((conn.execute("SELECT clock_timestamp()").fetchone()[0], state))  # type: ignore[index]
        assert _summed(conn, observed_tables.hours(LAYER)) == _expected(state, 1)
        assert _summed(conn, observed_tables.days(LAYER)) == _expected(state, 24)
    rows = conn.execute(
        "SELECT station, parameter, time, value, quality FROM data.hydro_observations__latest AS l"
        " JOIN data.hydro_observations__series AS s ON s.id = l.series"
    ).fetchall()
    assert {row[:2]: (row[2].astimezone(UTC), *row[3:]) for row in rows} == _latest(state)
    for moment, then in moments:
        assert _state(conn, observations.known_at(LAYER, sql.SQL("%(moment)s")), {"moment": moment}) == then
    for release, then in delivered:
        assert _state(conn, observations.known(LAYER, sql.Literal(release))) == then


def test_what_was_summed_up_is_what_summing_up_anew_gives(conn: psycopg.Connection[Any]) -> None:
    _append(
        conn,
        {("S1", name, time): (float(at % 7), at % 5 == 0) for name in ("z", "drp") for at, time in enumerate(TIMES)},
    )
    before = [_summed(conn, which(LAYER)) for which in (observed_tables.hours, observed_tables.days)]
    with conn.transaction():
        rollups.rebuild(conn, LAYER)
    assert [_summed(conn, which(LAYER)) for which in (observed_tables.hours, observed_tables.days)] == before


def test_one_release_takes_up_what_comes_until_another_one_comes(conn: psycopg.Connection[Any]) -> None:
    def kinds() -> list[tuple[str, int, int, int, int]]:
        query = "SELECT kind, rows_stored, added, changed, current_rows FROM shikong.release ORDER BY id"
        return conn.execute(query).fetchall()

    key, other = ("S1", "z", TIMES[0]), ("S1", "z", TIMES[1])
    _append(conn, {key: (1.0, 0)})
    _append(conn, {key: (2.0, 0), other: (2.0, 0)})
    assert kinds() == [("live", 3, 2, 1, 2)]
    _deliver(conn, {key: (3.0, 0)})
    _append(conn, {key: (3.0, 0)})
    assert kinds() == [("live", 3, 2, 1, 2), ("load", 1, 0, 1, 2), ("live", 1, 0, 0, 2)]
    conn.execute("UPDATE shikong.release SET published_at = published_at - %s", (releases.LIVE_FOR,))
    _append(conn, {other: (5.0, 0)})
    assert [kind for kind, *_ in kinds()] == ["live", "load", "live", "live"]


def test_a_store_of_before_gets_its_hours_when_its_tables_are_made(conn: psycopg.Connection[Any]) -> None:
    told: State = {("S1", "z", time): (float(at), 0) for at, time in enumerate(TIMES)}
    _append(conn, told)
    conn.execute(
        "DROP TABLE data.hydro_observations__hour, data.hydro_observations__day, data.hydro_observations__latest"
    )
    tables.ensure(conn, LAYER)
    assert _summed(conn, observed_tables.hours(LAYER)) == _expected(told, 1)
    assert _summed(conn, observed_tables.days(LAYER)) == _expected(told, 24)
