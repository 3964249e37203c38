"""What parcels fill a village?

All lines of a village (its border, the ring along it, corridors, the settlement, fields) are noded
together and turned into faces, so that neighbours within it share every node. Only corridors reach
the border; they cut it at points that both neighbours compute from the same two segments. Lines
that end on others overshoot by half a metre, and the loose ends fall away. Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from shikong.samples import lattice
from shikong.samples.plane import MILLIMETRE, Floats, Shapes

#: What a face is part of, in the order in which land is taken.
WATER, LEVEE, ROAD, RING, CORE, FIELD = range(6)
OVERLAP_M = 0.5
#: An edge no longer than this is a point, and a face no larger a point too: rounding makes it vanish.
NOT_SHARED_M, VANISHING_M2 = 1e-3, 1e-4
NOTHING = shapely.Polygon()


@dataclass(frozen=True)
class Village:
    """What is needed to fill a village: its land, its settlement and what runs through it."""

    index: int
    shape: Any
    corners: Floats
    urban: bool
    core: Any
    water: Any
    levee: Any
    road: Any
    ring_m: float
    core_lattice: lattice.Lattice | None
    field_lattice: lattice.Lattice
    radius: float
    core_radius: float


@dataclass(frozen=True)
class Faces:
    """The faces of a village: polygons, a point in each, and what part of the village each is."""

    shapes: Shapes
    points: Floats
    part: NDArray[np.int64]


def inset_of(shape: Any, ring_m: float) -> Any:
    """The land of a village within the ring along its border."""
    inner = shapely.buffer(shape, -ring_m, join_style="mitre", mitre_limit=2.0)
    parts = shapely.get_parts(inner)
    return parts[np.argmax(shapely.area(parts))]


def fill(village: Village) -> Faces:
    """The faces of a village; they cover it without gap or overlap."""
    inset = inset_of(village.shape, village.ring_m)
    linework = _linework(village, inset)
    noded = shapely.node(shapely.multilinestrings(linework))
    shapes = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    points = shapely.get_coordinates(shapely.point_on_surface(shapes))
    shapely.prepare(village.shape)
    inside = shapely.contains_xy(village.shape, points[:, 0], points[:, 1])
    shapes, points = shapes[inside], points[inside]
    part = _parts(village, inset, points)
    shapes, kept = _without_slivers(shapes, part)
    rounded = shapely.transform(shapes, lambda xy: np.round(xy, MILLIMETRE))
    for index in np.flatnonzero(~shapely.is_valid(rounded)):
        rounded[index] = _without_pinholes(rounded[index])
    return Faces(rounded, points[kept], part[kept])


def _without_pinholes(shape: Any) -> Any:
    """A polygon without those holes that rounding has shrunk to a point."""
    holes = [hole for hole in shape.interiors if shapely.Polygon(hole).area > VANISHING_M2]
    return shapely.Polygon(shape.exterior, holes)


def _linework(village: Village, inset: Any) -> Shapes:
    """Every line of the village, those of lower rank cut back by the land of higher rank."""
    pieces = [shapely.get_exterior_ring(village.shape)]
    taken = NOTHING
    if not village.levee.is_empty:
        pieces += [shapely.boundary(village.water), shapely.boundary(village.levee)]
        taken = shapely.buffer(village.levee, -OVERLAP_M)
    if not village.road.is_empty:
        pieces.append(shapely.difference(shapely.boundary(village.road), taken))
        taken = shapely.union(taken, shapely.buffer(village.road, -OVERLAP_M))
    ring = np.concatenate([[shapely.get_exterior_ring(inset)], _cuts(village, inset)])
    fields = shapely.buffer(inset, OVERLAP_M, join_style="mitre")
    if not village.core.is_empty:
        fields = shapely.difference(fields, shapely.buffer(village.core, -OVERLAP_M))
    if not taken.is_empty:
        ring = shapely.difference(ring, taken)
        fields = shapely.difference(fields, taken)
    pieces += list(ring)
    strips = shapely.multilinestrings(lattice.lines(village.field_lattice, village.radius))
    pieces.append(shapely.intersection(strips, fields))
    if village.core_lattice is not None and not village.core.is_empty:
        plots = shapely.multilinestrings(lattice.lines(village.core_lattice, village.core_radius))
        pieces.append(shapely.get_exterior_ring(village.core))
        pieces.append(shapely.intersection(plots, shapely.buffer(village.core, OVERLAP_M)))
    return _flat(pieces)


def _flat(pieces: list[Any]) -> Shapes:
    """All non-empty linestrings in a list of lines, rings and collections; GEOS nodes nothing else."""
    parts = shapely.get_parts(shapely.get_parts(np.array(pieces, dtype=object)))
    rings = shapely.get_type_id(parts) == 2
    for index in np.flatnonzero(rings):
        parts[index] = shapely.LineString(parts[index].coords)
    lines: Shapes = parts[(shapely.get_type_id(parts) == 1) & ~shapely.is_empty(parts)]
    return lines


def _cuts(village: Village, inset: Any) -> Shapes:
    """Short lines from the corners of the village into its inset: they divide the ring by neighbour."""
    links = shapely.shortest_line(shapely.points(village.corners), shapely.get_exterior_ring(inset))
    ends = shapely.get_coordinates(links).reshape(-1, 2, 2)
    step = ends[:, 1] - ends[:, 0]
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 0.01)
    ends[:, 1] += step / length[:, None] * OVERLAP_M
    cuts: Shapes = shapely.linestrings(ends)
    return cuts


def _parts(village: Village, inset: Any, points: Floats) -> NDArray[np.int64]:
    """Which part of the village each point is in; the highest rank wins."""
    part = np.full(len(points), FIELD, dtype=np.int64)
    ranked = ((CORE, village.core), (ROAD, village.road), (LEVEE, village.levee), (WATER, village.water))
    shapely.prepare(inset)
    part[~shapely.contains_xy(inset, points[:, 0], points[:, 1])] = RING
    for rank, area in ranked:
        if not area.is_empty:
            shapely.prepare(area)
            part[shapely.contains_xy(area, points[:, 0], points[:, 1])] = rank
    return part


def _without_slivers(shapes: Shapes, part: NDArray[np.int64]) -> tuple[Shapes, NDArray[np.int64]]:
    """Join faces too small or too thin to be parcels to the neighbour with the longest shared edge."""
    area, length = shapely.area(shapes), shapely.length(shapes)
    limit = np.array([60.0, 80.0, 80.0, 60.0, 130.0, 380.0])[part]
    small = (area < limit) | (2 * area / length < 1.1)
    if not small.any() or small.all():
        return shapes, np.arange(len(shapes))
    tree = shapely.STRtree(shapes)
    wanted = np.flatnonzero(small)
    source, target = tree.query(shapes[wanted], predicate="intersects")
    source = wanted[source]
    usable = ~small[target]
    source, target = source[usable], target[usable]
    shared = shapely.length(shapely.intersection(shapes[source], shapes[target]))
    shared = shared * np.where(part[source] == part[target], 4.0, 1.0)
    host = np.arange(len(shapes))
    best = np.full(len(shapes), NOT_SHARED_M)
    for a, b, edge in zip(source, target, shared, strict=True):
        if edge > best[a]:
            best[a], host[a] = edge, b
    joined = shapes.copy()
    for h in np.unique(host[host != np.arange(len(host))]):
        parts = shapely.get_parts(shapely.coverage_union_all(shapes[host == h]))
        joined[h] = parts[np.argmax(shapely.area(parts))]
    kept = np.flatnonzero((host == np.arange(len(host))) & (area > VANISHING_M2))
    return joined[kept], kept
