"""From rain to flood: worked examples of handbooks, and what has to hold for any storm.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import gamma

from shikong.hydrology.series import muskingum, routing, runoff

INCH = 25.4

#: TR-55 (USDA 1986), table 2-1: runoff in inches by rain in inches and curve number.
TR_55 = (
    (1.0, 80, 0.08), (2.0, 70, 0.24), (2.0, 80, 0.56), (3.0, 75, 0.96), (4.0, 60, 0.76), (4.0, 90, 2.92), (5.0, 80, 2.89),
    (6.0, 70, 2.81), (8.0, 85, 6.21), (10.0, 65, 5.56), (12.0, 95, 11.39),
)  # fmt: skip

#: Chow, Maidment & Mays 1988, example 8.4.1: K = 2.3 h, X = 0.15, steps of 1 h, the first outflow 85 ft³/s.
INFLOW = np.array([93, 137, 208, 320, 442, 546, 630, 678, 691, 675, 634, 571, 477, 390, 329, 247, 184, 134, 108, 90.0])
OUTFLOW = np.array([85, 91, 114, 159, 233, 324, 420, 509, 578, 623, 642, 635, 603, 546, 479, 413, 341, 274, 215, 170.0])


@pytest.mark.parametrize(("rain", "cn", "expected"), TR_55)
def test_runoff_is_that_of_the_table(rain: float, cn: float, expected: float) -> None:
    assert runoff.excess(np.array([rain * INCH]), cn).sum() / INCH == pytest.approx(expected, abs=0.0051)


@settings(deadline=None)
@given(st.lists(st.floats(0, 60), min_size=1, max_size=30), st.floats(30, 100))
def test_runoff_does_not_depend_on_how_a_storm_is_cut(rain: list[float], cn: float) -> None:
    depths = np.array(rain)
    parts = runoff.excess(depths, cn)
    assert parts.sum() == pytest.approx(runoff.excess(np.array([depths.sum()]), cn)[0], abs=1e-9)
    assert (parts >= 0).all()
    assert (parts <= depths + 1e-9).all()


def test_moisture_makes_curve_numbers_of_the_handbook() -> None:
    # NEH 630, table 10-1: 100, 80 and 60 for usual ground are 100, 63 and 40 when dry, 100, 91 and 78 when wet.
    for usual, dry, wet in ((100, 100, 100), (80, 63, 91), (60, 40, 78)):
        assert runoff.adjusted(usual, "I") == pytest.approx(dry, abs=2)
        assert runoff.adjusted(usual, "III") == pytest.approx(wet, abs=1.5)
        assert runoff.adjusted(usual, "II") == usual
    told = [runoff.moisture(depth, growing=True) for depth in (35.5, 35.7, 53.2, 53.4)]
    assert told == ["I", "II", "II", "III"]
    assert runoff.moisture(20, growing=False) == "II"
    with pytest.raises(ValueError, match="at most 100"):
        runoff.retention(101)


@settings(deadline=None)
@given(st.floats(0.1, 5000), st.floats(0.6, 60), st.sampled_from([0.25, 0.5, 1.0]))
def test_unit_hydrographs_have_the_volume_of_a_millimetre(area: float, peak: float, step: float) -> None:
    for unit in (
        runoff.triangular(area, peak, step),
        runoff.dimensionless(area, peak, step),
        runoff.nash(area, 3, peak / 2, step),
    ):
        assert unit.sum() * step * 3600 == pytest.approx(area * 1000)
        assert (unit >= 0).all()


def test_peaks_are_those_of_the_handbook() -> None:
    # NEH 630, chapter 16: q = 484 A Q / Tp, in ft³/s of 1 inch over a square mile: 0.208 m³/s of 1 mm over a km².
    for make in (runoff.triangular, runoff.dimensionless):
        unit = make(100.0, 10.0, 0.25)
        assert unit.max() == pytest.approx(0.208 * 100 / 10, rel=0.01)
        assert (unit.argmax() + 1) * 0.25 == pytest.approx(10, abs=0.5)
    assert runoff.time_to_peak(6, 1) == 4.1


def test_nash_is_a_cascade_of_reservoirs() -> None:
    unit = runoff.nash(36.0, 3, 4.0, 1.0)
    middles = np.arange(len(unit)) + 0.5
    assert unit == pytest.approx(36 / 3.6 * gamma.pdf(middles, 3, scale=4), rel=0.02, abs=0.01)
    stores, out = np.zeros(3), []
    for step in range(40 * 200):  # 1 mm in the first hour through three linear reservoirs, in steps of 1/200 h
        inflow = 36 / 3.6 if step < 200 else 0.0
        for number in range(3):
            flow = stores[number] / 4
            stores[number] += (inflow - flow) / 200
            inflow = flow
        out.append(inflow)
    assert unit[:39] == pytest.approx(np.array(out).reshape(-1, 200).mean(axis=1)[1:40] * 0.5
                                      + np.array(out).reshape(-1, 200).mean(axis=1)[:39] * 0.5, abs=0.02)  # fmt: skip


def test_a_flood_has_the_volume_of_what_ran_off() -> None:
    excess = runoff.excess(np.array([5, 22, 31, 8.0]), 82)
    flow = runoff.convolved(excess, runoff.dimensionless(250, 5, 1))
    assert flow.sum() * 3600 == pytest.approx(excess.sum() * 250 * 1000)
    assert flow[0] == pytest.approx(excess[0] * runoff.dimensionless(250, 5, 1)[0])


def test_muskingum_is_the_worked_example() -> None:
    of = muskingum.coefficients(2.3, 0.15, 1)
    assert (of.now, of.before, of.outflow) == pytest.approx((0.0631, 0.3442, 0.5927), abs=5e-5)
    assert routing.muskingum(INFLOW, 2.3, 0.15, 1, 85) == pytest.approx(OUTFLOW, abs=0.6)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.2, 40), st.floats(0, 0.5), st.lists(st.floats(0, 900), min_size=2, max_size=40))
def test_routing_keeps_water_and_stays_within_the_flood(k: float, x: float, flood: list[float]) -> None:
    inflow = np.concatenate([[5.0], np.array(flood) + 5, np.full(int(20 * k) + 40, 5.0)])
    try:
        parts = muskingum.reaches(k, x, 1.0)
    except muskingum.Unstable:
        assume(False)
    out = routing.in_parts(inflow, k, x, 1.0, parts)
    assert out.min() >= 5 - 1e-6
    assert out.max() <= inflow.max() + 1e-6
    assert out.sum() == pytest.approx(inflow.sum(), rel=1e-3)


def test_steps_that_make_negative_coefficients_are_refused_with_what_is_right() -> None:
    with pytest.raises(muskingum.Unstable, match=r"between 4 and 16 h, not 1 h"):
        muskingum.coefficients(10, 0.2, 1)
    with pytest.raises(muskingum.Unstable):
        muskingum.reaches(0.3, 0.2, 1)
    with pytest.raises(ValueError, match="X from 0 to 0"):
        muskingum.coefficients(10, 0.6, 1)
    assert muskingum.reaches(10, 0.2, 1) == 4
    assert muskingum.reaches(2.3, 0.15, 1) == 1


def test_without_damping_a_reach_is_a_delay_and_without_weight_a_reservoir() -> None:
    assert routing.muskingum(INFLOW, 1, 0.5, 1, INFLOW[0])[1:] == pytest.approx(INFLOW[:-1])
    out, store = routing.muskingum(INFLOW, 5, 0, 1), [5 * INFLOW[0]]
    for before, now, left, leaves in zip(INFLOW, INFLOW[1:], out, out[1:], strict=False):
        store.append(store[-1] + (before + now) / 2 - (left + leaves) / 2)
    assert np.array(store) == pytest.approx(5 * out)


def test_cunge_tells_k_and_x_by_the_shape_of_a_reach() -> None:
    # 18 km at 2 m/s are 2.5 h; X = (1 - Q / (B S c L)) / 2 = (1 - 200 / (50 * 0.0004 * 2 * 18000)) / 2.
    assert routing.cunge(18, 0.0004, 50, 2, 200) == pytest.approx((2.5, 0.5 * (1 - 200 / 720)))
    assert routing.cunge(2, 0.0001, 50, 2, 200)[1] == 0
