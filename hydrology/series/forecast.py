"""Which flood is to come? Rain as it fell and is expected, to the discharge at a station, held to what was observed.

Each storm of a series runs off by its own curve number: a storm begins when it rains after a day without rain, and the
ground is as wet as the rain of the five days before it tells. What runs off reaches the station by a unit hydrograph,
what comes from stations upstream by Muskingum. What was observed last differs from what is told for that time; this
error is added to what follows and fades away exponentially: an autoregressive model of the first order, AR(1). Without
rain, that is the recession from the last discharge down to the base flow.

Sources: USDA NRCS, National Engineering Handbook 630, chapter 10; Chow, Maidment & Mays 1988, 5.5, 8.4; Box & Jenkins
1976 (AR(1)); WMO-No. 1072, Manual on Flood Forecasting and Warning (such a model as a way to correct forecasts).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shikong.hydrology.series import muskingum, routing, runoff

Floats = NDArray[np.float64]

#: Hours without rain after which what falls is another storm.
DRY = 24
#: Hours before a storm whose rain tells how wet the ground is.
BEFORE = 120


@dataclass(frozen=True)
class Ground:
    """The land between a station and those upstream of it.

    cn: curve number for usual moisture. ratio: Ia by S. unit: m³/s of 1 mm, hour by hour (u,). base: m³/s. moisture:
    that the ground is always taken to have; None for what the rain before each storm tells.
    """

    cn: float
    ratio: float
    unit: Floats
    base: float
    moisture: runoff.Moisture | None = None


@dataclass(frozen=True)
class Inflow:
    """What comes from a station upstream: its hours (t,) in m³/s, and the reach to here by Muskingum. k: hours."""

    flow: Floats
    k: float
    x: float


def storms(rain: Floats) -> Iterator[slice]:
    """The storms of a series of hours (t,)."""
    wet = np.flatnonzero(rain > 0)
    if len(wet):
        for part in np.split(wet, np.flatnonzero(np.diff(wet) > DRY) + 1):
            yield slice(int(part[0]), int(part[-1]) + 1)


def excess(rain: Floats, ground: Ground, *, growing: bool) -> Floats:
    """What runs off in each hour (t,), in mm. Before the first hour it is taken to have been dry."""
    found = np.zeros(len(rain))
    for storm in storms(rain):
        before = float(rain[max(0, storm.start - BEFORE) : storm.start].sum())
        cn = runoff.adjusted(ground.cn, ground.moisture or runoff.moisture(before, growing=growing))
        found[storm] = runoff.excess(rain[storm], cn, ground.ratio)
    return found


def simulated(rain: Floats, ground: Ground, inflows: Iterable[Inflow], *, growing: bool) -> Floats:
    """The discharge (t,) that follows from rain (t,) and what comes from upstream. Raises Unstable."""
    running = runoff.convolved(excess(rain, ground, growing=growing), ground.unit)[: len(rain)]
    for each in inflows:
        running = running + routing.in_parts(each.flow, each.k, each.x, 1.0, muskingum.reaches(each.k, each.x, 1.0))
    return np.asarray(running + ground.base)


def corrected(told: Floats, observed: Floats, now: int, memory: float) -> Floats:
    """The course (t,) of what was observed, gaps filled between readings, and of what is told after the last of them,
    with its error added and fading.

    observed: (t,), nan where missing; what is after `now` is not looked at. memory: hours in which an error fades to
    1/e. Before the first reading, and where nothing was observed, what is told stays as it is.
    """
    known = np.flatnonzero(~np.isnan(observed[: now + 1]))
    if not len(known):
        return told.copy()
    last, at = int(known[-1]), np.arange(len(told))
    error = np.nan_to_num(observed[last] - told[last])
    later = told + error * np.exp(-(at - last) / memory)
    seen = np.where(at < known[0], told, np.interp(at, known, observed[known]))
    return np.where(at > last, later, seen)
