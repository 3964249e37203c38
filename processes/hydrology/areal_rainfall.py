"""How much rain fell on an area, hour by hour or day by day, told from the gauges about it?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field

from shikong.hydrology.series import areal
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.base import BadInput, titled
from shikong.processes.figures import table
from shikong.processes.figures.table import Column, Row, Table, TimeChart
from shikong.processes.hydrology import answers, hours, isolines, places
from shikong.processes.hydrology.hours import Steps, Stretch
from shikong.processes.hydrology.places import Area, Where
from shikong.processes.hydrology.readings import HOURLY, Source, Station
from shikong.store.database import default as default_database
from shikong.store.database import one_state

Floats = NDArray[np.float64]
Method = Literal["thiessen", "idw", "kriging"]

METHODS = {
    "thiessen": Text(zh="泰森多边形", en="Thiessen polygons"),
    "idw": Text(zh="反距离加权", en="Inverse distances"),
    "kriging": Text(zh="普通克里金", en="Ordinary kriging"),
}
_METHOD = titled("方法", "Method", **{"x-enum-titles": [each.model_dump() for each in METHODS.values()]})

_TITLES = {
    "areal_rain": Text(zh="面雨量", en="Areal rain"),
    "gauges": Text(zh="雨量站与权重", en="Gauges and their weights"),
    "weights": Text(zh="各种缺测情形下的权重", en="Weights by which gauges are missing"),
}

_TIME = Column("time", Text(zh="时段末", en="End of step"))
_RAIN = Column("rain_mm", Text(zh="面雨量", en="Areal rain"), "mm", 2)
_COLUMNS = (
    _TIME,
    Column("day", Text(zh="水文日", en="Hydrologic day")),
    _RAIN,
    Column("gauges", Text(zh="有测站数", en="Gauges that read"), "1", 0),
    Column("missing", Text(zh="缺测站", en="Missing")),
)
_WEIGHT = Column("weight_pct", Text(zh="权重", en="Weight"), "%", 2)
_GAUGES = (
    Column("station", Text(zh="测站编码", en="Station")),
    Column("name", Text(zh="站名", en="Name")),
    _WEIGHT,
    Column("gauge_mm", Text(zh="站雨量", en="Rain at the gauge"), "mm", 1),
    Column("missing_h", Text(zh="缺测时数", en="Hours missing"), "h", 0),
    Column("lon", Text(zh="经度", en="Longitude"), "°", 5),
    Column("lat", Text(zh="纬度", en="Latitude"), "°", 5),
)
_WEIGHTS = (
    Column("hours", Text(zh="时数", en="Hours"), "h", 0),
    Column("missing", Text(zh="缺测站", en="Missing")),
    Column("station", Text(zh="测站编码", en="Station")),
    Column("name", Text(zh="站名", en="Name")),
    _WEIGHT,
)

#: A weight below this is told as none.
_LEAST = 5e-5


class Asked(Where, Stretch):
    """Of where and when, by which method and in which steps."""

    method: Method = Field("thiessen", json_schema_extra=_METHOD)
    power: float = Field(2.0, ge=0.5, le=6, json_schema_extra=titled("反距离的幂", "Power of the inverse distance"))
    step: Literal["hour", "day"] = Field(
        "hour",
        json_schema_extra=titled(
            "时段",
            "Step",
            **{
                "x-enum-titles": [
                    {"zh": "小时", "en": "Hour"},
                    {"zh": "水文日（8 时至 8 时）", "en": "Day from 08:00 to 08:00"},
                ]
            },
        ),
    )
    weights: bool = Field(
        False, json_schema_extra=titled("列出各种缺测情形下的权重", "With the weights for each set of missing gauges")
    )
    isolines: bool = Field(
        False, json_schema_extra=titled("附总雨量等值线（GeoJSON）", "With isohyets of the sum (GeoJSON)")
    )


@dataclass(frozen=True)
class Read:
    """An area with its gauges and what they read (t, n) in mm. places: (n, 2), in metres."""

    area: Area
    gauges: list[Station]
    places: Floats
    steps: Steps
    rain: Floats


class ArealRainfall(answers.Series):
    """Weighs the gauges' readings by how they lie about an area."""

    id = "areal-rainfall"
    title = Text(zh="面雨量", en="Areal rainfall")
    description = Text(
        zh="流域、县（市、区）或全市逐时或逐水文日面雨量：泰森多边形、反距离加权或普通克里金；某站某时缺测则按其余各站重算权重，"
        "列明各站权重与缺测站。可得表格（CSV、Excel）、过程图（SVG）与网页，并可附等值线。",
        en="Rain on a basin, a county or the city by hour or hydrologic day, by Thiessen polygons, inverse distances "
        "or ordinary kriging. Where a gauge is missing, weights are made anew from the others; gauges, weights and "
        "what is missing are named. Also as CSV, Excel, chart (SVG) and page, and with isohyets.",
    )
    inputs = Asked
    parts: ClassVar = table.schema(_TITLES, (*_COLUMNS, *_GAUGES, *_WEIGHTS)) | {
        "isolines": {"title": {"zh": "等值线", "en": "Isohyets"}, "type": "object"}
    }

    def answer(self, inputs: Asked) -> dict[str, Any]:
        """The areal rain. Raises BadInput."""
        city = catalog.default()
        with default_database().thread_session() as conn, one_state(conn):
            source = Source(conn, city, inputs.moment)
            found = read(source, places.read(conn, city, inputs, inputs.moment), inputs, whole=inputs.step == "day")
            told_sources = answers.sources(conn, city, inputs.moment, (HOURLY, counties.LAYER))
        rain = weighed(found, inputs.method, inputs.power)
        tables = {"areal_rain": _rain_table(found, rain, inputs), "gauges": _gauge_table(found, rain)}
        if inputs.weights:
            tables["weights"] = _weight_table(found, rain)
        name, method = found.area.name, METHODS[inputs.method]
        when = answers.span(found.steps.word(int(found.steps.ends[0]) - hours.HOUR), found.steps.words[-1])
        answer = self.told(
            Text(
                zh=f"{name.zh} {found.area.km2:,.1f} km² · {when} · {method.zh}",
                en=f"{name.en} {found.area.km2:,.1f} km² · {when} · {method.en}",
            ),
            tables,
            told_sources,
        )
        if inputs.isolines:
            answer["isolines"] = isolines.of(found.area.plane, _surface(found, inputs))
        return answer


