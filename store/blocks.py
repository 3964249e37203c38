"""Where each run of neighbouring rows of a layer lies: a box for each, by which a map window finds its rows in order.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import tables

#: Rows in a block: few enough to read whole, many enough that blocks are few.
_ROWS = 128

#: How much larger than its rows a block's area is (degrees), so that it is an area where they lie on one line.
_MARGIN = sql.Literal(1e-9)

_SRID = sql.Literal(tables.SRID)


@dataclass(frozen=True)
class Blocks:
    """Runs of rows: their first and last numbers, and west, south, east and north of each (EPSG:4490, degrees)."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    boxes: NDArray[np.float64]


def refresh(conn: Connection[Any], layer: Layer, since: int = 0) -> None:
    """Write down anew where each run of a layer's present rows lies, from the run on in which the row `since` is.

    The areas of runs before are never too small: rows are not moved, they only go.
    """
    parts = {
        "blocks": tables.blocks(layer), "table": tables.table(layer), "rows": sql.Literal(_ROWS), "margin": _MARGIN,
        "srid": _SRID,
    }  # fmt: skip
    params = {"since": since - since % _ROWS}
    conn.execute(sql.SQL("DELETE FROM {blocks} WHERE first >= %(since)s").format(**parts), params)
    conn.execute(sql.SQL(_REFRESH).format(**parts), params)


def blocks_of(first: int, boxes: NDArray[np.float64]) -> Blocks:
    """The runs of rows that are numbered on from `first`. boxes: west, south, east and north of each row."""
    numbers = np.arange(first, first + len(boxes))
    runs = numbers // _ROWS
    starts = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]][: len(runs)])
    low, high = np.minimum.reduceat(boxes[:, :2], starts), np.maximum.reduceat(boxes[:, 2:], starts)
    return Blocks(numbers[starts], np.r_[numbers[starts[1:]] - 1, numbers[-1:]], np.hstack([low, high]))


def write(conn: Connection[Any], layer: Layer, found: Sequence[Blocks]) -> None:
    """Write down where the rows of a layer lie that has none so far."""
    parts = {"blocks": tables.blocks(layer), "margin": _MARGIN, "srid": _SRID}
    columns = [np.concatenate([each.first for each in found]), np.concatenate([each.last for each in found])]
    columns += list(np.concatenate([each.boxes for each in found]).T)
    conn.execute(sql.SQL(_WRITE).format(**parts), [column.tolist() for column in columns])


_REFRESH = """
    INSERT INTO {blocks} (first, last, area)
    SELECT min(_row), max(_row), st_setsrid(st_expand(st_extent(geom), {margin})::geometry, {srid})
    FROM {table} WHERE _row >= %(since)s GROUP BY _row / {rows}
"""

_WRITE = """
    INSERT INTO {blocks} (first, last, area)
    SELECT first, last, st_expand(st_makeenvelope(west, south, east, north, {srid}), {margin})
    FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::float8[])
        AS found (first, last, west, south, east, north)
"""
