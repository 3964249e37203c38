"""Where do plans conflict? Asked of any plans, by the city's rules or by others, as of any time.

The answer for today's plans by the city's rules is published too, as the layer plan_conflicts.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from psycopg import Connection, sql
from pydantic import Field, ValidationError

from shikong.layers import catalog, references
from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import ConflictRule, ConflictRules
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.conflicts import sides
from shikong.processes.conflicts.find import Conflicts, find, tops_of
from shikong.processes.moments import Then, releases_of
from shikong.processes.overlay.kernel import Shapes
from shikong.processes.overlay.spread import Spread
from shikong.store import moments
from shikong.store.database import default as default_database
from shikong.store.database import one_state

#: Conflicts in one answer; a larger area is asked for district by district.
MAX_CONFLICTS = 20_000

#: What a question with two layers and no rule is called.
_PAIR = "pair"

_DISTRICT = "SELECT st_asbinary(geom) FROM {} AS d WHERE xzqdm = %(district)s"

_SURFACES = tuple(layer.id for layer in catalog.default() if "Polygon" in (layer.geometry or ""))
_TITLES = [catalog.default().layer(name).title.model_dump() for name in _SURFACES]
_RULES = catalog.default().conflicts.rules


def _choice(values: tuple[str, ...], titles: list[dict[str, str]]) -> dict[str, Any]:
    return {"enum": list(values), "x-enum-titles": titles}


class Plans(Then):
    """Which plans by which rules, and where."""

    a: str | None = Field(
        None,
        json_schema_extra=titled(
            "图层甲（与图层乙一起，代替规则）", "Layer A (with layer B, instead of rules)",
            **_choice(_SURFACES, _TITLES),
        ),
    )  # fmt: skip
    b: str | None = Field(
        None,
        json_schema_extra=titled("图层乙", "Layer B", **_choice(_SURFACES, _TITLES)),
    )
    rules: list[str] | None = Field(
        None,
        json_schema_extra=titled(
            "冲突规则（默认全部）", "Rules (default: all)",
            items={"type": "string"} | _choice(tuple(_RULES), [rule.title.model_dump() for rule in _RULES.values()]),
        ),
    )  # fmt: skip
    matrix: dict[str, Any] | None = Field(
        None,
        json_schema_extra=titled(
            "自定义规则矩阵（同 layers/conflicts.yml）", "Rules of your own, as layers/conflicts.yml has them"
        ),
    )
    district: str | None = Field(
        None, pattern=r"^\d{6,12}$", json_schema_extra=titled("行政区代码（可选）", "District code (optional)")
    )
    sliver_m2: float = Field(
        1.0,
        ge=0,
        json_schema_extra=titled("两图层比较时的碎图斑面积上限（平方米）", "Of two layers, slivers are below (m²)"),
    )


class PlanConflicts(Process):
    """Lays plans over each other and tells each conflict with its share of the ellipsoidal area."""

    id = "plan-conflicts"
    title = Text(zh="规划冲突", en="Plan conflicts")
    description = Text(
        zh="按规则叠加各类规划，给出差异图斑、双方编号与类别、规则与依据及椭球面积；碎图斑另列。"
        "可指定两个图层、部分规则或自定义规则矩阵。",
        en="Lays plans over each other by rules: conflicts with both sides' ids and classes, rule, basis and "
        "ellipsoidal area; slivers apart. Of two layers, of some rules, or of rules of your own.",
    )
    inputs = Plans

    def answer(self, inputs: Plans) -> dict[str, Any]:
        """The conflicts as GeoJSON, by rule and in all. Raises BadInput."""
        city = catalog.default()
        rules = _wanted(inputs, city)
        with default_database().thread_session() as conn, one_state(conn):
            found = _found(conn, city, rules, inputs)
            releases = releases_of(conn, map(city.layer, rules.layers), inputs.moment)
        by_rule = [
            {"rule": name, "title": rule.title.zh, "title_en": rule.title.en, "severity": rule.severity,
             "basis": rule.basis.zh, "advice": rule.advice.zh, **_totals(found[name])}
            for name, rule in rules.rules.items()
        ]  # fmt: skip
        totals = {key: sum(entry[key] for entry in by_rule) for key in ("conflicts", "slivers")}
        areas = {key: round(sum(entry[key] for entry in by_rule), 2) for key in ("area_m2", "slivers_area_m2")}
        return {
            **totals, **areas, "area_ha": round(areas["area_m2"] / 10_000, 4), "rules": by_rule, "releases": releases,
            "features": _collection(found, sliver=False), "sliver_features": _collection(found, sliver=True),
        }  # fmt: skip


def _wanted(inputs: Plans, city: Catalog) -> ConflictRules:
    """The rules that are asked for. Raises BadInput."""
    given = [name for name in ("a", "matrix", "rules") if getattr(inputs, name) is not None]
    if len(given) > 1:
        raise BadInput(given[1], f"is given besides `{given[0]}`; give one of layers, rules and matrix")
    if inputs.a is not None or inputs.b is not None:
        return _pair(inputs)
    if inputs.matrix is not None:
        return _own(inputs.matrix, city)
    for name in inputs.rules or ():
        if name not in city.conflicts.rules:
            raise BadInput("rules", f"{name[:60]!r} is no rule", tuple(city.conflicts.rules))
    wanted = inputs.rules or list(city.conflicts.rules)
    return ConflictRules(rules={name: city.conflicts.rules[name] for name in wanted})


def _pair(inputs: Plans) -> ConflictRules:
    """Two layers as a rule. Raises BadInput."""
    for name, layer in (("a", inputs.a), ("b", inputs.b)):
        if layer not in _SURFACES:
            raise BadInput(name, f"{str(layer)[:60]!r} is not a layer of surfaces", _SURFACES)
    if inputs.a == inputs.b:
        raise BadInput("b", "a plan is compared with another plan, not with itself")
    words = {"title": {"zh": "两图层叠加", "en": "Two layers"}, "basis": {"zh": "", "en": ""}}
    rule = ConflictRule.model_validate(
        {**words, "advice": words["basis"], "severity": "medium", "a": {"layer": inputs.a}, "b": {"layer": inputs.b},
         "sliver": {"area": inputs.sliver_m2}}
    )  # fmt: skip
    return ConflictRules(rules={_PAIR: rule})


def _own(matrix: dict[str, Any], city: Catalog) -> ConflictRules:
    """A matrix that came with the question. Raises BadInput naming what in it is wrong."""
    try:
        rules = ConflictRules.model_validate(matrix)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(".".join(map(str, ("matrix", *first["loc"]))), first["msg"]) from error
    for place, problem in references.of_conflict_rules(rules, city.layers, city.codes, city.crosswalks):
        raise BadInput(".".join(("matrix", *place)), problem)
    return rules


def _found(conn: Connection[Any], city: Catalog, rules: ConflictRules, inputs: Plans) -> dict[str, Conflicts]:
    """The conflicts by each rule. Raises BadInput when there are too many for an answer."""
    around = _district(conn, city, inputs)
    districts, found, number = counties.read(conn, city, inputs.moment), {}, 0
    for name, rule in rules.rules.items():
        a = sides.read(conn, city, rule.a, rule.value, inputs.moment, near=around)
        if around is not None:
            a = a.only(shapely.intersects(a.shapes, around[0]))
        near = a.shapes if around is not None else None
        b = sides.read(conn, city, rule.b, rule.bound, inputs.moment, near=near)
        found[name] = find(name, rule, a, b, tops_of(city, rule), districts, Spread(), lambda done, total: None)
        number += len(found[name])
        if number > MAX_CONFLICTS:
            told = f"there are more than {MAX_CONFLICTS:,} conflicts; ask for one district, or for some of the rules"
            raise BadInput("district", told)
    return found


def _district(conn: Connection[Any], city: Catalog, inputs: Plans) -> Shapes | None:
    """The district that is asked for. Raises BadInput for one that there is not."""
    if inputs.district is None:
        return None
    rows = moments.rows(city.layer(counties.LAYER), inputs.moment)
    query, params = sql.SQL(_DISTRICT).format(rows), inputs.moment.values | {"district": inputs.district}
    row = conn.execute(query, params).fetchone()
    if row is None:
        raise BadInput("district", f"there is no district {inputs.district}")
    return np.array([shapely.from_wkb(row[0])], dtype=object)


def _totals(found: Conflicts) -> dict[str, Any]:
    slivers = found.columns["sliver"].to_numpy(dtype=bool)
    area = found.columns["area"].to_numpy(dtype=float)
    return {
        "conflicts": int((~slivers).sum()), "area_m2": round(float(area[~slivers].sum()), 2),
        "slivers": int(slivers.sum()), "slivers_area_m2": round(float(area[slivers].sum()), 4),
    }  # fmt: skip


def _collection(found: dict[str, Conflicts], *, sliver: bool) -> dict[str, Any]:
    """Conflicts as GeoJSON: those that are slivers, or those that are not."""
    features = []
    for conflicts in found.values():
        which = np.flatnonzero(conflicts.columns["sliver"].to_numpy(dtype=bool) == sliver)
        rows = conflicts.columns.iloc[which].drop(columns=["area"])
        areas = conflicts.columns["area"].to_numpy(dtype=float)[which].round(2)
        for row, area, shape in zip(rows.to_dict("records"), areas, conflicts.shapes[which], strict=True):
            properties = {key: value for key, value in row.items() if value is not None and value == value}  # noqa: PLR0124 - NaN
            features.append(
                {"type": "Feature", "id": properties.pop("code"), "geometry": shapely.geometry.mapping(shape),
                 "properties": properties | {"area_m2": float(area)}}
            )  # fmt: skip
    return {"type": "FeatureCollection", "features": features}
