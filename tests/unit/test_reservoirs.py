"""Reservoirs and balances: curves against their points, level pools against an integrator, figures that add up.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from shikong.hydrology.series import balance, reservoir
from shikong.hydrology.series.balance import Balance
from shikong.hydrology.series.reservoir import FloodLimit, LevelStorage, OutsideCurve
from shikong.layers import catalog
from shikong.layers.errors import DeclarationError

LEVELS, STORAGES = (30.0, 31.0, 32.0, 34.0, 37.0, 40.0), (0.0, 0.6, 1.7, 5.0, 13.0, 24.3)
CURVE = LevelStorage(LEVELS, STORAGES)


def test_a_curve_passes_its_points_and_rises_between_them() -> None:
    for level, storage in zip(LEVELS, STORAGES, strict=True):
        assert CURVE.storage(level) == pytest.approx(storage)
        assert CURVE.level(storage) == pytest.approx(level)
    fine = CURVE.storages_at(np.linspace(30, 40, 5001))
    assert (np.diff(fine) > 0).all()


@given(st.floats(30, 40))
def test_level_and_storage_turn_each_other_round(level: float) -> None:
    assert CURVE.level(CURVE.storage(level)) == pytest.approx(level, abs=1e-6)


def test_nothing_is_told_beyond_a_curve() -> None:
    for level in (29.99, 40.01):
        with pytest.raises(OutsideCurve, match="30 to 40 m"):
            CURVE.storage(level)
    with pytest.raises(OutsideCurve, match=r"0 to 24\.3"):
        CURVE.level(24.4)
    with pytest.raises(ValueError, match="levels of a curve rise"):
        LevelStorage((1.0, 1.0), (0.0, 1.0))
    with pytest.raises(ValueError, match="two points"):
        LevelStorage((1.0,), (0.0,))


@pytest.mark.parametrize(("day", "level"), [
    ("2024-06-01", 36.0), ("2024-08-31", 36.0), ("2024-05-31", None), ("2024-09-01", None),
    ("2024-12-01", 37.5), ("2024-12-31", 37.5), ("2025-01-01", 37.5), ("2024-02-29", 37.5), ("2025-03-01", None),
    ("2024-07-20", 35.0),
])  # fmt: skip
def test_limits_hold_on_their_days_also_over_the_end_of_the_year(day: str, level: float | None) -> None:
    limits = [FloodLimit("0601", "0831", 36), FloodLimit("0715", "0810", 35), FloodLimit("1201", "0229", 37.5)]
    found = reservoir.limit_on(limits, date.fromisoformat(day))
    assert (found.level if found else None) == level


def test_room_is_what_lies_between_and_may_be_below_nothing() -> None:
    assert reservoir.room(CURVE, 32, 34) == pytest.approx(3.3)
    assert reservoir.room(CURVE, 37, 34) == pytest.approx(-8)


def test_level_pool_routing_is_what_an_integrator_tells() -> None:
    hours = np.arange(60)
    inflow = 20 + 180 * np.exp(-(((hours - 15) / 6) ** 2))

    def spillway(level: float) -> float:
        return 3 + 28 * max(level - 34, 0) ** 1.5

    levels, outflows = reservoir.level_pool(inflow, CURVE, spillway, 33.0, 1.0)

    def change(hour: float, storage: np.ndarray) -> list[float]:
        return [(np.interp(hour, hours, inflow) - spillway(CURVE.level(float(storage[0])))) * 0.0036]

    exact = solve_ivp(change, (0, 59), [CURVE.storage(33.0)], t_eval=hours, rtol=1e-8, max_step=0.25)
    assert CURVE.storages_at(levels) == pytest.approx(exact.y[0], abs=0.02)
    kept = CURVE.storage(levels[-1]) - CURVE.storage(33.0)
    through = sum((a + b) / 2 for a, b in pairwise(inflow - outflows)) * 0.0036
    assert kept == pytest.approx(through, abs=1e-6)
    assert outflows.max() < inflow.max()
    with pytest.raises(OutsideCurve, match="ends at 40 m"):
        reservoir.level_pool(inflow * 9, CURVE, spillway, 33.0, 1.0)


volumes = st.one_of(st.none(), st.integers(-(10**9), 10**9))


@given(volumes, volumes, volumes, volumes, volumes)
def test_parts_of_a_balance_add_up_or_are_not_told(
    rain: int | None, inflow: int | None, evaporation: int | None, outflow: int | None, change: int | None
) -> None:
    parts = (rain, inflow, evaporation, outflow, change)
    found = Balance(rain, inflow, evaporation, outflow, change)
    if any(part is None for part in parts):
        assert found.rest is None
    else:
        assert found.rest is not None
        assert rain + inflow == evaporation + outflow + change + found.rest  # type: ignore[operator]


def test_sums_of_balances_know_what_is_not_known() -> None:
    whole = balance.total([Balance(10, 1, 2, 3, 4), Balance(20, None, 2, 3, 4)])
    assert (whole.rain, whole.inflow, whole.outflow, whole.rest) == (30, None, 6, None)
    assert balance.total([]).rain is None
    assert Balance(200, 10, None, 60, None).coefficient == 0.25
    assert Balance(0, 10, None, 60, None).coefficient is None
    assert balance.volume(np.array([1.0, np.nan]), 3600) is None
    assert balance.volume(np.full(24, 10.0), 3600) == 864
    assert balance.thousands(12.5, 2.0) == 25
    assert balance.thousands(float("nan"), 2.0) is None


@pytest.mark.parametrize(("old", "new", "field", "words"), [
    ("- [31.0, 0.62]", "- [31.0, 2.62]", "reservoirs.31156100", "rise from point to point"),
    ("dead_level: 31.0", "dead_level: 37.0", "reservoirs.31156100", "dead, normal and crest"),
    ('begins: "0621"', 'begins: "0631"', "reservoirs.31156100.flood_limits.0", "no day 0631"),
    ('begins: "0621"', 'begins: "621"', "reservoirs.31156100.flood_limits.0.begins", "pattern"),
    ("level: 35.5", "level: 30.5", "reservoirs.31156100", "between the dead level"),
])  # fmt: skip
def test_faults_in_declared_reservoirs_are_named(home: Path, old: str, new: str, field: str, words: str) -> None:
    file = home / "reservoirs.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        catalog.load(home)
    (fault,) = caught.value.faults
    assert fault.file == file
    assert fault.field == field
    assert words in fault.message
