"""What a filter selects, against an evaluation in plain Python (shapely for places), over random filters and rows.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import operator
import random
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import cql2
import orjson
import psycopg
import pytest
import shapely
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from shikong.layers.model import Layer
from shikong.providers import items
from shikong.providers.cql2.compile import compile_filter
from shikong.providers.crs import DEFAULT
from shikong.providers.items import Items
from shikong.store import tables

ZONE = ZoneInfo("Asia/Shanghai")
Row = dict[str, Any]
Node = Any

_FIELDS = {
    "n": "integer", "k": "integer", "x": "number", "y": "number", "s": "string", "t": "string", "b": "boolean",
    "c": "boolean", "d": "date", "e": "date", "m": "datetime", "o": "datetime",
}  # fmt: skip
LAYER = Layer.model_validate(
    {
        "id": "cql2_model", "title": {"zh": "m", "en": "m"}, "description": {"zh": "m", "en": "m"}, "theme": "base",
        "steward": "test", "kind": "features", "geometry": "Polygon", "access": {"write": "planner"},
        "fields": {"fid": {"type": "integer", "key": True, "title": {"zh": "f", "en": "f"}}}
        | {name: {"type": kind, "title": {"zh": name, "en": name}} for name, kind in _FIELDS.items()},
    }
)  # fmt: skip

TEXTS = ["", "a", "A", "ab", "äb", "Äb", "é", "É", "%", "_", "a%", "o'c", "路", "\\"]
DAYS = [date(2024, 2, 28) + timedelta(days=number) for number in range(4)]
#: Around midnight in the city, which is 16:00 in UTC.
TIMES = [datetime(2024, 2, 28, 15, 59, 59, tzinfo=UTC) + timedelta(hours=12 * n, seconds=n) for n in range(7)]
NUMBERS = [-2.5, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 1e10]


def _shapes(rng: random.Random) -> list[shapely.Geometry]:
    """Shapes on a small grid, so that they touch, cross and contain each other and no rounding matters."""
    found: list[shapely.Geometry] = []
    for _ in range(12):
        x, y = rng.randrange(4), rng.randrange(4)
        found.append(shapely.box(x, y, x + rng.randrange(1, 4), y + rng.randrange(1, 4)))
        found.append(shapely.Point(rng.randrange(6), rng.randrange(6)))
        found.append(shapely.LineString([(x, y), (x + rng.randrange(1, 4), y), (x + 2, y + rng.randrange(1, 4))]))
    found.append(shapely.MultiPoint([(0, 0), (5, 5)]))
    found.append(shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(3, 3, 5, 5)]))
    return found


def _rows() -> list[Row]:
    rng = random.Random(5)
    values = {
        "integer": [-2, -1, 0, 1, 2, 3, 9007199254740993], "number": NUMBERS, "string": TEXTS, "boolean": [True, False],
        "date": DAYS, "datetime": TIMES,
    }  # fmt: skip
    areas = [shape for shape in _shapes(rng) if shape.geom_type == "Polygon"]
    return [
        {name: rng.choice([None, *values[kind]]) for name, kind in _FIELDS.items()}
        | {"fid": fid, "geometry": rng.choice(areas)}
        for fid in range(60)
    ]


ROWS = _rows()


# --- random filters -----------------------------------------------------------------------------------------------


def _op(name: str, *args: Any) -> Any:
    return st.tuples(*args).map(lambda found: {"op": name, "args": list(found)})


def _property(*kinds: str) -> Any:
    return st.sampled_from([{"property": name} for name, kind in _FIELDS.items() if kind in kinds])


def _any(names: list[str], *args: Any) -> Any:
    return st.sampled_from(names).flatmap(lambda name: _op(name, *args))


_numeric = _property("integer", "number")
#: One operand at least is a property: dividing a number by zero is refused before any row is looked at. Remainders
#: are taken of what is given only: of what was calculated, the last of its digits decides.
_number = st.recursive(
    _numeric | st.sampled_from(NUMBERS),
    lambda inner: st.one_of(
        _any(["+", "-", "*", "/"], _numeric, inner),
        _any(["+", "-", "*", "/"], inner, _numeric),
        _any(["%", "div"], _numeric, _numeric | st.sampled_from(NUMBERS)),
    ),
    max_leaves=4,
)
_text = st.recursive(
    _property("string") | st.sampled_from(TEXTS),
    lambda inner: st.sampled_from(["casei", "accenti"]).flatmap(lambda name: _op(name, inner)),
    max_leaves=2,
)
_day = st.sampled_from([{"date": day.isoformat()} for day in DAYS])
_time = st.sampled_from([{"timestamp": time.isoformat().replace("+00:00", "Z")} for time in TIMES])
_instant = _property("date", "datetime") | _day | _time
_days, _times = st.tuples(_day, _day), st.tuples(_time, _time)
_interval = st.one_of(
    st.tuples(_property("date", "datetime"), _property("date", "datetime")).map(list),
    st.sampled_from([(0, 1), (0, 3), (1, 2), (2, 2)]).map(lambda ends: [DAYS[end].isoformat() for end in ends]),
    st.sampled_from([(0, 1), (0, 3), (1, 5), (2, 2)]).map(
        lambda ends: [TIMES[end].isoformat().replace("+00:00", "Z") for end in ends]
    ),
    st.sampled_from([["..", DAYS[2].isoformat()], [DAYS[1].isoformat(), ".."], ["..", ".."]]),
).map(lambda ends: {"interval": ends})
_place = st.just({"property": "geometry"}) | st.sampled_from(
    [shapely.geometry.mapping(shape) for shape in _shapes(random.Random(6))] + [{"bbox": [1.0, 1.0, 3.0, 4.0]}]
)
_COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]
_ALL_TIMES = ["t_after", "t_before", "t_disjoint", "t_equals", "t_intersects"]
_INTERVALS = ["t_contains", "t_during", "t_finishedBy", "t_finishes", "t_meets", "t_metBy", "t_overlappedBy",
              "t_overlaps", "t_startedBy", "t_starts"]  # fmt: skip
_PLACES = ["s_intersects", "s_disjoint", "s_equals", "s_touches", "s_within", "s_overlaps", "s_crosses", "s_contains"]
_ARRAYS = ["a_equals", "a_contains", "a_containedBy", "a_overlaps"]


_items = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3)
_predicate = st.one_of(
    _any(_COMPARISONS, _number, _number),
    _any(_COMPARISONS, _text, _text),
    _any(_COMPARISONS, _instant, _instant),
    _any(_COMPARISONS, _property("boolean") | st.booleans(), _property("boolean") | st.booleans()),
    _op("like", _text, st.sampled_from(["%", "a%", "_", "\\%", "%b", "A_%", "\\\\"])),
    _op("like", _op("casei", _text), _op("casei", st.sampled_from(["A%", "_b", "É"]))),
    _op("between", _number, _number, _number),
    _op("between", _instant, _instant, _instant),
    _op("in", _number, st.lists(_number, min_size=1, max_size=4)),
    _op("in", _property("integer", "number"), st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4)),
    _op("in", _text, st.lists(_text, min_size=1, max_size=4)),
    _op("in", _property("date", "datetime"), st.lists(_instant, min_size=1, max_size=3)),
    _op("isNull", _number | _text | _instant | _property("boolean")),
    _any(_PLACES, _place, _place),
    _any(_ALL_TIMES, _instant | _interval, _instant | _interval),
    _any(_INTERVALS, _interval, _interval),
    _any(_ARRAYS, _items, _items),
)
_filter = st.recursive(
    _predicate,
    lambda inner: (
        _op("not", inner)
        | st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)).map(
            lambda found: {"op": found[0], "args": found[1]}
        )
    ),
    max_leaves=5,
)


# --- the evaluation in Python -------------------------------------------------------------------------------------


def _pattern(text: str) -> re.Pattern[str]:
    """A LIKE pattern as a regular expression."""
    parts = re.findall(r"\\.|.", text, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(part, re.escape(part[-1])) for part in parts), re.DOTALL)


def _unaccented(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in apart if not "\u0300" <= c <= "\u036f"))


_CALCULATE: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip


def _divided(name: str, left: Fraction, right: Fraction) -> float:
    """The remainder, or the whole part, of a division; both lean to zero."""
    whole = math.trunc(left / right)
    return float(whole if name == "div" else left - whole * right)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def _compare(name: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    if isinstance(left, float) or isinstance(right, float):  # a whole number beside a broken one is as exact as that
        left, right = float(left), float(right)
    if isinstance(left, datetime) != isinstance(right, datetime):
        left, right = (side.astimezone(ZONE).date() if isinstance(side, datetime) else side for side in (left, right))
    return _COMPARE[name](left, right)


def _any_of(answers: list[bool | None]) -> bool | None:
    return True if True in answers else None if None in answers else False


def _all_of(answers: list[bool | None]) -> bool | None:
    return False if False in answers else None if None in answers else True


def _negated(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _moment(day: Any, *, last: bool) -> Any:
    if day is None or isinstance(day, datetime):
        return day
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    return midnight + timedelta(days=1) - timedelta(microseconds=1) if last else midnight


def _timed(node: Node) -> bool:
    """Whether an operand is told by times, and not by days only."""
    if "interval" in node:
        return any(end != ".." and _timed(_read(end)) for end in node["interval"])
    return "timestamp" in node or ("property" in node and _FIELDS[node["property"]] == "datetime")


def _ends(node: Node, row: Row, *, timed: bool) -> tuple[Any, Any]:
    """First and last day or moment; None is unknown. Open ends lie at the ends of all time."""
    if "interval" not in node:
        start = end = _value(node, row)
    else:
        start, end = (None if end == ".." else _value(_read(end), row) for end in node["interval"])
        start = date(1, 1, 3) if node["interval"][0] == ".." else start
        end = date(9999, 12, 28) if node["interval"][1] == ".." else end
    return (_moment(start, last=False), _moment(end, last=True)) if timed else (start, end)


def _read(end: Any) -> Node:
    return end if isinstance(end, dict) else {"timestamp" if "T" in end else "date": end}


def _relate_times(name: str, left: Node, right: Node, row: Row) -> bool | None:
    instants = "interval" not in left and "interval" not in right
    timed = _timed(left) or _timed(right)
    if instants and _timed(left) != _timed(right):  # by the day
        first, second = (_value(side, row) for side in (left, right))
        one, other = (side.astimezone(ZONE).date() if isinstance(side, datetime) else side for side in (first, second))
        ends = (one, one, other, other)
    else:
        ends = (*_ends(left, row, timed=timed), *_ends(right, row, timed=timed))
    return _allen(name.lower(), *ends) if None not in ends else _unknown(name.lower(), *ends)


def _unknown(name: str, a: Any, b: Any, c: Any, d: Any) -> bool | None:
    """Where an end is unknown: each relation is some comparisons of ends, and those with that end are unknown."""
    parts = {
        "t_after": [(">", a, d)], "t_before": [("<", b, c)], "t_equals": [("=", a, c), ("=", b, d)],
        "t_intersects": [("<=", a, d), (">=", b, c)], "t_contains": [("<", a, c), (">", b, d)],
        "t_during": [(">", a, c), ("<", b, d)], "t_finishedby": [("<", a, c), ("=", b, d)],
        "t_finishes": [(">", a, c), ("=", b, d)], "t_meets": [("=", b, c)], "t_metby": [("=", a, d)],
        "t_overlappedby": [(">", a, c), ("<", a, d), (">", b, d)], "t_overlaps": [("<", a, c), (">", b, c), ("<", b, d)],
        "t_startedby": [("=", a, c), (">", b, d)], "t_starts": [("=", a, c), ("<", b, d)],
    }  # fmt: skip
    if name == "t_disjoint":
        return _negated(_unknown("t_intersects", a, b, c, d))
    return _all_of([_compare(*part) for part in parts[name]])


def _allen(name: str, a: Any, b: Any, c: Any, d: Any) -> bool:
    """Allen's relations of [a, b] and [c, d], written from their definitions (OWL Time)."""
    inverse = {"t_after": "t_before", "t_during": "t_contains", "t_finishes": "t_finishedby", "t_metby": "t_meets",
               "t_overlappedby": "t_overlaps", "t_starts": "t_startedby"}  # fmt: skip
    if name in inverse:
        return _allen(inverse[name], c, d, a, b)
    if name == "t_before":
        return b < c
    if name in ("t_disjoint", "t_intersects"):
        apart = b < c or d < a
        return apart if name == "t_disjoint" else not apart
    if name == "t_overlaps":
        return a < c < b < d
    return {
        "t_equals": (a, b) == (c, d), "t_contains": a < c and d < b, "t_finishedby": a < c and b == d,
        "t_meets": b == c, "t_startedby": a == c and d < b,
    }[name]  # fmt: skip


