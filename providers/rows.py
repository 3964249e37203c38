"""The rows that answer a question, a batch at a time, for answers that are too large to be held.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from shikong.layers.model import Layer
from shikong.providers import cursors, items
from shikong.providers.cql2.evaluate import evaluating
from shikong.providers.items import Items
from shikong.providers.labels import labelled
from shikong.store.database import Database

Rows = list[tuple[Any, ...]]

#: What a batch should weigh, in bytes of geometry and text: small beside the server, large beside a round trip.
_BATCH_BYTES = 2_000_000
_FIRST_ROWS, _MOST_ROWS = 50, 10_000
#: A batch is at most so many times the one before, whose shapes may have been small by chance.
_GROWTH = 8


class Reading:
    """One reading of all rows that answer a question.

    following: once all is read, the cursor to go on from where the question's limit has cut the answer.
    """

    def __init__(self, database: Database, layer: Layer, question: Items, timeout: float) -> None:
        """timeout: seconds that each batch may take."""
        self._database, self._layer, self._question, self._timeout = database, layer, question, timeout
        self._statement = items.page(layer, question)
        self.following: str | None = None

    def _cursor(self, rows: Rows) -> str:
        """The cursor that goes on after these rows, from the same release."""
        release = self._question.known_in or rows[0][self._statement.tail - 1] or 0
        return cursors.encode(self._statement, rows[-1], release, None)

    async def batches(self) -> AsyncGenerator[Rows]:
        """Rows as `items.page` has them, from one state of the layer; close the iterator to stop the query.

        The first batch is small, so that it comes soon; the others follow the size of what has come. Raises
        BadParameter where the question's filter cannot be computed, QueryTooSlow.
        """
        statement, remaining, last = self._statement, self._question.limit, ""
        with evaluating(self._question.cql):
            async with self._database.reading(statement.query, statement.params, self._timeout) as cursor:
                number = _FIRST_ROWS
                while rows := await cursor.fetchmany(number):
                    if remaining is not None and len(rows) > remaining:  # the one row more that tells of a next page
                        rows = rows[:remaining]
                        self.following = self._cursor(rows) if rows else last
                    if rows:
                        yield labelled(self._layer, statement.properties, rows, self._question.labels)
                        last = self._cursor(rows)
                    if self.following is not None:
                        return
                    remaining = None if remaining is None else remaining - len(rows)
                    number = min(number * _GROWTH, _MOST_ROWS, max(1, _BATCH_BYTES * len(rows) // _weight(rows)))


def _weight(rows: Rows) -> int:
    return sum(64 + sum(len(value) for value in row if isinstance(value, bytes | str)) for row in rows)
