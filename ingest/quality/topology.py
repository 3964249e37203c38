"""Rules about where shapes lie to each other: no overlap, no gaps, within a boundary.

The shapes are swept from west to east in slices that fit in memory, so that two million of them need no more
than a hundred thousand. A coverage check finds the few shapes that do not fit their neighbours edge to edge
(GEOS, a fraction of the time of intersecting all of them), and only those are intersected.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import Connection, sql

from shikong.ingest.quality.findings import Finding
from shikong.ingest.readers.base import Geometries
from shikong.layers import rules
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import ellipsoid, tables
from shikong.store.publish import Mode, staging_table

#: Shapes in a slice of the sweep.
SLICE = 100_000

# What will hold once the staged rows are published; rows that stay beside them have no source row.
_FUTURE = """
    SELECT _source_row, {key}::text AS key, geom FROM {staged} WHERE {holds}
"""
_STAYING = """
    UNION ALL
    SELECT NULL, c.{key}::text, c.geom FROM {table} AS c
    WHERE {holds} AND NOT EXISTS (SELECT FROM {staged} AS s WHERE s.{key} = c.{key})
"""


@dataclass
class _Slice:
    """Shapes with the rows that they come from, in order of their western edges."""

    rows: NDArray[np.object_]
    keys: NDArray[np.object_]
    shapes: Geometries

    def __len__(self) -> int:
        return len(self.shapes)

    def take(self, which: Any) -> _Slice:
        """Some of them."""
        return _Slice(self.rows[which], self.keys[which], self.shapes[which])

    def then(self, other: _Slice) -> _Slice:
        """These and others."""
        return _Slice(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.keys, other.keys]),
            np.concatenate([self.shapes, other.shapes]),
        )

    def finding(self, index: int, rule: Any, value: str, shape: Any) -> Finding:
        """A finding about one of them."""
        return Finding(
            self.rows[index], rule.rule, "geometry", value, rule.severity, self.keys[index], shapely.to_wkb(shape)
        )


def check(
    conn: Connection[Any], catalog: Catalog, layer: Layer, mode: Mode, unchecked: dict[str, str]
) -> Iterator[Finding]:
    """Findings of the layer's topological rules in what will hold once the staged rows are published.

    unchecked: takes the rules that could not be checked, with the reason.
    """
    overlap = _rule(layer, rules.NoOverlap)
    gaps = _rule(layer, rules.NoGaps)
    within = _rule(layer, rules.Within)
    boundary = None
    if within is not None:
        boundary = _boundary(conn, catalog, within)
        if boundary is None:
            unchecked["within"] = f"{within.layer} has no rows yet, so nothing lies within it"
    if overlap is None and gaps is None and boundary is None:
        return
    carried = _Slice(np.empty(0, object), np.empty(0, object), np.empty(0, object))
    unions: list[Any] = []
    for fresh in _slices(conn, layer, mode):
        near = carried.take(shapely.bounds(carried.shapes)[:, 2] >= shapely.bounds(fresh.shapes)[0, 0])
        if boundary is not None:
            yield from _outside(within, boundary, fresh)
        if overlap is not None or gaps is not None:
            misfits = _misfits(near.then(fresh))
            if overlap is not None:
                yield from _overlaps(overlap, near.then(fresh), misfits, len(near))
            if gaps is not None:
                unions.append(_union(fresh.shapes, misfits[len(near) :]))
        carried = near.then(fresh)
    if gaps is not None:
        yield from _gaps(gaps, unions)


def _rule(layer: Layer, kind: type[Any]) -> Any:
    return next((rule for rule in layer.quality if isinstance(rule, kind)), None)


def _boundary(conn: Connection[Any], catalog: Catalog, within: rules.Within) -> Any:
    layer = catalog.layer(within.layer)
    tables.ensure(conn, layer)
    rows = conn.execute(sql.SQL("SELECT st_asbinary(geom) FROM {}").format(tables.table(layer))).fetchall()
    if not rows:
        return None
    union = shapely.union_all(shapely.from_wkb([row[0] for row in rows]))
    shapely.prepare(union)
    return union


def _slices(conn: Connection[Any], layer: Layer, mode: Mode) -> Iterator[_Slice]:
    holds = "(valid_to IS NULL OR valid_to > now())"
    query = sql.SQL(_FUTURE + (_STAYING if mode == "update" else "")).format(
        key=sql.Identifier(layer.key_field), staged=staging_table(layer), table=tables.table(layer),
        holds=sql.SQL(holds if layer.versioned else "true"),
    )  # fmt: skip
    ordered = sql.SQL("SELECT _source_row, key, st_asbinary(geom) FROM ({}) AS future ORDER BY st_xmin(geom)").format(
        query
    )
    with conn.cursor(name="sweep", binary=True) as cursor:
        cursor.itersize = SLICE
        cursor.execute(ordered)
        while rows := cursor.fetchmany(SLICE):
            numbers, keys, shapes = zip(*rows, strict=True)
            yield _Slice(np.array(numbers, object), np.array(keys, object), shapely.from_wkb(np.array(shapes, object)))


def _misfits(part: _Slice) -> NDArray[np.bool_]:
    """Shapes with an edge that lies inside another or does not match its neighbour's."""
    return np.asarray(~shapely.is_empty(shapely.coverage_invalid_edges(part.shapes)), dtype=bool)


