"""Who asks. Every database session carries it, so that access rules can stand in the database.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Do what follows in somebody's name."""
    token = current_principal.set(principal)
    try:
        yield
    finally:
        current_principal.reset(token)


def user_of_process(role: str) -> Principal:
    """The operating system's user under whom this process runs, in a role: `operator:li`."""
    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # in containers a user may have no name
        name = str(number)
    return Principal(f"{role}:{name}", (role,))


class NotSignedIn(StoreError):
    """Sign in: this is not open to everyone, or the token is not known, has expired or was revoked."""


class Forbidden(StoreError):
    """The principal may not do this; sign in as somebody who may."""