def _relate_places(name: str, left: Any, right: Any) -> bool:
    return bool(getattr(shapely, name.removeprefix("s_"))(left, right))


def _relate_arrays(name: str, left: list[Any], right: list[Any]) -> bool:
    one, other = set(left), set(right)
    return {
        "a_equals": one == other, "a_contains": one >= other, "a_containedby": one <= other,
        "a_overlaps": bool(one & other),
    }[name.lower()]  # fmt: skip


def _value(node: Node, row: Row) -> Any:  # noqa: PLR0911 - one line a kind of node
    """The value of a part of a filter for a row; None is unknown."""
    if isinstance(node, list):
        return [_value(item, row) for item in node]
    if not isinstance(node, dict):
        return node
    if "op" in node:
        return _result(node["op"], node["args"], row)
    if "property" in node:
        return row[node["property"]]
    if "date" in node:
        return date.fromisoformat(node["date"])
    if "timestamp" in node:
        return datetime.fromisoformat(node["timestamp"])
    return shapely.box(*node["bbox"]) if "bbox" in node else shapely.geometry.shape(node)


def _result(name: str, args: list[Node], row: Row) -> Any:  # noqa: PLR0911 - one line a kind of operation
    if name.startswith("t_"):
        return _relate_times(name, args[0], args[1], row)
    values = [_value(arg, row) for arg in args]
    simple: dict[str, Callable[[], Any]] = {
        "and": lambda: _all_of(values), "or": lambda: _any_of(values), "not": lambda: _negated(values[0]),
        "isNull": lambda: values[0] is None,
        "between": lambda: _all_of([_compare(">=", *values[:2]), _compare("<=", values[0], values[2])]),
        "in": lambda: _any_of([_compare("=", values[0], item) for item in values[1]]),
    }  # fmt: skip
    if name in simple:
        return simple[name]()
    if name in _COMPARE:
        return _compare(name, *values)
    if None in values:
        return None
    if name in _CALCULATE:
        return None if name == "/" and values[1] == 0 else _CALCULATE[name](*map(float, values))
    if name in ("%", "div"):
        return _divided(name, *map(Fraction, values)) if values[1] else None
    if name.startswith("s_"):
        return _relate_places(name, *values)
    if name.startswith("a_"):
        return _relate_arrays(name, *values)
    return {
        "like": lambda: _pattern(values[1]).fullmatch(values[0]) is not None,
        "casei": lambda: values[0].upper().lower(),
        "accenti": lambda: _unaccented(values[0]),
    }[name]()  # fmt: skip


