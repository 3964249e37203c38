"""Which discharge goes with which stage? A rating curve by its points, from low to high.

Between the points the discharge is a monotone cubic of the stage (Fritsch & Carlson 1980, scipy's PCHIP), and stages
are found from it, so that both ways are the same curve. Above the last point it goes on by the power law
q = c (z - z0) ** b that is fitted to the curve's upper half and passes through that point (WMO-No. 1044, Manual on
Stream Gauging, vol. II, chapter 1); such values are extrapolated. Below the first point nothing is known: nan.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]

#: Points that a power law needs at least.
FEWEST = 3

#: Halvings of a stretch between two points: as many as a float has digits.
_HALVINGS = 60


@dataclass(frozen=True)
class Rating:
    """A curve by its points. stages: m. discharges: m³/s. Both rise from point to point."""

    stages: tuple[float, ...]
    discharges: tuple[float, ...]

    def discharge(self, stages: Floats) -> Floats:
        """The discharge at stages (t,)."""
        stages = np.asarray(stages, dtype=float)
        told: Floats = np.asarray(self._cubic(np.minimum(stages, self.stages[-1])), dtype=float)
        above = stages > self.stages[-1]
        told[above] = self._power.discharge(stages[above])
        told[~(stages >= self.stages[0])] = np.nan
        return told

    def stage(self, discharges: Floats) -> Floats:
        """The stage of discharges (t,)."""
        flows = np.asarray(discharges, dtype=float)
        part = np.clip(np.searchsorted(self.discharges, flows, side="right") - 1, 0, len(self.stages) - 2)
        low, high = np.array(self.stages)[part], np.array(self.stages)[part + 1]
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            over = self._cubic(middle) > flows
            low, high = np.where(over, low, middle), np.where(over, middle, high)
        told: Floats = (low + high) / 2
        above = self.extrapolated(flows)
        told[above] = self._power.stage(flows[above])
        told[~(flows >= self.discharges[0])] = np.nan
        return told

    def extrapolated(self, discharges: Floats) -> NDArray[np.bool_]:
        """Which discharges lie above the curve."""
        above: NDArray[np.bool_] = np.asarray(discharges) > self.discharges[-1]
        return above

    @cached_property
    def _cubic(self) -> PchipInterpolator:
        return PchipInterpolator(self.stages, self.discharges)

    @cached_property
    def _power(self) -> _Power:
        stages, flows = np.array(self.stages), np.array(self.discharges)
        upper = (stages >= (stages[0] + stages[-1]) / 2) & (flows > 0)
        upper[-FEWEST:] = flows[-FEWEST:] > 0
        stages, flows = stages[upper], flows[upper]
        span = self.stages[-1] - self.stages[0]

        def off(distance: float) -> float:
            return float(_fitted(stages, flows, distance)[1])

        best = minimize_scalar(off, bounds=(np.log(span / 1000), np.log(span * 3)), method="bounded",
                               options={"xatol": 1e-10})  # fmt: skip
        exponent, _ = _fitted(stages, flows, best.x)
        return _Power(self.stages[-1], self.discharges[-1], float(stages[0] - np.exp(best.x)), exponent)


@dataclass(frozen=True)
class _Power:
    """A power law through a point. zero: the stage without flow."""

    top: float
    flow: float
    zero: float
    exponent: float

    def discharge(self, stages: Floats) -> Floats:
        return np.asarray(self.flow * ((stages - self.zero) / (self.top - self.zero)) ** self.exponent)

    def stage(self, discharges: Floats) -> Floats:
        share: Floats = (discharges / self.flow) ** (1 / self.exponent)
        return np.asarray(self.zero + (self.top - self.zero) * share)


def _fitted(stages: Floats, flows: Floats, distance: float) -> tuple[float, float]:
    """The exponent of a power law whose zero is so far (logarithm of m) below the first stage, and its squares."""
    depths, logs = np.log(stages - stages[0] + np.exp(distance)), np.log(flows)
    (exponent, _), squares, *_ = np.polyfit(depths, logs, 1, full=True)
    return float(exponent), float(squares[0]) if len(squares) else 0.0
