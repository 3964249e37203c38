"""The spatial functions S_*.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import replace

import shapely

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
#: S_INTERSECTS with a box: the middle term spares the exact test for shapes whose box lies wholly inside.
_IN_BOX = "{0} && {1} AND ({0} @ {1} OR st_intersects({0}, {1}))"
OPERATORS = frozenset(_FUNCTIONS)


def relate(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """A spatial predicate. Raises BadParameter."""
    for term in terms:
        if term.kind != "geometry":
            raise bad(node, f"{term.kind} is not a geometry", ["geometry", "POINT(115.98 36.45)", "BBOX(w,s,e,n)"])
    operator = node["op"].lower()
    places = [term for term in terms if term.literal]
    properties = [term for term in terms if term.node == {"property": "geometry"}]
    if operator == "s_disjoint" or len(places) != 1 or len(properties) != 1:
        return boolean(node, _FUNCTIONS[operator], *(scope.write(term) for term in terms))
    place = places[0].value
    if operator == "s_intersects" and place.equals_exact(shapely.box(*place.bounds), normalize=True):
        found = boolean(node, _IN_BOX, scope.write(properties[0]), scope.write(places[0]))
    else:
        found = boolean(node, _FUNCTIONS[operator], *(scope.write(term) for term in terms))
    return replace(found, bounds=tuple(place.bounds))
