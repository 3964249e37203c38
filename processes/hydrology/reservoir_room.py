"""How much room has each reservoir below its flood-limit level, and where would an inflow bring it?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shikong.hydrology.series import reservoir
from shikong.hydrology.series.reservoir import OutsideCurve
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.layers.reservoirs import Reservoir
from shikong.processes.base import BadInput, titled
from shikong.processes.figures import table
from shikong.processes.figures.table import Chart, Column, Row, Table, TimeChart
from shikong.processes.hydrology import answers, reservoirs
from shikong.processes.hydrology.readings import HOURLY, Source, Station
from shikong.processes.hydrology.reservoirs import Stood
from shikong.processes.moments import Then
from shikong.store.database import default as default_database
from shikong.store.database import one_state

Floats = NDArray[np.float64]

_TITLES = {
    "room": Text(zh="水库蓄水与防洪库容（百万立方米）", en="Storage and room of reservoirs (millions of m³)"),
    "curve": Text(zh="水位库容曲线", en="Level-storage curve"),
    "forecast": Text(zh="调算", en="With the inflow given"),
}
_MILLION = "hm3"
_ROOM = (
    Column("station", Text(zh="测站编码", en="Station")),
    Column("name", Text(zh="水库", en="Reservoir")),
    Column("level_time", Text(zh="水位时间", en="Time of the level")),
    Column("level_m", Text(zh="库水位", en="Level"), "m", 2),
    Column("datum", Text(zh="基面", en="Datum")),
    Column("storage", Text(zh="蓄水量", en="Storage"), _MILLION, 3),
    Column("period", Text(zh="汛期", en="Flood season")),
    Column("limit_m", Text(zh="汛限水位", en="Flood-limit level"), "m", 2),
    Column("dead_m", Text(zh="死水位", en="Dead level"), "m", 2),
    Column("normal_m", Text(zh="正常蓄水位", en="Normal level"), "m", 2),
    Column("crest_m", Text(zh="坝顶高程", en="Crest"), "m", 2),
    Column("room_limit", Text(zh="汛限以下可蓄", en="Room below the limit"), _MILLION, 3),
    Column("room_normal", Text(zh="正常蓄水位以下可蓄", en="Room below the normal level"), _MILLION, 3),
    Column("room_crest", Text(zh="坝顶以下可蓄", en="Room below the crest"), _MILLION, 3),
    Column("state", Text(zh="状态", en="State")),
    Column("reason", Text(zh="说明", en="Remark")),
    Column("origin", Text(zh="库容曲线来源", en="Origin of the curve")),
)
_CURVE = (
    Column("level_m", Text(zh="水位", en="Level"), "m", 2),
    Column("storage", Text(zh="库容", en="Storage"), _MILLION, 3),
)
_FORECAST = (
    Column("time", Text(zh="时段末", en="End of step")),
    Column("inflow", Text(zh="入库", en="Inflow"), "m3/s", 2),
    Column("outflow", Text(zh="出库", en="Outflow"), "m3/s", 2),
    Column("level_m", Text(zh="库水位", en="Level"), "m", 3),
    Column("limit_m", Text(zh="汛限水位", en="Flood-limit level"), "m", 2),
    Column("storage", Text(zh="蓄水量", en="Storage"), _MILLION, 3),
    Column("room_limit", Text(zh="汛限以下可蓄", en="Room below the limit"), _MILLION, 3),
)

STATES = {
    "above_limit": Text(zh="超汛限", en="Above the flood limit"),
    "below_limit": Text(zh="汛限以下", en="Below the flood limit"),
    "no_limit": Text(zh="非汛期", en="No flood limit holds"),
    "unknown": Text(zh="无法评定", en="Not rateable"),
}
_NO_LIMIT = Text(zh="此日无汛限水位", en="no flood limit holds on this day")


class Asked(Then):
    """Which reservoirs, when; for one of them also a level or an inflow that is supposed."""

    station: str | None = Field(
        None, json_schema_extra=titled("水库站编码（可选；默认全部）", "Reservoir's station (optional; default: all)")
    )
    level: float | None = Field(
        None,
        ge=-500,
        le=9000,
        json_schema_extra=titled(
            "假定库水位（m，可选，须给出水库站）", "A level to suppose (m, optional, of one station)"
        ),
    )
    curve: bool = Field(
        False, json_schema_extra=titled("列出水位库容曲线（0.1 m）", "With the curve in steps of 0.1 m")
    )
    inflow: tuple[float, ...] | None = Field(
        None,
        min_length=1,
        max_length=2000,
        json_schema_extra=titled(
            "逐小时入库流量（m³/s，可选）",
            "Inflow of the hours to come (m³/s, optional)",
            items={"type": "number", "minimum": 0},
        ),
    )
    release: float = Field(
        0.0, ge=0, le=100_000, json_schema_extra=titled("期间下泄流量（m³/s）", "Release meanwhile (m³/s)")
    )


@dataclass(frozen=True)
class Standing:
    """A reservoir, where it stands, and the day whose limit holds."""

    station: Station
    declared: Reservoir
    stood: Stood
    time: datetime


class ReservoirRoom(answers.Series):
    """Reads the declared curves at the levels of the stations."""

    id = "reservoir-room"
    title = Text(zh="水库库容与汛限", en="Room of reservoirs")
    description = Text(
        zh="各水库按水位库容曲线（保形插值）之蓄水量，及至当日汛限水位、正常蓄水位与坝顶的可蓄水量；可假定库水位，可按所给入库流量调算。"
        "基面不同者不相比，曲线以外不外推。",
        en="Storage of each reservoir by its level-storage curve (monotone interpolation) and the room up to the "
        "flood-limit level of the day, the normal level and the crest. A level can be supposed, and an inflow routed. "
        "Levels of different datums are not compared, and nothing is told beyond a curve.",
    )
    inputs = Asked
    parts: ClassVar = table.schema(_TITLES, (*_ROOM, *_CURVE, *_FORECAST))

    def answer(self, inputs: Asked) -> dict[str, Any]:
        """The rooms. Raises BadInput."""
        city = catalog.default()
        declared = city.reservoirs.reservoirs
        if inputs.station is not None and inputs.station not in declared:
            raise BadInput("station", f"no reservoir is declared at {inputs.station!r}", tuple(declared))
        for name in ("level", "inflow", "curve"):
            if getattr(inputs, name) not in (None, False) and inputs.station is None:
                raise BadInput(name, "is of one reservoir; give its station too", tuple(declared))
        with default_database().thread_session() as conn, one_state(conn):
            source = Source(conn, city, inputs.moment)
            until = inputs.held_at or datetime.now(UTC)
            wanted = [inputs.station] if inputs.station else list(declared)
            found = [
                _standing(source, station, declared[station.code], inputs, until)
                for station in source.stations(codes=wanted)
            ]
            if not found:
                raise BadInput("station", "none of the declared reservoirs has a station", tuple(declared))
            generated = any(each.declared.origin == "generated" for each in found)
            told_sources = answers.sources(conn, city, inputs.moment, (HOURLY,), generated=generated)
        zone = ZoneInfo(city.city.timezone)
        tables = {"room": _rooms(found, zone)}
        if inputs.inflow is not None:
            tables["forecast"] = _forecast(found[0], inputs, zone)
        if inputs.curve:
            tables["curve"] = _curve(found[0].declared)
        when = f"{until.astimezone(zone):%Y-%m-%d %H:%M}"
        return self.told(Text(zh=when, en=when), tables, told_sources)


def _standing(source: Source, station: Station, declared: Reservoir, inputs: Asked, until: datetime) -> Standing:
    """Where a reservoir stands, or is supposed to. Raises BadInput for a level beyond its curve."""
    if inputs.level is None:
        return Standing(station, declared, reservoirs.level(source, station, declared, inputs.held_at), until)
    curve = reservoirs.curve_of(declared)
    if not curve.levels[0] <= inputs.level <= curve.levels[-1]:
        raise BadInput(
            "level", f"the curve reaches from {curve.levels[0]:g} to {curve.levels[-1]:g} m ({declared.datum})"
        )
    return Standing(station, declared, Stood(inputs.level, until), until)


def _rooms(found: list[Standing], zone: ZoneInfo) -> Table:
    rows = [_room(each, zone) for each in found]
    chart = Chart("rows", "storage", "name", ("storage",))
    return Table(_TITLES["room"], _ROOM, rows, (), (), chart)


def _room(of: Standing, zone: ZoneInfo) -> Row:
    declared, stood, curve = of.declared, of.stood, reservoirs.curve_of(of.declared)
    limits = reservoirs.limits_of(declared)
    limit = reservoir.limit_on(list(limits), of.time.astimezone(zone).date())
    row: Row = {
        "station": of.station.code,
        "name": declared.title.model_dump(),
        "datum": declared.datum,
        "level_m": stood.level,
        "level_time": stood.time.astimezone(zone).isoformat(timespec="minutes") if stood.time else None,
        "period": limits[limit].title.model_dump() if limit else None,
        "limit_m": limit.level if limit else None,
        "origin": declared.origin,
        "dead_m": declared.dead_level,
        "normal_m": declared.normal_level,
        "crest_m": declared.crest_level,
    }
    unknown = dict.fromkeys(("storage", "room_limit", "room_normal", "room_crest"))
    if stood.level is None:
        assert stood.reason is not None
        return row | unknown | {"state": STATES["unknown"].model_dump(), "reason": stood.reason.model_dump()}
    try:
        storage = curve.storage(stood.level)
    except OutsideCurve:
        beyond = Text(zh="水位在曲线以外，不外推", en="the level is beyond the curve")
        return row | unknown | {"state": STATES["unknown"].model_dump(), "reason": beyond.model_dump()}
    to = {
        "room_limit": limit.level if limit else None,
        "room_normal": declared.normal_level,
        "room_crest": declared.crest_level,
    }
    rooms = {
        name: None if level is None else round(reservoir.room(curve, stood.level, level), 3)
        for name, level in to.items()
    }
    state = "no_limit" if limit is None else "above_limit" if stood.level > limit.level else "below_limit"
    return (
        row
        | {"storage": round(storage, 3)}
        | rooms
        | {
            "state": STATES[state].model_dump(),
            "reason": None if limit else _NO_LIMIT.model_dump(),
        }
    )


def _forecast(of: Standing, inputs: Asked, zone: ZoneInfo) -> Table:
    """The hours of the inflow that is given. Raises BadInput where the curve ends."""
    assert inputs.inflow is not None
    if of.stood.level is None:
        raise BadInput("level", "the reservoir's level is not known; give one")
    if min(inputs.inflow) < 0 or max(inputs.inflow) > 100_000:
        raise BadInput("inflow", "an inflow is between 0 and 100000 m³/s")
    curve = reservoirs.curve_of(of.declared)
    flows = np.array([inputs.inflow[0], *inputs.inflow], dtype=float)
    try:
        levels, outflows = reservoir.level_pool(flows, curve, lambda _: inputs.release, of.stood.level, 1.0)
    except OutsideCurve as error:
        raise BadInput("inflow", str(error)) from error
    limit = reservoir.limit_on(list(reservoirs.limits_of(of.declared)), of.time.astimezone(zone).date())
    start = of.time.astimezone(zone)
    rows = [
        {
            "time": (start + timedelta(hours=hour)).isoformat(timespec="minutes"),
            "inflow": float(flows[hour]),
            "outflow": float(outflows[hour]),
            "level_m": round(float(levels[hour]), 3),
            "limit_m": limit.level if limit else None,
            "storage": round(curve.storage(float(levels[hour])), 3),
            "room_limit": round(reservoir.room(curve, float(levels[hour]), limit.level), 3) if limit else None,
        }
        for hour in range(1, len(flows))
    ]
    return Table(
        _TITLES["forecast"],
        _FORECAST,
        rows,
        (),
        (),
        TimeChart("time", ("inflow",), ("level_m", "limit_m") if limit else ("level_m",)),
    )


def _curve(declared: Reservoir) -> Table:
    curve = reservoirs.curve_of(declared)
    low, high = curve.levels[0], curve.levels[-1]
    levels = np.unique(np.append(np.arange(np.ceil(low * 10), np.floor(high * 10) + 1) / 10, [low, high]))
    rows = [
        {"level_m": round(float(level), 3), "storage": round(float(storage), 3)}
        for level, storage in zip(levels, curve.storages_at(levels), strict=True)
    ]
    return Table(_TITLES["curve"], _CURVE, rows)
