"""Entities out of the database: one query for a page, and one for each relation that comes with it, however many
entities there are.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg

from shikong.providers.errors import BadParameter, TooMuch
from shikong.providers.sensorthings.entities import ENTITIES, Entity, Relation
from shikong.providers.sensorthings.options import Options
from shikong.providers.sensorthings.pages import MAX_RELATED, Reader, Statement
from shikong.providers.sensorthings.sources import Sources
from shikong.server.sensorthings.answers import Found, Related
from shikong.store.database import Database

Rows = list[tuple[Any, ...]]


class Fetcher:
    """Fetches entities of what may be read."""

    def __init__(self, database: Database, sources: Sources) -> None:
        self._database, self._sources = database, sources

    async def page(self, entity: Entity, options: Options, anchor: Mapping[str, Any], token: str | None) -> Related:
        """A page of entities, each with what is to come with it."""
        sources = self._of(anchor)
        reader = Reader(sources, entity, options)
        after = None if token is None else reader.after(token)
        if options.count and after is None:
            counted = await self._rows(Reader(sources, entity, options).count(anchor))
            total = int(counted[0][0])
        else:
            total = after.count if after is not None and after.count is not None else -1
        statement = reader.page(anchor, after)
        page = self._related(reader, statement, await self._rows(statement), options, total if total >= 0 else None)
        await self.expand(entity, page.found, options)
        return page

    async def one(self, entity: Entity, options: Options, anchor: Mapping[str, Any]) -> Found | None:
        """The entity of which these columns are known, if there is one."""
        page = await self.page(entity, replace(options, top=1, skip=0, count=False), anchor, None)
        return page.found[0] if page.found else None

    async def expand(self, entity: Entity, found: list[Found], options: Options) -> None:
        """Add to entities what is to come with them."""
        if not found:
            return
        for name, asked in options.expand.items():
            relation = entity.relations[name]
            wanted = asked if relation.many else replace(asked, top=1, skip=0, order=())
            await self._expand(relation, name, found, wanted)

    async def _expand(self, relation: Relation, name: str, found: list[Found], options: Options) -> None:
        numbers: dict[tuple[Any, ...], int] = {}
        for each in found:
            numbers.setdefault(tuple(each.row[column] for column in relation.by), len(numbers) + 1)
        parents, target = [*numbers], ENTITIES[relation.target]
        layers = {parent[0] for parent in parents} if relation.by[0] == "layer" else None
        sources = self._sources if layers is None else self._sources.only(layers)
        reader = Reader(sources, target, options)
        statement = reader.related(relation.by, parents)
        rows = await self._rows(statement)
        if len(rows) > MAX_RELATED:
            raise TooMuch(f"more than {MAX_RELATED:,} {name} come with these; ask for fewer with $top, or page by page")
        counts = {}
        if options.count:
            counting = Reader(sources, target, options).counts(relation.by, parents)
            counts = {number: count for number, count in await self._rows(counting)}
        groups: dict[int, Rows] = {}
        for row in rows:
            groups.setdefault(row[0], []).append(row)
        related = {number: self._related(reader, statement, groups.get(number, []), options, counts.get(number))
                   for number in numbers.values()}  # fmt: skip
        await self.expand(target, [one for each in related.values() for one in each.found], options)
        for each in found:
            each.with_it[name] = related[numbers[tuple(each.row[column] for column in relation.by)]]

    def _related(
        self, reader: Reader, statement: Statement, rows: Rows, options: Options, count: int | None
    ) -> Related:
        kept = rows[: options.size]
        found = [Found(dict(zip(statement.columns, row, strict=True))) for row in kept]
        # Of last values alone nobody has looked whether others are before them.
        further = len(rows) > len(kept) or (reader.latest and not reader.goes_on)
        token = self._token(reader, statement, kept, count) if further else None
        return Related(found, token, count)

    def _token(self, reader: Reader, statement: Statement, rows: Rows, count: int | None) -> str | None:
        if not rows:
            return None
        start = statement.columns.index("by0")
        return reader.token(rows[-1][start : start + reader.orders], count)

    def _of(self, anchor: Mapping[str, Any]) -> Sources:
        """The sources that a path leaves: where it names a layer, that one only."""
        return self._sources.only({anchor["layer"]}) if "layer" in anchor else self._sources

    async def _rows(self, statement: Statement) -> Rows:
        try:
            return await self._database.fetch(statement.query, statement.params)
        except psycopg.DataError as error:
            problem = f"cannot be computed for every entity: {error.diag.message_primary}"
            raise BadParameter("$filter", problem, ["numbers within bounds"]) from error
        except psycopg.errors.InternalError_ as error:  # what GEOS gives up on
            raise BadParameter("$filter", "relates shapes that are not valid", ["valid shapes"]) from error
