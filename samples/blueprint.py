"""Which plans beside the territorial one does the sample city have, and which conflicts are planted in them?

Planted are plots higher than the control belt of a heritage site allows, plots that reach into a river's
management range, plots and projects of another class than their zone, and projects on permanent farmland.
Outside of the planted pairs there are no conflicts of these kinds. Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from shikong.layers import catalog
from shikong.samples import conflicts, detailed, heritage_zones, names, plan_files, projects, special_plans, write
from shikong.samples.conflicts import Delivered
from shikong.samples.detailed import Detailed
from shikong.samples.ground import Ground
from shikong.samples.plan_files import Known, Written
from shikong.samples.plane import generator, polygons_of
from shikong.samples.planning import Layer

RIVER_CASES = ("滨河地块侵占河道管理范围", "住宅地块越过河道管理线", "沿河地块占压护堤地", "临河地块侵入河道管理范围")
HEIGHT_CASES = (
    "地块限高突破文物建设控制地带",
    "高层住宅地块突破文物限高",
    "商业地块突破文物限高",
    "文物周边地块高度超限",
)
#: Class of the zone, class of the plot, and what each case is.
PLOT_CASES = (
    ("1001", "070102", "工业用地内规划住宅地块"), ("0701", "100101", "居住用地内规划工业地块"),
    ("1101", "090102", "仓储用地内规划市场地块"),
)  # fmt: skip
#: Radius in metres, type, class and name of the project, and what each case is.
FARMLAND_CASES = (
    (150.0, "industry", "100102", "产业园扩建项目", "已批工业项目占用永久基本农田"),
    (60.0, "utility", "1303", "变电站项目", "变电站项目占用永久基本农田"),
    (110.0, "logistics", "110101", "冷链物流项目", "物流项目占用永久基本农田"),
    (90.0, "commercial", "090105", "加油加气站项目", "加油加气站项目占用永久基本农田"),
)
#: Class of the zone, type, class and name of the project, and what each case is.
PROJECT_CASES = (
    ("1001", "housing", "070102", "安置住宅项目", "住宅项目选址于工业用地"),
    ("0701", "industry", "100101", "食品加工项目", "工业项目选址于居住用地"),
    ("1101", "school", "080403", "学校新建项目", "学校项目选址于仓储用地"),
    ("1001", "hospital", "080601", "医院新建项目", "医院项目选址于工业用地"),
)
CLEAR_OF_RANGE_M, NEAR_M, LEAST_M2 = 2.0, 5.0, 300.0
#: What layers that share an edge share besides: a corner on a long edge leaves it by centimetres, in degrees.
SLIVER_M2 = 50.0
PREFIXES = {"detailed_plots": "XG", "transport_plan": "JT", "water_plan": "SL", "forestry_plan": "LD",
            "heritage_zones": "WB", "utility_plan": "SZ", "approved_projects": "XM"}  # fmt: skip


def deliver(
    ground: Ground, plans: Delivered, sites: list[tuple[dict[str, Any], tuple[float, float]]], out: Path
) -> tuple[dict[str, tuple[str, int]], list[Known]]:
    """Write the layers (EPSG:4490); returns file and rows of each, and the pairs that conflict.

    sites: the rows of heritage_sites with lon and lat.
    """
    rng = generator(ground.seed, "blueprint")
    plan = plans.plan
    towns: Any = shapely.coverage_union_all(ground.villages.shapes[ground.villages.urban()])
    layers = {
        "transport_plan": special_plans.transport(ground, plan), "water_plan": special_plans.water(ground, towns),
        "forestry_plan": special_plans.forestry(ground, plan),
        "heritage_zones": heritage_zones.make(ground.seed, sites),
        "utility_plan": special_plans.utility(ground, plan, towns),
    }  # fmt: skip
    ranges, fixed = _ranges(layers["water_plan"]), _fixed(layers)
    clear = list(shapely.buffer(ranges, CLEAR_OF_RANGE_M, quad_segs=2))
    made = detailed.make(ground, plan, shapely.STRtree([*fixed, *clear]))
    rivers = _into_ranges(plans, made, ranges, fixed, rng)
    heights = _too_high(made, layers["heritage_zones"], rng)
    classes = _other_class(made, plans, {*rivers, *heights}, rng)
    layers["detailed_plots"] = made.plots
    kept = {*rivers, *heights, *classes}
    layers["approved_projects"] = projects.make(ground, plan, made, kept)
    farmed = _on_farmland(ground, plans, layers["approved_projects"], rng)
    misplaced = _on_other_zones(plans, made, layers["approved_projects"], kept, rng)
    written = plan_files.write_layers(out, {name: (PREFIXES[name], layer) for name, layer in layers.items()})
    written |= plans.written
    rows = layers | {"planning_zones": plan.zones}
    known = [
        *_judged(written, rows, "detailed_plots", rivers, "water_plan", _in_range),
        *_judged(written, rows, "detailed_plots", heights, "heritage_zones", _above_limit),
        *_judged(written, rows, "detailed_plots", classes, "planning_zones", _of_other_class),
        *plan_files.overlaps(written, "approved_projects", farmed, "permanent_farmland"),
        *_judged(written, rows, "approved_projects", farmed | misplaced, "planning_zones", _of_other_class),
        *_judged(written, rows, "approved_projects", misplaced, "detailed_plots", _of_other_class),
    ]
    counts = {name: (f"{name}.gpkg", len(written[name][0])) for name in layers}
    file = "land_quotas.geojson"
    count = write.geojson(out / file, *projects.quotas(plan, written, layers["approved_projects"]))
    return counts | {"land_quotas": (file, count)}, known


def _ranges(water: Layer) -> list[Any]:
    return [shape for shape, row in zip(water.shapes, water.rows, strict=True) if row["type"] == "river_management"]


def _fixed(layers: dict[str, Layer]) -> list[Any]:
    """What no plot may take: the land between red lines of transport, and protection ranges."""
    zones = layers["heritage_zones"]
    found = [shape for shape, row in zip(zones.shapes, zones.rows, strict=True) if row["type"] == "protection"]
    return list(shapely.buffer(layers["transport_plan"].shapes + found, 1.0, quad_segs=2))


def _into_ranges(
    plans: Delivered, made: Detailed, ranges: list[Any], fixed: list[Any], rng: np.random.Generator
) -> dict[int, str]:
    """Plots that take what lies between them and the levee, all along their block."""
    members: dict[int, list[int]] = {}
    for plot, zone in enumerate(made.zone):
        members.setdefault(zone, []).append(plot)
    zones = list(members)
    blocks = [plans.plan.zones.shapes[zone] for zone in zones]
    tree = shapely.STRtree(fixed)
    near = np.column_stack(shapely.STRtree(ranges).query(blocks, predicate="intersects"))
    planted: dict[int, str] = {}
    for block, river in rng.permutation(near).tolist():
        plot, *others = members[zones[block]]
        strip = shapely.intersection(blocks[block], shapely.buffer(ranges[river], CLEAR_OF_RANGE_M + 0.5))
        strip = shapely.difference(strip, shapely.union_all([made.plots.shapes[each] for each in others]))
        wider = polygons_of(shapely.union(made.plots.shapes[plot], strip))
        taken = shapely.intersection(wider, ranges[river]).area
        if plot in planted or wider.geom_type != "Polygon" or taken < LEAST_M2 or len(tree.query(wider, "intersects")):
            continue
        made.plots.shapes[plot] = wider
        planted[plot] = RIVER_CASES[len(planted)]
        if len(planted) == len(RIVER_CASES):
            break
    return planted


def _too_high(made: Detailed, zones: Layer, rng: np.random.Generator) -> dict[int, str]:
    """Keep all plots near heritage as low as its belts say, except the planted ones."""
    limited = [
        (shape, row["xzgd"]) for shape, row in zip(zones.shapes, zones.rows, strict=True) if row["xzgd"] is not None
    ]  # fmt: skip
    tree = shapely.STRtree([shape for shape, _ in limited])
    plots, belts = tree.query(made.plots.shapes, predicate="dwithin", distance=NEAR_M)
    caps: dict[int, float] = {}
    inside: set[int] = set()
    for plot, belt in zip(plots.tolist(), belts.tolist(), strict=True):
        shape, limit = limited[belt]
        caps[plot] = min(limit, caps.get(plot, np.inf))
        if shapely.intersection(made.plots.shapes[plot], shape).area > LEAST_M2:
            inside.add(plot)
    chosen = rng.permutation(sorted(inside))[: len(HEIGHT_CASES)].tolist()
    for plot, limit in caps.items():
        row = made.plots.rows[plot]
        row["jzxg"] = limit + float(rng.integers(12, 50)) if plot in chosen else min(row["jzxg"], limit)
        row["rjl"] = detailed.at_most(row["rjl"], row["jzxg"], row["jzmd"])
    return dict(zip(chosen, HEIGHT_CASES, strict=False))


def _other_class(made: Detailed, plans: Delivered, kept: set[int], rng: np.random.Generator) -> dict[int, str]:
    """Plots of a class that their zone does not have."""
    planted: dict[int, str] = {}
    for code, other, what in PLOT_CASES:
        plot = _drawn(made, plans, code, kept | set(planted), rng)
        made.plots.rows[plot]["ghfldm"] = other
        planted[plot] = what
    return planted


def _drawn(made: Detailed, plans: Delivered, code: str, kept: set[int], rng: np.random.Generator) -> int:
    """A plot in a zone of some class that is not kept for anything else."""
    fitting = [
        plot for plot, zone in enumerate(made.zone)
        if plans.plan.zones.rows[zone]["ghfldm"] == code and plot not in kept
    ]  # fmt: skip
    return fitting[int(rng.integers(len(fitting)))]


def _on_farmland(ground: Ground, plans: Delivered, layer: Layer, rng: np.random.Generator) -> dict[int, str]:
    """Projects across the edge of permanent farmland, where nothing else is planted."""
    plan = plans.plan
    taken = [plan.growth.shapes[each] for each in plans.planted.growth]
    taken += [plan.zones.shapes[each] for each in plans.planted.zones]
    tree = shapely.STRtree(taken)
    planted: dict[int, str] = {}
    for position in conflicts.free_farmland(ground, plan, 10 * len(FARMLAND_CASES), rng):
        village = plan.farmland_village[position]
        if len(tree.query(ground.villages.shapes[village], predicate="intersects")):
            continue
        reach, kind, code, name, what = FARMLAND_CASES[len(planted)]
        field = shapely.buffer(plan.zones.shapes[plan.field_zone[village]], -2, quad_segs=2)
        shape = polygons_of(
            shapely.intersection(conflicts.across(plan.farmland.shapes[position], reach, 0.0, rng), field)
        )
        added = projects.add(layer, rng, shape, name=names.village(ground.seed, village) + name, type=kind, ghfldm=code,
                             xzqdm=ground.county(village))  # fmt: skip
        planted[added] = what
        if len(planted) == len(FARMLAND_CASES):
            break
    return planted


def _on_other_zones(
    plans: Delivered, made: Detailed, layer: Layer, kept: set[int], rng: np.random.Generator
) -> dict[int, str]:
    """Projects on plots whose zone is of another class."""
    built = shapely.STRtree(layer.shapes)
    kept = kept | set(built.query(made.plots.shapes, predicate="intersects")[0].tolist())
    planted: dict[int, str] = {}
    for zone, kind, code, title, what in PROJECT_CASES:
        plot = _drawn(made, plans, zone, kept, rng)
        kept.add(plot)
        row = made.plots.rows[plot]
        shape, name = made.plots.shapes[plot], row["name"].replace("地块", "") + title
        added = projects.add(layer, rng, shape, name=name, type=kind, ghfldm=code, xzqdm=row["xzqdm"])
        planted[added] = what
    return planted


Row = dict[str, Any]
Values = tuple[Any, Any] | None


def _in_range(_: Row, water: Row) -> Values:
    return (None, None) if water["type"] == "river_management" else None


def _above_limit(plot: Row, zone: Row) -> Values:
    limit = zone["xzgd"]
    return (plot["jzxg"], limit) if limit is not None and plot["jzxg"] > limit else None


def _of_other_class(one: Row, other: Row) -> Values:
    listed = catalog.default().codes["land_use_plan"]
    codes = one["ghfldm"], other["ghfldm"]
    tops = [(code, *listed.ancestors(code))[-1] for code in codes]
    return codes if tops[0] != tops[1] else None


def _judged(
    written: Written, rows: dict[str, Layer], layer: str, planted: dict[int, str], other: str, judge: Any
) -> Iterable[Known]:
    """The overlaps that a comparison of both rows finds wrong, with the two values that it compared."""
    numbers = {name: {code: number for number, code in enumerate(written[name][0])} for name in (layer, other)}
    for pair in plan_files.overlaps(written, layer, planted, other, SLIVER_M2):
        one = rows[layer].rows[numbers[layer][pair["a_id"]]]
        values = judge(one, rows[other].rows[numbers[other][pair["b_id"]]])
        if values is None:
            continue
        yield pair if values[0] is None else pair | {"a_value": values[0], "b_value": values[1]}
