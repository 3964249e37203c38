"""The plan against the present (规划与现状对照), both in planning classes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from psycopg import sql

from shikong.layers.code_lists import CodeList, Crosswalk
from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Text
from shikong.processes.figures.table import Chart, Column, Row, Table
from shikong.processes.supply import areas, layout
from shikong.processes.supply.areas import Amounts, Scope
from shikong.processes.supply.survey import Survey
from shikong.store import moments
from shikong.store.moments import Moment

LAYER, PLOTS = "planning_zones", "detailed_plots"

_KEYS = (layout.COUNTY, layout.COUNTY_NAME, layout.CLASS, layout.CLASS_TITLE)
_AREAS = (
    Column("present_ha", Text(zh="现状面积", en="Present"), "ha"),
    Column("planned_ha", Text(zh="规划面积", en="Planned"), "ha"),
    Column("difference_ha", Text(zh="规划减现状", en="Planned less present"), "ha"),
    Column("present_pct", Text(zh="现状占比", en="Share at present"), "%", 2),
    Column("planned_pct", Text(zh="规划占比", en="Share as planned"), "%", 2),
)
_DETAILED = (
    Column("plots_ha", Text(zh="详细规划地块", en="Plots of the detailed plan"), "ha"),
    Column("plots_with_ratio_ha", Text(zh="其中有容积率", en="Of these with a floor area ratio"), "ha"),
    Column("floor_area_ha", Text(zh="计容建筑面积上限", en="Floor area at most"), "ha"),
)
COLUMNS = (*_KEYS, *_AREAS, *_DETAILED)
TITLES = {"plan_against_present": Text(zh="规划与现状对照表", en="Plan against present")}

# A plot without a ratio has no known floor area; how much land that is, is told beside it.
_FLOORS = """
    SELECT left(s.xzqdm, 6), s.{by}::text, sum(s.{area}), sum(s.{area} * s.rjl) FROM {rows} AS s
    WHERE left(s.xzqdm, 6) = ANY(%(wanted)s) AND s.rjl IS NOT NULL GROUP BY 1, 2
"""


def against_present(survey: Survey, moment: Moment, *, plots: bool) -> Table:
    """Planned and present areas of each planning class in each county. plots: those of the detailed plan, too."""
    scope = survey.scope
    side = Side.model_validate({"layer": LAYER})
    field, system = scope.city.class_field(side)
    assert field is not None
    assert system is not None
    listed = scope.city.codes[system]
    across = _crosswalk(scope, survey.listed, listed)
    planned = areas.raised(areas.by_county(scope, scope.city.layer(LAYER), field, moment), listed, scope.level)
    present = areas.raised(_across(survey.areas, across), listed, scope.level)
    keys = {*planned, *present}
    differs = {key: planned.get(key, 0) - present.get(key, 0) for key in keys}
    measures: dict[str, Amounts] = {"present_ha": present, "planned_ha": planned, "difference_ha": differs}
    if plots:
        measures |= _plots(scope, listed, moment)
    shares = {"present_pct": "present_ha", "planned_pct": "planned_ha"}
    rows, totals = layout.by_class(scope, listed, measures, shares)
    columns = (*_KEYS, *_AREAS, *(_DETAILED if plots else ()))
    chart = Chart("totals" if scope.district is None else "rows", "class", "class_title", ("present_ha", "planned_ha"))
    unsurveyed = _without_survey(survey, rows, totals)
    notes = [*unsurveyed, *_told_apart(survey, listed, across)]
    return Table(TITLES["plan_against_present"], columns, rows, totals, notes, chart)


def _crosswalk(scope: Scope, known: CodeList, told: CodeList) -> Crosswalk:
    pair = known.id, told.id
    return next(each for each in scope.city.crosswalks.values() if (each.from_list, each.to_list) == pair)


def _across(amounts: Amounts, across: Crosswalk) -> Amounts:
    found: Counter[tuple[str | None, str | None]] = Counter()
    for (county, code), area in amounts.items():
        found[county, across.codes.get(code or "", code)] += area
    return dict(found)


def _plots(scope: Scope, listed: CodeList, moment: Moment) -> dict[str, Amounts]:
    layer = scope.city.layer(PLOTS)
    field, _ = scope.city.class_field(Side.model_validate({"layer": PLOTS}))
    assert field is not None
    query = sql.SQL(_FLOORS).format(
        by=sql.Identifier(field), area=sql.Identifier(areas.area_field(layer)), rows=moments.rows(layer, moment)
    )
    with_ratio: Amounts = {}
    floors: Amounts = {}
    for county, code, area, floor in scope.conn.execute(query, moment.values | {"wanted": list(scope.names)}):
        with_ratio[county, code], floors[county, code] = round(area), round(floor)
    amounts = areas.by_county(scope, layer, field, moment), with_ratio, floors
    return {column.name: areas.raised(each, listed, scope.level)
            for column, each in zip(_DETAILED, amounts, strict=True)}  # fmt: skip


def _without_survey(survey: Survey, rows: list[Row], totals: list[Row]) -> list[Text]:
    """Blank what does not follow where parcels cover a part of a county only, and say so."""
    covers, shares, names = survey.covers(), survey.coverage(), survey.scope.names
    lacking = {code for code, all_of_it in covers.items() if not all_of_it}
    if not lacking:
        return []
    for row in (*rows, *totals):
        county = row["district"]
        if county is None or county in lacking:
            row.update(dict.fromkeys(("difference_ha", "present_pct")))
        if county is None or not shares.get(county):
            row["present_ha"] = None
    told = "、".join(f"{names[code]} {shares[code]:.2%}" for code in names if code in lacking)
    return [Text(zh=f"地类图斑未覆盖全域，不列差值与现状占比：{told}。",
                 en=f"Parcels cover a part only; without differences and shares at present: {told}.")]  # fmt: skip


def _told_apart(survey: Survey, listed: CodeList, across: Crosswalk) -> Iterator[Text]:
    """Classes that the crosswalk cannot bring to one class, or takes to another kind of land, with their areas."""
    totals: Counter[str] = Counter()
    for (_, code), area in survey.areas.items():
        totals[code or ""] += area
    coarse, moved = [], []
    for code, area in sorted(totals.items()):
        counterpart = across.codes.get(code)
        if counterpart is None:
            continue
        title, other = survey.listed.codes[code].title, listed.codes[counterpart].title
        told = {name: f"{code} {getattr(title, name)} → {counterpart} {getattr(other, name)} {area / 10_000:,.4f} ha"
                for name in ("zh", "en")}  # fmt: skip
        if survey.listed.codes[code].parent and listed.codes[counterpart].parent is None:
            coarse.append(told)
        if survey.listed.group_of(code) != listed.group_of(counterpart):
            moved.append(told)
    if coarse and survey.scope.level == "level_2":
        yield _list(
            "现状地类在指南中分属多个二级类，只列到一级类：",
            "Classes that the guide divides, told at level 1: ",
            coarse,
        )
    if moved:
        yield _list(
            "两套分类所属三大类不同：", "Classes of another kind of land in the guide than in the survey: ", moved
        )


def _list(zh: str, en: str, told: list[dict[str, Any]]) -> Text:
    return Text(
        zh=zh + "；".join(each["zh"] for each in told) + "。", en=en + "; ".join(each["en"] for each in told) + "."
    )
