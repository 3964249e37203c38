"""Along which lines do rivers and highways run, and what land do they take?

Rivers end on the river they flow to. A corridor is the strip of land around a line: the water and
its levee strips, or the road. Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from shikong.samples import places
from shikong.samples.plane import Floats, Shapes, generator, metres, smooth, wander

SURVEY_CLASS = {"motorway": "1003", "trunk": "1003", "primary": "1003", "secondary": "1003", "railway": "1001"}


@dataclass(frozen=True)
class Corridors:
    """Lines and strips, in the order of places.RIVERS and places.HIGHWAYS.

    ``water`` is the surface between the banks, ``levee`` the same with the levee strips on both sides.
    """

    rivers: Shapes
    water: Shapes
    levee: Shapes
    highways: Shapes
    road: Shapes


def lay(seed: int, city: Any, towns: Any) -> Corridors:
    """Lay rivers and highways through the city (a polygon); the parts outside are cut off.

    In the towns the streets of the quarters take over from highways, motorways and railways excepted.
    """
    streets = shapely.buffer(towns, -10.0)
    lines: dict[str, Floats] = {}
    for river in places.RIVERS:
        rng = generator(seed, "river", river.id)
        winding = 0.10 if river.kind == "tributary" else 0.045 if river.kind == "canal" else 0.075
        lines[river.id] = smooth(wander(metres(river.course), rng, winding, 3), 2)
    for river in places.RIVERS:
        if river.flows_to:
            lines[river.id] = _joined(lines[river.id], lines[_river(river.flows_to).id])
    rivers = np.array([_inside(lines[river.id], city) for river in places.RIVERS])
    water = np.array([_strip(line, r.width / 2) for line, r in zip(rivers, places.RIVERS, strict=True)])
    levee = np.array([_strip(line, r.width / 2 + r.levee) for line, r in zip(rivers, places.RIVERS, strict=True)])
    highways = []
    for highway in places.HIGHWAYS:
        rng = generator(seed, "highway", highway.id)
        line = _inside(smooth(wander(metres(highway.course), rng, 0.03, 2), 3), city)
        through = highway.kind in ("motorway", "railway")
        highways.append(line if through else shapely.difference(line, streets))
    road = np.array([_strip(line, h.width / 2) for line, h in zip(highways, places.HIGHWAYS, strict=True)])
    return Corridors(rivers, water, levee, np.array(highways), road)


def _river(name: str) -> places.River:
    return next(river for river in places.RIVERS if river.name == name)


def _joined(line: Floats, target: Floats) -> Floats:
    """The line with its end moved onto the nearest vertex of the river that it joins."""
    nearest = target[np.argmin(np.hypot(*(target - line[-1]).T))]
    kept = line[np.hypot(*(line - nearest).T) > 400]
    return np.vstack([kept, nearest])


def _inside(line: Floats, city: Any) -> Any:
    """The longest part of a line within the city, ends a little inside of its border."""
    parts = shapely.get_parts(shapely.intersection(shapely.linestrings(line), city.buffer(-30)))
    longest = parts[np.argmax(shapely.length(parts))]
    forward = shapely.line_locate_point(shapely.linestrings(line), shapely.get_point(longest, 0))
    backward = shapely.line_locate_point(shapely.linestrings(line), shapely.get_point(longest, -1))
    return longest if forward < backward else shapely.reverse(longest)


def _strip(line: Any, half: float) -> Any:
    strip = shapely.set_precision(shapely.buffer(line, half, quad_segs=3, cap_style="flat"), 0.001)
    # Without its precision model: GEOS would snap all that is later cut from it.
    return shapely.set_precision(strip, 0, mode="pointwise")
