"""How much land of which class is there, what became of it, and how much may still be used?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from psycopg import Connection
from pydantic import Field

from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.figures import charts, page, table, text, workbook
from shikong.processes.figures.sources import sources_of
from shikong.processes.figures.table import Table
from shikong.processes.moments import Start, Then
from shikong.processes.supply import balance, farmland, layout, plan, quotas, survey
from shikong.processes.supply.areas import Scope
from shikong.processes.supply.classes import Level
from shikong.processes.supply.flows import Flows
from shikong.processes.supply.survey import Survey
from shikong.store.database import default as default_database
from shikong.store.database import one_state

#: What can be asked for, with the layers that it is worked out from.
_TABLES = {
    "land_balance": (survey.LAYER,),
    "plan_against_present": (survey.LAYER, plan.LAYER, plan.PLOTS),
    "farmland_balance": (survey.LAYER, farmland.PERMANENT, quotas.LAYER),
    "building_land_quota": (survey.LAYER, quotas.LAYER, quotas.PROJECTS),
}
_TITLES = balance.TITLES | plan.TITLES | farmland.TITLES | quotas.TITLES
_COLUMNS = (*balance.COLUMNS, *plan.COLUMNS, *farmland.COLUMNS, *quotas.COLUMNS)


class Figures(Then):
    """Which tables, of where, at which level and since when."""

    table: list[str] | None = Field(
        None,
        json_schema_extra=titled(
            "表（默认全部）", "Tables (default: all)",
            items={"type": "string", "enum": list(_TABLES),
                   "x-enum-titles": [_TITLES[name].model_dump() for name in _TABLES]},
        ),
    )  # fmt: skip
    district: str | None = Field(
        None, pattern=r"^\d{6}$", json_schema_extra=titled("县（市、区）代码（可选）", "County code (optional)")
    )
    level: Level = Field(
        "level_1",
        json_schema_extra=titled(
            "地类层级", "Level of classes",
            **{"x-enum-titles": [{"zh": "三大类", "en": "Groups"}, {"zh": "一级类", "en": "Level 1"},
                                 {"zh": "二级类", "en": "Level 2"}]},
        ),
    )  # fmt: skip
    since: Start = Field(
        None,
        json_schema_extra=titled(
            "自何时起的增减（可选，如 2020-12-31；日期指当日始）",
            "Changes since (optional, such as 2020-12-31; a day means its first moment)",
        ),
    )
    plots: bool = Field(
        False, json_schema_extra=titled("对照表中列出详细规划地块", "With the plots of the detailed plan")
    )


class LandBalance(Process):
    """Sums what the layers hold by county and class."""

    id = "land-balance"
    title = Text(zh="用地平衡与指标", en="Land balance and quotas")
    description = Text(
        zh="按行政区与地类的土地利用平衡表（可列增减与流向）、规划与现状对照、耕地占补平衡、建设用地指标；"
        "各部分之和等于合计，未知的留空并说明原因，注明各图层版本。可得表格（CSV、Excel）、图表（SVG）与可打印的网页。",
        en="Land by county and class, also its changes and what became what, the plan against the present, the balance "
        "of cropland and quotas of building land. Parts add up to totals, what is unknown is empty with the reason, "
        "and releases are named. Also as CSV, Excel, charts (SVG) and a page to print.",
    )
    inputs = Figures
    renderings: ClassVar = {"csv": text.CSV, "xlsx": workbook.XLSX, "svg": charts.SVG, "html": page.HTML}
    parts: ClassVar = table.schema(_TITLES, _COLUMNS)

    def answer(self, inputs: Figures) -> dict[str, Any]:
        """The tables. Raises BadInput."""
        city = catalog.default()
        wanted = inputs.table or list(_TABLES)
        if unknown := [name for name in wanted if name not in _TABLES]:
            raise BadInput("table", f"{unknown[0][:40]!r} is no table", tuple(_TABLES))
        until = inputs.held_at or datetime.now(UTC)
        if inputs.since is not None and inputs.since >= until:
            raise BadInput("since", f"must be before {until.isoformat()}")
        with default_database().thread_session() as conn, one_state(conn):
            scope = _scope(conn, city, inputs)
            tables = _tables(survey.read(scope, inputs.moment, until), inputs, wanted)
            layers = dict.fromkeys(layer for name in _TABLES if name in wanted for layer in _TABLES[name])
            sources, label = sources_of(conn, city, (*layers, counties.LAYER), inputs.moment)
        return {
            "title": self.title.model_dump(), "subtitle": _subtitle(city, scope, inputs, until),
            "label": label, "tables": {name: each.told for name, each in tables.items()},
            "sources": sources,
        }  # fmt: skip


def _scope(conn: Connection[Any], city: Catalog, inputs: Figures) -> Scope:
    """What figures are wanted of. Raises BadInput for a county that there is not."""
    known = counties.read(conn, city, inputs.moment)
    if inputs.district is not None and inputs.district not in known.codes:
        raise BadInput("district", f"there is no county {inputs.district}", tuple(known.codes.tolist()))
    return Scope(conn, city, known, inputs.district, inputs.level)


def _tables(now: Survey, inputs: Figures, wanted: list[str]) -> dict[str, Table]:
    earlier: Survey | None = None
    changed: Flows = {}
    if inputs.since is not None and {"land_balance", "farmland_balance"} & set(wanted):
        earlier, changed = now.since(inputs.since)
    found = {}
    if "land_balance" in wanted and earlier is None:
        found["land_balance"] = balance.present(now)
    elif "land_balance" in wanted and earlier is not None:
        found["land_balance"] = balance.over_time(now, earlier, changed)
        found["land_flows"] = balance.matrix(now, changed)
    if "plan_against_present" in wanted:
        found["plan_against_present"] = plan.against_present(now, inputs.moment, plots=inputs.plots)
    if "farmland_balance" in wanted:
        kept = quotas.declared(now.scope, inputs.moment, now.until)
        found["farmland_balance"] = farmland.balance(now, earlier, changed, kept, inputs.moment)
        if earlier is not None:
            found["farmland_causes"] = farmland.causes(now, changed)
    if "building_land_quota" in wanted:
        found["building_land_quota"] = quotas.construction(now, inputs.moment)
    return found


def _subtitle(city: Catalog, scope: Scope, inputs: Figures, until: datetime) -> dict[str, str]:
    """Of where and when the figures are."""
    zone = ZoneInfo(city.city.timezone)
    day, since = (None if time is None else f"{time.astimezone(zone):%Y-%m-%d}" for time in (until, inputs.since))
    place = scope.names[scope.district] if scope.district else None
    zh, en = (f"自 {since} 至 {day}", f"{since} to {day}") if since else (f"{day}", f"{day}")
    return {"zh": f"{place or layout.EVERYWHERE.zh} · {zh}", "en": f"{place or layout.EVERYWHERE.en} · {en}"}
