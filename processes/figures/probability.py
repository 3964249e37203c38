"""Frequency curves on Hazen probability paper (海森几率格纸), on which a normal distribution is a straight line.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from shikong.hydrology.series.frequency import Curve

#: What the paper is ruled by, in % of reaching or exceeding.
_RULED = (0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 99.9)
_TOLD = (0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 80, 90, 95, 99, 99.9)


@dataclass(frozen=True)
class Paper:
    """A curve and its points. frequencies: in % of reaching or exceeding. survey: which points are of a survey.
    words: of the two axes and in the legend: record, survey, curve."""

    title: str
    frequencies: Sequence[float]
    values: Sequence[float]
    survey: Sequence[bool]
    curve: Curve
    words: tuple[str, str, str, str, str]

    #: As wide as what the axis at the left is told by, and nothing at the right.
    labels: Sequence[str] = ("0,000",)
    margin: float = 0.0

    @property
    def height(self) -> float:
        """Inches of the paper, what stands around it not counted."""
        return 4.6

    def draw(self, axes: Any) -> None:
        """Draw into these axes."""
        along, up, record, survey, curve = self.words
        x, y = norm.ppf(np.array(self.frequencies) / 100), np.array(self.values)
        surveyed = np.array(self.survey, dtype=bool)
        axes.plot(x[~surveyed], y[~surveyed], "o", markersize=4, markerfacecolor="none", color="#1E5AB4", label=record)
        if surveyed.any():
            axes.plot(x[surveyed], y[surveyed], "^", markersize=6, color="#C8281E", label=survey)
        shares = np.linspace(norm.ppf(_RULED[0] / 100), norm.ppf(_RULED[-1] / 100), 240)
        axes.plot(
            shares, self.curve.quantile(norm.cdf(shares)), color="#C8281E", linewidth=1.4, label=self._told(curve)
        )
        axes.set_xticks(norm.ppf(np.array(_TOLD) / 100), [f"{each:g}" for each in _TOLD])
        axes.set_xticks(norm.ppf(np.array(_RULED) / 100), minor=True)
        axes.grid(which="both", color="#D5DEDD", linewidth=0.6)
        axes.set_xlim(shares[0], shares[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(along)
        axes.set_ylabel(up)
        axes.set_title(self.title, loc="left", fontsize=11)
        axes.legend(fontsize=8, frameon=True, loc="upper right")

    def _told(self, word: str) -> str:
        return (
            f"{word}: x̄ = {self.curve.mean:.1f}, Cv = {self.curve.cv:.2f}, Cs/Cv = {self.curve.cs / self.curve.cv:.2f}"
        )
