"""Which gauging stations are there, and what did they observe?

Discharge is the rain over the land along the upstream courses, delayed by a unit hydrograph that is
longer for a longer course, over a slow base flow; stage follows from it by a rating curve above the
river's bed. So stations along a river rise one after the other. Warning levels are set against the
flood of the day before ``now``: one station stands above its guarantee level, one above its warning
level, the others below.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import shapely.ops

from shikong.hydrology.series import design_storm
from shikong.layers import catalog
from shikong.samples import places, reservoir, storms, write
from shikong.samples.ground import Ground
from shikong.samples.plane import Floats, generator, shapes_to_degrees, to_metres
from shikong.samples.reservoir import Kept
from shikong.samples.terrain import Terrain

DATUM, OLD_DATUM = "1985国家高程基准", "废黄河口"
RECENT_H = 168
RUNOFF = 0.16
#: Hours of rain that the weather bureau expects.
EXPECTED_H = 72
CATCHMENT_M = 9_000.0


@dataclass(frozen=True)
class Station:
    """A station: on a river at a share of its course, or (rain gauges, reservoir) at a place.

    ``alarm`` says where the stage stands now: "guarantee", "warning", "below", or "unknown" where no
    levels are set.
    """

    code: str
    name: str
    kind: str
    river: str | None
    at: float
    place: tuple[float, float] | None = None
    alarm: str = "below"
    datum: str = DATUM


STATIONS = (
    Station("31150100", "毕屯", "ZQ", "R02", 0.18), Station("31150200", "刘桥闸", "ZQ", "R02", 0.42, alarm="warning"),
    Station("31150300", "聊城（徒骇河）", "ZQ", "R02", 0.56, alarm="guarantee"),
    Station("31150400", "韩集", "ZZ", "R02", 0.70), Station("31150500", "高唐南", "ZQ", "R02", 0.88),
    Station("31151100", "沙王庄", "ZZ", "R03", 0.22, datum=OLD_DATUM), Station("31151200", "王铺闸", "ZQ", "R03", 0.50),
    Station("31151300", "李奇庄", "ZQ", "R03", 0.86), Station("31152100", "班庄", "ZZ", "R04", 0.25, alarm="unknown"),
    Station("31152200", "临清", "ZQ", "R04", 0.74, datum=OLD_DATUM), Station("31153100", "孙口下", "ZQ", "R01", 0.15),
    Station("31153200", "位山", "ZZ", "R01", 0.45), Station("31154100", "古城集", "ZZ", "R05", 0.60, alarm="unknown"),
    Station("31154200", "赵王河闸", "ZZ", "R07", 0.80), Station("31154300", "德王河桥", "ZQ", "R08", 0.65),
    Station("31154400", "周店", "ZZ", "R06", 0.30, datum=OLD_DATUM),
    Station("31156100", "谭庄水库", "RR", None, 0.0, (115.895, 36.305)),
    Station("31158100", "冠县", "PP", None, 0.0, (115.447, 36.492)),
    Station("31158200", "莘县", "PP", None, 0.0, (115.671, 36.243)),
    Station("31158300", "阳谷", "PP", None, 0.0, (115.795, 36.121)),
    Station("31158400", "东阿", "PP", None, 0.0, (116.243, 36.341)),
    Station("31158500", "茌平", "PP", None, 0.0, (116.261, 36.585)),
    Station("31158600", "高唐", "PP", None, 0.0, (116.237, 36.867)),
    Station("31158700", "东昌府", "PP", None, 0.0, (115.978, 36.462)),
)  # fmt: skip
#: Base flow (m3/s) of rivers that come from far; others have a little for each km of course.
BASE_FLOW = {"R01": 820.0, "R04": 46.0}


@dataclass(frozen=True)
class Gauged:
    """A station with its place and simulated series over all hours, lead included (None: not observed).

    kept: of a reservoir."""

    station: Station
    lon: float
    lat: float
    rain: Floats | None
    stage: Floats | None
    flow: Floats | None
    kept: Kept | None = None


def simulate(ground: Ground, terrain: Terrain, field: Floats) -> list[Gauged]:
    """Every station's series under the rain field [hour, lat, lon]."""
    return [_gauge(ground, terrain, field, station) for station in STATIONS]


