"""How large is a rain or flood of a given frequency, and how rare is a given one? Pearson III, as SL 44 has it.

Frequencies P are those of being reached or exceeded, as shares of 1. The curve has a mean, Cv (standard deviation by
mean) and Cs (skew); x(P) = mean (1 + Cv Phi(P, Cs)), where Phi is scipy's pearson3.

Sources: SL 44-2006 设计洪水计算规范 (plotting positions m / (n + 1), Pearson III, 适线法, floods of a surveyed span by
the 统一处理法); Cs with n - 3 as in 工程水文学 (Zhan Daojiang, Ye Shouze); L-moments by scipy, their relation to Cs
after Hosking & Wallis 1997, A.9 (rational approximation, off by less than 5e-5 in the shape).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize
from scipy.special import gammaln
from scipy.stats import lmoment, pearson3

Floats = NDArray[np.float64]

Criterion = Literal["squares", "absolute", "relative"]

#: Bounds of what is fitted. Below Cs = 2 Cv the curve has values below 0, which no rain has.
CV, RATIO = (0.02, 3.0), (2.0, 8.0)

#: A curve on fewer values says nothing.
FEWEST = 10


@dataclass(frozen=True)
class Curve:
    """A Pearson III curve. mean: in the unit of the values."""

    mean: float
    cv: float
    cs: float

    def quantile(self, exceedance: Floats | float) -> Floats:
        """The value that is reached or exceeded with a frequency (a share of 1)."""
        return self.mean * (1 + self.cv * np.asarray(pearson3.isf(exceedance, self.cs), dtype=float))

    def exceedance(self, value: Floats | float) -> Floats:
        """The frequency (a share of 1) with which a value is reached or exceeded."""
        return np.asarray(pearson3.sf((np.asarray(value) / self.mean - 1) / self.cv, self.cs), dtype=float)

    def return_period(self, value: float) -> float:
        """Years between two years that reach a value, on average; infinite for what never is."""
        share = float(self.exceedance(value))
        return 1 / share if share > 0 else np.inf


@dataclass(frozen=True)
class Sample:
    """Values from the largest to the smallest, each with its empirical frequency. historic: those that were surveyed.

    span: years that the survey covers, None without one."""

    values: Floats
    frequencies: Floats
    historic: NDArray[np.bool_]
    span: int | None = None

    @property
    def measured(self) -> int:
        """How many values are of the record."""
        return int((~self.historic).sum())


def sample(values: Floats, historic: Floats | None = None, span: int | None = None) -> Sample:
    """Annual maxima with their empirical frequencies.

    values: of the years of the record (n,). historic: values of years before it that were found out, the largest of all
    in `span` years; the record's values that are above the smallest of them are ranked among them. Raises ValueError.
    """
    record = np.sort(np.asarray(values, dtype=float))[::-1]
    number = len(record)
    if number < FEWEST:
        raise ValueError(f"{number} values are too few; at least {FEWEST} are needed")
    if historic is None or not len(historic):
        return Sample(record, np.arange(1, number + 1) / (number + 1), np.zeros(number, dtype=bool))
    if span is None or span < number + len(historic):
        raise ValueError(f"the span must have at least {number + len(historic)} years: the record's and the surveyed")
    lowest = float(np.min(historic))
    great = record[record >= lowest]
    top = np.concatenate([historic, great])
    marks = np.concatenate([np.ones(len(historic), dtype=bool), np.zeros(len(great), dtype=bool)])
    order = np.argsort(-top, kind="stable")
    first = np.arange(1, len(top) + 1) / (span + 1)
    rest = record[record < lowest]
    if len(rest) < FEWEST:
        raise ValueError(f"a surveyed value of {lowest:g} is no great one: only {len(rest)} of the record lie below it")
    later = np.arange(1, len(rest) + 1) / (number - len(great) + 1)
    return Sample(
        np.concatenate([top[order], rest]),
        np.concatenate([first, first[-1] + (1 - first[-1]) * later]),
        np.concatenate([marks[order], np.zeros(len(rest), dtype=bool)]),
        span,
    )


def moments(found: Sample) -> Curve:
    """The curve by moments; values of a survey weigh as the years that they stand for."""
    weights, years = _weights(found)
    mean = float((weights * found.values).sum() / years)
    ratio = found.values / mean - 1
    cv = float(np.sqrt((weights * ratio**2).sum() / (years - 1)))
    cs = float((weights * ratio**3).sum() / ((years - 3) * cv**3)) if cv else 0.0
    return Curve(mean, cv, cs)


def _weights(found: Sample) -> tuple[Floats, float]:
    """How many years each value stands for, and their sum."""
    number = len(found.values)
    if found.span is None:
        return np.ones(number), float(number)
    top = int(np.flatnonzero(found.historic).max()) + 1
    weights = np.ones(number)
    weights[top:] = (found.span - top) / (number - top)
    return weights, float(found.span)


def l_moments(values: Floats) -> Curve:
    """The curve by L-moments, which large values disturb less. values: of a plain record."""
    first, second, third = (float(each) for each in lmoment(np.asarray(values, dtype=float), order=[1, 2, 3]))
    skew = abs(third)
    if skew < 1e-6:
        return Curve(first, second * np.sqrt(np.pi) / first, 0.0)
    if skew < 1 / 3:
        z = 3 * np.pi * skew**2
        shape = (1 + 0.2906 * z) / (z + 0.1882 * z**2 + 0.0442 * z**3)
    else:
        z = 1 - skew
        above = 0.36067 * z - 0.59567 * z**2 + 0.25361 * z**3
        shape = above / (1 - 2.78861 * z + 2.56096 * z**2 - 0.77045 * z**3)
    deviation = second * np.sqrt(np.pi * shape) * np.exp(gammaln(shape) - gammaln(shape + 0.5))
    return Curve(first, float(deviation / first), float(np.sign(third) * 2 / np.sqrt(shape)))


def fit(found: Sample, ratio: float | None = None, criterion: Criterion = "squares") -> Curve:
    """The curve that lies nearest to the points (适线法). The mean is that of the moments.

    ratio: Cs by Cv where it is chosen; fitted where it is None. criterion: what is made least: squares of what lies
    between, its absolute amount, or squares of its share of the value.
    """
    start = moments(found)
    first = float(np.clip(start.cs / start.cv if start.cv else RATIO[0], RATIO[0] + 0.01, RATIO[1] - 0.01))
    scale = found.values if criterion == "relative" else np.full(len(found.values), start.mean)

    def away(parameters: Floats) -> Floats:
        chosen = ratio if ratio is not None else parameters[1]
        told = Curve(start.mean, parameters[0], parameters[0] * chosen).quantile(found.frequencies)
        return (found.values - told) / scale

    number = 1 if ratio is not None else 2
    bounds = np.array([CV, RATIO]).T[:, :number]
    begin = np.array([np.clip(start.cv, CV[0] + 0.001, CV[1] - 0.001), first])[:number]
    best = least_squares(away, begin, bounds=bounds, diff_step=1e-5).x
    if criterion == "absolute":  # from the least squares on: amounts have no slope where a point lies on the curve
        best = minimize(lambda each: np.abs(away(each)).sum(), best, method="Nelder-Mead", bounds=bounds.T).x
    cv, chosen = float(best[0]), float(ratio if ratio is not None else best[1])
    return Curve(start.mean, cv, cv * chosen)
