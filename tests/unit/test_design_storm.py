"""Invented storms by numbers: sums by scipy's integration, and where the centre is.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad

from shikong.hydrology.series import design_storm
from shikong.hydrology.series.design_storm import Storm

STORMS = st.builds(
    Storm, st.just(0.0), st.just(0.0), st.floats(1, 150), st.floats(1, 24), st.floats(2, 80), st.floats(0, 360),
    st.floats(0, 60), st.floats(0, 1),
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(STORMS, st.floats(-60_000, 60_000), st.floats(-60_000, 60_000))
def test_the_sum_at_a_place_is_the_integral_of_the_formula(storm: Storm, x: float, y: float) -> None:
    def rain(hour: float) -> float:
        top = storm.advancement * storm.duration
        share = hour / top if hour < top else (storm.duration - hour) / (storm.duration - top)
        away = storm.speed * (hour - top)
        east, north = away * math.sin(math.radians(storm.direction)), away * math.cos(math.radians(storm.direction))
        squares = (x / 1000 - east) ** 2 + (y / 1000 - north) ** 2
        return storm.peak * share * math.exp(-squares / storm.radius**2)

    hours = math.ceil(storm.duration)
    found = design_storm.hourly(storm, np.array([[x, y]]), hours + 2)
    assert not found[hours:].any()
    edges = sorted({0.0, storm.advancement * storm.duration, storm.duration})
    expected = sum(quad(rain, low, high, limit=200)[0] for low, high in pairwise(edges))
    assert found.sum() == pytest.approx(expected, rel=5e-3, abs=0.01)


def test_the_sum_over_the_plane_is_pi_radius_squared_times_that_at_the_centre() -> None:
    storm = Storm(3000.0, -2000.0, 40.0, 6.0, 15.0, 70.0, 20.0, 0.4)

    def at(y: float, x: float) -> float:
        return float(design_storm.rate(storm, np.array([[x * 1000, y * 1000]]), np.array([3.1]))[0, 0])

    volume = dblquad(at, -100, 100, -100, 100, epsabs=1e-3)[0]
    assert volume == pytest.approx(math.pi * 15**2 * 40 * (6 - 3.1) / 3.6, rel=1e-6)


@pytest.mark.parametrize(("direction", "east", "north"), [(0, 0, 1), (90, 1, 0), (180, 0, -1), (270, -1, 0),
                                                           (45, 0.5**0.5, 0.5**0.5)])  # fmt: skip
def test_the_centre_moves_as_told_and_has_the_heaviest_rain(direction: float, east: float, north: float) -> None:
    storm = Storm(1000.0, 2000.0, 60.0, 8.0, 12.0, direction, 25.0, 0.25)
    assert design_storm.centre(storm, np.array([2.0])) == pytest.approx(np.array([[1000.0, 2000.0]]))
    later = design_storm.centre(storm, np.array([5.0]))
    assert later == pytest.approx(np.array([[1000.0 + 75_000 * east, 2000.0 + 75_000 * north]]))
    axis = np.arange(-120_000, 120_001, 2_500.0)
    places = np.column_stack([one.ravel() for one in np.meshgrid(axis, axis)])
    heaviest = places[design_storm.rate(storm, places, np.array([5.0]))[0].argmax()]
    assert np.abs(heaviest - later[0]).max() <= 1_250
    assert design_storm.intensity(storm, np.array([-1.0, 0, 1, 2, 5, 8, 9])).tolist() == [0, 0, 30, 60, 30, 0, 0]
