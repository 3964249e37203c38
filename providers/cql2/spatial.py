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
OPERATORS = frozenset(_FUNCTIONS)


def relate(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """A spatial predicate. Raises BadParameter."""
    operator = node["op"].lower()
    for term in terms:
        if term.kind != "geometry":
            raise bad(node, f"{term.kind} is not a geometry", ["geometry", "POINT(115.98 36.45)", "BBOX(w,s,e,n)"])
    if operator not in ("s_intersects", "s_disjoint"):
        terms = tuple(_without_collection(node, term) for term in terms)
    return boolean(node, _FUNCTIONS[operator], *(scope.write(term) for term in terms))


def _without_collection(node: Node, term: Term) -> Term:
    """A collection as the union of its members: PostGIS relates no collections. Raises BadParameter."""
    if not term.literal or term.value.geom_type != "GeometryCollection":
        return term
    try:
        whole = shapely.union_all(term.value.geoms)
    except shapely.errors.GEOSException as error:
        raise bad(node, f"is not a valid geometry: {error}") from error
    if whole.geom_type == "GeometryCollection":
        raise bad(node, "mixes points, lines and areas", ["a collection of one kind", "S_INTERSECTS", "S_DISJOINT"])
    return replace(term, value=whole)
