"""The balance of cropland (耕地占补平衡): how much there was, what took it, what made up for it, and what must be kept.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from shikong.layers.declared import Text
from shikong.processes.figures.table import Chart, Column, Row, Table
from shikong.processes.supply import areas, classes, layout
from shikong.processes.supply.areas import hectares
from shikong.processes.supply.balance import ADJUSTED, CLOSING, GAINED, HOW, LOST, OPENING
from shikong.processes.supply.flows import Flows
from shikong.processes.supply.quotas import Quotas
from shikong.processes.supply.survey import Survey
from shikong.store.moments import Moment

PERMANENT = "permanent_farmland"

TITLES = {
    "farmland_balance": Text(zh="耕地占补平衡表", en="Balance of cropland"),
    "farmland_causes": Text(zh="耕地增减去向", en="Where cropland went and came from"),
}
#: What took cropland, by the group of the class that it became; None is land without a group, or without a parcel.
_CAUSES = {
    "construction": Column("to_construction_ha", Text(zh="建设占用", en="To construction"), "ha"),
    "agricultural": Column("to_agricultural_ha", Text(zh="农业结构调整", en="To other farming"), "ha"),
    "unused": Column("to_unused_ha", Text(zh="变为未利用地", en="To unused land"), "ha"),
    None: Column("to_other_ha", Text(zh="其他减少", en="To other"), "ha"),
}
_FLOORS = (
    Column("cropland_floor_ha", Text(zh="耕地保有量", en="Cropland to be kept"), "ha"),
    Column("cropland_margin_ha", Text(zh="耕地盈余", en="Cropland beyond it"), "ha"),
    Column("permanent_ha", Text(zh="永久基本农田", en="Permanent farmland"), "ha"),
    Column("permanent_floor_ha", Text(zh="保护任务", en="Permanent farmland to be kept"), "ha"),
    Column("permanent_margin_ha", Text(zh="任务盈余", en="Permanent farmland beyond it"), "ha"),
)
_BALANCE = (
    layout.COUNTY, layout.COUNTY_NAME, OPENING, *_CAUSES.values(), LOST, GAINED, ADJUSTED, CLOSING, *_FLOORS,
    layout.NOTE,
)  # fmt: skip
_BY_CAUSE = (
    layout.COUNTY, layout.COUNTY_NAME, layout.CLASS, layout.CLASS_TITLE,
    Column("became_ha", Text(zh="耕地变为此类", en="Cropland that became it"), "ha"),
    Column("came_ha", Text(zh="由此类变为耕地", en="Cropland that came of it"), "ha"),
)  # fmt: skip
COLUMNS = (*_BALANCE, *_BY_CAUSE)
_CHANGES = [column.name for column in (OPENING, *_CAUSES.values(), LOST, GAINED, ADJUSTED, CLOSING)]
_FIGURES = [column.name for column in _BALANCE if column.unit]

_NO_SINCE = Text(zh="未给出起始时间，不列期初与增减", en="Without a time to start from, no opening and no changes")
_NO_FLOOR = Text(zh="没有申报保有量或保护任务", en="No area to be kept is declared")
_NO_PARCELS = Text(zh="没有地类图斑", en="No parcels")
_IN_PART = Text(
    zh="图斑未覆盖全域，不与保有量比较", en="Parcels cover a part only, which is not held against the area to be kept"
)


def balance(survey: Survey, earlier: Survey | None, changed: Flows, quotas: Quotas, moment: Moment) -> Table:
    """A row for each county. earlier: None where no time to start from is given."""
    scope = survey.scope
    closing = _cropland(survey)
    opening = _cropland(earlier) if earlier else {}
    layer = scope.city.layer(PERMANENT)
    permanent = areas.of_counties(areas.by_county(scope, layer, "dlbm", moment))
    surveyed = areas.of_counties(survey.areas).keys() | (areas.of_counties(earlier.areas).keys() if earlier else set())
    covers, rows = survey.covers(), []
    for county in scope.names:
        row: Row = {"district": county, "district_name": scope.names[county]}
        moved = None if earlier is None else _moved(survey, changed, county)
        row |= _changes(moved, opening.get(county, 0), closing.get(county, 0))
        reasons = [] if earlier else [_NO_SINCE]
        if county not in surveyed:
            row.update(dict.fromkeys(_CHANGES))
        floor, kept = (quotas.get((county, kind)) for kind in ("cropland", "permanent_farmland"))
        known = closing.get(county, 0) / 10_000 if covers[county] else None
        row |= _floors(("cropland_floor_ha", "cropland_margin_ha"), floor.planned if floor else None, known)
        mine = hectares(permanent.get(county, 0))
        row |= {"permanent_ha": mine}
        row |= _floors(("permanent_floor_ha", "permanent_margin_ha"), kept.planned if kept else None, mine)
        reasons += [] if floor and kept else [_NO_FLOOR]
        reasons += [] if covers[county] else [_IN_PART if county in surveyed else _NO_PARCELS]
        row["note"] = {
            "zh": "；".join(each.zh for each in reasons), "en": "; ".join(each.en for each in reasons)
        } if reasons else None  # fmt: skip
        rows.append(row)
    totals = []
    if scope.district is None and rows:
        totals = [layout.total_row(rows, _FIGURES, district_name=layout.EVERYWHERE.model_dump())]
    chart = Chart("rows", "district", "district_name", ("opening_ha", "closing_ha") if earlier else ("closing_ha",))
    return Table(TITLES["farmland_balance"], _BALANCE, rows, totals, (HOW,) if earlier else (), chart)


def _cropland(survey: Survey) -> dict[str | None, int]:
    return areas.of_counties({key: area for key, area in survey.areas.items() if survey.is_cropland(key[1])})


def _moved(survey: Survey, changed: Flows, county: str) -> tuple[Counter[Any], int]:
    """m² of a county's cropland that went, by the group of what it became, and what came."""
    gone: Counter[Any] = Counter()
    came = 0
    for (where, was, became), area in changed.items():
        crops = survey.is_cropland(was), survey.is_cropland(became)
        if where == county and crops == (True, False):
            group = survey.listed.group_of(became) if became in survey.listed.codes else None
            gone[group] += area
        elif where == county and crops == (False, True):
            came += area
    return gone, came


