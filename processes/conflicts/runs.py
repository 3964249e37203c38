"""Runs: they find the conflicts between plans as these are now, and publish what differs from what is published.

A run begins with what the one before it saw, and works on what has changed since. Its result is the same to the last
byte as that of a run over all, because a conflict depends on its two features alone. A run over all is made when there
is none before, when rules, districts or the library that cuts have changed, and when somebody else has changed the
layer.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
import pandas as pd
import shapely
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from shikong.ingest import derived
from shikong.ingest.features import Options
from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import ConflictRule
from shikong.layers.model import Layer
from shikong.processes import counties
from shikong.processes.conflicts import changes, sides
from shikong.processes.conflicts.changes import Changes, Seen
from shikong.processes.conflicts.find import Conflicts, find, tops_of
from shikong.processes.conflicts.sides import Features
from shikong.processes.counties import Counties
from shikong.processes.overlay.kernel import Shapes
from shikong.processes.overlay.spread import Progress, spread
from shikong.store import locks, tables
from shikong.store.database import Database, one_state
from shikong.store.moments import NOW

#: The layer that holds the conflicts.
LAYER = "plan_conflicts"

#: What its releases are told to come from.
NAME = "plan-conflicts"

#: When more than this share of a layer has changed, a run over all is the shorter way.
_MUCH = 0.2


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    release: None where nothing differed. found: conflicts that were found or looked at again. whole: whether it was a
    run over all.
    """

    release: int | None
    found: int
    whole: bool


@dataclass(frozen=True)
class _Work:
    """What is to be laid over each other for a rule: a part of one side on a part of the other."""

    name: str
    rule: ConflictRule
    a: Features
    b: Features


@dataclass(frozen=True)
class _Run:
    """A run: until when it knew how much of which layer."""

    inputs: dict[str, Seen]
    at: datetime


@dataclass(frozen=True)
class _Plan:
    """All that a run needs, read from one state of the database.

    stale: keys of published conflicts that are looked at again; None for all.
    """

    run: _Run
    works: list[_Work]
    districts: Counties
    stale: frozenset[str] | None


def update(database: Database, catalog: Catalog, progress: Progress, *, whole: bool = False) -> Outcome:
    """Find the conflicts as plans are now and publish what differs. A run that is under way is waited for.

    progress: hears how many pairs are done, of how many; what it raises ends the run, and nothing is published.
    """
    layer, rules = catalog.layer(LAYER), digest(catalog)
    with database.thread_session() as conn, locks.loading(conn, LAYER):
        for name in _inputs(catalog):
            tables.ensure(conn, catalog.layer(name))
        tables.ensure(conn, layer)
        with one_state(conn):
            conn.execute("SET LOCAL statement_timeout = 0")
            plan = _planned(conn, catalog, None if whole else _last(conn, rules))
        rows, shapes = _found(catalog, plan, progress)
        with conn.transaction():
            release = _published(conn, catalog, layer, plan, rows, shapes)
            _record(conn, plan, rules)
    return Outcome(release, len(rows), plan.stale is None)


#: Seconds after a release before it is looked at: several plans are often released together.
_QUIET = 5

_STATE = """
    SELECT
        coalesce(max(id), 0),
        coalesce(max(published_at) < clock_timestamp() - make_interval(secs => %(quiet)s), false)
    FROM shikong.release WHERE layer = ANY(%(layers)s) AND published_at IS NOT NULL
"""
_SEEN = """
    SELECT coalesce((
        SELECT (SELECT max((seen ->> 'release')::integer) FROM jsonb_each(inputs) AS each (layer, seen))
        FROM shikong.conflict_run WHERE id = (SELECT max(id) FROM shikong.conflict_run) AND rules = %(rules)s
    ), 0)
"""


def due(database: Database, catalog: Catalog, rules: str) -> str | None:
    """A word for the state of plans and rules that no run has seen; None where the last one saw what there is.

    rules: `digest` of the catalogue's.
    """
    newest, quiet = database.thread_fetch(sql.SQL(_STATE), {"layers": _inputs(catalog), "quiet": _QUIET})[0]
    seen = database.thread_fetch(sql.SQL(_SEEN), {"rules": rules})[0][0]
    return f"{rules}:{newest}" if quiet and newest > seen else None


