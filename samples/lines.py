"""Which rivers and roads does the sample have, as centre lines?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely

from shikong.samples import names, places, write
from shikong.samples.ground import Ground
from shikong.samples.plane import Shapes, generator, shapes_to_degrees

RING_LENGTH_M = 250.0


def rivers(ground: Ground, path: Path) -> int:
    """Write the rivers, drawn downstream (EPSG:4490); returns the rows."""
    by_name = {river.name: river.id for river in places.RIVERS}
    columns = {
        "river_id": [river.id for river in places.RIVERS],
        "name": [river.name for river in places.RIVERS],
        "class": [river.kind for river in places.RIVERS],
        "flows_to": [by_name[river.flows_to] if river.flows_to else None for river in places.RIVERS],
    }
    return write.features(path, shapes_to_degrees(ground.corridors.rivers), columns, "MultiLineString", 4490)


def roads(ground: Ground, path: Path, window: Any) -> int:
    """Write highways of the city, streets of the towns, and lanes of the villages in the window.

    Streets and lanes follow the borders of quarters and villages, where the parcels have their roads.
    The rows are returned.
    """
    kept = [
        (h, line) for h, line in zip(places.HIGHWAYS, ground.corridors.highways, strict=True) if h.kind != "railway"
    ]
    rows: list[tuple[str, str, float]] = []
    shapes: list[Any] = []
    for highway, line in kept:
        reference = f"{highway.id} {highway.name}" if highway.id[0] == "S" else highway.name
        rows.append((reference, highway.kind, highway.width))
        shapes.append(line)
    for name, kind, width, line in _borders(ground, window):
        rows.append((name, kind, width))
        shapes.append(line)
    columns = {
        "road_id": [f"L{number:06d}" for number in range(1, len(rows) + 1)],
        "name": [row[0] or None for row in rows],
        "class": [row[1] for row in rows],
        "width": [row[2] for row in rows],
    }
    turned: Shapes = shapes_to_degrees(write.array(shapes))
    return write.features(path, turned, columns, "MultiLineString", 4490)


def _borders(ground: Ground, window: Any) -> list[tuple[str, str, float, Any]]:
    """Border lines of quarters (everywhere) and of villages (in the window), longer than some length."""
    all_ = ground.villages
    wanted = np.flatnonzero(all_.urban() | shapely.intersects(all_.shapes, window))
    borders = shapely.get_parts(shapely.line_merge(shapely.coverage_union_all(shapely.boundary(all_.shapes[wanted]))))
    borders = borders[shapely.length(borders) > RING_LENGTH_M]
    middle = shapely.get_coordinates(shapely.line_interpolate_point(borders, 0.5, normalized=True))
    rng = generator(ground.seed, "roads")
    found = []
    for line, (x, y) in zip(borders, middle, strict=True):
        kind, width = _rank(ground, x, y, float(rng.random()))
        village = int(rng.integers(len(all_.shapes)))
        lane = "" if rng.random() < 0.6 else names.village(ground.seed, village) + "村道"
        street = names.STREETS[int(rng.integers(len(names.STREETS)))]
        found.append((lane if kind == "track" else street, kind, width, line))
    return found


def _rank(ground: Ground, x: float, y: float, draw: float) -> tuple[str, float]:
    """Class and width of a border road: a street within a town, a field track elsewhere."""
    near = min(float(np.hypot(x - town.x, y - town.y)) / town.radius for town in ground.villages.towns)
    if near > 1.15:
        return ("tertiary", 7.0) if draw < 0.12 else ("track", 4.5)
    if draw < 0.15:
        return "primary", 28.0
    return ("secondary", 24.0) if draw < 0.45 else ("tertiary", 18.0) if draw < 0.75 else ("residential", 16.0)
