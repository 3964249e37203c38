"""Tables of figures as files, read back by other programs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any, cast
from xml.etree import ElementTree as ET

import openpyxl
import pytest

from shikong.layers.declared import Text
from shikong.processes.figures import charts, page, text, workbook
from shikong.processes.figures.table import Chart, Column, FrequencyChart, Table, TimeChart
from shikong.providers.labels import Language

EVIL = '=HYPERLINK("http://x","点")'
COLUMNS = (
    Column("name", Text(zh="名称", en="Name")),
    Column("class", Text(zh="代码", en="Code")),
    Column("area_ha", Text(zh="面积", en="Area"), "ha"),
    Column("share_pct", Text(zh="占比", en="Share"), "%", 2),
)
ROWS = [
    {"name": EVIL, "class": "01", "area_ha": 1234.5678, "share_pct": 60.0},
    {"name": {"zh": "<b>园地</b>", "en": "+1 plantation"}, "class": "0201", "area_ha": -3.5, "share_pct": None},
    {"name": "@住宅", "class": "07", "area_ha": None, "share_pct": 0.0},
]
TOTALS = [{"name": {"zh": "合计", "en": "Total"}, "class": None, "area_ha": 1231.0678, "share_pct": 100.0}]


def answer(**changed: Any) -> dict[str, Any]:
    chart = Chart("rows", "class", "class", ("area_ha",), codes="land_use_survey")
    title = Text(zh="面积/表: 一", en="Areas [1]")
    one = Table(title, COLUMNS, ROWS, TOTALS, (Text(zh="说明", en="A note"),), chart)
    empty = Table(Text(zh="空表", en="Empty"), COLUMNS, [])
    sources = [{"layer": "parcels", "title": {"zh": "图斑", "en": "Parcels"}, "release": 4, "published": "2026-11-24",
                "origin": {"zh": "样例", "en": "Sample"}}]  # fmt: skip
    return {
        "title": {"zh": "标题", "en": "Title"}, "subtitle": {"zh": "全市", "en": "Whole city"},
        "label": {"zh": "生成的样例数据", "en": "Generated sample"},
        "tables": {"one": one.told, "empty": empty.told}, "sources": sources,
    } | changed  # fmt: skip


def test_csv_opens_as_utf_8_and_runs_no_formula() -> None:
    content = text.write(answer(), "zh")
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert rows[:3] == [["标题"], ["生成的样例数据"], ["全市"]]
    at = rows.index(["名称", "代码", "面积 (ha)", "占比 (%)"])
    assert rows[at + 1] == ["'" + EVIL, "01", "1234.5678", "60.0"]
    assert rows[at + 2] == ["<b>园地</b>", "0201", "-3.5", ""]
    assert rows[at + 3][0] == "'@住宅"
    assert rows[at + 4] == ["合计", "", "1231.0678", "100.0"]
    assert rows[at + 5] == ["说明"]
    assert rows[-1] == ["parcels", "图斑", "4", "2026-11-24", "样例"]
    for row in rows:
        assert not any(re.match(r"[=+@\t\r]", cell) for cell in row)
    english = text.write(answer(), "en").decode("utf-8-sig")
    assert "'+1 plantation" in english


def test_the_workbook_has_a_sheet_a_table_with_figures_and_texts_as_they_are() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook.write(answer(), "zh")))
    assert book.sheetnames == ["面积 表  一", "空表", "数据来源与版本", "图表数据"]
    sheet = book["面积 表  一"]
    assert sheet["A1"].value == "面积/表: 一"
    assert sheet["A2"].value == "生成的样例数据 · 全市"
    assert [cell.value for cell in sheet[3]] == ["名称", "代码", "面积 (ha)", "占比 (%)"]
    assert (sheet["A4"].value, sheet["A4"].data_type) == (EVIL, "s"), "a text is taken for a formula"
    assert (sheet["B4"].value, sheet["B4"].data_type) == ("01", "s"), "a code loses its zero"
    assert (sheet["C4"].value, sheet["C4"].number_format) == (1234.5678, "#,##0.0000")
    assert (sheet["D4"].value, sheet["D4"].number_format) == (60, "#,##0.00")
    assert sheet["C6"].value is None
    assert sheet["A7"].value == "合计"
    assert sheet["A7"].font.b
    assert sheet.freeze_panes == "A4"
    (chart,) = cast(Any, sheet)._charts
    assert chart.ser[0].val.numRef.f == "图表数据!$B$2:$B$4"
    data = book["图表数据"]
    assert [[cell.value for cell in row] for row in data["A2:B4"]] == [["01", 1234.5678], ["0201", -3.5], ["07", None]]
    sources = book["数据来源与版本"]
    assert [cell.value for cell in sources[2]] == ["parcels", "图斑", 4, "2026-11-24", "样例"]
    assert any(cell.value == "生成的样例数据" for row in sources.iter_rows() for cell in row)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_charts_name_fonts_that_readers_have_and_declared_colours(language: Language) -> None:
    told = charts.write(answer(), language)
    root = ET.fromstring(told)
    texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"01", "0201", "07", "1,234.6"} <= set(texts)
    assert {
        "生成的样例数据" if language == "zh" else "Generated sample",
        "面积 (ha)" if language == "zh" else "Area (ha)",
    } <= set(texts)
    assert b"Noto Sans CJK SC" in told
    assert b"#f5f8dc" in told.lower(), "cropland has not its declared colour"
    assert told == charts.write(answer(), language), "the same figures make another file"
    ET.fromstring(charts.write(answer(tables={}), language))


def test_panels_are_one_chart_for_each_word_and_leave_out_what_is_unknown() -> None:
    rows = [{"name": name, "kind": kind, "a": value, "b": None}
            for name, kind, value in (("x", "k1", 1.0), ("y", "k1", None), ("x", "k2", 2.0))]  # fmt: skip
    columns = tuple(Column(name, Text(zh=name, en=name)) for name in ("name", "kind"))
    figures = tuple(Column(name, Text(zh=name, en=name), "ha") for name in ("a", "b"))
    chart = Chart("rows", "name", "name", ("a", "b"), panel="kind")
    table = Table(Text(zh="表", en="Table"), columns + figures, rows, chart=chart).told
    panels = charts.drawn(table, "zh")
    assert [(panel.title, list(panel.labels)) for panel in panels] == [("表 · k1", ["x", "y"]), ("表 · k2", ["x"])]
    assert [[list(bars.values) for bars in panel.bars] for panel in panels] == [[[1.0, None]], [[2.0]]]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_loads_nothing_and_writes_words_as_words(language: Language) -> None:
    told = page.write(answer(), language).decode()
    assert "&lt;b&gt;园地" in told or language == "en"
    assert "<b>" not in told
    assert "http://" not in told.replace("http://x", "")
    assert re.findall(r'(?:src|href)="(?!data:)', told) == []
    assert 'class="total"' in told
    assert ("生成的样例数据" if language == "zh" else "Generated sample") in told
    assert "1,234.5678" in told
    assert "–" in told
    unlabelled = page.write(answer(label=None), language).decode()
    assert 'class="sample"' not in unlabelled


def course(**changed: Any) -> dict[str, Any]:
    columns = (
        Column("time", Text(zh="时段末", en="End of step")), Column("rain_mm", Text(zh="雨量", en="Rain"), "mm", 1),
        Column("flow", Text(zh="流量", en="Discharge"), "m3/s", 1),
    )  # fmt: skip
    rows = [{"time": f"2026-07-01T{hour:02}:00+08:00", "rain_mm": None if hour == 3 else 2.0 * hour, "flow": 10.0 + hour}
            for hour in range(1, 9)]  # fmt: skip
    chart = changed.pop("chart", TimeChart("time", ("rain_mm",), ("flow",)))
    return answer(tables={"course": Table(Text(zh="过程", en="Course"), columns, rows, (), (), chart).told})


def test_courses_are_drawn_with_rain_from_above_and_lines() -> None:
    told = charts.write(course(), "en")
    words = "".join(ET.fromstring(told).itertext())
    assert "Course" in words
    assert "Rain (mm)" in words
    assert "Discharge" in words
    assert "Jul" not in words, "dates are told alike in both languages"
    assert told == charts.write(course(), "en")
    rain = charts.write(course(chart=TimeChart("time", ("rain_mm",))), "zh")
    assert "流量" not in "".join(ET.fromstring(rain).itertext())
    several = charts.pictures(course(chart=TimeChart("time", ("rain_mm", "flow")))["tables"]["course"], "zh")
    assert len(several) == 2


def test_courses_are_native_charts_in_workbooks() -> None:
    for chart, kinds in ((TimeChart("time", ("rain_mm",), ("flow",)), 1), (TimeChart("time", ("rain_mm",)), 1)):
        book = openpyxl.load_workbook(io.BytesIO(workbook.write(course(chart=chart), "zh")))
        assert len(book.worksheets[0]._charts) == kinds


def test_frequency_curves_are_drawn_on_probability_paper() -> None:
    columns = (
        Column("p", Text(zh="频率", en="Frequency"), "%", 1), Column("x", Text(zh="雨量", en="Rain"), "mm", 1),
        Column("survey", Text(zh="调查", en="Survey")),
    )  # fmt: skip
    rows = [
        {"p": 100 * rank / 12, "x": 200.0 - 10 * rank, "survey": "yes" if rank == 1 else None} for rank in range(1, 12)
    ]
    chart = FrequencyChart("p", "x", "survey", 130.0, 0.3, 0.9)
    told = answer(tables={"curve": Table(Text(zh="曲线", en="Curve"), columns, rows, (), (), chart).told})
    words = "".join(ET.fromstring(charts.write(told, "zh")).itertext())
    assert "频率 P (%)" in words
    assert "调查" in words
    assert "Cv = 0.30, Cs/Cv = 3.00" in words
    assert b"svg+xml;base64," in page.write(told, "en")
    assert openpyxl.load_workbook(io.BytesIO(workbook.write(told, "en"))).sheetnames
