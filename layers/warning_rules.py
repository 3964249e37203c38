"""When the water gives reason for a warning (layers/warning_rules.yml): limits of values, by four levels.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from shikong.layers.declared import Declared, Identifier, Text

Level = Literal["blue", "yellow", "orange", "red"]

#: From the least grave to the gravest.
LEVELS: tuple[Level, ...] = ("blue", "yellow", "orange", "red")

Hazard = Literal["flood", "low_water", "rain", "reservoir"]

#: An ISO 8601 duration of days, hours or minutes.
DURATION = r"^PT?\d+[DHM]$"

_UNITS = {"D": "days", "H": "hours", "M": "minutes"}


def duration(text: str) -> timedelta:
    """A duration that fits DURATION."""
    number, unit = int(text.strip("PT")[:-1]), text[-1]
    return timedelta(**{_UNITS[unit]: number})


class Measured(Declared):
    """What of a station is held against limits."""

    parameter: tuple[Identifier, ...] = Field(
        min_length=1,
        description="parameters of the layer; of several that a station has the first, of sums the largest",
    )
    of: Literal["latest", "change", "sum"] = Field(
        description="the last value; by how much it has changed; what came together"
    )
    over: str | None = Field(None, pattern=DURATION, description="the time of a change or sum")

    @model_validator(mode="after")
    def _has_its_time(self) -> Self:
        if (self.of == "latest") != (self.over is None):
            raise ValueError("`over` is needed by change and sum, and only there")
        return self

    @property
    def window(self) -> timedelta:
        """The time of a change or sum; none for the last value."""
        return duration(self.over) if self.over else timedelta(0)


class Bound(Declared):
    """A limit: a number, or a field of the station, with something added to it."""

    value: float | None = None
    field: Identifier | None = None
    plus: float = 0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.value is None) == (self.field is None):
            raise ValueError("give either `value` or `field`")
        return self


class StationRule(Declared):
    """A rule about stations, each by itself."""

    title: Text
    hazard: Hazard
    measured: Measured
    below: bool = Field(False, description="what is below a limit gives reason, not what is above")
    limits: dict[Level, Bound] = Field(min_length=1)
    margin: float = Field(0, ge=0, description="so far back from its limit a value must be before a level is left")
    unit: str


class Condition(Declared):
    """Part of a joint rule: so many stations of the group with a rule's level or a graver one."""

    rule: Identifier
    at_least: Level
    stations: int = Field(ge=1)


class NamesDecl(Declared):
    """Where the names of groups are: the layer whose keys they are, and its field."""

    layer: Identifier
    field: Identifier


class JointRule(Declared):
    """A rule about the stations of a group together: all conditions of a level must hold."""

    title: Text
    hazard: Hazard
    by: Identifier = Field(description="the field of the stations that groups them, for example the river")
    names: NamesDecl | None = Field(None, description="for groups that are told by codes")
    levels: dict[Level, tuple[Condition, ...]] = Field(min_length=1)


class Action(Declared):
    """What is to be done at a level, and by whom."""

    title: Text
    department: Text


class WarningRules(Declared):
    """All rules, and what is to be done."""

    layer: Identifier = Field(description="the observations that are looked at")
    published_as: Identifier = Field(description="the layer of warnings")
    stale: str = Field(pattern=DURATION, description="a value that is older says nothing of now")
    hold: str = Field(pattern=DURATION, description="for so long a level must be left before it is lowered")
    rules: dict[Identifier, StationRule] = Field(min_length=1)
    joint: dict[Identifier, JointRule] = Field(default_factory=dict)
    plans: dict[Hazard, dict[Level, tuple[Action, ...]]] = Field(
        default_factory=dict, description="what is to be done, by hazard and level"
    )

    @model_validator(mode="after")
    def _joint_rules_fit(self) -> Self:
        if twice := sorted(set(self.rules) & set(self.joint)):
            raise ValueError(f"these names are given twice: {twice}")
        named = {condition.rule for rule in self.joint.values() for all_ in rule.levels.values() for condition in all_}
        if unknown := sorted(named - set(self.rules)):
            raise ValueError(f"joint rules name rules that are not there: {unknown}")
        return self

    @property
    def longest(self) -> timedelta:
        """How far back the values reach that the rules look at."""
        return max(rule.measured.window for rule in self.rules.values()) + duration(self.stale)

    def titled(self, name: str) -> Text:
        """The title of a rule."""
        rule: StationRule | JointRule = self.rules[name] if name in self.rules else self.joint[name]
        return rule.title

    def hazard(self, name: str) -> Hazard:
        """What a rule warns of."""
        rule: StationRule | JointRule = self.rules[name] if name in self.rules else self.joint[name]
        return rule.hazard
