"""Where did the water of an area, or of a reservoir, come from and go to?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shikong.hydrology.series import areal, balance
from shikong.hydrology.series.balance import Balance
from shikong.hydrology.series.reservoir import OutsideCurve
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.base import BadInput, titled
from shikong.processes.figures import table
from shikong.processes.figures.table import Chart, Column, Row, Table
from shikong.processes.hydrology import answers, areal_rainfall, hours, places, reservoirs
from shikong.processes.hydrology.hours import HOUR, Steps, Stretch
from shikong.processes.hydrology.places import Where
from shikong.processes.hydrology.readings import HOURLY, Source, Station
from shikong.store.database import default as default_database
from shikong.store.database import one_state

Floats = NDArray[np.float64]

_TITLES = {"balance": Text(zh="水量平衡（千立方米）", en="Water balance (thousands of m³)")}
_UNIT = "dam3"
_COLUMNS = (
    Column("period", Text(zh="时段（水文日起）", en="Period (by hydrologic days)")),
    Column("days", Text(zh="日数", en="Days"), "d", 0),
    Column("rain_mm", Text(zh="降水", en="Rain"), "mm", 1),
    Column("rain", Text(zh="降水量", en="Rain"), _UNIT, 0),
    Column("inflow", Text(zh="入流", en="Inflow"), _UNIT, 0),
    Column("evaporation", Text(zh="蒸散发", en="Evapotranspiration"), _UNIT, 0),
    Column("outflow", Text(zh="出流", en="Outflow"), _UNIT, 0),
    Column("storage_change", Text(zh="蓄变量", en="Change of storage"), _UNIT, 0),
    Column("rest", Text(zh="平衡差", en="Rest"), _UNIT, 0),
    Column("coefficient", Text(zh="径流系数", en="Runoff by rain"), "1", 3),
    Column("reason", Text(zh="未知项的原因", en="What is not known, and why")),
)


class Asked(Where, Stretch):
    """Of an area with the stations at its rivers, or of a reservoir."""

    step: Literal["day", "month", "whole"] = Field(
        "day",
        json_schema_extra=titled(
            "时段",
            "Period",
            **{
                "x-enum-titles": [
                    {"zh": "水文日", "en": "Day"},
                    {"zh": "月", "en": "Month"},
                    {"zh": "全时段", "en": "The whole"},
                ]
            },
        ),
    )
    outlets: tuple[str, ...] = Field(
        (),
        max_length=30,
        json_schema_extra=titled("出流断面测站（流量）", "Stations (discharge) at which water leaves"),
    )
    inlets: tuple[str, ...] | None = Field(
        None,
        max_length=30,
        json_schema_extra=titled(
            "入流断面测站（流量；空列表表示无河流流入）",
            "Stations (discharge) at which water comes in; an empty list says that no river does",
        ),
    )
    reservoir: str | None = Field(
        None,
        json_schema_extra=titled(
            "水库站编码（可选；则求此水库的平衡）", "Reservoir's station (optional; its own balance then)"
        ),
    )
    evaporation: float | None = Field(
        None,
        ge=0,
        le=30,
        json_schema_extra=titled(
            "蒸散发（mm/d，可选；不给则未知）", "Evapotranspiration (mm/d, optional; else not known)"
        ),
    )
    gap_hours: int = Field(
        3,
        ge=0,
        le=24,
        json_schema_extra=titled("流量至多可插补的连续缺测时数", "Hours of discharge that may be bridged when missing"),
    )


@dataclass(frozen=True)
class Parts:
    """What is known over the hours of a stretch (t,), nan where it is not.

    rain: mm. inflow, outflow: m³/s, the mean of each hour. storage: 10^6 m³ at the end of each hour, the one before the
    first included (t + 1,). surface: km² on which it rains. why: why a part is not known at all."""

    steps: Steps
    rain: Floats
    inflow: Floats
    outflow: Floats
    storage: Floats
    surface: Floats
    why: dict[str, Text]


class WaterBalance(answers.Series):
    """Rain, flows and storage of an area or a reservoir."""

    id = "water-balance"
    title = Text(zh="水量平衡", en="Water balance")
    description = Text(
        zh="区域（流域、县或全市，配以出、入流断面测站）或水库逐日、逐月的水量平衡："
        "降水 + 入流 = 蒸散发 + 出流 + 蓄变量 + 平衡差。"
        "未知项留空并说明原因，从不作零；各项以千立方米整数计，严格相加。",
        en="Water of an area (with the stations where rivers enter and leave) or a reservoir by day or month: rain + "
        "inflow = evapotranspiration + outflow + change of storage + rest. What is not known is empty, with the "
        "reason, and never 0; parts are whole thousands of m³ and add up.",
    )
    inputs = Asked
    parts: ClassVar = table.schema(_TITLES, _COLUMNS)

    def answer(self, inputs: Asked) -> dict[str, Any]:
        """The balance. Raises BadInput."""
        city = catalog.default()
        with default_database().thread_session() as conn, one_state(conn):
            source = Source(conn, city, inputs.moment)
            parts, name, generated = _of_reservoir(source, inputs) if inputs.reservoir else _of_area(source, inputs)
            layers = (HOURLY,) if inputs.reservoir else (HOURLY, counties.LAYER)
            told_sources = answers.sources(conn, city, inputs.moment, layers, generated=generated)
        when = answers.span(parts.steps.word(int(parts.steps.ends[0]) - HOUR), parts.steps.words[-1])
        return self.told(
            Text(zh=f"{name.zh} · {when}", en=f"{name.en} · {when}"), {"balance": _table(parts, inputs)}, told_sources
        )


def _of_area(source: Source, inputs: Asked) -> tuple[Parts, Text, bool]:
    """The parts of an area. Raises BadInput."""
    area = places.read(source.conn, source.city, inputs, inputs.moment)
    found = areal_rainfall.read(source, area, inputs, whole=True)
    rain = areal_rainfall.weighed(found, "thiessen").values
    outflow, inflow = (
        _flows(source, found.steps, names, field, inputs.gap_hours)
        for names, field in ((inputs.outlets, "outlets"), (inputs.inlets or (), "inlets"))
    )
    why = {"storage_change": Text(zh="土壤水与地下水蓄量未测", en="water in soil and ground is not measured")}
    if not inputs.outlets:
        why["outflow"] = Text(zh="未给出流断面", en="no outlets are given")
    if inputs.inlets is None:
        why["inflow"] = Text(zh="未给入流断面", en="no inlets are given")
    elif not inputs.inlets:
        inflow = np.zeros(len(found.steps))
    if inputs.evaporation is None:
        why["evaporation"] = Text(zh="未给蒸散发", en="evapotranspiration is not given")
    nothing = np.full(len(found.steps) + 1, np.nan)
    name = Text(zh=f"{area.name.zh} {area.km2:,.1f} km²", en=f"{area.name.en} {area.km2:,.1f} km²")
    return Parts(found.steps, rain, inflow, outflow, nothing, np.full(len(rain), area.km2), why), name, False


def _of_reservoir(source: Source, inputs: Asked) -> tuple[Parts, Text, bool]:
    """The parts of a reservoir, on whose surface it rains. Raises BadInput."""
    known = source.city.reservoirs.reservoirs
    if inputs.reservoir not in known:
        raise BadInput("reservoir", f"no reservoir is declared at {inputs.reservoir!r}", tuple(known))
    for name in ("basin", "district", "outlets", "inlets"):
        if getattr(inputs, name) not in (None, ()):
            raise BadInput(name, "a reservoir has its own inflow and outflow; give one or the other")
    declared = known[inputs.reservoir]
    station = next(iter(source.stations(codes=[inputs.reservoir])), None)
    if station is None:
        raise BadInput("reservoir", "the reservoir's station is not there")
    newest = source.newest("inq", "otq", *reservoirs.LEVELS, codes=[station.code])
    steps = hours.whole_days(hours.stretch(inputs, newest, source.city.city.timezone))
    why: dict[str, Text] = {}
    if (reason := reservoirs.same_datum(station, declared)) is not None:
        why["storage_change"] = reason
    if inputs.evaporation is None:
        why["evaporation"] = Text(zh="未给蒸散发", en="evapotranspiration is not given")
    storage, surface = _stored(source, station, steps, inputs.gap_hours)
    if reason is not None:
        storage, surface = np.full(len(storage), np.nan), np.full(len(surface), np.nan)
    rain = _rain_at(source, station, steps)
    inflow, outflow = (
        _mean(source, [station.code], parameter, steps, inputs.gap_hours) for parameter in ("inq", "otq")
    )
    return Parts(steps, rain, inflow, outflow, storage, surface, why), declared.title, declared.origin == "generated"


def _rain_at(source: Source, station: Station, steps: Steps) -> Floats:
    """Rain at a reservoir: that of its own gauge, and in hours that it missed by the others (inverse distances)."""
    gauges = source.stations("drp")
    if not gauges:
        return np.full(len(steps), np.nan)
    rain = source.steps("drp", [each.code for each in gauges], steps.ends, summed=True)
    return areal.series(rain, places.of(gauges), areal.idw_area(places.of([station]))).values


def _stored(source: Source, station: Station, steps: Steps, gap: int) -> tuple[Floats, Floats]:
    """Storage at the end of each hour, the one before the first included (t + 1,), and the surface of the water (t,).

    Raises BadInput for a level beyond the curve."""
    curve = reservoirs.curve_of(source.city.reservoirs.reservoirs[station.code])
    ends = np.concatenate([[steps.ends[0] - HOUR], steps.ends])
    levels = np.full(len(ends), np.nan)
    for parameter in reservoirs.LEVELS:
        levels = np.where(np.isnan(levels), source.steps(parameter, [station.code], ends, summed=False)[:, 0], levels)
    levels = bridged(levels, gap)
    there = ~np.isnan(levels)
    storage, surface = np.full(len(ends), np.nan), np.full(len(ends), np.nan)
    try:
        storage[there] = curve.storages_at(levels[there])
    except OutsideCurve as error:
        raise BadInput("reservoir", str(error)) from error
    near = np.clip(levels[there][:, None] + np.array([-0.05, 0.05]), curve.levels[0], curve.levels[-1])
    low, high = curve.storages_at(near).T
    surface[there] = (high - low) / (near[:, 1] - near[:, 0])  # 10^6 m³ by m is km²
    return storage, surface[1:]


def _flows(source: Source, steps: Steps, codes: tuple[str, ...], field: str, gap: int) -> Floats:
    """The sum of discharges through some stations. Raises BadInput for one that reads none."""
    if not codes:
        return np.full(len(steps), np.nan)
    known = tuple(each.code for each in source.stations("q"))
    if unknown := [code for code in codes if code not in known]:
        raise BadInput(field, f"{unknown[0]!r} is no station with discharge", known)
    return _mean(source, list(codes), "q", steps, gap)


def _mean(source: Source, codes: list[str], parameter: str, steps: Steps, gap: int) -> Floats:
    """The mean flow of each hour (t,) from readings at its two ends, short gaps bridged by straight lines."""
    ends = np.concatenate([[steps.ends[0] - HOUR], steps.ends])
    read = source.steps(parameter, codes, ends, summed=False)
    whole = np.column_stack([bridged(column, gap) for column in read.T]).sum(axis=1)
    mean: Floats = (whole[1:] + whole[:-1]) / 2
    return mean


def bridged(values: Floats, gap: int) -> Floats:
    """Values with gaps of up to so many filled by straight lines between what is on both sides."""
    there = np.flatnonzero(~np.isnan(values))
    filled = values.copy()
    for left, right in pairwise(there.tolist()):
        if 1 < right - left <= gap + 1:
            filled[left : right + 1] = np.interp(np.arange(left, right + 1), [left, right], values[[left, right]])
    return filled


def _periods(steps: Steps, step: str) -> list[tuple[str, slice]]:
    found = steps.days()
    if step == "day":
        return [(day.isoformat(), part) for day, part in found]
    if step == "whole":
        return [(f"{found[0][0]} ~ {found[-1][0]}", slice(found[0][1].start, found[-1][1].stop))]
    months: dict[str, slice] = {}
    for day, part in found:
        word = f"{day:%Y-%m}"
        months[word] = slice(months[word].start if word in months else part.start, part.stop)
    return list(months.items())


def _table(parts: Parts, inputs: Asked) -> Table:
    rows, balances = [], []
    for word, part in _periods(parts.steps, inputs.step):
        found = _balance(parts, part, inputs.evaporation)
        balances.append(found)
        rows.append(_row(word, parts, part, found))
    whole = balance.total(balances)
    total: Row = {
        "period": {"zh": "合计", "en": "Total"},
        "days": sum(row["days"] for row in rows),
        "rain_mm": _sum(row["rain_mm"] for row in rows),
    } | _told(whole)
    bars = tuple(
        name for name in ("rain", "inflow", "outflow", "storage_change") if any(row[name] is not None for row in rows)
    )
    chart = Chart("rows", "period", "period", bars) if bars and len(rows) <= 40 else None
    note = Text(
        zh="降水 + 入流 = 蒸散发 + 出流 + 蓄变量 + 平衡差；有未知项者不计平衡差。",
        en="Rain + inflow = evapotranspiration + outflow + change of storage + rest; where a part is not known there "
        "is no rest.",
    )
    columns: tuple[Column, ...] = _COLUMNS
    if inputs.reservoir is not None:  # what flows through a reservoir did not rain on it
        columns = tuple(column for column in _COLUMNS if column.name != "coefficient")
        for row in (*rows, total):
            del row["coefficient"]
    return Table(_TITLES["balance"], columns, rows, [total], [note], chart)


def _sum(values: Any) -> float | None:
    listed = list(values)
    return None if any(value is None for value in listed) else round(sum(listed), 1)


def _balance(parts: Parts, part: slice, evaporation: float | None) -> Balance:
    rain, surface = parts.rain[part], parts.surface[part]
    days = (part.stop - part.start) / 24
    wide = None if np.isnan(surface).all() else float(np.nanmean(surface))
    first, last = parts.storage[part.start], parts.storage[part.stop]
    return Balance(
        None if wide is None else balance.thousands(float(rain.sum()), wide),
        balance.volume(parts.inflow[part], HOUR),
        None if wide is None or evaporation is None else balance.thousands(evaporation * days, wide),
        balance.volume(parts.outflow[part], HOUR),
        None if np.isnan(first) or np.isnan(last) else round((float(last) - float(first)) * 1000),
    )


def _told(found: Balance) -> Row:
    coefficient = found.coefficient
    return {
        "rain": found.rain,
        "inflow": found.inflow,
        "evaporation": found.evaporation,
        "outflow": found.outflow,
        "storage_change": found.storage_change,
        "rest": found.rest,
        "coefficient": None if coefficient is None else round(coefficient, 3),
    }


_MISSING = {
    "rain": Text(zh="雨量缺测", en="rain is missing"),
    "inflow": Text(zh="入流缺测", en="inflow is missing"),
    "outflow": Text(zh="出流缺测", en="outflow is missing"),
    "storage_change": Text(zh="库水位缺测", en="levels are missing"),
    "evaporation": Text(zh="水面面积未知", en="the surface is not known"),
}


def _row(word: str, parts: Parts, part: slice, found: Balance) -> Row:
    told = _told(found)
    reasons = [parts.why.get(name) or _MISSING[name] for name in _MISSING if told[name] is None]
    rain = parts.rain[part]
    row = {
        "period": word,
        "days": (part.stop - part.start) // 24,
        "rain_mm": None if np.isnan(rain).any() else round(float(rain.sum()), 1),
    } | told
    why = {"zh": "；".join(each.zh for each in reasons), "en": "; ".join(each.en for each in reasons)}
    return row | {"reason": why if reasons else None}
