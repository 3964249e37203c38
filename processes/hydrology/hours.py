"""Hours and hydrologic days, as the city's clock has them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shikong.processes.base import BadInput, titled
from shikong.processes.moments import End, Known, Start

HOUR = 3600
#: When the hydrologic day begins.
DAY_BEGINS = 8
LONGEST = timedelta(days=366)

Floats = NDArray[np.float64]


class Stretch(Known):
    """A stretch of time, by default the week before the last reading."""

    start: Start = Field(
        None, json_schema_extra=titled("起（可选；日期指当日始）", "From (optional; a day means its first moment)")
    )
    end: End = Field(None, json_schema_extra=titled("止（可选；日期指当日末）", "To (optional; a day means its end)"))
    hours: int | None = Field(
        None, ge=1, le=366 * 24,
        json_schema_extra=titled("止前小时数（可选，代替起）", "Hours up to the end (instead of from)"),
    )  # fmt: skip


@dataclass(frozen=True)
class Steps:
    """Equal steps of an hour, by their ends in seconds since 1970 (t,)."""

    ends: NDArray[np.int64]
    zone: ZoneInfo

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def words(self) -> list[str]:
        """The ends as texts, on the city's clock."""
        return [self.word(int(end)) for end in self.ends]

    def word(self, end: int) -> str:
        """An end as text."""
        return datetime.fromtimestamp(end, self.zone).isoformat(timespec="minutes")

    def days(self) -> list[tuple[date, slice]]:
        """The hydrologic days that lie in the steps as a whole: the day on which each begins, and its steps."""
        found = []
        for index, end in enumerate(self.ends.tolist()):
            clock = standard(end, self.zone)
            if clock.hour == DAY_BEGINS and index >= 23:
                found.append(((clock - timedelta(days=1)).date(), slice(index - 23, index + 1)))
        return found


def standard(end: int, zone: ZoneInfo) -> datetime:
    """A time on the city's clock without summer time, which the hydrologic day does not follow. Without a zone."""
    clock = datetime.fromtimestamp(end, zone)
    return clock.replace(tzinfo=None) - (clock.dst() or timedelta())


def steps(start: datetime, end: datetime, zone: str) -> Steps:
    """The hours that end after `start` and, rounded up to the hour, at `end` or before."""
    first = int(np.floor(start.timestamp() / HOUR)) + 1
    last = int(np.ceil(end.timestamp() / HOUR))
    return Steps(np.arange(first, last + 1, dtype=np.int64) * HOUR, ZoneInfo(zone))


def stretch(asked: Stretch, newest: datetime | None, zone: str) -> Steps:
    """The hours that are asked for. newest: the last reading. Raises BadInput."""
    if newest is None and (asked.start is None or asked.end is None):
        raise BadInput("start", "there are no readings yet; give `start` and `end`")
    end = asked.end or newest or datetime.now(UTC)
    if asked.start is not None and asked.hours is not None:
        raise BadInput("hours", "give either `start` or `hours`")
    start = asked.start or end - timedelta(hours=asked.hours or 7 * 24)
    if start >= end:
        raise BadInput("start", f"must be before {end.isoformat()}")
    if end - start > LONGEST:
        raise BadInput("start", f"at most {LONGEST.days} days are told at once; the end is {end.isoformat()}")
    return steps(start, end, zone)


def require_rain(given: Sequence[float] | Floats) -> None:
    """Raise BadInput for rain of an hour (mm) that cannot be."""
    if not all(0 <= each <= 500 for each in given):
        raise BadInput("rain", "rain of an hour is between 0 and 500 mm")


def whole_days(asked: Steps) -> Steps:
    """The same from the first 08:00 to the last. Raises BadInput without a whole day."""
    days = asked.days()
    if not days:
        raise BadInput("start", "no hydrologic day (08:00 to 08:00) lies between start and end")
    return Steps(asked.ends[days[0][1].start : days[-1][1].stop], asked.zone)


def named(names: Sequence[str], most: int = 12) -> str:
    """Some names, and how many more there are."""
    told = "、".join(names[:most])
    return f"{told} +{len(names) - most}" if len(names) > most else told
