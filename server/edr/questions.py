"""What a request asks of observations: which stations, which values, when.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import shapely
from starlette.datastructures import QueryParams

from shikong.layers.model import City, Layer
from shikong.providers import crs
from shikong.providers.errors import BadParameter
from shikong.providers.observed import STATISTICS, STEPS, Question, Where
from shikong.providers.times import parse_period
from shikong.server import parameters
from shikong.store.moments import Period

CubeKind = Literal["position", "radius", "area", "cube", "trajectory", "corridor"]
Kind = CubeKind | Literal["locations"]

#: Units of a radius or width, in metres.
_UNITS = {"m": 1.0, "km": 1000.0}

#: Nothing on earth is farther.
_MOST = 20_100_000.0

#: Which shapes `coords` may have, by the kind of query, and an example.
SHAPES = {
    "position": (("Point", "MultiPoint"), "POINT(115.98 36.45)"),
    "radius": (("Point",), "POINT(115.98 36.45)"),
    "area": (("Polygon", "MultiPolygon"), "POLYGON((115.8 36.3,116.2 36.3,116.2 36.6,115.8 36.6,115.8 36.3))"),
    "trajectory": (("LineString", "MultiLineString"), "LINESTRING(115.9 36.4,116.1 36.5)"),
    "corridor": (("LineString", "MultiLineString"), "LINESTRING(115.9 36.4,116.1 36.5)"),
}

#: What `crs` may say: coordinates are longitude and latitude.
_SYSTEMS = (crs.CRS84, "CRS84", "OGC:CRS84")

#: Points that a shape may have.
_MOST_POINTS = 10_000


@dataclass(frozen=True)
class Asked:
    """A request. period: None for the last days that there are."""

    question: Question
    where: Where
    period: Period | None


@dataclass(frozen=True)
class CubeAsked:
    """A request for cells of a cube. shape_from: the parameter that tells where. period: None for all there is."""

    parameters: tuple[str, ...]
    where: Where
    shape_from: str
    period: Period | None
    known_at: datetime | None


def read_cube(kind: CubeKind, given: QueryParams, layer: Layer, city: City) -> CubeAsked:
    """What a request asks of a cube. Raises BadParameter."""
    _require_degrees(given)
    return CubeAsked(
        _parameters(layer, given.get("parameter-name")),
        _where(kind, given, None),
        "bbox" if kind == "cube" else "coords",
        _period(given, city),
        parameters.known_at(given.get("asOf"), city.timezone),
    )


def read(kind: Kind, given: QueryParams, layer: Layer, city: City, station: str | None, release: int | None) -> Asked:
    """What a request asks. station: that the path names. release: the instance that it names. Raises BadParameter."""
    _require_degrees(given)
    question = Question(
        layer,
        _parameters(layer, given.get("parameter-name")),
        _one_of("step", given.get("step"), STEPS),
        _one_of("statistic", given.get("statistic"), STATISTICS),
        parameters.flag("flagged", given.get("flagged")),
        parameters.known_at(given.get("asOf"), city.timezone),
        release,
    )
    if question.statistic is not None and question.step is None:
        raise BadParameter("statistic", "is of a step of time, and `step` is not given", list(STEPS))
    question.require_sound()
    return Asked(question, _where(kind, given, station), _period(given, city))


def _require_degrees(given: QueryParams) -> None:
    """Raise BadParameter for another `crs` than that of coordinates here."""
    system = given.get("crs")
    if system is not None and system not in _SYSTEMS:
        raise BadParameter("crs", f"{system[:60]!r} is not offered here", [crs.CRS84])


def _period(given: QueryParams, city: City) -> Period | None:
    period = given.get("datetime")
    return None if period is None else parse_period(period, city.timezone)


def _where(kind: Kind, given: QueryParams, station: str | None) -> Where:
    if kind == "locations":
        box = given.get("bbox")
        return Where(None if box is None else _box(box), station=station)
    if kind == "cube":
        box = given.get("bbox")
        if box is None:
            raise BadParameter("bbox", "is missing", ["115.8,36.3,116.2,36.6"])
        return Where(_box(box))
    shape = _shape(kind, given.get("coords"))
    if kind == "radius":
        return Where(shape, _length(given, "within", "within-units"))
    if kind == "corridor":
        return Where(shape, _length(given, "corridor-width", "width-units") / 2)
    return Where(shape, near=kind in ("position", "trajectory"))


def _shape(kind: Kind, text: str | None) -> str:
    """`coords` as WKT without heights and measures."""
    kinds, example = SHAPES[kind]
    if text is None:
        raise BadParameter("coords", "is missing", [example])
    try:
        shape = shapely.force_2d(shapely.from_wkt(text))
    except shapely.errors.GEOSException:
        raise BadParameter("coords", "is no WKT", [example]) from None
    if shape is None or shape.geom_type not in kinds or shape.is_empty:
        raise BadParameter("coords", f"must be a {' or '.join(kinds)}", [example])
    if shapely.get_num_coordinates(shape) > _MOST_POINTS:
        raise BadParameter("coords", f"has more than {_MOST_POINTS:,} points", [example])
    west, south, east, north = shape.bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise BadParameter("coords", "lies outside of longitude -180 to 180, latitude -90 to 90", [example])
    if not shape.is_valid:
        raise BadParameter("coords", f"is no sound shape: {shapely.is_valid_reason(shape)}", [example])
    return str(shape.wkt)


def _box(text: str) -> str:
    found = parameters.bbox(text, crs.parse("crs", None, ()))
    assert found is not None
    return str(shapely.box(*found).wkt)


def _length(given: QueryParams, name: str, units: str) -> float:
    """A length in m."""
    text, unit = given.get(name), given.get(units)
    if text is None:
        raise BadParameter(name, "is missing", ["10"])
    if unit not in _UNITS:
        raise BadParameter(units, "is missing" if unit is None else f"{unit[:20]!r} is not known", sorted(_UNITS))
    try:
        length = float(text) * _UNITS[unit]
    except ValueError:
        raise BadParameter(name, f"{text[:40]!r} is no number", ["10"]) from None
    if not 0 < length <= _MOST:
        raise BadParameter(name, f"must be more than 0 and at most {_MOST / 1000:,.0f} km", ["10"])
    return length


def _parameters(layer: Layer, text: str | None) -> tuple[str, ...]:
    if text is None:
        return tuple(layer.parameters)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if unknown := [name for name in names if name not in layer.parameters]:
        raise BadParameter("parameter-name", f"there is no parameter {unknown[0][:40]!r}", list(layer.parameters))
    return names or tuple(layer.parameters)


def _one_of(name: str, text: str | None, known: tuple[str, ...]) -> Any:
    if text is not None and text not in known:
        raise BadParameter(name, f"{text[:40]!r} is not known", list(known))
    return text
