"""How far a features layer's rows reach, found from the blocks at its rim: a few hundred rows instead of all.

A block's area is never smaller than what its rows cover, though it may be larger once rows have gone. So the blocks are
looked into from the outermost inwards, until what has been found lies farther out than all blocks that are left.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import tables

#: Blocks that are looked into on each side; when they are not enough, reading all rows at once is quicker.
_MOST = 200

#: West, south, east, north: how far a shape reaches there, and whether larger is farther out.
_SIDES: tuple[tuple[LiteralString, bool], ...] = (
    ("st_xmin", False), ("st_ymin", False), ("st_xmax", True), ("st_ymax", True),
)  # fmt: skip

_BLOCKS = "SELECT {reach}(area), first, last FROM {blocks} ORDER BY {reach}(area) {order} LIMIT {most}"
_ROWS = "SELECT {farthest}({reach}(geom)) FROM {table} WHERE _row BETWEEN %s AND %s"


def bounds(conn: Connection[Any], layer: Layer) -> tuple[float, float, float, float] | None:
    """West, south, east and north of a layer's present rows (EPSG:4490, degrees); None where blocks do not tell it."""
    found = [_farthest(conn, layer, reach, outwards=outwards) for reach, outwards in _SIDES]
    west, south, east, north = found
    if west is None or south is None or east is None or north is None:
        return None
    return west, south, east, north


def _farthest(conn: Connection[Any], layer: Layer, reach: LiteralString, *, outwards: bool) -> float | None:
    parts = {
        "reach": sql.SQL(reach), "order": sql.SQL("DESC" if outwards else "ASC"),
        "farthest": sql.SQL("max" if outwards else "min"), "blocks": tables.blocks(layer),
        "table": tables.table(layer), "most": sql.Literal(_MOST),
    }  # fmt: skip
    listed = conn.execute(sql.SQL(_BLOCKS).format(**parts)).fetchall()
    rows_of = sql.SQL(_ROWS).format(**parts)
    best: float | None = None
    for limit, first, last in listed:
        if best is not None and (best >= limit if outwards else best <= limit):
            return best
        row = conn.execute(rows_of, (first, last)).fetchone()
        if row is not None and row[0] is not None:
            best = row[0] if best is None else (max if outwards else min)(best, row[0])
    return best if len(listed) < _MOST else None
