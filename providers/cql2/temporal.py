"""The temporal functions T_*.

Instants and intervals are compared by where they start and end, both ends inside, as CQL2 has it. Where one side
gives days and the other times, a day is the stretch from its first to its last moment in the city's time zone; two
instants are compared by the day, as `=` does. In INTERVAL(valid_from, valid_to) a missing `valid_to` is an open end;
any other missing end makes the result unknown.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from psycopg import sql

from shikong.providers.cql2 import literals
from shikong.providers.cql2.comparison import by_day
from shikong.providers.cql2.parse import Node
from shikong.providers.cql2.terms import SQL_TYPES, TEMPORAL, Kind, Scope, Term, bad, boolean

#: By start {0} and end {1} of the first operand, start {2} and end {3} of the second.
_FOR_ALL = {
    "t_after": "{0} > {3}",
    "t_before": "{1} < {2}",
    "t_disjoint": "{1} < {2} OR {0} > {3}",
    "t_equals": "{0} = {2} AND {1} = {3}",
    "t_intersects": "{0} <= {3} AND {1} >= {2}",
}
_FOR_INTERVALS = {
    "t_contains": "{0} < {2} AND {1} > {3}",
    "t_during": "{0} > {2} AND {1} < {3}",
    "t_finishedby": "{0} < {2} AND {1} = {3}",
    "t_finishes": "{0} > {2} AND {1} = {3}",
    "t_meets": "{1} = {2}",
    "t_metby": "{0} = {3}",
    "t_overlappedby": "{0} > {2} AND {0} < {3} AND {1} > {3}",
    "t_overlaps": "{0} < {2} AND {1} > {2} AND {1} < {3}",
    "t_startedby": "{0} = {2} AND {1} > {3}",
    "t_starts": "{0} = {2} AND {1} < {3}",
}
_FUNCTIONS = _FOR_ALL | _FOR_INTERVALS
OPERATORS = frozenset(_FUNCTIONS)


@dataclass(frozen=True)
class _Stretch:
    """An operand: its ends, None is open. instant: both are the same day or time."""

    start: Term | None
    end: Term | None
    instant: bool

    @property
    def kinds(self) -> set[Kind]:
        return {end.kind for end in (self.start, self.end) if end is not None}


def relate(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """A temporal predicate. Raises BadParameter."""
    operator = node["op"].lower()
    first, second = (_stretch(scope, node, term) for term in terms)
    if operator in _FOR_INTERVALS and (first.instant or second.instant):
        raise bad(node, f"{node['op']} is for intervals only", ["INTERVAL('2024-01-01', '2024-12-31')", *_FOR_ALL])
    kinds = first.kinds | second.kinds
    if first.instant and second.instant and len(kinds) == 2:
        first, second = _by_day(scope, first), _by_day(scope, second)
        kinds = {"date"}
    kind: Kind = "date" if kinds == {"date"} else "timestamp"
    ends = [end for stretch in (first, second) for end in _ends(scope, node, stretch, kind)]
    return boolean(node, _FUNCTIONS[operator], *ends)


def _stretch(scope: Scope, node: Node, term: Term) -> _Stretch:
    if term.kind == "interval":
        start, end = (end and _temporal(scope, node, end) for end in term.items)
        if start and end and start.literal and end.literal and _later(scope, start, end):
            raise bad(term.node, "ends before it starts", ["INTERVAL('2024-01-01', '2024-12-31')"])
        return _Stretch(start, end, instant=False)
    term = _temporal(scope, node, term)
    return _Stretch(term, term, instant=True)


def _temporal(scope: Scope, node: Node, term: Term) -> Term:
    term = literals.instant(scope, term)
    if term.kind not in TEMPORAL:
        raise bad(node, f"{term.kind} is neither a date nor a time", ["DATE('2024-12-31')", "INTERVAL(start, end)"])
    return term


def _later(scope: Scope, start: Term, end: Term) -> bool:
    if start.kind == end.kind:
        return bool(start.value > end.value)
    return bool(by_day(scope, start).value > by_day(scope, end).value)


def _by_day(scope: Scope, instant: _Stretch) -> _Stretch:
    assert instant.start is not None
    day = by_day(scope, instant.start)
    return _Stretch(day, day, instant=True)


def _ends(scope: Scope, node: Node, stretch: _Stretch, kind: Kind) -> tuple[sql.Composable, sql.Composable]:
    start: sql.Composable = sql.SQL("'-infinity'::{}").format(SQL_TYPES[kind])
    end: sql.Composable = sql.SQL("'infinity'::{}").format(SQL_TYPES[kind])
    if stretch.start is not None:
        start = scope.write(_first(scope, stretch.start) if kind == "timestamp" else stretch.start)
    if stretch.end is not None:
        found = scope.write(_last(scope, stretch.end) if kind == "timestamp" else stretch.end)
        open_end = stretch.end.node == {"property": "valid_to"} and not stretch.instant
        end = sql.SQL("coalesce({}, {})").format(found, end) if open_end else found
    return start, end


def _first(scope: Scope, term: Term) -> Term:
    """The first moment of a day; times as they are."""
    if term.kind == "timestamp":
        return term
    if term.literal:
        return Term("timestamp", term.node, value=literals.first_moment(scope, term.value))
    zone = sql.Literal(scope.zone.key)
    return Term("timestamp", term.node, sql.SQL("({}::timestamp AT TIME ZONE {})").format(scope.write(term), zone))


def _last(scope: Scope, term: Term) -> Term:
    """The last moment of a day; times as they are."""
    if term.kind == "timestamp":
        return term
    if term.literal:
        following = literals.first_moment(scope, literals.next_day(term.value))
        return Term("timestamp", term.node, value=following - timedelta(microseconds=1))
    text = "(({}::timestamp + '1 day') AT TIME ZONE {} - interval '1 microsecond')"
    return Term("timestamp", term.node, sql.SQL(text).format(scope.write(term), sql.Literal(scope.zone.key)))
