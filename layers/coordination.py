"""Which departments are asked about a project's site (layers/coordination.yml).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pydantic import Field

from shikong.layers.declared import Declared, Identifier


class Coordination(Declared):
    """Whom to ask, where cases and opinions are kept, and how long departments have.

    Codes of departments are those of the opinions' field `department`.
    """

    cases: Identifier = Field(description="the layer of cases")
    opinions: Identifier = Field(description="the layer of opinions; its field `case` refers to the cases")
    days: int = Field(gt=0, le=365, description="days that a department has, unless a case says otherwise")
    always: tuple[str, ...] = Field((), description="departments that are always asked")
    concerns: dict[str, tuple[Identifier, ...]] = Field(
        description="department: the layers that concern it, where a site lies on them or breaks a rule about them"
    )

    def asked(self, layers: set[str]) -> dict[str, tuple[str, ...]]:
        """The departments to ask about a site that touches these layers, each with those that concern it."""
        found: dict[str, tuple[str, ...]] = dict.fromkeys(self.always, ())
        for department, concerned in self.concerns.items():
            touched = tuple(layer for layer in concerned if layer in layers)
            if touched:
                found[department] = touched
        return found
