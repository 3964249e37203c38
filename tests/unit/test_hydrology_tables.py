"""Do tables of one process name their columns so that each name has one title?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from types import ModuleType

import pytest

from shikong.processes.figures.table import Column
from shikong.processes.forecasts import tables as forecasts
from shikong.processes.hydrology import (
    areal_rainfall,
    drought_index,
    rain_frequency,
    reservoir_room,
    runoff,
    water_balance,
)


@pytest.mark.parametrize(
    "module", [areal_rainfall, drought_index, forecasts, rain_frequency, reservoir_room, runoff, water_balance]
)
def test_a_name_has_one_title_in_a_process(module: ModuleType) -> None:
    titles: dict[str, set[tuple[str, str | None]]] = {}
    for value in vars(module).values():
        for column in value if isinstance(value, tuple) else ():
            if isinstance(column, Column):
                titles.setdefault(column.name, set()).add((column.title.en, column.unit))
    assert titles
    assert {name: told for name, told in titles.items() if len(told) > 1} == {}
