"""Edits of single features: checked by the rules of a load, and published as one.

An edit is a small load in mode `update`. All operations of a request share a transaction, and all of a layer (that
begin to hold at the same time) are one release of kind `edit`; what they replace stays in history.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from psycopg import Connection

from shikong.ingest import edit_values, ends, features, referrers, workflows
from shikong.ingest.edit_errors import (
    EditError,
    FeatureExists,
    NoSuchFeature,
    NotLawful,
    NotTaken,
    NotYours,
    RulesBroken,
    StateChanged,
)
from shikong.ingest.errors import QualityStop, WrongAxes, WrongGeometry
from shikong.ingest.features import Options
from shikong.ingest.quality.findings import Finding
from shikong.ingest.readers.base import Batch, FeatureSource, object_array
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import access, locks, present, publish, releases, steps, tables
from shikong.store.database import Database
from shikong.store.errors import OlderThanKnown
from shikong.store.present import Present
from shikong.store.principal import current_principal

Action = Literal["create", "replace", "update", "delete"]

#: Releases that one request may make.
MOST_RELEASES = 20

#: What an edit is called where a load has the name of its file.
NAME = "edit"


@dataclass(frozen=True)
class Operation:
    """What is asked for one feature.

    key: which feature; None for a new one that is to be given a key. states: the states (store/content.py) of which
    the feature must have one; None for any. values: properties as JSON has them; those that are absent stay in an
    `update` and are missing after a `replace`. shape: geometry in EPSG:4490; `shape_given` False leaves it. step: the
    step of the layer's workflow that it must be; without, the one that fits. note: is written down with that step.
    origin: of a new feature.
    """

    layer: Layer
    action: Action
    key: Any = None
    states: frozenset[str] | None = None
    values: Mapping[str, Any] | None = None
    shape: Any = None
    shape_given: bool = True
    step: str | None = None
    note: str | None = None
    origin: Literal["delivered", "generated"] = "delivered"


@dataclass(frozen=True)
class Outcome:
    """What became of an operation: a feature's key, state after it, release and warnings, or why it was refused."""

    key: Any = None
    state: str | None = None
    release: int | None = None
    warnings: tuple[Finding, ...] = ()
    error: EditError | None = None


@dataclass(frozen=True)
class _Edit:
    """An operation made complete: all values that the feature shall have, None to end it. before: as it is now.

    step: that it takes in the layer's workflow, where there is one.
    """

    number: int
    layer: Layer
    key: Any
    record: dict[str, Any] | None
    shape: Any
    begins: datetime
    before: Present | None
    step: str | None = None
    note: str | None = None


def apply(database: Database, catalog: Catalog, operations: Sequence[Operation], *, lenient: bool) -> list[Outcome]:
    """Do operations in one transaction, and give what became of each.

    lenient: those that can be done are done, though others are refused; otherwise all or none.
    Raises NotTaken with the outcome of each, and LayerBusy; then nothing has changed.
    """
    layers = {operation.layer.id: operation.layer for operation in operations}
    errors: dict[int, EditError] = {}
    done: dict[int, Outcome] = {}
    # Nothing may begin to refer to what an edit is about to end.
    held = layers | {other.id: other for layer in layers.values() for other, _ in referrers.referring(catalog, layer)}
    with database.thread_session() as conn, conn.transaction():
        locks.hold_for_edit(conn, held)
        for layer in held.values():
            tables.ensure(conn, layer)
        row = conn.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        while len(errors) < len(operations):
            wanted = {number: each for number, each in enumerate(operations) if number not in errors}
            try:
                with conn.transaction():
                    done = _attempt(conn, catalog, wanted, row[0])
                break
            except _Refused as refused:
                errors |= refused.errors
                if not lenient:
                    break
        if not done:
            raise NotTaken([Outcome(error=errors.get(number)) for number in range(len(operations))])
    return [done.get(number) or Outcome(error=errors[number]) for number in range(len(operations))]


class _Refused(Exception):
    """Some operations cannot be done; the attempt is undone."""

    def __init__(self, errors: dict[int, EditError]) -> None:
        assert errors, "an attempt was refused for no operation"
        self.errors = errors


