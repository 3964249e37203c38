"""How good is a site: what its measures count, and the reasons in words.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from shikong.layers.declared import Text
from shikong.layers.find_rules import Criterion, Measure
from shikong.processes.finding.measures import Value

_FULL, _FOR = 0.9995, 0.5


@dataclass(frozen=True)
class Rated:
    """A measure of a site with what it counts. score: from 0 to 1."""

    measure: Measure
    criterion: Criterion
    value: Value
    score: float
    weight: float

    @property
    def speaks_for(self) -> bool:
        """Whether it speaks for the site."""
        return self.score >= _FOR

    @property
    def number(self) -> float | None:
        """The value as it is told; None where it is not known, or nothing is within reach."""
        number = self.value.number
        if number is None or math.isinf(number):
            return None
        return round(number, self.criterion.decimals) if self.criterion.decimals else round(number)

    @property
    def reason(self) -> Text:
        """The reason in words."""
        title, about = self.criterion.title, self.value.about
        if self.value.number is None:
            return Text(zh=f"{title.zh}未知，不得分", en=f"{title.en}: not known, counts nothing")
        unit = "" if self.criterion.unit == "1" else f" {self.criterion.unit}"
        number = "" if self.number is None else f" {self.number:g}{unit}"
        zh, en = (f"（{about.zh}）", f" ({about.en})") if about else ("", "")
        full = self.score >= _FULL
        return Text(
            zh=f"{title.zh}{number}{zh}" + ("，满分" if full else f"，得 {self.score:.2f}"),
            en=f"{title.en}{number}{en}" + (", full marks" if full else f", {self.score:.2f} of 1"),
        )


def rate(
    values: Mapping[Measure, Value], criteria: Mapping[Measure, Criterion], weights: Mapping[Measure, float]
) -> list[Rated]:
    """The measures of a site, rated. What is not known does not speak for a site: it counts nothing."""
    found = []
    for measure, value in values.items():
        criterion = criteria[measure]
        score = 0.0 if value.number is None else criterion.score(value.number)
        found.append(Rated(measure, criterion, value, score, weights[measure]))
    return found


def total(rated: list[Rated]) -> float:
    """What all of them count together, from 0 to 1; 0 where nothing has weight."""
    weight = sum(each.weight for each in rated)
    return sum(each.score * each.weight for each in rated) / weight if weight else 0.0
