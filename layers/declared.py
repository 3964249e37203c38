"""What all parts of a declaration share.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]


Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]


class Declared(BaseModel):
    """Base of all parts of a declaration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Declared):
    """A text for people, in both of the service's languages."""

    zh: str
    en: str
