"""Conflicts between plans are assigned to departments, and tasks end by themselves once their conflicts are gone.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import date
from typing import Any

import shapely
from psycopg import Connection, sql
from pydantic import Field

from shikong.ingest.edits import Operation
from shikong.ingest.features import Progress
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, Inputs, Process, titled
from shikong.processes.conflicts.runs import LAYER as CONFLICTS
from shikong.processes.coordination import cases
from shikong.store import tables
from shikong.store.database import Database
from shikong.store.database import default as default_database

#: The layer of tasks; its key is that of the conflict.
LAYER = "conflict_tasks"

#: Conflicts that are assigned at once, the gravest and largest first.
MOST = 1000

_CODES = catalog.default().codes
_DEPARTMENTS, _RULES, _SEVERITIES = (
    _CODES[name].codes for name in ("department", "conflict_rule", "conflict_severity")
)

_CHOSEN = """
    SELECT c.code, c.rule, c.severity, c.xzqdm, st_asbinary(c.geom), count(*) OVER ()
    FROM {conflicts} AS c
    WHERE NOT EXISTS (SELECT FROM {tasks} AS t WHERE t.code = c.code)
        AND (%(codes)s::text[] IS NULL OR c.code = ANY(%(codes)s))
        AND (%(rule)s::text IS NULL OR c.rule = %(rule)s)
        AND (%(severity)s::text IS NULL OR c.severity = %(severity)s)
        AND (%(district)s::text IS NULL OR starts_with(c.xzqdm, %(district)s))
        AND c.area >= %(area)s AND (NOT c.sliver OR %(codes)s::text[] IS NOT NULL)
    ORDER BY array_position(ARRAY['high', 'medium', 'low'], c.severity), c.area DESC, c.code LIMIT %(limit)s
"""

_GONE = """
    SELECT t.code FROM {tasks} AS t
    WHERE t.state IN ('assigned', 'working', 'reported', 'disputed')
        AND NOT EXISTS (SELECT FROM {conflicts} AS c WHERE c.code = t.code)
    ORDER BY t.code
"""


def _one_of(known: dict[str, Any], zh: str, en: str) -> dict[str, Any]:
    return titled(zh, en, enum=list(known), **{"x-enum-titles": [code.title.model_dump() for code in known.values()]})


class Wanted(Inputs):
    """Which conflicts, to whom, and until when."""

    department: str = Field(json_schema_extra=_one_of(_DEPARTMENTS, "责任部门", "Department"))
    due_on: date | None = Field(
        None, json_schema_extra=titled("处置期限（可选，日期）", "Until when (optional, a date)")
    )
    conflicts: tuple[str, ...] | None = Field(
        None, max_length=MOST, json_schema_extra=titled("差异图斑编号（可选）", "Codes of conflicts (optional)")
    )
    rule: str | None = Field(None, json_schema_extra=_one_of(_RULES, "冲突规则（可选）", "Rule (optional)"))
    severity: str | None = Field(
        None, json_schema_extra=_one_of(_SEVERITIES, "冲突等级（可选）", "Severity (optional)")
    )
    district: str | None = Field(
        None, pattern=r"^\d{6,12}$", json_schema_extra=titled("行政区代码（可选）", "District code (optional)")
    )
    area_m2: float = Field(
        0, ge=0, json_schema_extra=titled("面积不小于（平方米）", "At least so large (m²)")
    )  # fmt: skip
    note: str | None = Field(None, max_length=2000, json_schema_extra=titled("备注（可选）", "Note (optional)"))


class ConflictAssign(Process):
    """Assigns conflicts to a department."""

    id = "conflict-assign"
    title = Text(zh="交办差异图斑", en="Assign plan conflicts")
    description = Text(
        zh="把尚未交办的差异图斑（按规则、等级、行政区、面积或编号选取）交给责任部门限期处置；碎图斑只按编号交办。须以规划人员身份登录。",
        en="Gives conflicts that nobody has yet, chosen by rule, severity, district, area or code, to a department to "
        "settle. Slivers are assigned by code only. Sign in as a planner.",
    )
    inputs = Wanted

    def answer(self, inputs: Wanted) -> dict[str, Any]:
        """The tasks that were made. Raises BadInput, NotSignedIn, EditError."""
        cases.require_signed_in()
        for name, known in (("department", _DEPARTMENTS), ("rule", _RULES), ("severity", _SEVERITIES)):
            value = getattr(inputs, name)
            if value is not None and value not in known:
                raise BadInput(name, f"{value[:40]!r} is none", tuple(known))
        city, store = catalog.default(), default_database()
        due = cases.due(city, inputs.due_on)
        layer = city.layer(LAYER)
        with store.thread_session() as conn:
            rows = _chosen(conn, city, inputs)
        shared = {"state": "assigned", "department": inputs.department, "due_on": due}
        operations = [
            Operation(
                layer, "create", code, None, {"rule": rule, "severity": severity, "xzqdm": district, **shared},
                shapely.from_wkb(shape), note=inputs.note,
            )
            for code, rule, severity, district, shape, _ in rows
        ]  # fmt: skip
        outcomes = cases.apply(store, city, operations) if operations else []
        return {
            "department": inputs.department, "title": _DEPARTMENTS[inputs.department].title.model_dump(),
            "due_on": due, "assigned": len(rows), "left": (rows[0][-1] if rows else 0) - len(rows),
            "release": outcomes[0].release if outcomes else None, "tasks": [row[0] for row in rows],
        }  # fmt: skip


def _chosen(conn: Connection[Any], city: Catalog, inputs: Wanted) -> list[tuple[Any, ...]]:
    """The conflicts to assign. Raises BadInput where codes are given that none of these has."""
    values = {
        "codes": None if inputs.conflicts is None else list(inputs.conflicts), "rule": inputs.rule,
        "severity": inputs.severity, "district": inputs.district, "area": inputs.area_m2, "limit": MOST,
    }  # fmt: skip
    rows = conn.execute(sql.SQL(_CHOSEN).format(**_tables(city)), values).fetchall()
    if missing := set(inputs.conflicts or ()) - {row[0] for row in rows}:
        named = ", ".join(sorted(missing)[:3])
        raise BadInput("conflicts", f"{named[:200]}: there is no such conflict, or somebody has it already")
    return rows


def gone(store: Database, city: Catalog) -> list[str]:
    """The codes of open tasks whose conflicts are there no more."""
    return [code for (code,) in store.thread_fetch(sql.SQL(_GONE).format(**_tables(city)))]


def due(store: Database, city: Catalog) -> str | None:
    """A word for the tasks that have become void; None where none has."""
    codes = gone(store, city)
    return f"{len(codes)}:{codes[0]}:{cases.today(city)}" if codes else None


def work(store: Database, city: Catalog, progress: Progress) -> str:
    """End the tasks whose conflicts are gone, and say how many."""
    codes, layer = gone(store, city), city.layer(LAYER)
    for start in range(0, len(codes), MOST):
        part = codes[start : start + MOST]
        ending = [Operation(layer, "update", code, None, {"state": "resolved"}, None, False) for code in part]
        cases.apply(store, city, ending)
        progress(start + len(part), len(codes))
    return f"{len(codes)} tasks ended: their conflicts are gone"


def _tables(city: Catalog) -> dict[str, sql.Composable]:
    return {"tasks": tables.table(city.layer(LAYER)), "conflicts": tables.table(city.layer(CONFLICTS))}
