"""Does the water that came account for the water that went? P + I = E + Q + dS + what does not close.

All parts are volumes in whole thousands of m³, so that they add up to the last digit. A part that is not known is None,
and so is what follows from it; nothing unknown counts as 0.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Balance:
    """Volumes in thousands of m³; None is not known."""

    rain: int | None
    inflow: int | None
    evaporation: int | None
    outflow: int | None
    storage_change: int | None

    @property
    def rest(self) -> int | None:
        """What came and is in none of the other parts: errors, and parts that nobody measures, such as groundwater."""
        parts = (self.rain, self.inflow, self.evaporation, self.outflow, self.storage_change)
        if any(part is None for part in parts):
            return None
        rain, inflow, evaporation, outflow, change = (part or 0 for part in parts)
        return rain + inflow - evaporation - outflow - change

    @property
    def coefficient(self) -> float | None:
        """What left by rivers beyond what came by them, by the rain; None where the rain is 0 or a part not known."""
        if not self.rain or self.inflow is None or self.outflow is None:
            return None
        return (self.outflow - self.inflow) / self.rain


def thousands(depth: float | None, area: float) -> int | None:
    """A depth (mm) over an area (km²) as a volume, in thousands of m³."""
    return None if depth is None or not np.isfinite(depth) else round(depth * area)


def volume(flow: Floats, seconds: float) -> int | None:
    """The volume of discharges (t,) in m³/s, the mean of each of equal steps, in thousands of m³; None with a gap."""
    if not len(flow) or np.isnan(flow).any():
        return None
    return round(float(flow.sum()) * seconds / 1000)


def total(balances: list[Balance]) -> Balance:
    """The sum of periods; a part that is not known in one of them is not known in the sum."""

    def summed(name: str) -> int | None:
        parts = [getattr(each, name) for each in balances]
        return None if not parts or any(part is None for part in parts) else sum(parts)

    return Balance(*(summed(name) for name in ("rain", "inflow", "evaporation", "outflow", "storage_change")))
