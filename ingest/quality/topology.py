"""Rules about where shapes lie to each other: no overlap, no gaps, within a boundary.

The shapes are swept from west to east in slices that fit in memory, so that two million of them need no more
than a hundred thousand. Only shapes near edges that do not fit a neighbour's are intersected (edges.py), and from
each that overlaps others the search goes on to what lies under it. Where all that is asked is whether shapes of a
whole delivery overlap, only those near such edges are read at all.

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

from shikong.ingest.quality import gaps as gap_search
from shikong.ingest.quality.edges import Neighbourhood, edges_of
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
    SELECT _source_row, {key}::text AS key, geom FROM {staged}
    WHERE {holds} AND {chosen}
"""
_STAYING = """
    UNION ALL
    SELECT NULL, c.{key}::text, c.geom FROM {table} AS c
    WHERE {holds} AND NOT EXISTS (SELECT FROM {staged} AS s WHERE s.{key} = c.{key})
"""
# Of the rows that stay, those that a new one may touch.
_STAYING_NEAR = (
    _STAYING
    + """
    AND c._row IN (SELECT n._row FROM {staged} AS s JOIN {table} AS n ON n.geom && s.geom)
"""
)


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


def wants_edges(layer: Layer, mode: Mode) -> bool:
    """Whether the staged rows' edges alone tell which of them may break a rule: no others stay beside them, and the
    only topological rule is `no_overlap`."""
    apart = layer.rule(rules.NoGaps) or layer.rule(rules.Within)
    return mode == "replace" and layer.rule(rules.NoOverlap) is not None and apart is None


def check(
    conn: Connection[Any],
    catalog: Catalog,
    layer: Layer,
    release: int,
    mode: Mode,
    unchecked: dict[str, str],
    near: Neighbourhood | None,
) -> Iterator[Finding]:
    """Findings of the layer's topological rules in what will hold once the rows staged for a release are published.

    unchecked: takes the rules that could not be checked, with the reason. near: the rows near loose edges.
    """
    overlap, gaps, within = layer.rule(rules.NoOverlap), layer.rule(rules.NoGaps), layer.rule(rules.Within)
    boundary = None if within is None else _boundary(conn, catalog, within)
    if within is not None and boundary is None:
        unchecked["within"] = f"{within.layer} has no rows yet, so nothing lies within it"
    if (
        near is not None
        and overlap is not None
        and (found := _near_edges(conn, layer, mode, overlap, near)) is not None
    ):
        yield from found
        return
    if gaps is not None and mode == "update" and gap_search.is_small(conn, layer):
        yield from gap_search.around_changes(conn, layer, release, gaps)
        gaps = None
    yield from _swept(
        conn, layer, mode, overlap, gaps, None if within is None or boundary is None else (within, boundary)
    )


def _swept(
    conn: Connection[Any],
    layer: Layer,
    mode: Mode,
    overlap: rules.NoOverlap | None,
    gaps: rules.NoGaps | None,
    within: tuple[rules.Within, Any] | None,
) -> Iterator[Finding]:
    """What a sweep over the layer finds. within: the rule with its boundary."""
    if overlap is None and gaps is None and within is None:
        return
    unions: list[Any] = []
    for part, before in _sweep(conn, layer, mode, None, local=gaps is None):
        if within is not None:
            yield from _outside(*within, part, before)
        if overlap is not None or gaps is not None:
            overlaps, apart = _overlaps(part)
            if overlap is not None:
                yield from _told(overlap, part, before, overlaps)
            if gaps is not None:
                unions.append(_union(part.shapes[before:], apart[before:]))
    if gaps is not None:
        yield from _gaps(gaps, unions)


#: What lies near loose edges may overlap what does not. So often the search is widened; then, or when more than this
#: share of all rows is near, all are looked at.
_ROUNDS = 5
_MOST = 0.5


def _near_edges(
    conn: Connection[Any], layer: Layer, mode: Mode, rule: rules.NoOverlap, near: Neighbourhood
) -> list[Finding] | None:
    """Overlaps, looked for near loose edges and then near what overlaps there; None when that is too much."""
    for _ in range(_ROUNDS):
        if near.share > _MOST:
            return None
        found: list[Finding] = []
        overlapping: set[int] = set()
        for part, before in _sweep(conn, layer, mode, near.rows.tolist()):
            overlaps, _ = _overlaps(part)
            overlapping.update(part.rows[overlaps.first].tolist(), part.rows[overlaps.second].tolist())
            found += _told(rule, part, before, overlaps)
        if not near.widen(near.boxes_of(overlapping)):
            return found
    return None


def _boundary(conn: Connection[Any], catalog: Catalog, within: rules.Within) -> Any:
    layer = catalog.layer(within.layer)
    tables.ensure(conn, layer)
    rows = conn.execute(sql.SQL("SELECT st_asbinary(geom) FROM {}").format(tables.table(layer))).fetchall()
    if not rows:
        return None
    union = shapely.union_all(shapely.from_wkb([row[0] for row in rows]))
    shapely.prepare(union)
    return union


def _sweep(
    conn: Connection[Any], layer: Layer, mode: Mode, only: list[int] | None, *, local: bool = False
) -> Iterator[tuple[_Slice, int]]:
    """Slice by slice from west to east: the shapes of those before that reach into it, how many these are, its own.

    only: numbers in the source of the rows that are wanted; None: all. local: of rows that stay only those that new
    ones may touch.
    """
    part = _Slice(np.empty(0, object), np.empty(0, object), np.empty(0, object))
    for fresh in _slices(conn, layer, mode, only, local):
        near = part.take(shapely.bounds(part.shapes)[:, 2] >= shapely.bounds(fresh.shapes)[0, 0])
        part = near.then(fresh)
        yield part, len(near)


