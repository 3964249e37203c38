"""How much did it rain on each day since 1961?

A daily record of some rain gauges, made from a seed: about 550 mm a year, three quarters of it from June to September,
wet years and dry ones, in most decades a day above 100 mm. Wet days follow each other more often than by chance, and
are the same ones at all gauges. Some days are missing, two summers among them. Days are hydrologic: from 08:00 to 08:00
Beijing time, stamped at the end.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import numpy as np

from shikong.samples import write
from shikong.samples.plane import Floats, generator

FIRST = date(1961, 1, 1)
#: Standard time throughout: the summer time of 1986 to 1991 did not move the hydrologic day.
BEIJING = timezone(timedelta(hours=8))
#: The gauges that have a record, with the share of the rain at the first that falls at each.
GAUGES = {"31158700": 1.0, "31158100": 0.97, "31158600": 1.04}

#: Rain (mm) and wet days of a month in a usual year.
RAIN = (4, 8, 13, 27, 49, 76, 162, 124, 52, 29, 14, 5)
WET = (2.2, 3.0, 3.6, 4.8, 6.0, 7.8, 12.0, 10.2, 6.9, 5.1, 3.7, 2.3)
#: How much more often it rains on the day after a wet one.
PERSISTENCE = 0.25
#: Shape of a wet day's rain: the lower, the more of a month's rain falls on few days.
SHAPE = 0.62
#: Months that nobody read, by year and month; and the share of single days.
GAPS, LOST = ((1967, 7), (1967, 8), (1976, 8), (1983, 2)), 0.00025


def rain(seed: int, last: date) -> tuple[list[date], dict[str, Floats]]:
    """The days from the first to `last`, and the rain of each gauge on them (mm, nan where missing).

    A later last day adds days and leaves the rest as it is.
    """
    number = (last - FIRST).days + 1
    days = [FIRST + timedelta(days=index) for index in range(number)]
    months = np.array([day.month - 1 for day in days])
    years = np.array([day.year - FIRST.year for day in days])
    lengths = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    share = np.array(WET) / lengths
    # Of each month of each year: how much more it rains than usual.
    factor = generator(seed, "records", "months").gamma(6.0, 1 / 6.0, (years[-1] + 1, 12))
    chance = generator(seed, "records", "wet").random(number)
    depth = generator(seed, "records", "depth").gamma(SHAPE, 1 / SHAPE, number)
    wet = np.zeros(number, dtype=bool)
    before = False
    for index in range(number):
        usual = share[months[index]]
        wet[index] = before = chance[index] < (
            usual + PERSISTENCE * (1 - usual) if before else usual * (1 - PERSISTENCE)
        )
    mean = (np.array(RAIN) / np.array(WET))[months] * factor[years, months]
    first = np.where(wet, np.maximum(depth * mean, 0.1), 0.0)
    found = {}
    for code, of in GAUGES.items():
        main = code == next(iter(GAUGES))
        near = np.ones(number) if main else generator(seed, "records", code).gamma(12.0, 1 / 12.0, number)
        mine = np.round(first * near * of, 1)
        mine[generator(seed, "records", "lost", code).random(number) < LOST] = np.nan
        if main:
            lost = {(year - FIRST.year, month - 1) for year, month in GAPS}
            mine[[(year, month) in lost for year, month in zip(years.tolist(), months.tolist(), strict=True)]] = np.nan
        found[code] = mine
    return days, found


def deliver(seed: int, now: datetime, gauges: int, path: Path) -> int:
    """Write the record of some gauges, up to the last day that has ended at `now`, as CSV; returns the rows."""
    last = (now.astimezone(BEIJING) - timedelta(hours=8)).date() - timedelta(days=1)
    days, found = rain(seed, last)
    stamps = [datetime.combine(day + timedelta(days=1), time(8), BEIJING).isoformat() for day in days]
    rows = [
        {"stcd": code, "time": stamp, "dyp": value}
        for code in list(found)[:gauges]
        for stamp, value in zip(stamps, found[code].tolist(), strict=True)
        if not np.isnan(value)
    ]
    return write.table(path, rows, "utf-8")
