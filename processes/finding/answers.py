"""What a search found, as it is told: on the map, in tables, and site by site.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from psycopg import Connection

from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.figures import table
from shikong.processes.figures.table import Column, Row, Table
from shikong.processes.finding import checks
from shikong.processes.finding.land import Step
from shikong.processes.finding.search import Asked, Found, Result
from shikong.processes.overlay.kernel import Shapes
from shikong.processes.site_check import VERDICTS, indicators
from shikong.processes.sites import verdict
from shikong.processes.sites.meets import Meeting

_SITES = (
    Column("rank", Text(zh="名次", en="Rank"), "1", 0), Column("score", Text(zh="得分", en="Score"), "1", 3),
    Column("district_name", Text(zh="行政区", en="District")), Column("area_ha", Text(zh="面积", en="Area"), "ha"),
    Column("road_m", Text(zh="距道路", en="To a road"), "m", 0),
    Column("service_m", Text(zh="距最远设施", en="To the farthest service"), "m", 0),
    Column("slope_mean_deg", Text(zh="平均坡度", en="Mean slope"), "°", 2),
    Column("slope_p95_deg", Text(zh="95% 坡度", en="Slope, 95 %"), "°", 2),
    Column("compactness", Text(zh="紧凑度", en="Compactness"), "1", 2),
    Column("cropland_pct", Text(zh="现状耕地", en="Cropland on it"), "%", 1),
    Column("redline_m", Text(zh="距红线", en="To the redline"), "m", 0),
    Column("conditions", Text(zh="审查条件", en="Conditions"), "1", 0),
    Column("verdict_title", Text(zh="审查结论", en="Site check")),
    Column("lon", Text(zh="经度", en="Longitude"), "°", 6), Column("lat", Text(zh="纬度", en="Latitude"), "°", 6),
)  # fmt: skip
_REASONS = (
    _SITES[0],
    Column("for", Text(zh="支持理由", en="For it")),
    Column("against", Text(zh="不利理由", en="Against it")),
)
_STEPS = (
    Column("title", Text(zh="条件", en="What")), Column("removed_ha", Text(zh="排除", en="Took away"), "ha"),
    Column("left_ha", Text(zh="剩余", en="Left"), "ha"), Column("pieces", Text(zh="块数", en="Pieces"), "1", 0),
)  # fmt: skip
_CRITERIA = (
    Column("criterion", Text(zh="代号", en="Name")), Column("title", Text(zh="评价项", en="Criterion")),
    Column("unit", Text(zh="单位", en="Unit")), Column("best", Text(zh="满分值", en="Full marks at"), "1", 2),
    Column("worst", Text(zh="零分值", en="Nothing at"), "1", 2), Column("weight", Text(zh="权重", en="Weight"), "1", 2),
)  # fmt: skip
_TITLES = {
    "sites": Text(zh="候选用地", en="Sites"), "reasons": Text(zh="理由", en="Reasons"),
    "account": Text(zh="土地去向", en="What took how much land"),
    "criteria": Text(zh="评价标准", en="Criteria"),
}  # fmt: skip

#: m²; less of a plot on a site comes from drawing.
_SLIVER = 1.0

#: The column of each measure that has one by another name.
_COLUMN_OF = {"road": "road_m", "service": "service_m", "slope": "slope_mean_deg", "cropland": "cropland_pct",
              "redline": "redline_m"}  # fmt: skip


def schema() -> dict[str, Any]:
    """What the parts of an answer are called."""
    own = {
        "project": Text(zh="项目类型", en="Type of project"), "found": Text(zh="处数", en="Sites found"),
        "reason": Text(zh="为何没有结果", en="Why there is none"), "sites": Text(zh="逐处说明", en="Site by site"),
    }  # fmt: skip
    parts = table.schema(_TITLES, (*_SITES, *_REASONS, *_STEPS, *_CRITERIA))
    feature = {"properties": {"properties": {"properties": table.lines_schema(_SITES)}}}
    features = {"title": {"zh": "地图", "en": "Map"}, "properties": {"features": {"items": feature}}}
    return parts | {name: {"title": title.model_dump()} for name, title in own.items()} | {"features": features}


def layers(city: Catalog, asked: Asked) -> list[str]:
    """The layers that an answer is from."""
    find, check = city.site_find, city.site_check
    assert find is not None
    assert check is not None
    sides = (asked.allowed, asked.roads, find.redline, find.farmland, *(each.land for each in asked.services.values()))
    rules = (rule.land.layer for rule in check.rules.values() if rule.holds_for(asked.project))
    return list(dict.fromkeys([*(side.layer for side in sides), *rules, find.parcels, find.plots, find.terrain]))


def tell(conn: Connection[Any], city: Catalog, asked: Asked, found: Result, limit: int) -> dict[str, Any]:
    """The best sites, and the account of the land."""
    best = found.sites[:limit]
    shapes = np.empty(len(best), dtype=object)
    shapes[:] = [each.shape for each in best]
    known = counties.read(conn, city, asked.moment)
    names = dict(zip(known.codes.tolist(), known.names.tolist(), strict=True))
    of = known.of(shapes).tolist() if best else []
    rows = [_row(rank, each, code, names) for rank, (each, code) in enumerate(zip(best, of, strict=True), 1)]
    tables = {
        "sites": Table(_TITLES["sites"], _SITES, rows),
        "reasons": Table(_TITLES["reasons"], _REASONS, [*map(_reasons, range(1, len(best) + 1), best)]),
        "account": Table(_TITLES["account"], _STEPS, [_told_step(step) for step in found.steps]),
        "criteria": Table(_TITLES["criteria"], _CRITERIA, _criteria(city, asked)),
    }
    projects = city.codes[city.site_check.projects if city.site_check else ""].codes
    title = projects[asked.project].title
    number = len(found.sites)
    return {
        "subtitle": {"zh": f"{title.zh} · 共 {number} 处，列出 {len(best)} 处",
                     "en": f"{title.en} · {number} sites, {len(best)} told"},
        "project": asked.project, "found": number, "reason": None if number else _why(found.steps).model_dump(),
        "features": {"type": "FeatureCollection", "features": [*map(_feature, best, rows)]},
        "tables": {name: each.told for name, each in tables.items()},
        "sites": _details(conn, city, asked, best, shapes),
    }  # fmt: skip


def _row(rank: int, found: Found, county: str | None, names: dict[str, str]) -> Row:
    """A site as a line of the table."""
    told: Row = {column.name: None for column in _SITES}
    for each in found.rated:
        told[_COLUMN_OF.get(each.measure, each.measure)] = each.number
    place = shapely.point_on_surface(found.shape)
    return told | {
        "rank": rank, "score": round(found.total, 4), "district": county, "district_name": names.get(county or ""),
        "area_ha": round(found.area / 10_000, 4), "slope_p95_deg": round(found.slope.p95, 2) if found.slope else None,
        "verdict": verdict.gravest(found.findings), "verdict_title": VERDICTS[verdict.gravest(found.findings)],
        "lon": round(place.x, 6), "lat": round(place.y, 6),
    }  # fmt: skip


def _reasons(rank: int, found: Found) -> Row:
    """What speaks for a site, and what against it."""
    reasons = {"for": [each.reason for each in found.rated if each.weight and each.speaks_for],
               "against": [each.reason for each in found.rated if each.weight and not each.speaks_for]}  # fmt: skip
    reasons["against"] += [
        Text(zh=f"有条件：{finding.rule.title.zh}", en=f"On a condition: {finding.rule.title.en}")
        for finding in found.findings
    ]
    return {"rank": rank} | {name: _joined(texts) for name, texts in reasons.items()}


def _joined(texts: list[Text]) -> dict[str, str] | None:
    return {"zh": "；".join(each.zh for each in texts), "en": "; ".join(each.en for each in texts)} if texts else None


def _feature(found: Found, row: Row) -> dict[str, Any]:
    """A site for the map, with words and figures only."""
    named = ("rank", "score", "district_name", "area_ha", "road_m", "verdict")
    return {"type": "Feature", "id": row["rank"], "geometry": shapely.geometry.mapping(found.shape),
            "properties": {name: row[name] for name in named}}  # fmt: skip


def _told_step(step: Step) -> Row:
    return {"step": step.name, "title": step.title.model_dump(), "removed_ha": round(step.removed / 10_000, 4),
            "left_ha": round(step.left / 10_000, 4), "pieces": step.pieces}  # fmt: skip


def _criteria(city: Catalog, asked: Asked) -> list[Row]:
    assert city.site_find is not None
    return [
        {"criterion": name, "title": each.title.model_dump(), "unit": each.unit, "best": each.best, "worst": each.worst,
         "weight": asked.weights[name]}
        for name, each in city.site_find.criteria.items() if name != "service" or asked.services
    ]  # fmt: skip


def _why(steps: list[Step]) -> Text:
    """Which condition took the last land, and which took most."""
    if not steps[0].pieces:
        return Text(zh="该范围内没有规划允许此类用途的用地", en="The plan has no land for it here")
    last = next(step for step in steps if not step.pieces)
    most = max(steps, key=lambda step: step.removed)
    return Text(
        zh=f"“{last.title.zh}”排除了最后 {last.removed / 10_000:,.4f} 公顷；排除最多的是“{most.title.zh}”，"
        f"{most.removed / 10_000:,.4f} 公顷",
        en=f"“{last.title.en}” took the last {last.removed / 10_000:,.4f} ha; “{most.title.en}” took most, "
        f"{most.removed / 10_000:,.4f} ha",
    )


def _details(conn: Connection[Any], city: Catalog, asked: Asked, best: list[Found], shapes: Shapes) -> list[Row]:
    """Site by site: each criterion, the rules of the check, what is there now and what is planned."""
    find, check = city.site_find, city.site_check
    assert find is not None
    assert check is not None
    if not best:
        return []
    plots = checks.on(conn, city, find.plots, shapes, asked.moment)
    zones = checks.on(conn, city, find.zones, shapes, asked.moment)
    told = []
    for rank, (each, plot, zone) in enumerate(zip(best, plots, zones, strict=True), 1):
        on_plots = Meeting(plot.features, plot.pieces.only(plot.pieces.area >= _SLIVER))
        told.append({
            "rank": rank, "verdict": verdict.gravest(each.findings),
            "criteria": [
                {"criterion": rated.measure, "title": rated.criterion.title.model_dump(), "value": rated.number,
                 "unit": rated.criterion.unit, "score": round(rated.score, 4), "weight": rated.weight,
                 "speaks": "for" if rated.speaks_for else "against", "reason": rated.reason.model_dump()}
                for rated in each.rated
            ],
            "conditions": [
                {"rule": finding.name, "title": finding.rule.title.model_dump(), "area_m2": round(finding.area, 2),
                 "basis": finding.rule.basis.model_dump(), "advice": finding.rule.advice.model_dump()}
                for finding in each.findings
            ],
            "present": _classes(city, find.parcels, each.present.classes),
            "planned": _classes(city, find.zones, {str(code): area for code, area in zone.by_class().items()}),
            "indicators": indicators(conn, city, check, on_plots, float(each.area), asked.moment),
        })  # fmt: skip
    return told


def _classes(city: Catalog, layer: str, areas: dict[str, float]) -> list[Row]:
    listed = city.codes[city.class_field(Side.model_validate({"layer": layer}))[1] or ""].codes
    return [
        {"class": code, "title": listed[code].title.model_dump() if code in listed else code,
         "area_ha": round(area / 10_000, 4)}
        for code, area in sorted(areas.items(), key=lambda item: -item[1])
    ]  # fmt: skip
