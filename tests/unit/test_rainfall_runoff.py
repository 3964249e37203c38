"""The daily model against airGR's figures, and on real basins.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shikong.hydrology.series import rainfall_runoff, scores
from shikong.hydrology.series.rainfall_runoff import Forcing
from support.basins import BASINS, camels, judged

#: Rain and potential evapotranspiration of thirty days.
RAIN = np.array([0, 0, 0, 50, 12.5, 0, 1.1, 0, 0, 0, 8.4, 28.1, 8.9, 5.1, 0, 0, 0, 0, 0, 0, 5.4, 26.6, 0, 4.1, 17.2, 0, 0, 0,
                 0, 0])  # fmt: skip
PET = np.array([2, 2.17, 2.33, 2.49, 2.64, 2.79, 2.93, 3.05, 3.16, 3.26, 3.34, 3.41, 3.46, 3.49, 3.5, 3.49, 3.47, 3.42, 3.36,
                3.29, 3.19, 3.08, 2.96, 2.83, 2.69, 2.53, 2.38, 2.21, 2.05, 1.88])  # fmt: skip

#: GR4J of grsuite 1.1.1, which is checked value by value against airGR 1.7.9; stores begin at 0.3 X1 and 0.5 X3.
AIR_GR = {
    (350.0, -0.5, 90.0, 1.7): [
        0.673802, 0.62377, 0.580002, 0.675972, 1.249525, 1.177411, 0.876508, 0.790685, 0.727039, 0.672001, 0.638239, 0.796488,
        1.24411, 1.138882, 0.92018, 0.822782, 0.757141, 0.700294, 0.650621, 0.606876, 0.57497, 0.708644, 1.157742, 0.933678,
        0.88094, 1.1914, 0.986031, 0.83867, 0.773482, 0.717046],
    (120.0, 1.2, 40.0, 3.4): [
        0.414735, 0.396025, 0.379081, 0.414763, 0.671298, 1.50654, 2.47701, 2.351582, 1.863167, 1.488721, 1.271445, 1.280295,
        1.802105, 3.189319, 4.046908, 3.416506, 2.62101, 2.023634, 1.650854, 1.403537, 1.23044, 1.210794, 1.586848, 2.595003,
        3.152259, 3.053621, 3.48828, 3.348295, 2.563493, 2.006905],
}  # fmt: skip


def test_gr4j_gives_the_figures_of_air_gr_one_set_or_many() -> None:
    sets = np.array(list(AIR_GR)).T
    both = rainfall_runoff.gr4j(np.column_stack([RAIN, RAIN]), PET, sets)
    for number, expected in enumerate(AIR_GR.values()):
        assert both[:, number] == pytest.approx(expected, abs=2e-6)
        alone = rainfall_runoff.gr4j(RAIN[:, None], PET, sets[:, [number]])
        assert alone[:, 0] == pytest.approx(both[:, number])


def test_evapotranspiration_is_that_of_oudin_within_his_radiation() -> None:
    # airGR 1.7.9, PE_Oudin, at 36.45° N; its radiation is after Morton, ours of FAO 56: 2 to 3 % apart.
    told = rainfall_runoff.oudin(np.array([15, 172, 300, 350]), np.array([-7.0, 18.3, 9.0, -1.0]), 36.45)
    assert told == pytest.approx([0, 4.04692, 1.27909, 0.26265], rel=0.035)


def test_snow_lies_until_it_melts_and_none_is_lost() -> None:
    cold = np.concatenate([np.full(40, -6.0), np.linspace(-6, 12, 60)])
    forcing = Forcing(np.full(100, 3.0), cold, np.zeros(100))
    water = rainfall_runoff.snow(forcing, np.array([0.0, 1.0]), np.array([3.0, 1.0]))
    assert not water[:40].any()
    assert water.sum(axis=0) == pytest.approx([300, 300])
    assert (water >= 0).all()


def test_scores_are_as_written() -> None:
    seen, told = np.array([1.0, 4, 2, np.nan, 8]), np.array([1.5, 3, 2, 99, 9])
    known, mine = seen[[0, 1, 2, 4]], told[[0, 1, 2, 4]]
    assert scores.nash_sutcliffe(seen, told) == pytest.approx(
        1 - ((known - mine) ** 2).sum() / ((known - known.mean()) ** 2).sum()
    )
    r = np.corrcoef(known, mine)[0, 1]
    expected = 1 - np.sqrt((r - 1) ** 2 + (mine.std() / known.std() - 1) ** 2 + (mine.mean() / known.mean() - 1) ** 2)
    assert scores.kling_gupta(seen, told) == pytest.approx(expected)
    assert scores.volume_error(seen, told) == pytest.approx(15.5 / 15 - 1)
    many = scores.nash_sutcliffe(seen, np.column_stack([told, seen]))
    assert many == pytest.approx([float(scores.nash_sutcliffe(seen, told)), 1])


@pytest.mark.parametrize("read", BASINS[:2])
def test_the_model_does_well_on_real_basins_that_it_has_not_seen(shared_data: Path, read: object) -> None:
    assert callable(read)
    found = judged(read(shared_data / "hydrology"), rounds=25)
    calibrated, validated = found["calibration"], found["validation"]
    assert calibrated.nse > 0.75
    # A record of a year: weather of other years is met worse, but far better than by the mean, or the usual months.
    assert validated.nse > 0.5
    assert validated.nse > validated.nse_mean + 0.5
    assert validated.nse > validated.nse_months + 0.25
    assert abs(validated.volume) < 0.2


def test_real_records_are_in_the_units_that_they_are_read_in(shared_data: Path) -> None:
    basin = camels(shared_data / "hydrology", "01022500", "", "2001-10-01")
    # Of the 1.2 m a year that fall in Maine, 0.4 to 0.8 m flow off.
    year = slice(0, 365)
    assert 900 < basin.forcing.rain[year].sum() < 1500
    assert 350 < basin.discharge[year].sum() < 900
    assert 400 < basin.forcing.pet[year].sum() < 800
    assert np.isnan(basin.discharge[-300:]).all()
