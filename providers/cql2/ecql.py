"""What stock pygeoapi has read of a `filter`, as a CQL2 tree.

pygeoapi reads ECQL with pygeofilter and hands over that library's tree, geometries in the axis order of the storage
CRS. What both languages have is translated; the rest is refused. The server's own Features block reads CQL2 itself.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from pygeofilter import ast, values

from shikong.providers.cql2.parse import Node
from shikong.providers.errors import BadParameter

_TIMES = {
    "DISJOINT": "t_disjoint", "AFTER": "t_after", "BEFORE": "t_before", "BEGINS": "t_starts", "BEGUNBY": "t_startedby",
    "TCONTAINS": "t_contains", "DURING": "t_during", "ENDEDBY": "t_finishedby", "ENDS": "t_finishes",
    "TEQUALS": "t_equals", "MEETS": "t_meets", "METBY": "t_metby", "TOVERLAPS": "t_overlaps",
    "OVERLAPPEDBY": "t_overlappedby",
}  # fmt: skip


def tree(node: Any) -> Node:
    """A tree of pygeofilter as one of CQL2, geometries as they are. Raises BadParameter for what CQL2 has not."""
    for kind, translate in _TRANSLATIONS.items():
        if isinstance(node, kind):
            return translate(node)
    raise BadParameter("filter", f"{type(node).__name__} is not among what can be asked here", ["CQL2"])


def _op(name: str, *args: Any) -> Node:
    return {"op": name, "args": [tree(arg) for arg in args]}


def _negated(node: Any, found: Node) -> Node:
    return {"op": "not", "args": [found]} if node.not_ else found


def _like(node: ast.Like) -> Node:
    if (node.wildcard, node.singlechar, node.escapechar) not in (("%", "_", "\\"), ("%", ".", "\\"), ("%", "_", None)):
        raise BadParameter("filter", "LIKE has wildcards of its own", ["% and _"])
    args = [tree(node.lhs), node.pattern]
    folded = [{"op": "casei", "args": [arg]} for arg in args] if node.nocase else args
    return _negated(node, {"op": "like", "args": folded})


def _times(node: ast.TemporalPredicate) -> Node:
    if node.op.name not in _TIMES:
        raise BadParameter("filter", f"{node.op.value} is not in CQL2", sorted(_TIMES))
    return _op(_TIMES[node.op.name], node.lhs, node.rhs)


def _moment(node: datetime) -> Node:
    return {"timestamp": node.isoformat(timespec="seconds")}


def _box(node: ast.BBox) -> Node:
    """pygeoapi leaves boxes as they came, longitude first."""
    box = [float(value) for value in (node.miny, node.minx, node.maxy, node.maxx)]
    return {"op": "s_intersects", "args": [tree(node.lhs), {"bbox": box}]}


def _end(node: Any) -> Node:
    """An end of an interval: a property, or a text."""
    if node is None:
        return ".."
    found = tree(node)
    return found if "property" in found else next(iter(found.values()))


#: From the classes of pygeofilter; the first that fits counts.
_TRANSLATIONS: dict[Any, Callable[[Any], Node]] = {
    ast.Combination: lambda node: _op(node.op.value.lower(), node.lhs, node.rhs),
    ast.Not: lambda node: _op("not", node.sub_node),
    ast.Comparison: lambda node: _op(node.op.value, node.lhs, node.rhs),
    ast.Between: lambda node: _negated(node, _op("between", node.lhs, node.low, node.high)),
    ast.Like: _like,
    ast.In: lambda node: _negated(
        node, {"op": "in", "args": [tree(node.lhs), [tree(item) for item in node.sub_nodes]]}
    ),
    ast.IsNull: lambda node: _negated(node, _op("isNull", node.lhs)),
    ast.SpatialComparisonPredicate: lambda node: _op(f"s_{node.op.value.lower()}", node.lhs, node.rhs),
    ast.BBox: _box,
    ast.TemporalPredicate: _times,
    ast.Arithmetic: lambda node: _op(node.op.value, node.lhs, node.rhs),
    ast.Function: lambda node: _op(node.name, *node.arguments),
    ast.Attribute: lambda node: {"property": node.name},
    values.Geometry: lambda node: {key: value for key, value in node.geometry.items() if key != "crs"},
    values.Interval: lambda node: {"interval": [_end(node.start), _end(node.end)]},
    datetime: _moment,
    date: lambda node: {"date": node.isoformat()},
    (bool, str): lambda node: node,
    (int, float): float,
}
