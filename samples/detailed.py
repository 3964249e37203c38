"""Into which plots does the detailed plan of the sample city divide the blocks of the towns?

Each block of the planning zones is cut along the directions of its town. Plots have a class below
their zone's, and limits as the class has them. Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from shikong.samples.ground import Ground
from shikong.samples.plane import Floats, generator, polygons_of
from shikong.samples.planning import Layer, Plan

PLAN = "聊城市控制性详细规划样例"
LEAST_M2 = 1_500.0
STOREY_M = 3.3


@dataclass(frozen=True)
class Rules:
    """What a zone's plots may be: classes, floor area ratio, heights (m), coverage (%), green (%), and whether a block
    is cut in four or in two."""

    classes: tuple[str, ...]
    ratio: tuple[float, float]
    heights: tuple[int, ...]
    coverage: tuple[int, int]
    green: int
    quartered: bool


RULES = {
    "0701": Rules(("070102", "070102", "070102", "070101"), (1.6, 2.8), (24, 36, 54, 80), (20, 30), 35, True),
    "0801": Rules(("0801",), (1.2, 2.0), (24, 36), (25, 35), 30, False),
    "0802": Rules(("0802",), (1.2, 2.0), (24, 36), (25, 35), 30, False),
    "0803": Rules(("080301", "080302"), (0.8, 1.5), (24,), (30, 40), 30, False),
    "0804": Rules(("080403", "080403", "080404", "080401"), (0.8, 1.2), (24, 30), (20, 30), 35, False),
    "0901": Rules(("090101", "090101", "090104", "090102"), (2.0, 4.0), (24, 36, 60, 100), (40, 50), 20, True),
    "0902": Rules(("0902",), (3.0, 5.0), (60, 80, 100, 120), (35, 45), 20, True),
    "1001": Rules(("100101", "100101", "100102"), (1.0, 2.0), (24, 30), (40, 60), 10, False),
    "1101": Rules(("110101",), (1.0, 1.6), (24, 30), (45, 60), 10, False),
    "1401": Rules(("1401",), (0.05, 0.1), (9,), (3, 5), 70, False),
    "1403": Rules(("1403",), (0.05, 0.1), (9,), (3, 5), 35, False),
}


@dataclass(frozen=True)
class Detailed:
    """The plots, and the position of the zone that each lies in."""

    plots: Layer
    zone: list[int]


def make(ground: Ground, plan: Plan, obstacles: Any) -> Detailed:
    """The plots of all blocks, without the land of obstacles (a tree of shapes)."""
    rng = generator(ground.seed, "detailed")
    made = Detailed(Layer(), [])
    for position, quarter in plan.blocks.items():
        row, block = plan.zones.rows[position], plan.zones.shapes[position]
        rules = RULES[row["ghfldm"]]
        town = ground.villages.towns[int(ground.villages.town[quarter])]
        number = 0
        for piece in shapely.intersection(block, _sectors(block, town.angle, rules.quartered)):
            taken = [obstacles.geometries[hit] for hit in obstacles.query(piece, predicate="intersects")]
            plot = polygons_of(shapely.difference(piece, shapely.union_all(taken)))
            if plot.area < LEAST_M2:
                continue
            number += 1
            code = rules.classes[int(rng.integers(len(rules.classes)))]
            ratio = float(rng.uniform(*rules.ratio))
            height = float(rules.heights[int(rng.integers(len(rules.heights)))])
            coverage = float(rng.integers(rules.coverage[0], rules.coverage[1] + 1))
            made.zone.append(position)
            made.plots.add(
                plot, ghfldm=code, name=f"{row['name']}-{number:02d}", plan=PLAN, rjl=at_most(ratio, height, coverage),
                jzxg=height, jzmd=coverage, ldl=float(rules.green), xzqdm=row["xzqdm"],
            )  # fmt: skip
    return made


def at_most(ratio: float, height: float, coverage: float) -> float:
    """A floor area ratio, or what can be built below a height (m) on a share of the plot (%)."""
    return round(min(ratio, height / STOREY_M * coverage / 100), 2)


def _sectors(block: Any, angle: float, quartered: bool) -> Any:
    """Four quadrants or two halves of the plane about the middle of a block, along the directions of its town."""
    middle = shapely.get_coordinates(shapely.centroid(block))[0]
    cos, sin = 2000 * np.cos(angle), 2000 * np.sin(angle)
    east, north = np.array([cos, sin]), np.array([-sin, cos])
    if quartered:
        turns = ((1, 1), (-1, 1), (-1, -1), (1, -1))
        corners = [np.array([0 * east, a * east, a * east + b * north, b * north]) + middle for a, b in turns]
    else:
        corners = [np.array([a * east - north, a * east + north, north, -north]) + middle for a in (1, -1)]
    rings: Floats = np.array(corners)
    return shapely.polygons(rings)
