"""How sites are found and ranked (layers/site_find.yml): which layers tell what, and what speaks for a site.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Declared, Identifier, Text

#: What a site is measured by.
Measure = Literal["road", "service", "slope", "compactness", "cropland", "redline", "conditions"]


class Criterion(Declared):
    """How a measure counts: fully at its best value and beyond, not at all at its worst, in proportion between."""

    title: Text
    unit: str = Field(description="of the values; 1 for a number")
    best: float
    worst: float
    weight: float = Field(ge=0, description="how much it counts beside the others; 0 tells it without counting it")
    decimals: int = Field(0, ge=0, le=4, description="how its values are told")

    @model_validator(mode="after")
    def _tells_apart(self) -> Self:
        if self.best == self.worst:
            raise ValueError("`best` and `worst` are the same; then every site is as good as any other")
        return self

    def score(self, value: float) -> float:
        """From 0 to 1."""
        return min(1.0, max(0.0, (value - self.worst) / (self.best - self.worst)))


class Service(Declared):
    """What a project may need near it."""

    title: Text
    land: Side


class SiteFind(Declared):
    """All of it."""

    zones: Identifier = Field(description="the layer whose classes say what may be built where")
    plots: Identifier = Field(description="the layer of plots that can be taken as they are")
    parcels: Identifier = Field(description="the layer that tells present land")
    cropland: tuple[str, ...] = Field(description="its classes of cropland, each with all below it")
    roads: Side = Field(description="roads that lead to a site, where a question names no classes")
    terrain: Identifier = Field(description="the coverage of heights")
    redline: Side = Field(description="land to which a question can ask for a distance")
    farmland: Side = Field(description="other land to which it can")
    taken: tuple[Identifier, ...] = Field(
        (), description="conditional rules of the site check whose land is not offered"
    )
    least_width: float = Field(gt=0, description="m; what is narrower is no site")
    services: dict[Identifier, Service]
    criteria: dict[Measure, Criterion]

    @property
    def sides(self) -> dict[str, Side]:
        """Every side, by its place."""
        found = {name: getattr(self, name) for name in ("roads", "redline", "farmland")}
        return found | {f"services.{name}.land": each.land for name, each in self.services.items()}