def _gauge(ground: Ground, terrain: Terrain, field: Floats, station: Station) -> Gauged:
    rng = generator(ground.seed, "station", station.code)
    if station.place:
        lon, lat = station.place
        course, length = shapely.Point(*to_metres(lon, lat)), 6.0
    else:
        index = [river.id for river in places.RIVERS].index(str(station.river))
        line = ground.corridors.rivers[index]
        point = shapes_to_degrees(shapely.line_interpolate_point(line, station.at, normalized=True))
        lon, lat = float(point.x), float(point.y)
        course, length = _upstream(ground, index, station.at)
    row, column = storms.cell(lon, lat)
    rain: Floats | None = None
    if station.kind in ("PP", "ZQ", "RR"):
        at = field[:, row, column]
        rain = np.round((at * (1 + 0.07 * rng.standard_normal(len(at)))).clip(min=0), 1)
    if station.kind == "PP":
        return Gauged(station, lon, lat, rain, None, None)
    flow = _flow(field, course, length, BASE_FLOW.get(str(station.river), 0.03 * length + 0.6))
    capacity = 3000.0 if station.river == "R01" else 9.0 * length + 40
    depth = 0.7 + 5.2 * (flow / capacity) ** 0.6
    if station.kind == "RR":
        kept = reservoir.simulate(catalog.default().reservoirs.reservoirs[station.code], flow)
        return Gauged(station, lon, lat, rain, np.round(kept.level, 2), None, kept)
    bed = terrain.at(lon, lat)
    noise = np.cumsum(rng.normal(0, 0.003, len(flow)))
    stage = np.round(
        bed + depth + 0.004 * rng.standard_normal(len(flow)) + noise - np.linspace(0, noise[-1], len(flow)), 2
    )
    return Gauged(station, lon, lat, rain, stage, np.round(flow, 2) if station.kind == "ZQ" else None)


def _upstream(ground: Ground, index: int, at: float) -> tuple[Any, float]:
    """The course of a river above a point with the rivers that join it there, and their length in km."""
    line = ground.corridors.rivers[index]
    own = shapely.ops.substring(line, 0, at, normalized=True)
    parts = [own]
    for river, other in zip(places.RIVERS, ground.corridors.rivers, strict=True):
        if river.flows_to == places.RIVERS[index].name:
            mouth = shapely.get_point(other, -1)
            if shapely.line_locate_point(line, mouth, normalized=True) < at:
                parts.append(other)
    return shapely.union_all(parts), float(shapely.length(own)) / 1000


def _flow(field: Floats, course: Any, length: float, base: float) -> Floats:
    """Discharge in m3/s from the rain over the cells along a course (or about a point)."""
    x, y = to_metres(*np.meshgrid(storms.LON, storms.LAT))
    along = shapely.distance(course, shapely.points(x, y)) < CATCHMENT_M
    excess = np.clip(field[:, along].mean(axis=1) - 0.3, 0, None) * RUNOFF
    area = along.sum() * 24.8
    lag = 4.0 + 0.11 * length
    hours = np.arange(240)
    response = hours**2 * np.exp(-2.0 * hours / lag) + 0.015 * lag**2 * np.exp(-hours / (5 * lag)) * (hours > lag)
    response /= response.sum()
    flow: Floats = base + area * np.convolve(excess, response)[: len(excess)] / 3.6
    return flow


def levels(gauged: Gauged) -> tuple[float | None, float | None]:
    """Warning and guarantee level in metres, None where none is set."""
    station, stage = gauged.station, gauged.stage
    if stage is None or station.alarm == "unknown":
        return None, None
    now, top = float(stage[-1]), float(stage[-RECENT_H:].max())
    if station.alarm == "guarantee":
        return round(now - 0.95, 2), round(now - 0.18, 2)
    if station.alarm == "warning":
        return round(now - 0.22, 2), round(max(now, top) + 0.55, 2)
    return round(top + 0.45, 2), round(top + 1.35, 2)