def read(source: Source, area: Area, asked: Stretch, *, whole: bool = False) -> Read:
    """What the gauges read in a stretch of time. whole: whole hydrologic days only. Raises BadInput."""
    zone = source.city.city.timezone
    steps = hours.stretch(asked, source.newest("drp"), zone)
    if whole:
        steps = hours.whole_days(steps)
    gauges = source.stations("drp")
    if not gauges:
        raise BadInput("start", "no station has read any rain")
    rain = source.steps("drp", [each.code for each in gauges], steps.ends, summed=True)
    return Read(area, gauges, places.of(gauges), steps, rain)


def weighed(found: Read, method: Method, power: float = 2.0) -> areal.Areal:
    """The areal rain by a method. Raises BadInput where no gauge has a reading."""
    if np.isnan(found.rain).all():
        raise BadInput("start", "no gauge has a reading between start and end")
    told = areal.series(found.rain, found.places, weigher(found, method, power))
    # Weights of kriging may be below 0, and rain is not.
    return replace(told, values=np.maximum(told.values, 0))


def weigher(found: Read, method: Method, power: float) -> areal.Weigh:
    """How a method weighs the gauges of an area."""
    if method == "thiessen":
        # Bends of a border that are small beside the area change no share that is told, and cost most of the time.
        outline = shapely.simplify(found.area.plane, min(20.0, found.area.km2**0.5))
        return lambda places: areal.thiessen(places, outline)
    targets = areal.inside(found.area.plane)
    if method == "idw":
        return areal.idw_area(targets, power)
    return areal.kriging_area(targets, areal.variogram(found.places, sums(found)))


def sums(found: Read) -> Floats:
    """Each gauge's sum (n,); an hour that it missed is told by the others, by inverse distances."""
    return areal.sums(found.rain, found.places, lambda places: areal.idw(places, found.places))


def _surface(found: Read, inputs: Asked) -> tuple[Floats, Floats, Floats]:
    """The sum of rain on a grid: x (c,), y (r,) and mm (r, c). Thiessen polygons make steps, and no lines: it is drawn
    by inverse distances then."""
    x, y, points = areal.grid(found.area.plane)
    if inputs.method == "kriging":
        vary = areal.variogram(found.places, sums(found))
        surface = areal.sums(found.rain, found.places, lambda places: areal.kriging(places, points, vary))
    else:
        surface = areal.sums(found.rain, found.places, lambda places: areal.idw(places, points, inputs.power))
    return x, y, np.maximum(surface, 0).reshape(len(y), len(x))


