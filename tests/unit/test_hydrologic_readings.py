"""Hours, hydrologic days, gaps and datums, as processes of hydrology have them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from shikong.layers import catalog
from shikong.processes.base import BadInput
from shikong.processes.hydrology import hours, reservoirs
from shikong.processes.hydrology.hours import Stretch
from shikong.processes.hydrology.readings import Station
from shikong.processes.hydrology.water_balance import bridged

ZONE = "Asia/Shanghai"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE))


def test_hours_are_those_that_end_after_the_start_up_to_the_end() -> None:
    found = hours.steps(at("2026-07-01T08:00"), at("2026-07-01T12:30"), ZONE)
    assert found.words == [f"2026-07-01T{hour:02}:00+08:00" for hour in range(9, 14)]
    day = hours.stretch(Stretch.model_validate({"start": "2026-07-01", "end": "2026-07-01"}), None, ZONE)
    assert (day.words[0], day.words[-1], len(day)) == ("2026-07-01T01:00+08:00", "2026-07-02T00:00+08:00", 24)


def test_days_run_from_eight_to_eight_and_only_whole_ones_count() -> None:
    found = hours.steps(at("2026-07-01T05:00"), at("2026-07-04T07:00"), ZONE)
    days = found.days()
    assert [day for day, _ in days] == [date(2026, 7, 1), date(2026, 7, 2)]
    for day, part in days:
        assert part.stop - part.start == 24
        assert found.words[part.start] == f"{day}T09:00+08:00"
        assert found.words[part.stop - 1] == f"{day + timedelta(days=1)}T08:00+08:00"
    whole = hours.whole_days(found)
    assert (whole.words[0], len(whole)) == ("2026-07-01T09:00+08:00", 48)
    with pytest.raises(BadInput, match="no hydrologic day"):
        hours.whole_days(hours.steps(at("2026-07-01T09:00"), at("2026-07-02T08:00"), ZONE))


def test_summer_time_does_not_move_the_hydrologic_day() -> None:
    summer = hours.steps(at("1988-07-01T00:00"), at("1988-07-05T00:00"), ZONE)
    assert all(summer.words[part.stop - 1].endswith("T09:00+09:00") for _, part in summer.days())
    assert [day for day, _ in summer.days()] == [date(1988, 7, 1), date(1988, 7, 2), date(1988, 7, 3)]


def test_stretches_have_a_default_an_order_and_a_longest() -> None:
    newest = datetime(2026, 7, 8, 3, tzinfo=UTC)
    assert len(hours.stretch(Stretch(), newest, ZONE)) == 7 * 24
    for given, words in (
        ({"start": "2026-07-09"}, "before"),
        ({"start": "2020-01-01"}, "366 days"),
        ({"start": "2026-07-02", "end": "2026-07-01"}, "before"),
    ):
        with pytest.raises(BadInput, match=words):
            hours.stretch(Stretch.model_validate(given), newest, ZONE)
    with pytest.raises(BadInput, match="no readings yet"):
        hours.stretch(Stretch(), None, ZONE)


def test_gaps_are_bridged_as_far_as_is_allowed_and_not_at_the_ends() -> None:
    nan = float("nan")
    values = np.array([nan, 1.0, nan, 3.0, nan, nan, nan, 7.0, nan])
    assert bridged(values, 1) == pytest.approx([nan, 1, 2, 3, nan, nan, nan, 7, nan], nan_ok=True)
    assert bridged(values, 3) == pytest.approx([nan, 1, 2, 3, 4, 5, 6, 7, nan], nan_ok=True)
    assert bridged(values, 0) == pytest.approx(values, nan_ok=True)


@pytest.mark.parametrize("datum", ["废黄河口", None])
def test_levels_of_another_datum_are_not_held_against_a_curve(datum: str | None) -> None:
    declared = catalog.default().reservoirs.reservoirs["31156100"]
    station = Station("31156100", "谭庄水库", "RR", datum, 115.9, 36.3)
    reason = reservoirs.same_datum(station, declared)
    assert reason is not None
    assert declared.datum in reason.en
    assert (datum or "not told") in reason.en
    same = Station("31156100", "谭庄水库", "RR", declared.datum, 115.9, 36.3)
    assert reservoirs.same_datum(same, declared) is None


def test_names_are_told_and_how_many_more_there_are() -> None:
    assert hours.named(["甲", "乙"]) == "甲、乙"
    assert hours.named(list("甲乙丙丁戊己庚辛"), 6) == "甲、乙、丙、丁、戊、己 +2"
    assert hours.named([]) == ""
