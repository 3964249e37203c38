"""Forecasts laid out: courses, peaks, levels, warnings and what is to be done; and in words.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from shikong.hydrology.series.forecast import Floats
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.warning_rules import LEVELS, StationRule, WarningRules
from shikong.processes.figures.table import Column, Row, Table, TimeChart
from shikong.processes.forecasts.chain import Forecast, Run
from shikong.processes.warnings import engine, rehearsal
from shikong.processes.warnings.engine import Event, Stations

#: Hours before the issue whose readings are told beside the forecast.
BEFORE = 48

TITLES = {
    "peaks": Text(zh="洪峰预报", en="Peaks"), "levels": Text(zh="警戒指标达到时间", en="When levels are reached"),
    "warnings": Text(zh="将触发的预警", en="Warnings ahead"), "actions": Text(zh="应对措施", en="What is to be done"),
    "stage": Text(zh="水位过程", en="Stages"), "discharge": Text(zh="流量过程", en="Discharges"),
}  # fmt: skip

_STATION, _NAME = Column("station", Text(zh="测站编码", en="Station")), Column("name", Text(zh="站名", en="Name"))
_TIME, _RAIN = (
    Column("time", Text(zh="时段末", en="End of step")),
    Column("rain_mm", Text(zh="面雨量", en="Areal rain"), "mm", 1),
)
_LEVEL, _NOTES = Column("level", Text(zh="级别", en="Level")), Column("notes", Text(zh="说明", en="Remarks"))
_UNIT = Column("of_unit", Text(zh="单位", en="Unit"))
_PEAKS = (
    _STATION, _NAME,
    Column("observed_at", Text(zh="最近实测时间", en="Last reading")),
    Column("q_now", Text(zh="最近实测流量", en="Discharge then"), "m3/s", 1),
    Column("z_now", Text(zh="最近实测水位", en="Stage then"), "m", 2),
    Column("rain_ahead_mm", Text(zh="预见期面雨量", en="Areal rain ahead"), "mm", 1),
    Column("q_peak", Text(zh="最大流量", en="Highest discharge"), "m3/s", 1),
    Column("q_peak_time", Text(zh="最大流量时间", en="Time of the highest discharge")),
    Column("z_peak", Text(zh="最高水位", en="Highest stage"), "m", 2),
    Column("z_peak_time", Text(zh="最高水位时间", en="Time of the highest stage")),
    Column("extrapolated", Text(zh="超出水位流量关系的时数", en="Hours above the rating"), "h", 0),
    _NOTES,
    Column("origin", Text(zh="预报参数来源", en="Origin of the chain")),
)  # fmt: skip
_LEVELS = (
    _STATION, _NAME, Column("rule", Text(zh="规则", en="Rule")), _LEVEL,
    Column("limit", Text(zh="限值", en="Limit"), "1", 2), _UNIT,
    Column("reached", Text(zh="预报达到时间", en="Reached at")), Column("state", Text(zh="状态", en="State")),
)  # fmt: skip
_WARNINGS = (
    Column("at", Text(zh="时间", en="Time")), Column("change", Text(zh="变化", en="Change")), _LEVEL,
    Column("headline", Text(zh="内容", en="Headline")), Column("basis", Text(zh="依据", en="Rests on")),
)  # fmt: skip
_ACTIONS = (
    Column("due", Text(zh="时间", en="Due")), _LEVEL, Column("action", Text(zh="措施", en="Action")),
    Column("department", Text(zh="部门", en="Department")), Column("because", Text(zh="对象", en="Because of")),
)  # fmt: skip
_STAGE = (
    _STATION, _NAME, _TIME, _RAIN, Column("z_observed", Text(zh="实测水位", en="Stage observed"), "m", 2),
    Column("z_forecast", Text(zh="预报水位", en="Stage forecast"), "m", 2),
    Column("wrz", Text(zh="警戒水位", en="Warning level"), "m", 2),
    Column("grz", Text(zh="保证水位", en="Guarantee level"), "m", 2),
    Column("obhtz", Text(zh="历史最高水位", en="Highest level observed"), "m", 2),
)  # fmt: skip
_DISCHARGE = (
    _STATION, _NAME, _TIME, _RAIN, Column("q_observed", Text(zh="实测流量", en="Discharge observed"), "m3/s", 1),
    Column("q_forecast", Text(zh="预报流量", en="Discharge forecast"), "m3/s", 1),
    Column("wrq", Text(zh="警戒流量", en="Warning discharge"), "m3/s", 1),
    Column("grq", Text(zh="保证流量", en="Guarantee discharge"), "m3/s", 1),
)  # fmt: skip
COLUMNS = (*_PEAKS, *_LEVELS, *_WARNINGS, *_ACTIONS, *_STAGE, *_DISCHARGE)

_CHANGES = {
    "issue": Text(zh="发布", en="Issue"), "raise": Text(zh="升级", en="Raise"), "lower": Text(zh="降级", en="Lower"),
    "lift": Text(zh="解除", en="Lift"),
}  # fmt: skip
_STATES = {
    "now": Text(zh="已达到", en="Reached already"), "ahead": Text(zh="预见期内达到", en="Reached ahead"),
    "not": Text(zh="预见期内不达到", en="Not reached ahead"), "unknown": Text(zh="无法评定", en="Not rateable"),
}  # fmt: skip
_OBSERVED, _FORECAST = Text(zh="实测", en="Readings"), Text(zh="预报", en="Forecast")
_CORRECTED = Text(
    zh="预报自最近实测值起，误差按一阶自回归逐时衰减。",
    en="Forecasts begin at the last reading; its error fades by the hour (AR(1)).",
)


def _told(value: float, digits: int) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)


def _last(values: Floats) -> int | None:
    known = np.flatnonzero(~np.isnan(values))
    return int(known[-1]) if len(known) else None


def _peak(run: Run, values: Floats, digits: int) -> tuple[float | None, str | None]:
    """The highest value ahead and when; None where none is told."""
    told = values[run.ahead]
    if np.isnan(told).all():
        return None, None
    top = int(np.nanargmax(told))
    return _told(told[top], digits), run.hours.word(int(run.hours.ends[run.ahead][top]))


def peaks(run: Run, found: Iterable[Forecast]) -> Table:
    """The highest values of each station."""
    rows = []
    for one in found:
        q, z = _last(one.observed_flow), _last(one.observed_stage)
        last = max((at for at in (q, z) if at is not None), default=None)
        (q_peak, q_time), (z_peak, z_time) = _peak(run, one.flow, 1), _peak(run, one.stage, 2)
        zh, en = ("；".join(note.zh for note in one.notes), "; ".join(note.en for note in one.notes))
        rows.append({
            "station": one.station.code, "name": one.station.name,
            "observed_at": None if last is None else run.hours.word(int(run.hours.ends[last])),
            "q_now": None if q is None else _told(one.observed_flow[q], 1),
            "z_now": None if z is None else _told(one.observed_stage[z], 2),
            "rain_ahead_mm": _told(one.rain[run.ahead].sum(), 1), "q_peak": q_peak, "q_peak_time": q_time,
            "z_peak": z_peak, "z_peak_time": z_time, "extrapolated": int(one.extrapolated.sum()),
            "notes": {"zh": zh, "en": en} if one.notes else None, "origin": one.declared.origin,
        })  # fmt: skip
    return Table(TITLES["peaks"], _PEAKS, rows, (), [_CORRECTED])


def levels(city: Catalog, rules: WarningRules, run: Run, found: Iterable[Forecast], stations: Stations) -> Table:
    """When the limits of flood rules are first reached."""
    rows = []
    for one in found:
        for rule in rules.rules.values():
            courses = {"z": (one.observed_stage, one.stage), "q": (one.observed_flow, one.flow)}
            course = next((courses[name] for name in rule.measured.parameter if name in courses), None)
            if rule.hazard != "flood" or rule.measured.of != "latest" or course is None:
                continue
            rows += _reached(city, rule, run, one, course, stations.get(one.station.code, {}))
    return Table(TITLES["levels"], _LEVELS, rows)


def _reached(
    city: Catalog, rule: StationRule, run: Run, one: Forecast, course: tuple[Floats, Floats], known: Any
) -> list[Row]:
    observed, told = course
    last, ahead = _last(observed), told[run.ahead]
    rows = []
    for level in LEVELS:
        limit = engine.limit(rule.limits.get(level), known)
        if limit is None:
            continue
        over = np.flatnonzero(ahead >= limit)
        if last is not None and observed[last] >= limit:
            state, at = "now", None
        elif len(over):
            state, at = "ahead", run.hours.word(int(run.hours.ends[run.ahead][over[0]]))
        else:
            state, at = ("unknown" if np.isnan(ahead).all() else "not"), None
        rows.append({
            "station": one.station.code, "name": one.station.name, "rule": rule.title.model_dump(),
            "level": city.codes["warning_level"].codes[level].title.model_dump(), "limit": limit, "of_unit": rule.unit,
            "reached": at, "state": _STATES[state].model_dump(), "level_code": level,
        })  # fmt: skip
    return rows


def warnings(city: Catalog, run: Run, events: Iterable[Event], stations: Stations) -> Table:
    """The warnings that the rules give on what was observed and is forecast."""
    rows = []
    for event in events:
        told = rehearsal.told(city, event, stations)
        ahead = event.at.timestamp() > run.hours.ends[run.now]
        rows.append({
            "at": _clock(run, event.at), "change": _CHANGES[event.change].model_dump(),
            "level": city.codes["warning_level"].codes[event.level].title.model_dump(),
            "headline": {"zh": told["headline_zh"], "en": told["headline_en"]},
            "basis": (_FORECAST if ahead else _OBSERVED).model_dump(), "level_code": event.level,
            "rule_code": told["rule"], "subject": told["subject"],
        })  # fmt: skip
    return Table(TITLES["warnings"], _WARNINGS, rows)


def actions(city: Catalog, events: list[Event], run: Run) -> Table:
    """What the plan says is to be done, in the order in which it becomes due."""
    rows = [
        {"due": _clock(run, datetime.fromisoformat(one["due"])),
         "level": city.codes["warning_level"].codes[one["level"]].title.model_dump(), "action": one["title"],
         "department": one["department"], "because": one["because"]}
        for one in rehearsal.actions(city, events)
    ]  # fmt: skip
    return Table(TITLES["actions"], _ACTIONS, rows)


def _clock(run: Run, at: datetime) -> str:
    return at.astimezone(run.hours.zone).isoformat(timespec="minutes")


def stage(run: Run, found: Sequence[Forecast], stations: Stations) -> Table:
    """The courses of stages, with the station's levels."""
    rows = [
        row for one in found for row in _course(run, one, stations, ("z", one.observed_stage, one.stage, 2), _STAGE)
    ]
    return _with_chart(Table(TITLES["stage"], _STAGE, rows), found)


