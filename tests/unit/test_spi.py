"""SPI against the library climate-indices and against what must hold.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import warnings
from datetime import date

import numpy as np
import pytest
from climate_indices import compute, indices
from scipy.stats import gamma, norm

from shikong.hydrology.series import spi
from shikong.samples import records

YEARS = 60
RNG = np.random.default_rng(8)


def rain(dry: float = 0.15) -> np.ndarray:
    """Sixty years of months with a rainy summer, some of them dry."""
    usual = np.array([4, 8, 13, 27, 49, 76, 162, 124, 52, 29, 14, 5.0])
    found: np.ndarray = RNG.gamma(2.0, np.tile(usual, YEARS) / 2.0)
    found[RNG.random(len(found)) < dry] = 0
    return found


def library(monthly: np.ndarray, scale: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return indices.spi(monthly, scale, indices.Distribution.gamma, 1961, 1961, 1961 + YEARS - 1,
                           compute.Periodicity.monthly)  # fmt: skip


@pytest.mark.parametrize("scale", [1, 3, 6, 12, 24])
def test_it_is_what_climate_indices_tells(scale: int) -> None:
    monthly = rain()
    mine, theirs = spi.spi(monthly, scale), library(monthly, scale)
    assert (np.isnan(mine) == np.isnan(theirs)).all()
    there = ~np.isnan(mine)
    assert there.sum() == len(monthly) - scale + 1
    assert mine[there] == pytest.approx(theirs[there], abs=1e-6)


def test_the_sample_record_is_told_alike() -> None:
    days, found = records.rain(371500, date(2020, 12, 31))
    months = np.array(days, dtype="datetime64[M]").astype(int)
    monthly = np.bincount(months - months[0], weights=np.nan_to_num(found["31158100"]))
    for scale in (1, 12):
        mine, theirs = spi.spi(monthly, scale), library(monthly, scale)
        there = ~np.isnan(theirs)
        assert mine[there] == pytest.approx(theirs[there], abs=1e-6)


def test_a_missing_month_takes_the_windows_it_is_in_and_no_others() -> None:
    monthly = rain()
    monthly[400] = np.nan
    found = spi.spi(monthly, 6)
    assert np.isnan(found[400:406]).all()
    assert not np.isnan(found[5:400]).any()
    assert not np.isnan(found[406:]).any()


def test_it_is_the_normal_deviate_of_a_gamma_distribution() -> None:
    monthly = rain(dry=0)
    july = monthly[6::12]
    spread = np.log(july.mean()) - np.log(july).mean()
    shape = (1 + np.sqrt(1 + 4 * spread / 3)) / (4 * spread)
    expected = norm.ppf(gamma.cdf(july, shape, scale=july.mean() / shape))
    assert spi.spi(monthly, 1)[6::12] == pytest.approx(expected)
    # Thom's estimate is near the most likely one.
    likely, _, _ = gamma.fit(july, floc=0)
    assert shape == pytest.approx(likely, rel=0.01)


def test_dry_months_count_before_the_distribution() -> None:
    monthly = rain(dry=0)
    januaries = monthly[0::12]
    januaries[:15] = 0
    found = spi.spi(monthly, 1)[0::12]
    assert found[:15] == pytest.approx(norm.ppf(0.25))
    assert found[15:].min() > norm.ppf(0.25)


def test_it_has_mean_0_and_spread_1_and_its_bounds() -> None:
    found = spi.spi(rain(dry=0), 3)[2:]
    assert found.mean() == pytest.approx(0, abs=0.02)
    assert found.std() == pytest.approx(1, abs=0.03)
    monthly = rain(dry=0)
    monthly[300] = 5000
    assert spi.spi(monthly, 1)[300] == spi.LIMIT


def test_the_first_month_and_the_reference_are_heeded() -> None:
    monthly = rain()
    assert spi.spi(monthly[3:], 1, first_month=4)[:5] == pytest.approx(
        spi.spi(monthly, 1, reference=slice(3, None))[3:8]
    )
    half = spi.spi(monthly, 1, reference=slice(0, 360))
    assert half[:360] == pytest.approx(spi.spi(monthly[:360], 1))
    assert not np.isnan(half[360:]).any()


def test_what_cannot_be_fitted_is_not_told() -> None:
    assert np.isnan(spi.spi(rain()[: 9 * 12], 1)).all()
    assert np.isnan(spi.spi(np.full(600, 20.0), 1)).all()
    assert np.isnan(spi.spi(rain()[:5], 12)).all()
    with pytest.raises(ValueError, match="below 0"):
        spi.spi(np.array([-1.0]), 1)


@pytest.mark.parametrize(
    ("index", "grade"), [(0.4, 0), (-0.49, 0), (-0.5, 1), (-1.0, 2), (-1.5, 3), (-1.99, 3), (-2.0, 4)]
)
def test_grades(index: float, grade: int) -> None:
    assert spi.grade(index) == grade
