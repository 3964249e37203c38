"""Quotas of the counties as declared, and for construction what is used of them (建设用地指标).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import sql

from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Text
from shikong.processes.conflicts import sides
from shikong.processes.figures.table import Chart, Column, Row, Table
from shikong.processes.overlay import kernel
from shikong.processes.supply import layout
from shikong.processes.supply.areas import Scope, hectares
from shikong.processes.supply.flows import Flows
from shikong.processes.supply.survey import LAYER as PARCELS
from shikong.processes.supply.survey import Survey
from shikong.store import moments
from shikong.store.moments import Moment, Period

LAYER, PROJECTS = "land_quotas", "approved_projects"

_QUOTAS = """
    SELECT xzqdm, kind, planned, used, period_from, period_to FROM {rows} AS s
    WHERE xzqdm = ANY(%(wanted)s) AND period_from <= %(year)s AND period_to >= %(year)s
    ORDER BY xzqdm, kind, period_from DESC
"""

#: Parts of projects on land of which no class is known: more than this share, and nothing is told.
_UNKNOWN = 0.01

_UNKNOWN_LAND = Text(
    zh="项目范围内规划期初的图斑不全，项目占用不作量算",
    en="Projects are not measured: what their land was when the period began is not known",
)


@dataclass(frozen=True)
class Quota:
    """Hectares; used is None where it was not declared."""

    planned: float
    used: float | None
    first: int
    last: int


Quotas = dict[tuple[str, str], Quota]


def declared(scope: Scope, moment: Moment, until: datetime) -> Quotas:
    """The quotas by county and kind whose period holds the year; of several, that of the newest period."""
    query = sql.SQL(_QUOTAS).format(rows=moments.rows(scope.city.layer(LAYER), moment))
    year = until.astimezone(ZoneInfo(scope.city.city.timezone)).year
    found: Quotas = {}
    for county, kind, *rest in scope.conn.execute(query, moment.values | {"wanted": list(scope.names), "year": year}):
        found.setdefault((county, kind), Quota(*rest))
    return found


COLUMNS = (
    layout.COUNTY, layout.COUNTY_NAME, Column("kind", Text(zh="指标", en="Quota")),
    Column("kind_title", Text(zh="指标类别", en="Kind of quota")), Column("period", Text(zh="规划期", en="Period")),
    Column("planned_ha", Text(zh="规划指标", en="Planned"), "ha"),
    Column("used_ha", Text(zh="已用（申报）", en="Used (declared)"), "ha"),
    Column("left_ha", Text(zh="剩余（申报）", en="Left (declared)"), "ha"),
    Column("measured_ha", Text(zh="已用（图斑量算）", en="Used (measured)"), "ha"),
    Column("measured_left_ha", Text(zh="剩余（量算）", en="Left (measured)"), "ha"),
    Column("approved_ha", Text(zh="已批项目占用", en="Approved projects"), "ha"),
    Column("pending_ha", Text(zh="在审项目占用", en="Projects pending"), "ha"),
    layout.NOTE,
)  # fmt: skip

TITLES = {"building_land_quota": Text(zh="建设用地指标", en="Quotas of building land")}

_HOW = Text(
    zh="图斑量算：总规模为现状建设用地；新增为规划期初以来由非建设用地（或耕地）变为建设用地的面积。"
    "项目占用：项目范围内规划期初不是建设用地（或是耕地）的部分，按阶段分为已批与在审。",
    en="Measured from parcels: in total, construction land now; new, what became construction land since the period "
    "began. Of projects: the part that was not construction land (or was cropland) then, approved or pending by stage.",
)


def construction(survey: Survey, moment: Moment) -> Table:
    """Each ceiling: planned, used as declared and as measured, left, and what projects take."""
    scope = survey.scope
    quotas = declared(scope, moment, survey.until)
    kinds = scope.city.codes[scope.city.layer(LAYER).fields["kind"].codes or ""]
    ceilings = [kind for kind in kinds.codes if kinds.group_of(kind) == "ceiling"]
    began = {quota.first for (_, kind), quota in quotas.items() if kind in ceilings}
    states = {year: _State.at(survey, year, moment) for year in sorted(began)}
    rows: list[Row] = []
    for county in scope.names:
        for kind in ceilings:
            named = {"district": county, "district_name": scope.names[county], "kind": kind,
                     "kind_title": kinds.codes[kind].title.model_dump()}  # fmt: skip
            quota = quotas.get((county, kind))
            rows.append(named | (_missing() if quota is None else states[quota.first].row(county, kind, quota)))
    figures = [column.name for column in COLUMNS if column.unit]
    totals = [
        layout.total_row([row for row in rows if row["kind"] == kind], figures, kind=kind,
                         district_name=layout.EVERYWHERE.model_dump(), kind_title=kinds.codes[kind].title.model_dump())
        for kind in ceilings
    ] if scope.district is None and rows else []  # fmt: skip
    chart = Chart("rows", "district", "district_name", ("planned_ha", "used_ha"), panel="kind_title")
    return Table(TITLES["building_land_quota"], COLUMNS, rows, totals, (_HOW,), chart)


def _missing() -> Row:
    reason = Text(zh="该县（市、区）在此年没有申报此项指标", en="No such quota is declared for this county and year")
    return {"period": None, "note": reason.model_dump()} | {column.name: None for column in COLUMNS if column.unit}


@dataclass(frozen=True)
class _State:
    """What is counted against quotas of a period that begins with a year. taken: m² of projects by county, class of the
    land when the period began and whether they are approved; no class where no parcel was."""

    survey: Survey
    covers: dict[str, bool]
    then: dict[str, bool]
    changed: Flows
    taken: dict[tuple[str | None, str | None, bool], float]

    @classmethod
    def at(cls, survey: Survey, year: int, moment: Moment) -> _State:
        """Read all of it."""
        start = datetime(year, 1, 1, tzinfo=ZoneInfo(survey.scope.city.city.timezone))
        earlier, changed = survey.since(min(start, survey.until))
        taken = _taken(survey, start, moment)
        return cls(survey, survey.covers(), earlier.covers(), changed, taken)

    def row(self, county: str, kind: str, quota: Quota) -> Row:
        """The figures of a quota."""
        counts = self.survey.is_cropland if kind == "new_on_cropland" else self._is_open
        measured, why = self._measured(county, kind, counts)
        approved, pending, also = self._projects(county, counts)
        undeclared = Text(zh="未申报已用面积", en="What is used was not declared") if quota.used is None else None
        reasons = [reason for reason in (undeclared, why, also) if reason]
        note = {"zh": "；".join(each.zh for each in reasons), "en": "; ".join(each.en for each in reasons)}
        return {
            "period": f"{quota.first}–{quota.last}", "planned_ha": quota.planned, "used_ha": quota.used,
            "left_ha": None if quota.used is None else round(quota.planned - quota.used, 4),
            "measured_ha": hectares(measured),
            "measured_left_ha": None if measured is None else round(quota.planned - measured / 10_000, 4),
            "approved_ha": hectares(approved), "pending_ha": hectares(pending), "note": note if reasons else None,
        }  # fmt: skip

    def _is_open(self, code: str | None) -> bool:
        """Whether land of a class is not construction land yet."""
        return not self.survey.is_construction(code)

    def _measured(self, county: str, kind: str, counts: Callable[[str | None], bool]) -> tuple[int | None, Text | None]:
        if not self.covers[county]:
            return None, Text(zh="现状图斑未覆盖全域，不作量算", en="Not measured: parcels cover a part of the county")
        if kind == "construction_total":
            areas = self.survey.areas.items()
            return sum(area for (where, code), area in areas if where == county and not self._is_open(code)), None
        if not self.then[county]:
            return None, Text(zh="规划期初没有全域图斑，新增不作量算",
                              en="Not measured: no parcels of the whole county when the period began")  # fmt: skip
        moved = self.changed.items()
        return sum(
            area for (where, was, became), area in moved
            if where == county and was is not None and counts(was) and not self._is_open(became) and became is not None
        ), None  # fmt: skip

    def _projects(
        self, county: str, counts: Callable[[str | None], bool]
    ) -> tuple[int | None, int | None, Text | None]:
        mine = {(code, approved): area for (where, code, approved), area in self.taken.items() if where == county}
        unknown = sum(area for (code, _), area in mine.items() if code is None)
        if unknown > _UNKNOWN * sum(mine.values()):
            return None, None, _UNKNOWN_LAND
        counted = {True: 0.0, False: 0.0}
        for (code, approved), area in mine.items():
            if code is not None and counts(code):
                counted[approved] += area
        return round(counted[True]), round(counted[False]), None


def _taken(survey: Survey, start: datetime, moment: Moment) -> dict[tuple[str | None, str | None, bool], float]:
    """m² of projects by county, class of the land at a time, and whether they are approved."""
    scope = survey.scope
    side = Side.model_validate({"layer": PROJECTS, "by": "stage"})
    projects = sides.read(scope.conn, scope.city, side, None, moment, near=scope.wanted.shapes)
    stages = scope.city.codes[projects.system or ""]
    then = Moment(Period(start, start), moment.known_at)
    land = Side.model_validate({"layer": PARCELS})
    parcels = sides.read(scope.conn, scope.city, land, None, then, near=projects.shapes)
    pairs = kernel.meeting(projects.shapes, parcels.shapes)
    on, off = (
        kernel.shared(projects.shapes, parcels.shapes, pairs),
        kernel.uncovered(projects.shapes, parcels.shapes, pairs),
    )
    found: defaultdict[tuple[str | None, str | None, bool], float] = defaultdict(float)
    for pieces in (on, off):
        of = scope.counties.of(pieces.shapes)
        codes = parcels.classes[pieces.second] if pieces is on else np.full(len(pieces), None)
        for county, project, code, area in zip(of, pieces.first, codes, pieces.area, strict=True):
            stage = projects.classes[project]
            if stage in stages.codes:
                found[county, code, stages.group_of(stage) == "approved"] += float(area)
    return found
