"""Which control lines and planning zones does the sample city have?

Made from the same villages as the parcels: towns and settlements are zones of construction,
fields are cropland, rivers and highways have zones of their own. Permanent farmland keeps clear of
settlements, corridors, towns and the ecological redline by some metres, and the redline of towns:
so these layers have no conflicts except those planted by ``conflicts``. Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
import shapely.ops

from shikong.samples import names, places
from shikong.samples.blocks import inset_of
from shikong.samples.ground import Ground
from shikong.samples.parcels import Site
from shikong.samples.plane import Floats, Noise, circle, generator, metres, polygons_of

CLEAR_M = 12.0
PLAN = "聊城市国土空间总体规划（2021—2035年）样例"
QUARTER_ZONES = {
    "living": ("0701", "0701", "0901", "0804"),
    "centre": ("0902", "0801", "0901", "0701"),
    "works": ("1001", "1001", "1101", "1001"),
    "campus": ("0804", "0804", "0802", "0701"),
    "park": ("1401", "1401", "1403", "0803"),
}
#: Rivers under the redline: share of the course from, to, extra width in metres and type.
RED_RIVERS = {
    "R01": (0.0, 1.0, 260.0, "biodiversity"),
    "R02": (0.08, 0.96, 40.0, "water_conservation"),
    "R03": (0.15, 0.9, 35.0, "water_conservation"),
    "R04": (0.05, 0.95, 60.0, "soil_conservation"),
    "R06": (0.1, 0.85, 30.0, "wetland"),
}
RED_PLACES = (
    ("东昌湖湿地", "wetland", (115.905, 36.395), 900),
    ("谭庄水库水源地", "water_conservation", (115.895, 36.305), 1100),
    ("金牛湖湿地", "wetland", (116.19, 36.545), 800),
    ("洛神湖湿地", "wetland", (116.205, 36.30), 700),
    ("莘州湖水源地", "water_conservation", (115.62, 36.275), 800),
    ("清泉湖湿地", "wetland", (115.49, 36.435), 600),
    ("鱼丘湖湿地", "wetland", (116.29, 36.90), 700),
    ("马西林场", "sand_fixation", (115.50, 36.335), 1700),
    ("清平森林公园", "sand_fixation", (116.10, 36.755), 1800),
    ("位山湿地", "biodiversity", (116.17, 36.215), 1300),
)  # fmt: skip


@dataclass
class Layer:
    """Objects of one planning layer: geometry and the values of its columns, without the code."""

    shapes: list[Any] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, shape: Any, **row: Any) -> int:
        """Add an object; returns its position."""
        self.shapes.append(shape)
        self.rows.append(row)
        return len(self.rows) - 1


@dataclass(frozen=True)
class Plan:
    """The four planning layers.

    ``field_zone`` is the position of a village's zone of cropland, ``blocks`` has the zones that are blocks of a town
    and the quarter of each.
    """

    growth: Layer
    farmland: Layer
    redline: Layer
    zones: Layer
    field_zone: dict[int, int]
    farmland_village: list[int]
    blocks: dict[int, int]


def make(ground: Ground) -> Plan:
    """The plan of the city, free of conflicts."""
    plan = Plan(Layer(), Layer(), Layer(), Layer(), {}, [], {})
    reserve = _reserve(ground)
    sites = [ground.site(index) for index in range(len(ground.villages.shapes))]
    _growth(ground, plan, sites, reserve)
    _redline(ground, plan)
    _corridor_zones(ground, plan)
    grade = Noise(ground.seed, "grade", 16000)
    rng = generator(ground.seed, "farmland")
    red = shapely.STRtree(plan.redline.shapes)
    for index, site in enumerate(sites):
        if ground.villages.town[index] >= 0:
            _quarter_zones(ground, plan, index, site)
            continue
        _village_zones(ground, plan, index, site, index in reserve)
        if index not in reserve and rng.random() < 0.86:
            _farmland(ground, plan, index, site, red, grade)
    return plan


def _reserve(ground: Ground) -> set[int]:
    """Villages at the edge of the towns that are kept for flexible growth."""
    sites, found = ground.villages.sites, set()
    rural = ground.villages.town < 0
    for number, town in enumerate(ground.villages.towns):
        size = int((ground.villages.town == number).sum())
        out = np.hypot(sites[:, 0] - town.x, sites[:, 1] - town.y)
        out[~rural] = np.inf
        found |= {int(i) for i in np.argsort(out, kind="stable")[: max(2, size // 22)]}
    return found


def _growth(ground: Ground, plan: Plan, sites: list[Site], reserve: set[int]) -> None:
    all_ = ground.villages
    for number, county in enumerate(places.COUNTIES):
        quarters = np.flatnonzero(all_.town == number)
        parks = np.array([ground.kind(int(i)) == "park" for i in quarters])
        for zone, mine, name in (("concentrated", quarters[~parks], "城区"), ("special", quarters[parks], "城郊绿地")):
            for part in shapely.get_parts(shapely.coverage_union_all(all_.shapes[mine])) if len(mine) else ():
                plan.growth.add(part, name=county.name + name, zone=zone, xzqdm=county.code)
    for index in sorted(reserve):
        name = names.village(ground.seed, index) + "弹性发展区"
        plan.growth.add(all_.shapes[index], name=name, zone="flexible", xzqdm=ground.county(index))
    for index in np.flatnonzero(all_.seats).tolist():
        if not sites[index].core.is_empty and index not in reserve:
            name = names.village(ground.seed, index) + "镇区"
            plan.growth.add(sites[index].core, name=name, zone="concentrated", xzqdm=ground.county(index))


def _redline(ground: Ground, plan: Plan) -> None:
    """Strips along rivers, lakes, wetlands and old sand dunes, cut by county, clear of the towns."""
    all_ = ground.villages
    towns = shapely.buffer(shapely.union_all(plan.growth.shapes), CLEAR_M, quad_segs=2)
    counties = [shapely.coverage_union_all(all_.shapes[all_.county == i]) for i in range(len(places.COUNTIES))]
    wanted = []
    for river, line, half in zip(places.RIVERS, ground.corridors.rivers, _halves(), strict=True):
        if river.id in RED_RIVERS:
            start, end, extra, kind = RED_RIVERS[river.id]
            course = shapely.ops.substring(line, start, end, normalized=True)
            wanted.append((river.name + "沿线", kind, shapely.buffer(course, half + extra, quad_segs=3)))
    for name, kind, place, radius in RED_PLACES:
        x, y = metres([place])[0]
        wanted.append((name, kind, circle(x, y, radius, generator(ground.seed, "red", name), corners=26, rough=0.22)))
    used = shapely.Polygon()
    for name, kind, shape in wanted:
        free = shapely.difference(shapely.difference(shape, towns), used)
        used = shapely.union(used, shape)
        for county, land in zip(places.COUNTIES, counties, strict=True):
            for part in shapely.get_parts(polygons_of(shapely.intersection(free, land))):
                if part.area > 20_000:
                    plan.redline.add(part, name=name, type=kind, xzqdm=county.code)


def _halves() -> list[float]:
    return [river.width / 2 + river.levee for river in places.RIVERS]


def _corridor_zones(ground: Ground, plan: Plan) -> None:
    """Zones of rivers (1701), their levees (1402), highways (1202) and railways (1201), each once."""
    taken = shapely.Polygon()
    strips = [(r.name, "1701", s) for r, s in zip(places.RIVERS, ground.corridors.water, strict=True)]
    strips += [(r.name + "堤防林带", "1402", s) for r, s in zip(places.RIVERS, ground.corridors.levee, strict=True)]
    for highway, strip in zip(places.HIGHWAYS, ground.corridors.road, strict=True):
        strips.append((highway.name, "1201" if highway.kind == "railway" else "1202", strip))
    for name, code, strip in strips:
        free = polygons_of(shapely.difference(shapely.intersection(strip, ground.city), taken))
        taken = shapely.union(taken, strip)
        plan.zones.add(free, ghfldm=code, name=name, plan=PLAN, xzqdm=places.CITY[0])


def _free(site: Site, shape: Any, margin: float = 0.0) -> Any:
    """A shape without the corridors of its village, keeping a margin from them."""
    for taken in (site.levee, site.road):
        if not taken.is_empty:
            shape = shapely.difference(shape, shapely.buffer(taken, margin, quad_segs=2) if margin else taken)
    return polygons_of(shape)


def _quarter_zones(ground: Ground, plan: Plan, index: int, site: Site) -> None:
    """A quarter of a town: four plots, and the streets around them (1207)."""
    town = ground.villages.towns[int(ground.villages.town[index])]
    inset = inset_of(site.shape, site.ring_m)
    site_xy = ground.villages.sites[index]
    cos, sin = 2000 * np.cos(town.angle), 2000 * np.sin(town.angle)
    east, north = np.array([cos, sin]), np.array([-sin, cos])
    kind = ground.kind(index)
    for (a, b), code in zip(((1, 1), (-1, 1), (-1, -1), (1, -1)), QUARTER_ZONES[kind], strict=True):
        corner: Floats = np.array([(0, 0), a * east, a * east + b * north, b * north]) + site_xy
        plot = _free(site, shapely.intersection(inset, shapely.polygons(corner)))
        if not plot.is_empty:
            name = f"地块{index:05d}"
            position = plan.zones.add(plot, ghfldm=code, name=name, plan=PLAN, xzqdm=ground.county(index))
            plan.blocks[position] = index
    streets = _free(site, shapely.difference(site.shape, inset))
    plan.zones.add(streets, ghfldm="1207", name="城市道路", plan=PLAN, xzqdm=ground.county(index))


def _village_zones(ground: Ground, plan: Plan, index: int, site: Site, reserved: bool) -> None:
    """A village: its settlement (0703, or 0701 in a township's seat) and its land around (01 or 16)."""
    name = names.village(ground.seed, index)
    land = _free(site, shapely.difference(site.shape, site.core))
    if not site.core.is_empty:
        code = "0701" if ground.villages.seats[index] else "0703"
        plan.zones.add(site.core, ghfldm=code, name=name + "居民点", plan=PLAN, xzqdm=ground.county(index))
    if not land.is_empty:
        code = "16" if reserved else "01"
        position = plan.zones.add(land, ghfldm=code, name=name + "田园", plan=PLAN, xzqdm=ground.county(index))
        plan.field_zone[index] = position


def _farmland(ground: Ground, plan: Plan, index: int, site: Site, red: Any, grade: Noise) -> None:
    """The permanent farmland of a village: its fields, clear of all that is built or protected."""
    land = shapely.buffer(site.shape, -CLEAR_M, join_style="mitre")
    if not site.core.is_empty:
        land = shapely.difference(land, shapely.buffer(site.core, 15, quad_segs=2))
    land = _free(site, land, CLEAR_M)
    for hit in red.query(land, predicate="intersects"):
        land = shapely.difference(land, shapely.buffer(plan.redline.shapes[int(hit)], 6, quad_segs=2))
    parts = [part for part in shapely.get_parts(polygons_of(land)) if part.area > 15_000]
    if not parts:
        return
    x, y = ground.villages.sites[index]
    level = int(np.clip(np.round(4.3 + 1.4 * float(grade(x, y))), 3, 6))
    plan.farmland.add(shapely.multipolygons(parts), dlbm="0102", grade=str(level), xzqdm=ground.county(index))
    plan.farmland_village.append(index)
