"""How much rain falls at a station once in so many years, and how rare is a given rain?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from shikong.hydrology.series import frequency
from shikong.hydrology.series.frequency import Curve, Sample
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, titled
from shikong.processes.figures import table
from shikong.processes.figures.table import Column, FrequencyChart, Table
from shikong.processes.hydrology import answers, days
from shikong.processes.hydrology.days import OfStation, Record
from shikong.processes.hydrology.readings import DAILY, Source
from shikong.store.database import default as default_database
from shikong.store.database import one_state

Floats = NDArray[np.float64]

METHODS = {
    "fit": Text(zh="适线法", en="Curve fitting"),
    "moments": Text(zh="矩法", en="Moments"),
    "l_moments": Text(zh="线性矩法", en="L-moments"),
}
_CRITERIA = {
    "squares": Text(zh="离差平方和", en="Squares"),
    "absolute": Text(zh="离差绝对值和", en="Absolute differences"),
    "relative": Text(zh="相对离差平方和", en="Squares of relative differences"),
}

_TITLES = {
    "design": Text(zh="设计雨量", en="Design rain"),
    "asked": Text(zh="所给雨量的重现期", en="Return period of the given rain"),
    "parameters": Text(zh="统计参数", en="Parameters"),
    "maxima": Text(zh="皮尔逊Ⅲ型频率曲线", en="Pearson III frequency curve"),
    "left_out": Text(zh="未采用的年份", en="Years left out"),
}
_PERIOD = Column("return_period", Text(zh="重现期", en="Return period"), "a", 1)
_PERCENT = Column("frequency_pct", Text(zh="频率 P", en="Frequency"), "%", 3)
_VALUE = Column("maximum_mm", Text(zh="年最大雨量", en="Annual maximum"), "mm", 1)
_DESIGN = (_PERIOD, _PERCENT, Column("rain_mm", Text(zh="雨量", en="Rain"), "mm", 1))
_PARAMETERS = (
    Column("method", Text(zh="方法", en="Method")),
    Column("mean_mm", Text(zh="均值", en="Mean"), "mm", 2),
    Column("cv", Text(zh="Cv", en="Cv"), "1", 3),
    Column("cs", Text(zh="Cs", en="Cs"), "1", 3),
    Column("cs_cv", Text(zh="Cs/Cv", en="Cs/Cv"), "1", 2),
    Column("used", Text(zh="采用", en="Used")),
)
_MAXIMA = (
    Column("rank", Text(zh="序号", en="Rank"), "1", 0),
    Column("year", Text(zh="年份", en="Year")),
    Column("begins", Text(zh="起日", en="First day")),
    _VALUE,
    Column("empirical_pct", Text(zh="经验频率 P", en="Empirical frequency"), "%", 2),
    Column("survey", Text(zh="调查值", en="Surveyed")),
)
_LEFT_OUT = (
    Column("year", Text(zh="年份", en="Year")),
    Column("missing_d", Text(zh="缺测日数", en="Days missing"), "d", 0),
)


class Historic(BaseModel):
    """A rain before the record that was found out, such as from inscriptions or a survey."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    year: int = Field(ge=1, le=2200)
    value: float = Field(gt=0, le=10_000)


class Asked(OfStation):
    """Of which station, by which method, for which return periods."""

    days: int = Field(1, ge=1, le=30, json_schema_extra=titled("时段（日）", "Days that the rain lasts"))
    return_periods: tuple[float, ...] = Field(
        (2, 5, 10, 20, 50, 100, 200),
        min_length=1,
        max_length=30,
        json_schema_extra=titled(
            "重现期（年）", "Return periods (years)", items={"type": "number", "minimum": 1.01, "maximum": 10_000}
        ),
    )
    value: float | None = Field(
        None,
        gt=0,
        le=10_000,
        json_schema_extra=titled("求其重现期的雨量（mm，可选）", "A rain whose return period is wanted (mm, optional)"),
    )
    method: Literal["fit", "moments", "l_moments"] = Field(
        "fit",
        json_schema_extra=titled(
            "估参方法", "Method", **{"x-enum-titles": [each.model_dump() for each in METHODS.values()]}
        ),
    )
    criterion: Literal["squares", "absolute", "relative"] = Field(
        "squares",
        json_schema_extra=titled(
            "适线准则",
            "What is made least by the fit",
            **{"x-enum-titles": [each.model_dump() for each in _CRITERIA.values()]},
        ),
    )
    cs_cv: float | None = Field(
        None,
        ge=frequency.RATIO[0],
        le=frequency.RATIO[1],
        json_schema_extra=titled(
            "Cs/Cv（可选；缺省由适线定，暴雨常用 3.5）", "Cs/Cv (optional; fitted without it, 3.5 is usual for storms)"
        ),
    )
    missing_days: int = Field(
        0, ge=0, le=60, json_schema_extra=titled("一年至多可缺测的日数", "Days that a year may lack and still count")
    )
    historic: tuple[Historic, ...] = Field(
        (),
        max_length=20,
        json_schema_extra=titled(
            "调查暴雨（year 年份、value 雨量 mm，可选）",
            "Storms of a survey (year, value in mm; optional)",
            items=Historic.model_json_schema(),
        ),
    )
    span_years: int | None = Field(
        None, ge=20, le=3000, json_schema_extra=titled("调查考证期（年）", "Years that the survey covers")
    )


