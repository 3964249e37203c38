"""Comparisons: = <> < <= > >=, LIKE, BETWEEN, IN, IS NULL.

A day and a time are compared by the day in the city's time zone: `starts = DATE('2024-06-30')` is the whole day.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from psycopg import sql

from shikong.providers.cql2 import literals
from shikong.providers.cql2.parse import Node
from shikong.providers.cql2.terms import NUMERIC, SCALAR, TEMPORAL, Kind, Scope, Term, bad, boolean

_MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
OPERATORS = frozenset(_MIRRORED)

#: A time against a day, told by the day's first moment {1} and the next day's {2}, so that an index on {0} can serve.
_BY_DAY = {
    "=": "{0} >= {1} AND {0} < {2}", "<>": "{0} < {1} OR {0} >= {2}",
    "<": "{0} < {1}", "<=": "{0} < {2}", ">": "{0} >= {2}", ">=": "{0} >= {1}",
}  # fmt: skip


def compare(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """A comparison of two scalars. Raises BadParameter when they are not of one kind."""
    return _compare(scope, node, node["op"], *terms)


def _compare(scope: Scope, node: Node, operator: str, left: Term, right: Term) -> Term:
    left, right = _alike(scope, node, left, right)
    if left.kind == "timestamp" and right.kind == "date" and right.literal:
        day = right.value
        begins = Term("timestamp", node, value=literals.first_moment(scope, day))
        ends = Term("timestamp", node, value=literals.first_moment(scope, literals.next_day(day)))
        return boolean(node, _BY_DAY[operator], scope.write(left), scope.write(begins), scope.write(ends))
    if right.kind == "timestamp" and left.kind == "date" and left.literal:
        return _compare(scope, node, _MIRRORED[operator], right, left)
    if left.kind != right.kind and left.kind in TEMPORAL:
        left, right = by_day(scope, left), by_day(scope, right)
    kind = common_kind(left, right)
    return boolean(node, "{} {} {}", scope.write(left, kind), sql.SQL(operator), scope.write(right, kind))


def by_day(scope: Scope, term: Term) -> Term:
    """A time as the day in the city; days as they are."""
    if term.kind == "date":
        return term
    if term.literal:
        return Term("date", term.node, value=term.value.astimezone(scope.zone).date())
    zone = sql.Literal(scope.zone.key)
    return Term("date", term.node, sql.SQL("({} AT TIME ZONE {})::date").format(scope.write(term), zone))


def common_kind(left: Term, right: Term) -> Kind:
    """The kind in which two terms that can be compared are compared."""
    return "number" if "number" in (left.kind, right.kind) else left.kind


def _alike(scope: Scope, node: Node, left: Term, right: Term) -> tuple[Term, Term]:
    """Both sides, texts read as days or times where the other side is one. Raises BadParameter."""
    if right.kind in TEMPORAL:
        left = literals.instant(scope, left)
    elif left.kind in TEMPORAL:
        right = literals.instant(scope, right)
    for one, other in ((left, right), (right, left)):
        if one.kind not in SCALAR:
            raise bad(node, f"{one.kind} cannot be compared by {node['op']}", ["S_EQUALS", "T_EQUALS", "A_EQUALS"])
        if one.kind == "integer" and other.literal and other.kind == "number" and abs(other.value) >= literals.EXACT:
            raise bad(node, "whole numbers are exact below 9007199254740992 only")
    if left.kind != right.kind and not any({left.kind, right.kind} <= kinds for kinds in (NUMERIC, TEMPORAL)):
        raise bad(node, f"compares {left.kind} with {right.kind}", [f"two of {left.kind}", f"two of {right.kind}"])
    return left, right


def like(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """LIKE. Raises BadParameter."""
    left, pattern = terms
    for term in terms:
        if term.kind != "string":
            raise bad(node, f"LIKE is for text, not {term.kind}", ["a field of type string", "'pattern%'"])
    inner = pattern.node
    while isinstance(inner, dict) and str(inner.get("op")).lower() in ("casei", "accenti"):
        inner = inner["args"][0]
    if not isinstance(inner, str):
        raise bad(node, "the pattern of LIKE is a text", ["'a%'", "CASEI('a%')"])
    if (len(inner) - len(inner.rstrip("\\"))) % 2:
        raise bad(node, "the pattern ends with its escape character", ["\\\\\\\\ for one backslash"])
    return boolean(node, "{} LIKE {}", scope.write(left), scope.write(pattern))


def between(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """BETWEEN, both ends inside. Raises BadParameter."""
    value, low, high = terms
    above, below = _compare(scope, node, ">=", value, low), _compare(scope, node, "<=", value, high)
    return boolean(node, "{} AND {}", scope.write(above), scope.write(below))


def among(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """IN. Raises BadParameter."""
    value, listed = terms
    if listed.kind != "array" or not listed.items:
        raise bad(node, "IN needs a list of values", ["IN ('a', 'b')"])
    pairs = [_alike(scope, node, value, item) for item in listed.items if item is not None]
    kinds = {item.kind for _, item in pairs} | {value.kind}
    if (len(kinds) == 1 or kinds <= NUMERIC) and not value.literal and all(item.literal for _, item in pairs):
        kind: Kind = "number" if "number" in kinds else value.kind
        return boolean(
            node, "{} = ANY({})", scope.write(value), scope.write_list([item.value for _, item in pairs], kind)
        )
    equals = [scope.write(_compare(scope, node, "=", *pair)) for pair in pairs]
    return boolean(node, "{}", sql.SQL(" OR ").join(equals))


def is_null(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """IS NULL. Raises BadParameter."""
    (term,) = terms
    if term.kind in ("array", "interval"):
        raise bad(node, f"an {term.kind} is never null", ["a property"])
    return boolean(node, "({}) IS NULL", scope.write(term))
