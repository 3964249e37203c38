"""Which special plans does the sample city have: transport, water, forest land and utilities?

Made from the same corridors, villages and towns as everything else. Red lines and management ranges
reach less far than permanent farmland keeps away, lines of utilities end at the towns, and forest lies
where nothing is to be built: so these plans conflict with no other except where ``blueprint`` plants it.
Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
import shapely.ops

from shikong.layers import catalog
from shikong.samples import names, places
from shikong.samples.ground import Ground
from shikong.samples.plane import Noise, circle, generator, metres, polygons_of
from shikong.samples.planning import CLEAR_M, RED_PLACES, Layer, Plan

#: The type of a highway in the transport plan, and by how much its red lines are wider than the road.
CORRIDORS = {
    "motorway": ("expressway", 16.0), "railway": ("railway", 20.0), "trunk": ("trunk_road", 20.0),
    "primary": ("trunk_road", 20.0), "secondary": ("county_road", 18.0),
}  # fmt: skip
#: How far a river's management range reaches beyond its levees.
BEYOND_LEVEE_M = 10.0
DETENTION = ("R05", "金堤河滞洪区", 0.25, 0.75, 1300.0)
#: Pairs of counties with a power line between their seats.
POWER = ((0, 1), (0, 2), (0, 4), (0, 5), (1, 6), (2, 3), (5, 7), (6, 7))
POWER_M, GAS_M, GAS_AWAY_M = 40.0, 16.0, 70.0
GAS_ALONG = ("G22", "G2516")
#: Facilities outside each county seat: kind, what they are called, length and width.
FACILITIES = (("substation", "220千伏变电站", 150.0, 120.0), ("sewage", "污水处理厂", 320.0, 240.0),
              ("waste", "生活垃圾处理场", 360.0, 260.0))  # fmt: skip
GROVE_M2 = 8_000.0


def transport(ground: Ground, plan: Plan) -> Layer:
    """Corridors between their red lines, and a station at the edge of each county seat."""
    made = Layer()
    for highway, line in zip(places.HIGHWAYS, ground.corridors.highways, strict=True):
        kind, wider = CORRIDORS[highway.kind]
        width = highway.width + wider
        strip = polygons_of(shapely.intersection(_strip(line, width / 2), ground.city))
        made.add(strip, type=kind, name=highway.name, hxkd=width, xzqdm=places.CITY[0])
    for county, villages in zip(places.COUNTIES, _outskirts(ground, plan), strict=True):
        shape = _facility(ground, plan, villages[0], 380.0, 200.0)
        made.add(shape, type="station", name=county.name + "客运枢纽", hxkd=None, xzqdm=county.code)
    return made


def water(ground: Ground, towns: Any) -> Layer:
    """Management ranges of all rivers, blue lines within the towns, sources of drinking water, and a detention area."""
    made = Layer()
    ranges = {}
    for river, line in zip(places.RIVERS, ground.corridors.rivers, strict=True):
        strip = _strip(line, river.width / 2 + river.levee + BEYOND_LEVEE_M)
        ranges[river.id] = polygons_of(shapely.intersection(strip, ground.city))
        made.add(ranges[river.id], type="river_management", name=river.name + "河道管理范围", river_id=river.id,
                 xzqdm=places.CITY[0])  # fmt: skip
    for number, county in enumerate(places.COUNTIES):
        town = shapely.coverage_union_all(ground.villages.shapes[ground.villages.town == number])
        for river, line in zip(places.RIVERS, ground.corridors.rivers, strict=True):
            blue = polygons_of(shapely.intersection(_strip(line, (river.width + river.levee) / 2), town))
            if not blue.is_empty:
                made.add(blue, type="blue_line", name=f"{river.name}{county.name}段蓝线", river_id=river.id,
                         xzqdm=county.code)  # fmt: skip
    for name, _, place, radius in RED_PLACES:
        if name.endswith("水源地"):
            x, y = metres([place])[0]
            rng = generator(ground.seed, "source", name)
            first = circle(x, y, 0.6 * radius, rng, corners=20, rough=0.1)
            second = shapely.difference(circle(x, y, 1.3 * radius, rng, corners=24, rough=0.1), first)
            code = _county(ground, x, y)
            made.add(first, type="source_level_1", name=name + "一级保护区", river_id=None, xzqdm=code)
            made.add(second, type="source_level_2", name=name + "二级保护区", river_id=None, xzqdm=code)
    river_id, name, start, end, reach = DETENTION
    number = next(number for number, river in enumerate(places.RIVERS) if river.id == river_id)
    course = shapely.ops.substring(ground.corridors.rivers[number], start, end, normalized=True)
    area = shapely.difference(shapely.intersection(_strip(course, reach), ground.city), towns)
    made.add(polygons_of(shapely.difference(area, ranges[river_id])), type="flood_detention", name=name,
             river_id=river_id, xzqdm=places.CITY[0])  # fmt: skip
    return made


def forestry(ground: Ground, plan: Plan) -> Layer:
    """Old dunes under the redline, and groves of villages that have no permanent farmland."""
    made = Layer()
    group = catalog.default().codes["land_use_plan"].group_of
    built = [
        shape for shape, row in zip(plan.zones.shapes, plan.zones.rows, strict=True)
        if group(row["ghfldm"]) == "construction"
    ]  # fmt: skip
    tree = shapely.STRtree(built)
    for shape, row in zip(plan.redline.shapes, plan.redline.rows, strict=True):
        if row["type"] == "sand_fixation":
            near = shapely.union_all([built[int(hit)] for hit in tree.query(shape, predicate="intersects")])
            free = polygons_of(shapely.difference(shape, shapely.buffer(near, 3, quad_segs=2)))
            made.add(free, grade="2", category="public_welfare", name=row["name"], xzqdm=row["xzqdm"])
    dunes = shapely.STRtree(made.shapes)
    wooded = Noise(ground.seed, "groves", 15000)
    farmed = set(plan.farmland_village)
    for index, position in plan.field_zone.items():
        x, y = (float(value) for value in ground.villages.sites[index])
        if index in farmed or plan.zones.rows[position]["ghfldm"] != "01" or wooded(x, y) < 0:
            continue
        rng = generator(ground.seed, "grove", index)
        corner = ground.villages.corners[index][0]
        middle = 0.5 * ground.villages.sites[index] + 0.5 * corner
        grove = circle(float(middle[0]), float(middle[1]), float(rng.uniform(90, 200)), rng, corners=10)
        grove = polygons_of(shapely.intersection(grove, shapely.buffer(plan.zones.shapes[position], -4, quad_segs=2)))
        if grove.area < GROVE_M2 or len(dunes.query(grove, predicate="intersects")):
            continue
        public = bool(rng.random() < 0.3)
        made.add(grove, grade="3" if public else "4", category="public_welfare" if public else "commercial",
                 name=names.village(ground.seed, index) + "片林", xzqdm=ground.county(index))  # fmt: skip
    return made


def utility(ground: Ground, plan: Plan, towns: Any) -> Layer:
    """Power lines between the county seats, gas along motorways, and facilities outside each seat."""
    made = Layer()
    away = shapely.buffer(towns, CLEAR_M, quad_segs=2)
    seats = metres([county.seat for county in places.COUNTIES])
    for a, b in POWER:
        line = shapely.difference(shapely.linestrings([seats[a], seats[b]]), away)
        name = f"220千伏{places.COUNTIES[a].name[:-1]}至{places.COUNTIES[b].name[:-1]}线走廊"
        strip = polygons_of(shapely.intersection(_strip(line, POWER_M / 2), ground.city))
        made.add(strip, type="power_corridor", name=name, xzqdm=places.CITY[0])
    for highway, course in zip(places.HIGHWAYS, ground.corridors.highways, strict=True):
        if highway.id in GAS_ALONG:
            line = shapely.difference(shapely.offset_curve(course, highway.width / 2 + GAS_AWAY_M), away)
            strip = polygons_of(shapely.intersection(_strip(line, GAS_M / 2), ground.city))
            made.add(strip, type="gas_pipeline", name=highway.name + "沿线天然气管线", xzqdm=places.CITY[0])
    for county, villages in zip(places.COUNTIES, _outskirts(ground, plan), strict=True):
        for (kind, name, length, width), village in zip(FACILITIES, villages[1:], strict=True):
            shape = _facility(ground, plan, village, length, width)
            made.add(shape, type=kind, name=county.name + name, xzqdm=county.code)
    return made


def _strip(line: Any, half: float) -> Any:
    return shapely.buffer(line, half, quad_segs=3, cap_style="flat")


def _county(ground: Ground, x: float, y: float) -> str:
    return ground.county(int(np.argmin(np.hypot(*(ground.villages.sites - (x, y)).T))))


def _outskirts(ground: Ground, plan: Plan) -> list[list[int]]:
    """By county four villages near the seat without permanent farmland and corridors."""
    all_ = ground.villages
    busy = {*plan.farmland_village, *ground.roads, *ground.rivers}
    free = np.array([index not in busy and index in plan.field_zone for index in range(len(all_.shapes))])
    found = []
    for number, town in enumerate(all_.towns):
        away = np.hypot(all_.sites[:, 0] - town.x, all_.sites[:, 1] - town.y)
        away[~free | (all_.county != number)] = np.inf
        found.append([int(index) for index in np.argsort(away, kind="stable")[: 1 + len(FACILITIES)]])
    return found


def _facility(ground: Ground, plan: Plan, village: int, length: float, width: float) -> Any:
    """A rectangle on the widest free ground of a village, clear of its settlement."""
    land = shapely.buffer(plan.zones.shapes[plan.field_zone[village]], -4, quad_segs=2)
    x, y = shapely.get_coordinates(shapely.maximum_inscribed_circle(land, 5.0))[0]
    angle = ground.villages.towns[int(ground.villages.county[village])].angle
    cos, sin = np.cos(angle), np.sin(angle)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (length / 2, width / 2)
    box = shapely.polygons(corners @ np.array([[cos, sin], [-sin, cos]]) + (x, y))
    return polygons_of(shapely.intersection(box, land))
