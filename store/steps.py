"""The steps that features have taken in their layer's workflow. They are written once.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store.principal import current_principal

_TAKE = """
    INSERT INTO shikong.step (layer, key, step, before, after, principal, release, note)
    VALUES (%(layer)s, %(key)s, %(step)s, %(before)s, %(after)s, %(principal)s, %(release)s, %(note)s)
"""

#: The steps of features (`layer`, `keys`), in their order.
OF_FEATURES = sql.SQL("""
    SELECT key, step, before, after, principal, taken_at, release, note FROM shikong.step
    WHERE layer = %(layer)s AND key = ANY(%(keys)s) ORDER BY id
""")


@dataclass(frozen=True)
class Taken:
    """A step that a feature has taken. before: None for the step that made it. release: that holds what came of it."""

    key: str
    step: str
    before: str | None
    after: str
    principal: str
    taken_at: datetime
    release: int
    note: str | None


def told(taken: Taken) -> dict[str, Any]:
    """A step as JSON has it."""
    return {
        "step": taken.step, "from": taken.before, "to": taken.after, "by": taken.principal,
        "at": taken.taken_at.isoformat(), "release": taken.release, "note": taken.note,
    }  # fmt: skip


def take(
    conn: Connection[Any], layer: Layer, key: Any, states: tuple[str | None, str], step: str, release: int,
    note: str | None,
) -> None:  # fmt: skip
    """Write down that a feature takes a step, in the name of the current principal. states: before and after."""
    conn.execute(_TAKE, {
        "layer": layer.id, "key": str(key), "step": step, "before": states[0], "after": states[1],
        "principal": current_principal.get().name, "release": release, "note": note,
    })  # fmt: skip
