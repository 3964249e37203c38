"""How much can a reservoir still take, and what does it let out of a flood?

Levels in m of the reservoir's own vertical datum, storages in 10^6 m³, discharge in m³/s.

Sources: monotone interpolation after Fritsch & Carlson 1980 (scipy's PCHIP), which passes through the points and never
falls between rising ones; level pool routing after Chow, Maidment & Mays 1988, 8.2.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

Floats = NDArray[np.float64]


class OutsideCurve(ValueError):
    """A level or storage that the curve does not reach: nothing is told beyond its ends."""


@dataclass(frozen=True)
class LevelStorage:
    """A level-storage curve by its points, from the lowest to the highest."""

    levels: tuple[float, ...]
    storages: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.storages) or len(self.levels) < 2:
            raise ValueError("a curve has two points at least, each a level with a storage")
        for name, values in (("levels", self.levels), ("storages", self.storages)):
            if any(b <= a for a, b in pairwise(values)):
                raise ValueError(f"the {name} of a curve rise from point to point")

    @cached_property
    def _storage(self) -> PchipInterpolator:
        return PchipInterpolator(self.levels, self.storages, extrapolate=False)

    def storage(self, level: float) -> float:
        """The storage at a level. Raises OutsideCurve."""
        return float(self.storages_at(np.array([level]))[0])

    def storages_at(self, levels: Floats) -> Floats:
        """The storages at levels. Raises OutsideCurve."""
        low, high = self.levels[0], self.levels[-1]
        if (beyond := (levels < low) | (levels > high)).any():
            raise OutsideCurve(f"the curve reaches from {low:g} to {high:g} m, not to {levels[beyond][0]:g} m")
        return np.asarray(self._storage(levels), dtype=float)

    def level(self, storage: float) -> float:
        """The level at a storage. Raises OutsideCurve."""
        low, high = self.storages[0], self.storages[-1]
        if not low <= storage <= high:
            raise OutsideCurve(f"the curve reaches from {low:g} to {high:g} million m³, not to {storage:g}")
        if storage in (low, high):
            return self.levels[0 if storage == low else -1]
        return float(brentq(lambda level: float(self._storage(level)) - storage, self.levels[0], self.levels[-1]))


@dataclass(frozen=True)
class FloodLimit:
    """A flood-limit level (汛限水位) and the days of each year that it holds, first and last included, as MMDD.

    A period may go over the end of the year."""

    begins: str
    ends: str
    level: float

    def holds(self, day: date) -> bool:
        """Whether it holds on a day."""
        word = f"{day:%m%d}"
        if self.begins <= self.ends:
            return self.begins <= word <= self.ends
        return word >= self.begins or word <= self.ends


def limit_on(limits: Sequence[FloodLimit], day: date) -> FloodLimit | None:
    """The limit that holds on a day, the lowest of several; None where none does."""
    return min((each for each in limits if each.holds(day)), key=lambda each: each.level, default=None)


def room(curve: LevelStorage, level: float, limit: float) -> float:
    """What the reservoir can take up to a level; below 0 where it stands above. Raises OutsideCurve."""
    return curve.storage(limit) - curve.storage(level)


def level_pool(
    inflow: Floats, curve: LevelStorage, outflow: Callable[[float], float], level: float, step: float
) -> tuple[Floats, Floats]:
    """The levels and outflows (t,) while a flood passes a reservoir.

    inflow: m³/s at each step. outflow: m³/s at a level, which never falls as the level rises. level: at the first.
    step: hours. Raises OutsideCurve where the curve ends.
    """
    seconds = step * 3600 / 1e6
    levels, outflows = np.empty(len(inflow)), np.empty(len(inflow))
    levels[0], outflows[0] = level, outflow(level)
    low, high = curve.levels[0], curve.levels[-1]
    for now in range(1, len(inflow)):
        known = 2 * curve.storage(levels[now - 1]) / seconds - outflows[now - 1] + inflow[now - 1] + inflow[now]

        def missing(at: float, known: float = known) -> float:
            return 2 * curve.storage(at) / seconds + outflow(at) - known

        if missing(high) < 0 or missing(low) > 0:
            raise OutsideCurve(
                f"the curve ends at {high if missing(high) < 0 else low:g} m, and the reservoir does not"
            )
        levels[now] = brentq(missing, low, high, xtol=1e-9)
        outflows[now] = outflow(levels[now])
    return levels, outflows
