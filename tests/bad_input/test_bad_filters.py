"""Filters that are wrong, hostile or too large: each is refused with its reason, at once, and the next is answered.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from shikong.layers import catalog
from shikong.providers.cql2.compile import compile_filter
from shikong.providers.cql2.parse import Language
from shikong.providers.crs import DEFAULT
from shikong.providers.errors import BadParameter


def _tree(operator: str, *args: Any) -> str:
    return orjson.dumps({"op": operator, "args": list(args)}).decode()


def _shape(**shape: Any) -> str:
    return _tree("s_intersects", {"property": "geometry"}, shape)


#: name: filter as text, what the error says. The layer is parcels.
TEXT: dict[str, tuple[str, str]] = {
    "nothing": ("", "does not begin"),
    "blanks": ("   ", "from character"),
    "half": ("dlbm =", "after 'dlbm ='"),
    "two conditions": ("dlbm = 'a' dlmc = 'b'", "from character 12"),
    "second statement": ("dlbm = 'a'; DROP TABLE data.parcels", "from character 11"),
    "comment": ("dlbm = 'a' -- '", "does not end"),
    "block comment": ("dlbm = 'a' /* x */", "from character"),
    "union": ("dlbm = 'a' UNION SELECT 1", "from character"),
    "string that does not end": ("dlbm = 'a", "does not end"),
    "escaped last quote": (r"dlbm = 'a\'", "does not end"),
    "bracket not closed": ("(dlbm = 'a'", "not closed"),
    "bracket not opened": ("dlbm = 'a')", "not opened"),
    "SQL in a name": ('"dlbm"" = 1; --" = 1', "no such property"),
    "SQL as a name": ('"1=1) OR (1=1" = 1', "no such property"),
    "unknown property": ("nosuch = 1", "no such property"),
    "misspelt property": ("dlbn = '01'", "did you mean 'dlbm'"),
    "column of bookkeeping": ('"_release" > 0', "no such property"),
    "table with a name": ("parcels.dlbm = '01'", "no such property"),
    "system column": ("ctid = '1'", "no such property"),
    "placeholder in a name": ('"%(limit)s" = 1', "no such property"),
    "function of the database": ("pg_sleep(10) = 1", "no function 'pg_sleep'"),
    "function that reads files": ("pg_read_file('/etc/passwd') = 'x'", "no function"),
    "function with a schema": ("pg_catalog.version() = 'x'", "no function"),
    "settings": ("current_setting('data_directory') = 'x'", "no function"),
    "unknown function": ("nosuch(dlbm) = 1", "no function 'nosuch'"),
    "too many arguments": ("lower(dlbm, dlmc) = 'x'", "1 arguments"),
    "too few arguments": ("buffer(geometry) = 'x'", "2 arguments"),
    "wrong argument": ("lower(tbmj) = 'x'", "string, not number"),
    "function as a condition": ("lower(dlbm)", "not a condition"),
    "number as a condition": ("1", "not a condition"),
    "property as a condition": ("dlbm", "not a condition"),
    "AND of texts": ("dlbm AND dlmc", "is not a condition"),
    "NOT of a number": ("NOT 5", "is not a condition"),
    "text with number": ("dlbm = 101", "compares string with integer"),
    "number with text": ("tbmj > 'a'", "compares number with string"),
    "boolean with number": ("true = 1", "compares boolean with integer"),
    "null": ("dlbm = NULL", "IS NULL"),
    "LIKE of a number": ("tbmj LIKE '1%'", "LIKE is for text"),
    "LIKE with a property": ("dlbm LIKE dlmc", "pattern of LIKE"),
    "LIKE that ends with its escape": (r"dlbm LIKE 'a\\'", "escape character"),
    "BETWEEN texts and numbers": ("tbmj BETWEEN 'a' AND 'b'", "compares number with string"),
    "IN of mixed types": ("dlbm IN ('a', 1)", "compares string with integer"),
    "CASEI of a number": ("CASEI(tbmj) = CASEI('a')", "is for text"),
    "calculating with text": ("dlbm + 1 = 2", "calculates with string"),
    "division by zero": ("tbmj > 1 / 0", "has no value"),
    "root of a negative": ("tbmj > (0 - 8) ^ 0.5", "has no value"),
    "power beyond bounds": ("tbmj > 10 ^ 999", "has no value"),
    "huge number": ("tbmj > 1e999", "too large a number"),
    "huge number in full": ("tbmj > 1" + "0" * 400, "too large a number"),
    "infinity": ("tbmj > Infinity", "no such property"),
    "not a number": ("tbmj = NaN", "no such property"),
    "geometry compared": ("geometry = 'x'", "geometry cannot be compared"),
    "text as a geometry": ("S_INTERSECTS(geometry, 'POINT(1 1)')", "string is not a geometry"),
    "property that is no geometry": ("S_INTERSECTS(dlbm, POINT(1 1))", "string is not a geometry"),
    "one geometry": ("S_INTERSECTS(geometry)", "2 operands"),
    "latitude first": ("S_INTERSECTS(geometry, POINT(36 115))", "leaves the earth"),
    "beyond the pole": ("S_INTERSECTS(geometry, POINT(90 180))", "leaves the earth"),
    "one point beyond": ("S_INTERSECTS(geometry, MULTIPOINT(7.02 49.92, 90 180))", "leaves the earth"),
    "ring not closed": ("S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0)))", "is not a geometry"),
    "line of one point": ("S_INTERSECTS(geometry, LINESTRING(1 1))", "is not a geometry"),
    "empty point": ("S_INTERSECTS(geometry, POINT EMPTY)", "has no place"),
    "empty point with measures": ("S_INTERSECTS(geometry, POINT M EMPTY)", "has no place"),
    "empty point in one word": ("tbmj > POINTEMPTY", "has no place"),
    "empty point inside words": ("dlbmINPOINT EMPTY", "has no place"),
    "empty polygon": ("S_INTERSECTS(geometry, POLYGON EMPTY)", "has no place"),
    "box of two numbers": ("S_INTERSECTS(geometry, BBOX(1, 2))", "is not a box"),
    "box of properties": ("S_INTERSECTS(geometry, BBOX(tbmj, 2, 3, 4))", "is not a box"),
    "box upside down": ("S_INTERSECTS(geometry, BBOX(115, 37, 116, 36))", "corners swapped"),
    "no such month": ("valid_from > DATE('2024-13-01')", "no such day"),
    "no such day": ("valid_from > DATE('2023-02-29')", "no such day"),
    "year zero": ("valid_from > DATE('0000-01-01')", "no such day"),
    "end of time elsewhere": ("valid_from > TIMESTAMP('9999-12-31T23:59:59-12:00')", "no such time"),
    "no such hour": ("valid_from > TIMESTAMP('2024-01-01T25:00:00Z')", "no such time"),
    "date as a time": ("valid_from > TIMESTAMP('2024-01-01')", "is not a time"),
    "words as a date": ("valid_from > DATE('yesterday')", "is not a date"),
    "words against a time": ("valid_from > 'yesterday'", "is not a time"),
    "number as a date": ("valid_from > DATE(5)", "is not a date"),
    "property as a date": ("valid_from > DATE(dlbm)", "is not a date"),
    "time against text": ("dlbm > TIMESTAMP('2024-01-01T00:00:00Z')", "compares string with timestamp"),
    "interval backwards": ("T_DURING(INTERVAL('2024-02-01', '2024-01-01'), INTERVAL('..', '..'))", "ends before"),
    "interval of one end": ("T_AFTER(valid_from, INTERVAL('2024-02-01'))", "two ends"),
    "interval of numbers": ("T_AFTER(valid_from, INTERVAL(1, 2))", "neither a date nor a time"),
    "instant where intervals go": ("T_DURING(valid_from, DATE('2024-01-01'))", "for intervals only"),
    "text in T_AFTER": ("T_AFTER(dlbm, DATE('2024-01-01'))", "neither a date nor a time"),
    "interval compared": ("valid_from = INTERVAL('..', '..')", "interval cannot be compared"),
    "property as an array": ("A_CONTAINS(dlbm, ('a', 'b'))", "string is not an array"),
    "mixed array": ("A_EQUALS(('a', 1), ('a', 1))", "mixes"),
    "array of geometries": ("A_EQUALS((geometry, geometry), (geometry, geometry))", "mixes geometry"),
    "5,000 brackets": ("(" * 5000 + "dlbm = 'a'" + ")" * 5000, "nests"),
    "brackets without an end": ("(" * 40, "nests|not closed"),
    "40 brackets around a mistake": ("(" * 40 + "dlbm =" + ")" * 40, "nests"),
    "10,000 NOT": ("NOT " * 10_000 + "dlbm = 'a'", "operators"),
    "10,000 minus": ("tbmj = " + "-" * 10_000 + "1", "operators"),
    "10,000 AND": (" AND ".join(["tbmj > 1"] * 10_000), "operators"),
    "10,000 sums": ("tbmj = " + "+".join(["1"] * 10_000), "operators"),
    "100 sums in one": ("tbmj = tbmj" + "+1" * 100, "parts more than"),
    "100 functions in one": ("lower(" * 100 + "dlbm" + ")" * 100 + " = 'a'", "nests"),
    "10 MB": ("dlbm = '" + "x" * 10_000_000 + "'", "characters"),
    "NUL": ("dlbm = 'a\0b'", "NUL"),
    "surrogate": ("dlbm = '\ud800'", "Unicode"),
}  # fmt: skip

JSON: dict[str, tuple[str, str]] = {
    "nothing": ("", "does not begin|is not cql2-json"),
    "text": ("dlbm = 'a'", "cql2-json"),
    "cut short": ('{"op": "=",', "is not cql2-json"),
    "NaN": ('{"op": "=", "args": [{"property": "tbmj"}, NaN]}', "is not cql2-json"),
    "infinite": ('{"op": "=", "args": [{"property": "tbmj"}, 1e400]}', "is not cql2-json"),
    "no operation": ('{"args": []}', "is not cql2-json"),
    "operation is a number": ('{"op": 5, "args": []}', "is not cql2-json"),
    "no arguments": ('{"op": "="}', "is not cql2-json"),
    "one argument": (_tree("=", 1), "2 operands, 1"),
    "AND of nothing": (_tree("and"), "two operands"),
    "NOT of nothing": (_tree("not"), "1 operands, 0"),
    "BETWEEN of one": (_tree("between", {"property": "tbmj"}, 1), "3 operands"),
    "LIKE a number": (_tree("like", {"property": "dlbm"}, 5), "LIKE is for text"),
    "IN a number": (_tree("in", {"property": "tbmj"}, 5), "needs a list"),
    "IN of nothing": (_tree("in", {"property": "tbmj"}, []), "needs a list"),
    "null": (_tree("=", {"property": "dlbm"}, None), "IS NULL"),
    "name is a number": (_tree("=", {"property": 5}, 1), "is not cql2-json"),
    "date is a number": (_tree(">", {"property": "valid_from"}, {"date": 5}), "is not a date"),
    "unknown geometry": (_shape(type="Circle", coordinates=[1, 2]), "is not cql2-json"),
    "point of one number": (_shape(type="Point", coordinates=[1]), "is not cql2-json"),
    "polygon of nothing": (_shape(type="Polygon", coordinates=[]), "has no place"),
    "collection of nothing": (_shape(type="GeometryCollection", geometries=[]), "has no place"),
    "box of words": (_shape(bbox=["a", 2, 3, 4]), "is not a box"),
    "SQL in an operator": (_tree("= 1; DROP TABLE data.parcels; --", 1, 1), "no function"),
    "only a text": ('"dlbm"', "not a condition"),
    "only null": ("null", "is no value"),
    "list": ("[true, true]", "not a condition"),
    "10,000 deep": ('{"op":"not","args":[' * 10_000 + "true" + "]}" * 10_000, "is not cql2-json|parts more"),
    "100 deep": ('{"op":"not","args":[' * 100 + "true" + "]}" * 100, "is not cql2-json|parts more"),
    "lists 100 deep": (_tree("a_equals", [], []).replace("[[]", "[" + "[" * 100 + "]" * 100), "parts more"),
    "110,000 parts": (_tree("in", {"property": "tbmj"}, [1] * 110_000), "parts"),
    "10 MB": ("[" * 10_000_000, "characters"),
    "half a surrogate": ('{"op": "=", "args": [{"property": "dlbm"}, "\\ud800"]}', "is not cql2-json"),
    "NUL": (_tree("=", {"property": "dlbm"}, "\0"), "NUL"),
}

CASES = [
    *(pytest.param("cql2-text", *case, id=f"text: {name}") for name, case in TEXT.items()),
    *(pytest.param("cql2-json", *case, id=f"JSON: {name}") for name, case in JSON.items()),
]


@pytest.mark.parametrize(("lang", "text", "problem"), CASES)
def test_a_bad_filter_is_refused_with_its_reason(lang: Language, text: str, problem: str) -> None:
    with pytest.raises(BadParameter, match=problem) as refused:
        compile_filter(catalog.default().layer("parcels"), text, lang, DEFAULT, "Asia/Shanghai")
    assert refused.value.parameter == "filter"
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("given", "status", "problem"),
    [
        ({"filter": "pg_sleep(10) = 1"}, 400, "no function 'pg_sleep'"),
        ({"filter": "nosuch = 1"}, 400, "no such property"),
        ({"filter": "tbmj ^ 400 > 1"}, 400, "cannot be computed"),
        ({"filter": "tbmj > 1", "filter-lang": "cql"}, 400, "not a filter language"),
        ({"filter": "tbmj > 1", "filter-lang": "cql2-json"}, 400, "cql2-json"),
        ({"filter": "tbmj > 1", "filter-crs": "http://www.opengis.net/def/crs/EPSG/0/2154"}, 400, "is not served"),
        ({"filter-lang": "cql2-text"}, 400, "without filter"),
        ({"filter-crs": "http://www.opengis.net/def/crs/EPSG/0/4490"}, 400, "without filter"),
        ({"filters": "tbmj > 1"}, 400, "did you mean 'filter'"),
        ({"filter": "dlbm = 'a\0'"}, 400, "NUL"),
        ({"filter": "dlbm = '" + "x" * 40_000 + "'"}, 200, ""),
        ({"filter": "tbmj / 0 > 1"}, 200, ""),
        ({"filter": "dlbm = '%s %(limit)s %%'"}, 200, ""),
        ({"filter": "dlbm LIKE '%%'", "limit": "1"}, 200, ""),
        ({"filter": "tbmj % 2 > 5"}, 200, ""),
    ],
)
def test_over_http_a_bad_filter_is_told_and_the_next_is_answered(
    service: Any, given: dict[str, str], status: int, problem: str
) -> None:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as http:
        answer = http.get("/collections/parcels/items", params={"f": "json"} | given)
        assert answer.status_code == status, answer.text
        assert problem in answer.text.replace("\\u0000", "")
        for inside in ("Traceback", "psycopg", "SELECT", "data.parcels", '"s".'):
            assert inside not in answer.text
        if status == 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["parameter"] in given
        following = http.get("/collections/parcels/items", params={"f": "json", "limit": "1", "filter": "tbmj > 0"})
        assert following.json()["numberReturned"] == 1
