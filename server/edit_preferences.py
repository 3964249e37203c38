"""What a client prefers of the answer to an edit: the `Prefer` header (RFC 7240).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from starlette.requests import Request

#: The preferences that are known, and their values.
KNOWN = {"handling": ("strict", "lenient"), "return": ("minimal", "representation")}


@dataclass(frozen=True)
class Preferences:
    """lenient: what can be done is done though other things cannot. returns: `minimal` or `representation`, or None."""

    given: dict[str, str]

    @classmethod
    def of(cls, request: Request) -> Preferences:
        """The preferences of a request; the first of a name counts, and what is not known is passed over."""
        found: dict[str, str] = {}
        for header in request.headers.getlist("prefer"):
            for part in header.split(","):
                name, _, value = part.partition(";")[0].partition("=")
                found.setdefault(name.strip().lower(), value.strip().strip('"').lower())
        return cls({name: found[name] for name, values in KNOWN.items() if found.get(name) in values})

    @property
    def lenient(self) -> bool:
        """Whether what can be done shall be done though other things cannot."""
        return self.given.get("handling") == "lenient"

    @property
    def returns(self) -> str | None:
        """What the answer shall hold: `minimal`, `representation`, or None for a report."""
        return self.given.get("return")

    def applied(self, *names: str) -> Iterator[tuple[str, str]]:
        """The header that tells which preferences counted."""
        told = ", ".join(f"{name}={self.given[name]}" for name in names if name in self.given)
        if told:
            yield "Preference-Applied", told
