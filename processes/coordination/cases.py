"""Cases and the opinions on them, as the asker may see them, and how steps are taken.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection, sql

from shikong.ingest import edits, workflows
from shikong.ingest.edit_errors import NotTaken
from shikong.ingest.edits import Operation, Outcome
from shikong.layers.catalog import Catalog
from shikong.layers.coordination import Coordination
from shikong.layers.model import Layer
from shikong.store import attachments, moments, steps
from shikong.store.database import Database
from shikong.store.moments import NOW
from shikong.store.principal import ANONYMOUS, NotSignedIn, current_principal

_ROWS = "SELECT {names} FROM {rows} AS s WHERE {where} ORDER BY {order} LIMIT %(limit)s"


def declared(city: Catalog) -> Coordination:
    """The rules whom to ask."""
    assert city.coordination is not None
    return city.coordination


def require_signed_in() -> None:
    """Raise NotSignedIn for who has not said who he is: coordination is between known people."""
    if current_principal.get() == ANONYMOUS:
        raise NotSignedIn("sign in with your token to coordinate a project (Basic, Bearer, or on /account)")


def today(city: Catalog) -> date:
    """The day in the city."""
    return datetime.now(ZoneInfo(city.city.timezone)).date()


def due(city: Catalog, given: date | None) -> str:
    """The day until which departments have time, as JSON has it."""
    return (given or today(city) + timedelta(days=declared(city).days)).isoformat()


def read(
    conn: Connection[Any], layer: Layer, condition: str, values: Mapping[str, Any], limit: int, order: str
) -> list[dict[str, Any]]:
    """Features that the asker may see, as their declared fields. condition: SQL with placeholders for values."""
    query = sql.SQL(_ROWS).format(
        names=sql.SQL(", ").join(map(sql.Identifier, layer.fields)), rows=moments.rows(layer, NOW),
        where=sql.SQL(condition),
        order=sql.SQL(order),
    )  # fmt: skip
    rows = conn.execute(query, {**values, **NOW.values, "limit": limit})
    return [dict(zip(layer.fields, row, strict=True)) for row in rows]


def told(conn: Connection[Any], city: Catalog, layer: Layer, values: Mapping[str, Any]) -> dict[str, Any]:
    """A case or an opinion with its steps, those that the asker may take next, and its files."""
    assert layer.workflow is not None
    code = values[layer.key_field]
    taken = conn.execute(steps.OF_FEATURE, {"layer": layer.id, "key": code})
    next_steps = [
        {"step": name, "title": step.title.model_dump(), "sets": list(step.sets), "needs": list(step.needs)}
        for name, step in layer.workflow.leaving(values[layer.workflow.field]).items()
        if workflows.may_take(layer, step, values)
    ]
    listed = city.codes[layer.fields[layer.workflow.field].codes or ""].codes
    state = listed[values[layer.workflow.field]].title.model_dump()
    files = [each.told() for each in attachments.of_feature(conn, layer, code)]
    return {
        **values, "state_title": state, "next": next_steps, "attachments": files,
        "steps": [
            steps.told(each) | {"title": layer.workflow.steps[each.step].title.model_dump()}
            for each in (steps.Taken(*row) for row in taken)
        ],
    }  # fmt: skip


@contextmanager
def as_one_error() -> Iterator[None]:
    """Raise the first refusal of several operations that were refused together."""
    try:
        yield
    except NotTaken as refused:
        first = next(outcome.error for outcome in refused.outcomes if outcome.error is not None)
        raise first from refused


def apply(store: Database, city: Catalog, operations: Sequence[Operation]) -> list[Outcome]:
    """Do edits as one. Raises the first refusal."""
    with as_one_error():
        return edits.apply(store, city, operations, lenient=False)
