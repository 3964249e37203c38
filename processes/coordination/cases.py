"""Cases and the opinions on them, as the asker may see them, and how steps are taken.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from shikong.store.steps import Taken

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


def told(
    conn: Connection[Any], city: Catalog, layer: Layer, found: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:  # fmt: skip
    """Cases or opinions, each with its steps, those that the asker may take next, and its files."""
    assert layer.workflow is not None
    codes = [each[layer.key_field] for each in found]
    taken: dict[str, list[Taken]] = {code: [] for code in codes}
    files: dict[str, list[dict[str, Any]]] = {code: [] for code in codes}
    for row in conn.execute(steps.OF_FEATURES, {"layer": layer.id, "keys": codes}):
        step = Taken(*row)
        taken[step.key].append(step)
    for file in attachments.of_features(conn, layer, codes):
        files[file.key].append(file.told())
    states = city.codes[layer.fields[layer.workflow.field].codes or ""].codes
    return [
        {
            **values, "state_title": states[values[layer.workflow.field]].title.model_dump(),
            "next": _next(layer, values), "attachments": files[code],
            "steps": [
                steps.told(each) | {"title": layer.workflow.steps[each.step].title.model_dump()}
                for each in taken[code]
            ],
        }
        for code, values in zip(codes, found, strict=True)
    ]  # fmt: skip


def _next(layer: Layer, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that the asker may take next."""
    return [
        {"step": name, "title": step.title.model_dump(), "sets": list(step.sets), "needs": list(step.needs)}
        for name, step in workflows.open_steps(layer, values).items()
    ]


def apply(store: Database, city: Catalog, operations: Sequence[Operation]) -> list[Outcome]:
    """Do edits as one. Raises the first refusal."""
    try:
        return edits.apply(store, city, operations, lenient=False)
    except NotTaken as refused:
        first = next(outcome.error for outcome in refused.outcomes if outcome.error is not None)
        raise first from refused
