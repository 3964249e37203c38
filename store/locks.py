"""One change of a layer at a time, whoever makes it: a worker, an operator's command or an edit.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, errors, sql

from shikong.store.database import Database
from shikong.store.errors import LayerBusy

_LOADING = 7_156_002  # any constant; the first half of the key of our advisory locks

#: For so long an edit waits for other changes of its layers.
_EDITS_WAIT = "5s"

_MERGING, _WATCHING = 7_156_006, 7_156_007

_KEY = {"loading": sql.Literal(_LOADING)}


@contextmanager
def loading(conn: Connection[Any], layer: str) -> Iterator[None]:
    """Hold a layer for the whole of a load or a rollback; waits, however long, until one under way has ended.

    The lock is the session's: when the loader dies, the database frees it. It is freed at the end of the block, so
    the transaction that publishes lies inside, and the caller is in none.
    """
    with conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")
        # A loader that was killed must not hold the layer until its last statement has run to its end.
        conn.execute("SET client_connection_check_interval = '1s'")
        conn.execute(sql.SQL("SELECT pg_advisory_lock({loading}, hashtext(%s))").format(**_KEY), (layer,))
    try:
        yield
    finally:
        if not conn.broken:
            conn.execute(sql.SQL("SELECT pg_advisory_unlock({loading}, hashtext(%s))").format(**_KEY), (layer,))


def hold_for_edit(conn: Connection[Any], layers: Collection[str]) -> None:
    """Hold layers until the caller's transaction ends; always in the same order, so that two edits cannot wait for
    each other. Raises LayerBusy when another change takes longer than an edit does.
    """
    conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_EDITS_WAIT)))
    for layer in sorted(layers):
        try:
            conn.execute(sql.SQL("SELECT pg_advisory_xact_lock({loading}, hashtext(%s))").format(**_KEY), (layer,))
        except errors.LockNotAvailable as error:
            raise LayerBusy(f"{layer} is being loaded; nothing was changed, try again shortly") from error


def hold_for_merge(conn: Connection[Any], layer: str) -> None:
    """Hold a layer of observations until the caller's transaction ends: values of one source at a time are merged.

    What comes live does not wait for a whole load this way, only for its merge.
    """
    conn.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_MERGING, layer))


def hold_watch(conn: Connection[Any]) -> bool:
    """Become the one that watches what arrives, for as long as the session lasts; False if another is."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s, 0)", (_WATCHING,)).fetchone()
    assert row is not None
    return bool(row[0])


def is_loading(database: Database, layer: str) -> bool:
    """Whether a load of the layer is under way now."""
    query = sql.SQL(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = {loading}::oid"
        " AND objid = hashtext(%(layer)s)::oid"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    ).format(**_KEY)
    return bool(database.thread_fetch(query, {"layer": layer})[0][0])
