"""What has changed in a layer since a run saw it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.processes.overlay.kernel import Shapes
from shikong.store import tables

_SEEN = """
    SELECT
        coalesce((SELECT max(id) FROM shikong.release WHERE layer = {layer} AND published_at IS NOT NULL), 0),
        coalesce((SELECT max(_row) FROM {table}), 0)
"""

# Releases of a layer follow one another, so what came since has higher row numbers than all that was seen.
_CAME = "SELECT {key} FROM {table} WHERE _row > %(row)s"
_WENT = "SELECT {key}, st_asbinary(geom) FROM {history} WHERE {gone}"

# Rows that have begun to hold, or have ended, by the clock alone.
_CAME_BY_CLOCK = "SELECT {key} FROM {table} WHERE valid_from > %(then)s AND valid_from <= now()"
_WENT_BY_CLOCK = "SELECT {key}, st_asbinary(geom) FROM {table} WHERE valid_to > %(then)s AND valid_to <= now()"


@dataclass(frozen=True)
class Seen:
    """How much of a layer a run saw: its newest release (0 before the first) and its last row."""

    release: int
    row: int


@dataclass(frozen=True)
class Changes:
    """Keys of features that came, went or changed, and the shapes of those that went or changed, as they were."""

    keys: frozenset[str]
    former: Shapes

    def __len__(self) -> int:
        return len(self.keys)


def see(conn: Connection[Any], layer: Layer) -> Seen:
    """How much there is to see of a layer in this transaction."""
    query = sql.SQL(_SEEN).format(layer=sql.Literal(layer.id), table=tables.table(layer))
    row = conn.execute(query).fetchone()
    assert row is not None
    return Seen(*row)


def since(conn: Connection[Any], layer: Layer, seen: Seen, then: datetime) -> Changes:
    """What has changed since a run saw so much of a layer, at that time."""
    gone = "_superseded > %(release)s" + (" OR _ended > %(release)s" if layer.versioned else "")
    parts = {
        "key": sql.Identifier(layer.key_field), "table": tables.table(layer), "history": tables.history(layer),
        "gone": sql.SQL(gone),
    }  # fmt: skip
    params = {"release": seen.release, "row": seen.row, "then": then}
    came = [_CAME, *([_CAME_BY_CLOCK] if layer.versioned else [])]
    went = [_WENT, *([_WENT_BY_CLOCK] if layer.versioned else [])]
    keys = {key for query in came for (key,) in conn.execute(sql.SQL(query).format(**parts), params)}
    former = [row for query in went for row in conn.execute(sql.SQL(query).format(**parts), params)]
    shapes = shapely.from_wkb(np.array([wkb for _, wkb in former], dtype=object))
    return Changes(frozenset(keys | {key for key, _ in former}), np.asarray(shapes, dtype=object))