def _rain_table(found: Read, rain: areal.Areal, inputs: Asked) -> Table:
    told = [hours.named([found.gauges[index].name for index in np.flatnonzero(~pattern)]) for pattern in rain.patterns]
    read = rain.patterns.sum(axis=1)
    values = [None if np.isnan(value) else round(float(value), 2) for value in rain.values]
    columns = tuple(column for column in _COLUMNS if column.name != "day")
    rows: list[Row]
    if inputs.step == "hour":
        rows = [
            {"time": word, "rain_mm": value, "gauges": int(read[which]), "missing": told[which] or None}
            for word, value, which in zip(found.steps.words, values, rain.which.tolist(), strict=True)
        ]
    else:
        columns, rows = _COLUMNS, []
        for day, part in found.steps.days():
            mine, which = values[part], rain.which[part]
            lacking = [
                gauge.name
                for gauge, seen in zip(found.gauges, rain.patterns[which].min(axis=0).tolist(), strict=True)
                if not seen
            ]
            rows.append(
                {
                    "time": found.steps.words[part.stop - 1],
                    "day": day.isoformat(),
                    "rain_mm": _sum(mine),
                    "gauges": int(read[which].min()),
                    "missing": hours.named(lacking) or None,
                }
            )
    whole = {"time": {"zh": "合计", "en": "Total"}, "rain_mm": _sum([row["rain_mm"] for row in rows])}
    notes = [
        Text(
            zh="某站缺测时，该时段按有测各站重算权重。",
            en="Where a gauge is missing, weights are made of those that read.",
        )
    ]
    if whole["rain_mm"] is None:
        notes.append(Text(zh="有时段各站均缺测，故不合计。", en="In some step no gauge read, so there is no sum."))
    return Table(_TITLES["areal_rain"], columns, rows, [whole], notes, TimeChart("time", ("rain_mm",)))


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 2) if len(known) == len(values) else None


def _gauge_table(found: Read, rain: areal.Areal) -> Table:
    """The gauges that count for anything, with their weights in the hours in which most of them were there."""
    ever = ~np.isnan(found.rain).all(axis=0)
    used = (np.abs(rain.weights) > _LEAST).any(axis=0)
    fullest = int(rain.patterns.sum(axis=1).argmax())
    whole = rain.weights[fullest]
    rows = []
    for number in np.flatnonzero(used | ~ever).tolist():
        gauge, mine = found.gauges[number], found.rain[:, number]
        gaps = int(np.isnan(mine).sum())
        rows.append(
            {
                "station": gauge.code,
                "name": gauge.name,
                "weight_pct": round(float(whole[number]) * 100, 2),
                "gauge_mm": None if gaps else round(float(mine.sum()), 1),
                "missing_h": gaps,
                "lon": round(gauge.lon, 5),
                "lat": round(gauge.lat, 5),
            }
        )
    notes = [Text(zh="站雨量有缺测时不合计。", en="A gauge with missing hours has no sum.")]
    lacking = [found.gauges[number].name for number in np.flatnonzero(~rain.patterns[fullest])]
    if lacking:
        told = hours.named(lacking)
        notes.append(Text(zh=f"所列为缺 {told} 时的权重。", en=f"Weights are those without {told}."))
    else:
        notes.append(Text(zh="所列为各站俱全时的权重。", en="Weights are those with all gauges."))
    if others := int((~used & ever).sum()):
        notes.append(Text(zh=f"另有 {others} 站不影响本区。", en=f"{others} more gauges do not count for the area."))
    return Table(_TITLES["gauges"], _GAUGES, rows, (), notes)


def _weight_table(found: Read, rain: areal.Areal) -> Table:
    rows = []
    for number, (pattern, weights) in enumerate(zip(rain.patterns, rain.weights, strict=True)):
        told = hours.named([found.gauges[index].name for index in np.flatnonzero(~pattern)]) or None
        spent = int((rain.which == number).sum())
        rows += [
            {
                "hours": spent,
                "missing": told,
                "station": found.gauges[index].code,
                "name": found.gauges[index].name,
                "weight_pct": round(float(weights[index]) * 100, 2),
            }
            for index in np.flatnonzero(np.abs(weights) > _LEAST).tolist()
        ]
    return Table(_TITLES["weights"], _WEIGHTS, rows)
