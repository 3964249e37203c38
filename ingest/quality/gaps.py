"""Gaps between surfaces: of a whole layer, and around what an update changes without a look at the rest.

A gap is a piece of the ground without a surface that is closed all around. For an update, what is free of surfaces
near a changed shape is cut out of a window around it: a piece that does not reach the window's rim is a gap as it
stands. One that does may go on outside, so the window grows until the piece is closed or larger than any gap that
counts.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import Connection, sql

from shikong.ingest.quality.findings import Finding
from shikong.ingest.readers.base import Geometries
from shikong.layers.model import Layer
from shikong.layers.rules import NoGaps
from shikong.store import ellipsoid, tables
from shikong.store.publish import staging, staging_table

#: An update of more shapes than this is looked at as a whole.
FEW = 1000

#: Width of the first window's margin (degrees; some 100 m), and how much wider each next one is.
_MARGIN, _WIDER = 1e-3, 4

#: What lies this near (degrees; 0.1 mm) touches.
_SAME = 1e-9

# Where something changes: the new shapes, those in whose place they come, and those that the release has ended.
_CHANGED = """
    SELECT st_asbinary(geom) FROM {staged}
    UNION
    SELECT st_asbinary(c.geom) FROM {table} AS c JOIN {staged} AS s ON s.{key} = c.{key}
    UNION
    SELECT st_asbinary(geom) FROM {history} WHERE {gone}
"""

# What will hold within a window once the staged rows are published.
_FUTURE = """
    SELECT st_asbinary(geom) FROM {staged} WHERE {holds} AND geom && {window}
    UNION ALL
    SELECT st_asbinary(c.geom) FROM {table} AS c
    WHERE {holds} AND c.geom && {window} AND NOT EXISTS (SELECT FROM {staged} AS s WHERE s.{key} = c.{key})
"""


def is_small(conn: Connection[Any], layer: Layer) -> bool:
    """Whether so little is staged that gaps are looked for around it."""
    query = sql.SQL("SELECT count(*) <= {} FROM {}").format(sql.Literal(FEW), staging_table(layer))
    row = conn.execute(query).fetchone()
    assert row is not None
    return bool(row[0])


def around_changes(conn: Connection[Any], layer: Layer, release: int, rule: NoGaps) -> Iterator[Finding]:
    """The gaps that will touch a shape that a release of an update changes, where it is or where it was; each once."""
    parts = {
        "staged": staging_table(layer), "table": tables.table(layer), "key": sql.Identifier(layer.key_field),
        "history": tables.history(layer), "gone": tables.gone(layer, sql.Literal(release)),
    }  # fmt: skip
    rows = conn.execute(sql.SQL(_CHANGED).format(**parts)).fetchall()
    told: set[tuple[float, ...]] = set()
    for changed in shapely.from_wkb([row[0] for row in rows]):
        for gap, area in zip(*_touching(conn, layer, changed, rule.max_area), strict=True):
            # The same gap seen from two shapes differs in the last digits at most.
            place = tuple(np.round(shapely.bounds(gap), 8))
            if place not in told:
                told.add(place)
                value = f"{area:.2f} m2 without a surface"
                yield Finding(None, rule.rule, "geometry", value, rule.severity, None, shapely.to_wkb(gap))


def left_by_ended(conn: Connection[Any], layer: Layer, release: int) -> list[Finding]:
    """The gaps that features leave which a release has ended, and that is all it does."""
    rule = layer.rule(NoGaps)
    if rule is None:
        return []
    with staging(conn, layer) as staged:  # nothing comes in their place
        pass
    found = list(around_changes(conn, layer, release, rule))
    conn.execute(sql.SQL("DROP TABLE {}").format(staged))
    return found


def closed(surfaces: Any) -> Geometries:
    """The gaps of surfaces that are joined into one shape."""
    if shapely.is_empty(surfaces):
        return np.empty(0, object)
    west, south, east, north = shapely.bounds(surfaces)
    free, is_open = _free(shapely.box(west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN), surfaces)
    return free[~is_open]


def _free(window: Any, surfaces: Any) -> tuple[Geometries, NDArray[np.bool_]]:
    """The pieces of a window without a surface, and which of them reach its rim. A surface that lies alone in a piece
    is taken as a part of it."""
    pieces = shapely.get_parts(shapely.difference(window, surfaces))
    pieces = shapely.polygons(shapely.get_exterior_ring(pieces[shapely.get_dimensions(pieces) == 2]))
    return pieces, shapely.intersects(pieces, shapely.boundary(window))


def _touching(conn: Connection[Any], layer: Layer, changed: Any, most: float) -> tuple[Geometries, Any]:
    """The gaps up to a size (m2) that touch a shape, and their sizes."""
    margin = _MARGIN
    while True:
        west, south, east, north = shapely.bounds(changed)
        window = shapely.box(west - margin, south - margin, east + margin, north + margin)
        free, is_open = _free(window, shapely.union_all(_shapes_in(conn, layer, window)))
        areas = ellipsoid.areas(free)
        count = (areas <= most) & shapely.dwithin(free, changed, _SAME)
        if not (is_open & count).any():
            return free[count], areas[count]
        margin *= _WIDER


def _shapes_in(conn: Connection[Any], layer: Layer, window: Any) -> Geometries:
    corners = sql.SQL(", ").join(map(sql.Literal, shapely.bounds(window).tolist()))
    query = sql.SQL(_FUTURE).format(
        staged=staging_table(layer), table=tables.table(layer), key=sql.Identifier(layer.key_field),
        holds=sql.SQL("(valid_to IS NULL OR valid_to > now())" if layer.versioned else "true"),
        window=sql.SQL("st_makeenvelope({}, {})").format(corners, sql.Literal(tables.SRID)),
    )  # fmt: skip
    rows = conn.execute(query).fetchall()
    shapes: Geometries = shapely.from_wkb(np.array([row[0] for row in rows], object))
    return shapes
