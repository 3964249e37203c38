"""What can be wrong with a request that edits, before any feature is looked at.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable

from shikong.ingest.edit_errors import EditError


class RequestError(Exception):
    """The request cannot be taken."""


class NotEditable(RequestError):
    """Nothing can be edited here."""


class BodyTooLarge(RequestError):
    """The body has more bytes than are taken."""


class WrongMediaType(RequestError):
    """The body is of a type that is not taken here. `allowed` names those that are."""

    def __init__(self, given: str, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(
            f"{given or 'a body without Content-Type'} is not taken here; send {' or '.join(self.allowed)}"
        )


class BadBody(EditError):
    """The body, or a feature in it, is not what is taken here."""


class MissingPrecondition(EditError):
    """If-Match is missing: send the ETag that you got when you read the feature."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))
