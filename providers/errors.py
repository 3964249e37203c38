"""What can be wrong with a question. No HTTP here: server/errors.py maps these to statuses.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QueryError(Exception):
    """The question cannot be answered as asked."""


class BadParameter(QueryError):
    """A parameter is wrong. `allowed` says what would be right."""

    def __init__(self, parameter: str, problem: str, allowed: Iterable[str] = ()) -> None:
        self.parameter = parameter
        self.problem = problem
        self.allowed = tuple(allowed)
        super().__init__(f"{parameter}: {problem}")


class UnknownParameter(BadParameter):
    """No parameter has this name here."""

    def __init__(self, parameter: str, known: Iterable[str]) -> None:
        known = sorted(known)
        close = difflib.get_close_matches(parameter, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        super().__init__(parameter, f"there is no parameter {parameter!r} here{hint}", known)


class NotFound(QueryError):
    """Nothing is there."""


class TooMuch(QueryError):
    """The answer would be larger than is allowed; the message says how to ask for less."""


class Gone(QueryError):
    """Something was there, but is not at the time that was asked for. links: where its versions are."""

    def __init__(self, problem: str, links: list[dict[str, str]]) -> None:
        self.links = links
        super().__init__(problem)


class CollectionNotFound(NotFound):
    """No collection has this id."""

    def __init__(self, collection: str, known: Iterable[str]) -> None:
        close = difflib.get_close_matches(collection, list(known), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        super().__init__(f"there is no collection {collection!r}{hint}")
