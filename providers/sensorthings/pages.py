"""Pages of entities, what comes with each, and how many there are: one query each.

Values are read series by series, each by its index and no further than the page is long, so that no order by time reads
all. A page goes on after the order values and the key of the last entity before it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import orjson
from psycopg import sql

from shikong.providers.errors import BadParameter
from shikong.providers.sensorthings.compiling import Compiler, Term
from shikong.providers.sensorthings.entities import COLUMNS, TYPES, Entity, Rows
from shikong.providers.sensorthings.options import Options
from shikong.providers.sensorthings.sources import Sources
from shikong.providers.sensorthings.syntax import Path

#: Entities that come with others, at most, by one relation.
MAX_RELATED = 200_000

_PLACE: dict[str, LiteralString] = {"x": "st_x(d.place)", "y": "st_y(d.place)"}
_COLUMNS: dict[Rows, dict[str, LiteralString]] = {
    "T": {"station": "d.station", "thing_name": "d.thing_name", "thing_description": "d.thing_description",
          "fields": "d.fields", **_PLACE},
    "P": {"layer": "d.layer", "parameter": "d.parameter"},
    "D": {"layer": "d.layer", "series": "d.series", "station": "d.station", "parameter": "d.parameter",
          "thing_name": "d.thing_name", "last_time": "d.last_time", **_PLACE},
    "O": {"layer": "d.layer", "series": "d.series", "station": "d.station", "parameter": "d.parameter",
          "time": "o.time", "value": "o.value", "quality": "o.quality", "origin": "o.origin"},
}  # fmt: skip
_KINDS: dict[str, LiteralString] = {"text": "text", "number": "float8", "time": "timestamptz"}


@dataclass(frozen=True)
class After:
    """Where the page before ended, and how many entities there were in all, if that was asked for."""

    values: tuple[Any, ...]
    count: int | None


@dataclass(frozen=True)
class Statement:
    """A query; its rows have these columns, then, of related ones after the number of whose they are, order values."""

    query: sql.Composed
    params: dict[str, Any]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class _Ordered:
    """Something to order by. own: it is of a value."""

    sql: sql.Composable
    falls: bool
    type: LiteralString
    own: bool


class Reader:
    """Makes the queries for a set of entities. anchor: columns that are given, as a path or a parent does."""

    def __init__(self, sources: Sources, entity: Entity, options: Options) -> None:
        self._entity, self._options, self._bound = entity, options, sources.bound()
        self._sources = sources
        compiler = Compiler(entity, sources, self._bound)
        terms = compiler.conditions(options.filter) if options.filter is not None else []
        self._terms: list[Term] = terms
        self._orders = self._ordered(Compiler(entity, sources, self._bound, "$orderby"))
        self._columns = _COLUMNS[entity.rows]
        #: Whether the page comes after another.
        self.goes_on = False

    @property
    def latest(self) -> bool:
        """Whether the last value of each series is all that is asked for, which is kept apart."""
        order = self._options.order
        return (
            self._entity.rows == "O" and self._options.size == 1 and self._options.skip == 0
            and bool(order) and isinstance(order[0][0], Path) and order[0][1]
            and order[0][0].names in (("phenomenonTime",), ("resultTime",))
            and not any(term.own for term in self._terms)
        )  # fmt: skip

    def _ordered(self, compiler: Compiler) -> list[_Ordered]:
        found = [_Ordered(term.sql, falls, _KINDS[term.kind], term.own)
                 for term, falls in compiler.orders(self._options.order)]  # fmt: skip
        keys = self._entity.keys
        for name in sorted(keys, key=lambda one: one != "time") if not found else keys:
            key = sql.SQL(COLUMNS[name])
            if all(each.sql != key for each in found):
                found.append(_Ordered(key, False, TYPES[name], name == "time"))
        return found

    def page(self, anchor: Mapping[str, Any], after: After | None = None) -> Statement:
        """The page, and one entity more."""
        links = [self._equal(name, self._bound.key(name, value)) for name, value in anchor.items()]
        self.goes_on = after is not None
        query = self._select(links, None if after is None else self._behind(after.values))
        return Statement(query, self._bound.values, self._names())

    def related(self, by: Sequence[str], parents: Sequence[tuple[Any, ...]]) -> Statement:
        """The page of each of some parents, whose number (from 1) comes first."""
        query = sql.SQL("SELECT k.n, c.* FROM {} CROSS JOIN LATERAL ({}) AS c LIMIT {}").format(
            self._parents(by, parents), self._select(self._of_parents(by), None), sql.Literal(MAX_RELATED + 1)
        )
        return Statement(query, self._bound.values, ("n", *self._names()))

    def count(self, anchor: Mapping[str, Any]) -> Statement:
        """How many there are."""
        links = [self._equal(name, self._bound.key(name, value)) for name, value in anchor.items()]
        return Statement(self._count(links), self._bound.values, ("count",))

    def counts(self, by: Sequence[str], parents: Sequence[tuple[Any, ...]]) -> Statement:
        """How many each of some parents has."""
        query = sql.SQL("SELECT k.n, c.count FROM {} CROSS JOIN LATERAL ({}) AS c (count)").format(
            self._parents(by, parents), self._count(self._of_parents(by))
        )
        return Statement(query, self._bound.values, ("n", "count"))

    def token(self, row: Sequence[Any], count: int | None) -> str:
        """The `$skiptoken` that goes on after a row, its columns taken off its front."""
        values = [value.isoformat() if isinstance(value, datetime) else value for value in row]
        return base64.urlsafe_b64encode(orjson.dumps([*values, -1 if count is None else count])).decode().rstrip("=")

    def after(self, token: str) -> After:
        """What a `$skiptoken` says. Raises BadParameter."""
        wrong = BadParameter("$skiptoken", "is not of this order; take it from a nextLink", ["the nextLink as it is"])
        try:
            values = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        except (binascii.Error, ValueError) as error:
            raise wrong from error
        if not isinstance(values, list) or len(values) != len(self._orders) + 1 or not isinstance(values[-1], int):
            raise wrong
        for value, order in zip(values, self._orders, strict=False):
            if not (value is None or _fits(value, order.type)):
                raise wrong
        return After(tuple(values[:-1]), values[-1] if values[-1] >= 0 else None)

    def _names(self) -> tuple[str, ...]:
        orders = [f"by{at}" for at in range(len(self._orders))]
        return (*self._columns, *orders, *(["first_time"] if self._span else []))

    @property
    def _span(self) -> bool:
        selected = self._options.select
        return self._entity.rows == "D" and (selected is None or bool({"phenomenonTime", "resultTime"} & {*selected}))

    @property
    def orders(self) -> int:
        """How many order values stand after the columns."""
        return len(self._orders)

    def _select(self, links: list[tuple[sql.Composable, bool]], behind: sql.Composable | None) -> sql.Composed:
        options = self._options
        room = sql.Literal(options.size + 1)
        told = [sql.SQL("{} AS {}").format(sql.SQL(text), sql.Identifier(name)) for name, text in self._columns.items()]
        told += [
            sql.SQL("{} AS {}").format(order.sql, sql.Identifier(f"by{at}")) for at, order in enumerate(self._orders)
        ]
        own, other = self._apart(links)
        if behind is not None:
            (own if self._entity.rows == "O" else other).append(behind)
        text = "SELECT {told} FROM {rows} WHERE {where} ORDER BY {order} LIMIT {room} OFFSET {skip}"
        query = sql.SQL(text).format(
            told=sql.SQL(", ").join(told),
            rows=self._from(own, self.latest and not self.goes_on, options.size + 1 + options.skip),
            where=_all(other), order=_order(self._orders), room=room, skip=sql.Literal(options.skip),
        )  # fmt: skip
        if not self._span:
            return query
        return sql.SQL("SELECT d.*, {} AS first_time FROM ({}) AS d").format(self._sources.first_time(), query)

    def _from(self, own: list[sql.Composable], latest: bool, most: int) -> sql.Composable:
        rows = self._entity.rows
        if rows != "O":
            return sql.SQL("{} AS d").format(self._sources.rows(rows))
        values = self._sources.values(own, latest=latest)
        order = _order([order for order in self._orders if order.own])
        text = "{} AS d CROSS JOIN LATERAL (SELECT * FROM {} AS o ORDER BY {} LIMIT {}) AS o"
        return sql.SQL(text).format(self._sources.rows("D"), values, order, sql.Literal(most))

    def _count(self, links: list[tuple[sql.Composable, bool]]) -> sql.Composed:
        own, other = self._apart(links)
        rows = self._entity.rows
        counted = self._sources.counted() if rows == "O" and not own else None
        if counted is not None:
            text = "SELECT coalesce(sum(c.number), 0)::bigint FROM {} AS d CROSS JOIN LATERAL {} AS c WHERE {}"
            return sql.SQL(text).format(self._sources.rows("D"), counted, _all(other))
        if rows == "O":
            text = "SELECT count(*) FROM {} AS d CROSS JOIN LATERAL {} AS o WHERE {}"
            return sql.SQL(text).format(self._sources.rows("D"), self._sources.values(own), _all(other))
        return sql.SQL("SELECT count(*) FROM {} AS d WHERE {}").format(self._sources.rows(rows), _all(other))

    def _apart(self, links: list[tuple[sql.Composable, bool]]) -> tuple[list[sql.Composable], list[sql.Composable]]:
        """Conditions on values, and on what they are of."""
        both = [*links, *((term.sql, term.own) for term in self._terms)]
        return [text for text, own in both if own], [text for text, own in both if not own]

    def _equal(self, name: str, value: sql.Composable) -> tuple[sql.Composable, bool]:
        return sql.SQL("{} = {}").format(sql.SQL(COLUMNS[name]), value), name == "time"

    def _of_parents(self, by: Sequence[str]) -> list[tuple[sql.Composable, bool]]:
        return [self._equal(name, sql.SQL("k.{}").format(sql.Identifier(name))) for name in by]

    def _parents(self, by: Sequence[str], parents: Sequence[tuple[Any, ...]]) -> sql.Composable:
        lists = [self._bound.value([parent[at] for parent in parents], _LISTS[name]) for at, name in enumerate(by)]
        names = sql.SQL(", ").join(map(sql.Identifier, by))
        return sql.SQL("unnest({}) WITH ORDINALITY AS k ({}, n)").format(sql.SQL(", ").join(lists), names)

    def _behind(self, values: Sequence[Any]) -> sql.Composable:
        """The condition that a row comes after one of these order values."""
        ways: list[sql.Composable] = []
        same: list[sql.Composable] = []
        for order, value in zip(self._orders, values, strict=True):
            bound = self._bound.value(value, order.type)
            ways.append(_all([*same, _later(order, bound, value)]))
            same.append(sql.SQL("{} IS NOT DISTINCT FROM {}").format(order.sql, bound))
        found = sql.SQL("({})").format(sql.SQL(" OR ").join(sql.SQL("({})").format(way) for way in ways))
        first = self._orders[0]
        if first.own and first.type == "timestamptz":  # what the index can begin at
            mark = sql.SQL("<=" if first.falls else ">=")
            bound = self._bound.value(values[0], first.type)
            found = sql.SQL("({} {} {} AND {})").format(first.sql, mark, bound, found)
        return found


_LISTS: dict[str, LiteralString] = {
    "station": "text[]", "layer": "text[]", "parameter": "text[]", "series": "integer[]", "time": "timestamptz[]"
}  # fmt: skip


def _later(order: _Ordered, bound: sql.Composable, value: Any) -> sql.Composable:
    """Nulls come last where values rise and first where they fall, as the database has it."""
    if order.falls:
        return sql.SQL("{} IS NOT NULL" if value is None else "{} < {}").format(order.sql, bound)
    return sql.SQL("false" if value is None else "({0} > {1} OR {0} IS NULL)").format(order.sql, bound)


def _fits(value: Any, kind: str) -> bool:
    if kind == "timestamptz":
        try:
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            return False
    if kind == "text":
        return isinstance(value, str) and "\0" not in value
    return isinstance(value, int | float) and not isinstance(value, bool) and (kind != "integer" or abs(value) < 2**31)


def _order(orders: Sequence[_Ordered]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("{} DESC" if each.falls else "{} ASC").format(each.sql) for each in orders)


def _all(conditions: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")
