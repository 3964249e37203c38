"""Query parameters: which exist where, and their values made safe.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime

from starlette.datastructures import QueryParams

from shikong.layers.model import City, Layer
from shikong.providers import crs as crs_rules
from shikong.providers.cql2.compile import Filter, compile_filter
from shikong.providers.cql2.parse import language
from shikong.providers.crs import Box, ServedCrs
from shikong.providers.errors import BadParameter, UnknownParameter
from shikong.providers.items import Sort, Value, property_names
from shikong.providers.times import parse_instant
from shikong.providers.values import parse_value

#: Parameters that every resource knows.
COMMON = frozenset({"f", "lang"})

FILTER = frozenset({"filter", "filter-lang", "filter-crs"})
ITEMS = FILTER | {
    "asOf", "bbox", "bbox-crs", "crs", "datetime", "limit", "offset", "cursor", "sortby", "properties", "skipGeometry",
}  # fmt: skip
ITEM = frozenset({"asOf", "crs", "datetime"})
COVERAGE = frozenset({"asOf", "bbox", "bbox-crs", "datetime", "properties", "subset"})
EDR = frozenset({"asOf", "coords", "datetime", "parameter-name", "crs", "z", "limit"})
_RECORDS = frozenset({"bbox", "datetime", "limit", "offset", "q", "title", "kind"})
#: By what a list of records is about.
RECORDS = {
    "layers": _RECORDS | {"description", "theme", "steward"},
    "releases": _RECORDS | {"layer", "origin", "principal"},
}

#: Deeper than this an offset reads and throws away too much; the `next` links have no such bound.
MAX_OFFSET = 100_000

#: `asOf` as OpenAPI describes it.
AS_OF = {
    "name": "asOf", "in": "query", "required": False, "schema": {"type": "string"},
    "description": "answer with what the service knew at this time (RFC 3339; a day means its end); "
    "`datetime` says when things hold in the world, `asOf` when the service knew it",
}  # fmt: skip

_WHOLE = re.compile(r"-?\d{1,40}", re.ASCII)


def require_known(given: QueryParams, known: Iterable[str]) -> None:
    """Raise UnknownParameter, naming the closest known one, for the first parameter that does not exist."""
    known = frozenset(known) | COMMON
    for name in given:
        if name not in known:
            raise UnknownParameter(name, known)


def whole_number(name: str, text: str | None, default: int, lowest: int, highest: int) -> int:
    """A whole number within bounds. Raises BadParameter."""
    if text is None:
        return default
    allowed = [f"a whole number from {lowest} to {highest}"]
    if not _WHOLE.fullmatch(text.strip()):
        raise BadParameter(name, f"{text[:40]!r} is not a whole number", allowed)
    number = int(text)
    if not lowest <= number <= highest:
        raise BadParameter(name, f"{number} is outside {lowest} to {highest}", allowed)
    return number


def bbox(text: str | None, crs: ServedCrs) -> Box | None:
    """`bbox` as west, south, east, north in EPSG:4490; four numbers in the axis order of `crs`. Raises BadParameter."""
    if text is None:
        return None
    allowed = ["four numbers: " + ("south,west,north,east" if crs.swapped else "west,south,east,north")]
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise BadParameter("bbox", f"{text!r} are not numbers", allowed) from error
    if len(numbers) == 6:  # heights mean nothing to two-dimensional layers
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4:
        raise BadParameter("bbox", f"{len(numbers)} numbers are given", allowed)
    if not all(math.isfinite(number) for number in numbers):
        raise BadParameter("bbox", f"{text!r} has a number that is not finite", allowed)
    first, second, third, fourth = numbers
    if first > third or second > fourth:
        raise BadParameter("bbox", f"{text!r} has its lower and upper corners swapped", allowed)
    west, south, east, north = crs.box_to_storage((first, second, third, fourth))
    if west < -180 or east > 180 or south < -90 or north > 90:
        order = "latitude" if crs.swapped else "longitude"
        raise BadParameter("bbox", f"{text!r} leaves the earth; this CRS wants {order} first", allowed)
    return (west, south, east, north)


def known_at(text: str | None, timezone: str) -> datetime | None:
    """`asOf`: the time whose knowledge is asked for; a day means its end. Raises BadParameter."""
    return None if text is None else parse_instant("asOf", text, timezone)


def sorting(layer: Layer, text: str | None) -> tuple[Sort, ...]:
    """`sortby` such as `-tbmj,dlbm`. Raises BadParameter."""
    if not text:
        return ()
    names = property_names(layer)
    found = []
    for part in text.split(","):
        # A plus sign that was not percent-encoded arrives as a space.
        name = part.strip().lstrip("+-")
        if name not in names:
            raise BadParameter("sortby", f"{name!r} is not a property of {layer.id}", names)
        found.append(Sort(name, part.strip().startswith("-")))
    return tuple(found)


def chosen_properties(layer: Layer, text: str | None) -> tuple[str, ...] | None:
    """`properties` as field names. Raises BadParameter."""
    if text is None:
        return None
    names = property_names(layer)
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in wanted:
        if name not in names:
            raise BadParameter("properties", f"{name!r} is not a property of {layer.id}", names)
    return wanted


def property_filters(layer: Layer, given: QueryParams) -> tuple[tuple[str, Value], ...]:
    """Parameters named after properties. Raises BadParameter when a value is of the wrong type."""
    return tuple(
        (name, parse_value(layer, name, value)) for name, value in given.multi_items() if name in property_names(layer)
    )


def cql_filter(layer: Layer, given: QueryParams, city: City) -> Filter | None:
    """`filter` in its `filter-lang`, geometries in its `filter-crs`. Raises BadParameter, naming the part."""
    text = given.get("filter")
    if text is None:
        for name in ("filter-lang", "filter-crs"):
            if name in given:
                raise BadParameter(name, "is given without filter", ["filter"])
        return None
    crs = crs_rules.parse("filter-crs", given.get("filter-crs"), city.crs)
    return compile_filter(layer, text, language(given.get("filter-lang")), crs, city.timezone)


def flag(name: str, text: str | None) -> bool:
    """true or false. Raises BadParameter."""
    if text is None:
        return False
    if text.lower() not in ("true", "false"):
        raise BadParameter(name, f"{text!r} is neither true nor false", ["true", "false"])
    return text.lower() == "true"
