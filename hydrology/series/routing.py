"""How does a flood change on its way down a reach? Muskingum, and its parameters after Cunge.

Sources: Chow, Maidment & Mays 1988, 8.4 (Muskingum) and 9.7 (Muskingum-Cunge).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from shikong.hydrology.series.muskingum import coefficients

Floats = NDArray[np.float64]


def muskingum(inflow: Floats, k: float, x: float, step: float, first: float | None = None) -> Floats:
    """The outflow (t,) of a reach. inflow: m³/s at each step. first: the outflow at the first; default: the inflow.

    Raises Unstable.
    """
    of = coefficients(k, x, step)
    inflow = np.asarray(inflow, dtype=float)
    start = float(inflow[0]) if first is None else first
    routed, _ = lfilter([of.now, of.before], [1.0, -of.outflow], inflow[1:],
                        zi=[of.before * inflow[0] + of.outflow * start])  # fmt: skip
    return np.concatenate([[start], routed])


def in_parts(inflow: Floats, k: float, x: float, step: float, number: int) -> Floats:
    """The outflow of a reach that is divided into equal parts. Raises Unstable."""
    for _ in range(number):
        inflow = muskingum(inflow, k / number, x, step)
    return inflow


def cunge(length: float, slope: float, width: float, celerity: float, discharge: float) -> tuple[float, float]:
    """K (h) and X of a reach by its shape: length (km), bed slope, width at the surface (m), celerity of the flood
    (m/s) and a discharge that stands for it (m³/s). X below 0 is taken as 0."""
    metres = length * 1000
    x = 0.5 * (1 - discharge / (width * slope * celerity * metres))
    return metres / celerity / 3600, max(x, 0.0)
