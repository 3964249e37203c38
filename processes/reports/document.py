"""What a report consists of, whatever it is written as. All its texts are plain, in the reader's language.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from shikong.providers.labels import Language

Tone = Literal["plain", "good", "care", "bad"]


#: What XML cannot hold.
_UNWRITABLE = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF))


def writable(text: str) -> str:
    """A text without what XML cannot hold."""
    return text.translate(_UNWRITABLE)


@dataclass(frozen=True)
class Text:
    """A paragraph. tone: whether it is good or bad news; anything but `plain` stands in a box."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Verdict:
    """The one word that the report comes to, and a sentence that explains it."""

    word: str
    text: str
    tone: Tone


@dataclass(frozen=True)
class Facts:
    """Names and values, one below the other."""

    rows: list[tuple[str, str]]


@dataclass(frozen=True)
class Cell:
    """A cell that is more than a text. tone: as of texts. strong: a row's or group's name."""

    text: str
    tone: Tone = "plain"
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """columns: the titles. shares: how wide each is, of any sum. figures: numbers of the columns that hold figures."""

    columns: list[str]
    rows: list[list[str | Cell]]
    shares: list[int]
    figures: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows. wide: how wide it is printed (mm)."""

    png: bytes
    caption: str
    wide: float


@dataclass(frozen=True)
class Signatures:
    """Empty lines to sign on, by what is to be written there."""

    names: list[str]


Block = Text | Verdict | Facts | Table | Picture | Signatures


@dataclass(frozen=True)
class Section:
    """A part of the report under its own heading. level: 2 for a part of the part before."""

    heading: str
    blocks: list[Block]
    level: Literal[1, 2] = 1


@dataclass(frozen=True)
class Document:
    """A report. issuer: in whose name it is given. below: lines under the title. notice: what must be known first."""

    language: Language
    issuer: str
    title: str
    below: list[str]
    notice: str | None
    sections: list[Section] = field(default_factory=list)
