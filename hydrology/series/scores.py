"""How near does a simulated series come to the observed one?

Observed values are (t,), simulated ones (t,) or (t, s) for s of them; times without an observed value do not count.

Sources: Nash & Sutcliffe 1970; Gupta et al. 2009 (Kling-Gupta efficiency).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def nash_sutcliffe(observed: Floats, simulated: Floats) -> Floats:
    """1 is perfect, 0 as good as the mean of what was observed, below that worse."""
    seen, told = _pairs(observed, simulated)
    return np.asarray(1 - ((told - seen) ** 2).sum(axis=0) / ((seen - seen.mean(axis=0)) ** 2).sum(axis=0))


def kling_gupta(observed: Floats, simulated: Floats) -> Floats:
    """1 is perfect; by correlation, spread and mean, each as far from 1 as the others."""
    seen, told = _pairs(observed, simulated)
    linked = ((seen - seen.mean(axis=0)) * (told - told.mean(axis=0))).mean(axis=0) / (
        seen.std(axis=0) * told.std(axis=0)
    )
    spread, mean = told.std(axis=0) / seen.std(axis=0), told.mean(axis=0) / seen.mean(axis=0)
    return np.asarray(1 - np.sqrt((linked - 1) ** 2 + (spread - 1) ** 2 + (mean - 1) ** 2))


def volume_error(observed: Floats, simulated: Floats) -> Floats:
    """By how much of what was observed the simulated sum is larger; a share of 1."""
    seen, told = _pairs(observed, simulated)
    return np.asarray(told.sum(axis=0) / seen.sum(axis=0) - 1)


def _pairs(observed: Floats, simulated: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(observed)
    told = simulated[known]
    return observed[known].reshape(-1, *[1] * (told.ndim - 1)), told
