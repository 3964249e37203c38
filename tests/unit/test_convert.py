"""Source columns to declared fields: types, codes, aliases, and an account of every value refused.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shikong.ingest.convert import Converted, convert, map_fields
from shikong.ingest.errors import IngestError
from shikong.ingest.quality.findings import Finding
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.layers.model import FieldDecl, Layer

CATALOG = catalog.default()
VENUES = CATALOG.layer("culture_venues")
DISTRICTS = CATALOG.layer("districts")
PARCELS = CATALOG.layer("parcels")


def _layer(**field: Any) -> Layer:
    """Culture venues with one more field, `value`."""
    decl = FieldDecl.model_validate({"title": Text(zh="值", en="Value"), **field})
    return VENUES.model_copy(update={"fields": VENUES.fields | {"value": decl}})


def _convert(layer: Layer, frame: pd.DataFrame, first_row: int = 1, **chosen: str) -> Converted:
    return convert(CATALOG, layer, map_fields(layer, list(frame.columns), chosen), frame, first_row)


def _values(layer: Layer, values: Any) -> tuple[list[Any], list[Finding]]:
    frame = pd.DataFrame({"venue_id": [str(n) for n in range(len(values))], "name": "馆", "value": values})
    done = _convert(layer, frame)
    assert [index + 1 for index in np.flatnonzero(~done.keep)] == sorted({r.source_row for r in done.findings})
    return list(done.values["value"]), done.findings


@pytest.mark.parametrize(
    ("kind", "given_values", "expected"),
    [
        ("string", ["a", " 聊城 ", "", None, "  "], ["a", "聊城", None, None, None]),
        ("string", [371502.0, 371503.0, np.nan], ["371502", "371503", None]),
        ("string", [1.5, 2.0], ["1.5", "2.0"]),
        ("string", ["0101", "0102"], ["0101", "0102"]),
        ("integer", ["12", " -3 ", "", None, "4.0"], [12, -3, None, None, 4]),
        ("integer", [12.0, np.nan], [12, None]),
        ("number", ["1.5", "1e3", "", None], [1.5, 1000.0, None, None]),
        ("number", [1, 2], [1.0, 2.0]),
        ("boolean", ["true", "T", "1", "yes", "是", "Y", "1.0"], [True] * 7),
        ("boolean", ["false", "F", "0", "no", "否", "N", "0.0"], [False] * 7),
        ("boolean", [True, False], [True, False]),
        ("boolean", ["", None, " "], [None] * 3),
        ("date", ["2024-12-31", "2024/12/31", "", None], [date(2024, 12, 31)] * 2 + [None] * 2),
        ("date", ["2024-12-31T23:30:00+08:00"], [date(2024, 12, 31)]),
    ],
)
def test_a_value_becomes_its_type(kind: str, given_values: list[Any], expected: list[Any]) -> None:
    found, findings = _values(_layer(type=kind), given_values)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]
    assert findings == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-12-31T08:00:00", datetime(2024, 12, 31, 0, tzinfo=UTC)),
        ("2024-12-31 08:00", datetime(2024, 12, 31, 0, tzinfo=UTC)),
        ("2024-12-31T08:00:00Z", datetime(2024, 12, 31, 8, tzinfo=UTC)),
        ("2024-12-31T08:00:00-05:00", datetime(2024, 12, 31, 13, tzinfo=UTC)),
        ("2024-12-31", datetime(2024, 12, 30, 16, tzinfo=UTC)),
        ("20241231", datetime(2024, 12, 30, 16, tzinfo=UTC)),
        (pd.Timestamp("2024-12-31T08:00:00"), datetime(2024, 12, 31, 0, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_the_citys_own(text: Any, moment: datetime) -> None:
    found, findings = _values(_layer(type="datetime"), [text])
    assert found == [moment]
    assert findings == []


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("integer", "12.5"), ("integer", "twelve"), ("integer", "inf"), ("integer", "9" * 30), ("number", "1,5"),
        ("number", "nan m"), ("number", "inf"), ("number", "1e999"), ("boolean", "maybe"), ("boolean", "2"),
        ("date", "2024-02-30"), ("date", "soon"), ("datetime", "25:00"), ("datetime", "2024-13-01T00:00:00"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_with_row_rule_field_and_value(kind: str, bad: str) -> None:
    found, findings = _values(_layer(type=kind), ["", bad, None])
    assert findings == [Finding(2, f"not_a_{kind}", "value", bad)]
    assert found[0] is found[1] is found[2] is None


def test_rows_are_numbered_from_the_batchs_first() -> None:
    frame = pd.DataFrame({"venue_id": ["a", "b"], "name": ["馆", ""]})
    assert _convert(VENUES, frame, first_row=50_001).findings == [Finding(50_002, "required", "name", "")]


def test_a_long_value_is_told_in_part() -> None:
    _, findings = _values(_layer(type="integer"), ["x" * 5000])
    assert findings[0].value == "x" * 200


def test_a_code_is_taken_by_code_alias_or_title_in_either_language() -> None:
    assert CATALOG.codes["district_level"].codes["county"].aliases == ("district",)
    found, findings = _values(
        _layer(type="string", codes="district_level"),
        ["county", "district", "县（市、区）", "County or district", None],
    )
    assert found == ["county"] * 4 + [None]
    assert findings == []


@pytest.mark.parametrize("bad", ["planet", "COUNTY", "0101"])
def test_a_code_that_the_list_lacks_is_refused(bad: str) -> None:
    found, findings = _values(_layer(type="string", codes="district_level"), [bad, "city"])
    assert findings == [Finding(1, "not_in_code_list:district_level", "value", bad)]
    assert found[1] == "city"


def test_a_numeric_code_loses_no_leading_zero_when_it_is_text() -> None:
    frame = pd.DataFrame({"bsm": ["1", "2"], "dlbm": ["0101", "101"], "valid_from": "2024-12-31"})
    done = _convert(PARCELS, frame)
    assert [(r.source_row, r.rule, r.value) for r in done.findings] == [(2, "not_in_code_list:land_use_survey", "101")]
    assert next(iter(done.values["dlbm"])) == "0101"


def test_one_row_may_have_several_reasons() -> None:
    frame = pd.DataFrame({"venue_id": ["a"], "name": [None], "capacity": ["many"], "type": ["pub"]})
    assert {(r.rule, r.field) for r in _convert(VENUES, frame).findings} == {
        ("required", "name"), ("not_a_integer", "capacity"), ("not_in_code_list:venue_type", "type"),
    }  # fmt: skip


def test_columns_are_paired_by_name_or_alias_without_regard_to_case() -> None:
    mapping = map_fields(DISTRICTS, ["ADCODE", "Name", "geometry_x"], {})
    assert mapping.columns == {"xzqdm": "ADCODE", "xzqmc": "Name"}
    assert mapping.unused == ("geometry_x",)


def test_a_name_goes_before_an_alias_and_the_operator_before_both() -> None:
    assert map_fields(DISTRICTS, ["adcode", "XZQDM", "name"], {}).columns["xzqdm"] == "XZQDM"
    chosen = map_fields(DISTRICTS, ["adcode", "XZQDM", "name", "label"], {"xzqmc": "label"})
    assert chosen.columns["xzqmc"] == "label"
    assert "name" in chosen.unused


@pytest.mark.parametrize(
    ("fields", "chosen", "words"),
    [
        (["adcode"], {}, "--map xzqmc=COLUMN"),
        (["adcode", "name"], {"nothing": "name"}, "has no field 'nothing'"),
        (["adcode", "name"], {"xzqmc": "label"}, "no column 'label'"),
        (["adcode", "name"], {"area": "name"}, "has no field 'area'"),
    ],
)
def test_a_pairing_that_cannot_be_made_says_what_there_is(
    fields: list[str], chosen: dict[str, str], words: str
) -> None:
    with pytest.raises(IngestError, match=words) as caught:
        map_fields(DISTRICTS, fields, chosen)
    assert "adcode" in str(caught.value) or "xzqdm" in str(caught.value)


def test_a_derived_field_is_never_read_from_the_source() -> None:
    frame = pd.DataFrame({"xzqdm": ["1"], "xzqmc": ["区"], "area": ["12"]})
    assert "area" not in _convert(DISTRICTS, frame).values


def test_versions_and_origin_are_read_where_the_layer_has_them() -> None:
    frame = pd.DataFrame(
        {
            "bsm": ["1", "2"],
            "dlbm": "0101",
            "生效日期": ["2024-12-31", "x"],
            "END": [None, None],
            "origin": ["generated", "?"],
        }
    )
    done = _convert(PARCELS, frame)
    assert done.values["valid_from"][0] == datetime(2024, 12, 30, 16, tzinfo=UTC)
    assert list(done.values["valid_to"]) == [None, None]
    assert list(done.values["origin"]) == ["generated", "delivered"]
    assert [(r.source_row, r.rule, r.field) for r in done.findings] == [(2, "not_a_datetime", "valid_from")]


def test_a_version_without_a_start_or_that_ends_before_it_starts_is_refused() -> None:
    frame = pd.DataFrame(
        {"bsm": ["1", "2", "3"], "dlbm": "0101", "valid_from": ["2024-12-31", None, "2024-12-31"],
         "valid_to": [None, None, "2020-01-01"]}
    )  # fmt: skip
    assert {r.source_row for r in _convert(PARCELS, frame).findings} == {2, 3}


@given(st.lists(st.one_of(st.none(), st.text(max_size=8), st.floats(), st.integers(-(2**40), 2**40)), min_size=1))
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("kind", ["string", "integer", "number", "boolean", "date", "datetime"])
def test_whatever_comes_is_a_value_of_the_type_or_a_reason(kind: str, raw: list[Any]) -> None:
    types = {"string": str, "integer": int, "number": float, "boolean": bool, "date": date, "datetime": datetime}
    found, findings = _values(_layer(type=kind), pd.Series(raw, dtype=object))
    refused = {finding.source_row for finding in findings}
    for number, (value, source) in enumerate(zip(found, raw, strict=True), 1):
        assert value is None or type(value) is types[kind]
        empty = source is None or pd.isna(source) or not str(source).strip()
        assert (value is None) == (number in refused or empty), (source, value)
