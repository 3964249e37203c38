"""Loading observations: from the rows of a source (ingest/observed_rows.py) to a release.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from psycopg import Connection

from shikong.ingest import observed_rows
from shikong.ingest.errors import IngestError
from shikong.ingest.features import Options, Progress, file_digest
from shikong.ingest.observed_rows import Rows
from shikong.ingest.quality import readings
from shikong.ingest.quality.findings import Account, Finding
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import observations, quarantine, releases, tables

_KEY = ["station", "parameter", "time"]


def load(
    conn: Connection[Any], catalog: Catalog, layer: Layer, source: Path | str, options: Options, progress: Progress
) -> Report:
    """Load observations into a layer. What is there and alike stays, what differs is corrected, the rest is added.

    source: a file, a folder of tables, or the address of a database. Raises IngestError.
    """
    name, parts = observed_rows.opened(source, layer, options, catalog.city.standard_time)
    digest = file_digest(source) if isinstance(source, Path) and source.is_file() else None
    made_from = releases.Source(name, digest, None, None, options.origin)
    return publish(conn, layer, made_from, parts, progress)


def publish(
    conn: Connection[Any], layer: Layer, source: releases.Source, parts: Iterator[Rows], progress: Progress
) -> Report:
    """Publish what the parts of a source hold as a release. Raises IngestError where nothing can be stored."""
    with conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")
        tables.ensure(conn, layer)
        account = Account()
        read, staged = _stage(conn, layer, parts, account, progress)
        if not staged:
            raise IngestError(f"no observation in {source.name} can be stored")
        refused = sum(number for (_, _, severity), number in account.counts.items() if severity == "error")
        release, counts = observations.publish(conn, layer, source, releases.Counts(read, read - refused, refused))
        quarantine.add_findings(conn, release, ((f.source_row, f.rule, f.field, f.severity, f.value, None, None)
                                                for f in account.findings))  # fmt: skip
        quarantine.add_results(conn, layer, release, account.counts, {})
    return Report(layer.id, source.name, "observations", "none", "places come from the stations", counts, release, [],
                  account.findings, account.counts)  # fmt: skip


def _stage(
    conn: Connection[Any], layer: Layer, parts: Iterator[Rows], account: Account, progress: Progress
) -> tuple[int, int]:
    """Stage what the parts of a source hold, each with its quality; returns how many values they had, and how many are
    staged: not those that are refused, or said twice."""
    known: dict[readings.Series, readings.Before] = {}
    staged = read = 0
    observations.empty_stage(conn)
    for part in parts:
        rows, twice = _once(part.values)
        account.add([*part.findings, *twice])
        quality, known = _judged(conn, layer, rows, known)
        account.add(_flagged(rows, quality))
        staged += observations.stage(conn, _tuples(rows, quality))
        read += part.read
        progress(read, None)
    return read, staged


def _judged(
    conn: Connection[Any], layer: Layer, rows: pd.DataFrame, known: dict[readings.Series, readings.Before]
) -> tuple[list[int], dict[readings.Series, readings.Before]]:
    """The quality of each row, and what later parts of the source follow on. known: what earlier parts held."""
    firsts = {
        (station, parameter): time.to_pydatetime(warn=False)
        for station, parameter, time in rows.drop_duplicates(_KEY[:2])[_KEY].itertuples(index=False)
        if (station, parameter) not in known
    }
    known = known | readings.before(conn, layer, firsts)
    series = zip(rows["station"], rows["parameter"], strict=True)
    return readings.judge(zip(series, rows["time"], rows["value"], strict=True), layer.parameters, known)


def _once(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Each observation once, in the order of series and time. Where a source contradicts itself nobody knows which is
    right: what came first stays."""
    first = ~rows.duplicated(_KEY)
    alike = rows.duplicated([*_KEY, "value", "origin"])
    findings = [
        Finding(source_row, "duplicate_observation", parameter, f"{station} {time.isoformat()} {value}")
        for source_row, station, parameter, time, value in rows.loc[
            ~first & ~alike, ["source_row", *_KEY, "value"]
        ].itertuples(index=False)
    ]
    return rows[first].sort_values(_KEY, kind="stable").reset_index(drop=True), findings


def _flagged(rows: pd.DataFrame, quality: list[int]) -> list[Finding]:
    """What is stored, but cannot be."""
    codes = np.asarray(quality)
    found = rows.loc[codes != readings.GOOD, ["source_row", *_KEY, "value"]]
    return [
        Finding(
            source_row, readings.RULES[code], parameter, f"{station} {time.isoformat()} {value}", severity="warning"
        )
        for (source_row, station, parameter, time, value), code in zip(
            found.itertuples(index=False), codes[codes != readings.GOOD].tolist(), strict=True
        )
    ]


def _tuples(rows: pd.DataFrame, quality: list[int]) -> Iterator[observations.Observation]:
    columns = (rows[name] for name in (*_KEY, "value"))
    for station, parameter, time, value, code, origin in zip(*columns, quality, rows["origin"], strict=True):
        yield station, parameter, time.to_pydatetime(warn=False), value, code, origin
