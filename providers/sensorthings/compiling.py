"""Trees of `$filter` and `$orderby` to SQL: only listed properties and functions, values bound.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import shapely
from psycopg import sql

from shikong.providers.errors import BadParameter
from shikong.providers.sensorthings.entities import COLUMNS, ENTITIES, Entity, Relation
from shikong.providers.sensorthings.functions import FUNCTIONS
from shikong.providers.sensorthings.sources import Bound, Sources
from shikong.providers.sensorthings.syntax import COMPARISONS, Binary, Call, Constant, Kind, Logic, Node, Path

_OPERATORS: dict[str, LiteralString] = {
    "eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "add": "+", "sub": "-", "mul": "*",
}  # fmt: skip
_TYPES: dict[Kind, LiteralString] = {
    "text": "text", "number": "float8", "time": "timestamptz", "duration": "interval", "flag": "boolean", "null": "text"
}  # fmt: skip
_TURNED = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq", "ne": "ne"}
_FIELD_KINDS: dict[str, tuple[Kind, LiteralString]] = {
    "string": ("text", "(d.fields ->> {})"), "integer": ("number", "(d.fields ->> {})::float8"),
    "number": ("number", "(d.fields ->> {})::float8"), "boolean": ("flag", "(d.fields ->> {})::boolean"),
}  # fmt: skip


@dataclass(frozen=True)
class Term:
    """A value in SQL. own: whether it needs a row of values (`o`). through: a relation to many that it goes through."""

    sql: sql.Composable
    kind: Kind
    own: bool = False
    through: Relation | None = None
    constant: Constant | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Compiler:
    """Compiles for one entity. option: what the text is of, for faults."""

    entity: Entity
    sources: Sources
    bound: Bound
    option: str = "$filter"

    def conditions(self, node: Node) -> list[Term]:
        """Conditions, all of which must hold; apart, so that each can stand as early as its rows allow."""
        if isinstance(node, Logic) and node.op == "and":
            return [term for part in node.parts for term in self.conditions(part)]
        return [self._condition(node)]

    def _condition(self, node: Node) -> Term:
        if isinstance(node, Logic):
            parts = [self._condition(part) for part in node.parts]
            own = any(part.own for part in parts)
            if node.op == "not":
                return Term(sql.SQL("(NOT coalesce({}, false))").format(parts[0].sql), "flag", own)
            joint = sql.SQL(" OR " if node.op == "or" else " AND ")
            return Term(sql.SQL("({})").format(joint.join(part.sql for part in parts)), "flag", own)
        term = self.value(node)
        if term.kind != "flag":
            raise self._fault(node, f"is a {term.kind}, no condition", ["a comparison such as name eq 'x'"])
        return self._any(term)

    def _any(self, term: Term) -> Term:
        """A condition on any of many related."""
        if term.through is None:
            return term
        by = sql.SQL(" AND ").join(
            sql.SQL("d.{0} = one.{0}").format(sql.Identifier(name)) for name in term.through.by
        )  # fmt: skip
        this = sql.SQL(", ").join(sql.SQL("{} AS {}").format(sql.SQL(COLUMNS[name]), sql.Identifier(name))
                                  for name in term.through.by)  # fmt: skip
        text = "EXISTS (SELECT FROM (SELECT {this}) AS one JOIN {rows} AS d ON {by} WHERE {condition})"
        rows = self.sources.rows("D")
        return Term(sql.SQL(text).format(this=this, rows=rows, by=by, condition=term.sql), "flag")

    def value(self, node: Node) -> Term:
        """A value. Raises BadParameter."""
        match node:
            case Constant():
                return self._constant(node)
            case Path():
                return self._path(node)
            case Call():
                return self._call(node)
            case Binary():
                return self._compared(node) if node.op in COMPARISONS else self._reckoned(node)
            case _:
                return self._condition(node)

    def _constant(self, node: Constant) -> Term:
        if node.kind == "geo":
            return Term(self.bound.shape(self._shape(node)), "geo", constant=node)
        return Term(self.bound.value(node.value, _TYPES[node.kind]), node.kind, constant=node)

    def _shape(self, node: Constant) -> str:
        allowed = ["geography'POINT(115.98 36.45)'", "geography'POLYGON((115 36,116 36,116 37,115 36))'"]
        try:
            shape = shapely.from_wkt(node.value)
        except shapely.errors.ShapelyError as error:
            raise self._fault(node, "is no shape", allowed) from error
        west, south, east, north = shape.bounds if not shape.is_empty else (999, 999, 999, 999)
        if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90 and shape.is_valid):
            raise self._fault(node, "is no shape on the earth, longitude first", allowed)
        return str(shapely.to_wkt(shapely.force_2d(shape), rounding_precision=12))

    def _path(self, node: Path) -> Term:
        entity, names, through = self.entity, node.names, None
        while len(names) > 1 and names[0] in entity.relations:
            relation = entity.relations[names[0]]
            if relation.many and (through is not None or relation.target == "Observations" or entity.rows == "O"):
                raise self._fault(node, f"goes through many {names[0]}; ask {relation.target} themselves",
                                  entity.properties)  # fmt: skip
            through = relation if relation.many and relation.target == "Datastreams" else through
            entity, names = ENTITIES[relation.target], names[1:]
        path = "/".join(names)
        path = "@iot.id" if path in ("id", "@iot.id") else path
        if path in entity.properties:
            known = entity.properties[path]
            return Term(sql.SQL(known.sql), known.kind, entity.rows == "O", through)
        if names[0] == "properties" and len(names) == 2 and entity.name == "Things":
            declared = self.sources.station_fields().get(names[1])
            if declared is not None:
                kind, text = _FIELD_KINDS.get(declared.type, _FIELD_KINDS["string"])
                return Term(sql.SQL(text).format(sql.Literal(names[1])), kind, False, through)
        raise self._fault(node, f"{'/'.join(node.names)[:60]!r} is no property of {self.entity.name}", [
            *entity.properties, *(f"{name}/…" for name in entity.relations),
            *(["properties/<field>"] if entity.name == "Things" else []),
        ])  # fmt: skip

    def _call(self, node: Call) -> Term:
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise self._fault(node, f"there is no function {node.name[:40]!r}", sorted(FUNCTIONS))
        if len(node.args) != len(function.takes):
            raise self._fault(node, f"{node.name} takes {len(function.takes)} values", [_signature(node.name)])
        args = [self.value(arg) for arg in node.args]
        for arg, kind in zip(args, function.takes, strict=True):
            if arg.kind != kind:
                raise self._fault(node, f"{node.name} takes a {kind}, not a {arg.kind}", [_signature(node.name)])
        return self._of(sql.SQL(function.sql).format(*(arg.sql for arg in args)), function.gives, *args)

    def _of(self, text: sql.Composable, kind: Kind, *parts: Term) -> Term:
        through = next((part.through for part in parts if part.through is not None), None)
        return Term(text, kind, any(part.own for part in parts), through)

    def _reckoned(self, node: Binary) -> Term:
        left, right = self.value(node.left), self.value(node.right)
        kinds = (left.kind, right.kind)
        if kinds == ("time", "duration") and node.op in ("add", "sub"):
            return self._of(self._joined(left, node.op, right), "time", left, right)
        if kinds != ("number", "number"):
            raise self._fault(node, f"{node.op} of a {kinds[0]} and a {kinds[1]}", ["numbers", "a time and a duration"])
        if node.op in ("div", "mod"):
            text = "({} / nullif({}, 0))" if node.op == "div" else "mod({}::numeric, nullif({}::numeric, 0))::float8"
            return self._of(sql.SQL(text).format(left.sql, right.sql), "number", left, right)
        return self._of(self._joined(left, node.op, right), "number", left, right)

    def _joined(self, left: Term, op: str, right: Term) -> sql.Composed:
        return sql.SQL("({} {} {})").format(left.sql, sql.SQL(_OPERATORS[op]), right.sql)

    def _compared(self, node: Binary) -> Term:
        if isinstance(node.left, Constant) and not isinstance(node.right, Constant):
            node = replace(node, left=node.right, right=node.left, op=_TURNED[node.op])
        if (sought := self._sought(node)) is not None:
            return sought
        left, right = self.value(node.left), self.value(node.right)
        if right.kind == "null" and node.op in ("eq", "ne"):
            text = "({} IS NULL)" if node.op == "eq" else "({} IS NOT NULL)"
            return self._of(sql.SQL(text).format(left.sql), "flag", left)
        if left.kind != right.kind or left.kind in ("geo", "null"):
            told = f"{node.op} of a {left.kind} and a {right.kind}"
            raise self._fault(node, told, ["two values of one kind; shapes by functions such as st_within"])
        if (stretch := self._stretch(node, right)) is not None:
            return stretch
        return self._of(self._joined(left, node.op, right), "flag", left, right)

    def _sought(self, node: Binary) -> Term | None:
        """An id told apart into its columns, which have indexes."""
        if not (node.op == "eq" and isinstance(node.left, Path) and isinstance(node.right, Constant)):
            return None
        if node.left.names[-1] not in ("id", "@iot.id") or node.right.kind not in ("text", "number"):
            return None
        term = self._path(node.left)
        entity = self.entity
        for name in node.left.names[:-1]:
            entity = ENTITIES[entity.relations[name].target]
        value = node.right.value
        key = entity.key_of(str(value) if node.right.kind == "text" else f"{value:.0f}")
        if key is None:
            return Term(sql.SQL("false"), "flag")
        parts = [sql.SQL("{} = {}").format(sql.SQL(COLUMNS[name]), self.bound.key(name, part))
                 for name, part in key.items()]  # fmt: skip
        return Term(sql.SQL("({})").format(sql.SQL(" AND ").join(parts)), "flag", term.own, term.through)

    def _stretch(self, node: Binary, right: Term) -> Term | None:
        """A year or a day of a time as a stretch of it, from its start to before its end, which an index knows."""
        call, constant = node.left, right.constant
        if not (isinstance(call, Call) and call.name in ("year", "date") and constant is not None):
            return None
        if node.op == "ne":
            return None
        ends = _year(constant.value) if call.name == "year" else _day(constant.value)
        if ends is None:
            return None
        time = self.value(call.args[0])
        first, last = (self.bound.value(end, "timestamptz") for end in ends)
        text = {"eq": "({0} >= {1} AND {0} < {2})", "ge": "({0} >= {1})", "gt": "({0} >= {2})",
                "lt": "({0} < {1})", "le": "({0} < {2})"}[node.op]  # fmt: skip
        return self._of(sql.SQL(text).format(time.sql, first, last), "flag", time)

    def orders(self, order: tuple[tuple[Node, bool], ...]) -> Iterator[tuple[Term, bool]]:
        """What to order by. Raises BadParameter."""
        for node, falls in order:
            if _moves(node):
                raise self._fault(node, "now() is another for each page", self.entity.properties)
            term = self.value(node)
            if term.through is not None or term.kind in ("geo", "null", "duration", "flag"):
                raise self._fault(node, "cannot be ordered by", self.entity.properties)
            yield term, falls

    def _fault(self, node: Node, problem: str, allowed: Any) -> BadParameter:
        return BadParameter(self.option, f"at {node.at}: {problem}", allowed)


def _moves(node: Node) -> bool:
    """Whether a value changes by itself."""
    match node:
        case Call("now"):
            return True
        case Call(_, parts) | Logic(_, parts):
            return any(map(_moves, parts))
        case Binary(_, left, right):
            return _moves(left) or _moves(right)
        case _:
            return False


def _year(value: Any) -> tuple[datetime, datetime] | None:
    if not 1 <= value < 9999 or value != int(value):
        return None
    return datetime(int(value), 1, 1, tzinfo=UTC), datetime(int(value) + 1, 1, 1, tzinfo=UTC)


def _day(value: datetime) -> tuple[datetime, datetime] | None:
    day = value.replace(hour=0, minute=0, second=0, microsecond=0)
    return (day, day + timedelta(days=1)) if day == value and day.year < 9999 else None


def _signature(name: str) -> str:
    return f"{name}({', '.join(FUNCTIONS[name].takes)})"
