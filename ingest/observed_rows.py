"""What a source of observations holds, as one row per station, parameter and time.

Sources: tables with a station, a time and values (text, spreadsheets, lists of records), CF NetCDF station series, and
deliveries of SL 323 (workbooks, folders, databases).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from shikong.ingest.convert import moment
from shikong.ingest.errors import EmptySource, IngestError, UnreadableSource
from shikong.ingest.features import Options
from shikong.ingest.quality.findings import Finding
from shikong.ingest.readers import excel, sl323, table
from shikong.layers.model import Layer

_NETCDF = (".nc", ".nc4")
SUFFIXES = (*table.SUFFIXES, ".json", *excel.SUFFIXES, *_NETCDF)

_STATION = ("station", "stations", "stcd", "site_no", "gauge_id", "测站编码")
_TIME = ("time", "tm", "datetime", "date", "时间")

#: A year and a value outside these bounds is a slip of the pen or a fill value, not an observation.
_PLAUSIBLE_TIME = (pd.Timestamp("1800-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC"))


@dataclass(frozen=True)
class Rows:
    """A part of a source. values: station, parameter, time (UTC), value, origin, source_row. read: how many values it
    had, with those that were refused."""

    values: pd.DataFrame
    findings: list[Finding]
    read: int


def opened(source: Path | str, layer: Layer, options: Options, zone: tzinfo) -> tuple[str, Iterator[Rows]]:
    """A source's name for its release, and its parts.

    zone: of times that give none. Raises UnreadableSource, EmptySource, SourceAway, UnsafeSource, IngestError.
    """
    if isinstance(source, str):
        from shikong.ingest.readers import sl323_database  # takes long to load

        return sl323_database.label(source), _of_standard(layer, sl323_database.observed_in(source), options, zone)
    standard = None if options.source_layer else sl323.observed(source)
    if standard is not None:
        return source.name, _of_standard(layer, standard, options, zone)
    if source.is_dir():
        raise UnreadableSource(f"{source.name} is a folder without tables of observations, such as ST_RIVER_R.csv")
    return source.name, iter([_rows(layer, _frame(source, layer, options), options, zone)])


def _of_standard(layer: Layer, frames: sl323.Frames, options: Options, zone: tzinfo) -> Iterator[Rows]:
    """The tables that hold parameters of the layer; a delivery has others, too."""
    others, found = [], False
    for name, frame in frames:
        apart, _ = sl323.rain_by_period(frame)
        if any(_parameter(layer, str(column), options) for column in apart.columns):
            found = True
            yield _rows(layer, frame, options, zone)
        else:
            others.append(name)
    if not found:
        raise IngestError(f"no table holds a parameter of {layer.id} ({', '.join(layer.parameters)}): {others}")


def _frame(path: Path, layer: Layer, options: Options) -> pd.DataFrame:
    """The rows of a file, whatever it is. Raises UnreadableSource, EmptySource, UnsafeSource."""
    suffix = path.suffix.lower()
    if suffix in _NETCDF:
        return _netcdf(path, layer, options)
    if suffix in excel.SUFFIXES:
        return excel.read_frame(path, options.source_layer)
    return table.read_frame(path)


def _netcdf(path: Path, layer: Layer, options: Options) -> pd.DataFrame:
    """Station series: variables over (time, station)."""
    try:
        with xr.open_dataset(path) as data:
            wanted = [str(name) for name in data.data_vars if _parameter(layer, str(name), options)]
            if not wanted:
                raise IngestError(
                    f"{path.name} has no variable for {layer.id}; it has {', '.join(map(str, data.data_vars))}, "
                    f"the layer's are {', '.join(layer.parameters)}: pair them with --map z=VARIABLE"
                )
            return data[wanted].to_dataframe().reset_index()
    except (OSError, ValueError) as error:
        raise UnreadableSource(f"{path.name} cannot be read as NetCDF: {error}") from error


def _parameter(layer: Layer, column: str, options: Options) -> str | None:
    """The declared parameter that a source column feeds."""
    for name, declared in layer.parameters.items():
        if options.fields.get(name) == column:
            return name
        if name not in options.fields and column.lower() in (name, *(alias.lower() for alias in declared.aliases)):
            return name
    return None


def _rows(layer: Layer, given: pd.DataFrame, options: Options, zone: tzinfo) -> Rows:
    """One row per station, time and parameter; empty cells are gaps, not zeros."""
    if given.empty:
        raise EmptySource("the source has no rows")
    frame, other_periods = sl323.rain_by_period(given)
    station = _column(frame, _STATION, options.fields.get("station"), "station")
    time = _column(frame, _TIME, options.fields.get("time"), "time")
    parameters = {str(name): found for name in frame.columns if (found := _parameter(layer, str(name), options))}
    if not parameters:
        raise IngestError(
            f"no column holds a parameter of {layer.id} ({', '.join(layer.parameters)}); "
            f"pair them with --map z=COLUMN. The source has: {', '.join(map(str, frame.columns))}"
        )
    base, findings = _places_in_time(frame, station, time, options, zone)
    if other_periods is not None:
        findings += _findings(given, other_periods, "unknown_interval", "drp", "INTV")
    good = base.pop("good")
    parts = []
    for column, parameter in parameters.items():
        values = pd.to_numeric(frame[column], errors="coerce")
        filled = frame[column].notna() & (frame[column].astype(str).str.strip() != "")
        bad = filled & ~np.isfinite(values.fillna(np.nan))
        findings += _findings(frame, bad, "not_a_number", parameter, column)
        keep = filled & ~bad & good
        parts.append(base[keep].assign(parameter=parameter, value=values[keep].astype(float)))
    long = pd.concat(parts, ignore_index=True)
    return Rows(long, findings, len(long) + len(findings))


def _places_in_time(
    frame: pd.DataFrame, station: str, time: str, options: Options, zone: tzinfo
) -> tuple[pd.DataFrame, list[Finding]]:
    """Of each row its station, time, origin and number in the source, and whether it is `good`: has the first two."""
    # A plain number is no time: whether it is a year, seconds or a spreadsheet's days, nobody can tell.
    moments = {value: None if isinstance(value, int | float) else moment(value, zone) for value in frame[time].unique()}
    stamps = pd.to_datetime(frame[time].map(moments), utc=True)
    stations = frame[station].astype(str).str.strip()
    named = frame[station].notna() & (stations != "")
    in_time = ((stamps >= _PLAUSIBLE_TIME[0]) & (stamps < _PLAUSIBLE_TIME[1])).fillna(value=False)
    findings = _findings(frame, ~named, "required", "station", None)
    findings += _findings(frame, ~in_time, "not_a_datetime", "time", time)
    base = pd.DataFrame({
        "station": stations, "time": stamps, "good": named & in_time, "source_row": np.arange(1, len(frame) + 1),
        "origin": frame["origin"] if "origin" in frame.columns else options.origin,
    })  # fmt: skip
    return base, findings


def _findings(frame: pd.DataFrame, which: Any, rule: str, field: str, column: str | None) -> list[Finding]:
    found = np.flatnonzero(which.to_numpy(dtype=bool)).tolist()
    by_name = {str(name).upper(): name for name in frame.columns}
    values = [None] * len(found) if column is None else frame[by_name[column.upper()]].iloc[found].astype(str)
    return [Finding(index + 1, rule, field, value) for index, value in zip(found, values, strict=True)]


def _column(frame: pd.DataFrame, names: tuple[str, ...], chosen: str | None, what: str) -> str:
    if chosen is not None and chosen in frame.columns:
        return chosen
    by_name = {str(name).strip().lower(): str(name) for name in frame.columns}
    found = next((by_name[name] for name in names if name in by_name), None)
    if found is None:
        raise IngestError(
            f"no column holds the {what}; name it with --map {what}=COLUMN. "
            f"The source has: {', '.join(map(str, frame.columns))}"
        )
    return found
