"""Real basins with rain, temperature and discharge by day, as lie beside the project, and how well the model does there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from shikong.hydrology.series import rainfall_runoff, scores
from shikong.hydrology.series.rainfall_runoff import Forcing

Floats = NDArray[np.float64]

CUBIC_FEET = 0.028316846592  # m³
#: m³/s over km² as mm a day.
DEPTH = 86.4


@dataclass(frozen=True)
class Basin:
    """area: km². discharge: mm a day, nan where missing. split: the first day that is judged only. warm: days before
    the first that counts."""

    name: str
    area: float
    days: pd.DatetimeIndex
    forcing: Forcing
    discharge: Floats
    split: str
    warm: int


@dataclass(frozen=True)
class Score:
    """How a part of a record is met, by the model and by two that know nothing of the weather."""

    days: int
    nse: float
    kge: float
    volume: float
    nse_mean: float
    nse_months: float


def camels(folder: Path, gauge: str, name: str, split: str) -> Basin:
    """A basin of CAMELS: forcing by Daymet (rain in mm/d), discharge in ft³/s."""
    file = folder / f"camels_{gauge}_daymet_forcing.txt"
    latitude, _, area = (float(line) for line in file.read_text(encoding="utf-8").splitlines()[:3])
    weather = pd.read_csv(file, sep=r"\s+", skiprows=4, header=None, usecols=[0, 1, 2, 5, 8, 9],
                          names=["year", "month", "day", "rain", "tmax", "tmin"])  # fmt: skip
    days = pd.DatetimeIndex(pd.to_datetime(weather[["year", "month", "day"]]))
    flow = pd.read_csv(folder / f"camels_{gauge}_streamflow_qc.txt", sep=r"\s+", header=None,
                       names=["gauge", "year", "month", "day", "q", "flag"])  # fmt: skip
    measured = flow["q"].where(flow["q"] >= 0).to_numpy() * CUBIC_FEET * DEPTH / (area / 1e6)
    series = pd.Series(measured, pd.DatetimeIndex(pd.to_datetime(flow[["year", "month", "day"]])))
    temperature = weather[["tmax", "tmin"]].mean(axis=1).to_numpy()
    pet = rainfall_runoff.oudin(days.day_of_year.to_numpy(), temperature, latitude)
    return Basin(name, area / 1e6, days, Forcing(weather["rain"].to_numpy(), temperature, pet),
                 series.reindex(days).to_numpy(), split, 270)  # fmt: skip


def salmon(folder: Path) -> Basin:
    """The Salmon River near Prince George: rain and snow in mm/d, its own potential evapotranspiration, m³/s."""
    with xr.open_dataset(folder / "salmon_river_meteo_q_daily.nc") as data:
        frame = data[["rain", "snow", "tmin", "tmax", "pet", "qobs"]].to_dataframe().reset_index("time")
    frame = frame[frame["time"] < "1975-01-01"]
    shape = json.loads((folder / "salmon_river_basin.geojson").read_text(encoding="utf-8"))
    area = float(shape["properties"]["UP_AREA"])
    temperature = frame[["tmin", "tmax"]].mean(axis=1).to_numpy()
    return Basin("Salmon River (BC)", area, pd.DatetimeIndex(frame["time"]),
                 Forcing((frame["rain"] + frame["snow"]).to_numpy(), temperature, frame["pet"].to_numpy()),
                 frame["qobs"].to_numpy() * DEPTH / area, "1965-01-01", 365)  # fmt: skip


BASINS = (
    lambda folder: camels(folder, "01022500", "01022500 Narraguagus River (Maine)", "2001-10-01"),
    lambda folder: camels(folder, "01547700", "01547700 Marsh Creek (Pennsylvania)", "2001-10-01"),
    salmon,
)


def judged(basin: Basin, rounds: int = 40) -> dict[str, Score]:
    """Calibrates on the days before the split, and judges there and on the days after it."""
    split = int(np.searchsorted(basin.days, pd.Timestamp(basin.split)))
    first = slice(basin.warm, split)
    fit = rainfall_runoff.calibrated(basin.forcing, basin.discharge, first, rounds=rounds)
    months = pd.Series(basin.discharge[first]).groupby(basin.days[first].month).mean()
    usual = basin.days.month.map(months).to_numpy(dtype=float)
    return {
        part: _score(basin.discharge[days], fit.discharge[days], float(np.nanmean(basin.discharge[first])), usual[days])
        for part, days in (("calibration", first), ("validation", slice(split, None)))
    }


def _score(observed: Floats, told: Floats, mean: float, usual: Floats) -> Score:
    return Score(
        int((~np.isnan(observed)).sum()),
        float(scores.nash_sutcliffe(observed, told)),
        float(scores.kling_gupta(observed, told)),
        float(scores.volume_error(observed, told)),
        float(scores.nash_sutcliffe(observed, np.full(len(observed), mean))),
        float(scores.nash_sutcliffe(observed, usual)),
    )
