"""Frequency curves against published tables, scipy and samples of curves that are known.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearson3

from shikong.hydrology.series import frequency
from shikong.hydrology.series.frequency import Curve

#: Bulletin 17B (USGS 1982), appendix 3: K by the chance of being exceeded, for a skew of 1.0.
BULLETIN_17B = {0.99: -1.58838, 0.5: -0.16397, 0.2: 0.75752, 0.1: 1.34039, 0.04: 2.04269, 0.02: 2.54206, 0.01: 3.02256}

#: Kp of Chinese textbooks (皮尔逊Ⅲ型曲线模比系数) for Cv = 0.25: P in %, Cs = 2 Cv, Cs = 3 Cv.
KP = ((0.1, 1.96, 2.05), (0.2, 1.87, 1.95), (0.33, 1.81, 1.88), (0.5, 1.77, 1.82), (1, 1.67, 1.72), (2, 1.58, 1.61),
      (5, 1.45, 1.46), (10, 1.33, 1.34), (20, 1.20, 1.20), (50, 0.98, 0.97), (75, 0.82, 0.82), (90, 0.70, 0.71),
      (95, 0.63, 0.65), (99, 0.52, 0.56))  # fmt: skip


def test_quantiles_are_those_of_published_tables() -> None:
    for share, k in BULLETIN_17B.items():
        assert Curve(1, 1, 1).quantile(share) - 1 == pytest.approx(k, abs=1e-5)
    for percent, two, three in KP:
        assert Curve(1, 0.25, 0.5).quantile(percent / 100) == pytest.approx(two, abs=0.012)
        assert Curve(1, 0.25, 0.75).quantile(percent / 100) == pytest.approx(three, abs=0.012)
    # The question that goes with the table: mean 616.4 mm, Cv 0.25, Cs 0.75, P = 10 %; the answer is 826.0 mm.
    assert Curve(616.4, 0.25, 0.75).quantile(0.1) == pytest.approx(616.4 * 1.34, rel=0.006)


@settings(deadline=None)
@given(st.floats(10, 500), st.floats(0.1, 1.5), st.floats(2, 6), st.floats(0.001, 0.99))
def test_return_periods_turn_quantiles_round(mean: float, cv: float, ratio: float, share: float) -> None:
    curve = Curve(mean, cv, cv * ratio)
    value = float(curve.quantile(share))
    if share < 0.6:  # further down a strongly skewed curve, values lie too close together to be told apart
        assert curve.return_period(value) == pytest.approx(1 / share, rel=1e-3)
    assert value >= -1e-6
    assert curve.quantile(share / 2) >= value


def test_empirical_frequencies_are_m_by_n_plus_1() -> None:
    found = frequency.sample(np.array([3.0, 9, 1, 5, 7, 2, 8, 4, 6, 10]))
    assert found.values.tolist() == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert found.frequencies == pytest.approx(np.arange(1, 11) / 11)


def test_moments_are_as_written() -> None:
    values = np.random.default_rng(5).gamma(3, 20, 41)
    curve = frequency.moments(frequency.sample(values))
    k = values / values.mean()
    assert curve.mean == pytest.approx(values.mean())
    assert curve.cv == pytest.approx(values.std(ddof=1) / values.mean())
    assert curve.cs == pytest.approx(((k - 1) ** 3).sum() / ((41 - 3) * curve.cv**3))


@pytest.mark.parametrize("skew", [0.3, 0.9, 1.5, 2.8, 5.0])
def test_l_moments_find_the_curve_of_a_large_sample(skew: float) -> None:
    shares = (np.arange(200_000) + 0.5) / 200_000
    values = 100 + 40 * pearson3.ppf(shares, skew)
    curve = frequency.l_moments(values)
    assert (curve.mean, curve.cv, curve.cs) == pytest.approx((100, 0.4, skew), rel=4e-3)
    straight = frequency.l_moments(100 + 40 * np.array([-1.5, -1, -0.5, 0, 0.5, 1, 1.5, 0.2, -0.2, 0]))
    assert straight.cs == 0


@pytest.mark.parametrize("criterion", ["squares", "absolute", "relative"])
@pytest.mark.parametrize("ratio", [None, 3.5])
def test_the_fit_goes_through_points_of_a_curve(criterion: frequency.Criterion, ratio: float | None) -> None:
    true = Curve(80.0, 0.5, 1.75)
    shares = np.arange(1, 61) / 61
    values = true.quantile(shares)
    # The mean is kept, and that of 60 quantiles is a little below that of the curve they are of.
    curve = frequency.fit(frequency.sample(values), ratio, criterion)
    assert curve.mean == pytest.approx(values.mean())
    assert curve.quantile(shares[2:-6]) == pytest.approx(values[2:-6], rel=0.05)
    assert curve.cs / curve.cv == pytest.approx(3.5, abs=1.5 if ratio is None else 1e-9)
    away = {"squares": lambda off: (off**2).sum(), "absolute": lambda off: np.abs(off).sum(),
            "relative": lambda off: ((off / values) ** 2).sum()}[criterion]  # fmt: skip
    kept = Curve(curve.mean, 0.5, 1.75)
    assert away(curve.quantile(shares) - values) <= away(kept.quantile(shares) - values)


def test_the_fit_is_nearer_to_the_points_than_moments() -> None:
    found = frequency.sample(pearson3.rvs(1.8, 75, 38, 50, random_state=3))
    fitted, plain = frequency.fit(found), frequency.moments(found)
    off = {name: float(((curve.quantile(found.frequencies) - found.values) ** 2).sum())
           for name, curve in (("fitted", fitted), ("plain", plain))}  # fmt: skip
    assert off["fitted"] <= off["plain"]
    assert frequency.RATIO[0] <= fitted.cs / fitted.cv <= frequency.RATIO[1]


def test_storms_of_a_survey_are_ranked_in_its_span() -> None:
    record = np.array([210.0, 60, 55, 80, 71, 66, 49, 90, 120, 33, 45, 58])
    found = frequency.sample(record, np.array([300.0, 180.0]), 100)
    # The three largest of 100 years are 300, 210 of the record, and 180; what is left of the record comes below them.
    assert found.values[:3].tolist() == [300, 210, 180]
    assert found.historic.tolist() == [True, False, True] + [False] * 11
    assert found.frequencies[:3] == pytest.approx(np.array([1, 2, 3]) / 101)
    last = 3 / 101
    assert found.frequencies[3:] == pytest.approx(last + (1 - last) * np.arange(1, 12) / 12)
    weights = np.array([1, 1, 1] + [97 / 11] * 11)
    mean = (weights * found.values).sum() / 100
    curve = frequency.moments(found)
    assert curve.mean == pytest.approx(mean)
    assert curve.cv == pytest.approx(np.sqrt((weights * (found.values - mean) ** 2).sum() / 99) / mean)


def test_a_survey_that_tells_nothing_new_changes_nothing() -> None:
    record = np.random.default_rng(2).gamma(4, 20, 50)
    plain = frequency.sample(record)
    top = np.sort(record)[-1:]
    same = frequency.sample(np.delete(record, record.argmax()), top, 50)
    assert same.frequencies == pytest.approx(plain.frequencies)
    assert frequency.moments(same).cv == pytest.approx(frequency.moments(plain).cv)


def test_a_survey_is_of_great_values() -> None:
    with pytest.raises(ValueError, match="no great one"):
        frequency.sample(np.arange(30.0) + 50, np.array([40.0]), 100)


def test_too_few_values_and_too_short_spans_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 10"):
        frequency.sample(np.arange(9.0))
    for span in (None, 12):
        with pytest.raises(ValueError, match="at least 14 years"):
            frequency.sample(np.arange(12.0) + 1, np.array([30.0, 40.0]), span)
