"""Warnings as features of their layer: one for each rule and subject, from its issue until it is lifted.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import shapely
from psycopg import Connection, sql

from shikong.ingest.edits import Operation
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.warning_rules import Level
from shikong.processes.coordination import cases
from shikong.processes.warnings.engine import Event, Stations, Subject
from shikong.processes.warnings.facts import name_of, rules_of
from shikong.store import tables
from shikong.store.database import Database

#: States in which a warning is in force.
IN_FORCE = ("active", "acknowledged")

_STEPS = {"issue": "issue", "raise": "change", "lower": "change", "lift": "lift"}


_ROWS = """
    SELECT {columns}, origin, st_asgeojson(geom, 6, 0), _release FROM {table}
    WHERE {condition} ORDER BY _release, code
"""


@dataclass(frozen=True)
class InForce:
    """A warning that is in force."""

    code: str
    level: Level


def in_force(conn: Connection[Any], city: Catalog) -> dict[Subject, InForce]:
    """The warnings in force by rule and subject."""
    layer = city.layer(rules_of(city).published_as)
    query = sql.SQL("SELECT rule, subject, code, level FROM {} WHERE state = ANY (%s) ORDER BY issued_at").format(
        tables.table(layer)
    )
    rows = conn.execute(query, (list(IN_FORCE),))
    return {(rule, subject): InForce(code, level) for rule, subject, code, level in rows}


def query(layer: Layer, condition: sql.Composable) -> sql.Composed:
    """The query for warnings as they are now, those that changed last at the end; `feature` makes features of its
    rows."""
    columns = sql.SQL(", ").join(map(sql.Identifier, layer.fields))
    return sql.SQL(_ROWS).format(columns=columns, table=tables.table(layer), condition=condition)


def feature(layer: Layer, row: Sequence[Any]) -> tuple[dict[str, Any], int]:
    """A warning as a GeoJSON feature, and the release that brought its state."""
    *values, shape, release = row
    plain = (value.isoformat() if isinstance(value, datetime) else value for value in values)
    properties = dict(zip([*layer.fields, "origin"], plain, strict=True))
    geometry = orjson.loads(shape)
    return {"type": "Feature", "id": properties["code"], "geometry": geometry, "properties": properties}, int(release)


def publish(
    database: Database,
    city: Catalog,
    events: Sequence[Event],
    known: Mapping[Subject, InForce],
    stations: Stations,
    generated: frozenset[str],
) -> list[str]:
    """Write what has changed as one release; returns the codes of the warnings.

    known: those in force before. generated: stations whose values are generated, so that warnings of theirs are, too.
    """
    operations = [_operation(city, event, known, stations, generated) for event in events]
    cases.apply(database, city, operations)
    return [str(operation.key) for operation in operations]


def _operation(
    city: Catalog, event: Event, known: Mapping[Subject, InForce], stations: Stations, generated: frozenset[str]
) -> Operation:
    layer = city.layer(rules_of(city).published_as)
    values = told(city, event, stations)
    step = _STEPS[event.change]
    declared = layer.workflow
    assert declared is not None
    sets = declared.steps[step].sets
    state = declared.steps[step].to
    kept = {name: value for name, value in values.items() if name in sets} | {declared.field: state}
    shape = place(values["stations"].split(","), stations)
    if event.change == "issue":
        code = f"W{event.at:%Y%m%d%H%M%S}-{event.subject[0]}-{event.subject[1]}"
        made_up = any(station in generated for station in values["stations"].split(","))
        return Operation(
            layer, "create", code, None, kept, shape, step=step, origin="generated" if made_up else "delivered"
        )
    code = known[event.subject].code
    given = "geometry" in sets
    return Operation(layer, "update", code, None, kept, shape if given else None, given, step=step)


def told(city: Catalog, event: Event, stations: Stations) -> dict[str, Any]:
    """A warning's properties as they are after an event."""
    rules, (rule, subject) = rules_of(city), event.subject
    verdict = event.verdict
    concerned = verdict.stations or ((subject,) if rule in rules.rules else _members(city, rule, subject, stations))
    name = str(stations.get(subject, {}).get("stnm") or _name_of_group(city, rule, subject, stations))
    at = event.at.isoformat()
    unit = rules.rules[rule].unit if rule in rules.rules else None
    headline = _headlines(city, event, name, unit)
    return {
        "rule": rule, "hazard": rules.hazard(rule), "level": event.level, "subject": subject, "name": name,
        "stations": ",".join(concerned), "headline_zh": headline[0], "headline_en": headline[1],
        "value": None if verdict.value is None else round(verdict.value, 3), "threshold": verdict.threshold,
        "unit": unit, "observed_at": verdict.observed_at.isoformat() if verdict.observed_at else None,
        "issued_at": at, "changed_at": at, "lifted_at": at if event.change == "lift" else None,
        "evidence": json.dumps(verdict.evidence, ensure_ascii=False), "affected": None,
    }  # fmt: skip


def place(codes: Iterable[str], stations: Stations) -> Any:
    """Where stations are, as one shape (EPSG:4490)."""
    found = [(stations[code]["lon"], stations[code]["lat"]) for code in codes if code in stations]
    return shapely.MultiPoint(found)


def _members(city: Catalog, rule: str, group: str, stations: Stations) -> tuple[str, ...]:
    by = rules_of(city).joint[rule].by
    return tuple(sorted(code for code, known in stations.items() if str(known.get(by)) == group))


def _name_of_group(city: Catalog, rule: str, group: str, stations: Stations) -> str:
    """The name of a group: of a district its own, else what groups it."""
    members = _members(city, rule, group, stations)
    named = (stations[code].get(name_of(rules_of(city).joint[rule].by)) for code in members)
    return next((str(name) for name in named if name), group)


def _headlines(city: Catalog, event: Event, name: str, unit: str | None) -> tuple[str, str]:
    rules, rule = rules_of(city), event.subject[0]
    title, level = rules.titled(rule), city.codes["warning_level"].codes[event.level].title
    zh, en = f"{name}{title.zh}", f"{name}: {title.en.lower()}"
    verdict = event.verdict
    if verdict.value is not None and verdict.threshold is not None:
        zh += f" {verdict.value:.2f} {unit}（限值 {verdict.threshold:.2f}）"
        en += f" {verdict.value:.2f} {unit} (limit {verdict.threshold:.2f})"
    if event.change == "lift":
        return f"解除{level.zh}预警：{zh}", f"{level.en} warning lifted: {en}"
    return f"{level.zh}预警：{zh}", f"{level.en} warning: {en}"
