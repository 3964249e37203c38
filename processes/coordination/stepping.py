"""Taking a step: a department gives its opinion, a planner leads a case on.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field
from shapely.geometry.base import BaseGeometry

from shikong.ingest.edits import Operation
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.layers.workflow import GEOMETRY, Step
from shikong.processes.base import BadInput, Inputs, Process, titled
from shikong.processes.coordination import cases
from shikong.processes.coordination.opening import asking, check, concerned, shape_of
from shikong.processes.site_check import Outline
from shikong.processes.sites.site import MAX_FILE, SiteFile
from shikong.store import attachments, present
from shikong.store.database import Database
from shikong.store.database import default as default_database
from shikong.store.present import Present

_BOTH = [
    catalog.default().layer(name)
    for name in (cases.declared(catalog.default()).opinions, cases.declared(catalog.default()).cases)
]
_STEPS = {name: step for layer in _BOTH if layer.workflow for name, step in layer.workflow.steps.items() if step.when}

#: Steps of a case that opinions follow, from these states of theirs.
_ASKING_AGAIN = {
    "recirculate": ("asked", "agreed", "conditional", "objected", "lapsed"),
    "extend": ("asked", "lapsed"),
}


class Wanted(Inputs):
    """Which step, of what, and what it says."""

    code: str = Field(
        min_length=1, max_length=100,
        json_schema_extra=titled("事项或意见编号", "Code of the case or of the opinion"),
    )  # fmt: skip
    step: str = Field(
        json_schema_extra=titled(
            "步骤",
            "Step",
            enum=list(_STEPS),
            **{"x-enum-titles": [step.title.model_dump() for step in _STEPS.values()]},
        )
    )
    opinion: str | None = Field(
        None, max_length=5000,
        json_schema_extra=titled("意见（部门）", "Opinion (of a department)", **{"x-multiline": True}),
    )  # fmt: skip
    conditions: str | None = Field(
        None, max_length=5000, json_schema_extra=titled("条件（有条件同意）", "Conditions", **{"x-multiline": True})
    )
    basis: str | None = Field(
        None, max_length=2000, json_schema_extra=titled("依据（不同意时必填）", "Basis (needed to object)")
    )
    due_on: date | None = Field(
        None, json_schema_extra=titled("新的反馈期限（延期、重新征求）", "New deadline (to extend or to ask again)")
    )
    site: dict[str, Any] | None = Field(
        None,
        json_schema_extra=titled(
            "修改后的用地范围（GeoJSON 面；重新征求时）", "Changed site (GeoJSON; when asking again)",
            **{"x-geometry": "Polygon"},
        ),
    )  # fmt: skip
    file: SiteFile | None = Field(
        None,
        json_schema_extra=titled(
            "附件（可选）",
            "Attachment (optional)",
            **{"x-file": {"accept": ",".join(attachments.MEDIA_TYPES), "maxBytes": MAX_FILE}},
        ),
    )
    note: str | None = Field(None, max_length=2000, json_schema_extra=titled("备注（可选）", "Note (optional)"))


class CoordinationStep(Process):
    """Takes one step of a case or of an opinion."""

    id = "coordination-step"
    title = Text(zh="办理预协调事项", en="Take a step of a coordination case")
    description = Text(
        zh="部门反馈意见（同意、有条件同意、不同意），规划人员推进事项（延期、退回、重新征求、通过、不通过、撤回）。只有合法的步骤可行，每一步都有记录。",
        en="A department gives its opinion; a planner extends, returns, asks again, agrees, refuses or withdraws. Only "
        "lawful steps can be taken, and each is written down.",
    )
    inputs = Wanted

    def answer(self, inputs: Wanted) -> dict[str, Any]:
        """The case or opinion after the step. Raises BadInput, NotSignedIn, NotAttached, EditError."""
        cases.require_signed_in()
        city, store = catalog.default(), default_database()
        layer, known = _find(store, inputs.code)
        assert layer.workflow is not None
        step = layer.workflow.steps.get(inputs.step)
        if step is None or not step.when:
            raise BadInput("step", f"{inputs.step[:40]!r} is no step of {layer.id}", tuple(layer.workflow.steps))
        if inputs.file is not None:
            attachments.media_type(layer, inputs.file.name, len(inputs.file.value))
        cases.apply(store, city, _operations(store, city, layer, known, step, inputs))
        with store.thread_session() as conn:
            if inputs.file is not None:
                attachments.add(conn, layer, inputs.code, inputs.file.name, inputs.file.value)
            after = present.features(conn, layer, [inputs.code])[inputs.code]
            fields = {name: after.values[name] for name in layer.fields}
            return {"layer": layer.id, **cases.told(conn, city, layer, [fields])[0]}


def _find(store: Database, code: str) -> tuple[Layer, Present]:
    """The opinion or case with a code that the asker may see. Raises BadInput."""
    with store.thread_session() as conn:
        for layer in _BOTH:
            found = present.features(conn, layer, [code])
            if found:
                return layer, found[code]
    raise BadInput("code", f"there is no case and no opinion {code[:40]!r} that you may see")


def _operations(
    store: Database, city: Catalog, layer: Layer, known: Present, step: Step, inputs: Wanted
) -> list[Operation]:
    """The edits that a step consists of: its own, and those of the opinions that follow a case."""
    assert layer.workflow is not None
    given = {"opinion": inputs.opinion, "conditions": inputs.conditions, "basis": inputs.basis,
             "due_on": inputs.due_on.isoformat() if inputs.due_on else None}  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if unused := [name for name in given if name not in step.sets]:
        raise BadInput(unused[0], f"cannot be given with the step {inputs.step}", step.sets)
    values: dict[str, Any] = {layer.workflow.field: step.to, **given}
    if "due_on" in step.needs and "due_on" not in given:
        values["due_on"] = cases.due(city, None)
    shape, fresh = None, dict[str, tuple[str, ...]]()
    if inputs.site is not None:
        if GEOMETRY not in step.sets:
            raise BadInput("site", f"cannot be given with the step {inputs.step}", step.sets)
        shape, fresh = _changed_site(store, city, known, inputs, values)
    own = Operation(
        layer, "update", inputs.code, frozenset([known.state]), values, shape, shape is not None,
        inputs.step, inputs.note,
    )  # fmt: skip
    follow = _ASKING_AGAIN.get(inputs.step, ()) if layer.id == cases.declared(city).cases else ()
    return [own, *_follow(store, city, inputs.code, follow, values, shape, fresh)]


def _changed_site(
    store: Database, city: Catalog, known: Present, inputs: Wanted, values: dict[str, Any]
) -> tuple[BaseGeometry, dict[str, tuple[str, ...]]]:
    """A changed site's shape, and the departments that it newly concerns; of a case also the verdict on it."""
    project, outline = known.values.get("type"), Outline.model_validate({"site": inputs.site})
    shape = shape_of(store, city, outline)
    if project is None:  # an opinion may be about a part of the site only
        return shape, {}
    checked = check(outline, project)
    before = known.values["departments"].split(",")
    fresh = {name: layers for name, layers in concerned(city, checked).items() if name not in before}
    values |= {"verdict": checked["verdict"], "departments": ",".join([*before, *fresh])}
    return shape, fresh


def _follow(
    store: Database, city: Catalog, case: str, states: tuple[str, ...], values: dict[str, Any], shape: Any,
    fresh: dict[str, tuple[str, ...]],
) -> list[Operation]:  # fmt: skip
    """The opinions on a case that are asked for again, and those that are asked for now."""
    if not states:
        return []
    layer = city.layer(cases.declared(city).opinions)
    with store.thread_session() as conn:
        condition = 's."case" = %(case)s AND s.state = ANY(%(states)s)'
        found = cases.read(conn, layer, condition, {"case": case, "states": list(states)}, 1000, "code")
    again = [
        Operation(
            layer, "update", each["code"], None, {"state": "asked", "due_on": values["due_on"]}, shape,
            shape is not None,
        )
        for each in found
    ]  # fmt: skip
    return [*again, *asking(city, case, list(fresh), values["due_on"], shape)]
