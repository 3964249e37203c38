"""The balance of land (土地利用平衡表): areas by county and class, and how they changed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.layers.declared import Text
from shikong.processes.figures.table import Chart, Column, Row, Table
from shikong.processes.supply import areas, classes, flows, layout
from shikong.processes.supply.areas import Amounts, hectares
from shikong.processes.supply.flows import Flows
from shikong.processes.supply.survey import Survey

_TITLE = Text(zh="土地利用平衡表", en="Land balance")
_AREA = Column("area_ha", Text(zh="面积", en="Area"), "ha")
_SHARE = Column("share_pct", Text(zh="占比", en="Share"), "%", 2)
_KEYS = (layout.COUNTY, layout.COUNTY_NAME, layout.CLASS, layout.CLASS_TITLE)

OPENING = Column("opening_ha", Text(zh="期初面积", en="Opening"), "ha")
LOST = Column("lost_ha", Text(zh="减少", en="Lost"), "ha")
GAINED = Column("gained_ha", Text(zh="增加", en="Gained"), "ha")
ADJUSTED = Column("adjusted_ha", Text(zh="量算与取整差", en="Measuring and rounding"), "ha")
CLOSING = Column("closing_ha", Text(zh="期末面积", en="Closing"), "ha")

_PRESENT = (*_KEYS, _AREA, _SHARE)
_CHANGES = (*_KEYS, OPENING, LOST, GAINED, ADJUSTED, CLOSING, _SHARE)
_FLOWS = (
    layout.COUNTY, layout.COUNTY_NAME, Column("from", Text(zh="原地类代码", en="Class before")),
    Column("from_title", Text(zh="原地类", en="Was")), Column("to", Text(zh="现地类代码", en="Class after")),
    Column("to_title", Text(zh="现地类", en="Became")), _AREA,
)  # fmt: skip
COLUMNS = (*_PRESENT, *_CHANGES, *_FLOWS)

TITLES = {"land_balance": _TITLE, "land_flows": Text(zh="地类流向", en="What became what")}

HOW = Text(
    zh="期初 − 减少 + 增加 + 量算与取整差 = 期末。图斑编号与界线未变的按编号对照，分割、合并或重绘的按叠加面积对照。",
    en="Opening − lost + gained + measuring and rounding = closing. Parcels that kept number and outline are followed "
    "by number; those that were divided, joined or drawn anew by laying them on each other.",
)


def present(survey: Survey) -> Table:
    """How much of each class there is in each county."""
    measures = {"area_ha": areas.raised(survey.areas, survey.listed, survey.scope.level)}
    rows, totals = layout.by_class(survey.scope, survey.listed, measures, {"share_pct": "area_ha"})
    return Table(_TITLE, _PRESENT, rows, totals, _partial(survey), _chart(survey, "area_ha"))


def over_time(survey: Survey, earlier: Survey, changed: Flows) -> Table:
    """Opening, lost, gained and closing areas of each class in each county."""
    listed, level = survey.listed, survey.scope.level
    moved = flows.raised(changed, listed, level)
    opening, closing = (areas.raised(state.areas, listed, level) for state in (earlier, survey))
    measures = dict(zip(
        ("opening_ha", "lost_ha", "gained_ha", "adjusted_ha", "closing_ha"),
        _balanced(opening, flows.lost(moved), flows.gained(moved), closing), strict=True,
    ))  # fmt: skip
    rows, totals = layout.by_class(survey.scope, listed, measures, {"share_pct": "closing_ha"})
    chart = _chart(survey, "opening_ha", "closing_ha")
    return Table(_TITLE, _CHANGES, rows, totals, (HOW, *_partial(survey)), chart)


def _balanced(opening: Amounts, lost: Amounts, gained: Amounts, closing: Amounts) -> tuple[Amounts, ...]:
    """The same, and what is between them: edges that were measured anew, and what rounding leaves."""
    keys = {*opening, *lost, *gained, *closing}
    between = {
        key: closing.get(key, 0) - opening.get(key, 0) + lost.get(key, 0) - gained.get(key, 0) for key in keys
    }  # fmt: skip
    return opening, lost, gained, between, closing


def matrix(survey: Survey, changed: Flows) -> Table:
    """What became what: land in each county by its class before and after."""
    listed, scope = survey.listed, survey.scope
    place = classes.order(listed)
    moved = flows.raised(changed, listed, scope.level)

    def key(flow: tuple[str | None, str | None, str | None]) -> tuple[bool, str, int, int]:
        county, *codes = flow
        was, became = (place.get(code, len(place)) for code in codes)
        return county is None, county or "", was, became

    rows: list[Row] = [
        {"district": county, "district_name": layout.county_name(scope, county), "from": was,
         "from_title": _told(survey, was), "to": became, "to_title": _told(survey, became), "area_ha": hectares(area)}
        for (county, was, became), area in sorted(moved.items(), key=lambda item: key(item[0]))
    ]  # fmt: skip
    total = layout.total_row(rows, ["area_ha"], from_title=layout.ALL.model_dump())
    return Table(TITLES["land_flows"], _FLOWS, rows, [total] if rows else [])


def _told(survey: Survey, code: str | None) -> dict[str, str]:
    return {"zh": "无图斑", "en": "No parcel"} if code is None else classes.title(survey.listed, code)


def _chart(survey: Survey, *bars: str) -> Chart:
    rows = "totals" if survey.scope.district is None else "rows"
    codes = survey.listed.id
    return Chart(rows, "class", "class_title", bars, codes=codes)


def _partial(survey: Survey) -> list[Text]:
    """Which counties are surveyed in part only."""
    covers, shares, names = survey.covers(), survey.coverage(), survey.scope.names
    part = [f"{names[code]} {shares[code]:.2%}" for code, all_of_it in covers.items() if not all_of_it and shares[code]]
    none = [names[code] for code in covers if not shares[code]]
    found = []
    if part:
        told = "、".join(part)
        found.append(Text(zh=f"地类图斑未覆盖全域，仅占：{told}。", en=f"Parcels cover a part only: {told}."))
    if none:
        told = "、".join(none)
        found.append(Text(zh=f"没有地类图斑：{told}。", en=f"Without parcels: {told}."))
    return found