def _overlaps(rule: rules.NoOverlap, part: _Slice, misfits: NDArray[np.bool_], number_before: int) -> Iterator[Finding]:
    """Pairs that share more than the tolerance, of which at least one is new in this slice; the later row is named."""
    suspects = part.take(misfits)
    old = np.flatnonzero(misfits) < number_before
    first, second = shapely.STRtree(suspects.shapes).query(suspects.shapes, predicate="intersects")
    once = (first < second) & ~(old[first] & old[second])
    first, second = first[once], second[once]
    shared = shapely.intersection(suspects.shapes[first], suspects.shapes[second])
    areas = ellipsoid.areas(shared)
    for number in np.flatnonzero(areas > rule.tolerance):
        one, other = int(first[number]), int(second[number])
        if (suspects.rows[other] or 0) < (suspects.rows[one] or 0):
            one, other = other, one
        if suspects.rows[other] is None:
            continue  # both were there before
        value = f"{areas[number]:.2f} m2 with {suspects.keys[one]}"
        yield suspects.finding(other, rule, value, shared[number])


def _union(shapes: Geometries, misfits: NDArray[np.bool_]) -> Any:
    """Shapes that fit are joined along their common edges, which is quick; only the others are overlaid."""
    joined = [shapely.coverage_union_all(shapes[~misfits]), shapely.union_all(shapes[misfits])]
    return shapely.union_all(joined)


def _gaps(rule: rules.NoGaps, unions: list[Any]) -> Iterator[Finding]:
    whole = shapely.get_parts(shapely.union_all(unions))
    rings = [ring for polygon in whole for ring in polygon.interiors]
    holes = shapely.polygons(rings) if rings else np.empty(0, object)
    areas = ellipsoid.areas(holes)
    for number in np.flatnonzero(areas <= rule.max_area):
        value = f"{areas[number]:.2f} m2 without a surface"
        yield Finding(None, rule.rule, "geometry", value, rule.severity, None, shapely.to_wkb(holes[number]))


def _outside(rule: rules.Within, boundary: Any, part: _Slice) -> Iterator[Finding]:
    for index in np.flatnonzero(~shapely.covers(boundary, part.shapes)):
        if part.rows[index] is None:
            continue
        beyond = shapely.difference(part.shapes[index], boundary)
        dimension = shapely.get_dimensions(beyond)
        alone = np.array([beyond], dtype=object)
        size = (ellipsoid.areas if dimension == 2 else ellipsoid.lengths)(alone)[0]
        if dimension == 0 or size > rule.tolerance:
            told = "the place" if dimension == 0 else f"{size:.2f} {'m2' if dimension == 2 else 'm'}"
            yield part.finding(int(index), rule, f"{told} outside {rule.layer}", beyond)
