"""Areal rain against points thrown at random, systems solved with numpy, pykrige itself and what must hold always.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pykrige.ok import OrdinaryKriging

from shikong.hydrology.series import areal

RNG = np.random.default_rng(20)
BASIN = shapely.Polygon([(0, 0), (30_000, 4_000), (42_000, 20_000), (22_000, 36_000), (3_000, 24_000), (9_000, 12_000)])
#: In the plane of the city, where digits run out first.
FAR = np.array([409_000.0, 4_036_000.0])
GAUGES = RNG.uniform((-8_000, -8_000), (48_000, 44_000), (9, 2)) + FAR
AREA = shapely.transform(BASIN, lambda xy: xy + FAR)


def test_thiessen_weights_are_the_shares_of_random_points() -> None:
    weights = areal.thiessen(GAUGES, AREA)
    west, south, east, north = AREA.bounds
    points = RNG.uniform((west, south), (east, north), (400_000, 2))
    points = points[shapely.contains_xy(AREA, points)]
    nearest = ((points[:, None] - GAUGES[None]) ** 2).sum(axis=2).argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(GAUGES)) / len(points)
    assert weights == pytest.approx(shares, abs=4e-3)
    assert weights.sum() == pytest.approx(1)


def test_thiessen_knows_one_gauge_two_and_those_at_one_place() -> None:
    assert areal.thiessen(GAUGES[:1], AREA) == pytest.approx([1])
    middle = np.array(shapely.centroid(AREA).coords[0])
    box = shapely.box(*(middle - 1000), *(middle + 1000))
    assert areal.thiessen(np.array([middle - np.array([500, 0]), middle + np.array([500, 0])]), box) == pytest.approx(
        [0.5, 0.5]
    )
    twice = np.vstack([GAUGES, GAUGES[2]])
    weights, plain = areal.thiessen(twice, AREA), areal.thiessen(GAUGES, AREA)
    assert weights[[2, -1]] == pytest.approx([plain[2] / 2] * 2)
    assert areal.thiessen(np.vstack([GAUGES[0], GAUGES[0]]), AREA) == pytest.approx([0.5, 0.5])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_weights_add_up_to_one_and_are_not_below_nothing(number: int, seed: int) -> None:
    places = np.random.default_rng(seed).uniform(-50_000, 90_000, (number, 2)).round(-2) + FAR
    targets = areal.inside(AREA, 60)
    for weights in (areal.thiessen(places, AREA), areal.idw_area(targets)(places)):
        assert weights.sum() == pytest.approx(1)
        assert weights.min() >= 0
    kriged = areal.kriging(places, targets, areal.variogram(places, places[:, 0] / 1000))
    assert kriged.sum(axis=1) == pytest.approx(np.ones(len(targets)), abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(arrays(float, (24, 4), elements=st.one_of(st.just(float("nan")), st.floats(0, 80))))
def test_a_missing_gauge_is_left_out_of_its_hours_alone(rain: np.ndarray) -> None:
    places = GAUGES[:4]
    found = areal.series(rain, places, lambda there: areal.thiessen(there, AREA))
    for hour, values in enumerate(rain):
        there = ~np.isnan(values)
        if not there.any():
            assert np.isnan(found.values[hour])
            continue
        expected = float(areal.thiessen(places[there], AREA) @ values[there])
        assert found.values[hour] == pytest.approx(expected)
        assert values[there].min() - 1e-9 <= found.values[hour] <= values[there].max() + 1e-9
        assert found.patterns[found.which[hour]].tolist() == there.tolist()
    assert len(found.patterns) <= len(rain)


def test_weights_are_made_once_for_each_pattern() -> None:
    rain = RNG.gamma(0.5, 3, (720, 9))
    rain[RNG.random(720) < 0.1, 3] = np.nan
    made = []

    def weigh(places: np.ndarray) -> np.ndarray:
        made.append(len(places))
        return np.full(len(places), 1 / len(places))

    areal.series(rain, GAUGES, weigh)
    assert sorted(made) == [8, 9]


def test_inverse_distances_honour_gauges_and_are_as_written() -> None:
    assert areal.idw(GAUGES, GAUGES) == pytest.approx(np.eye(len(GAUGES)))
    target = np.array([[410_000.0, 4_040_000.0]])
    inverse = 1 / np.linalg.norm(GAUGES - target, axis=1) ** 3
    assert areal.idw(GAUGES, target, 3)[0] == pytest.approx(inverse / inverse.sum())
    weights = areal.idw(GAUGES, GAUGES + 1e-7, 6)
    assert np.isfinite(weights).all()
    assert weights == pytest.approx(np.eye(len(GAUGES)), abs=1e-6)


def test_kriging_is_what_pykrige_tells_and_what_the_equations_give() -> None:
    values = GAUGES[:, 0] / 2000 + RNG.normal(0, 3, len(GAUGES))
    vary = areal.variogram(GAUGES, values)
    targets = areal.inside(AREA, 50)
    told = areal.kriging(GAUGES, targets, vary) @ values
    library = OrdinaryKriging(*GAUGES.T, values, vary.model, variogram_parameters=list(vary.parameters))
    expected, _ = library.execute("points", *targets.T)
    assert told == pytest.approx(np.asarray(expected), rel=1e-6)
    sill, reach, nugget = vary.parameters
    for target, one in zip(targets[:5], told[:5], strict=True):
        gamma = [[_spherical(np.linalg.norm(a - b), sill, reach, nugget) for b in (*GAUGES, target)] for a in GAUGES]
        system = np.ones((len(GAUGES) + 1, len(GAUGES) + 1))
        system[:-1, :-1] = np.array(gamma)[:, :-1]
        system[-1, -1] = 0
        solved = np.linalg.solve(system, np.append(np.array(gamma)[:, -1], 1))
        assert one == pytest.approx(float(solved[:-1] @ values))


def _spherical(distance: float, sill: float, reach: float, nugget: float) -> float:
    if distance == 0:
        return 0
    share = min(distance / reach, 1)
    return nugget + sill * (1.5 * share - 0.5 * share**3)


def test_kriging_honours_the_data_and_bears_gauges_at_one_place() -> None:
    values = RNG.gamma(2, 10, len(GAUGES))
    vary = areal.variogram(GAUGES, values)
    assert areal.kriging(GAUGES, GAUGES, vary) @ values == pytest.approx(values)
    twice = areal.kriging(np.vstack([GAUGES, GAUGES[0]]), areal.inside(AREA, 20), vary)
    assert twice[:, [0, -1]].sum(axis=1) == pytest.approx(areal.kriging(GAUGES, areal.inside(AREA, 20), vary)[:, 0])


def test_few_gauges_and_equal_values_have_a_variogram_too() -> None:
    for places, values in ((GAUGES[:3], np.arange(3.0)), (GAUGES, np.full(9, 4.0))):
        vary = areal.variogram(places, values)
        assert vary.model == "linear"
        assert areal.kriging_area(areal.inside(AREA), vary)(places).sum() == pytest.approx(1)


def test_sums_are_those_of_the_hours() -> None:
    rain = RNG.gamma(0.5, 3, (48, 9))
    rain[5:9, 2] = rain[30, :4] = np.nan
    targets = areal.inside(AREA, 30)
    found = areal.sums(rain, GAUGES, lambda places: areal.idw(places, targets))
    expected = np.zeros(len(targets))
    for values in rain:
        there = ~np.isnan(values)
        expected += areal.idw(GAUGES[there], targets) @ values[there]
    assert found == pytest.approx(expected)
    assert found.mean() == pytest.approx(areal.series(rain, GAUGES, areal.idw_area(targets)).values.sum())
    rain[7] = np.nan
    assert np.isnan(areal.sums(rain, GAUGES, lambda places: areal.idw(places, targets))).all()


def test_points_fill_an_area_however_thin() -> None:
    points = areal.inside(AREA)
    assert 380 <= len(points) <= 420
    assert shapely.contains_xy(AREA, points).all()
    thin = areal.inside(shapely.Polygon([(0, 0), (1, 0), (90_000, 90_000.1)]))
    assert 1 <= len(thin) <= areal.MOST_POINTS
