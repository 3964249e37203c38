"""A filter as SQL: the tree gone through from its leaves, each part typed and checked against the layer.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql

from shikong.layers.model import Layer
from shikong.providers.cql2 import arithmetic, arrays, comparison, functions, literals, spatial, temporal
from shikong.providers.cql2.parse import Language, Node, parse, require_bounded
from shikong.providers.cql2.terms import TABLE, Scope, Term, bad, boolean, kinds
from shikong.providers.crs import Box, ServedCrs

_ANY_BOX: Box = (0.0, 0.0, 0.0, 0.0)

#: Longer filters are compiled anew each time: they would fill the memory.
KEPT_LENGTH = 4096

Handler = Callable[[Scope, Node, tuple[Term, ...]], Term]


@dataclass(frozen=True)
class Filter:
    """A filter as a condition in SQL on the table `s`, and the values of its placeholders cql0, cql1, ...

    bounds: west, south, east, north that the geometry of all that it selects must meet; None where that is not known.
    """

    text: str
    values: tuple[Any, ...] = ()
    bounds: Box | None = None

    @property
    def shape(self) -> Filter:
        """The same filter with its values blanked: all that its SQL depends on."""
        return Filter(self.text, (), _ANY_BOX if self.bounds else None)

    @property
    def condition(self) -> sql.Composable:
        """The condition, to stand in a query whose table is named `s`."""
        return sql.SQL(self.text)

    @property
    def params(self) -> dict[str, Any]:
        """The values by the names of their placeholders."""
        return {f"cql{number}": value for number, value in enumerate(self.values)}


def compile_filter(layer: Layer, text: str, lang: Language, crs: ServedCrs, timezone: str) -> Filter:
    """A filter in a language, geometries in a CRS, for a layer's table. Raises BadParameter, naming the part."""
    compiled = _kept if len(text) <= KEPT_LENGTH else _compiled
    return compiled(layer, text, lang, crs, timezone)


def _compiled(layer: Layer, text: str, lang: Language, crs: ServedCrs, timezone: str) -> Filter:
    return compile_tree(layer, parse(text, lang), crs, timezone)


def compile_tree(layer: Layer, tree: Node, crs: ServedCrs, timezone: str) -> Filter:
    """A filter that has been read already. Raises BadParameter, naming the part, and for what is too large."""
    require_bounded(tree)
    scope = Scope(kinds(layer), crs, ZoneInfo(timezone))
    term = _term(scope, tree)
    if term.kind != "boolean":
        raise bad(term.node, f"is {term.kind}, not a condition", ["field = 'value'", "S_INTERSECTS(geometry, ...)"])
    return Filter(scope.write(term).as_string(None), tuple(scope.values), term.bounds)


#: Compiling takes as long as many a page; a client that follows `next` links sends the same filter again and again.
_kept = lru_cache(maxsize=512)(_compiled)


def _term(scope: Scope, node: Node) -> Term:
    """A part and all that is in it; parse.py bounds how deep that goes. Raises BadParameter."""
    if isinstance(node, dict):
        return _operation(scope, node) if "op" in node else _object(scope, node)
    if isinstance(node, list):
        return Term("array", node, items=tuple(_term(scope, item) for item in node))
    if isinstance(node, bool):
        return Term("boolean", node, value=node)
    if isinstance(node, str):
        return literals.text(node)
    if node is None:
        raise bad(node, "is no value to compare with; use IS NULL", ["field IS NULL"])
    return literals.number(node)


def _object(scope: Scope, node: dict[str, Any]) -> Term:
    if "property" in node:
        return _property(scope, node)
    if "date" in node:
        return literals.day(node, node["date"])
    if "timestamp" in node:
        return literals.moment(scope, node, node["timestamp"])
    if "bbox" in node:
        return literals.box(scope, node)
    if "interval" in node:
        ends = node["interval"]
        if not isinstance(ends, list) or len(ends) != 2:
            raise bad(node, "an interval has two ends", ["INTERVAL('2024-01-01', '..')"])
        return Term("interval", node, items=tuple(None if end == ".." else _term(scope, end) for end in ends))
    return literals.geometry(scope, node)


def _property(scope: Scope, node: dict[str, Any]) -> Term:
    name = node["property"]
    kind = scope.kinds.get(name)
    if kind is None:
        close = difflib.get_close_matches(name, scope.kinds, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise bad(node, f"there is no such property here{hint}", sorted(scope.kinds))
    return Term(kind, node, sql.Identifier(TABLE, "geom" if kind == "geometry" else name))


def _operation(scope: Scope, node: dict[str, Any]) -> Term:
    name, args = node["op"].lower(), node["args"]
    if name not in _HANDLERS:
        functions.require_known(node)
    handler, count = _HANDLERS.get(name, (functions.call, None))
    if count is not None and len(args) != count:
        raise bad(node, f"{node['op']} has {count} operands, {len(args)} are given")
    return handler(scope, node, tuple(_term(scope, arg) for arg in args))


def _logical(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    if len(terms) < 2:
        raise bad(node, f"{node['op']} has two operands or more")
    parts = [_condition(scope, node, term) for term in terms]
    both = node["op"].lower() == "and"
    found = boolean(node, "{}", sql.SQL(" AND " if both else " OR ").join(parts))
    places = [term.bounds for term in terms if term.bounds is not None]
    return replace(found, bounds=places[0]) if both and places else found


def _negation(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    return boolean(node, "NOT {}", _condition(scope, node, terms[0]))


def _condition(scope: Scope, node: Node, term: Term) -> sql.Composable:
    if term.kind != "boolean":
        raise bad(node, f"{term.kind} is not a condition", ["conditions such as field = 'value'"])
    return scope.write(term)


_HANDLERS: dict[str, tuple[Handler, int | None]] = {
    "and": (_logical, None),
    "or": (_logical, None),
    "not": (_negation, 1),
    "like": (comparison.like, 2),
    "between": (comparison.between, 3),
    "in": (comparison.among, 2),
    "isnull": (comparison.is_null, 1),
    "casei": (functions.fold, 1),
    "accenti": (functions.fold, 1),
    **{name: (comparison.compare, 2) for name in comparison.OPERATORS},
    **{name: (arithmetic.calculate, 2) for name in arithmetic.OPERATORS},
    **{name: (spatial.relate, 2) for name in spatial.OPERATORS},
    **{name: (temporal.relate, 2) for name in temporal.OPERATORS},
    **{name: (arrays.relate, 2) for name in arrays.OPERATORS},
}
