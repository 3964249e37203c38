"""Forecasts at the declared stations: readings, rain to come and the chain of layers/forecasts.yml, hour by hour.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from shikong.hydrology.series import forecast, runoff
from shikong.hydrology.series.forecast import Floats, Ground, Inflow
from shikong.hydrology.series.rating import Rating
from shikong.layers.declared import Text
from shikong.layers.forecasts import Forecasts, ForecastStation, RatingDecl, UnitDecl
from shikong.processes.hydrology.hours import HOUR, Steps
from shikong.processes.hydrology.readings import Source, Station

#: Hours before the issue that a forecast begins to run at: longer than a unit hydrograph and what tells how wet it was.
WARM_UP = 480

#: The rain to come at some gauges, in mm (t, n) of the hours that end at `ends`; nan where nothing is told.
RainAhead = Callable[[Sequence[Station], NDArray[np.int64]], Floats]

_DATUM = Text(
    zh="测站水位基面为 {}，水位流量关系为 {}，不可相比，不报水位",
    en="the station's datum is {}, that of the rating {}; no stages are told",
)
_NO_UPSTREAM = Text(
    zh="上游站 {} 不在，未计其来水", en="the station upstream, {}, is not there; its water is not counted"
)
_UNREAD = Text(
    zh="发布前 {} 小时无雨量资料，按无雨计", en="in {} hours before the issue no gauge has a reading; they count as dry"
)
_UNTOLD = Text(zh="预见期内 {} 小时无降雨预报，按无雨计", en="of {} hours ahead no rain is told; they count as dry")
_UNCORRECTED = Text(zh="无实测流量，预报未作实时校正", en="no discharge was observed; nothing corrects the forecast")
_BEYOND = Text(
    zh="流量超出水位流量关系，水位按其上部的幂函数外推",
    en="the discharge is above the rating; stages there are extrapolated by a power law",
)


@dataclass(frozen=True)
class Run:
    """When forecasts are made and how far they reach. now: the place of the issue among the hours."""

    hours: Steps
    now: int

    @property
    def ahead(self) -> slice:
        """The hours that are told."""
        return slice(self.now + 1, len(self.hours))


def run_of(issue: datetime, horizon: int, zone: str) -> Run:
    """The run that is made at a time: the hours before it and, from the next full hour on, so many ahead."""
    last = int(issue.timestamp()) // HOUR
    ends = np.arange(last - WARM_UP, last + horizon + 1, dtype=np.int64) * HOUR
    return Run(Steps(ends, ZoneInfo(zone)), WARM_UP)


@dataclass(frozen=True)
class Forecast:
    """What is told of a station, hour by hour (t,).

    rain: on the land that the station has to itself, mm. observed_flow (m³/s), observed_stage (m): nan where missing.
    flow: as observed, gaps filled, and from the issue on as forecast. stage: from the issue on; nan where none is told.
    extrapolated: whether the discharge is above the rating. notes: what has to be known to read it.
    """

    station: Station
    declared: ForecastStation
    rain: Floats
    observed_flow: Floats
    observed_stage: Floats
    flow: Floats
    stage: Floats
    extrapolated: NDArray[np.bool_]
    notes: list[Text] = field(default_factory=list)


def forecasts(source: Source, declared: Forecasts, run: Run, codes: Sequence[str], rain: RainAhead) -> list[Forecast]:
    """The forecasts of stations and of those upstream of them, in the order of the water. Stations that are declared
    and not there are left out."""
    there = {station.code: station for station in source.stations(codes=codes)}
    found: dict[str, Forecast] = {}
    for code in codes:
        if code in there:
            found[code] = _one(source, declared.stations[code], run, there[code], found, rain)
    return list(found.values())


def _one(
    source: Source, declared: ForecastStation, run: Run, station: Station, known: dict[str, Forecast], rain: RainAhead
) -> Forecast:
    """The forecast of a station whose upstream ones are known."""
    notes: list[Text] = []
    fallen = _rain(source, declared, run, rain, notes)
    told = _simulated(declared, run, fallen, known, notes)
    stages, flows = (_observed(source, run, parameter, station.code) for parameter in ("z", "q"))
    rating = rating_of(declared.rating)
    same = station.datum == declared.rating.datum
    if same:
        flows = np.where(np.isnan(flows), rating.discharge(stages), flows)
    else:
        notes.append(_text(_DATUM, station.datum or "—", declared.rating.datum))
    if np.isnan(flows).all():
        notes.append(_UNCORRECTED)
    flow = np.maximum(forecast.corrected(told, flows, run.now, declared.recession), 0.0)
    stage = forecast.corrected(rating.stage(flow), stages, run.now, declared.recession)
    shown = (np.arange(len(flow)) > run.now) & same
    beyond = rating.extrapolated(flow) & shown
    if beyond.any():
        notes.append(_BEYOND)
    return Forecast(station, declared, fallen, flows, stages, flow, np.where(shown, stage, np.nan), beyond, notes)


def _simulated(
    declared: ForecastStation, run: Run, fallen: Floats, known: dict[str, Forecast], notes: list[Text]
) -> Floats:
    """What follows (t,) from the rain and from upstream."""
    notes += [_text(_NO_UPSTREAM, reach.station) for reach in declared.upstream if reach.station not in known]
    inflows = [
        Inflow(known[reach.station].flow, reach.k, reach.x) for reach in declared.upstream if reach.station in known
    ]
    unit = _unit(declared.unit, declared.area)
    ground = Ground(declared.cn, declared.ia, unit, declared.base_flow, declared.moisture)
    month = datetime.fromtimestamp(int(run.hours.ends[run.now]), run.hours.zone).month
    return forecast.simulated(fallen, ground, inflows, growing=runoff.is_growing(month))


def _rain(source: Source, declared: ForecastStation, run: Run, ahead: RainAhead, notes: list[Text]) -> Floats:
    """The rain (t,) on the land of a station: what its gauges read, then what is expected at them."""
    gauges = source.stations(codes=list(declared.gauges))
    codes = [gauge.code for gauge in gauges]
    read = source.steps("drp", codes, run.hours.ends[: run.now + 1], summed=True)
    expected = ahead(gauges, run.hours.ends[run.ahead])
    weights = np.array([declared.gauges[code] for code in codes])
    found = _weighed(np.concatenate([read, expected]), weights)
    for part, words in ((slice(0, run.now + 1), _UNREAD), (run.ahead, _UNTOLD)):
        if missing := int(np.isnan(found[part]).sum()):
            notes.append(_text(words, missing))
    return np.nan_to_num(found)


def _text(words: Text, *values: object) -> Text:
    return Text(zh=words.zh.format(*values), en=words.en.format(*values))


def _weighed(rain: Floats, weights: Floats) -> Floats:
    """The weighted mean (t,) of gauges (t, n); what is missing leaves its share to the others, nan without any."""
    there = ~np.isnan(rain)
    share = there @ weights
    total = np.where(there, rain, 0.0) @ weights
    mean: Floats = np.divide(total, share, out=np.full(len(rain), np.nan), where=share > 0)
    return mean


def _observed(source: Source, run: Run, parameter: str, code: str) -> Floats:
    """What a station has read by the hour (t,), nan where nothing; of what came after the issue nothing."""
    read = source.steps(parameter, [code], run.hours.ends[: run.now + 1], summed=False)[:, 0]
    return np.concatenate([read, np.full(len(run.hours) - run.now - 1, np.nan)])


@cache
def rating_of(declared: RatingDecl) -> Rating:
    """A station's rating curve."""
    stages, flows = zip(*declared.pairs, strict=True)
    return Rating(stages, flows)


def _unit(declared: UnitDecl, area: float) -> Floats:
    if declared.nash_n is not None and declared.nash_k is not None:
        return runoff.nash(area, declared.nash_n, declared.nash_k, 1.0)
    assert declared.concentration is not None
    return runoff.dimensionless(area, runoff.time_to_peak(declared.concentration, 1.0), 1.0)
