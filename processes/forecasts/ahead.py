"""What was observed, with what is forecast after it, as the rules for warnings look at it; and what follows from it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from psycopg import Connection

from shikong.hydrology.series.forecast import Floats
from shikong.layers.warning_rules import duration
from shikong.processes.forecasts.chain import Forecast, RainAhead, Run
from shikong.processes.hydrology import storms
from shikong.processes.hydrology.readings import Source, Station
from shikong.processes.warnings import facts
from shikong.processes.warnings.engine import Event, Series, Stations, replay


def gauges(source: Source) -> list[Station]:
    """The stations that have read rain."""
    return list({gauge.code: gauge for name in storms.RAIN for gauge in source.stations(name)}.values())


def extend(
    observed: dict[str, dict[str, Series]], run: Run, found: Sequence[Forecast], at: Sequence[Station], rain: RainAhead
) -> None:
    """Put stages and discharges that are forecast, and the rain to come at some gauges, after what was observed."""
    for one in found:
        for parameter, course in (("z", one.stage), ("q", one.flow)):
            _add(observed, one.station.code, parameter, run, course[run.ahead])
    if at:
        expected = rain(at, run.hours.ends[run.ahead])
        for column, gauge in enumerate(at):
            _add(observed, gauge.code, storms.RAIN[0], run, expected[:, column])


def events(
    conn: Connection[Any], source: Source, run: Run, found: Sequence[Forecast], rain: RainAhead
) -> tuple[list[Event], Stations]:
    """The warnings that the rules give, and the stations. Values that count at the issue are looked at from when they
    came, so that what is in force then is issued by then."""
    rules = facts.rules_of(source.city)
    issue, end = (datetime.fromtimestamp(int(run.hours.ends[at]), UTC) for at in (run.now, -1))
    stations = facts.stations(conn, source.city)
    observed = facts.read(conn, source.city, None, issue, issue, source.moment.known_at).observed
    extend(observed, run, found, gauges(source), rain)
    return list(replay(rules, stations, observed, issue - duration(rules.stale), end)), stations


def _add(observed: dict[str, dict[str, Series]], code: str, parameter: str, run: Run, values: Floats) -> None:
    known = ~np.isnan(values)
    if known.any():
        later = Series(run.hours.ends[run.ahead][known].astype(float), values[known])
        series = observed.setdefault(code, {})
        series[parameter] = series[parameter].then(later) if parameter in series else later
