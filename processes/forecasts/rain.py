"""The rain to come that a forecast counts on: as given, of an invented storm, or as the weather bureau expects it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shikong.hydrology.series.forecast import Floats
from shikong.processes.forecasts.chain import RainAhead
from shikong.processes.hydrology.readings import Source, Station
from shikong.processes.hydrology.storms import Invented


def unknown(gauges: Sequence[Station], ends: NDArray[np.int64]) -> Floats:
    """No rain is told."""
    return np.full((len(ends), len(gauges)), np.nan)


def given(values: Sequence[float]) -> RainAhead:
    """The same rain at all gauges, hour by hour; of later hours nothing is told."""

    def ahead(gauges: Sequence[Station], ends: NDArray[np.int64]) -> Floats:
        found = unknown(gauges, ends)
        number = min(len(values), len(ends))
        found[:number] = np.array(values[:number], dtype=float)[:, None]
        return found

    return ahead


def of_storm(storm: Invented) -> RainAhead:
    """That of an invented storm, which begins when the forecast does."""
    return lambda gauges, ends: storm.hourly(gauges, len(ends))


def expected(source: Source) -> RainAhead:
    """That of the weather bureau's runs: of each hour the newest that tells it."""
    of_runs = replace(source, layer_id=source.city.forecasts.rain)
    return lambda gauges, ends: of_runs.steps("drp", [gauge.code for gauge in gauges], ends, summed=True)
