"""Query parameters: which exist where, and their values made safe.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from starlette.datastructures import QueryParams
from starlette.requests import Request

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import City, Layer
from shikong.providers import crs as crs_rules
from shikong.providers.cql2.compile import Filter, compile_filter
from shikong.providers.cql2.parse import language
from shikong.providers.crs import Box, ServedCrs
from shikong.providers.errors import BadParameter, UnknownParameter
from shikong.providers.items import Sort, Value, Word, property_names
from shikong.providers.times import parse_instant, parse_period
from shikong.providers.values import parse_value
from shikong.server.pygeoapi_config import MAX_LIMIT
from shikong.store.moments import Moment

#: Parameters that every resource knows.
COMMON = frozenset({"f", "lang"})

FILTER = frozenset({"filter", "filter-lang", "filter-crs"})
ITEMS = FILTER | {
    "asOf", "bbox", "bbox-crs", "crs", "cursor", "datetime", "encoding", "exclude-properties", "ids", "limit",
    "max-allowable-offset", "offset", "profile", "properties", "q", "resultType", "skipGeometry", "sortby",
    "zoom-level",
}  # fmt: skip
TILE = FILTER | {"asOf", "datetime"}
MAP_TILE = frozenset({"asOf", "datetime", "style"})
MAP = MAP_TILE | {"bbox", "bbox-crs", "bgcolor", "crs", "height", "transparent", "width"}
ITEM = frozenset({"asOf", "crs", "datetime", "max-allowable-offset", "profile", "zoom-level"})
COVERAGE = frozenset({"asOf", "bbox", "bbox-crs", "datetime", "properties", "subset"})
EDR = frozenset({"asOf", "crs", "datetime", "parameter-name"})
JOBS = frozenset({"type", "processID", "status", "datetime", "minDuration", "maxDuration", "limit", "offset"})
_RECORDS = frozenset({"bbox", "datetime", "limit", "offset", "q", "title", "kind"})
#: By what a list of records is about.
RECORDS = {
    "layers": _RECORDS | {"description", "theme", "steward"},
    "releases": _RECORDS | {"layer", "origin", "principal"},
}

#: Deeper than this an offset reads and throws away too much; the `next` links have no such bound.
MAX_OFFSET = 100_000

#: The level of detail above which simplification changes nothing.
MAX_SIMPLIFIED_ZOOM = 24

#: Ids in one request, words in one search.
MAX_IDS, MAX_WORDS = 1000, 10

#: Length of a degree of latitude (m) in the middle of China, for what need not be exact.
METRES_OF_A_DEGREE = 111_000

_WHOLE = re.compile(r"-?\d{1,40}", re.ASCII)
_NUMBER = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?"
_AXIS = rf"(?:Lat|Long)\({_NUMBER}(?::{_NUMBER})?\)"

#: What `subset` and `coords` look like, as regular expressions.
SUBSET, POINT = rf"{_AXIS}(?:,{_AXIS})?", rf"\s*POINT\s*\(\s*({_NUMBER})\s+({_NUMBER})(?:\s+{_NUMBER})?\s*\)\s*"
_SUBSET, _POINT = re.compile(SUBSET, re.ASCII), re.compile(POINT, re.ASCII | re.IGNORECASE)


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
    wrong = None
    if not _WHOLE.fullmatch(text.strip()):
        wrong = f"{text[:40]!r} is not a whole number"
    elif not lowest <= int(text) <= highest:
        wrong = f"{int(text)} is outside {lowest} to {highest}"
    if wrong is not None:
        raise BadParameter(name, wrong, [f"a whole number from {lowest} to {highest}"])
    return int(text)


def bbox(text: str | None, crs: ServedCrs) -> Box | None:
    """`bbox` as west, south, east, north in EPSG:4490; four numbers in the axis order of `crs`. A box in degrees whose
    west is greater than its east lies over the antimeridian. Raises BadParameter."""
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
    east_of_itself, north_of_itself = (
        (second > fourth, first > third) if crs.swapped else (first > third, second > fourth)
    )
    if north_of_itself or (east_of_itself and not crs.same_as_storage):  # in degrees, over the antimeridian
        raise BadParameter("bbox", f"{text!r} has its lower and upper corners swapped", allowed)
    west, south, east, north = crs.box_to_storage((first, second, third, fourth))
    if not (-180 <= min(west, east) <= max(west, east) <= 180 and -90 <= south <= north <= 90):
        order = "latitude" if crs.swapped else "longitude"
        raise BadParameter("bbox", f"{text!r} leaves the earth; this CRS wants {order} first", allowed)
    return (west, south, east, north)


def query_text(request: Request) -> str:
    """The request's query string as it came."""
    text: bytes = request.scope["query_string"]
    return text.decode("latin-1")


def check_values(given: QueryParams, city: City) -> None:
    """Refuse what pygeoapi's handlers would read less strictly than we do, or pass over. Raises BadParameter."""
    for name, value in given.items():
        if "\0" in value:  # PostgreSQL has no place for it
            raise BadParameter(name, "has a NUL character", ["text without it"])
    for name in ("crs", "bbox-crs"):
        crs_rules.parse(name, given.get(name), ())
    check_subset(given.get("subset"))
    check_point(given.get("coords"))
    bbox(given.get("bbox"), crs_rules.DEFAULT)
    whole_number("limit", given.get("limit"), 1, 1, MAX_LIMIT)
    whole_number("offset", given.get("offset"), 0, 0, MAX_OFFSET)
    if when := given.get("datetime"):
        parse_period(when, city.timezone)


