"""What a part of a filter is once its type is known, and what a filter may name and binds.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

import shapely
from psycopg import sql

from shikong.layers.model import Layer
from shikong.providers.cql2.parse import Node, part
from shikong.providers.crs import Box, ServedCrs
from shikong.providers.errors import BadParameter
from shikong.store import tables

Kind = Literal["string", "integer", "number", "boolean", "date", "timestamp", "geometry", "interval", "array"]

SQL_TYPES: dict[Kind, sql.SQL] = {
    "string": sql.SQL("text"),
    "integer": sql.SQL("bigint"),
    "number": sql.SQL("double precision"),
    "boolean": sql.SQL("boolean"),
    "date": sql.SQL("date"),
    "timestamp": sql.SQL("timestamptz"),
}

NUMERIC: frozenset[Kind] = frozenset({"integer", "number"})
TEMPORAL: frozenset[Kind] = frozenset({"date", "timestamp"})
SCALAR: frozenset[Kind] = frozenset(SQL_TYPES)

#: The name under which a query must have the table that is filtered.
TABLE = "s"


@dataclass(frozen=True)
class Term:
    """A part with its type: a literal has `value`, an array or interval `items` (None is an open end), others `sql`.

    bounds: of a condition, the box (west, south, east, north) that the geometry of what it selects must meet.
    """

    kind: Kind
    node: Node
    sql: sql.Composable | None = None
    value: Any = None
    items: tuple[Term | None, ...] = ()
    bounds: Box | None = None

    @property
    def literal(self) -> bool:
        """Whether its value is known without the database."""
        return self.sql is None and not self.items


@dataclass
class Scope:
    """What a filter may name, and the values that it binds.

    crs: what the geometries in the filter are in. zone: the city's, in which a day begins and ends.
    """

    kinds: dict[str, Kind]
    crs: ServedCrs
    zone: ZoneInfo
    values: list[Any] = field(default_factory=list)

    def write(self, term: Term, kind: Kind | None = None) -> sql.Composable:
        """SQL for a term; a literal is bound as this kind."""
        if term.sql is not None:
            return term.sql
        if term.kind == "geometry":
            return sql.SQL("st_geomfromwkb({}, {})").format(
                self._placeholder(shapely.to_wkb(term.value)), sql.Literal(tables.SRID)
            )
        kind = kind or term.kind
        value = float(term.value) if kind == "number" else term.value
        return sql.SQL("{}::{}").format(self._placeholder(value), SQL_TYPES[kind])

    def write_list(self, values: Iterable[Any], kind: Kind) -> sql.Composable:
        """SQL for literals of one kind as one bound array."""
        found = [float(value) if kind == "number" else value for value in values]
        return sql.SQL("{}::{}[]").format(self._placeholder(found), SQL_TYPES[kind])

    def _placeholder(self, value: Any) -> sql.Placeholder:
        self.values.append(value)
        return sql.Placeholder(f"cql{len(self.values) - 1}")


def kinds(layer: Layer) -> dict[str, Kind]:
    """What a filter on a layer may name, and of what kind it is."""
    found: dict[str, Kind] = {"geometry": "geometry"}
    for name, declared in layer.fields.items():
        found[name] = "timestamp" if declared.type == "datetime" else declared.type
    found["origin"] = "string"
    if layer.versioned:
        found |= {"valid_from": "timestamp", "valid_to": "timestamp"}
    return found


def boolean(node: Node, text: str, *parts: sql.Composable) -> Term:
    """A predicate."""
    return Term("boolean", node, sql.SQL("({})").format(sql.SQL(text).format(*parts)))


def bad(node: Node, problem: str, allowed: Iterable[str] = ()) -> BadParameter:
    """The error for one part of a filter."""
    return BadParameter("filter", f"{part(node)}: {problem}", allowed)
