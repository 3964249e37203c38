"""The SQL that cuts a vector tile.

Geometry is taken as projected when it was stored (measured: 0.7-0.87 of the time of projecting at
each tile). The layer inside the tile has the layer's id.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from psycopg import sql

from shikong.layers.model import Layer
from shikong.store import moments, tables
from shikong.store.moments import NOW, Moment
from shikong.tiles.matrix import BUFFER, EXTENT, TileBox

#: The area that a tile shows, with its margin, as `area`.
_AREA = "st_makeenvelope(%(w)s, %(s)s, %(e)s, %(n)s, {srid})"

_TILE = f"""
    SELECT st_asmvt(tile, {{layer}}, {{extent}}, 'geom') FROM (
        SELECT st_asmvtgeom({{column}}, bounds.tile, {{extent}}, {{buffer}}) AS geom, {{properties}}
        FROM {{table}} AS s, (
            SELECT st_makeenvelope(%(west)s, %(south)s, %(east)s, %(north)s, {{srid}}) AS tile, {_AREA} AS area
        ) AS bounds
        WHERE s.{{column}} && bounds.area AND {{holds}} AND {{condition}}
    ) AS tile
"""

_SHAPES = f"""
    SELECT st_asbinary(s.{{column}}), s.{{by}} FROM {{table}} AS s, (SELECT {_AREA} AS area) AS bounds
    WHERE s.{{column}} && bounds.area AND {{holds}} AND {{condition}}
"""

_SOMETHING = f"""
    SELECT EXISTS (
        SELECT FROM {{table}} AS s, (SELECT {_AREA} AS area) AS bounds
        WHERE s.{{column}} && bounds.area AND {{holds}}
    )
"""

# A tile's own coordinates, upright; what is drawn has been cut already.
_DRAWN = """
    SELECT st_asmvt(tile, {layer}, {extent}, 'geom') FROM (
        SELECT
            st_asmvtgeom(
                st_geomfromwkb(area.shape), st_makebox2d(st_point(0, 0), st_point({extent}, {extent})),
                {extent}, {buffer}
            ) AS geom,
            area.code AS {by}
        FROM unnest(%(shapes)s::bytea[], %(codes)s::text[]) AS area (shape, code)
    ) AS tile
"""

# History has no copy in EPSG:3857, and today's rows have none but that. The window in degrees, a little wider than the
# tile, finds candidates by index.
_ELSEWHERE = f"""
    (SELECT {{columns}}
    FROM {{source}} AS known
    WHERE geom && st_expand(st_transform({_AREA}, {{stored}}), 1e-6))
"""


def tile(
    layer: Layer, box: TileBox, condition: str = "true", moment: Moment = NOW, *, shown: TileBox | None = None,
    extent: int = EXTENT, buffer: int = BUFFER,
) -> tuple[bytes, dict[str, Any]]:  # fmt: skip
    """SQL and parameters for one tile; its only value is the tile's bytes, empty when nothing is there.

    condition: SQL on the layer's table, named `s`, for what is to be drawn; its own parameters are the caller's.
    moment: which of the layer's rows; those of today are had quickest. shown: the part of the box that is wanted.
    extent, buffer: units along the tile's sides, and beyond them.
    """
    bounds = {"west": box.west, "south": box.south, "east": box.east, "north": box.north}
    units = (box.east - box.west) / extent, (box.north - box.south) / extent
    window = _window(shown or box, moment, (buffer * units[0], buffer * units[1]))
    return _statement(_TILE, layer, box.srid, condition, moment.shape, extent, buffer), bounds | window


def drawn_at(layer: Layer, zoom: float) -> tuple[str, dict[str, Any]]:
    """SQL, with its values, for the rows that are drawn at a zoom of WebMercatorQuad."""
    assert layer.tiles is not None
    absent = [code for code, first in layer.tiles.appears_from.items() if first > zoom]
    if not absent or not layer.style:
        return "true", {}
    return f's."{layer.style.by}" <> ALL(%(absent)s)', {"absent": absent}


def shapes(layer: Layer, box: TileBox, condition: str, moment: Moment) -> tuple[bytes, dict[str, Any]]:
    """SQL and parameters for the areas of a tile as WKB in its coordinates, whole, with the codes of their style."""
    return _statement(_SHAPES, layer, box.srid, condition, moment.shape), _window(box, moment)


def holds_something(layer: Layer, box: TileBox, moment: Moment) -> tuple[bytes, dict[str, Any]]:
    """SQL and parameters for whether anything lies in a tile."""
    return _statement(_SOMETHING, layer, box.srid, "true", moment.shape), _window(box, moment)


def drawn(layer: Layer, by: str, areas: Sequence[bytes], codes: Sequence[str | None]) -> tuple[bytes, dict[str, Any]]:
    """SQL and parameters for a tile of areas that are there already: WKB in the tile's units, y from the bottom up."""
    query = sql.SQL(_DRAWN).format(
        layer=sql.Literal(layer.id), extent=sql.Literal(EXTENT), buffer=sql.Literal(BUFFER), by=sql.Identifier(by)
    )
    return query.as_bytes(None), {"shapes": list(areas), "codes": list(codes)}


def _window(box: TileBox, moment: Moment, margin: tuple[float, float] | None = None) -> dict[str, Any]:
    """The area that a tile shows, and the values of a moment. margin: in the units of the box; BUFFER without it."""
    margin_x, margin_y = margin or (
        (box.east - box.west) * BUFFER / EXTENT, (box.north - box.south) * BUFFER / EXTENT,
    )  # fmt: skip
    window: dict[str, Any] = {
        "w": box.west - margin_x, "s": box.south - margin_y, "e": box.east + margin_x, "n": box.north + margin_y,
    }  # fmt: skip
    return window if moment == NOW else window | moment.values


@lru_cache(maxsize=1024)
def _statement(
    template: str, layer: Layer, srid: int, condition: str, shape: Moment, extent: int = EXTENT, buffer: int = BUFFER
) -> bytes:
    """Ready text, because putting the parts together takes as long as cutting a small tile."""
    column = "geom" if srid == tables.SRID else f"geom_{srid}"
    elsewhere = moments.is_past(layer, shape) or srid not in (tables.SRID, 3857)
    names = [layer.key_field, *(name for name in tables.row_columns(layer) if name not in ("geom", layer.key_field))]
    holds = moments.conditions(layer, shape.period)
    return sql.SQL(template).format(
        layer=sql.Literal(layer.id), extent=sql.Literal(extent), buffer=sql.Literal(buffer),
        column=sql.Identifier(column), srid=sql.Literal(srid),
        by=sql.Identifier(layer.style.by if layer.style and layer.style.by else layer.key_field),
        table=_elsewhere(layer, srid, shape) if elsewhere else tables.table(layer),
        holds=sql.SQL(" AND ").join(holds) if holds else sql.SQL("true"),
        condition=sql.SQL(condition),  # put together by the caller, values bound
        properties=sql.SQL(", ").join(_property(layer, name) for name in names),
    ).as_bytes(None)  # fmt: skip


def _elsewhere(layer: Layer, srid: int, shape: Moment) -> sql.Composable:
    """SQL for the rows that may lie in the tile, of another time or in a CRS in which they are not stored."""
    columns: list[sql.Composable] = [sql.Identifier(name) for name in tables.row_columns(layer)]
    if srid != tables.SRID:
        moved = sql.SQL("st_transform(geom, {}) AS {}")
        columns.append(moved.format(sql.Literal(srid), sql.Identifier(f"geom_{srid}")))
    return sql.SQL(_ELSEWHERE).format(
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