def check_subset(text: str | None) -> None:
    """`subset`, the ranges along axes such as `Lat(36.4:36.5),Long(115.9:116)`. Raises BadParameter."""
    if text is None:
        return
    allowed = ["Lat(36.4:36.5),Long(115.9:116)"]
    if not _SUBSET.fullmatch(text):
        raise BadParameter("subset", f"{text[:80]!r} has no ranges of numbers along Lat and Long", allowed)


def check_point(text: str | None) -> None:
    """`coords`, a point as WKT, longitude first. Raises BadParameter."""
    if text is None:
        return
    allowed = ["POINT(115.98 36.45)"]
    match = _POINT.fullmatch(text)
    if match is None:
        raise BadParameter("coords", f"{text[:80]!r} is not a point", allowed)
    if not (abs(float(match[1])) <= 180 and abs(float(match[2])) <= 90):
        raise BadParameter("coords", f"{text[:80]!r} leaves the earth; longitude comes first", allowed)


def known_at(text: str | None, timezone: str) -> datetime | None:
    """`asOf`: the time whose knowledge is asked for; a day means its end. Raises BadParameter."""
    return None if text is None else parse_instant("asOf", text, timezone)


def moment(given: QueryParams, city: City) -> Moment:
    """`datetime` and `asOf`. Raises BadParameter."""
    when = given.get("datetime")
    period = parse_period(when, city.timezone) if when else None
    return Moment(period, known_at(given.get("asOf"), city.timezone))


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


def chosen_properties(layer: Layer, given: QueryParams) -> tuple[str, ...] | None:
    """`properties`, or all but `exclude-properties`, as field names. Raises BadParameter."""
    chosen, left_out = given.get("properties"), given.get("exclude-properties")
    if chosen is not None and left_out is not None:
        raise BadParameter("exclude-properties", "is given beside properties", ["properties", "exclude-properties"])
    if chosen is not None:
        return _properties(layer, "properties", chosen)
    if left_out is None:
        return None
    without = _properties(layer, "exclude-properties", left_out)
    return tuple(name for name in property_names(layer) if name not in without)


def _properties(layer: Layer, parameter: str, text: str) -> tuple[str, ...]:
    names = property_names(layer)
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in wanted:
        if name not in names:
            raise BadParameter(parameter, f"{name!r} is not a property of {layer.id}", names)
    return wanted


def ids(layer: Layer, text: str | None) -> tuple[str, ...] | None:
    """`ids`, separated by commas. Raises BadParameter."""
    if text is None:
        return None
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if len(wanted) > MAX_IDS:
        raise BadParameter("ids", f"{len(wanted)} are given", [f"at most {MAX_IDS}"])
    for item in wanted:
        try:
            parse_value(layer, layer.key_field, item)
        except BadParameter as error:
            raise BadParameter("ids", error.problem, error.allowed) from error
    return wanted


def words(catalog: Catalog, layer: Layer, text: str | None) -> tuple[Word, ...]:
    """`q`: words, all of which a feature must have in its texts or in what its codes mean. Raises BadParameter."""
    if text is None:
        return ()
    wanted = text.split()
    if len(wanted) > MAX_WORDS or "\0" in text:
        raise BadParameter("q", "has too many words or a NUL", [f"at most {MAX_WORDS} words"])
    coded = {name: catalog.codes[decl.codes].codes for name, decl in layer.fields.items() if decl.codes}
    found = []
    for word in wanted:
        means = [
            (name, tuple(code for code, told in codes.items() if _mentions(told.title, word)))
            for name, codes in coded.items()
        ]
        found.append(Word(word, tuple((name, codes) for name, codes in means if codes)))
    return tuple(found)


def _mentions(title: Text, word: str) -> bool:
    return word.lower() in title.zh.lower() or word.lower() in title.en.lower()


def tolerance(given: QueryParams, crs: ServedCrs) -> float | None:
    """How far shapes may be simplified, in degrees: `max-allowable-offset` in the units of the answer's CRS, or half a
    pixel of `zoom-level` (WebMercatorQuad). Raises BadParameter."""
    offset, zoom = given.get("max-allowable-offset"), given.get("zoom-level")
    if offset is not None and zoom is not None:
        raise BadParameter("zoom-level", "is given beside max-allowable-offset", ["zoom-level", "max-allowable-offset"])
    if zoom is not None:
        return 360 / 512 / (1 << whole_number("zoom-level", zoom, 0, 0, MAX_SIMPLIFIED_ZOOM))
    if offset is None:
        return None
    try:
        size = float(offset)
    except ValueError as error:
        raise BadParameter("max-allowable-offset", f"{offset!r} is not a number", ["a number from 0 on"]) from error
    if not 0 <= size < math.inf:
        raise BadParameter("max-allowable-offset", f"{offset!r} is no distance", ["a number from 0 on"])
    return size if crs.same_as_storage else size / METRES_OF_A_DEGREE


def hits(text: str | None) -> bool:
    """`resultType`: whether only the number of features is asked for. Raises BadParameter."""
    if text not in (None, "hits", "results"):
        raise BadParameter("resultType", f"{text!r} is not known", ["results", "hits"])
    return text == "hits"


Counting = Literal["exact", "estimated"]


def counting(prefer: str) -> Counting | None:
    """`Prefer: count=exact` or `count=estimated`: how to find out how many features match."""
    for preference in prefer.split(","):
        match preference.strip().lower():
            case "count=exact":
                return "exact"
            case "count=estimated":
                return "estimated"
    return None


def property_filters(layer: Layer, given: QueryParams) -> tuple[tuple[str, Value], ...]:
    """Parameters named after properties. Raises BadParameter when a value is of the wrong type."""
    names = property_names(layer)
    return tuple((name, parse_value(layer, name, value)) for name, value in given.multi_items() if name in names)


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
