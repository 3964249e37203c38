"""How well do the daily model and the chain of forecasts do on real basins?

Two basins of CAMELS (Newman et al. 2015) and the Salmon River, in the files that lie beside the project. The model is
calibrated on the first part of each record and judged on the rest; the mean of what was observed, and that of each
calendar month, are judged beside it. Then forecasts of one to three days, the rain known: the model corrected by what
was observed last (AR(1)), the chain of hydrology/series/forecast.py likewise (its rain spread evenly over each day),
and that nothing changes. Run by `make bench-hydrology`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.optimize import differential_evolution

from shikong.hydrology.series import forecast, rainfall_runoff, runoff, scores
from shikong.hydrology.series.forecast import Floats, Ground

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.basins import BASINS, Basin, judged

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "hydrology"


def main() -> None:
    """Calibrate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED, help="the folder with the basins' files")
    parser.add_argument("--rounds", type=int, default=60, help="rounds of the search (default 60)")
    asked = parser.parse_args()
    if not asked.data.is_dir():
        sys.exit(f"no basins at {asked.data}")
    shown = Table("basin", "km²", "part", "days", "NSE", "KGE", "volume error", "NSE of the mean", "NSE of month means",
                  title="GR4J with a degree-day snow store, daily discharge")  # fmt: skip
    for read in BASINS:
        basin = read(asked.data)
        for row in rows(basin, asked.rounds):
            shown.add_row(*row)
    ahead = Table("basin", "simulated by", "NSE alone", "1 day", "2 days", "3 days", "nothing changes: 1", "2", "3",
                  title="Corrected by the last observation, validation days, NSE by days ahead")  # fmt: skip
    for read in BASINS[:2]:
        for row in forecasts(read(asked.data), asked.rounds):
            ahead.add_row(*row)
    Console(width=150).print(shown, ahead)


#: Days in which an error may fade to 1/e, of which the best on the calibration days is taken.
MEMORIES = (0.5, 1, 2, 3, 5, 8, 12, 20)


def forecasts(basin: Basin, rounds: int) -> list[tuple[str, ...]]:
    """The lines of a basin of CAMELS in the table of days ahead."""
    split = int(np.searchsorted(basin.days, pd.Timestamp(basin.split)))
    first, last = slice(basin.warm, split), slice(split, len(basin.days))
    models = {
        "GR4J": rainfall_runoff.calibrated(basin.forcing, basin.discharge, first, rounds=rounds).discharge,
        "SCS-CN, Nash": _chain(basin, first, rounds),
    }
    found = []
    for name, told in models.items():
        memory = max(MEMORIES, key=lambda days, told=told: _ahead(basin.discharge, told, first, 1, days))
        corrected = [f"{_ahead(basin.discharge, told, last, days, memory):.2f}" for days in (1, 2, 3)]
        still = [f"{_ahead(basin.discharge, np.zeros(len(told)), last, days, np.inf):.2f}" for days in (1, 2, 3)]
        alone = float(scores.nash_sutcliffe(basin.discharge[last], told[last]))
        found.append((basin.name, name, f"{alone:.2f}", *corrected, *still))
    return found


def _chain(basin: Basin, days: slice, rounds: int) -> Floats:
    """What the chain of forecasts tells (mm a day), calibrated on some days."""
    hourly = np.repeat(basin.forcing.rain / 24, 24)

    def told(chosen: Floats) -> Floats:
        cn, ratio, number, storage, base = chosen
        ground = Ground(cn, ratio, runoff.nash(basin.area, number, storage, 1.0), 0.0)
        flow = forecast.simulated(hourly, ground, [], growing=True).reshape(-1, 24).mean(axis=1)
        return flow * 86.4 / basin.area + base

    def worse(chosen: Floats) -> float:
        return 1 - float(scores.nash_sutcliffe(basin.discharge[days], told(chosen)[days]))

    bounds = [(30, 98), (0, 0.2), (1, 6), (1, 60), (0, 3)]
    return told(differential_evolution(worse, bounds, maxiter=rounds, popsize=6, rng=1, polish=False).x)


def _ahead(observed: Floats, told: Floats, days: slice, lead: int, memory: float) -> float:
    """The efficiency of forecasts so many days ahead, each corrected by the error of the day it is made on."""
    made = np.arange(days.start, days.stop - lead)
    made = made[~np.isnan(observed[made]) & ~np.isnan(observed[made + lead])]
    ahead = told[made + lead] + (observed[made] - told[made]) * np.exp(-lead / memory)
    return float(scores.nash_sutcliffe(observed[made + lead], ahead))


def rows(basin: Basin, rounds: int) -> list[tuple[str, ...]]:
    """The lines of a basin."""
    found = judged(basin, rounds)
    return [
        (basin.name, f"{basin.area:,.0f}", part, f"{of.days:,}", f"{of.nse:.2f}", f"{of.kge:.2f}", f"{of.volume:+.1%}",
         f"{of.nse_mean:.2f}", f"{of.nse_months:.2f}")
        for part, of in found.items()
    ]  # fmt: skip


if __name__ == "__main__":
    main()
