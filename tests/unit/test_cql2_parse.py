"""CQL2 as it is read: escapes, languages, brackets, boxes, and what a time means in the city.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import shapely

from shikong.layers import catalog
from shikong.providers.cql2.compile import Filter, compile_filter
from shikong.providers.cql2.functions import FUNCTIONS, description
from shikong.providers.cql2.parse import language, parse
from shikong.providers.crs import DEFAULT, epsg
from shikong.providers.errors import BadParameter

ZONE = ZoneInfo("Asia/Shanghai")


def _compiled(text: str, layer: str = "culture_events") -> Filter:
    return compile_filter(catalog.default().layer(layer), text, "cql2-text", DEFAULT, ZONE.key)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'Via dell''Avvento'", "Via dell'Avvento"),
        (r"'Via dell\'Avvento'", "Via dell'Avvento"),
        (r"'a\a\b\t\n\v\f\rz'", "a\a\b\t\n\v\f\rz"),
        (r"'C:\\data'", "C:\\data"),
        (r"'100\% of a\_b'", r"100\% of a\_b"),  # LIKE's own escapes stay
        (r"'\\'", "\\"),
        ("''", ""),
        ("'光岳楼 🏯'", "光岳楼 🏯"),
        ("'a (b'", "a (b"),
        ("'NOT AND \" ('", 'NOT AND " ('),
    ],
)
def test_escapes_in_strings(literal: str, value: str) -> None:
    assert parse(f"title = {literal}", "cql2-text")["args"][1] == value


def test_languages() -> None:
    assert language(None) == language("cql2-text") == language("cql-text") == "cql2-text"
    assert language("cql2-json") == "cql2-json"
    with pytest.raises(BadParameter) as refused:
        language("ecql")
    assert refused.value.allowed == ("cql2-text", "cql2-json", "cql-text")


@pytest.mark.parametrize(
    "text",
    [
        "((((((((free = true))))))))",
        "((free = true) AND (title = 'a')) OR (NOT (title = 'b' AND (type = 'c' OR type = 'd')))",
        "title IN (" + ", ".join(f"'{number}'" for number in range(5000)) + ")",
        " OR ".join(f"title = '{number}'" for number in range(400)),
        "S_INTERSECTS(geometry, MULTIPOLYGON(((" + ", ".join(f"{n / 1000} 1" for n in range(5000)) + ", 2 2, 0 1))))",
    ],
)
def test_what_people_and_programs_write_is_within_the_bounds(text: str) -> None:
    assert _compiled(text).text


def test_a_filter_s_text_depends_on_its_shape_only() -> None:
    """So that the statements of two filters that differ in values are one prepared statement."""
    one, other = _compiled("title = 'a' AND type IN ('x', 'y')"), _compiled("title = 'b' AND type IN ('z')")
    assert one.text == other.text
    assert one.values == ("a", ["x", "y"])
    assert other.params == {"cql0": "b", "cql1": ["z"]}


def test_no_value_is_in_the_text() -> None:
    cql = _compiled(
        "title = 'needle' AND starts > TIMESTAMP('2024-06-30T00:00:00Z') AND S_INTERSECTS(geometry, POINT(1 2))"
    )
    assert "needle" not in cql.text
    assert "2024" not in cql.text
    assert len(cql.values) == 3


def test_a_day_is_the_city_s() -> None:
    begins, ends = _compiled("starts = DATE('2024-06-30')").values
    assert begins.astimezone(UTC) == datetime(2024, 6, 29, 16, tzinfo=UTC)
    assert ends - begins == timedelta(days=1)
    (moment,) = _compiled("starts < TIMESTAMP('2024-06-30T00:00:00Z')").values
    assert moment == datetime(2024, 6, 30, tzinfo=UTC)


def test_a_box_across_the_antimeridian_is_two() -> None:
    (wkb,) = _compiled("S_INTERSECTS(geometry, BBOX(170, -10, -170, 10))").values
    shape = shapely.from_wkb(wkb)
    assert shape.equals(shapely.union_all([shapely.box(170, -10, 180, 10), shapely.box(-180, -10, -170, 10)]))


def test_heights_are_left_out_and_axes_put_right() -> None:
    layer = catalog.default().layer("culture_events")
    text = "S_INTERSECTS(geometry, POINT Z (36.45 115.98 30))"
    (wkb,) = compile_filter(layer, text, "cql2-text", epsg(4490), ZONE.key).values
    assert shapely.from_wkb(wkb).coords[:] == [(115.98, 36.45)]


def test_every_function_is_told_and_can_be_called() -> None:
    told = {function["name"]: function for function in description()["functions"]}
    assert set(told) == set(FUNCTIONS)
    examples = {"string": "title", "number": "2.5", "geometry": "geometry"}
    for name, function in FUNCTIONS.items():
        arguments = ", ".join(examples[kind] for kind in function.args)
        assert f"{name}(" in parse(f"{name}({arguments}) = 1", "cql2-text")["args"][0]["op"] + "("
        assert _compiled(f"{name.upper()}({arguments}) IS NOT NULL").text


def test_capitals_in_json_are_the_same_operators() -> None:
    tree = (
        '{"op": "AND", "args": [{"op": "S_WITHIN", "args": [{"property": "geometry"}, {"bbox": [1, 2, 3, 4]}]},'
        ' {"op": "LIKE", "args": [{"op": "CASEI", "args": [{"property": "title"}]}, {"op": "CASEI", "args": ["a%"]}]}]}'
    )
    layer = catalog.default().layer("culture_events")
    found = compile_filter(layer, tree, "cql2-json", DEFAULT, ZONE.key)
    text = "S_WITHIN(geometry, BBOX(1,2,3,4)) AND CASEI(title) LIKE CASEI('a%')"
    assert found == _compiled(text)
    assert found.bounds == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("S_INTERSECTS(geometry, BBOX(1,2,3,4))", (1, 2, 3, 4)),
        ("S_CONTAINS(POLYGON((1 2, 3 2, 3 4, 1 2)), geometry) AND free = true", (1, 2, 3, 4)),
        ("S_DISJOINT(geometry, BBOX(1,2,3,4))", None),
        ("S_INTERSECTS(geometry, BBOX(1,2,3,4)) OR free = true", None),
        ("NOT S_INTERSECTS(geometry, BBOX(1,2,3,4))", None),
        ("S_INTERSECTS(geometry, buffer(POINT(1 2), 100))", None),
        ("S_INTERSECTS(buffer(geometry, 100), POINT(1 2))", None),
        ("S_INTERSECTS(POINT(1 2), POINT(1 2))", None),
    ],
)
def test_where_all_that_a_filter_selects_must_lie(text: str, bounds: tuple[float, ...] | None) -> None:
    assert _compiled(text).bounds == bounds
