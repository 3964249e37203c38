"""Opening a case: the site is held against the plans, and the departments concerned are asked.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any

from pydantic import Field

from shikong.ingest.edits import Operation
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.coordination import cases
from shikong.processes.site_check import Outline, Place, SiteCheck
from shikong.processes.sites import site
from shikong.store.database import Database
from shikong.store.database import default as default_database
from shikong.store.moments import NOW

_DEPARTMENTS = catalog.default().codes["department"].codes
_PROJECTS = catalog.default().codes["project_type"].codes


class NewCase(Outline):
    """A project, its site, and until when the departments have time."""

    project: str = Field(
        json_schema_extra=titled(
            "项目类型", "Type of project", enum=list(_PROJECTS),
            **{"x-enum-titles": [code.title.model_dump() for code in _PROJECTS.values()]},
        )
    )  # fmt: skip

    name: str = Field(min_length=1, max_length=200, json_schema_extra=titled("项目名称", "Name of the project"))
    builder: str | None = Field(
        None, max_length=200, json_schema_extra=titled("建设单位（可选）", "Builder (optional)")
    )
    due_on: date | None = Field(
        None, json_schema_extra=titled("反馈期限（可选，日期）", "Until when to answer (optional, a date)")
    )
    departments: tuple[str, ...] = Field(
        (),
        json_schema_extra=titled(
            "另外征求的部门（可选）",
            "Departments to ask besides those concerned (optional)",
            items={
                "type": "string",
                "enum": list(_DEPARTMENTS),
                "x-enum-titles": [code.title.model_dump() for code in _DEPARTMENTS.values()],
            },
        ),
    )
    note: str | None = Field(None, max_length=2000, json_schema_extra=titled("备注（可选）", "Note (optional)"))


class CoordinationOpen(Process):
    """Opens a case."""

    id = "coordination-open"
    title = Text(zh="发起项目预协调", en="Open a coordination case")
    description = Text(
        zh="对项目选址作合规性审查，并向涉及的部门征求意见：每个部门一份意见，有期限，只有本部门可见可填。须以规划人员身份登录。",
        en="Holds a project's site against the plans and asks the departments concerned: an opinion each, with a "
        "deadline, which that department alone sees and writes. Sign in as a planner.",
    )
    inputs = NewCase

    def answer(self, inputs: NewCase) -> dict[str, Any]:
        """The case as it was opened. Raises BadInput, NotSignedIn, EditError."""
        cases.require_signed_in()
        city, store = catalog.default(), default_database()
        if unknown := [name for name in inputs.departments if name not in _DEPARTMENTS]:
            raise BadInput("departments", f"{', '.join(unknown)[:80]} are no departments", tuple(_DEPARTMENTS))
        if inputs.due_on is not None and inputs.due_on < cases.today(city):
            raise BadInput("due_on", f"{inputs.due_on} is over", (f"{cases.today(city)} or later",))
        checked = check(inputs, inputs.project)
        departments = concerned(city, checked)
        departments |= {name: () for name in inputs.departments if name not in departments}
        shape = shape_of(store, city, inputs)
        code = f"XT{cases.today(city):%Y%m%d}-{secrets.token_hex(3).upper()}"
        due = cases.due(city, inputs.due_on)
        layer = city.layer(cases.declared(city).cases)
        values = {
            "name": inputs.name, "type": inputs.project, "builder": inputs.builder, "state": "circulated",
            "verdict": checked["verdict"], "departments": ",".join(departments), "due_on": due,
        }  # fmt: skip
        opening = Operation(layer, "create", code, None, values, shape, note=inputs.note)
        outcomes = cases.apply(store, city, [opening, *asking(city, code, list(departments), due, shape)])
        return {
            "case": code, "state": "circulated", "due_on": due, "verdict": checked["verdict"],
            "verdict_title": checked["verdict_title"], "release": outcomes[0].release,
            "departments": [
                {"department": name, "title": _DEPARTMENTS[name].title.model_dump(), "because_of": list(layers),
                 "opinion": opinion_code(code, name)}
                for name, layers in departments.items()
            ],
            "findings": checked["findings"],
        }  # fmt: skip


def check(outline: Outline, project: str) -> dict[str, Any]:
    """What all plans say of a project on a site. Raises BadInput."""
    place = {"site": outline.site, "file": outline.file, "crs": outline.crs, "project": project}
    return SiteCheck({"name": SiteCheck.id}).answer(Place.model_validate(place))


def concerned(city: Catalog, checked: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The departments that a site check concerns, each with the layers that do."""
    touched = {entry["layer"] for entry in checked["layers"] if entry["area_m2"] > 0}
    touched |= {finding["layer"] for finding in checked["findings"]}
    return cases.declared(city).asked(touched)


def shape_of(store: Database, city: Catalog, outline: Outline) -> Any:
    """The surface of a site that is given. Raises BadInput."""
    with store.thread_session() as conn:
        return site.read(conn, city, outline.given, NOW).shape


def opinion_code(case: str, department: str) -> str:
    """The code of a department's opinion on a case."""
    return f"{case}-{department}"


def asking(city: Catalog, case: str, departments: list[str], due: str, shape: Any) -> list[Operation]:
    """What asks departments about a case."""
    layer = city.layer(cases.declared(city).opinions)
    return [
        Operation(
            layer, "create", opinion_code(case, name), None,
            {"case": case, "department": name, "state": "asked", "due_on": due}, shape,
        )
        for name in departments
    ]  # fmt: skip
