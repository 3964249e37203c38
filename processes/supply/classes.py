"""Codes of land classes brought up to the level at which figures are wanted.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Literal

from shikong.layers.code_lists import CodeList
from shikong.layers.declared import Text

#: The three kinds of land of the Land Administration Law, the classes of level 1, or those of level 2.
Level = Literal["group", "level_1", "level_2"]

_NONE = Text(zh="未分类", en="Not classed")


def at(listed: CodeList, code: str | None, level: Level) -> str | None:
    """A code brought up to a level, by the list's own tree. A code that is told at level 1 only stays as it is, and one
    that the list lacks, too."""
    if code is None or code not in listed.codes:
        return code
    if level == "group":
        return listed.group_of(code)
    chain = (code, *listed.ancestors(code))
    return chain[-1] if level == "level_1" else chain[max(len(chain) - 2, 0)]


def title(listed: CodeList, code: str | None) -> dict[str, str]:
    """What a code of a level means."""
    if code is None:
        return _NONE.model_dump()
    if code in listed.groups:
        return listed.groups[code].model_dump()
    return listed.codes[code].title.model_dump() if code in listed.codes else {"zh": code, "en": code}


def order(listed: CodeList) -> dict[str | None, int]:
    """The place of each group and code, in the order of the list; what it lacks comes after."""
    return {code: number for number, code in enumerate((*listed.groups, *listed.codes))}
