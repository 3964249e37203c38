"""How floods are forecast at stations: what land rains on, how it runs off, which stage a discharge has
(layers/forecasts.yml).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shikong.hydrology.series import muskingum
from shikong.layers.declared import Declared, Identifier, Text
from shikong.layers.warning_rules import DURATION


class UnitDecl(Declared):
    """A unit hydrograph: that of SCS by its time of concentration, or Nash's."""

    concentration: float | None = Field(None, gt=0, le=240, description="hours, for the curved one of SCS")
    nash_n: float | None = Field(None, ge=0.5, le=15, description="number of Nash's reservoirs")
    nash_k: float | None = Field(None, gt=0, le=120, description="hours of each of them")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        nash = (self.nash_n, self.nash_k)
        if (self.concentration is None) != (None not in nash) or (None in nash and nash != (None, None)):
            raise ValueError("give either `concentration`, or `nash_n` with `nash_k`")
        return self


class ReachDecl(Declared):
    """What comes from a forecast station upstream, by Muskingum."""

    station: str
    k: float = Field(gt=0, le=500, description="travel time in hours")
    x: float = Field(ge=0, le=0.5, description="how much inflow weighs in the reach's storage")

    @model_validator(mode="after")
    def _stable_by_the_hour(self) -> Self:
        muskingum.reaches(self.k, self.x, 1.0)
        return self


class RatingDecl(Declared):
    """A rating curve (水位流量关系)."""

    datum: str = Field(description="the vertical datum of its stages, as the station names its own")
    pairs: tuple[tuple[float, float], ...] = Field(min_length=4, description="[stage m, discharge m³/s], rising")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for (stage, flow), (higher, more) in pairwise(self.pairs):
            if higher <= stage or more <= flow:
                raise ValueError(f"pairs: stage and discharge rise from point to point, but not at {higher} m")
        if self.pairs[0][1] < 0:
            raise ValueError(f"pairs: a discharge is at least 0, not {self.pairs[0][1]}")
        return self


class ForecastStation(Declared):
    """A station at which floods are forecast, and the land between it and the stations upstream of it."""

    title: Text
    origin: Literal["delivered", "generated"] = Field(description="generated: facts of the sample city")
    source: str = Field(description="where the facts are from, and of when")
    area: float = Field(gt=0, le=100_000, description="of that land, km²")
    gauges: dict[str, Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="rain gauges and how much each weighs, for example by Thiessen polygons"
    )
    cn: float = Field(ge=30, le=100, description="curve number for usual moisture")
    moisture: Literal["I", "II", "III"] | None = Field(
        None, description="that the ground is always taken to have; without it the rain of the five days before tells"
    )
    ia: float = Field(0.2, ge=0, le=0.4, description="Ia by S; the curve number holds for it")
    unit: UnitDecl
    upstream: tuple[ReachDecl, ...] = ()
    base_flow: float = Field(ge=0, description="what the river recedes to, of this land alone, m³/s")
    recession: float = Field(gt=0, le=2000, description="hours in which what is observed beyond it fades to 1/e")
    rating: RatingDecl


class Forecasts(Declared):
    """All stations with forecasts, each by its code."""

    layer: Identifier = Field(default="hydro_observations", description="the observations that forecasts go on from")
    rain: Identifier = Field(default="rain_forecast", description="the layer of the rain that is expected")
    published_as: Identifier = Field(default="hydro_forecasts", description="the layer that runs are published in")
    warnings: Identifier = Field(default="forecast_warnings", description="the layer of the warnings that they bring")
    every: str = Field(
        default="PT1H", pattern=DURATION, description="a run follows the one before by so long, or longer"
    )
    horizon: int = Field(default=72, ge=1, le=240, description="hours ahead")
    stations: dict[str, ForecastStation] = Field(default_factory=dict)

    def order(self) -> list[str]:
        """The stations, each after those upstream of it. Raises graphlib.CycleError."""
        upstream = {code: [reach.station for reach in of.upstream] for code, of in self.stations.items()}
        return list(TopologicalSorter(upstream).static_order())

    def with_upstream(self, code: str) -> list[str]:
        """A station after all those upstream of it."""
        wanted = {code}
        for each in reversed(self.order()):
            if each in wanted:
                wanted |= {reach.station for reach in self.stations[each].upstream}
        return [each for each in self.order() if each in wanted]
