"""The values in a filter: numbers, texts, days, times and geometries, each checked before it is used.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from shikong.providers.cql2.parse import Node
from shikong.providers.cql2.terms import Scope, Term, bad

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_DAY_LIKE = ("DATE('2024-12-31')", "'2024-12-31'")
_TIME_LIKE = ("TIMESTAMP('2024-12-31T08:00:00Z')", "'2024-12-31T08:00:00Z'")

#: From here on a number that a filter gives may stand for several whole numbers.
EXACT = 2**53


def number(node: float) -> Term:
    """A number; a whole one that is exact is an integer. Raises BadParameter."""
    if not math.isfinite(node):
        raise bad(node, "is too large a number", ["a number up to 1.79e308"])
    if node == int(node) and abs(node) < EXACT:
        return Term("integer", node, value=int(node))
    return Term("number", node, value=float(node))


def text(node: str) -> Term:
    """A text. Raises BadParameter when PostgreSQL has no place for it."""
    if "\0" in node:
        raise bad(node.replace("\0", "?"), "has a NUL character", ["text without NUL"])
    return Term("string", node, value=node)


def day(node: Node, given: Any) -> Term:
    """A day. Raises BadParameter."""
    if not isinstance(given, str) or not _DAY.fullmatch(given):
        raise bad(node, "is not a date", _DAY_LIKE)
    try:
        return Term("date", node, value=date.fromisoformat(given))
    except ValueError as error:
        raise bad(node, f"there is no such day: {error}", _DAY_LIKE) from error


def moment(scope: Scope, node: Node, given: Any) -> Term:
    """A point in time; one without an offset is in the city's time zone. Raises BadParameter."""
    if not isinstance(given, str) or not _TIME.fullmatch(given):
        raise bad(node, "is not a time", _TIME_LIKE)
    try:
        found = datetime.fromisoformat(given)
        found = found if found.tzinfo else found.replace(tzinfo=scope.zone)
        found = found.astimezone(scope.zone)  # the first and last hours of all are in no year elsewhere
    except (ValueError, OverflowError) as error:
        raise bad(node, f"there is no such time: {error}", _TIME_LIKE) from error
    return Term("timestamp", node, value=found)


def instant(scope: Scope, term: Term) -> Term:
    """A text that stands where a day or time is wanted, as that; other terms as they are. Raises BadParameter."""
    if term.kind != "string" or not term.literal:
        return term
    given = term.value
    return day(given, given) if _DAY.fullmatch(given) else moment(scope, given, given)


def first_moment(scope: Scope, value: date) -> datetime:
    """When a day begins in the city."""
    return datetime(value.year, value.month, value.day, tzinfo=scope.zone)


def next_day(value: date) -> date:
    """The day after; the last day that there is stays."""
    return value if value == date.max else value + timedelta(days=1)


def box(scope: Scope, node: Node) -> Term:
    """A BBOX: lower corner, upper corner, with or without heights. West of east crosses the antimeridian."""
    numbers = node["bbox"]
    if not isinstance(numbers, list) or len(numbers) not in (4, 6) or not all(isinstance(n, float) for n in numbers):
        raise bad(node, "is not a box", ["BBOX(west,south,east,north)", "in the axis order of filter-crs"])
    half = len(numbers) // 2
    first, second, third, fourth = *numbers[:2], *numbers[half : half + 2]
    x0, y0, x1, y1 = (second, first, fourth, third) if scope.crs.swapped else (first, second, third, fourth)
    if y0 > y1 or (x0 > x1 and not scope.crs.same_as_storage):
        raise bad(node, "has its lower and upper corners swapped", ["BBOX(west,south,east,north)"])
    shape = shapely.union_all([_rectangle(x0, y0, 180.0, y1), _rectangle(-180.0, y0, x1, y1)]) if x0 > x1 else (
        _rectangle(x0, y0, x1, y1)
    )  # fmt: skip
    if not scope.crs.same_as_storage:  # straight sides are bent in degrees
        shape = shapely.segmentize(shape, max(x1 - x0, y1 - y0, 1e-9) / 20)
    return _placed(scope, node, shape)


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> shapely.Geometry:
    """A box, which may have no width or no height."""
    if x0 < x1 and y0 < y1:
        return shapely.box(x0, y0, x1, y1)
    return shapely.Point(x0, y0) if (x0, y0) == (x1, y1) else shapely.LineString([(x0, y0), (x1, y1)])


def geometry(scope: Scope, node: Node) -> Term:
    """A geometry in the filter's CRS and axis order. Raises BadParameter."""
    try:
        shape = shapely.force_2d(shapely.from_geojson(orjson.dumps(node)))
    except (shapely.errors.ShapelyError, ValueError) as error:
        raise bad(node, f"is not a geometry: {error}", ["POLYGON((0 0,1 0,1 1,0 0)), the ring closed"]) from error
    if shape is None or shape.is_empty:
        raise bad(node, "has no place", ["POINT(115.98 36.45)"])
    if scope.crs.swapped:
        shape = shapely.transform(shape, lambda points: points[:, ::-1])
    return _placed(scope, node, shape)


def _placed(scope: Scope, node: Node, shape: shapely.Geometry) -> Term:
    """A geometry, x = east, as one in EPSG:4490. Raises BadParameter when it leaves the earth."""
    shape = shapely.transform(shape, scope.crs.points_to_storage)
    points: NDArray[np.float64] = shapely.get_coordinates(shape)
    if not np.all(np.isfinite(points)) or np.any(np.abs(points) > (180, 90)):
        order = "latitude or northing" if scope.crs.swapped else "longitude or easting"
        raise bad(node, f"leaves the earth; {scope.crs.uri} wants {order} first", ["filter-crs"])
    return Term("geometry", node, value=shape)