def _inputs(catalog: Catalog) -> list[str]:
    """The layers that conflicts depend on."""
    return sorted({*catalog.conflicts.layers, counties.LAYER})


def digest(catalog: Catalog) -> str:
    """What tells rules, the classes that they name and what cuts from others."""
    rules = catalog.conflicts
    classes = [
        sorted(catalog.classes_of(side) or ()) for rule in rules.rules.values() for side in (rule.a, rule.b)
    ]  # fmt: skip
    tops = [tops_of(catalog, rule) for rule in rules.rules.values()]
    text = f"{rules.model_dump_json()} {classes} {tops} {catalog.layer(LAYER).model_dump_json()} {shapely.geos_version}"
    return blake2b(text.encode(), digest_size=12).hexdigest()


_LAST = """
    SELECT inputs, seen_at FROM shikong.conflict_run
    WHERE id = (SELECT max(id) FROM shikong.conflict_run) AND rules = %(rules)s AND result = {newest}
"""
_NEWEST = "coalesce((SELECT max(id) FROM shikong.release WHERE layer = {layer}), 0)"


def _newest() -> sql.Composable:
    return sql.SQL(_NEWEST).format(layer=sql.Literal(LAYER))


def _last(conn: Connection[Any], rules: str) -> _Run | None:
    """The last run, if it has been by these rules and the layer is as it left it."""
    row = conn.execute(sql.SQL(_LAST).format(newest=_newest()), {"rules": rules}).fetchone()
    return row and _Run({name: Seen(**seen) for name, seen in row[0].items()}, row[1])


def _record(conn: Connection[Any], plan: _Plan, rules: str) -> None:
    """Note what a run saw, as part of what it publishes."""
    conn.execute(
        sql.SQL(
            "INSERT INTO shikong.conflict_run (rules, inputs, seen_at, whole, result) VALUES (%s, %s, %s, %s, {})"
        ).format(_newest()),
        (
            rules,
            Jsonb({name: asdict(seen) for name, seen in plan.run.inputs.items()}),
            plan.run.at,
            plan.stale is None,
        ),
    )


def _planned(conn: Connection[Any], catalog: Catalog, last: _Run | None) -> _Plan:
    """Read what a run needs."""
    inputs = {name: changes.see(conn, catalog.layer(name)) for name in _inputs(catalog)}
    row = conn.execute("SELECT now()").fetchone()
    assert row is not None
    run, districts = _Run(inputs, row[0]), counties.read(conn, catalog, NOW)
    changed = None if last is None else _changed(conn, catalog, last, run)
    if changed is None:
        return _Plan(run, _whole(conn, catalog), districts, None)
    works = [
        work for name, rule in catalog.conflicts.rules.items() for work in _works(conn, catalog, name, rule, changed)
    ]  # fmt: skip
    return _Plan(run, works, districts, _stale(conn, catalog, changed, works))


def _changed(conn: Connection[Any], catalog: Catalog, last: _Run, run: _Run) -> dict[str, Changes] | None:
    """What has changed since the last run, by layer; None where it is so much that all is found anew."""
    if last.inputs.keys() != run.inputs.keys() or last.inputs[counties.LAYER] != run.inputs[counties.LAYER]:
        return None
    found = {}
    for name in catalog.conflicts.layers:
        layer = catalog.layer(name)
        found[name] = changes.since(conn, layer, last.inputs[name], last.at)
        if found[name]:
            count = conn.execute(sql.SQL("SELECT reltuples FROM pg_class WHERE oid = {}::regclass").format(
                sql.Literal(f"data.{name}"))).fetchone()  # fmt: skip
            if count is not None and len(found[name]) > max(1000, count[0] * _MUCH):
                return None
    return found


def _whole(conn: Connection[Any], catalog: Catalog) -> list[_Work]:
    """All of both sides of all rules; what several rules are about is read once."""
    known: dict[tuple[Any, str | None], Features] = {}

    def side_of(side: Any, value: str | None) -> Features:
        if (side, value) not in known:
            known[side, value] = sides.read(conn, catalog, side, value, NOW)
        return known[side, value]

    return [
        _Work(name, rule, side_of(rule.a, rule.value), side_of(rule.b, rule.bound))
        for name, rule in catalog.conflicts.rules.items()
    ]  # fmt: skip