def _changes(moved: tuple[Counter[Any], int] | None, opening: int, closing: int) -> Row:
    told: Row = {"closing_ha": hectares(closing)}
    if moved is None:
        return dict.fromkeys(_CHANGES) | told
    gone, came = moved
    lost = sum(gone.values())
    return told | {column.name: hectares(gone[group]) for group, column in _CAUSES.items()} | {
        "opening_ha": hectares(opening), "lost_ha": hectares(lost), "gained_ha": hectares(came),
        "adjusted_ha": hectares(closing - opening + lost - came),
    }  # fmt: skip


def _floors(names: tuple[str, str], floor: float | None, known: float | None) -> Row:
    """An area to be kept, and how much there is beyond it."""
    return {names[0]: floor, names[1]: None if floor is None or known is None else round(known - floor, 4)}


def causes(survey: Survey, changed: Flows) -> Table:
    """What cropland became, and what became cropland, by class."""
    scope, listed = survey.scope, survey.listed
    found: Counter[tuple[str | None, str | None, str]] = Counter()
    for (county, was, became), area in changed.items():
        crops = survey.is_cropland(was), survey.is_cropland(became)
        if crops == (True, False):
            found[county, classes.at(listed, became, scope.level), "became_ha"] += area
        elif crops == (False, True):
            found[county, classes.at(listed, was, scope.level), "came_ha"] += area
    measures = {
        name: {(county, code): area for (county, code, of), area in found.items() if of == name}
        for name in ("became_ha", "came_ha")
    }  # fmt: skip
    rows, totals = layout.by_class(scope, listed, measures, {})
    chart = Chart("totals" if scope.district is None else "rows", "class", "class_title", tuple(measures))
    return Table(TITLES["farmland_causes"], _BY_CAUSE, rows, totals, (), chart)
