"""Edits of layers with a workflow: each must be a step that leads on from the feature's state, taken by who may.

What an edit says for itself is looked at before it is published (`step_of`), what must hold elsewhere after all edits
of the request are (`broken`), in the same transaction: a case can be closed together with the last opinion on it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import shapely
from psycopg import Connection, sql

from shikong.ingest.edit_errors import EditError, NotLawful, NotYours
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.workflow import GEOMETRY, Step, Workflow
from shikong.store import tables
from shikong.store.present import Present
from shikong.store.principal import current_principal

#: Features that a refusal names.
_NAMED = 3

_OTHERS = "SELECT {key} FROM {table} WHERE {by} = %(value)s AND {state} <> ALL(%(states)s) ORDER BY {key}"
_PARENT = "SELECT {state} FROM {table} WHERE {key} = %(value)s"


def step_of(layer: Layer, before: Present | None, record: dict[str, Any], shape: Any, wanted: str | None) -> str:
    """The step that an edit takes, by its name; what the service itself sets is put into the record.

    before: the feature as it is; None for a new one. record: its values as they shall be. wanted: the step that it must
    be; None: the one that fits.
    Raises NotLawful, NotYours.
    """
    workflow = _workflow(layer)
    was = before.values[workflow.field] if before else None
    ways = workflow.between(was, record[workflow.field])
    if wanted is not None:
        ways = {name: step for name, step in ways.items() if name == wanted}
    if not ways:
        known = workflow.leaving(was) if was else {name: step for name, step in workflow.steps.items() if not step.when}
        told = ", ".join(f"{name} → {step.to}" for name, step in known.items()) or "none, it is closed"
        led = f"from {was or 'nothing'} to {record[workflow.field]!r}"
        raise NotLawful(f"{layer.id}: no {wanted or 'step'} leads {led}; steps: {told}")
    own = {name: step for name, step in ways.items() if may_take(layer, step, before.values if before else record)}
    if not own:
        steps = ", ".join(f"{name} ({' or '.join(step.roles)})" for name, step in ways.items())
        raise NotYours(f"{layer.id}: your account may not take this step: {steps}")
    changed = _changed(layer, before, record, shape)
    fitting = {name: step for name, step in own.items() if changed <= {*step.sets}}
    if not fitting:
        step_name, step = next(iter(own.items()))
        sets = ", ".join(step.sets) or "nothing but the state"
        raise NotLawful(f"{layer.id}: {step_name} may set {sets}; not {', '.join(sorted(changed - {*step.sets}))}")
    name, step = next(iter(fitting.items()))
    _stamp(step, record)
    if missing := [field for field in step.needs if field != GEOMETRY and record[field] in (None, "")]:
        raise NotLawful(f"{layer.id}: {name} needs {', '.join(missing)}")
    if step.after and not _is_over(record[step.after]):
        raise NotLawful(f"{layer.id}: {name} is possible once {step.after} ({record[step.after]}) is over")
    return name


def may_take(layer: Layer, step: Step, values: Mapping[str, Any]) -> bool:
    """Whether the current principal may take a step with a feature of these values."""
    roles = current_principal.get().roles
    rows = layer.access.rows
    for role in step.roles:
        if rows is not None and role == rows.role:
            owners = str(values[rows.field] or "").split(",")
            if any(layer.access.owner(owner) in roles for owner in owners):
                return True
        elif role in roles:
            return True
    return False


def open_steps(layer: Layer, values: Mapping[str, Any]) -> dict[str, Step]:
    """The steps that the current principal may take next with a feature of these values."""
    workflow = _workflow(layer)
    leaving = workflow.leaving(values[workflow.field])
    return {name: step for name, step in leaving.items() if may_take(layer, step, values)}


def broken(conn: Connection[Any], city: Catalog, layer: Layer, key: Any, name: str, record: Mapping[str, Any]) -> (
    EditError | None
):  # fmt: skip
    """Why a step that is published cannot stay: what it refers to, or what refers to it, is in another state."""
    step = _workflow(layer).steps[name]
    if step.within is not None:
        parent = city.layer(step.within.layer)
        query = sql.SQL(_PARENT).format(
            state=sql.Identifier(_workflow(parent).field), table=tables.table(parent),
            key=sql.Identifier(parent.key_field),
        )  # fmt: skip
        value = record[step.within.by]
        row = conn.execute(query, {"value": value}).fetchone()
        if row is None or row[0] not in step.within.states:
            state = "is not there" if row is None else f"is {row[0]}"
            allowed = " or ".join(step.within.states)
            return NotLawful(f"{layer.id} {key}: {name} needs {parent.id} {value} to be {allowed}; it {state}")
    if step.every is not None:
        other = city.layer(step.every.layer)
        query = sql.SQL(_OTHERS).format(
            key=sql.Identifier(other.key_field), table=tables.table(other), by=sql.Identifier(step.every.by),
            state=sql.Identifier(_workflow(other).field),
        )  # fmt: skip
        keys = [row[0] for row in conn.execute(query, {"value": key, "states": list(step.every.states)})]
        if keys:
            named = ", ".join(map(str, keys[:_NAMED])) + (
                f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
            )
            allowed = " or ".join(step.every.states)
            return NotLawful(f"{layer.id} {key}: {name} needs all of {other.id} to be {allowed}; not so: {named}")
    return None


def _workflow(layer: Layer) -> Workflow:
    assert layer.workflow is not None
    return layer.workflow


def _changed(layer: Layer, before: Present | None, record: Mapping[str, Any], shape: Any) -> set[str]:
    """The fields that an edit changes, besides key and state; of a new feature those that it gives."""
    own = {layer.key_field, _workflow(layer).field}
    known = before.values if before else {}
    fields = [name for name, decl in layer.fields.items() if not decl.derived and name not in own]
    changed = {name for name in fields if _plain(record[name]) != _plain(known.get(name))}
    stored = shapely.from_wkb(before.geom) if before else None
    if stored is None or not _normal(shape).equals_exact(_normal(stored), 0.0):
        changed.add(GEOMETRY)
    return changed


def _normal(shape: Any) -> Any:
    """A shape in the form in which equal ones are equal; None is empty."""
    parts = shapely.get_parts(shape) if shape is not None else []
    return shapely.geometrycollections(parts).normalize()


def _plain(value: Any) -> Any:
    """A value as JSON has it; what is empty is nothing."""
    return value.isoformat() if isinstance(value, date | datetime) else None if value == "" else value


def _stamp(step: Step, record: dict[str, Any]) -> None:
    for field, what in step.stamps.items():
        match what:
            case "today":
                record[field] = _today().isoformat()
            case "principal":
                record[field] = current_principal.get().name
            case "none":
                record[field] = None


def _is_over(day: Any) -> bool:
    given = date.fromisoformat(day) if isinstance(day, str) else day
    return given is not None and given < _today()


def _today() -> date:
    return datetime.now(ZoneInfo(catalog.default().city.timezone)).date()
