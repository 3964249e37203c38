"""Code lists, their levels and groups, and the crosswalk between them, against published tables of the same standards.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from shikong.layers import catalog
from shikong.layers.errors import DeclarationError

CODES = catalog.load().codes
SURVEY, PLAN = CODES["land_use_survey"], CODES["land_use_plan"]
SURVEY_TO_PLAN = catalog.load().crosswalks["survey_to_plan"].codes
WETLAND = {"0303", "0304", "0306", "0402", "0603", "1105", "1106", "1108"}
#: Where the law is followed and not the published grouping; layers/codes/land_use_plan.yml says why.
BY_LAW = {"06", "0601", "060101", "060201", "060202", "060203", "2301"}


def table(folder: Path, name: str, sheet: int = 0) -> list[tuple[str, str]]:
    """The rows of a published table of two columns; some codes are kept as numbers in it."""
    book = CalamineWorkbook.from_path(folder / "landuse_codes" / name)
    rows = book.get_sheet_by_name(book.sheet_names[sheet]).to_python()
    texts = [[str(int(cell)) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return [
        (row[0], row[1]) for row in texts if row[0] not in ("用地代码", "地类代码", "地类", "旧用地代码", "三调地类")
    ]


def test_the_planning_classes_are_those_of_2023_in_three_levels(shared_data: Path) -> None:
    rows = table(shared_data, "ydyh_2023_code_name.xlsx")
    assert {code: entry.title.zh for code, entry in PLAN.codes.items()} == dict(rows)
    for code, entry in PLAN.codes.items():
        assert entry.parent == (code[:-2] or None)


def test_the_survey_classes_are_those_of_the_working_classification(shared_data: Path) -> None:
    rows = table(shared_data, "sandiao_code_name_table.xlsx")
    assert {code: entry.title.zh for code, entry in SURVEY.codes.items()} == dict(rows)
    mixed = table(shared_data, "sandiao_code_name.xlsx")
    assert [row for row in mixed if not row[0].startswith(("20", "原来"))] == rows
    level_1 = ""
    for code, _ in rows:  # the table has each class of level 1 above its own
        level_1 = code if len(code) == 2 else level_1
        assert SURVEY.within(code, level_1), code


def test_a_class_of_wetland_lies_below_00_whatever_its_digits_say() -> None:
    assert {code for code in SURVEY.codes if SURVEY.within(code, "00")} == WETLAND | {"00"}
    assert SURVEY.ancestors("0303") == ("00",)
    assert not SURVEY.within("0303", "03")
    assert SURVEY.ancestors("08H2A") == ("08H2", "08")
    assert SURVEY.ancestors("0201K") == ("0201", "02")
    assert PLAN.within("080403", "08")
    assert PLAN.within("08", "08")
    assert not PLAN.within("08", "080403")
    with pytest.raises(KeyError):
        PLAN.within("0811", "08")


def test_construction_is_what_the_published_grouping_says_but_for_the_law(shared_data: Path) -> None:
    built = dict(table(shared_data, "ydyh_builtup_grouping.xlsx"))
    grouped: dict[str, set[str]] = {}
    for old, new in table(shared_data, "ydyh_old_to_new.xlsx"):
        grouped.setdefault(new, set()).add(built[old])
    differ = {code for code, said in grouped.items() if said != {_built(code)}}
    assert differ == BY_LAW
    assert len(grouped) > 160


def _built(code: str) -> str:
    return "建设用地" if PLAN.group_of(code) == "construction" else "非建设用地"


def test_a_group_is_the_codes_own_or_that_of_the_nearest_above() -> None:
    assert (SURVEY.group_of("0404"), SURVEY.group_of("0403K"), SURVEY.group_of("04")) == (
        "unused",
        "agricultural",
        "agricultural",
    )
    assert (SURVEY.group_of("1104K"), SURVEY.group_of("1101"), SURVEY.group_of("0603")) == (
        "agricultural",
        "unused",
        "construction",
    )
    assert (PLAN.group_of("070102"), PLAN.group_of("060101"), PLAN.group_of("1703")) == (
        "construction",
        "agricultural",
        "agricultural",
    )
    assert {code for code in PLAN.codes if PLAN.group_of(code) is None} == {
        code for code in PLAN.codes if code[:2] in ("18", "19", "20", "21", "22", "24")
    }
    assert all(SURVEY.group_of(code) for code in SURVEY.codes)
    assert CODES["road_class"].group_of("trunk") is None


def test_the_crosswalk_is_the_published_one_where_that_decides(shared_data: Path) -> None:
    survey = {entry.title.zh: code for code, entry in SURVEY.codes.items()}
    plan = {entry.title.zh: code for code, entry in PLAN.codes.items()} | {"橡胶园": "0203"}
    said = {survey[name]: plan.get(other) for name, other in table(shared_data, "sandiao_to_ydyh2023.xlsx")}
    differ = {code for code, other in said.items() if other is not None and SURVEY_TO_PLAN[code] != other}
    assert differ == {"0204K", "0810"}
    assert {code for code, other in said.items() if other is None} == {
        "0204", "08H2", "0809", "09", "1005", "1006", "1202"
    }  # fmt: skip
    level_1 = {survey[name]: plan[other] for name, other in table(shared_data, "sandiao_to_ydyh2023.xlsx", 1)}
    assert [code for code, top in level_1.items() if not PLAN.within(SURVEY_TO_PLAN[code], top)] == []


def test_a_class_and_its_counterpart_are_of_one_group() -> None:
    assert set(SURVEY_TO_PLAN) == set(SURVEY.codes)
    differ = {code for code, other in SURVEY_TO_PLAN.items() if SURVEY.group_of(code) != PLAN.group_of(other)}
    assert differ == {"1107A"}


def test_the_same_digits_may_mean_different_things() -> None:
    assert (SURVEY.codes["0303"].title.zh, PLAN.codes["0303"].title.zh) == ("红树林地", "灌木林地")
    assert (SURVEY_TO_PLAN["0303"], SURVEY_TO_PLAN["0601"], SURVEY_TO_PLAN["1101"]) == ("0507", "1001", "1701")


BROKEN = [
    ("codes/land_use_survey.yml", "水田, en: Paddy field}, parent: \"01\"", "水田, en: Paddy field}, parent: \"99\"", "codes.0101.parent", "not in the list"),
    ("codes/land_use_survey.yml", "耕地, en: Cropland}, group: agricultural", "耕地, en: Cropland}, group: farming", "codes.01.group", "none of the groups"),
    ("codes/land_use_survey.yml", "耕地, en: Cropland}, group", "耕地, en: Cropland}, parent: \"0101\", group", "codes.01.parent", "below itself"),
    ("codes/road_class.yml", "motorway\": {", "motorway\": {parent: motorway, ", "codes.motorway.parent", "below itself"),
    ("codes/road_class.yml", "motorway\": {", "motorway\": {group: fast, ", "codes.motorway.group", "none of the groups []"),
    ("crosswalks/survey_to_plan.yml", "\"0102\": \"0102\"", "\"0102\": \"0199\"", "codes.0102", "'0199' is no code of land_use_plan"),
    ("crosswalks/survey_to_plan.yml", "\"0102\": \"0102\"", "\"0199\": \"0102\"", "codes.0199", "'0199' is no code of land_use_survey"),
    ("crosswalks/survey_to_plan.yml", "to: land_use_plan", "to: land_use_plans", "to", "no code list"),
    ("crosswalks/survey_to_plan.yml", "id: survey_to_plan", "id: survey", "id", "the file is called"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "field", "message"), BROKEN)
def test_a_mistake_is_told_with_file_line_and_field(
    home: Path, file: str, old: str, new: str, field: str, message: str
) -> None:
    path = home / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        catalog.load(home)
    fault = caught.value.faults[0]
    assert (fault.file, fault.field) == (path, field)
    assert message in fault.message
    place = text[: text.index(old)].count("\n") + 1
    assert fault.line == (1 if field == "id" else place)


def test_every_code_needs_a_counterpart(home: Path) -> None:
    path = home / "crosswalks/survey_to_plan.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line for line in lines if '"0102"' not in line), encoding="utf-8")
    with pytest.raises(
        DeclarationError, match=r"codes: these codes of land_use_survey have no counterpart: \['0102'\]"
    ) as caught:
        catalog.load(home)
    (fault,) = caught.value.faults
    assert lines[fault.line - 1] == "codes:"


def test_all_faults_of_a_list_are_told_together(home: Path) -> None:
    path = home / "codes/road_class.yml"
    text = path.read_text(encoding="utf-8")
    text = text.replace('"trunk": {', '"trunk": {parent: a, ').replace('"track": {', '"track": {group: b, ')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        catalog.load(home)
    told = [fault.field for fault in caught.value.faults if fault.file == path]
    assert told == ["codes.trunk.parent", "codes.track.group"]
