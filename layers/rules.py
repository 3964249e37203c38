"""The quality rules that a layer may declare, each with how serious it is.

`stop` refuses the whole load, `error` sends the row to quarantine, `warning` lets it in and reports it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from shikong.layers.declared import Declared, Identifier

Severity = Literal["stop", "error", "warning"]


class _Rule(Declared):
    """What every rule has."""

    severity: Severity = "error"

    def fields_used(self) -> tuple[str, ...]:
        """The layer's fields that the rule speaks of."""
        return ()


class ValidGeometry(_Rule):
    """Shapes are simple as OGC Simple Features has it. With `repair` a shape that can be mended is, and noted."""

    rule: Literal["valid_geometry"]
    repair: bool = False


class Range(_Rule):
    """A number or date lies between two bounds, both included."""

    rule: Literal["range"]
    field: Identifier
    minimum: float | None = None
    maximum: float | None = None

    def fields_used(self) -> tuple[str, ...]:
        """The field with bounds."""
        return (self.field,)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("`range` needs `minimum`, `maximum` or both")
        return self


class Pattern(_Rule):
    """A text matches a regular expression as a whole."""

    rule: Literal["pattern"]
    field: Identifier
    pattern: str

    def fields_used(self) -> tuple[str, ...]:
        """The field with a pattern."""
        return (self.field,)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from error
        return value


class Compare(_Rule):
    """One attribute against another, where both are known."""

    rule: Literal["compare"]
    left: Identifier
    operator: Literal["<", "<=", "=", ">=", ">", "!="]
    right: Identifier

    def fields_used(self) -> tuple[str, ...]:
        """Both sides."""
        return (self.left, self.right)


class MinArea(_Rule):
    """Surfaces have at least this ellipsoidal area (m2)."""

    rule: Literal["min_area"]
    area: float = Field(gt=0)


class NoSlivers(_Rule):
    """Surfaces are on average at least this wide (m): twice the area over the perimeter."""

    rule: Literal["no_slivers"]
    width: float = Field(gt=0)


class Unique(_Rule):
    """No two rows have the same values in these fields; of several the first in the source stays."""

    rule: Literal["unique"]
    fields: tuple[Identifier, ...] = Field(min_length=1)

    def fields_used(self) -> tuple[str, ...]:
        """The fields that must differ."""
        return self.fields


class References(_Rule):
    """A value, where there is one, is that of a field of another layer as it is now."""

    rule: Literal["references"]
    field: Identifier
    layer: Identifier
    to: Identifier

    def fields_used(self) -> tuple[str, ...]:
        """The field that refers."""
        return (self.field,)


class NoOverlap(_Rule):
    """No two surfaces share more than `tolerance` (m2); of two that do, the later in the source fails."""

    rule: Literal["no_overlap"]
    tolerance: float = Field(0.01, ge=0)


class NoGaps(_Rule):
    """The layer's surfaces leave no hole up to `max_area` (m2) between them; larger holes are meant."""

    rule: Literal["no_gaps"]
    max_area: float = Field(10_000, gt=0)
    severity: Severity = "warning"

    @model_validator(mode="after")
    def _has_no_row(self) -> Self:
        if self.severity == "error":
            raise ValueError("a gap is no row that could go to quarantine; `severity` is `stop` or `warning`")
        return self


class Within(_Rule):
    """Shapes lie in the union of another layer's surfaces, but for `tolerance` (m2 of a surface, m of a line)."""

    rule: Literal["within"]
    layer: Identifier
    tolerance: float = Field(1.0, ge=0)


_InFull = Annotated[
    ValidGeometry | Range | Pattern | Compare | MinArea | NoSlivers | Unique | References | NoOverlap | NoGaps | Within,
    Field(discriminator="rule"),
]

#: A rule that needs no parameters may be given by its name alone.
Rule = Annotated[
    _InFull,
    BeforeValidator(
        lambda value: {"rule": value} if isinstance(value, str) else value,
        json_schema_input_type=Literal["valid_geometry", "no_overlap", "no_gaps"] | _InFull,
    ),
]

_SURFACES_ONLY = (MinArea, NoSlivers, NoOverlap, NoGaps)


def faults(rules: tuple[Any, ...], geometry: str | None, types: dict[str, str]) -> Iterator[str]:
    """What is wrong with a layer's rules. types: field -> declared type."""
    for number, rule in enumerate(rules):
        where = f"quality.{number} ({rule.rule})"
        for name in rule.fields_used():
            if name not in types:
                yield f"{where}: {name!r} is not a field of the layer"
        if isinstance(rule, Range) and types.get(rule.field) not in ("integer", "number", None):
            yield f"{where}: {rule.field!r} is not a number"
        if isinstance(rule, Pattern) and types.get(rule.field) not in ("string", None):
            yield f"{where}: {rule.field!r} is not a text"
        if isinstance(rule, Compare) and types.get(rule.left) != types.get(rule.right):
            yield f"{where}: {rule.left!r} and {rule.right!r} are of different types"
        if isinstance(rule, _SURFACES_ONLY) and "Polygon" not in (geometry or ""):
            yield f"{where}: the layer has no surfaces"
