"""The rule matrix of the city (layers/conflicts.yml): what of one plan on what of another is a conflict.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shikong.layers.declared import Declared, Identifier, Text

Severity = Literal["high", "medium", "low"]


class Side(Declared):
    """Which features of a layer a rule is about: those in some classes, or all."""

    layer: Identifier
    by: Identifier | None = Field(
        None, description="the field with codes that classes its features; without, the one by which it is drawn"
    )
    classes: tuple[str, ...] = Field((), description="codes of that field, each with all codes below it; all without")
    group: Identifier | None = Field(None, description="the classes of a group of the code list, as construction")
    within: float = Field(0, ge=0, le=10_000, description="its surroundings belong to it, so many metres wide")

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.classes and self.group:
            raise ValueError("give `classes` or `group`, not both")
        return self


class Limit(Declared):
    """An indicator: a number of the first side's feature against one of the second's; both must be known."""

    value: Identifier = Field(description="a number field of the first side's layer")
    at_most: Identifier | None = Field(None, description="a number field of the second side's layer that it may reach")
    at_least: Identifier | None = Field(None, description="one that it must reach")

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("give either `at_most` or `at_least`")
        return self

    @property
    def bound(self) -> str:
        """The field that bounds the value."""
        return self.at_most or self.at_least or ""


class Sliver(Declared):
    """Pieces smaller or narrower than this come from drawing, not from planning. They are told apart."""

    area: float = Field(1.0, ge=0, description="m²")
    width: float = Field(0.0, ge=0, description="m, twice the area over the perimeter")


class ConflictRule(Declared):
    """One entry of the matrix."""

    title: Text
    severity: Severity
    relation: Literal["shared", "uncovered"] = Field(
        "shared", description="what both sides share, or what of the first side the second leaves uncovered"
    )
    a: Side
    b: Side
    limit: Limit | None = Field(None, description="where both meet, only pairs that break it are conflicts")
    differing: bool = Field(
        False,
        description="only pairs whose classes lie below different top codes of B's list (a crosswalk may lead there)",
    )
    sliver: Sliver = Field(default_factory=lambda: Sliver.model_validate({}))
    basis: Text = Field(description="the law or rule that says so")
    advice: Text = Field(description="what usually settles it")

    @model_validator(mode="after")
    def _sides_fit(self) -> Self:
        if self.a.layer == self.b.layer:
            raise ValueError("both sides are the same layer; overlaps inside a layer are its quality rule `no_overlap`")
        if self.relation == "uncovered" and (self.limit or self.differing):
            raise ValueError("`limit` and `differing` compare two features; what nothing covers has no second one")
        if self.relation == "uncovered" and self.a.within:
            raise ValueError("`within` widens what covers, so it belongs to side b")
        return self

    @property
    def value(self) -> str | None:
        """The number field of side a that the rule looks at."""
        return self.limit.value if self.limit else None

    @property
    def bound(self) -> str | None:
        """The number field of side b that it looks at."""
        return self.limit.bound if self.limit else None


class ConflictRules(Declared):
    """All rules, by id."""

    rules: dict[Identifier, ConflictRule]

    @property
    def layers(self) -> list[str]:
        """The layers that the rules are about."""
        return sorted({side.layer for rule in self.rules.values() for side in (rule.a, rule.b)})
