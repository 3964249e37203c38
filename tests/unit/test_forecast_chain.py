"""From rain to stage: ratings, the chain by the hour, and what is declared of stations.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from shikong.hydrology.series import forecast, runoff
from shikong.hydrology.series.forecast import Ground, Inflow
from shikong.hydrology.series.rating import Rating
from shikong.layers import catalog
from shikong.layers.errors import DeclarationError
from shikong.layers.forecasts import ForecastStation
from support.sample_files import read

STATIONS = catalog.default().forecasts.stations


def _rating(of: ForecastStation) -> Rating:
    stages, flows = zip(*of.rating.pairs, strict=True)
    return Rating(stages, flows)


@pytest.mark.parametrize("code", STATIONS)
def test_a_declared_curve_is_that_of_the_readings_of_the_sample(sample: Path, code: str) -> None:
    """Within what the sample's readings are noisy by, 0.05 m; the same curve all over their range."""
    rows = read(sample, "hydro_observations")
    rows = rows[(rows["stcd"].astype(str) == code) & rows["z"].notna() & rows["q"].notna()]
    told = _rating(STATIONS[code]).stage(rows["q"].to_numpy())
    assert len(rows) > 100
    assert np.ptp(rows["z"]) > 1.5
    assert np.abs(told - rows["z"].to_numpy()).max() < 0.12
    assert float(np.sqrt(np.mean((told - rows["z"].to_numpy()) ** 2))) < 0.05


@pytest.mark.parametrize("code", STATIONS)
def test_a_curve_goes_through_its_points_both_ways_and_says_what_is_beyond_it(code: str) -> None:
    curve = _rating(STATIONS[code])
    stages, flows = np.array(STATIONS[code].rating.pairs).T
    assert curve.discharge(stages) == pytest.approx(flows, abs=1e-9)
    assert curve.stage(flows) == pytest.approx(stages, abs=1e-9)
    cubic = PchipInterpolator(stages, flows)
    for flow in np.linspace(flows[0] + 0.01, flows[-1], 40):
        expected = brentq(lambda stage, flow=flow: float(cubic(stage)) - flow, stages[0], stages[-1], xtol=1e-12)
        assert curve.stage(np.array([flow]))[0] == pytest.approx(expected, abs=1e-8)
    assert np.isnan(curve.discharge(np.array([stages[0] - 0.01, np.nan]))).all()
    assert np.isnan(curve.stage(np.array([-0.1, np.nan]))).all()
    assert curve.extrapolated(np.array([flows[-1], flows[-1] + 1])).tolist() == [False, True]


@settings(deadline=None, max_examples=60)
@given(st.floats(0.5, 300), st.floats(-3, 60), st.floats(1.2, 3.0), st.integers(5, 12))
def test_above_a_curve_the_power_law_of_its_points_goes_on(scale: float, zero: float, power: float, many: int) -> None:
    stages = zero + np.linspace(0.3, 5.0, many)
    curve = Rating(tuple(stages), tuple(scale * (stages - zero) ** power))
    above = zero + np.array([5.01, 6.0, 9.0])
    assert curve.discharge(above) == pytest.approx(scale * (above - zero) ** power, rel=2e-3)
    assert curve.stage(curve.discharge(above)) == pytest.approx(above, abs=1e-6)
    assert curve.discharge(np.array([stages[-1] + 1e-9]))[0] == pytest.approx(curve.discharges[-1])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.5, 200)), min_size=4, max_size=10), st.floats(0, 1.3))
def test_a_curve_rises_and_its_two_ways_are_one(steps: list[tuple[float, float]], at: float) -> None:
    stages, flows = np.cumsum(np.array(steps), axis=0).T
    curve = Rating(tuple(stages), tuple(flows))
    asked = stages[0] + np.linspace(0, at, 30) * (stages[-1] - stages[0])
    told = curve.discharge(asked)
    assert all(later >= before - 1e-9 for before, later in pairwise(told))
    assert curve.discharge(curve.stage(told)) == pytest.approx(told, rel=1e-6, abs=1e-6)


