"""Loading observations: tables with a station, a time and values, and CF NetCDF station series.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import xarray as xr
from psycopg import Connection

from shikong.ingest.convert import moment
from shikong.ingest.errors import EmptySource, IngestError, UnreadableSource
from shikong.ingest.features import Options, Progress, file_digest
from shikong.ingest.quality.findings import Account, Finding
from shikong.ingest.readers import excel, table
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import observations, quarantine, releases, tables

_NETCDF = (".nc", ".nc4")
SUFFIXES = (*table.SUFFIXES, ".json", *excel.SUFFIXES, *_NETCDF)

_STATION = ("station", "stations", "stcd", "site_no", "gauge_id", "测站编码")
_TIME = ("time", "tm", "datetime", "date", "时间")

#: A year and a value outside these bounds is a slip of the pen or a fill value, not an observation.
_PLAUSIBLE_TIME = (pd.Timestamp("1800-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC"))


def load(
    conn: Connection[Any], catalog: Catalog, layer: Layer, path: Path, options: Options, progress: Progress
) -> Report:
    """Load observations into a layer. What is there and alike stays, what differs is corrected, the rest is added."""
    zone = ZoneInfo(catalog.city.timezone)
    frame = _frame(path, layer, options)
    long, findings, read = _long(layer, frame, options, zone)
    if long.empty:
        raise IngestError(f"no observation in {path.name} can be stored")
    with conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")
        tables.ensure(conn, layer)
        observations.stage(conn, _tuples(long, progress))
        counts = releases.Counts(read, read - len(findings), len(findings))
        source = releases.Source(path.name, file_digest(path), None, None, options.origin)
        release = releases.next_release(conn, layer, source, counts)
        fresh, changed = observations.publish(conn, layer, release)
        first, last, number = observations.extent(conn, layer)
        counts = replace(
            counts, added=fresh, changed=changed, unchanged=counts.stored - fresh - changed, current=number
        )
        releases.finish(conn, release, counts, releases.Extent(None, first, last))
        account = Account()
        account.add(findings)
        quarantine.add_findings(conn, release, ((f.source_row, f.rule, f.field, f.severity, f.value, None, None)
                                                for f in account.findings))  # fmt: skip
        quarantine.add_results(conn, layer, release, account.counts, {})
    return Report(layer.id, path.name, "observations", "none", "places come from the stations", counts, release, [],
                  account.findings, account.counts)  # fmt: skip


def _frame(path: Path, layer: Layer, options: Options) -> pd.DataFrame:
    """The rows of a source, whatever it is. Raises UnreadableSource, EmptySource, UnsafeSource."""
    suffix = path.suffix.lower()
    if suffix in _NETCDF:
        return _netcdf(path, layer, options)
    if suffix in excel.SUFFIXES:
        return excel.read_frame(path, options.source_layer)
    return table.read_frame(path)


def _tuples(long: pd.DataFrame, progress: Progress) -> Iterator[observations.Observation]:
    rows = zip(long["station"], long["parameter"], long["time"], long["value"], long["origin"], strict=True)
    for number, (station, parameter, time, value, origin) in enumerate(rows, 1):
        yield station, parameter, time.to_pydatetime(warn=False), value, origin
        if number % 100_000 == 0:
            progress(number, len(long))
    progress(len(long), len(long))


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


def _long(
    layer: Layer, frame: pd.DataFrame, options: Options, zone: ZoneInfo
) -> tuple[pd.DataFrame, list[Finding], int]:
    """One row per station, time and parameter; empty cells are gaps, not zeros."""
    if frame.empty:
        raise EmptySource("the source has no rows")
    station = _column(frame, _STATION, options.fields.get("station"), "station")
    time = _column(frame, _TIME, options.fields.get("time"), "time")
    parameters = {str(name): found for name in frame.columns if (found := _parameter(layer, str(name), options))}
    if not parameters:
        raise IngestError(
            f"no column holds a parameter of {layer.id} ({', '.join(layer.parameters)}); "
            f"pair them with --map z=COLUMN. The source has: {', '.join(map(str, frame.columns))}"
        )
    # A plain number is no time: whether it is a year, seconds or a spreadsheet's days, nobody can tell.
    moments = {value: None if isinstance(value, int | float) else moment(value, zone) for value in frame[time].unique()}
    stamps = pd.to_datetime(frame[time].map(moments), utc=True)
    origin = frame["origin"] if "origin" in frame.columns else options.origin
    base = pd.DataFrame({"station": frame[station].astype(str).str.strip(), "time": stamps, "origin": origin})
    parts, findings = [], []
    named = frame[station].notna() & (base["station"] != "")
    for index in np.flatnonzero(~named.to_numpy(dtype=bool)):
        findings.append(Finding(int(index) + 1, "required", "station", None))
    good_time = (stamps >= _PLAUSIBLE_TIME[0]) & (stamps < _PLAUSIBLE_TIME[1])
    for index in np.flatnonzero(~good_time.to_numpy(dtype=bool, na_value=False)):
        findings.append(Finding(int(index) + 1, "not_a_datetime", "time", str(frame[time].iloc[index])))
    for column, parameter in parameters.items():
        values = pd.to_numeric(frame[column], errors="coerce")
        filled = frame[column].notna() & (frame[column].astype(str).str.strip() != "")
        bad = filled & ~np.isfinite(values.fillna(np.nan))
        for index in np.flatnonzero(bad.to_numpy(dtype=bool)):
            findings.append(Finding(int(index) + 1, "not_a_number", parameter, str(frame[column].iloc[index])))
        keep = filled & ~bad & good_time & named
        part = base[keep].assign(parameter=parameter, value=values[keep].astype(float))
        parts.append(part)
    long = pd.concat(parts)
    read = len(long) + len(findings)
    long, twice = _once(long)
    return long, [*findings, *twice], read


def _once(long: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Each observation once. Where a source contradicts itself nobody knows which is right: what came first stays."""
    key = ["station", "parameter", "time"]
    first = ~long.duplicated(key)
    alike = long.duplicated([*key, "value", "origin"])
    findings = [
        Finding(int(index) + 1, "duplicate_observation", parameter, f"{station} {time.isoformat()} {value}")
        for index, station, parameter, time, value in long.loc[
            ~first & ~alike, ["station", "parameter", "time", "value"]
        ].itertuples()
    ]
    return long[first].reset_index(drop=True), findings


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
