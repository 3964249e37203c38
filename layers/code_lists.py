"""The typed model of code lists (layers/codes/<id>.yml) and of crosswalks between them (layers/crosswalks/<id>.yml).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from shikong.layers.declared import Colour, Declared, Identifier, Text


class Code(Declared):
    """One value of a code list."""

    title: Text
    color: Colour | None = None
    aliases: tuple[str, ...] = Field((), description="other codes of sources that mean the same")
    parent: str | None = Field(None, description="the code one level up; digits do not always tell it")
    group: Identifier | None = Field(None, description="one of the list's groups; without it, the parent's")


class CodeList(Declared):
    """A code list (layers/codes/<id>.yml). Its system says whose codes they are."""

    id: Identifier
    title: Text
    system: str = Field(description="the standard or body that defines the codes")
    groups: dict[Identifier, Text] = Field(default_factory=dict, description="what codes of several levels add up to")
    codes: dict[str, Code]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        faults = [
            InitErrorDetails(
                type=PydanticCustomError("code_list", "{message}", {"message": message}),
                loc=("codes", code, key), input=value,
            )
            for code, key, value, message in self._faults()
        ]  # fmt: skip
        if faults:
            raise ValidationError.from_exception_data(type(self).__name__, faults)
        return self

    def _faults(self) -> Iterator[tuple[str, str, str, str]]:
        """What is wrong between the codes: code, key, value and message of each fault."""
        for code, entry in self.codes.items():
            if entry.group and entry.group not in self.groups:
                yield code, "group", entry.group, f"{entry.group!r} is none of the groups {sorted(self.groups)}"
            if entry.parent and entry.parent not in self.codes:
                yield code, "parent", entry.parent, f"{entry.parent!r} is not in the list"
            elif entry.parent and self._circular(code):
                yield code, "parent", entry.parent, f"{code!r} comes to lie below itself"

    def _circular(self, code: str) -> bool:
        seen, above = set(), self.codes[code].parent
        while above in self.codes and above not in seen:
            seen.add(above)
            above = self.codes[above].parent
        return code in seen

    def ancestors(self, code: str) -> tuple[str, ...]:
        """The codes above a code, the nearest first. Raises KeyError for a code that is not in the list."""
        found, above = [], self.codes[code].parent
        while above is not None:
            found.append(above)
            above = self.codes[above].parent
        return tuple(found)

    def within(self, code: str, top: str) -> bool:
        """Whether a code is ``top`` or lies below it. Raises KeyError for a code that is not in the list."""
        return top == code or top in self.ancestors(code)

    def group_of(self, code: str) -> str | None:
        """The group that a code belongs to: its own or the nearest ancestor's; None where none of them has one.

        Raises KeyError for a code that is not in the list.
        """
        return next((group for each in (code, *self.ancestors(code)) if (group := self.codes[each].group)), None)


class Crosswalk(Declared):
    """What the codes of one list are in another (layers/crosswalks/<id>.yml).

    Every code of the one has a counterpart; several may share one.
    """

    id: Identifier
    title: Text
    from_list: Identifier = Field(alias="from", description="the code list whose codes are known")
    to_list: Identifier = Field(alias="to", description="the code list that they are told in")
    source: str = Field(description="where the counterparts are from")
    codes: dict[str, str]
