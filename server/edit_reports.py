"""What is told of edits: each operation with its feature, tag, release and warnings, or why it was refused.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson

from shikong.ingest.edit_errors import EditError
from shikong.ingest.edits import Operation, Outcome
from shikong.ingest.quality.findings import Finding
from shikong.layers.model import Layer
from shikong.providers import items
from shikong.providers.items import Items
from shikong.server import errors, etags
from shikong.server.context import Context

_FALLEN = {
    "status": int(HTTPStatus.FAILED_DEPENDENCY),
    "detail": "not done, because another operation of the request was refused",
}


def address(context: Context, layer: Layer, key: Any) -> str:
    """Where a feature is."""
    return f"{context.base_url}/collections/{layer.id}/items/{quote(str(key), safe='')}"


def findings(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as documents."""
    return [{"rule": each.rule, "field": each.field, "value": each.value} for each in found]


def done(context: Context, operation: Operation, outcome: Outcome) -> dict[str, Any]:
    """The report of an operation that was done."""
    report = {
        "status": int(HTTPStatus.CREATED if operation.action == "create" else HTTPStatus.OK),
        "collection": operation.layer.id, "id": outcome.key, "release": outcome.release,
    }  # fmt: skip
    if outcome.state is not None:
        report |= {"etag": etags.of_state(outcome.state), "location": address(context, operation.layer, outcome.key)}
    return report | {"warnings": findings(outcome.warnings)}


def entry(context: Context, asked: Operation | EditError, outcome: Outcome) -> dict[str, Any]:
    """The report of an operation among others."""
    if outcome.error is not None:
        return errors.problem_of(outcome.error)
    if outcome.release is None or isinstance(asked, EditError):
        return dict(_FALLEN)
    return done(context, asked, outcome)


def nothing_done(refusals: Sequence[EditError], listed: list[dict[str, Any]]) -> dict[str, Any]:
    """The problem document of a request of which nothing was done: with the status that all refusals have, or 422."""
    statuses = {errors.status_of(error)[0] for error in refusals}
    status = statuses.pop() if len(statuses) == 1 else HTTPStatus.UNPROCESSABLE_ENTITY
    detail = f"{len(refusals)} of {len(listed)} operations cannot be done, so nothing was changed; see `operations`"
    return errors.problem(status, "NotTaken", detail) | {"operations": listed}


async def feature(context: Context, asked: Operation | EditError, outcome: Outcome) -> dict[str, Any]:
    """The feature as it is after an operation, in CRS84."""
    assert isinstance(asked, Operation)
    statement = items.one(asked.layer, outcome.key, Items(1))
    rows = await context.database.fetch(statement.query, statement.params)
    return items.feature(statement, rows[0]) if rows else {}


def with_warnings(body: str | bytes, outcome: Outcome) -> str | bytes:
    """A feature's text with what the checks had to say of it."""
    if not outcome.warnings:
        return body
    document: dict[str, Any] = orjson.loads(body)
    return orjson.dumps(document | {"warnings": findings(outcome.warnings)})