def _slices(conn: Connection[Any], layer: Layer, mode: Mode, only: list[int] | None, local: bool) -> Iterator[_Slice]:
    holds = "(valid_to IS NULL OR valid_to > now())"
    chosen = "true" if only is None else "_source_row IN (SELECT unnest(%(only)s::bigint[]))"
    staying = (_STAYING_NEAR if local else _STAYING) if mode == "update" else ""
    query = sql.SQL(_FUTURE + staying).format(
        key=sql.Identifier(layer.key_field), staged=staging_table(layer), table=tables.table(layer),
        holds=sql.SQL(holds if layer.versioned else "true"), chosen=sql.SQL(chosen),
    )  # fmt: skip
    ordered = sql.SQL("SELECT _source_row, key, st_asbinary(geom) FROM ({}) AS future ORDER BY st_xmin(geom)").format(
        query
    )
    with conn.cursor(name="sweep", binary=True) as cursor:
        cursor.itersize = SLICE
        cursor.execute(ordered, {"only": only})
        while rows := cursor.fetchmany(SLICE):
            numbers, keys, shapes = zip(*rows, strict=True)
            yield _Slice(np.array(numbers, object), np.array(keys, object), shapely.from_wkb(np.array(shapes, object)))


@dataclass(frozen=True)
class _Overlaps:
    """Pairs of shapes of a slice that share a surface, the surface, and its size (m2)."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    shared: Geometries
    areas: NDArray[np.float64]


def _overlaps(part: _Slice) -> tuple[_Overlaps, NDArray[np.bool_]]:
    """All pairs that overlap, and which shapes do not just lie side by side with others, edge to edge.

    A search from the shapes near loose edges; whatever overlaps one that has been found is looked at in turn.
    """
    near, apart = edges_of(part.shapes, np.arange(len(part))).near_loose()
    tree = shapely.STRtree(part.shapes)
    seen = np.zeros(len(part), bool)
    found: list[_Overlaps] = []
    front = near.rows
    while len(front):
        one, second = tree.query(part.shapes[front], predicate="intersects")
        first = front[one]
        fresh = np.ones(len(part), bool)
        fresh[front] = False
        new = ~seen[second] & (fresh[second] | (first < second))  # each pair once
        first, second = first[new], second[new]
        inside = ~shapely.touches(part.shapes[first], part.shapes[second])  # sooner told than what they share
        first, second = first[inside], second[inside]
        shared = shapely.intersection(part.shapes[first], part.shapes[second])
        areas = ellipsoid.areas(shared)
        some = areas > 0
        found.append(_Overlaps(first[some], second[some], shared[some], areas[some]))
        seen[front] = True
        front = np.unique(second[some & ~seen[second]])
    if not found:
        found.append(_Overlaps(front, front, np.empty(0, object), np.empty(0)))
    names = ("first", "second", "shared", "areas")
    overlaps = _Overlaps(*(np.concatenate([getattr(each, name) for each in found]) for name in names))
    apart[overlaps.first] = apart[overlaps.second] = True
    return overlaps, apart


def _told(rule: rules.NoOverlap, part: _Slice, before: int, overlaps: _Overlaps) -> Iterator[Finding]:
    """Pairs that share more than the tolerance, of which at least one is new in this slice; the later row is named."""
    fresh = (overlaps.first >= before) | (overlaps.second >= before)
    for number in np.flatnonzero(fresh & (overlaps.areas > rule.tolerance)):
        one, other = int(overlaps.first[number]), int(overlaps.second[number])
        if (part.rows[other] or 0) < (part.rows[one] or 0):
            one, other = other, one
        if part.rows[other] is None:
            continue  # both were there before
        value = f"{overlaps.areas[number]:.2f} m2 with {part.keys[one]}"
        yield part.finding(other, rule, value, overlaps.shared[number])


def _union(shapes: Geometries, apart: NDArray[np.bool_]) -> Any:
    """Shapes that fit are joined along their common edges, which is quick; only the others are overlaid."""
    joined = [shapely.coverage_union_all(shapes[~apart]), shapely.union_all(shapes[apart])]
    return shapely.union_all(joined)


def _gaps(rule: rules.NoGaps, unions: list[Any]) -> Iterator[Finding]:
    holes = gap_search.closed(shapely.union_all(unions))
    areas = ellipsoid.areas(holes)
    for number in np.flatnonzero(areas <= rule.max_area):
        value = f"{areas[number]:.2f} m2 without a surface"
        yield Finding(None, rule.rule, "geometry", value, rule.severity, None, shapely.to_wkb(holes[number]))


def _outside(rule: rules.Within, boundary: Any, part: _Slice, before: int) -> Iterator[Finding]:
    for index in before + np.flatnonzero(~shapely.covers(boundary, part.shapes[before:])):
        if part.rows[index] is None:
            continue
        beyond = shapely.difference(part.shapes[index], boundary)
        dimension = shapely.get_dimensions(beyond)
        alone = np.array([beyond], dtype=object)
        size = (ellipsoid.areas if dimension == 2 else ellipsoid.lengths)(alone)[0]
        if dimension == 0 or size > rule.tolerance:
            told = "the place" if dimension == 0 else f"{size:.2f} {'m2' if dimension == 2 else 'm'}"
            yield part.finding(int(index), rule, f"{told} outside {rule.layer}", beyond)