@dataclass(frozen=True)
class Maxima:
    """The greatest rain of each complete year with the day on which it begins, and the days that the others lack."""

    years: list[int]
    begins: list[str]
    values: Floats
    left_out: dict[int, int]


class RainFrequency(answers.Series):
    """Fits Pearson III to a station's annual maxima."""

    id = "rain-frequency"
    title = Text(zh="设计雨量与重现期", en="Design rain and return period")
    description = Text(
        zh="雨量站年最大 N 日雨量的频率分析：期望公式经验频率、皮尔逊Ⅲ型曲线（适线法、矩法、线性矩法）、"
        "海森几率格纸上的频率曲线；"
        "给出各重现期设计值，或所给雨量的重现期；可加入调查暴雨。缺测的年份不用并列明。",
        en="The greatest rain of each year at a gauge: frequencies by m / (n + 1), a Pearson III curve (fitted, by "
        "moments or L-moments) on Hazen probability paper, design values for return periods or the return period of a "
        "value; storms of a survey can be added. Incomplete years are left out and named.",
    )
    inputs = Asked
    parts: ClassVar = table.schema(_TITLES, (*_DESIGN, *_PARAMETERS, *_MAXIMA, *_LEFT_OUT))

    def answer(self, inputs: Asked) -> dict[str, Any]:
        """The curve and what it tells. Raises BadInput."""
        if wrong := [each for each in inputs.return_periods if not 1 < each <= 10_000]:
            raise BadInput("return_periods", f"{wrong[0]:g} is not above 1 and at most 10000")
        city = catalog.default()
        with default_database().thread_session() as conn, one_state(conn):
            record = days.read(Source(conn, city, inputs.moment, DAILY), inputs)
            told_sources = answers.sources(conn, city, inputs.moment, (DAILY,))
        maxima = _maxima(record, inputs)
        found = _sample(maxima, inputs)
        curves = _curves(found, maxima, inputs)
        curve = curves[inputs.method]
        tables = {
            "design": _design(curve, inputs),
            "parameters": _parameters(curves, inputs),
            "maxima": _points(found, maxima, curve, inputs),
            "left_out": Table(
                _TITLES["left_out"],
                _LEFT_OUT,
                [{"year": str(year), "missing_d": lost} for year, lost in maxima.left_out.items()],
            ),
        }
        if inputs.value is not None:
            period, share = curve.return_period(inputs.value), float(curve.exceedance(inputs.value))
            row = {"return_period": _finite(period), "frequency_pct": round(share * 100, 5), "rain_mm": inputs.value}
            tables["asked"] = Table(_TITLES["asked"], _DESIGN, [row])
        station = record.station
        years = f"{maxima.years[0]}-{maxima.years[-1]}"
        return self.told(
            Text(
                zh=f"{station.name}（{station.code}） · 年最大 {inputs.days} 日 · {years} 年中 {len(maxima.years)} 年",
                en=f"{station.name} ({station.code}) · {inputs.days} d · {len(maxima.years)} years of {years}",
            ),
            tables,
            told_sources,
        )


def _finite(period: float) -> float | None:
    return round(period, 2) if np.isfinite(period) else None


