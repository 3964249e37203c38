"""Which construction projects has the sample city approved, and what is used of its land quotas?

Projects in towns stand on plots of the detailed plan and have their class; those on roads and rivers
lie within the zones of these. Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely
import shapely.ops

from shikong.layers import catalog
from shikong.samples import places
from shikong.samples.detailed import Detailed
from shikong.samples.ground import Ground
from shikong.samples.plan_files import Written
from shikong.samples.plane import Shapes, areas_m2, generator, polygons_of
from shikong.samples.planning import Layer, Plan

#: Type and name by the class of a plot, longer beginnings first.
KINDS = (("0804", "school", "学校"), ("08", "public", "公共服务中心"), ("07", "housing", "住宅小区"),
         ("09", "commercial", "商业综合体"), ("10", "industry", "产业园"), ("11", "logistics", "物流园"))  # fmt: skip
#: Stages in order, and the age in days from which a project has reached each.
STAGES = (("completed", 1200), ("building", 600), ("permitted", 400), ("land_approved", 250), ("preliminary", 120),
          ("siting", 0))  # fmt: skip
FIRST, DAYS = date(2021, 3, 1), 1_750
SHARE = 0.035
WIDENED = ("G105", "G308", "G309", "G240", "S321")
DREDGED = ("R07", "R08", "R12", "R15")
PERIOD = (2021, 2035)


def add(layer: Layer, rng: np.random.Generator, shape: Any, **row: Any) -> int:
    """Add a project with an age, the stage that follows from it, and a builder; returns its position."""
    age = int(rng.integers(DAYS))
    stage = next(name for name, days in STAGES if age >= days)
    row |= {"stage": stage, "approved_on": FIRST + timedelta(days=DAYS - age)}
    row["builder"] = f"样例建设单位{int(rng.integers(1, 60)):02d}"
    return layer.add(shape, **row)


def make(ground: Ground, plan: Plan, detailed: Detailed, kept: set[int]) -> Layer:
    """Projects of the class of the zones and plots that they stand on; none on the plots in ``kept``."""
    rng = generator(ground.seed, "projects")
    made = Layer()
    for position, (shape, row) in enumerate(zip(detailed.plots.shapes, detailed.plots.rows, strict=True)):
        known = next((kind for kind in KINDS if row["ghfldm"].startswith(kind[0])), None)
        if rng.random() < SHARE and known and position not in kept:
            name = row["name"].replace("地块", "") + known[2]
            add(made, rng, shape, name=name, type=known[1], ghfldm=row["ghfldm"], xzqdm=row["xzqdm"])
    corridors = ground.corridors
    for highway, line in zip(places.HIGHWAYS, corridors.highways, strict=True):
        if highway.id in WIDENED:
            shape = _within(plan, "1202", highway.name, line, highway.width)
            add(made, rng, shape, name=highway.name + "改扩建工程", type="transport", ghfldm="1202",
                xzqdm=places.CITY[0])  # fmt: skip
    for river, line in zip(places.RIVERS, corridors.rivers, strict=True):
        if river.id in DREDGED:
            shape = _within(plan, "1701", river.name, line, river.width)
            add(made, rng, shape, name=river.name + "河道治理工程", type="water", ghfldm="1701",
                xzqdm=places.CITY[0])  # fmt: skip
    return made


def _within(plan: Plan, code: str, name: str, line: Any, width: float) -> Any:
    """A stretch of a corridor, a metre within the zone that it has."""
    position = next(
        position for position, row in enumerate(plan.zones.rows) if (row["ghfldm"], row["name"]) == (code, name)
    )
    longest = max(shapely.get_parts(line), key=lambda part: part.length)
    course = shapely.ops.substring(longest, 0.40, 0.46, normalized=True)
    strip = shapely.buffer(course, width / 2 - 1, quad_segs=3, cap_style="flat")
    return polygons_of(shapely.intersection(strip, shapely.buffer(plan.zones.shapes[position], -1, quad_segs=2)))


def quotas(plan: Plan, written: Written, projects: Layer) -> tuple[list[dict[str, Any]], list[tuple[float, float]]]:
    """The rows of land_quotas and their places; what is used follows from the areas of the other layers."""
    zones, farmland = written["planning_zones"][1], written["permanent_farmland"][1]
    group = catalog.default().codes["land_use_plan"].group_of
    rows: list[dict[str, Any]] = []
    points: list[tuple[float, float]] = []
    built = np.array([group(row["ghfldm"]) == "construction" and row["ghfldm"] != "16" for row in plan.zones.rows])
    fields = np.array([row["ghfldm"] == "01" for row in plan.zones.rows])
    zone_areas, farmland_areas = areas_m2(zones) / 10_000, areas_m2(farmland) / 10_000
    zone_county = np.array([row["xzqdm"] for row in plan.zones.rows])
    farmland_county = np.array([row["xzqdm"] for row in plan.farmland.rows])
    shapes = written["approved_projects"][1]
    stage = catalog.default().codes["project_stage"].group_of
    # An approved project uses up its county's quota.
    used_by = np.array([row["xzqdm"] if stage(row["stage"]) == "approved" else "" for row in projects.rows])
    project_areas, on_fields = areas_m2(shapes) / 10_000, _on_fields(shapes, zones[fields])
    for county in places.COUNTIES:
        mine, spent = zone_county == county.code, used_by == county.code
        present = float(zone_areas[mine & built].sum())
        new, taken = float(project_areas[spent].sum()), float(on_fields[spent].sum())
        farmed = float(farmland_areas[farmland_county == county.code].sum())
        kept = float(zone_areas[mine & fields].sum())
        wanted = {
            "construction_total": (1.06 * present, present), "new_construction": (1.6 * new + 200, new),
            "new_on_cropland": (1.3 * taken + 120, taken), "permanent_farmland": (0.98 * farmed, farmed),
            "cropland": (0.97 * kept, kept),
        }  # fmt: skip
        for kind, (planned, used) in wanted.items():
            rows.append({
                "code": f"ZB{county.code}{PERIOD[0]}{len(rows) + 1:03d}", "xzqdm": county.code, "kind": kind,
                "planned": round(planned, 1), "used": round(used, 2), "period_from": PERIOD[0], "period_to": PERIOD[1],
            })  # fmt: skip
            points.append(county.seat)
    return rows, points


def _on_fields(shapes: Shapes, fields: Shapes) -> Any:
    """How much of each shape (hectares) lies on fields."""
    one, other = shapely.STRtree(fields).query(shapes, predicate="intersects")
    pieces = areas_m2(shapely.intersection(shapes[one], fields[other])) / 10_000
    return np.bincount(one, pieces, minlength=len(shapes))
