"""One page of features, and where the next begins.

Pages follow a cursor and not an offset, and all pages of one walk tell what was known when the first was asked for:
the cursor carries the layer's release, and when another has come since, the page is read as it was known then.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from shikong.layers.model import Layer
from shikong.providers import cursors, items
from shikong.providers.cql2.evaluate import evaluating
from shikong.providers.cursors import Cursor
from shikong.providers.items import Items, Statement
from shikong.providers.labels import labelled
from shikong.server.context import Context
from shikong.server.parameters import Counting


@dataclass(frozen=True)
class Page:
    """A page's rows, the statement that they answer, the next page's cursor, and how many features match in all.

    The last two are None where there is no next page, and where the number is not known.
    """

    statement: Statement
    rows: list[tuple[Any, ...]]
    next: str | None
    matched: int | None


async def read(
    context: Context, layer: Layer, question: Items, cursor: Cursor | None, counting: Counting | None
) -> Page:
    """Read a page; the question has a limit. counting: how to find out how many match, where it is not known anyway."""
    limit = question.limit
    assert limit is not None
    with evaluating(question.cql):
        statement, rows = await _fetch(context, layer, question)
        if cursor is not None and question.known_at is None and _release(statement, rows) != cursor.release:
            question = replace(question, known_in=cursor.release)
            statement, rows = await _fetch(context, layer, question)
        page, more = rows[:limit], len(rows) > limit
        if cursor is not None:
            matched = cursor.matched
        elif question.offset == 0 and not more:
            matched = len(page)
        else:
            matched = await count(context, layer, question, counting)
    release = cursor.release if cursor is not None else _release(statement, rows)
    following = cursors.encode(statement, page[-1], release, matched) if more else None
    return Page(statement, labelled(layer, statement.properties, page, question.labels), following, matched)


async def count(context: Context, layer: Layer, question: Items, counting: Counting | None) -> int | None:
    """How many features match: from the release when all are asked for, else counted or estimated where wanted."""
    release = context.metadata.releases.get(layer.id)
    if release is not None and question.plain and layer.access.public:
        return release.rows
    if counting is None:
        return None
    if counting == "exact":
        statement = items.count(layer, question)
        return int((await context.database.fetch(statement.query, statement.params))[0][0])
    statement = items.estimate(layer, question)
    return items.estimated(await context.database.fetch(statement.query, statement.params))


async def _fetch(context: Context, layer: Layer, question: Items) -> tuple[Statement, list[tuple[Any, ...]]]:
    statement = items.page(layer, question)
    return statement, await context.database.fetch(statement.query, statement.params)


def _release(statement: Statement, rows: list[tuple[Any, ...]]) -> int:
    """The layer's newest release when rows were read; 0 without rows."""
    return rows[0][statement.tail - 1] or 0 if rows else 0
