"""How is each village laid out, and what are its parcels?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from shikong.samples import lattice
from shikong.samples.blocks import NOTHING, Village, inset_of
from shikong.samples.corridors import Corridors
from shikong.samples.lattice import Pattern
from shikong.samples.plane import Noise, Shapes, generator, polygons_of, settlement
from shikong.samples.villages import Villages

#: The widths of its strips set the number of parcels of the city.
FIELDS = Pattern((230, 450), (4, 6.5), (84, 280), (4, 5.5), 0.13, 0.10, 16, 0.22)
HOMESTEADS = Pattern((66, 96), (4.5, 6), (130, 290), (4, 5), 0.30, 0.1, 2.5, 0.04)
TOWNSHIP = Pattern((70, 120), (8, 12), (70, 150), (7, 9), 0.45, 0.3, 3, 0.03)
QUARTER = Pattern((150, 230), (11, 16), (90, 190), (9, 12), 0.40, 0.45, 0.0, 0.0)


@dataclass(frozen=True)
class Layout:
    """The ground that every village stands on."""

    seed: int
    villages: Villages
    corridors: Corridors
    direction: Noise


def layout(seed: int, villages: Villages, corridors: Corridors) -> Layout:
    """The layout of the city that a seed gives."""
    return Layout(seed, villages, corridors, Noise(seed, "direction", 9000))


def nearby(strips: Shapes, found: list[int], box: tuple[float, float, float, float]) -> Any:
    """The union of those corridor strips that touch a village, cut a little outside of its bounds."""
    west, south, east, north = box
    pieces = [polygons_of(shapely.clip_by_rect(strips[i], west - 40, south - 40, east + 40, north + 40)) for i in found]
    pieces = [piece for piece in pieces if not piece.is_empty]
    return shapely.union_all(pieces) if pieces else NOTHING


@dataclass(frozen=True)
class Site:
    """A village before its land is divided: corridors, settlement and the width of the ring along its border."""

    shape: Any
    water: Any
    levee: Any
    road: Any
    ring_m: float
    core: Any
    core_radius: float
    core_angle: float


def site(layout: Layout, index: int, rivers: list[int], roads: list[int]) -> Site:
    """Settle one village: rivers and roads are the numbers of the corridors that touch it."""
    all_, corridors = layout.villages, layout.corridors
    shape = all_.shapes[index]
    rng = generator(layout.seed, "site", index)
    x, y = (float(value) for value in all_.sites[index])
    water, levee = (nearby(strips, rivers, shape.bounds) for strips in (corridors.water, corridors.levee))
    road = nearby(corridors.road, roads, shape.bounds)
    if all_.town[index] >= 0:
        return Site(shape, water, levee, road, float(rng.uniform(8, 14)), NOTHING, 0.0, 0.0)
    ring_m = 3.2
    radius = float(rng.uniform(380, 470) if all_.seats[index] else rng.uniform(140, 285))
    angle = float(rng.normal(0, 0.06))
    core = _core(shape, settlement(x, y, radius, angle, rng), levee, road, ring_m)
    return Site(shape, water, levee, road, ring_m, core, radius * 1.3, angle)


def village(layout: Layout, index: int, rivers: list[int], roads: list[int]) -> Village:
    """Lay out one village: its settlement and the lattices that divide its land."""
    all_ = layout.villages
    place = site(layout, index, rivers, roads)
    shape, water, levee, road = place.shape, place.water, place.levee, place.road
    rng = generator(layout.seed, "village", index)
    x, y = (float(value) for value in all_.sites[index])
    radius = float(np.hypot(*(shapely.get_coordinates(shape) - (x, y)).T).max()) + 30
    if all_.town[index] >= 0:
        town = all_.towns[int(all_.town[index])]
        streets = lattice.lay(x, y, town.angle, radius, QUARTER, rng)
        return Village(index, shape, all_.corners[index], True, NOTHING, water, levee, road, place.ring_m,
                       None, streets, radius, 0.0)  # fmt: skip
    pattern = TOWNSHIP if all_.seats[index] else HOMESTEADS
    plots = lattice.lay(x, y, place.core_angle, place.core_radius, pattern, rng)
    angle = float(0.9 * layout.direction(x, y) + rng.normal(0, 0.13) + (np.pi / 2 if rng.random() < 0.45 else 0.0))
    fields = lattice.lay(x, y, angle, radius, FIELDS, rng)
    return Village(index, shape, all_.corners[index], False, place.core, water, levee, road, place.ring_m, plots,
                   fields, radius, place.core_radius)  # fmt: skip


def _core(shape: Any, wanted: Any, levee: Any, road: Any, ring_m: float) -> Any:
    """The settlement: the part of the wanted area clear of the border and of corridors."""
    core = shapely.intersection(wanted, shapely.buffer(inset_of(shape, ring_m), -22, quad_segs=2))
    for taken in (levee, road):
        if not taken.is_empty:
            core = shapely.difference(core, shapely.buffer(taken, 9, quad_segs=2))
    parts = shapely.get_parts(polygons_of(core)) if not core.is_empty else []
    if len(parts) == 0:
        return NOTHING
    largest = parts[np.argmax(shapely.area(parts))]
    largest = shapely.polygons(shapely.get_exterior_ring(largest))
    clear = all(taken.is_empty or not shapely.intersects(largest, taken) for taken in (levee, road))
    return largest if clear and largest.area > 4000 else NOTHING
