"""What flood does a rain make at the outlet of a basin, and further down?

Rain, as given or as the gauges read it; curve numbers for what runs off, a unit hydrograph for when it comes, and
Muskingum for the reaches below.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from shikong.hydrology.series import muskingum, routing, runoff
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.base import BadInput, titled
from shikong.processes.figures import table
from shikong.processes.figures.table import Column, Table, TimeChart
from shikong.processes.hydrology import answers, areal_rainfall, hours, places
from shikong.processes.hydrology.hours import Steps, Stretch
from shikong.processes.hydrology.places import Where
from shikong.processes.hydrology.readings import HOURLY, Source
from shikong.store.database import default as default_database
from shikong.store.database import one_state

Floats = NDArray[np.float64]

_TITLES = {
    "hydrograph": Text(zh="产汇流过程", en="Rain and flood"),
    "summary": Text(zh="特征值", en="Summary"),
    "reaches": Text(zh="河段演算", en="Reaches"),
}
_HYDROGRAPH = (
    Column("time", Text(zh="时段末", en="End of step")),
    Column("rain_mm", Text(zh="雨量", en="Rain"), "mm", 2),
    Column("excess_mm", Text(zh="净雨", en="Runoff"), "mm", 3),
    Column("outlet", Text(zh="出口流量", en="Discharge at the outlet"), "m3/s", 2),
    Column("routed", Text(zh="演算后流量", en="Discharge below the reaches"), "m3/s", 2),
)
_SUMMARY = (
    Column("name", Text(zh="项目", en="Item")),
    Column("value", Text(zh="数值", en="Value"), "1", 3),
    Column("of_unit", Text(zh="单位", en="Unit")),
)
_REACHES = (
    Column("reach", Text(zh="河段", en="Reach"), "1", 0),
    Column("k", Text(zh="K", en="K"), "h", 2),
    Column("x", Text(zh="X", en="X"), "1", 3),
    Column("parts", Text(zh="分段数", en="Parts"), "1", 0),
    Column("peak", Text(zh="段末洪峰", en="Peak at its end"), "m3/s", 2),
    Column("peak_time", Text(zh="峰现时间", en="Time of the peak")),
)

#: Steps that a hydrograph may have.
MOST_STEPS = 20_000


class Reach(BaseModel):
    """A reach: travel time K in hours, and how much inflow weighs in its storage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: float = Field(gt=0, le=500)
    x: float = Field(ge=0, le=0.5)


class Asked(Where, Stretch):
    """Which rain on which ground, and how it flows off."""

    rain: tuple[float, ...] | None = Field(
        None,
        min_length=1,
        max_length=9000,
        json_schema_extra=titled(
            "各小时雨量（mm，可选；缺省用测站的泰森面雨量）",
            "Rain of each hour (mm, optional; default: Thiessen rain of the gauges)",
            items={"type": "number", "minimum": 0},
        ),
    )
    area: float | None = Field(
        None,
        gt=0,
        le=50_000,
        json_schema_extra=titled(
            "流域面积（km²，可选；缺省取所给区域）", "Area (km², optional; default: that of the place)"
        ),
    )
    cn: float = Field(
        75, ge=30, le=100, json_schema_extra=titled("径流曲线数 CN（中等湿润）", "Curve number for usual moisture")
    )
    ia: float = Field(
        0.2, ge=0, le=0.4, json_schema_extra=titled("初损比 Ia/S", "Ia by S; the curve number holds for it")
    )
    moisture: Literal["I", "II", "III", "auto"] = Field(
        "II",
        json_schema_extra=titled(
            "前期湿润等级（auto：按前五日雨量）",
            "Antecedent moisture (auto: by the rain of five days before)",
            **{
                "x-enum-titles": [
                    {"zh": "干", "en": "Dry"},
                    {"zh": "中", "en": "Usual"},
                    {"zh": "湿", "en": "Wet"},
                    {"zh": "按前五日雨量", "en": "By the rain before"},
                ]
            },
        ),
    )
    unit: Literal["dimensionless", "triangular", "nash"] = Field(
        "dimensionless",
        json_schema_extra=titled(
            "单位线",
            "Unit hydrograph",
            **{
                "x-enum-titles": [
                    {"zh": "SCS 无因次", "en": "SCS dimensionless"},
                    {"zh": "SCS 三角形", "en": "SCS triangular"},
                    {"zh": "纳什瞬时单位线", "en": "Nash cascade"},
                ]
            },
        ),
    )
    concentration: float = Field(
        6.0, gt=0, le=240, json_schema_extra=titled("汇流时间（h，SCS）", "Time of concentration (h, SCS)")
    )
    nash_n: float = Field(3.0, ge=0.5, le=15, json_schema_extra=titled("纳什 n", "Nash: number of reservoirs"))
    nash_k: float = Field(2.0, gt=0, le=120, json_schema_extra=titled("纳什 K（h）", "Nash: hours of each"))
    base_flow: float = Field(0.0, ge=0, le=100_000, json_schema_extra=titled("基流（m³/s）", "Base flow (m³/s)"))
    reaches: tuple[Reach, ...] = Field(
        (),
        max_length=20,
        json_schema_extra=titled(
            "下游河段（马斯京根 k（小时）、x）",
            "Reaches below (Muskingum k in hours, x)",
            items=Reach.model_json_schema(),
        ),
    )


