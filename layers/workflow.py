"""A layer's workflow: the states that its features pass through, and the steps between them (`workflow:` in its file).

A step leads from some states to one. Who may take it, what it may set, what it needs and what must hold elsewhere are
declared with it; every edit of such a layer, by whatever way it comes, must be one of its steps.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shikong.layers.declared import Declared, Identifier, Text

#: How a step sets or asks for a feature's shape.
GEOMETRY = "geometry"


class Related(Declared):
    """Features of another layer, of the same workflow or another, and the states in which they must be."""

    layer: Identifier
    by: Identifier = Field(description="the field that refers: here for `within`, in the other layer for `all`")
    states: tuple[str, ...] = Field(min_length=1)


class Step(Declared):
    """One step of a workflow."""

    title: Text
    when: tuple[str, ...] = Field((), description="states from which it can be taken; none: it makes the feature")
    to: str = Field(description="the state to which it leads")
    roles: tuple[Identifier, ...] = Field(
        min_length=1, description="who may take it; the role of `access.rows` stands for whom the row belongs to"
    )
    sets: tuple[Identifier, ...] = Field((), description="fields that it may set, or `geometry`")
    needs: tuple[Identifier, ...] = Field((), description="fields that must have a value after it")
    stamps: dict[Identifier, Literal["today", "principal", "none"]] = Field(
        default_factory=dict, description="fields that the service sets: the day, who takes the step, or nothing"
    )
    within: Related | None = Field(None, description="what it refers to must then be in one of these states")
    every: Related | None = Field(None, description="all that refer to it must then be in one of these states")
    after: Identifier | None = Field(
        None, description="a field of type date; it can be taken only once that day is over"
    )


class Workflow(Declared):
    """The states of a layer's features and the steps between them."""

    field: Identifier = Field(description="holds the state; its code list has the states")
    steps: dict[Identifier, Step] = Field(min_length=1)

    @model_validator(mode="after")
    def _begins(self) -> Self:
        if all(step.when for step in self.steps.values()):
            raise ValueError("no step makes a feature: one must have no `when`")
        return self

    def between(self, before: str | None, after: str | None) -> dict[str, Step]:
        """The steps that lead from one state to another. before: None where there is no feature yet."""
        return {
            name: step
            for name, step in self.steps.items()
            if step.to == after and (before in step.when if before is not None else not step.when)
        }

    def leaving(self, state: str) -> dict[str, Step]:
        """The steps that can be taken from a state."""
        return {name: step for name, step in self.steps.items() if state in step.when}


def workflow_faults(workflow: Workflow, types: dict[str, str]) -> list[str]:
    """What in a workflow does not fit its layer. types: of the layer's fields."""
    found = []
    if workflow.field not in types:
        found.append(f"workflow.field: {workflow.field!r} is not a field")
    for name, step in workflow.steps.items():
        named = [*step.sets, *step.needs, *step.stamps, *([step.within.by] if step.within else [])]
        if unknown := sorted(set(named) - set(types) - {GEOMETRY}):
            found.append(f"workflow.steps.{name}: {unknown} are no fields")
        if workflow.field in step.sets:
            found.append(f"workflow.steps.{name}.sets: the state follows from the step and is not set")
        if step.after and types.get(step.after) != "date":
            found.append(f"workflow.steps.{name}.after: {step.after!r} is not a field of type date")
    return found