def _attempt(
    conn: Connection[Any], catalog: Catalog, operations: Mapping[int, Operation], now: datetime
) -> dict[int, Outcome]:
    """Do all of some operations. Raises _Refused."""
    by_layer: dict[str, dict[int, Operation]] = {}
    for number, operation in operations.items():
        by_layer.setdefault(operation.layer.id, {})[number] = operation
    groups: dict[tuple[str, datetime], list[_Edit]] = {}
    errors: dict[int, EditError] = {}
    for of_layer in by_layer.values():
        for found in _completed(conn, of_layer, now):
            if isinstance(found, _Edit):
                groups.setdefault((found.layer.id, found.begins), []).append(found)
            else:
                errors |= found
    if errors:
        raise _Refused(errors)
    if len(groups) > MOST_RELEASES:
        told = (
            f"the operations would make {len(groups)} releases, by their layers and valid_from; at most {MOST_RELEASES}"
        )
        raise _Refused(dict.fromkeys(operations, EditError(f"{told} are made at once, so send them apart")))
    done: dict[int, Outcome] = {}
    for edits in groups.values():
        done |= _publish(conn, catalog, edits)
    for of_layer in by_layer.values():
        layer = next(iter(of_layer.values())).layer
        before = {
            edit.number: edit.before
            for edits in groups.values()
            for edit in edits
            if edit.before is not None and edit.number in of_layer
        }
        errors |= referrers.left_behind(conn, catalog, layer, before)
    errors |= _take_steps(conn, catalog, chain.from_iterable(groups.values()), done)
    if errors:
        raise _Refused(errors)
    return done


def _completed(
    conn: Connection[Any], operations: Mapping[int, Operation], now: datetime
) -> Iterator[_Edit | dict[int, EditError]]:
    """Operations of one layer, each made complete from what holds now, or why it cannot be."""
    layer = next(iter(operations.values())).layer
    keys: dict[int, Any] = {}
    for number, operation in operations.items():
        try:
            keys[number] = edit_values.key_of(layer, operation.key)
        except EditError as error:
            yield {number: error}
    given = [key for key in keys.values() if key is not None]
    known = present.features(conn, layer, given)
    hidden = set() if layer.access.public else present.keys(conn, layer, given) - set(known)
    seen: set[Any] = set()
    for number, key in keys.items():
        try:
            if key is not None and key in seen:
                raise RulesBroken([Finding(None, "unique", layer.key_field, str(key))], "the request names it twice")
            seen.add(key)
            if operations[number].action == "create" and key in hidden:
                raise FeatureExists(f"{layer.id} has a feature {key!r} already; give the new one another id")
            yield _complete(number, operations[number], key, known.get(key), now)
        except EditError as error:
            yield {number: error}


def _complete(number: int, operation: Operation, key: Any, known: Present | None, now: datetime) -> _Edit:
    """Make one operation complete. Raises EditError."""
    layer = operation.layer
    if operation.action == "create":
        if known is not None:
            raise FeatureExists(f"{layer.id} has a feature {key!r} already; change it with PUT or PATCH")
        key = uuid.uuid4().hex[:16] if key is None and layer.fields[layer.key_field].type == "string" else key
    elif known is None:
        raise NoSuchFeature(f"{layer.id} has no feature {operation.key!r} now")
    elif operation.states is not None and known.state not in operation.states:
        raise StateChanged(f"{layer.id} {key} has been changed since you read it; read it again", known.state)
    if operation.action == "delete":
        if layer.workflow:
            raise NotLawful(f"what has taken steps in the workflow of {layer.id} stays; take another step instead")
        return _Edit(number, layer, key, None, None, now, known)
    values = dict(operation.values or {})
    edit_values.require_sound(layer, values, key)
    begins = edit_values.begins(layer, values, known, now)
    record: dict[str, Any] = {name: None for name, decl in layer.fields.items() if not decl.derived}
    record |= {"origin": operation.origin}
    if known is not None:
        record["origin"] = known.values["origin"]
        if operation.action == "update":
            record |= {name: known.values[name] for name in record}
    record |= {name: value for name, value in values.items() if name in record and name != "origin"}
    record[layer.key_field] = key
    if not access.owns(layer, current_principal.get(), record):
        raise NotYours(f"{layer.id}: your account may write rows of its own only")
    shape = edit_values.shape(operation.shape, operation.shape_given, known)
    step = workflows.step_of(layer, known, record, shape, operation.step) if layer.workflow else None
    return _Edit(number, layer, key, record, shape, begins, known, step, operation.note)