def test_storms_are_apart_after_a_dry_day_and_wet_ground_runs_off_more() -> None:
    rain = np.zeros(400)
    rain[[10, 20, 44]] = 20.0  # 24 hours after an hour of rain, there is a dry spell of 23
    rain[200:204] = 25.0
    rain[310:314] = 25.0
    found = list(forecast.storms(rain))
    assert [(storm.start, storm.stop) for storm in found] == [(10, 45), (200, 204), (310, 314)]
    ground = Ground(75, 0.2, np.ones(1), 0.0)
    ran = forecast.excess(rain, ground, growing=True)
    assert ran[:45].sum() == pytest.approx(runoff.excess(np.array([60.0]), runoff.adjusted(75, "I"))[0])
    assert ran[200:204].sum() == pytest.approx(runoff.excess(np.array([100.0]), runoff.adjusted(75, "I"))[0])
    assert ran[310:314].sum() == pytest.approx(runoff.excess(np.array([100.0]), runoff.adjusted(75, "III"))[0])
    always = forecast.excess(rain, replace(ground, moisture="I"), growing=True)
    assert always[310:314].sum() == pytest.approx(ran[200:204].sum())
    assert list(forecast.storms(np.zeros(9))) == []


def test_without_rain_a_forecast_is_the_recession_from_what_was_observed() -> None:
    told = np.full(60, 3.0)
    observed = np.full(60, np.nan)
    observed[8] = 43.0
    observed[20:] = 99.0  # is to come, and not known
    found = forecast.corrected(told, observed, 11, 24.0)
    assert found[8:] == pytest.approx(3 + 40 * np.exp(-(np.arange(8, 60) - 8) / 24))
    assert found[:8].tolist() == told[:8].tolist()
    observed[4] = 23.0
    assert forecast.corrected(told, observed, 11, 24.0)[3:9].tolist() == [3, 23, 28, 33, 38, 43]
    assert forecast.corrected(told, np.full(60, np.nan), 11, 24.0).tolist() == told.tolist()


def test_the_water_that_runs_off_and_comes_from_upstream_arrives() -> None:
    rain = np.zeros(600)
    rain[5:11] = 12.0
    above = np.concatenate([np.full(50, 2.0), np.full(40, 30.0), np.full(510, 2.0)])
    ground = Ground(80, 0.2, runoff.nash(120, 3, 4, 1.0), 1.5)
    found = forecast.simulated(rain, ground, [Inflow(above, 5.0, 0.2)], growing=False)
    ran = forecast.excess(rain, ground, growing=False).sum()
    assert (found - 1.5 - 2.0).sum() * 3.6 == pytest.approx(ran * 120 + 28 * 40 * 3.6, rel=1e-6)
    assert found[0] == pytest.approx(3.5)


@pytest.mark.parametrize(("old", "new", "field", "words"), [
    ("[33.188, 5.8]", "[33.188, 0.8]", "stations.31150200.rating", "rise from point to point"),
    ('station: "31150200"', 'station: "31150201"', "stations.31150300.upstream", "31150201"),
    ('station: "31150200"', 'station: "31150500"', "stations", "upstream of the next"),
    ("k: 1, x: 0.3", "k: 0.2, x: 0.45", "stations.31150300.upstream.0", "a step is between"),
    ("{nash_n: 2.3, nash_k: 7.5}", "{nash_n: 2.3}", "stations.31150200.unit", "either `concentration`"),
    ("{nash_n: 2.3, nash_k: 7.5}", "{nash_n: 2.3, nash_k: 7, concentration: 9}", "stations.31150200.unit", "either"),
    ("layer: hydro_observations", "layer: hydro_stations", "layer", "not a layer of observations"),
    ('"31150100": 0.5,', '"31150100": 0,', "stations.31150200.gauges.31150100", "greater than 0"),
    ("cn: 40", "cnn: 40", "stations.31150200.cn", "required"),
])  # fmt: skip
def test_faults_in_declared_forecasts_are_named(home: Path, old: str, new: str, field: str, words: str) -> None:
    file = home / "forecasts.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        catalog.load(home)
    fault = caught.value.faults[0]
    assert (fault.file, fault.field) == (file, field)
    assert words in fault.message


def test_stations_come_after_those_upstream() -> None:
    declared = catalog.default().forecasts
    assert declared.with_upstream("31150500") == ["31150200", "31150300", "31150500"]
    assert declared.with_upstream("31151200") == ["31151200"]
    assert sorted(declared.order()) == sorted(STATIONS)
