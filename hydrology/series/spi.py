"""How dry or wet is it for the season? The standardized precipitation index (SPI).

The rain of the last k months is held against that of the same months of other years: a gamma distribution for each
calendar month, fitted after Thom 1958 to what is above 0, with the share q of dry ones before it, H = q + (1 - q) G,
and the index is the normal deviate of H (McKee, Doesken & Kleist 1993; Edwards & McKee 1997). A window with a missing
month has no index. Kept within 3.09, the deviate of 1 in 1000.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, ndtri

Floats = NDArray[np.float64]

LIMIT = 3.09

#: A distribution on fewer years above 0 is not fitted.
FEWEST = 10

#: From this index on down, after GB/T 20481: no drought above the first, then light, moderate, severe, extreme.
GRADES = (-0.5, -1.0, -1.5, -2.0)


def accumulated(monthly: Floats, scale: int) -> Floats:
    """The rain of the last `scale` months at each month (n,); nan where one of them is missing or before the record."""
    found = np.full(len(monthly), np.nan)
    if scale <= len(monthly):
        found[scale - 1 :] = np.lib.stride_tricks.sliding_window_view(monthly, scale).sum(axis=1)
    return found


def spi(monthly: Floats, scale: int, first_month: int = 1, reference: slice | None = None) -> Floats:
    """The index at each month.

    monthly: mm, one month after the other, nan where missing. first_month: the calendar month (1 to 12) of the first.
    reference: the months from which distributions are fitted (default: all). Raises ValueError for rain below 0.
    """
    rain = np.asarray(monthly, dtype=float)
    if (rain < 0).any():
        raise ValueError("rain below 0")
    total = accumulated(rain, scale)
    kept = np.zeros(len(total), dtype=bool)
    kept[reference or slice(None)] = True
    calendar = (np.arange(len(total)) + first_month - 1) % 12
    found = np.full(len(total), np.nan)
    for month in range(12):
        mine = (calendar == month) & ~np.isnan(total)
        found[mine] = _index(total[mine], total[mine & kept])
    return found


def _index(values: Floats, reference: Floats) -> Floats:
    """The index of sums of one calendar month. Nan where no distribution can be fitted."""
    wet = reference[reference > 0]
    if len(wet) < FEWEST or np.ptp(wet) == 0:
        return np.full(len(values), np.nan)
    spread = np.log(wet.mean()) - np.log(wet).mean()
    shape = (1 + np.sqrt(1 + 4 * spread / 3)) / (4 * spread)
    dry = 1 - len(wet) / len(reference)
    chance = dry + (1 - dry) * gammainc(shape, np.maximum(values, 0) * shape / wet.mean())
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(ndtri(chance), -LIMIT, LIMIT), dtype=float)


def grade(index: float) -> int:
    """How severe a drought is: 0 none, 1 light, 2 moderate, 3 severe, 4 extreme."""
    return sum(index <= bound for bound in GRADES)
