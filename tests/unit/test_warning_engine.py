"""Verdicts and warnings against the table of the rules for hydrological warnings, and a brute-force model.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shikong.layers import catalog
from shikong.layers.warning_rules import LEVELS, WarningRules
from shikong.processes.warnings.engine import Engine, Series, Verdict, judge, judge_groups

RULES = catalog.default().warning_rules
assert RULES is not None
NOW = datetime(2026, 7, 20, 8, tzinfo=UTC)
STATION = {"stcd": "S1", "rvnm": "徒骇河", "wrz": 32.0, "grz": 33.5, "obhtz": 34.2, "hnlz": 27.0, "oblwz": 26.1}


def _series(values: list[float], step: timedelta = timedelta(hours=1), end: datetime = NOW) -> Series:
    times = [(end - step * (len(values) - 1 - at)).timestamp() for at in range(len(values))]
    return Series(np.array(times), np.array(values))


def _level(rule: str, parameter: str, values: list[float], station: dict[str, Any] = STATION, **more: Any) -> Any:
    verdict = judge(RULES, {"S1": station}, {"S1": {parameter: _series(values, **more)}}, NOW)[rule, "S1"]
    return verdict.level or verdict.reason


@pytest.mark.parametrize(("stage", "level"), [
    (31.4, None), (31.5, "blue"), (31.99, "blue"), (32.0, "yellow"), (33.49, "yellow"), (33.5, "orange"),
    (34.19, "orange"), (34.2, "red"), (40.0, "red"),
])  # fmt: skip
def test_a_flood_stage_has_the_level_of_the_table(stage: float, level: str | None) -> None:
    assert _level("flood_stage", "z", [stage]) == level


@pytest.mark.parametrize(("stage", "level"), [
    (27.31, None), (27.3, "blue"), (27.0, "yellow"), (26.11, "yellow"), (26.1, "red")
])  # fmt: skip
def test_low_water_has_the_level_of_the_table(stage: float, level: str | None) -> None:
    assert _level("low_water", "z", [stage]) == level


def test_a_station_without_limits_is_not_rated() -> None:
    bare = {"stcd": "S1", "wrz": None, "grz": None, "obhtz": None}
    assert _level("flood_stage", "z", [99.0], bare) == "no_threshold"
    assert _level("flood_stage", "z", [33.6], bare | {"grz": 33.5}) == "orange"
    assert _level("flood_stage", "z", [33.0], bare | {"grz": 33.5}) is None


def test_an_old_value_says_nothing_of_now() -> None:
    assert _level("flood_stage", "z", [34.5], end=NOW - timedelta(hours=4)) == "stale"


@pytest.mark.parametrize(("rule", "rain", "level"), [
    ("rain_1h", [0.0, 19.9], None), ("rain_1h", [90.0, 20.0], "blue"), ("rain_1h", [80.0], "red"),
    ("rain_3h", [90.0, 20, 15, 15], "orange"), ("rain_3h", [90.0, 20, 15, 14.9], None), ("rain_3h", [40.0, 40, 20], "red"),
    ("rain_6h", [8.0, 8, 8, 8, 8, 10], "yellow"), ("rain_24h", [5.0] * 24, "yellow"), ("rain_24h", [2.0] * 24, None),
])  # fmt: skip
def test_rain_is_summed_over_the_hours_that_end_with_its_last_value(rule: str, rain: list[float], level: Any) -> None:
    assert _level(rule, "drp", rain) == level


def test_rain_in_minutes_counts_like_rain_in_hours_and_is_not_added_to_it() -> None:
    minutes = _series([2.0] * 24, timedelta(minutes=5))
    observed = {"S1": {"pn05": minutes, "drp": _series([1.0, 1.0])}}
    assert judge(RULES, {"S1": STATION}, observed, NOW)["rain_1h", "S1"].value == 24.0


@pytest.mark.parametrize(("stages", "level"), [([30.0, 30.49], None), ([30.0, 30.5], "blue"), ([30.0, 32.0], "red")])
def test_a_rapid_rise_is_that_of_the_last_hour(stages: list[float], level: str | None) -> None:
    assert _level("rapid_rise", "z", [20.0, *stages]) == level


def _verdict(level: Any, at: datetime = NOW) -> Verdict:
    return Verdict(level, level, observed_at=at)


def test_a_joint_rule_needs_all_its_conditions_among_stations_of_one_group() -> None:
    stations = {name: STATION | {"stcd": name} for name in ("S1", "S2")} | {"S3": STATION | {"rvnm": "马颊河"}}
    two = {("flood_stage", "S1"): _verdict("blue"), ("flood_stage", "S2"): _verdict("yellow")}
    assert judge_groups(RULES, stations, two, NOW)["river_flood", "徒骇河"].level is None
    rain = {("rain_6h", "S1"): _verdict("yellow")}
    found = judge_groups(RULES, stations, two | rain, NOW)["river_flood", "徒骇河"]
    assert (found.level, found.stations) == ("yellow", ("S1", "S2"))
    elsewhere = {("rain_6h", "S3"): _verdict("red")}
    assert judge_groups(RULES, stations, two | elsewhere, NOW)["river_flood", "徒骇河"].level is None
    graver = {("flood_stage", name): _verdict("yellow") for name in ("S1", "S2")}
    assert judge_groups(RULES, stations, graver, NOW)["river_flood", "徒骇河"].level == "orange"
    silent = {subject: _verdict("yellow", NOW - timedelta(hours=5)) for subject in graver}
    assert judge_groups(RULES, stations, silent, NOW)["river_flood", "徒骇河"].reason == "stale"


def _told(stages: list[float], minutes: int = 10) -> list[tuple[int, str, str]]:
    """The warnings of a stage that is read every so many minutes: when (in minutes), what, which level."""
    engine, found = Engine(RULES), []
    for at, _ in enumerate(stages):
        now = NOW + timedelta(minutes=minutes * at)
        series = _series(stages[: at + 1], timedelta(minutes=minutes), now)
        verdicts = judge(RULES, {"S1": STATION}, {"S1": {"z": series}}, now)
        own = {subject: verdict for subject, verdict in verdicts.items() if subject[0] == "flood_stage"}
        found += [(minutes * at, event.change, event.level) for event in engine.step(own, now)]
    return found


def test_a_warning_rises_at_once_and_falls_slowly() -> None:
    assert _told([31.6, 32.1, 33.6, 33.45, 33.3, 33.3, 33.3, 33.3, 31.0, 31.0, 31.0, 31.0]) == [
        (0, "issue", "blue"), (10, "raise", "yellow"), (20, "raise", "orange"), (70, "lower", "yellow"),
        (110, "lift", "yellow"),
    ]  # fmt: skip


def test_a_value_that_swings_about_its_limit_makes_one_warning() -> None:
    assert _told([32.01, 31.99, 32.01, 31.95, 32.02] * 10) == [(0, "issue", "yellow")]


def test_what_is_in_force_from_before_goes_on() -> None:
    engine = Engine(RULES, {("flood_stage", "S1"): "orange"})
    verdicts = {("flood_stage", "S1"): _verdict("orange")}
    assert list(engine.step(verdicts, NOW)) == []
    assert [event.change for event in engine.step({("flood_stage", "S1"): _verdict("red")}, NOW)] == ["raise"]
    engine.forget([])
    assert [event.change for event in engine.step({("flood_stage", "S1"): _verdict("red")}, NOW)] == ["issue"]


@given(st.lists(st.floats(30, 36), min_size=1, max_size=60))
def test_a_level_in_force_is_never_below_what_the_value_reaches_and_falls_only_after_its_time(
    stages: list[float],
) -> None:
    """The model walks through the readings on its own: what is reached, and since when it has been left."""
    limits = dict(zip(LEVELS, (31.5, 32.0, 33.5, 34.2), strict=True))
    rank, left, expected = -1, None, []
    for at, stage in enumerate(stages):
        reached = sum(stage >= limit for limit in limits.values()) - 1
        kept = sum(stage >= limit - 0.1 for limit in limits.values()) - 1
        minute = 10 * at
        if reached > rank:
            expected.append((minute, "issue" if rank < 0 else "raise", LEVELS[reached]))
            rank, left = reached, None
        elif kept >= rank:
            left = None
        elif left is None:
            left = minute
        elif minute - left >= 30:
            expected.append((minute, "lift" if kept < 0 else "lower", LEVELS[rank] if kept < 0 else LEVELS[kept]))
            rank, left = kept, None
    assert _told(stages) == expected


def test_the_rules_of_the_city_are_sound() -> None:
    """Graver levels have harder limits, wherever limits are numbers."""
    assert isinstance(RULES, WarningRules)
    for rule in RULES.rules.values():
        numbers = [
            rule.limits[level].value for level in LEVELS if level in rule.limits and rule.limits[level].field is None
        ]
        assert numbers == sorted(numbers, reverse=rule.below)
