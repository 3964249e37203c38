"""Observations as CoverageJSON, GeoJSON, NetCDF (CF time series) and rows of CSV.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from shikong.providers import covjson
from shikong.providers.observed import Question, Station

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Answer:
    """Values of stations: rows of station, time and the question's columns, by station and time."""

    question: Question
    stations: list[Station]
    rows: list[Row]

    def by_station(self) -> list[tuple[Station, list[Row]]]:
        """The stations that have values, each with its rows."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row[0], []).append(row)
        return [(station, found[station.key]) for station in self.stations if station.key in found]


def coverages(answer: Answer) -> dict[str, Any]:
    """CoverageJSON: a point series for each station; of one station that alone."""
    series = [covjson.series(answer.question, station, rows) for station, rows in answer.by_station()]
    if len(answer.stations) == 1 and series:
        return series[0]
    used = {name for one in series for name in one["ranges"]}
    declared = {name: decl for name, decl in answer.question.layer.parameters.items() if name in used}
    shared = {"type": "CoverageCollection", "domainType": "PointSeries", "parameters": covjson.parameters(declared)}
    return shared | {"coverages": [{k: v for k, v in one.items() if k != "parameters"} for one in series]}


def features(answer: Answer) -> dict[str, Any]:
    """GeoJSON: a feature for each station, with its times and values as lists."""
    found = []
    for station, rows in answer.by_station():
        columns = zip(answer.question.columns(), zip(*(row[2:] for row in rows), strict=True), strict=True)
        found.append({
            "type": "Feature", "id": station.key,
            "geometry": {"type": "Point", "coordinates": [station.lon, station.lat]},
            "properties": {
                "name": station.name, "time": [covjson.instant(row[1]) for row in rows],
                **{name: column for name, column in columns if any(value is not None for value in column)},
            },
        })  # fmt: skip
    return {"type": "FeatureCollection", "features": found}


def places(stations: Sequence[Station]) -> dict[str, Any]:
    """The stations themselves as GeoJSON."""
    return {"type": "FeatureCollection", "features": [station.feature() for station in stations]}


def netcdf(answer: Answer, title: str) -> bytes:
    """CF-1.8 time series: values over (station, time), missing where a station has none at a time."""
    by_station = answer.by_station()
    times = sorted({row[1] for row in answer.rows})
    places_in_time = {time: index for index, time in enumerate(times)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.nc"
        with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
            _axes(file, [station for station, _ in by_station], times, title)
            for at, (name, declared) in enumerate(
                (name, answer.question.layer.parameters.get(name)) for name in answer.question.columns()
            ):
                grid = np.full((len(by_station), len(times)), np.nan)
                for place, (_, rows) in enumerate(by_station):
                    for row in rows:
                        if row[2 + at] is not None:
                            grid[place, places_in_time[row[1]]] = row[2 + at]
                variable = file.createVariable(name, "f8", ("station", "time"), zlib=True, fill_value=np.nan)
                variable.coordinates = "lat lon"
                if declared is not None:
                    variable.units, variable.long_name = declared.unit, declared.title.en
                    variable.cell_methods = f"time: {_method(answer.question, declared.cell_method)}"
                variable[:] = grid
        return path.read_bytes()


def _method(question: Question, own: str) -> str:
    if question.step is None:
        return own
    return {"min": "minimum", "max": "maximum", None: "sum" if own == "sum" else "mean"}.get(
        question.statistic, str(question.statistic)
    )


def _axes(file: Any, stations: Sequence[Station], times: Sequence[datetime], title: str) -> None:
    file.setncatts({"Conventions": "CF-1.8", "featureType": "timeSeries", "title": title})
    file.createDimension("station", len(stations))
    file.createDimension("time", len(times))
    axis = file.createVariable("time", "f8", ("time",))
    axis.setncatts({"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard", "standard_name": "time"})
    axis[:] = [time.astimezone(UTC).timestamp() for time in times]
    names = file.createVariable("station", str, ("station",))
    names.setncatts({"cf_role": "timeseries_id", "long_name": "station code"})
    for name, unit, values in (
        ("lon", "degrees_east", [one.lon for one in stations]), ("lat", "degrees_north", [one.lat for one in stations])
    ):  # fmt: skip
        variable = file.createVariable(name, "f8", ("station",))
        variable.setncatts({"units": unit, "standard_name": {"lon": "longitude", "lat": "latitude"}[name]})
        variable[:] = values
    for index, station in enumerate(stations):
        names[index] = station.key