@dataclass(frozen=True)
class Storm:
    """Rain of each hour (mm) on an area (km²), and that of the five days before it; None where nobody knows."""

    steps: Steps
    rain: Floats
    area: float
    before: float | None
    name: Text


class Runoff(answers.Series):
    """From rain to discharge."""

    id = "runoff"
    title = Text(zh="产汇流计算", en="Rain to flood")
    description = Text(
        zh="由面雨量（测站或所给）按 SCS-CN 法产流（前期湿润等级可按前五日雨量定），以 SCS 或纳什单位线汇流，"
        "再以马斯京根法演算各河段；"
        "系数将为负时自动分段。给出过程、洪峰与水量。",
        en="From rain (of the gauges, or given) by SCS curve numbers, antecedent moisture included, and an SCS or Nash "
        "unit hydrograph to the outlet, then by Muskingum through reaches, which are divided where coefficients would "
        "be below 0. Tells course, peaks and volumes.",
    )
    inputs = Asked
    parts: ClassVar = table.schema(_TITLES, (*_HYDROGRAPH, *_SUMMARY, *_REACHES))

    def answer(self, inputs: Asked) -> dict[str, Any]:
        """The flood. Raises BadInput."""
        city = catalog.default()
        with default_database().thread_session() as conn, one_state(conn):
            source = Source(conn, city, inputs.moment)
            storm = _given(source, inputs) if inputs.rain is not None else _read(source, inputs)
            layers = () if inputs.rain is not None else (HOURLY, counties.LAYER)
            told_sources = answers.sources(conn, city, inputs.moment, layers) if layers else ([], None)
        condition = _moisture(storm, inputs)
        cn = runoff.adjusted(inputs.cn, condition)
        excess = runoff.excess(storm.rain, cn, inputs.ia)
        outlet = runoff.convolved(excess, _unit(storm.area, inputs)) + inputs.base_flow
        ends = storm.steps.ends[0] + hours.HOUR * np.arange(len(outlet) + _tail(inputs))
        if len(ends) > MOST_STEPS:
            raise BadInput("start", f"the flood would have {len(ends)} hours; at most {MOST_STEPS} are told")
        steps = Steps(ends, storm.steps.zone)
        outlet = np.concatenate([outlet, np.full(len(ends) - len(outlet), inputs.base_flow)])
        routed, reaches = _routed(outlet, inputs, steps)
        tables = {
            "summary": _summary(storm, excess, outlet, steps, {"condition": condition, "cn": cn}),
            "hydrograph": _hydrograph(steps, storm, excess, (outlet, routed if inputs.reaches else None)),
        }
        if reaches:
            tables["reaches"] = Table(_TITLES["reaches"], _REACHES, reaches)
        when = answers.span(steps.word(int(ends[0]) - hours.HOUR), storm.steps.words[-1])
        told = {
            language: f"{storm.name.model_dump()[language]} {storm.area:,.1f} km² · {when}" for language in ("zh", "en")
        }
        return self.told(Text(**told), tables, told_sources)


def _given(source: Source, inputs: Asked) -> Storm:
    """The rain that the question has. Raises BadInput."""
    values = np.array(inputs.rain, dtype=float)
    hours.require_rain(values)
    if inputs.moisture == "auto":
        raise BadInput("moisture", "the rain before a given rain is not known", ("I", "II", "III"))
    zone = source.city.city.timezone
    start = inputs.start or datetime.fromisoformat("2000-01-01T00:00:00+08:00")
    steps = hours.steps(start, start + timedelta(hours=len(values)), zone)
    if inputs.area is not None:
        return Storm(steps, values, inputs.area, None, Text(zh="所给雨量", en="Given rain"))
    if inputs.basin is None and inputs.district is None:
        raise BadInput(
            "area", "give the area that the rain falls on, or a basin or county", ("area", "basin", "district")
        )
    area = places.read(source.conn, source.city, inputs, inputs.moment)
    return Storm(steps, values, area.km2, None, area.name)


