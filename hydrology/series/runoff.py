"""How much of a storm runs off, and when does it reach the outlet? SCS curve numbers and unit hydrographs.

Depths in mm, areas in km², times in hours, discharge in m³/s. Rain of a step ends at the step's stamp; the discharge is
that at the stamp.

Sources: USDA NRCS, National Engineering Handbook 630, chapter 10 (Q = (P - Ia)² / (P - Ia + S)) and 16 (dimensionless
and triangular unit hydrographs); Chow, Maidment & Mays 1988, 5.5 (curve numbers for dry and wet ground, and the rain of
five days that tells them: the handbook's own table until 1993, since left to local experience); Nash 1957 (cascade of
linear reservoirs).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

Floats = NDArray[np.float64]

#: How wet the ground is before a storm: dry, usual, wet.
Moisture = Literal["I", "II", "III"]

#: mm of the five days before below which the ground is dry and above which it is wet, by season.
FIVE_DAYS = {"dormant": (12.7, 27.9), "growing": (35.6, 53.3)}

#: The dimensionless unit hydrograph: time by time to peak, discharge by peak (NEH 630, table 16-1).
_TIME = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.2,
         2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.5, 5.0)  # fmt: skip
_SHARE = (0, 0.03, 0.1, 0.19, 0.31, 0.47, 0.66, 0.82, 0.93, 0.99, 1.0, 0.99, 0.93, 0.86, 0.78, 0.68, 0.56, 0.46, 0.39,
          0.33, 0.28, 0.207, 0.147, 0.107, 0.077, 0.055, 0.04, 0.029, 0.021, 0.015, 0.011, 0.005, 0)  # fmt: skip


def retention(cn: float) -> float:
    """What a ground can keep at most, in mm, by its curve number (0 to 100)."""
    if not 0 < cn <= 100:
        raise ValueError(f"a curve number is above 0 and at most 100, not {cn}")
    return 25400 / cn - 254


def is_growing(month: int) -> bool:
    """Whether plants grow in a month, as they do here from April to October."""
    return 4 <= month <= 10


def moisture(five_days: float, *, growing: bool) -> Moisture:
    """How wet the ground is by the rain of the five days before (mm)."""
    dry, wet = FIVE_DAYS["growing" if growing else "dormant"]
    return "I" if five_days < dry else "III" if five_days > wet else "II"


def adjusted(cn: float, condition: Moisture) -> float:
    """The curve number for dry or wet ground from that for the usual."""
    if condition == "I":
        return 4.2 * cn / (10 - 0.058 * cn)
    return 23 * cn / (10 + 0.13 * cn) if condition == "III" else cn


def excess(rain: Floats, cn: float, ratio: float = 0.2) -> Floats:
    """What runs off in each step (t,), in mm. rain: of each step, mm. ratio: Ia by S; a curve number holds for one."""
    kept = retention(cn)
    total = np.cumsum(np.asarray(rain, dtype=float))
    over = np.maximum(total - ratio * kept, 0)
    ran = np.divide(over**2, over + kept, out=np.zeros_like(over), where=over > 0)
    return np.diff(ran, prepend=0.0)


def time_to_peak(concentration: float, step: float) -> float:
    """Hours from the begin of a step's rain to the peak, by the time of concentration (NEH 630: D / 2 + 0.6 Tc)."""
    return step / 2 + 0.6 * concentration


def triangular(area: float, peak_time: float, step: float) -> Floats:
    """The triangular unit hydrograph: m³/s of 1 mm over the area, at the end of each step from the first on."""
    return _sampled(np.array([0.0, 1.0, 8 / 3]), np.array([0.0, 1.0, 0.0]), area, peak_time, step)


def dimensionless(area: float, peak_time: float, step: float) -> Floats:
    """The curved SCS unit hydrograph: m³/s of 1 mm over the area, at the end of each step from the first on."""
    return _sampled(np.array(_TIME, dtype=float), np.array(_SHARE, dtype=float), area, peak_time, step)


def _sampled(times: Floats, shares: Floats, area: float, peak_time: float, step: float) -> Floats:
    at = np.arange(1, int(np.ceil(times[-1] * peak_time / step)) + 1) * step
    return _volume(np.interp(at / peak_time, times, shares, right=0.0), area, step)


def nash(area: float, number: float, storage: float, step: float) -> Floats:
    """Nash's unit hydrograph of a step: `number` reservoirs, each with `storage` hours; as the others."""
    last = storage * (number + 12 * np.sqrt(number) + 12)
    at = np.arange(0, int(np.ceil(last / step)) + 1) * step
    return _volume(np.diff(gammainc(number, at / storage)), area, step)


def _volume(shape: Floats, area: float, step: float) -> Floats:
    """A hydrograph with the volume of 1 mm over the area: reading it at the steps alone would lose some."""
    if not shape.sum():
        raise ValueError("the unit hydrograph is shorter than a step")
    scaled: Floats = shape / shape.sum() * area / (3.6 * step)
    return scaled


def convolved(depths: Floats, unit: Floats) -> Floats:
    """The hydrograph (t + u - 1,) of what runs off in each step (t,), in m³/s."""
    return np.convolve(depths, unit)
