"""Where may this be built? Land that nothing forbids for a kind of project, cut into sites and ranked, with reasons.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
import shapely
from psycopg import Connection
from pydantic import Field

from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Text
from shikong.layers.find_rules import Measure, SiteFind
from shikong.processes import counties
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.figures import page, text, workbook
from shikong.processes.figures.sources import sources_of
from shikong.processes.finding import answers, search
from shikong.processes.moments import Then
from shikong.processes.overlay.kernel import Shapes
from shikong.processes.sites import site
from shikong.processes.sites.site import Given
from shikong.store.database import default as default_database
from shikong.store.database import one_state

#: m² that may be searched at once: more than the city has.
_LARGEST = 2e10


def _find() -> SiteFind:
    found = catalog.default().site_find
    assert found is not None
    return found


_CHECK = catalog.default().site_check
_PROJECTS = catalog.default().codes[_CHECK.projects if _CHECK else ""].codes
_ROADS = catalog.default().codes[catalog.default().class_field(_find().roads)[1] or ""].codes
_SERVICES = _find().services


class Wanted(Then):
    """What is to be built, what its site has to be, and where to look."""

    project: str = Field(
        json_schema_extra=titled(
            "项目类型", "Type of project",
            enum=list(_PROJECTS), **{"x-enum-titles": [code.title.model_dump() for code in _PROJECTS.values()]},
        )
    )  # fmt: skip
    min_area_ha: float = Field(1.0, gt=0, le=10_000, json_schema_extra=titled("面积下限（公顷）", "Area at least (ha)"))
    max_area_ha: float | None = Field(
        None, gt=0, le=100_000,
        json_schema_extra=titled("面积上限（公顷，可选；更大的分割）", "Area at most (ha; larger land is cut)"),
    )  # fmt: skip
    district: str | None = Field(
        None, pattern=r"^\d{6}$", json_schema_extra=titled("县（市、区）代码（可选）", "County code (optional)")
    )
    area: dict[str, Any] | None = Field(
        None,
        json_schema_extra=titled(
            "查找范围（GeoJSON 面，可选）", "Where to look (GeoJSON, optional)", **{"x-geometry": "Polygon"}
        ),
    )
    units: Literal["zones", "plots"] = Field(
        "zones",
        json_schema_extra=titled(
            "选自规划分区或详细规划地块", "From planning zones, or plots of the detailed plan",
            **{"x-enum-titles": [{"zh": "规划分区", "en": "Planning zones"}, {"zh": "详细规划地块", "en": "Plots"}]},
        ),
    )  # fmt: skip
    classes: list[str] | None = Field(
        None,
        json_schema_extra=titled(
            "允许的规划分类代码（默认按项目类型）", "Planned classes (default: those of the project)"
        ),
    )
    present: list[str] | None = Field(
        None, json_schema_extra=titled("允许的现状地类代码（可选）", "Present classes (optional)")
    )
    road_within_m: float | None = Field(
        None, ge=0, le=50_000, json_schema_extra=titled("距道路不超过（米，可选）", "A road within (m, optional)")
    )
    road_classes: list[str] | None = Field(
        None,
        json_schema_extra=titled(
            "道路等级（默认县乡道以上）", "Classes of roads (default: tertiary and above)",
            items={"type": "string", "enum": list(_ROADS),
                   "x-enum-titles": [each.title.model_dump() for each in _ROADS.values()]},
        ),
    )  # fmt: skip
    services: list[str] | None = Field(
        None,
        json_schema_extra=titled(
            "附近所需设施（可选）", "Services wanted near it (optional)",
            items={"type": "string", "enum": list(_SERVICES),
                   "x-enum-titles": [each.title.model_dump() for each in _SERVICES.values()]},
        ),
    )  # fmt: skip
    service_within_m: float | None = Field(
        None,
        ge=0,
        le=50_000,
        json_schema_extra=titled("距每一设施不超过（米，可选）", "Each service within (m, optional)"),
    )
    max_slope_deg: float | None = Field(
        None, ge=0, le=90,
        json_schema_extra=titled("坡度不超过（度，可选；95% 的地面）", "Slope at most (degrees; of 95 % of it)"),
    )  # fmt: skip
    redline_distance_m: float = Field(
        0, ge=0, le=10_000,
        json_schema_extra=titled("距生态保护红线至少（米）", "From the ecological redline at least (m)"),
    )  # fmt: skip
    farmland_distance_m: float = Field(
        0, ge=0, le=10_000, json_schema_extra=titled("距永久基本农田至少（米）", "From permanent farmland at least (m)")
    )  # fmt: skip
    weights: dict[str, float] | None = Field(
        None,
        json_schema_extra=titled(
            '权重（可选，如 {"road": 5}；默认见 layers/site_find.yml）',
            'Weights (optional, such as {"road": 5}; else those of layers/site_find.yml)',
        ),
    )
    limit: int = Field(10, ge=1, le=100, json_schema_extra=titled("给出前几处", "How many sites"))


class SiteFinding(Process):
    """Takes forbidden land from what the plan allows, and ranks what is left."""

    id = "site-find"
    title = Text(zh="选址", en="Site finding")
    description = Text(
        zh="为一类项目查找候选用地：规划允许且无禁止性规则的连片土地，按面积、道路、设施、坡度、红线距离等筛选并评分排序，"
        "逐项说明支持与不利的理由；没有结果时说明各条件排除了多少土地。候选用地均通过选址合规性审查（不为禁止）。",
        en="Sites for a kind of project: land that the plan allows and no rule forbids, by area, roads, services, "
        "slope and distance to control lines, ranked, with what speaks for and against each; where there is none, what "
        "took how much land. No site is forbidden by the site compliance check.",
    )
    inputs = Wanted
    renderings: ClassVar = {"csv": text.CSV, "xlsx": workbook.XLSX, "html": page.HTML}
    parts: ClassVar = answers.schema()

    def answer(self, inputs: Wanted) -> dict[str, Any]:
        """The sites. Raises BadInput."""
        city = catalog.default()
        asked = _asked(city, inputs)
        with default_database().thread_session() as conn, one_state(conn):
            region = _region(conn, city, inputs)
            found = search.run(conn, city, asked, region, default_database().settings.data)
            told = answers.tell(conn, city, asked, found, inputs.limit)
            layers = (*answers.layers(city, asked), counties.LAYER)
            sources, label = sources_of(conn, city, layers, inputs.moment)
        return {"title": self.title.model_dump(), "label": label} | told | {"sources": sources}


def _asked(city: Catalog, inputs: Wanted) -> search.Asked:
    """The question with its defaults. Raises BadInput naming what is wrong."""
    find, check = _find(), city.site_check
    assert check is not None
    if inputs.project not in _PROJECTS:
        raise BadInput("project", f"{inputs.project[:40]!r} is no type of project", tuple(_PROJECTS))
    if inputs.max_area_ha is not None and inputs.max_area_ha < inputs.min_area_ha:
        raise BadInput("max_area_ha", f"is below min_area_ha, which is {inputs.min_area_ha:g}")
    fitting = next((rule.fits[inputs.project] for rule in check.rules.values() if inputs.project in rule.fits), ())
    layer = find.zones if inputs.units == "zones" else find.plots
    classes = _codes(city, "classes", Side.model_validate({"layer": layer}), inputs.classes) or fitting
    if not classes:
        raise BadInput("classes", f"the rules name no classes for {inputs.project}; name some")
    present = _codes(city, "present", Side.model_validate({"layer": find.parcels}), inputs.present)
    roads = _codes(city, "road_classes", find.roads, inputs.road_classes)
    if unknown := [name for name in inputs.services or () if name not in find.services]:
        raise BadInput("services", f"{unknown[0][:40]!r} is none", tuple(find.services))
    if inputs.service_within_m is not None and not inputs.services:
        raise BadInput("services", "name the services that are to be within service_within_m", tuple(find.services))
    return search.Asked(
        inputs.moment, inputs.project, Side.model_validate({"layer": layer, "classes": classes}),
        Side.model_validate({"layer": find.parcels, "classes": present}) if present else None,
        find.roads.model_copy(update={"classes": roads}) if roads else find.roads,
        {name: find.services[name] for name in inputs.services or ()}, _limits(inputs), _weights(find, inputs),
    )  # fmt: skip


def _limits(inputs: Wanted) -> search.Limits:
    return search.Limits(
        inputs.min_area_ha * 10_000, None if inputs.max_area_ha is None else inputs.max_area_ha * 10_000,
        inputs.road_within_m, inputs.service_within_m, inputs.max_slope_deg, inputs.redline_distance_m,
        inputs.farmland_distance_m,
    )  # fmt: skip


def _codes(city: Catalog, name: str, side: Side, codes: list[str] | None) -> tuple[str, ...]:
    """Codes of the classes of a layer. Raises BadInput for one that there is not."""
    listed = city.codes[city.class_field(side)[1] or ""].codes
    if unknown := [code for code in codes or () if code not in listed]:
        raise BadInput(name, f"{unknown[0][:40]!r} is no class of {side.layer}", tuple(listed))
    return tuple(codes or ())


def _weights(find: SiteFind, inputs: Wanted) -> dict[Measure, float]:
    """What each criterion counts. Raises BadInput."""
    given = inputs.weights or {}
    if unknown := [name for name in given if name not in find.criteria]:
        raise BadInput("weights", f"{unknown[0][:40]!r} is no criterion", tuple(find.criteria))
    if wrong := [name for name, weight in given.items() if not math.isfinite(weight) or weight < 0]:
        raise BadInput("weights", f"{wrong[0]} has {given[wrong[0]]}; a weight is 0 or more")
    found = {name: given.get(name, criterion.weight) for name, criterion in find.criteria.items()}
    if not any(found.values()):
        raise BadInput("weights", "are all 0, so that no site is better than another")
    return found


def _region(conn: Connection[Any], city: Catalog, inputs: Wanted) -> Shapes:
    """Where to look, as surfaces in an array of one. Raises BadInput."""
    known = counties.read(conn, city, inputs.moment)
    if not len(known):
        raise BadInput("datetime", "no counties are known of that time; ask for a later one")
    if inputs.district is not None and inputs.district not in known.codes:
        raise BadInput("district", f"there is no county {inputs.district}", tuple(known.codes.tolist()))
    if inputs.district is not None and inputs.area is not None:
        raise BadInput("area", "give an area or a district, not both")
    if inputs.area is not None:
        return site.read(conn, city, Given(inputs.area, None, None, "area", _LARGEST), inputs.moment).shapes
    wanted = [inputs.district in (None, code) for code in known.codes]
    region = np.empty(1, dtype=object)
    region[0] = shapely.union_all(known.shapes[np.array(wanted)])
    return region
