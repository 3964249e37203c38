"""Why there is no picture.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations


class PictureError(Exception):
    """There is no such picture."""


class NoSuchTime(PictureError):
    """A cube has no step at a time. first, last: its own, UTC."""

    def __init__(self, layer: str, first: str, last: str) -> None:
        super().__init__(f"{layer} has no step then; it has steps from {first}Z to {last}Z")
