"""The coefficients of Muskingum, and the steps that they allow. Apart from the routing, so that declarations can be
held against them without arrays being loaded.

Source: Chow, Maidment & Mays 1988, 8.4 (eq. 8.4.7 to 8.4.11).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


class Unstable(ValueError):
    """A coefficient would be below 0, and with it outflows that no river has. `reaches` would be enough, if any are."""

    def __init__(self, step: float, k: float, x: float) -> None:
        self.lowest, self.highest = 2 * k * x, 2 * k * (1 - x)
        super().__init__(
            f"with K = {k:g} h and X = {x:g} a step is between {self.lowest:g} and {self.highest:g} h, not {step:g} h"
        )


@dataclass(frozen=True)
class Coefficients:
    """Of the inflow now, the inflow before and the outflow before; they add up to 1."""

    now: float
    before: float
    outflow: float


def coefficients(k: float, x: float, step: float) -> Coefficients:
    """k, step: hours. x: 0 (a reservoir) to 0.5 (no damping). Raises Unstable."""
    if k <= 0 or not 0 <= x <= 0.5:
        raise ValueError(f"K is above 0 and X from 0 to 0.5, not {k:g} and {x:g}")
    if not 2 * k * x <= step * (1 + 1e-9) or not step <= 2 * k * (1 - x) * (1 + 1e-9):
        raise Unstable(step, k, x)
    below = 2 * k * (1 - x) + step
    return Coefficients((step - 2 * k * x) / below, (step + 2 * k * x) / below, (2 * k * (1 - x) - step) / below)


def reaches(k: float, x: float, step: float) -> int:
    """Into how many equal parts a reach is to be divided so that its step is right: about as many as steps it takes.

    Raises Unstable where no number is right.
    """
    for number in range(max(1, ceil(2 * k * x / step - 1e-9)), ceil(2 * k / step) + 2):
        if 2 * k / number * x <= step * (1 + 1e-9) and step <= 2 * k / number * (1 - x) * (1 + 1e-9):
            return number
    raise Unstable(step, k, x)
