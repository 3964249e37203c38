"""The array functions A_*, which compare arrays as sets. No layer has fields that are arrays: both are written out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from psycopg import sql

from shikong.providers.cql2.parse import Node
from shikong.providers.cql2.terms import NUMERIC, SCALAR, SQL_TYPES, Kind, Scope, Term, bad, boolean

_FUNCTIONS = {
    "a_equals": "{0} @> {1} AND {0} <@ {1}",
    "a_contains": "{} @> {}",
    "a_containedby": "{} <@ {}",
    "a_overlaps": "{} && {}",
}
OPERATORS = frozenset(_FUNCTIONS)


def relate(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """A predicate on arrays. Raises BadParameter."""
    found: set[Kind] = set()
    for term in terms:
        if term.kind != "array":
            raise bad(node, f"{term.kind} is not an array", ["('a', 'b')", "(field, other_field)"])
        found |= {item.kind for item in term.items if item is not None}
    if not found <= SCALAR or not (len(found) <= 1 or found <= NUMERIC):
        raise bad(node, f"mixes {', '.join(sorted(found))}", ["values of one type"])
    kind: Kind = "number" if len(found) > 1 else next(iter(found), "string")
    arrays = [_array(scope, term, kind) for term in terms]
    return boolean(node, _FUNCTIONS[node["op"].lower()], *arrays)


def _array(scope: Scope, term: Term, kind: Kind) -> sql.Composable:
    items = [scope.write(item, kind) for item in term.items if item is not None]
    return sql.SQL("ARRAY[{}]::{}[]").format(sql.SQL(", ").join(items), SQL_TYPES[kind])
