"""Accounts: who may sign in, and in which roles. One token each, shown once and kept as its digest.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection, sql

from shikong.store.database import Database
from shikong.store.errors import StoreError
from shikong.store.principal import Principal, current_principal

_NAME = re.compile(r"^[^\s:,]{1,60}$")

_HOLDER = sql.SQL("""
    SELECT name, roles FROM shikong.account
    WHERE token_sha256 = %(digest)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
""")

_ADD = """
    INSERT INTO shikong.account (name, roles, token_sha256, created_by, expires_at)
    VALUES (%(name)s, %(roles)s, %(digest)s, %(by)s, clock_timestamp() + %(lifetime)s)
    ON CONFLICT (name) DO UPDATE SET roles = excluded.roles, token_sha256 = excluded.token_sha256,
        created_at = clock_timestamp(), created_by = excluded.created_by, expires_at = excluded.expires_at,
        revoked_at = NULL
    WHERE %(renew)s
"""


class BadAccount(StoreError):
    """An account cannot be as it is wanted; the message says why."""


@dataclass(frozen=True)
class Account:
    """An account as the operator sees it. Times are aware; None: never."""

    name: str
    roles: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def add(
    conn: Connection[object], name: str, roles: Sequence[str], lifetime: timedelta | None, *, renew: bool = False
) -> str:
    """Make an account and give its token, which nobody can read again. Raises BadAccount.

    renew: an account that is there already gets a new token and these roles; its old token is worth nothing any more.
    """
    if not _NAME.match(name):
        raise BadAccount(f"{name[:60]!r} cannot be an account's name: 1 to 60 letters without space, colon and comma")
    token = f"sk_{secrets.token_urlsafe(32)}"
    values = {
        "name": name, "roles": sorted(set(roles)), "digest": _digest(token), "lifetime": lifetime,
        "by": current_principal.get().name, "renew": renew,
    }  # fmt: skip
    if not conn.execute(_ADD, values).rowcount:
        raise BadAccount(f"there is an account {name!r} already; give it a new token with --renew")
    return token


def revoke(conn: Connection[object], name: str) -> None:
    """From now on the account's token is worth nothing. Raises BadAccount."""
    query = "UPDATE shikong.account SET revoked_at = clock_timestamp() WHERE name = %s AND revoked_at IS NULL"
    if not conn.execute(query, (name,)).rowcount:
        raise BadAccount(f"there is no account {name!r} that could be revoked; see `shikong accounts`")


def listing(database: Database) -> list[Account]:
    """All accounts, by name."""
    query = sql.SQL("SELECT name, roles, created_at, expires_at, revoked_at FROM shikong.account ORDER BY name")
    return [Account(name, tuple(roles), *times) for name, roles, *times in database.thread_fetch(query)]


async def holder(database: Database, token: str) -> Principal | None:
    """Whose token this is; None where it is worth nothing."""
    rows = await database.fetch(_HOLDER, {"digest": _digest(token)})
    return Principal(rows[0][0], tuple(rows[0][1])) if rows else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