def _works(
    conn: Connection[Any], catalog: Catalog, name: str, rule: ConflictRule, changed: dict[str, Changes]
) -> Iterator[_Work]:
    """What has to be laid over each other again for a rule after changes."""
    of_a, of_b = changed[rule.a.layer], changed[rule.b.layer]
    read_a = partial(sides.read, conn, catalog, rule.a, rule.value, NOW)
    read_b = partial(sides.read, conn, catalog, rule.b, rule.bound, NOW)
    if rule.relation == "uncovered":
        came = read_b(keys=sorted(of_b.keys)).shapes if of_b else of_b.former
        around = read_a(near=np.concatenate([came, sides.surroundings(of_b.former, rule.b.within)])) if of_b else None
        again = {*of_a.keys, *(around.keys if around is not None else ())}
        if again:
            a = read_a(keys=sorted(again))
            yield _Work(name, rule, a, read_b(near=a.shapes))
        return
    if of_a:
        a = read_a(keys=sorted(of_a.keys))
        yield _Work(name, rule, a, read_b(near=a.shapes))
    if of_b:
        b = read_b(keys=sorted(of_b.keys))
        others = read_a(near=b.shapes)
        yield _Work(name, rule, others.only(~others.among(of_a.keys)), b)


_STALE = "SELECT code FROM {table} WHERE {layer} = %(layer)s AND {id} = ANY(%(keys)s) AND rule = ANY(%(rules)s)"


def _stale(conn: Connection[Any], catalog: Catalog, changed: dict[str, Changes], works: list[_Work]) -> frozenset[str]:
    """The keys of published conflicts that are looked at again."""
    rules, table = catalog.conflicts.rules, tables.table(catalog.layer(LAYER))
    found: set[str] = set()

    def look(side: str, layer: str, keys: Iterable[str], of: Iterable[str]) -> None:
        parts = {"layer": sql.Identifier(f"{side}_layer"), "id": sql.Identifier(f"{side}_id"), "table": table}
        params = {"layer": layer, "keys": list(keys), "rules": list(of)}
        found.update(code for (code,) in conn.execute(sql.SQL(_STALE).format(**parts), params))

    for layer, changes_of in changed.items():
        if changes_of:
            look("a", layer, changes_of.keys, rules)
            look("b", layer, changes_of.keys, [name for name, rule in rules.items() if rule.relation == "shared"])
    for work in works:
        if work.rule.relation == "uncovered":
            look("a", work.rule.a.layer, work.a.keys, [work.name])
    return frozenset(found)


def _found(catalog: Catalog, plan: _Plan, progress: Progress) -> tuple[pd.DataFrame, Shapes]:
    """The conflicts of all works, as rows and shapes."""
    found: list[Conflicts] = []
    with spread() as where:
        for number, work in enumerate(plan.works):
            told = partial(_share, progress, number, len(plan.works))
            found.append(
                find(work.name, work.rule, work.a, work.b, tops_of(catalog, work.rule), plan.districts, where, told)
            )
    if not found:
        return pd.DataFrame(columns=["code"]), np.empty(0, dtype=object)
    return pd.concat([each.columns for each in found], ignore_index=True), np.concatenate([c.shapes for c in found])


def _share(progress: Progress, number: int, works: int, done: int, total: int) -> None:
    """Tell how far all works are, in thousandths of each."""
    progress(number * 1000 + (done * 1000 // total if total else 1000), works * 1000)


def _published(
    conn: Connection[Any], catalog: Catalog, layer: Layer, plan: _Plan, rows: pd.DataFrame, shapes: Shapes
) -> int | None:
    """Publish what differs from what is published; the release, or None where nothing does."""
    # What a run over all does not find again ends by itself.
    ending = () if plan.stale is None else tuple(sorted(plan.stale - set(rows["code"])))
    options = Options(mode="replace" if plan.stale is None else "update", ending=ending, origin=_origin(rows))
    return derived.publish(conn, catalog, layer, NAME, options, rows, shapes)


def _origin(rows: pd.DataFrame) -> Literal["delivered", "generated"]:
    return "generated" if len(rows) and (rows["origin"] == "generated").any() else "delivered"
