"""Which values of a series cannot be? They are kept, and told apart by their quality.

Two things are looked at: whether a value lies in the range that its parameter declares, and whether it differs from
what was read before by more than can be in that time. A value that jumps is flagged; the next one is good again if it
agrees either with the last good value (the jump was a fault) or with the jumped one (the water did rise).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer, ParameterDecl
from shikong.store import observed_tables

GOOD, BELOW, ABOVE, RISE, FAULTY = 0, 1, 2, 3, 4

#: What was read longer ago says nothing of how fast a value has changed.
_NEAR = timedelta(hours=6)

#: The least time that changes are measured over: readings a minute apart differ by waves alone.
_STEP = timedelta(minutes=5)
_HOUR = timedelta(hours=1)

#: The rules by the qualities that they give, as reports name them.
RULES = {BELOW: "below_range", ABOVE: "above_range", RISE: "rise", FAULTY: "faulty"}

Series = tuple[str, str]
Reading = tuple[datetime, float]


@dataclass(frozen=True)
class Before:
    """What was read of a series before: the last value, and the last good one."""

    last: Reading | None = None
    good: Reading | None = None


def judge(
    readings: Iterable[tuple[Series, datetime, float]],
    declared: Mapping[str, ParameterDecl],
    before: Mapping[Series, Before],
) -> tuple[list[int], dict[Series, Before]]:
    """The quality of each reading, and what later ones follow on.

    readings: of each series in the order of time. before: what was read before them.
    """
    now: dict[Series, Before] = dict(before)
    found = []
    for series, time, value in readings:
        known = now.get(series, Before())
        quality = _quality(declared[series[1]], known, time, value)
        found.append(quality)
        now[series] = Before((time, value), (time, value) if quality == GOOD else known.good)
    return found, now


def _quality(declared: ParameterDecl, before: Before, time: datetime, value: float) -> int:
    least, greatest = declared.range or (None, None)
    if least is not None and value < least:
        return BELOW
    if greatest is not None and value > greatest:
        return ABOVE
    if declared.rise is None:
        return GOOD
    near = [read for read in (before.last, before.good) if read is not None and time - read[0] <= _NEAR]
    if near and all(abs(value - was) > declared.rise * (max(time - then, _STEP) / _HOUR) for then, was in near):
        return RISE
    return GOOD


def before(conn: Connection[Any], layer: Layer, firsts: Mapping[Series, datetime]) -> dict[Series, Before]:
    """What was read of series shortly before a time of each."""
    if not firsts:
        return {}
    stations, parameters = zip(*firsts, strict=True)
    query = sql.SQL(_BEFORE).format(**observed_tables.names(layer))
    params = {
        "stations": list(stations), "parameters": list(parameters), "firsts": list(firsts.values()), "near": _NEAR,
    }  # fmt: skip
    found = {}
    for station, parameter, time, value, good_time, good_value in conn.execute(query, params):
        good = None if good_time is None else (good_time, good_value)
        found[station, parameter] = Before((time, value), good)
    return found


_BEFORE = """
    SELECT s.station, s.parameter, last.time, last.value, good.time, good.value
    FROM unnest(%(stations)s::text[], %(parameters)s::text[], %(firsts)s::timestamptz[])
        AS g (station, parameter, first)
    JOIN {series} AS s USING (station, parameter)
    CROSS JOIN LATERAL (
        SELECT o.time, o.value FROM {table} AS o
        WHERE o.series = s.id AND o.time < g.first AND o.time >= g.first - %(near)s
        ORDER BY o.time DESC LIMIT 1
    ) AS last
    LEFT JOIN LATERAL (
        SELECT o.time, o.value FROM {table} AS o
        WHERE o.series = s.id AND o.time < g.first AND o.time >= g.first - %(near)s AND o.quality = 0
        ORDER BY o.time DESC LIMIT 1
    ) AS good ON true
"""
