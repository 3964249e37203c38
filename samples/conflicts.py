"""Which conflicts between plans are planted in the sample, and how large is each?

Planted between the urban growth boundary and permanent farmland, the growth boundary and the
ecological redline, and planning zones of construction (classes 07 to 13) and permanent farmland.
Outside of the planted pairs these layers do not overlap.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from shikong.samples import names, plan_files, planning
from shikong.samples.ground import Ground
from shikong.samples.plan_files import Known, Written
from shikong.samples.plane import circle, generator, polygons_of
from shikong.samples.planning import PLAN, Plan

#: Radius or half length in metres, half width (0 = a rounded block), and what each case is.
GROWTH_CASES = (
    (170.0, 0.0, "产业园扩建占用永久基本农田"), (240.0, 0.0, "新城弹性发展区压占永久基本农田"),
    (90.0, 0.0, "物流园边角压占永久基本农田"), (320.0, 9.0, "城镇边界沿路条带压占永久基本农田"),
    (260.0, 1.2, "城镇边界与永久基本农田之间的细碎重叠"), (60.0, 0.0, "变电站选址压占永久基本农田"),
)  # fmt: skip
RED_CASES = (
    (200.0, 0.0, "滨河地块占用生态保护红线"), (120.0, 0.0, "湖区开发占用生态保护红线"),
    (350.0, 6.0, "滨河道路条带占用生态保护红线"), (45.0, 0.0, "码头地块占用生态保护红线"),
)  # fmt: skip
ZONE_CASES = (
    (180.0, 0.0, "1001", "规划工业用地占用永久基本农田"), (130.0, 0.0, "1101", "规划仓储用地占用永久基本农田"),
    (420.0, 11.0, "1202", "规划公路穿越永久基本农田"), (70.0, 0.0, "0901", "规划加油加气站占用永久基本农田"),
    (300.0, 1.0, "0701", "居住用地边界与永久基本农田的细碎重叠"), (95.0, 0.0, "1311", "规划水工设施占用永久基本农田"),
    (210.0, 0.0, "0804", "规划学校占用永久基本农田"),
)  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """Positions of the planted objects in their layers, with what each is."""

    growth: dict[int, str]
    zones: dict[int, str]


def plant(ground: Ground, plan: Plan) -> Planted:
    """Add the conflicting objects to the plan."""
    rng = generator(ground.seed, "conflicts")
    growth, zones = {}, {}
    count = len(GROWTH_CASES) + len(ZONE_CASES)
    chosen = free_farmland(ground, plan, count, rng)
    for (reach, half, what), position in zip(GROWTH_CASES, chosen[: len(GROWTH_CASES)], strict=True):
        village = plan.farmland_village[position]
        shape = across(plan.farmland.shapes[position], reach, half, rng)
        shape = polygons_of(shapely.intersection(shape, shapely.buffer(ground.villages.shapes[village], -1)))
        name = names.village(ground.seed, village) + "片区"
        added = plan.growth.add(shape, name=name, zone="flexible", xzqdm=ground.county(village))
        growth[added] = what
    growth |= _plant_red(ground, plan, rng)
    for (reach, half, code, what), position in zip(ZONE_CASES, chosen[len(GROWTH_CASES) :], strict=True):
        village = plan.farmland_village[position]
        base = plan.field_zone[village]
        shape = across(plan.farmland.shapes[position], reach, half, rng)
        shape = polygons_of(shapely.intersection(shape, plan.zones.shapes[base]))
        plan.zones.shapes[base] = polygons_of(shapely.difference(plan.zones.shapes[base], shape))
        name = names.village(ground.seed, village) + "地块"
        zones[plan.zones.add(shape, ghfldm=code, name=name, plan=PLAN, xzqdm=ground.county(village))] = what
    return Planted(growth, zones)


def free_farmland(ground: Ground, plan: Plan, count: int, rng: np.random.Generator) -> list[int]:
    """Farmland of villages free of corridors and of the redline, all over the city."""
    red = shapely.STRtree(plan.redline.shapes)
    found: list[int] = []
    for position in rng.permutation(len(plan.farmland_village)):
        village = plan.farmland_village[int(position)]
        shape = ground.villages.shapes[village]
        if village in ground.rivers or village in ground.roads or ground.villages.seats[village]:
            continue
        if len(red.query(shape, predicate="intersects")):
            continue
        found.append(int(position))
        if len(found) == count:
            break
    return found


def across(target: Any, reach: float, half: float, rng: np.random.Generator) -> Any:
    """A block or strip over the outline of the target, part inside of it and part outside."""
    outline = shapely.get_exterior_ring(shapely.get_parts(target)[0])
    at = float(rng.random())
    x, y = shapely.get_coordinates(shapely.line_interpolate_point(outline, at, normalized=True))[0]
    if half == 0:
        return circle(x, y, reach, rng, corners=int(rng.integers(4, 15)), rough=0.25)
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(outline, (at + 0.01) % 1, normalized=True))[0]
    angle = float(np.arctan2(ahead[1] - y, ahead[0] - x)) + (0.0 if half < 3 else float(rng.uniform(0.5, 1.2)))
    step = np.array([np.cos(angle), np.sin(angle)]) * reach
    middle = np.array([x, y])
    return shapely.buffer(shapely.linestrings([middle - step, middle + step]), half, cap_style="flat")


def _plant_red(ground: Ground, plan: Plan, rng: np.random.Generator) -> dict[int, str]:
    """Growth areas over the redline, clear of all permanent farmland and of other growth areas."""
    planted = {}
    farmland = shapely.STRtree(plan.farmland.shapes)
    towns = shapely.STRtree(plan.growth.shapes)
    large = [i for i, shape in enumerate(plan.redline.shapes) if shape.area > 300_000]
    order = [large[int(i)] for i in rng.permutation(len(large))]
    for reach, half, what in RED_CASES:
        while True:
            position = order.pop()
            shape = across(plan.redline.shapes[position], reach, half, rng)
            shape = polygons_of(shapely.intersection(shape, shapely.buffer(ground.city, -5)))
            for hit in farmland.query(shape, predicate="dwithin", distance=3):
                away = shapely.buffer(plan.farmland.shapes[int(hit)], 3, quad_segs=2)
                shape = polygons_of(shapely.difference(shape, away))
            clear = len(towns.query(shape, predicate="dwithin", distance=5)) == 0
            if clear and shapely.intersection(shape, plan.redline.shapes[position]).area > 50:
                break
        row = plan.redline.rows[position]
        planted[plan.growth.add(shape, name=row["name"] + "开发片区", zone="special", xzqdm=row["xzqdm"])] = what
    return planted


@dataclass(frozen=True)
class Delivered:
    """The plan with its conflicts, what is written of it, and the pairs that conflict."""

    plan: Plan
    planted: Planted
    written: Written
    known: list[Known]


def deliver(ground: Ground, out: Path) -> Delivered:
    """Write the four planning layers (EPSG:4490)."""
    plan = planning.make(ground)
    planted = plant(ground, plan)
    written = plan_files.write_layers(
        out,
        {
            "urban_growth_boundary": ("CZ", plan.growth),
            "permanent_farmland": ("YN", plan.farmland),
            "ecological_redline": ("ST", plan.redline),
            "planning_zones": ("GH", plan.zones),
        },
    )
    known = [
        *plan_files.overlaps(written, "urban_growth_boundary", planted.growth, "permanent_farmland"),
        *plan_files.overlaps(written, "urban_growth_boundary", planted.growth, "ecological_redline"),
        *plan_files.overlaps(written, "planning_zones", planted.zones, "permanent_farmland"),
    ]
    return Delivered(plan, planted, written, known)
