"""Decades of daily rain at a station, by the days on which hydrologic days begin.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shikong.processes.base import BadInput, titled
from shikong.processes.hydrology import hours
from shikong.processes.hydrology.readings import Source, Station
from shikong.processes.moments import Known

Floats = NDArray[np.float64]

PARAMETER = "dyp"
DAY = 86_400


class OfStation(Known):
    """The station whose record is meant; without it, the first that has one."""

    station: str | None = Field(
        None,
        json_schema_extra=titled(
            "雨量站编码（可选；默认首个有长系列者）", "Rain gauge (optional; default: the first with a record)"
        ),
    )
    from_year: int | None = Field(
        None, ge=1800, le=2200, json_schema_extra=titled("起始年（可选）", "First year (optional)")
    )
    to_year: int | None = Field(
        None, ge=1800, le=2200, json_schema_extra=titled("终止年（可选）", "Last year (optional)")
    )


@dataclass(frozen=True)
class Record:
    """A station's daily rain (mm, nan where missing) from a day on, one day after the other."""

    station: Station
    first: date
    rain: Floats

    @property
    def days(self) -> NDArray[np.datetime64]:
        """The days, by when they begin."""
        return np.datetime64(self.first) + np.arange(len(self.rain))


def read(source: Source, asked: OfStation) -> Record:
    """The record of the station that is asked for, of whole years but for the last. Raises BadInput."""
    stations = source.stations(PARAMETER)
    codes = tuple(each.code for each in stations)
    station = next((each for each in stations if asked.station in (None, each.code)), None)
    if station is None:
        told = f"there is no daily record of {asked.station!r}" if asked.station else "there is no daily record yet"
        raise BadInput("station", told, codes)
    if asked.from_year and asked.to_year and asked.from_year > asked.to_year:
        raise BadInput("to_year", f"must not be before from_year, {asked.from_year}")
    first, last = _bounds(source, station, asked)
    zone = ZoneInfo(source.city.city.timezone)
    # Stamps are at the end of a day, in standard time; steps of a day from the first on keep the hour.
    eight = datetime.combine(first + timedelta(days=1), time(hours.DAY_BEGINS), zone)
    start = int((eight + (eight.dst() or timedelta())).timestamp())
    ends = start + DAY * np.arange((last - first).days + 1, dtype=np.int64)
    rain = source.steps(PARAMETER, [station.code], ends, summed=True)[:, 0]
    read_days = np.flatnonzero(~np.isnan(rain))
    if not len(read_days):
        raise BadInput("from_year", f"{station.code} has no reading in these years")
    begin = date((first + timedelta(days=int(read_days[0]))).year, 1, 1)
    skipped = (begin - first).days
    return Record(station, max(begin, first), rain[max(skipped, 0) : int(read_days[-1]) + 1])


def _bounds(source: Source, station: Station, asked: OfStation) -> tuple[date, date]:
    """The first and the last day to read. Raises BadInput."""
    newest = source.newest(PARAMETER, codes=[station.code])
    assert newest is not None
    zone = ZoneInfo(source.city.city.timezone)
    ended = _begins(newest, zone)
    last = min(ended, date(asked.to_year, 12, 31)) if asked.to_year else ended
    oldest = source.oldest(PARAMETER, station.code)
    assert oldest is not None
    began = _begins(oldest, zone)
    first = date(max(asked.from_year or began.year, began.year), 1, 1)
    if first > last:
        raise BadInput("from_year", f"the record of {station.code} is of {began} to {ended}")
    return first, last


def _begins(stamp: datetime, zone: ZoneInfo) -> date:
    """The day on which the hydrologic day begins that ends at a time."""
    return (hours.standard(int(stamp.timestamp()), zone) - timedelta(days=1)).date()
