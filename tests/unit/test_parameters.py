"""Query parameters: what is taken, and how a wrong one is refused.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.layers.model import FieldDecl
from shikong.providers import crs
from shikong.providers.errors import BadParameter, UnknownParameter
from shikong.providers.items import Sort, property_names
from shikong.providers.values import parse_value
from shikong.server import parameters

PARCELS = catalog.default().layer("parcels")
EVENTS = catalog.default().layer("culture_events")
NAMES = property_names(PARCELS)
LAT_FIRST = crs.epsg(4490)


def test_an_unknown_parameter_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownParameter, match="did you mean 'limit'") as caught:
        parameters.require_known(QueryParams("limt=5"), parameters.ITEMS)
    assert caught.value.parameter == "limt"
    assert set(caught.value.allowed) == parameters.ITEMS | parameters.COMMON
    with pytest.raises(UnknownParameter) as caught:
        parameters.require_known(QueryParams("zzzzzz=5"), parameters.ITEMS)
    assert "mean" not in str(caught.value)


def test_known_parameters_are_taken_and_their_names_are_exact() -> None:
    parameters.require_known(QueryParams("limit=5&f=json&lang=zh&bbox-crs=x"), parameters.ITEMS)
    with pytest.raises(UnknownParameter):
        parameters.require_known(QueryParams("LIMIT=5"), parameters.ITEMS)


@pytest.mark.parametrize(("text", "number"), [(None, 7), ("1", 1), ("10000", 10_000), (" 12 ", 12), ("007", 7)])
def test_a_whole_number_within_bounds_is_taken(text: str | None, number: int) -> None:
    assert parameters.whole_number("limit", text, 7, 1, 10_000) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "--1",
        "10001",
        "1.0",
        "1e3",
        "ten",
        "１２",
        "²",
        "1_000",
        "+5",
        "0x10",
        "9" * 30,
        "9" * 5000,
        "-",
        "5 5",
    ],
)
def test_any_other_number_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parameters.whole_number("limit", text, 7, 1, 10_000)
    assert caught.value.parameter == "limit"
    assert caught.value.allowed == ("a whole number from 1 to 10000",)


@pytest.mark.parametrize(
    ("text", "served", "box"),
    [
        (None, crs.DEFAULT, None),
        ("115.2,36.1,115.6,36.4", crs.DEFAULT, (115.2, 36.1, 115.6, 36.4)),
        (" 115.2, 36.1 ,115.6,36.4", crs.DEFAULT, (115.2, 36.1, 115.6, 36.4)),
        ("36.1,115.2,36.4,115.6", LAT_FIRST, (115.2, 36.1, 115.6, 36.4)),
        ("115.2,36.1,0,115.6,36.4,100", crs.DEFAULT, (115.2, 36.1, 115.6, 36.4)),
        ("-180,-90,180,90", crs.DEFAULT, (-180, -90, 180, 90)),
        ("116,36,116,36", crs.DEFAULT, (116, 36, 116, 36)),
        ("170,30,-170,40", crs.DEFAULT, (170, 30, -170, 40)),
        ("30,170,40,-170", LAT_FIRST, (170, 30, -170, 40)),
    ],
)
def test_a_box_is_read_in_the_axis_order_of_its_crs(text: str | None, served: crs.ServedCrs, box: Any) -> None:
    assert parameters.bbox(text, served) == box


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not numbers"), ("1,2,3", "3 numbers"), ("1,2,3,4,5", "5 numbers"), ("a,b,c,d", "not numbers"),
        ("1,2,3,nan", "not finite"), ("1,2,inf,4", "not finite"), ("1,4,3,2", "swapped"), ("3,4,1,2", "swapped"),
        ("-181,0,0,1", "leaves the earth"), ("0,0,181,1", "leaves the earth"), ("181,0,0,1", "leaves the earth"), ("0,-91,1,0", "leaves the earth"),
        ("1,2,3,4,", "not numbers"), ("1;2;3;4", "not numbers"),
    ],
)  # fmt: skip
def test_any_other_box_is_refused_with_what_is_wanted(text: str, words: str) -> None:
    with pytest.raises(BadParameter, match=words) as caught:
        parameters.bbox(text, crs.DEFAULT)
    assert caught.value.allowed == ("four numbers: west,south,east,north",)
    assert caught.value.parameter == "bbox"


def test_degrees_in_the_wrong_order_are_told_the_right_one() -> None:
    with pytest.raises(BadParameter, match="latitude first") as caught:
        parameters.bbox("115.2,36.1,115.6,36.4", LAT_FIRST)
    assert "south,west,north,east" in caught.value.allowed[0]


@given(st.lists(st.floats(), min_size=0, max_size=8))
def test_no_list_of_numbers_gives_a_box_beyond_the_earth(numbers: list[float]) -> None:
    try:
        box = parameters.bbox(",".join(map(repr, numbers)), crs.DEFAULT)
    except BadParameter:
        return
    assert box is not None
    west, south, east, north = box
    assert -180 <= min(west, east) <= max(west, east) <= 180  # west is greater than east over the antimeridian
    assert -90 <= south <= north <= 90


def test_sorting_names_fields_and_directions() -> None:
    assert parameters.sorting(PARCELS, "-tbmj,dlbm") == (Sort("tbmj", True), Sort("dlbm", False))
    assert parameters.sorting(PARCELS, "+tbmj") == parameters.sorting(PARCELS, " tbmj") == (Sort("tbmj"),)
    assert parameters.sorting(PARCELS, None) == parameters.sorting(PARCELS, "") == ()


@pytest.mark.parametrize("text", ["geom", "_row", "tbmj;dlbm", "dlbm,,tbmj", "-", "TBMJ", "tbmj desc", 'dlbm"'])
def test_sorting_by_anything_else_is_refused_with_the_properties(text: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parameters.sorting(PARCELS, text)
    assert caught.value.allowed == NAMES


def test_chosen_properties_come_once_in_the_order_asked() -> None:
    assert parameters.chosen_properties(PARCELS, QueryParams({"properties": "tbmj, dlbm,tbmj"})) == ("tbmj", "dlbm")
    assert parameters.chosen_properties(PARCELS, QueryParams()) is None
    for name in ("properties", "exclude-properties"):
        with pytest.raises(BadParameter, match="'nothing'"):
            parameters.chosen_properties(PARCELS, QueryParams({name: "tbmj,nothing"}))


def test_filters_are_read_in_the_type_of_their_field() -> None:
    given_filters = QueryParams("dlbm=0101&tbmj=12.5&limit=4&valid_from=2024-12-31T00:00:00%2B08:00&origin=generated")
    assert parameters.property_filters(PARCELS, given_filters) == (
        ("dlbm", "0101"), ("tbmj", 12.5),
        ("valid_from", datetime(2024, 12, 31, tzinfo=timezone(timedelta(hours=8)))), ("origin", "generated"),
    )  # fmt: skip
    with pytest.raises(BadParameter, match="a number"):
        parameters.property_filters(PARCELS, QueryParams("tbmj=much"))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "0101", "0101"), ("integer", "-12", -12), ("number", "1e3", 1000.0), ("boolean", "TRUE", True),
        ("boolean", "false", False), ("date", "2024-12-31", date(2024, 12, 31)),
        ("datetime", "2024-12-31T08:00:00Z", datetime.fromisoformat("2024-12-31T08:00:00Z")),
    ],
)  # fmt: skip
def test_a_value_is_read_as_its_type(kind: str, text: str, value: Any) -> None:
    field = FieldDecl.model_validate({"type": kind, "title": Text(zh="值", en="Value")})
    layer = PARCELS.model_copy(update={"fields": PARCELS.fields | {"given": field}})
    found = parse_value(layer, "given", text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("integer", "1.5"), ("integer", ""), ("integer", "9" * 5000), ("number", "nan"), ("number", "inf"), ("number", "1,5"),
     ("boolean", "1"), ("date", "31.12.2024"), ("datetime", "today"), ("string", "a\x00b")],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_with_what_is_expected(kind: str, text: str) -> None:
    field = FieldDecl.model_validate({"type": kind, "title": Text(zh="值", en="Value")})
    layer = PARCELS.model_copy(update={"fields": PARCELS.fields | {"given": field}})
    with pytest.raises(BadParameter) as caught:
        parse_value(layer, "given", text)
    assert caught.value.parameter == "given"
    assert caught.value.allowed


def test_a_time_without_a_zone_is_the_citys_own() -> None:
    found = parse_value(EVENTS, "starts", "2026-11-24T08:00:00")
    assert isinstance(found, datetime)
    assert found.tzinfo is not None, "the database would take it in its own zone"


@pytest.mark.parametrize(("text", "value"), [(None, False), ("true", True), ("TRUE", True), ("false", False)])
def test_a_flag_is_true_or_false(text: str | None, value: bool) -> None:
    assert parameters.flag("skipGeometry", text) is value


@pytest.mark.parametrize("text", ["", "1", "yes", "True "])
def test_any_other_flag_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="neither true nor false"):
        parameters.flag("skipGeometry", text)
