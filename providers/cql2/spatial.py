"""The spatial functions S_*.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import replace

from shikong.providers.cql2.parse import Node
from shikong.providers.cql2.terms import Scope, Term, bad, boolean

_FUNCTIONS = {
    "s_intersects": "st_intersects({}, {})",
    "s_disjoint": "NOT st_intersects({}, {})",
    "s_equals": "st_equals({}, {})",
    "s_touches": "st_touches({}, {})",
    "s_within": "st_within({}, {})",
    "s_overlaps": "st_overlaps({}, {})",
    "s_crosses": "st_crosses({}, {})",
    "s_contains": "st_contains({}, {})",
}
OPERATORS = frozenset(_FUNCTIONS)


def relate(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """A spatial predicate. Raises BadParameter."""
    for term in terms:
        if term.kind != "geometry":
            raise bad(node, f"{term.kind} is not a geometry", ["geometry", "POINT(115.98 36.45)", "BBOX(w,s,e,n)"])
    operator = node["op"].lower()
    found = boolean(node, _FUNCTIONS[operator], *(scope.write(term) for term in terms))
    places = [term.value for term in terms if term.literal]
    properties = [term for term in terms if term.node == {"property": "geometry"}]
    if operator == "s_disjoint" or len(places) != 1 or len(properties) != 1:
        return found
    return replace(found, bounds=tuple(places[0].bounds))