def discharge(run: Run, found: Sequence[Forecast], stations: Stations) -> Table:
    """The courses of discharges."""
    rows = [
        row for one in found for row in _course(run, one, stations, ("q", one.observed_flow, one.flow, 1), _DISCHARGE)
    ]
    return _with_chart(Table(TITLES["discharge"], _DISCHARGE, rows), found)


def _course(
    run: Run, one: Forecast, stations: Stations, of: tuple[str, Floats, Floats, int], columns: Sequence[Column]
) -> list[Row]:
    name, observed, told, digits = of
    limits = {each.name: stations.get(one.station.code, {}).get(each.name) for each in columns[6:]}
    return [
        {"station": one.station.code, "name": one.station.name, "time": run.hours.word(int(run.hours.ends[at])),
         "rain_mm": _told(one.rain[at], 1), f"{name}_observed": _told(observed[at], digits),
         f"{name}_forecast": _told(told[at], digits) if at > run.now else None, **limits}
        for at in range(run.now - BEFORE, len(run.hours))
    ]  # fmt: skip


def _with_chart(told: Table, found: Sequence[Forecast]) -> Table:
    """With a chart where the rows are of one station; limits that it has not are no lines."""
    if len(found) != 1:
        return told
    known = {name for row in told.rows for name, value in row.items() if value is not None}
    lines = tuple(column.name for column in told.columns[4:] if column.name in known)
    return Table(told.title, told.columns, told.rows, (), (), TimeChart("time", ("rain_mm",), lines))


def in_words(run: Run, found: Iterable[Forecast], stations: Stations) -> Text:
    """A sentence on each station, as bulletins have it."""
    zh, en = [], []
    for one in found:
        (q, q_time), (z, z_time) = _peak(run, one.flow, 1), _peak(run, one.stage, 2)
        warning = stations.get(one.station.code, {}).get("wrz")
        when = (z_time or q_time or "").replace("T", " ")[:16]
        parts_zh, parts_en = [f"最大流量 {q} m³/s"], [f"{q} m³/s"]
        if z is not None:
            parts_zh, parts_en = [f"最高水位 {z:.2f} m", *parts_zh], [f"{z:.2f} m", *parts_en]
            if warning is not None:
                above = z - warning
                parts_zh.append(f"{'超' if above >= 0 else '低于'}警戒水位 {abs(above):.2f} m")
                parts_en.append(f"{abs(above):.2f} m {'above' if above >= 0 else 'below'} the warning level")
        zh.append(f"{one.station.name}站预计 {when} 出现{'，'.join(parts_zh)}。")
        en.append(f"{one.station.name}: at most {', '.join(parts_en)}, at {when}.")
    return Text(zh="".join(zh), en=" ".join(en))
