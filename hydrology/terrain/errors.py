"""What can be wrong with a question about the ground. The docstring is the default message.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations


class TerrainError(Exception):
    """The elevation model cannot answer this."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class NoHeights(TerrainError):
    """The elevation model has no cell with a height."""


class NoStream(TerrainError):
    """No stream lies there; ask farther around, or for smaller streams."""


class TooMany(TerrainError):
    """There are too many streams for one answer; ask for larger ones, or for a smaller area."""


class TooLarge(TerrainError):
    """The elevation model has more cells than flow can be derived for; load a coarser one."""


class NotDerived(TerrainError):
    """Deriving flow was stopped, most likely for want of memory; free some and ask again."""