def _read(source: Source, inputs: Asked) -> Storm:
    """The rain that the gauges read, with the five days before. Raises BadInput."""
    area = places.read(source.conn, source.city, inputs, inputs.moment)
    found = areal_rainfall.read(source, area, inputs)
    rain = areal_rainfall.weighed(found, "thiessen").values
    if np.isnan(rain).any():
        hour = found.steps.words[int(np.flatnonzero(np.isnan(rain))[0])]
        raise BadInput("start", f"no gauge has a reading for the hour that ends at {hour}")
    ends = int(found.steps.ends[0]) - hours.HOUR * np.arange(120, 0, -1)
    earlier = source.steps("drp", [each.code for each in found.gauges], ends, summed=True)
    before = None
    if inputs.moisture == "auto" and not np.isnan(earlier).all(axis=1).any():
        told = areal_rainfall.Read(area, found.gauges, found.places, Steps(ends, found.steps.zone), earlier)
        before = float(areal_rainfall.weighed(told, "thiessen").values.sum())
    return Storm(found.steps, rain, inputs.area or area.km2, before, area.name)


def _moisture(storm: Storm, inputs: Asked) -> runoff.Moisture:
    if inputs.moisture != "auto":
        return inputs.moisture
    if storm.before is None:
        raise BadInput("moisture", "the rain of the five days before is not known for all hours", ("I", "II", "III"))
    month = datetime.fromtimestamp(int(storm.steps.ends[0]), storm.steps.zone).month
    return runoff.moisture(storm.before, growing=runoff.is_growing(month))


def _unit(area: float, inputs: Asked) -> Floats:
    if inputs.unit == "nash":
        return runoff.nash(area, inputs.nash_n, inputs.nash_k, 1.0)
    make = runoff.triangular if inputs.unit == "triangular" else runoff.dimensionless
    return make(area, runoff.time_to_peak(inputs.concentration, 1.0), 1.0)


def _tail(inputs: Asked) -> int:
    """Hours in which a flood leaves the reaches after it has passed the outlet."""
    return int(np.ceil(4 * sum(reach.k for reach in inputs.reaches)))


def _routed(flow: Floats, inputs: Asked, steps: Steps) -> tuple[Floats, list[dict[str, Any]]]:
    rows = []
    for number, reach in enumerate(inputs.reaches, 1):
        try:
            parts = muskingum.reaches(reach.k, reach.x, 1.0)
        except muskingum.Unstable as error:
            raise BadInput("reaches", f"reach {number}: {error}") from error
        flow = routing.in_parts(flow, reach.k, reach.x, 1.0, parts)
        top = int(flow.argmax())
        rows.append(
            {
                "reach": number,
                "k": reach.k,
                "x": reach.x,
                "parts": parts,
                "peak": round(float(flow[top]), 2),
                "peak_time": steps.word(int(steps.ends[top])),
            }
        )
    return flow, rows


def _summary(storm: Storm, excess: Floats, outlet: Floats, steps: Steps, ground: dict[str, Any]) -> Table:
    total, ran = float(storm.rain.sum()), float(excess.sum())
    kept = runoff.retention(ground["cn"])
    items = (
        (Text(zh="面积", en="Area"), storm.area, "km2"),
        (Text(zh="总雨量", en="Rain"), total, "mm"),
        (Text(zh="前五日雨量", en="Rain of the five days before"), storm.before, "mm"),
        (
            Text(zh=f"采用 CN（湿润等级 {ground['condition']}）", en=f"Curve number (moisture {ground['condition']})"),
            ground["cn"],
            "1",
        ),
        (Text(zh="最大滞留量 S", en="Retention S"), kept, "mm"),
        (Text(zh="径流深", en="Runoff"), ran, "mm"),
        (Text(zh="径流系数", en="Runoff by rain"), ran / total if total else None, "1"),
        (Text(zh="径流量", en="Volume of runoff"), ran * storm.area / 1000, "hm3"),
        (
            Text(
                zh=f"出口洪峰（{steps.words[int(outlet.argmax())].replace('T', ' ')[:16]}）",
                en=f"Peak at the outlet ({steps.words[int(outlet.argmax())].replace('T', ' ')[:16]})",
            ),
            float(outlet.max()),
            "m3/s",
        ),
    )
    rows = [
        {"name": name.model_dump(), "value": None if value is None else round(value, 3), "of_unit": unit}
        for name, value, unit in items
    ]
    return Table(_TITLES["summary"], _SUMMARY, rows)


def _hydrograph(steps: Steps, storm: Storm, excess: Floats, flows: tuple[Floats, Floats | None]) -> Table:
    outlet, routed = flows
    rows = []
    for number, word in enumerate(steps.words):
        raining = number < len(storm.rain)
        row = {
            "time": word,
            "rain_mm": round(float(storm.rain[number]), 2) if raining else 0.0,
            "excess_mm": round(float(excess[number]), 3) if raining else 0.0,
            "outlet": round(float(outlet[number]), 2),
        }
        rows.append(row if routed is None else row | {"routed": round(float(routed[number]), 2)})
    columns = _HYDROGRAPH[: 4 if routed is None else 5]
    notes = [Text(zh="雨停后的雨量记 0。", en="After the rain it counts as 0.")]
    chart = TimeChart("time", ("rain_mm",), tuple(column.name for column in columns[3:]))
    return Table(_TITLES["hydrograph"], columns, rows, (), notes, chart)
