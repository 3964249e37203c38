"""Who may read and write a layer, as declared.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Self

from pydantic import Field, model_validator

from shikong.layers.declared import Declared, Identifier

#: What everyone may read.
PUBLIC = "public"


class OwnRows(Declared):
    """Rows that belong to somebody: of a field `department` whose value is `water`, to the role `department-water`."""

    field: Identifier = Field(description="names whose a row is; several names are kept apart by commas")
    role: Identifier = Field(description="what the names of the roles begin with")


class AccessDecl(Declared):
    """Who may read and write. `public` is everyone; other names are roles."""

    read: Identifier = PUBLIC
    write: Identifier
    rows: OwnRows | None = Field(None, description="roles that read and write rows of their own, and no others")

    @model_validator(mode="after")
    def _own_rows_are_hidden_from_others(self) -> Self:
        if self.rows and self.read == PUBLIC:
            raise ValueError("`rows` are for layers that not everyone reads")
        return self

    @property
    def public(self) -> bool:
        """Whether everyone reads all of it."""
        return self.read == PUBLIC

    def faults(self, fields: Collection[str]) -> list[str]:
        """What in it does not fit a layer with these fields."""
        if self.rows and self.rows.field not in fields:
            return [f"access.rows.field: {self.rows.field!r} is not a field"]
        return []

    def owner(self, name: str) -> str:
        """The role to which rows of this name belong."""
        assert self.rows is not None
        return f"{self.rows.role}-{name}"
