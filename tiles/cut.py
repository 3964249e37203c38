"""The SQL that cuts a vector tile.

Geometry is taken as projected when it was stored (measured: 0.7-0.87 of the time of projecting at
each tile), and what is smaller than a pixel is left out. The layer inside the tile has the layer's id.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from psycopg import sql

from shikong.layers.model import Layer
from shikong.store import moments, tables
from shikong.store.moments import NOW, Moment
from shikong.tiles.matrix import TileBox

EXTENT = 4096
BUFFER = 64

_TILE = """
    SELECT st_asmvt(tile, {layer}, {extent}, 'geom') FROM (
        SELECT st_asmvtgeom({column}, bounds.tile, {extent}, {buffer}) AS geom, {properties}
        FROM {table} AS s, (
            SELECT st_makeenvelope(%(west)s, %(south)s, %(east)s, %(north)s, {srid}) AS tile,
                   st_makeenvelope(%(w)s, %(s)s, %(e)s, %(n)s, {srid}) AS area
        ) AS bounds
        WHERE s.{column} && bounds.area AND {holds} AND {condition}
    ) AS tile
"""


# History has no copy in EPSG:3857. The window in degrees, a little wider than the tile, finds candidates by index.
_PAST = """
    (SELECT {columns}
    FROM {source} AS known
    WHERE geom && st_expand(st_transform(st_makeenvelope(%(w)s, %(s)s, %(e)s, %(n)s, {srid}), {stored}), 1e-6))
"""


@lru_cache(maxsize=1024)
def _statement(layer: Layer, srid: int, condition: str, shape: Moment) -> bytes:
    """Ready text, because putting the parts together takes as long as cutting a small tile."""
    column = "geom_3857" if srid == 3857 else "geom"
    names = [layer.key_field, *(name for name in tables.row_columns(layer) if name not in ("geom", layer.key_field))]
    holds = moments.conditions(layer, shape.period)
    return sql.SQL(_TILE).format(
        layer=sql.Literal(layer.id), extent=sql.Literal(EXTENT), buffer=sql.Literal(BUFFER),
        column=sql.Identifier(column), srid=sql.Literal(srid),
        table=_past(layer, srid, shape) if moments.is_past(layer, shape) else tables.table(layer),
        holds=sql.SQL(" AND ").join(holds) if holds else sql.SQL("true"),
        condition=sql.SQL(condition),  # put together by the caller, values bound
        properties=sql.SQL(", ").join(_property(layer, name) for name in names),
    ).as_bytes(None)  # fmt: skip


def _past(layer: Layer, srid: int, shape: Moment) -> sql.Composable:
    """SQL for the rows of another time that may lie in the tile."""
    columns: list[sql.Composable] = [sql.Identifier(name) for name in tables.row_columns(layer)]
    if srid == 3857:
        columns.append(sql.SQL("st_transform(geom, 3857) AS geom_3857"))
    return sql.SQL(_PAST).format(
        columns=sql.SQL(", ").join(columns), source=moments.source(layer, shape), srid=sql.Literal(srid),
        stored=sql.Literal(tables.SRID),
    )  # fmt: skip


def _property(layer: Layer, name: str) -> sql.Composable:
    """Times as text: tiles know numbers, texts and booleans only."""
    timely = name in ("valid_from", "valid_to") or (
        name in layer.fields and layer.fields[name].type in ("date", "datetime")
    )
    column = sql.SQL("s.{}").format(sql.Identifier(name))
    return sql.SQL("{}::text AS {}").format(column, sql.Identifier(name)) if timely else column


def tile(layer: Layer, box: TileBox, condition: str = "true", moment: Moment = NOW) -> tuple[bytes, dict[str, Any]]:
    """SQL and parameters for one tile; its only value is the tile's bytes, empty when nothing is there.

    condition: SQL on the layer's table, named `s`, for what is to be drawn; its own parameters are the caller's.
    moment: which of the layer's rows; those of today are had quickest.
    """
    margin_x = (box.east - box.west) * BUFFER / EXTENT
    margin_y = (box.north - box.south) * BUFFER / EXTENT
    params: dict[str, Any] = {
        "west": box.west, "south": box.south, "east": box.east, "north": box.north,
        "w": box.west - margin_x, "s": box.south - margin_y, "e": box.east + margin_x, "n": box.north + margin_y,
    }  # fmt: skip
    if moment != NOW:
        params |= moment.values
    return _statement(layer, box.srid, condition, moment.shape), params
