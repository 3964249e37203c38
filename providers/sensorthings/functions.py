"""Functions that `$filter` and `$orderby` may call.

Times of day and days are those of UTC; distances are metres on the ellipsoid.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from shikong.providers.sensorthings.syntax import Kind


@dataclass(frozen=True)
class Function:
    """A function: the kinds that it takes, the kind that it gives, and its SQL."""

    takes: tuple[Kind, ...]
    gives: Kind
    sql: LiteralString


def _part(name: LiteralString) -> Function:
    return Function(("time",), "number", "extract(" + name + " FROM {0} AT TIME ZONE 'UTC')::float8")


def _shapes(name: LiteralString) -> Function:
    return Function(("geo", "geo"), "flag", name + "({0}, {1})")


FUNCTIONS = {
    "startswith": Function(("text", "text"), "flag", "starts_with({0}, {1})"),
    "endswith": Function(("text", "text"), "flag", "(right({0}, length({1})) = {1})"),
    "contains": Function(("text", "text"), "flag", "(strpos({0}, {1}) > 0)"),
    "substringof": Function(("text", "text"), "flag", "(strpos({1}, {0}) > 0)"),
    "indexof": Function(("text", "text"), "number", "(strpos({0}, {1}) - 1)::float8"),
    "length": Function(("text",), "number", "length({0})::float8"),
    "tolower": Function(("text",), "text", "lower({0})"),
    "toupper": Function(("text",), "text", "upper({0})"),
    "trim": Function(("text",), "text", "btrim({0})"),
    "concat": Function(("text", "text"), "text", "({0} || {1})"),
    "year": _part("year"), "month": _part("month"), "day": _part("day"), "hour": _part("hour"),
    "minute": _part("minute"), "second": _part("second"),
    "date": Function(("time",), "time", "date_trunc('day', {0}, 'UTC')"),
    "now": Function((), "time", "now()"),
    "round": Function(("number",), "number", "round({0})"),
    "floor": Function(("number",), "number", "floor({0})"),
    "ceiling": Function(("number",), "number", "ceil({0})"),
    "geo.distance": Function(("geo", "geo"), "number", "st_distance({0}::geography, {1}::geography)"),
    "geo.intersects": _shapes("st_intersects"),
    "st_intersects": _shapes("st_intersects"), "st_within": _shapes("st_within"),
    "st_contains": _shapes("st_contains"), "st_disjoint": _shapes("st_disjoint"), "st_equals": _shapes("st_equals"),
}  # fmt: skip
