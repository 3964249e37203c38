"""Into which villages, townships and counties is the city divided?

One Voronoi cell around every village (or town quarter); townships are groups of villages, counties
groups of townships, the city all of them. So every border is shared exactly at every level, and
each parcel lies within one village. Borders between villages are made natural by moving the
middles of their edges sideways within the two triangles that an edge spans with its two sites:
they cannot cross. Metres in EPSG:4548, rounded to a millimetre.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Voronoi, cKDTree

from shikong.samples import places
from shikong.samples.plane import MILLIMETRE, Floats, Shapes, generator, metres

Ints = NDArray[np.int64]
QUARTER_M = 640.0
VILLAGE_M = 1165.0
TOWN_RADIUS_M = 900.0


@dataclass(frozen=True)
class Town:
    """A built-up area: a county seat, or the seat of a township."""

    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True)
class Villages:
    """The cells of the city, by index; ``corners`` are the vertices where three cells meet."""

    shapes: Shapes
    sites: Floats
    county: Ints
    township: Ints
    town: Ints
    corners: list[Floats]
    towns: list[Town]
    seats: Ints

    def urban(self) -> NDArray[np.bool_]:
        """Which cells are quarters of a county seat."""
        found: NDArray[np.bool_] = self.town >= 0
        return found


def county_towns(seed: int) -> list[Town]:
    """The built-up areas of the county seats."""
    rng = generator(seed, "towns")
    seats = metres([county.seat for county in places.COUNTIES])
    angles = rng.uniform(-0.16, 0.16, len(seats))
    return [
        Town(float(x), float(y), county.radius * 1000, float(angle))
        for (x, y), county, angle in zip(seats, places.COUNTIES, angles, strict=True)
    ]


def divide(seed: int) -> Villages:
    """The division of the city that a seed gives."""
    towns = county_towns(seed)
    sites, town = _sites(seed, towns)
    diagram = Voronoi(sites)
    inside = shapely.contains_xy(shapely.Polygon(metres(places.OUTLINE)), sites[:, 0], sites[:, 1]) | (town >= 0)
    inside &= np.array([-1 not in diagram.regions[region] for region in diagram.point_region])
    edges = _edges(seed, diagram, town)
    rings, corners = _rings(diagram, edges, inside)
    keep = np.flatnonzero(inside)
    county, township = _groups(seed, sites[keep])
    seats = _township_seats(sites[keep], county * 1000 + township, town[keep])
    return Villages(shapely.polygons(rings), sites[keep], county, township, town[keep], corners, towns, seats)


def _sites(seed: int, towns: list[Town]) -> tuple[Floats, Ints]:
    """Village sites on a much disturbed grid, and quarters of towns on a turned, nearly regular one."""
    rng = generator(seed, "sites")
    west, south, east, north = shapely.Polygon(metres(places.OUTLINE)).buffer(6000).bounds
    x, y = np.meshgrid(np.arange(west, east, VILLAGE_M), np.arange(south, north, VILLAGE_M))
    x[1::2] += VILLAGE_M / 2
    rural = np.column_stack([x.ravel(), y.ravel()])
    rural += rng.uniform(-0.40, 0.40, rural.shape) * VILLAGE_M
    blocks, labels = [], []
    for index, town in enumerate(towns):
        count = int(town.radius / QUARTER_M) + 2
        u, v = np.meshgrid(np.arange(-count, count + 1.0), np.arange(-count, count + 1.0))
        uv = np.column_stack([u.ravel(), v.ravel()]) * QUARTER_M + rng.uniform(-35, 35, (u.size, 2))
        reach = town.radius * (1 + 0.22 * np.sin(3 * np.arctan2(uv[:, 1], uv[:, 0]) + index))
        uv = uv[np.hypot(uv[:, 0], uv[:, 1]) < reach]
        cos, sin = np.cos(town.angle), np.sin(town.angle)
        block = np.column_stack([town.x + uv[:, 0] * cos - uv[:, 1] * sin, town.y + uv[:, 0] * sin + uv[:, 1] * cos])
        blocks.append(block)
        labels.append(np.full(len(block), index))
    urban = np.vstack(blocks)
    distance, _ = cKDTree(urban).query(rural)
    rural = rural[distance > 0.8 * QUARTER_M]
    town_of = np.concatenate([np.full(len(rural), -1), *labels]).astype(np.int64)
    return np.vstack([rural, urban]), town_of


def _edges(seed: int, diagram: Voronoi, town: Ints) -> dict[tuple[int, int], Floats]:
    """The polyline of every finite Voronoi edge, by its vertex numbers in the order drawn."""
    rng = generator(seed, "borders")
    vertices = np.round(diagram.vertices, MILLIMETRE)
    edges = {}
    for (a, b), (p, q) in zip(diagram.ridge_vertices, diagram.ridge_points, strict=True):
        if a < 0:
            continue
        line = np.vstack([vertices[a], vertices[b]])
        if town[p] < 0 or town[q] < 0:
            line = _natural(line, diagram.points[p], float(np.hypot(*(diagram.points[p] - diagram.points[q]))) / 2, rng)
        edges[(a, b)] = np.round(line, MILLIMETRE)
    return edges


def _natural(line: Floats, site: Floats, half: float, rng: np.random.Generator) -> Floats:
    """An edge with its inner points moved sideways, staying within the triangles over it."""
    along = line[1] - line[0]
    length = float(np.hypot(*along))
    draws = rng.uniform(-1, 1, 7)
    foot = float((site - line[0]) @ along) / length**2 if length else 0.0
    if length < 120 or not 0.05 < foot < 0.95:
        return line
    share = np.linspace(0, 1, 9)[1:-1]
    wave = np.array([0.5, 1.0, 0.6, 1.0, 0.6, 1.0, 0.5]) * draws * 0.45 + 0.75 * draws[0] * np.sin(np.pi * share)
    room = 0.7 * half * np.minimum(share / foot, (1 - share) / (1 - foot)).clip(max=1)
    shift = np.clip(0.10 * length * wave * 4 * share * (1 - share), -room, room)
    side = np.array([-along[1], along[0]]) / length
    inner = line[0] + share[:, None] * along + shift[:, None] * side
    return np.vstack([line[:1], inner, line[1:]])


def _rings(
    diagram: Voronoi, edges: dict[tuple[int, int], Floats], inside: NDArray[np.bool_]
) -> tuple[list[Shapes], list[Floats]]:
    """The ring of each inside cell, and its corners."""
    vertices = np.round(diagram.vertices, MILLIMETRE)
    rings, corners = [], []
    for index in np.flatnonzero(inside):
        region = diagram.regions[diagram.point_region[index]]
        pieces = []
        for a, b in zip(region, [*region[1:], region[0]], strict=True):
            line = edges[(a, b)] if (a, b) in edges else edges[(b, a)][::-1]
            pieces.append(line[:-1])
        rings.append(shapely.linearrings(np.vstack(pieces)))
        corners.append(vertices[region])
    return rings, corners


def _groups(seed: int, sites: Floats) -> tuple[Ints, Ints]:
    """County and township of each site: nearest of the county's points, then of its townships' seats."""
    rng = generator(seed, "townships")
    seats = metres([county.seat for county in places.COUNTIES])
    reach = np.array([1.14, 0.92, 1.0, 1.15, 0.88, 1.0, 0.98, 0.98])
    steps = [np.hypot(sites[:, 0] - x, (sites[:, 1] - y)) / r for (x, y), r in zip(seats, reach, strict=True)]
    bend = 900 * np.sin(sites[:, 0] / 4100) + 900 * np.sin(sites[:, 1] / 3700)
    steps = [step + bend * (index % 3 - 1) for index, step in enumerate(steps)]
    county = np.argmin(np.array(steps), axis=0).astype(np.int64)
    township = np.zeros(len(sites), dtype=np.int64)
    for index, item in enumerate(places.COUNTIES):
        mine = np.flatnonzero(county == index)
        centres = _spread(sites[mine], item.townships, seats[index], rng)
        township[mine] = np.argmin(np.hypot(*(sites[mine][:, None, :] - centres[None]).transpose(2, 0, 1)), axis=1)
    return county, township


def _spread(points: Floats, count: int, seat: Floats, rng: np.random.Generator) -> Floats:
    """Centres of ``count`` groups of points, the first near the seat, spread by four k-means steps."""
    centres = np.vstack([seat[None], points[rng.choice(len(points), count - 1, replace=False)]])
    for _ in range(6):
        nearest = cKDTree(centres).query(points)[1]
        centres = np.array(
            [points[nearest == k].mean(axis=0) if (nearest == k).any() else centres[k] for k in range(count)]
        )
    return centres


def _township_seats(sites: Floats, groups: Ints, town: Ints) -> Ints:
    """Per cell: 1 where it is the seat of a township outside the county seats, else 0."""
    seats = np.zeros(len(sites), dtype=np.int64)
    for group in np.unique(groups):
        mine = np.flatnonzero(groups == group)
        if (town[mine] < 0).all():
            middle = sites[mine].mean(axis=0)
            seats[mine[np.argmin(np.hypot(*(sites[mine] - middle).T))]] = 1
    return seats