def stations(ground: Ground, gauged: list[Gauged], others: list[dict[str, Any]], path: Path) -> int:
    """Write the stations, and rows of others, as CSV (UTF-8 with BOM; lon, lat in EPSG:4490); returns the rows."""
    by_id = {river.id: river.name for river in places.RIVERS}
    rows = []
    for item in gauged:
        warning, guarantee = levels(item)
        station = item.station
        rows.append({
            "stcd": station.code, "stnm": station.name, "sttp": station.kind, "rvnm": by_id.get(str(station.river)),
            "river_id": station.river, "xzqdm": _county(ground, item.lon, item.lat),
            "dtmnm": None if station.kind == "PP" else station.datum, "wrz": warning, "grz": guarantee,
            **_extremes(item), "wbtp": None, "lon": round(item.lon, 6), "lat": round(item.lat, 6),
        })  # fmt: skip
    for other in others:
        rows.append(dict.fromkeys(rows[0]) | other | {"xzqdm": _county(ground, other["lon"], other["lat"])})
    return write.table(path, rows, "utf-8-sig")


def _extremes(gauged: Gauged) -> dict[str, float | None]:
    """Highest and lowest level observed, and the level below which water is low; unknown where warning levels are."""
    _, guarantee = levels(gauged)
    if gauged.stage is None or guarantee is None:
        return {"obhtz": None, "hnlz": None, "oblwz": None}
    top, bottom = float(gauged.stage.max()), float(gauged.stage.min())
    return {
        "obhtz": round(max(guarantee, top) + 0.7, 2),
        "hnlz": round(bottom - 0.35, 2),
        "oblwz": round(bottom - 0.8, 2),
    }


def _county(ground: Ground, lon: float, lat: float) -> str:
    x, y = to_metres(lon, lat)
    nearest = int(np.argmin(np.hypot(*(ground.villages.sites - (x, y)).T)))
    return ground.county(nearest)


def observations(seed: int, gauged: list[Gauged], now: datetime, hours: int, path: Path) -> int:
    """Write the last ``hours`` as CSV, with some rows missing as in real records; returns the rows."""
    times = [time.isoformat() for time in storms.times(now, hours)]
    rows = []
    for item in gauged:
        rng = generator(seed, "gaps", item.station.code)
        kept = rng.random(hours) > 0.006
        start = int(rng.integers(0, hours - 20))
        kept[start : start + int(rng.integers(0, 14))] = False
        kept[-1] = True
        for index in np.flatnonzero(kept).tolist():
            rows.append({
                "stcd": item.station.code, "time": times[index], "z": _value(item.stage, index - hours),
                "q": _value(item.flow, index - hours), "drp": _value(item.rain, index - hours),
                **_reservoir(item.kept, index - hours),
            })  # fmt: skip
    return write.table(path, rows, "utf-8")


def expected(gauged: list[Gauged], now: datetime, path: Path) -> int:
    """Write the rain of the hours after ``now`` that the weather bureau expects at the gauges, a storm that is lighter
    than the one before and comes from the west, as CSV; returns the rows."""
    gauges = [item for item in gauged if item.rain is not None]
    places = np.array([to_metres(item.lon, item.lat) for item in gauges], dtype=float).reshape(-1, 2)
    x, y = to_metres(115.75, 36.4)
    storm = design_storm.Storm(x, y, 14.0, 18.0, 35.0, 80.0, 6.0, 0.35)
    rain = np.round(design_storm.hourly(storm, places, EXPECTED_H), 1)
    rows = [
        {"stcd": item.station.code, "time": (now + timedelta(hours=hour + 1)).isoformat(), "drp": float(rain[hour, at])}
        for at, item in enumerate(gauges) for hour in range(EXPECTED_H)
    ]  # fmt: skip
    return write.table(path, rows, "utf-8")


def _reservoir(kept: Kept | None, index: int) -> dict[str, float | None]:
    """What only reservoirs report, by SL 323's names; their level comes under `z`, too, as that of any station."""
    found = {"rz": kept.level, "w": kept.storage, "inq": kept.inflow, "otq": kept.outflow} if kept else {}
    return {name: round(float(found[name][index]), 3) if name in found else None for name in ("rz", "w", "inq", "otq")}


def _value(series: Floats | None, index: int) -> float | None:
    return None if series is None else round(float(series[index]), 2)
