"""Who asks. Every database session carries it, so that access rules can stand in the database.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from shikong.store.errors import StoreError


@dataclass(frozen=True)
class Principal:
    """A person or program, and the roles it acts in."""

    name: str
    roles: tuple[str, ...] = ()


ANONYMOUS = Principal("anonymous")

#: The principal of the request being answered. Set once per request by the server; threads that
#: answer a part of the request run in a copy of its context.
current_principal: ContextVar[Principal] = ContextVar("current_principal", default=ANONYMOUS)


class Forbidden(StoreError):
    """The principal may not do this; sign in as somebody who may."""
