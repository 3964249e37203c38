"""What do the other stations of the water bureaus measure: water quality, soil, groundwater, evaporation, withdrawals?

Each series has a course over the year and some noise that lasts from value to value. A river's water is worse below
the city than above it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from shikong.samples import places, write
from shikong.samples.ground import Ground
from shikong.samples.plane import Floats, generator, shapes_to_degrees


@dataclass(frozen=True)
class Monitor:
    """A station: at a place, or on a river at a share of its course. burden: how much worse than clean its water is."""

    code: str
    name: str
    kind: str
    place: tuple[float, float] | None = None
    river: str | None = None
    at: float = 0.0
    burden: float = 1.0


MONITORS = (
    Monitor("31W10100", "徒骇河毕屯断面", "WQ", river="R02", at=0.2, burden=0.8),
    Monitor("31W10200", "徒骇河东昌府断面", "WQ", river="R02", at=0.62, burden=1.9),
    Monitor("31W10300", "东昌湖", "WQ", (115.968, 36.447), burden=1.1),
    Monitor("31S20100", "莘县墒情", "SS", (115.652, 36.231)), Monitor("31S20200", "高唐墒情", "SS", (116.221, 36.849)),
    Monitor("31G30100", "冠县地下水", "ZG", (115.462, 36.505)),
    Monitor("31G30200", "临清地下水", "ZG", (115.729, 36.832)),
    Monitor("31B40100", "东昌府蒸发", "BB", (115.991, 36.470)),
    Monitor("31Q50100", "位山灌区取水口", "QS", (116.128, 36.223)),
)  # fmt: skip

#: Layers with a value a day, and the kind of their stations.
DAILY = {"soil_moisture": "SS", "groundwater": "ZG", "evaporation": "BB", "water_use": "QS"}

#: Days that the daily series have; values of water quality come every four hours, for so many days.
DAYS, QUALITY_DAYS = 90, 30


def stations(ground: Ground) -> list[dict[str, Any]]:
    """The stations as rows of the layer of stations (lon, lat in EPSG:4490)."""
    names = {river.id: river.name for river in places.RIVERS}
    rows = []
    for monitor in MONITORS:
        lon, lat = monitor.place or _on_river(ground, str(monitor.river), monitor.at)
        body = None if monitor.kind != "WQ" else "river" if monitor.river else "lake"
        rows.append({
            "stcd": monitor.code, "stnm": monitor.name, "sttp": monitor.kind, "rvnm": names.get(str(monitor.river)),
            "river_id": monitor.river, "wbtp": body, "lon": round(lon, 6), "lat": round(lat, 6),
        })  # fmt: skip
    return rows


def _on_river(ground: Ground, river: str, at: float) -> tuple[float, float]:
    index = [one.id for one in places.RIVERS].index(river)
    point = shapely.line_interpolate_point(ground.corridors.rivers[index], at, normalized=True)
    found = shapes_to_degrees(point)
    return float(found.x), float(found.y)


def water_quality(seed: int, now: datetime, path: Path) -> int:
    """Write water quality every four hours as CSV; returns the rows."""
    times = _times(now.replace(hour=now.hour // 4 * 4), timedelta(hours=4), QUALITY_DAYS * 6)
    rows = []
    for monitor in (one for one in MONITORS if one.kind == "WQ"):
        rng, burden = generator(seed, "quality", monitor.code), monitor.burden
        warm = _season(times)
        columns: dict[str, Floats] = {
            "c": 14 + 12 * warm + _drift(rng, len(times), 0.3), "ph": 7.9 + _drift(rng, len(times), 0.03),
            "dox": 9.5 - 3 * warm - 0.8 * (burden - 1) + _drift(rng, len(times), 0.1),
            "codmn": 3.4 * burden + _drift(rng, len(times), 0.08),
            "nh4n": 0.34 * burden + _drift(rng, len(times), 0.012),
            "tp": 0.075 * burden + _drift(rng, len(times), 0.003), "tn": 1.6 * burden + _drift(rng, len(times), 0.03),
            "cond": 780 * burden**0.3 + _drift(rng, len(times), 6), "turb": 18 * burden + _drift(rng, len(times), 0.9),
        }  # fmt: skip
        rows += list(_rows(monitor.code, times, columns))
    return write.table(path, rows, "utf-8")


def daily(seed: int, kind: str, now: datetime, path: Path) -> int:
    """Write the daily series of a kind of stations as CSV, stamped at 08:00 when a hydrologic day ends."""
    last = now.replace(hour=0)
    times = _times(last if last <= now else last - timedelta(days=1), timedelta(days=1), DAYS)
    rows = []
    for monitor in (one for one in MONITORS if one.kind == kind):
        rng, warm = generator(seed, "daily", monitor.code), _season(times)
        columns: dict[str, Floats]
        match kind:
            case "SS":
                columns = {f"m{depth}": 19 + depth / 20 + 4 * warm + _drift(rng, DAYS, 0.6 - depth / 200)
                           for depth in (10, 20, 40)}  # fmt: skip
            case "ZG":
                columns = {"h": 7.5 - 0.6 * warm + _drift(rng, DAYS, 0.02)}
            case "BB":
                columns = {"ed": np.abs(2.6 + 1.9 * warm + rng.normal(0, 0.7, DAYS))}
            case _:
                columns = {"wu": 260_000 * (1 + 0.4 * warm) + _drift(rng, DAYS, 6_000)}
        rows += list(_rows(monitor.code, times, columns))
    return write.table(path, rows, "utf-8")


def _times(last: datetime, step: timedelta, number: int) -> list[datetime]:
    return [last - step * (number - 1 - index) for index in range(number)]


def _season(times: list[datetime]) -> Floats:
    """From -1 in January to 1 in July."""
    days = np.array([time.timetuple().tm_yday for time in times])
    found: Floats = -np.cos(2 * np.pi * (days - 15) / 365.25)
    return found


def _drift(rng: np.random.Generator, number: int, size: float) -> Floats:
    """Noise that lasts: each value keeps most of the last one's."""
    found = np.zeros(number)
    for index, push in enumerate(rng.normal(0, size, number)):
        found[index] = 0.9 * found[index - 1] + push
    return found


def _rows(code: str, times: list[datetime], columns: dict[str, Floats]) -> Iterator[dict[str, Any]]:
    for index, time in enumerate(times):
        values = {name: round(max(0.0, float(series[index])), 3) for name, series in columns.items()}
        yield {"stcd": code, "time": time.isoformat(), **values}