def _maxima(record: Record, inputs: Asked) -> Maxima:
    """The annual maxima. A rain of several days belongs to the year in which it begins. Raises BadInput."""
    sums = np.lib.stride_tricks.sliding_window_view(np.nan_to_num(record.rain), inputs.days).sum(axis=1)
    starts = record.days[: len(sums)]
    of_start, of_day = (array.astype("datetime64[Y]").astype(int) + 1970 for array in (starts, record.days))
    years, begins, values, left_out = [], [], [], {}
    for year in np.unique(of_day).tolist():
        mine = of_day == year
        length = 366 if np.datetime64(f"{year}-12-31") - np.datetime64(f"{year}-01-01") == 365 else 365
        lost = length - int(mine.sum()) + int(np.isnan(record.rain[mine]).sum())
        if lost > inputs.missing_days:
            left_out[year] = lost
            continue
        first = int(np.flatnonzero(of_start == year)[0])
        best = first + int(sums[of_start == year].argmax())
        years.append(year)
        begins.append(str(starts[best]))
        values.append(round(float(sums[best]), 1))
    if len(years) < frequency.FEWEST:
        told = (
            f"only {len(years)} complete years; at least {frequency.FEWEST} are needed (missing_days lets more count)"
        )
        raise BadInput("station", told)
    return Maxima(years, begins, np.array(values), left_out)


def _sample(maxima: Maxima, inputs: Asked) -> Sample:
    """The maxima with those of a survey. Raises BadInput."""
    if not inputs.historic:
        return frequency.sample(maxima.values)
    if taken := [each.year for each in inputs.historic if each.year in maxima.years]:
        raise BadInput("historic", f"{taken[0]} is a year of the record")
    if inputs.method == "l_moments":
        raise BadInput("method", "L-moments are those of a plain record, without a survey", ("fit", "moments"))
    if below := [each.value for each in inputs.historic if (maxima.values < each.value).sum() < frequency.FEWEST]:
        raise BadInput("historic", f"{below[0]:g} mm is no great rain: few years of the record lie below it")
    try:
        return frequency.sample(maxima.values, np.array([each.value for each in inputs.historic]), inputs.span_years)
    except ValueError as error:
        raise BadInput("span_years", str(error)) from error


def _curves(found: Sample, maxima: Maxima, inputs: Asked) -> dict[str, Curve]:
    if np.ptp(found.values) == 0:
        raise BadInput("station", "all years have the same maximum: no curve can be told")
    curves = {"fit": frequency.fit(found, inputs.cs_cv, inputs.criterion), "moments": frequency.moments(found)}
    return curves if inputs.historic else curves | {"l_moments": frequency.l_moments(maxima.values)}


def _design(curve: Curve, inputs: Asked) -> Table:
    rows = [
        {
            "return_period": period,
            "frequency_pct": round(100 / period, 4),
            "rain_mm": round(float(curve.quantile(1 / period)), 1),
        }
        for period in sorted(set(inputs.return_periods))
    ]
    note = Text(
        zh="以固定日界（8 时）的日雨量计；任意起讫的时段雨量更大（1 日约 1.13 倍，Hershfield 1961）。",
        en="Of days that begin at 08:00; the same hours wherever they begin have more (1 day: about 1.13 times, "
        "Hershfield 1961).",
    )
    return Table(_TITLES["design"], _DESIGN, rows, (), [note])


def _parameters(curves: dict[str, Curve], inputs: Asked) -> Table:
    rows = [
        {
            "method": METHODS[name].model_dump(),
            "mean_mm": round(curve.mean, 2),
            "cv": round(curve.cv, 4),
            "cs": round(curve.cs, 4),
            "cs_cv": round(curve.cs / curve.cv, 3),
            "used": {"zh": "是", "en": "yes"} if name == inputs.method else None,
        }
        for name, curve in curves.items()
    ]
    return Table(_TITLES["parameters"], _PARAMETERS, rows)


def _points(found: Sample, maxima: Maxima, curve: Curve, inputs: Asked) -> Table:
    record = iter(
        sorted(zip(maxima.values.tolist(), maxima.years, maxima.begins, strict=True), key=lambda each: -each[0])
    )
    survey = iter(sorted(((each.value, each.year) for each in inputs.historic), key=lambda each: -each[0]))
    rows = []
    for rank, (value, share, of_survey) in enumerate(
        zip(found.values, found.frequencies, found.historic, strict=True), 1
    ):
        year, begins = (next(survey)[1], None) if of_survey else next(record)[1:]
        rows.append(
            {
                "rank": rank,
                "year": str(year),
                "begins": begins,
                "maximum_mm": float(value),
                "empirical_pct": round(float(share) * 100, 3),
                "survey": {"zh": "是", "en": "yes"} if of_survey else None,
            }
        )
    chart = FrequencyChart("empirical_pct", "maximum_mm", "survey", curve.mean, curve.cv, curve.cs)
    return Table(_TITLES["maxima"], _MAXIMA, rows, (), (), chart)