def _take_steps(
    conn: Connection[Any], catalog: Catalog, edits: Iterable[_Edit], done: Mapping[int, Outcome]
) -> dict[int, EditError]:
    """Write down the steps that published edits have taken in their layers' workflows, or why they cannot stay."""
    errors: dict[int, EditError] = {}
    for edit in edits:
        if edit.step is None or edit.record is None or edit.layer.workflow is None:
            continue
        error = workflows.broken(conn, catalog, edit.layer, edit.key, edit.step, edit.record)
        if error is not None:
            errors[edit.number] = error
            continue
        field, release = edit.layer.workflow.field, done[edit.number].release
        assert release is not None
        states = (edit.before.values[field] if edit.before else None, edit.record[field])
        steps.take(conn, edit.layer, edit.key, states, edit.step, release, edit.note)
    return errors


def _publish(conn: Connection[Any], catalog: Catalog, edits: list[_Edit]) -> dict[int, Outcome]:
    """Publish edits of one layer that begin to hold at the same time, as one release. Raises _Refused."""
    layer, begins = edits[0].layer, edits[0].begins
    written = [edit for edit in edits if edit.record is not None]
    ending = [edit.key for edit in edits if edit.record is None]
    known = releases.before(conn, layer)
    made_up = all(edit.record["origin"] == "generated" for edit in edits if edit.record is not None)
    first: Literal["delivered", "generated"] = "generated" if written and made_up else "delivered"
    options = Options(
        origin=known.origin if known else first, valid_from=begins if layer.versioned else None,
        mode="update", kind="edit", ending=tuple(ending),
    )  # fmt: skip
    if not written:
        release, found = ends.end(conn, layer, ending, NAME, options)
        if broken := _errors(edits, found):
            raise _Refused(broken)
        return {edit.number: Outcome(edit.key, None, release, tuple(found)) for edit in edits}
    try:
        source = _source(layer, written)
        report = features.load(conn, catalog, layer, Path(NAME), source, options, lambda done, total: None)
    except QualityStop as error:
        raise _Refused(_errors(written, error.report.findings)) from error
    except (WrongGeometry, WrongAxes) as error:
        rule = "swapped_axes" if isinstance(error, WrongAxes) else f"not_a_{layer.geometry}"
        wrong = RulesBroken([Finding(None, rule, "geometry", None)], edit_values.told(error))
        raise _Refused({edit.number: wrong for edit in written}) from error
    except OlderThanKnown as error:
        older = FeatureExists(f"{error}; give a later valid_from")
        raise _Refused({edit.number: older for edit in written}) from error
    if broken := _errors(written, report.findings):  # a gap is no row, and so keeps none from being published
        raise _Refused(broken)
    warnings: dict[int, list[Finding]] = {}
    for finding in report.findings:
        for number in _numbers(finding, written):
            warnings.setdefault(number, []).append(finding)
    planned = {edit.key: edit.before.valid_to for edit in written if edit.before and edit.before.valid_to}
    publish.end_as_planned(conn, layer, report.release, planned)
    after = present.features(conn, layer, [edit.key for edit in written])
    return {
        edit.number: Outcome(
            edit.key,
            after[edit.key].state if edit.key in after else None,
            report.release,
            tuple(warnings.get(edit.number, ())),
        )
        for edit in edits
    }


def _source(layer: Layer, edits: list[_Edit]) -> FeatureSource:
    """Edits as a source of features: one batch in EPSG:4490, its rows numbered from 1 in the edits' order."""
    names = [*(name for name, decl in layer.fields.items() if not decl.derived), "origin"]

    def batches() -> Iterator[Batch]:
        frame = pd.DataFrame([edit.record for edit in edits], columns=names, dtype=object)
        yield Batch(1, frame, object_array([edit.shape for edit in edits]))

    return FeatureSource(NAME, "EPSG:4490", names, len(edits), batches)


def _numbers(finding: Finding, edits: list[_Edit]) -> list[int]:
    """The operations that a finding is about: one, or all where it names no row."""
    if finding.source_row is None:
        return [edit.number for edit in edits]
    return [edits[finding.source_row - 1].number]


def _errors(edits: list[_Edit], findings: list[Finding]) -> dict[int, EditError]:
    """What breaks a rule, by operation; where only the whole breaks one, all operations are refused for it."""
    broken: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.severity != "warning":
            for number in _numbers(finding, edits):
                broken.setdefault(number, []).append(replace(finding, shape=None))
    return {number: RulesBroken(found) for number, found in broken.items()}
