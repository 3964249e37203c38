"""The functions that a filter may call, besides those of CQL2 itself: nothing else of the database can be reached.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from shikong.layers.declared import Text
from shikong.providers.cql2.parse import Node
from shikong.providers.cql2.terms import NUMERIC, Kind, Scope, Term, bad

#: Letters without their marks: taken apart (NFD), the marks of European scripts left out, put together again.
#: Japanese voicing marks are others and stay, as CQL2 recommends.
_UNACCENTED = r"normalize(regexp_replace(normalize({}, NFD), '[\u0300-\u036f]+', '', 'g'), NFC)"

#: CQL2's own functions of text. Through capitals first, so that both small sigmas are one.
_OF_TEXT = {"casei": "lower(upper({}))", "accenti": _UNACCENTED}


@dataclass(frozen=True)
class Function:
    """One function: the kinds of its arguments, the kind of its value, its SQL."""

    args: tuple[Kind, ...]
    returns: Kind
    sql: str
    title: Text


FUNCTIONS: dict[str, Function] = {
    "lower": Function(("string",), "string", "lower({})", Text(zh="转小写", en="Text in small letters")),
    "upper": Function(("string",), "string", "upper({})", Text(zh="转大写", en="Text in capital letters")),
    "length": Function(("string",), "integer", "length({})::bigint", Text(zh="字符数", en="Number of characters")),
    "abs": Function(("number",), "number", "abs({})", Text(zh="绝对值", en="Absolute value")),
    "floor": Function(("number",), "number", "floor({})", Text(zh="向下取整", en="Largest whole number not above")),
    "ceil": Function(("number",), "number", "ceil({})", Text(zh="向上取整", en="Smallest whole number not below")),
    "area": Function(
        ("geometry",), "number", "st_area({}::geography)",
        Text(zh="椭球面积（平方米）", en="Area on the ellipsoid, square metres"),
    ),
    "perimeter": Function(
        ("geometry",), "number", "st_perimeter({}::geography)",
        Text(zh="椭球周长（米）", en="Perimeter on the ellipsoid, metres"),
    ),
    "buffer": Function(
        ("geometry", "number"), "geometry", "st_setsrid(st_buffer({}::geography, {})::geometry, 4490)",
        Text(zh="缓冲区，距离以米计", en="What lies within a distance in metres"),
    ),
    "centroid": Function(("geometry",), "geometry", "st_centroid({})", Text(zh="质心", en="Centre of mass")),
}  # fmt: skip

_PUBLIC: dict[Kind, str] = {"date": "datetime", "timestamp": "datetime"}


def fold(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """CASEI or ACCENTI. Raises BadParameter."""
    (term,) = terms
    if term.kind != "string":
        raise bad(node, f"is for text, not {term.kind}", ["a field of type string", "'text'"])
    return Term("string", node, sql.SQL(_OF_TEXT[node["op"].lower()]).format(scope.write(term)))


def require_known(node: Node) -> None:
    """Raise BadParameter, naming those that there are, for a function of another name."""
    if node["op"].lower() not in FUNCTIONS:
        raise bad(node, f"there is no function {node['op']!r}", sorted(FUNCTIONS))


def call(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """A function of the list. Raises BadParameter when its arguments are wrong."""
    name = node["op"]
    function = FUNCTIONS[name.lower()]
    wanted = f"{name}({', '.join(function.args)})"
    if len(terms) != len(function.args):
        raise bad(node, f"{name} has {len(function.args)} arguments, {len(terms)} are given", [wanted])
    for term, kind in zip(terms, function.args, strict=True):
        if term.kind != kind and not {term.kind, kind} <= NUMERIC:
            raise bad(node, f"{name} is for {kind}, not {term.kind}", [wanted])
    parts = [scope.write(term, kind) for term, kind in zip(terms, function.args, strict=True)]
    return Term(function.returns, node, sql.SQL(function.sql).format(*parts))


def description() -> dict[str, Any]:
    """What /functions tells of them."""
    return {
        "functions": [
            {
                "name": name,
                "description": f"{function.title.zh} / {function.title.en}",
                "args": [{"type": [_PUBLIC.get(kind, kind)]} for kind in function.args],
                "returns": [_PUBLIC.get(function.returns, function.returns)],
            }
            for name, function in FUNCTIONS.items()
        ]
    }
