"""The `datetime` parameter: what each form means, and what is refused.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shikong.providers.errors import BadParameter
from shikong.providers.times import parse_period

ZONE = "Asia/Shanghai"
BEIJING = timezone(timedelta(hours=8))
LAST = timedelta(microseconds=1)


def _at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BEIJING)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-12-31", _at(2024, 12, 31), _at(2024, 12, 31)),
        ("2024-12-31T08:00:00Z", _at(2024, 12, 31, 16), _at(2024, 12, 31, 16)),
        ("2024-12-31T08:00:00+08:00", _at(2024, 12, 31, 8), _at(2024, 12, 31, 8)),
        ("2024-12-31T08:00:00", _at(2024, 12, 31, 8), _at(2024, 12, 31, 8)),
        ("2024-12-31T08:00:00.250Z", _at(2024, 12, 31, 16, 0, 0, 250_000), _at(2024, 12, 31, 16, 0, 0, 250_000)),
        ("2024-01-01/2024-12-31", _at(2024, 1, 1), _at(2025, 1, 1) - LAST),
        ("2024-12-31/2024-12-31", _at(2024, 12, 31), _at(2025, 1, 1) - LAST),
        ("2024-01-01T00:00:00Z/2024-01-02T00:00:00Z", _at(2024, 1, 1, 8), _at(2024, 1, 2, 8)),
        ("../2024-12-31", None, _at(2025, 1, 1) - LAST),
        ("/2024-12-31", None, _at(2025, 1, 1) - LAST),
        ("2024-01-01/..", _at(2024, 1, 1), None),
        ("2024-01-01/", _at(2024, 1, 1), None),
        ("../..", None, None),
        (" 2024-12-31 ", _at(2024, 12, 31), _at(2024, 12, 31)),
    ],
)
def test_each_form_means_this(text: str, start: datetime | None, end: datetime | None) -> None:
    period = parse_period(text, ZONE)
    assert (period.start, period.end) == (start, end)
    assert all(moment is None or moment.tzinfo is not None for moment in (period.start, period.end))
    assert period.instant == ("/" not in text)


@pytest.mark.parametrize(
    "text",
    ["", "..", "/ /", "now", "2024-13-01", "2024-02-30", "yesterday/..", "2024-01-01/2024-01-02/2024-01-03",
     "2024-12-31/2024-01-01", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00+99:00", "1704067200", "P1D/2024-01-01",
     "9999-12-31/9999-12-31T00:00:00-23:59/x"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse_period(text, ZONE)
    assert caught.value.parameter == "datetime"
    for example in caught.value.allowed:
        parse_period(example, ZONE)


def test_the_last_day_there_is_does_not_overflow() -> None:
    period = parse_period("2024-01-01/9999-12-31", ZONE)
    assert period.end is not None
    assert period.end.year == 9999


def test_dates_follow_the_citys_zone_also_where_it_shifts() -> None:
    period = parse_period("2024-03-31/2024-03-31", "Europe/Berlin")  # a day of 23 hours
    assert period.start is not None
    assert period.end is not None
    assert period.end.astimezone(UTC) - period.start.astimezone(UTC) == timedelta(hours=23) - LAST


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.timedeltas(timedelta(0), timedelta(days=4000)))  # noqa: DTZ001
def test_any_two_times_in_order_are_taken_as_they_are(start: datetime, length: timedelta) -> None:
    first, last = start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + length
    period = parse_period(f"{first.isoformat()}/{last.isoformat()}", ZONE)
    assert (period.start, period.end) == (first, last)
    if length:
        with pytest.raises(BadParameter, match="ends before"):
            parse_period(f"{last.isoformat()}/{first.isoformat()}", ZONE)
