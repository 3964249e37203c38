"""Runs: the forecasts of all declared stations, published as a release of their layer, and the warnings they bring.

A run writes what lies ahead of its issue; values of earlier times stay as the runs before had them. The release tells
the issue as the time since which it holds, and answers as an instance of EDR.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from psycopg import Connection, sql

from shikong.ingest import observations
from shikong.ingest.features import Progress
from shikong.ingest.observed_rows import Rows
from shikong.layers.catalog import Catalog
from shikong.layers.warning_rules import duration
from shikong.processes.figures.sources import sources_of
from shikong.processes.forecasts import ahead, chain, rain, warned
from shikong.processes.forecasts.chain import Forecast, Run
from shikong.processes.hydrology.hours import HOUR
from shikong.processes.hydrology.readings import Source
from shikong.store import locks, observed_tables, releases, tables
from shikong.store.database import Database, one_state
from shikong.store.moments import NOW

#: What its releases are told to come from.
NAME = "water-forecast"

_DUE = """
    SELECT
        (SELECT max(l.time) FROM {latest} AS l JOIN {series} AS s ON s.id = l.series
         WHERE l.quality = 0 AND s.parameter = ANY (%(parameters)s) AND s.station = ANY (%(stations)s)),
        (SELECT max(valid_from) FROM shikong.release WHERE layer = %(layer)s AND published_at IS NOT NULL),
        (SELECT max(published_at) > clock_timestamp() - %(every)s::interval FROM shikong.release
         WHERE layer = %(layer)s AND valid_from IS NOT NULL)
"""


@dataclass(frozen=True)
class Outcome:
    """What a run came to. release: None where there was nothing to forecast."""

    release: int | None
    issue: datetime | None
    stations: int

    @property
    def told(self) -> str:
        """The outcome in a line."""
        if self.release is None or self.issue is None:
            return "nothing to forecast: no declared station has readings"
        return f"release {self.release}: {self.stations} stations from {self.issue.isoformat(timespec='minutes')} on"


def update(database: Database, city: Catalog, horizon: int | None = None) -> Outcome:
    """Compute the forecasts from the newest reading on and publish them. A run that is under way is waited for.

    horizon: hours ahead; None for as many as are declared.
    """
    declared = city.forecasts
    layer = city.layer(declared.published_as)
    with database.thread_session() as conn, locks.loading(conn, layer.id):
        for name in (declared.layer, declared.rain):
            tables.ensure(conn, city.layer(name))
        with one_state(conn):
            source = Source(conn, city, NOW, declared.layer)
            newest = source.newest("z", "q", "drp", codes=_codes(city))
            if newest is None:
                return Outcome(None, None, 0)
            run = chain.run_of(newest, horizon or declared.horizon, city.city.timezone)
            expected = rain.expected(source)
            found = chain.forecasts(source, declared, run, declared.order(), expected)
            events, stations = ahead.events(conn, source, run, found, expected)
            sample = _on_samples(conn, city)
        if not found:
            return Outcome(None, None, 0)
        issue = datetime.fromtimestamp(int(run.hours.ends[run.now]), UTC)
        rows = _rows(run, found, sample=sample)
        origin: Literal["generated", "delivered"] = "generated" if "generated" in set(rows["origin"]) else "delivered"
        made_from = releases.Source(NAME, None, None, None, origin, valid_from=issue)
        report = observations.publish(conn, layer, made_from, iter([Rows(rows, [], len(rows))]), _silent)
        warned.publish(conn, city, warned.ahead(city, issue, events, stations), stations, origin)
    return Outcome(report.release, issue.astimezone(run.hours.zone), len(found))


def due(database: Database, city: Catalog) -> str | None:
    """A word for the readings that no run has seen, where the last run is old enough; None otherwise."""
    declared = city.forecasts
    parts = observed_tables.names(city.layer(declared.layer))
    params = {
        "parameters": ["z", "q", "drp"], "stations": _codes(city), "layer": declared.published_as,
        "every": duration(declared.every),
    }  # fmt: skip
    newest, issue, young = database.thread_fetch(sql.SQL(_DUE).format(**parts), params)[0]
    if newest is None or young:
        return None
    hour = datetime.fromtimestamp(newest.timestamp() // HOUR * HOUR, UTC)
    return hour.isoformat() if issue is None or hour > issue else None


def work(database: Database, city: Catalog, progress: Progress) -> str:
    """Make a run and say what it came to, as a job of a worker."""
    outcome = update(database, city)
    progress(outcome.stations, outcome.stations)
    return outcome.told


def _codes(city: Catalog) -> list[str]:
    """The stations whose readings forecasts rest on."""
    stations = city.forecasts.stations
    return sorted({*stations, *(gauge for station in stations.values() for gauge in station.gauges)})


def _on_samples(conn: Connection[Any], city: Catalog) -> bool:
    """Whether what is observed or expected is a sample."""
    return sources_of(conn, city, (city.forecasts.layer, city.forecasts.rain), NOW)[1] is not None


def _rows(run: Run, found: Sequence[Forecast], *, sample: bool) -> pd.DataFrame:
    """The values ahead as rows of observations; what is not told has none."""
    times = pd.to_datetime(run.hours.ends[run.ahead], unit="s", utc=True)
    parts = []
    for one in found:
        made_up = sample or one.declared.origin == "generated"
        for parameter, values, digits in (("z", one.stage, 3), ("q", one.flow, 3), ("arp", one.rain, 2)):
            told = np.round(values[run.ahead], digits)
            parts.append(pd.DataFrame({
                "station": one.station.code, "parameter": parameter, "time": times, "value": told,
                "origin": "generated" if made_up else "delivered",
            })[~np.isnan(told)])  # fmt: skip
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(source_row=np.arange(1, len(rows) + 1))


def _silent(done: int, total: int | None) -> None:
    """Nobody waits for this step by itself."""