# --- the comparison -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(cluster: Any, template: str) -> Iterator[psycopg.Connection[Any]]:
    """The random rows in a layer's table."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    with psycopg.connect(cluster.dsn_of(name), autocommit=True) as conn:
        tables.ensure(conn, LAYER)
        conn.execute(
            "INSERT INTO shikong.release (layer, source, origin, principal, rows_read, rows_stored, rows_quarantined,"
            " added, changed, ended, unchanged) VALUES ('cql2_model', 'test', 'delivered', 'test', 0,0,0,0,0,0,0)"
        )
        statement = sql.SQL(
            "INSERT INTO {} (_release, _hash, origin, geom, {}) SELECT max(id), gen_random_uuid(), 'delivered',"
            " st_geomfromwkb(%s, 4490), {} FROM shikong.release"
        ).format(
            tables.table(LAYER), sql.SQL(", ").join(map(sql.Identifier, LAYER.fields)),
            sql.SQL(", ").join(
                sql.SQL("%s::{}").format(sql.SQL(tables.COLUMN_TYPES[field.type])) for field in LAYER.fields.values()
            ),
        )  # fmt: skip
        for row in ROWS:
            conn.execute(statement, [shapely.to_wkb(row["geometry"]), *(row[name] for name in LAYER.fields)])
        conn.execute(
            sql.SQL(
                "INSERT INTO {} (first, last, area) SELECT min(_row), max(_row), st_envelope(st_collect(geom)) FROM {}"
                " GROUP BY _row / 5"
            ).format(tables.blocks(LAYER), tables.table(LAYER))
        )
        yield conn


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tree=_filter)
@example(tree={"op": "=", "args": [{"property": "m"}, {"property": "d"}]})
@example(
    tree={
        "op": "and",
        "args": [
            {"op": "s_within", "args": [{"property": "geometry"}, {"bbox": [0.0, 0.0, 4.0, 4.0]}]},
            {"op": "=", "args": [{"property": "b"}, True]},
        ],
    }
)
@example(tree={"op": "not", "args": [{"op": "in", "args": [{"property": "n"}, [1.0, 2.5]]}]})
@example(
    tree={
        "op": "t_intersects",
        "args": [{"interval": [{"property": "d"}, {"property": "o"}]}, {"interval": ["..", ".."]}],
    }
)
def test_a_filter_selects_what_python_selects(rows: psycopg.Connection[Any], tree: Node) -> None:
    expected = [row["fid"] for row in ROWS if _value(tree, row) is True]
    text = cql2.Expr(tree).to_text()
    for filter_, lang in ((orjson.dumps(tree).decode(), "cql2-json"), (text.replace("\\", "\\\\"), "cql2-text")):
        cql = compile_filter(LAYER, filter_, lang, DEFAULT, ZONE.key)  # type: ignore[arg-type]
        statement = items.page(LAYER, Items(100, cql=cql, geometry=False))
        assert [row[0] for row in rows.execute(statement.query, statement.params)] == expected, text
