"""What was observed, with what is forecast after it, as the rules for warnings look at it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shikong.hydrology.series.forecast import Floats
from shikong.processes.forecasts.chain import Forecast, RainAhead, Run
from shikong.processes.hydrology import storms
from shikong.processes.hydrology.readings import Source, Station
from shikong.processes.warnings.engine import Series


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


def _add(observed: dict[str, dict[str, Series]], code: str, parameter: str, run: Run, values: Floats) -> None:
    known = ~np.isnan(values)
    if known.any():
        later = Series(run.hours.ends[run.ahead][known].astype(float), values[known])
        series = observed.setdefault(code, {})
        series[parameter] = series[parameter].then(later) if parameter in series else later
