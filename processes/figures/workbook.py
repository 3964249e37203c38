"""Tables as an Excel workbook: a sheet each with its chart, and one of the sources.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import re
from typing import Any

import xlsxwriter

from shikong.processes.base import Rendering
from shikong.processes.figures import charts, table
from shikong.providers.labels import Language

_INK, _HEAD, _TOTAL = "#1C2B2D", "#E2EFEE", "#F4F7F6"
#: Widths of columns, in letters.
_NARROW, _WIDE = 9, 44
#: What the name of a sheet may not have.
_FORBIDDEN = re.compile(r"[\[\]:*?/\\]")
_CHARTS = {"zh": "图表数据", "en": "Chart data"}


def write(answer: dict[str, Any], language: Language) -> bytes:
    """The answer's tables. Texts are written as texts, whatever they begin with."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        book.set_properties({"title": table.said(answer["title"], language), "comments": _label(answer, language)})
        sheets = [(_add(book, table.said(each["title"], language)), each) for each in answer["tables"].values()]
        _write_sources(book, answer, language)
        data = book.add_worksheet(_CHARTS[language])
        used = 0
        for sheet, each in sheets:
            below = _write_table(book, sheet, answer, each, language)
            used = _add_chart(book, sheet, data, charts.drawn(each, language), (below, used))
            _add_course(book, sheet, each, language, below)
    return file.getvalue()


def _add(book: Any, title: str) -> Any:
    return book.add_worksheet(_FORBIDDEN.sub(" ", title)[:31])


def _label(answer: dict[str, Any], language: Language) -> str:
    return table.said(answer["label"], language) or ""


def _write_table(book: Any, sheet: Any, answer: dict[str, Any], each: dict[str, Any], language: Language) -> int:
    """A table under its title; returns the first row that is left free."""
    bold, small = book.add_format({"bold": True, "font_size": 14}), book.add_format({"font_color": "#5B6B7A"})
    head = book.add_format({"bold": True, "bg_color": _HEAD, "border": 1, "text_wrap": True, "valign": "vcenter"})
    sheet.write_string(0, 0, table.said(each["title"], language), bold)
    about = " · ".join(filter(None, (_label(answer, language), table.said(answer["subtitle"], language))))
    sheet.write_string(1, 0, about, small)
    for column, title in enumerate(table.header(each, language)):
        sheet.write_string(2, column, title, head)
    formats = {
        total: [_format(book, column, total=total) for column in each["columns"]] for total in (False, True)
    }  # fmt: skip
    lines = table.lines(each, language)
    for number, line in enumerate(lines):
        total = number >= len(each["rows"])
        for column, value in enumerate(line):
            _write_cell(sheet, 3 + number, column, value, formats[total][column])
    for column, title in enumerate(table.header(each, language)):
        texts = [str(line[column]) for line in lines if line[column] is not None]
        wide = max((charts.width(text) for text in (*texts, title[:12])), default=0)
        sheet.set_column(column, column, min(max(wide + 2, _NARROW), _WIDE))
    end = 3 + len(lines)
    sheet.freeze_panes(3, 0)
    if lines:
        sheet.autofilter(2, 0, end - 1, len(each["columns"]) - 1)
    for number, note in enumerate(each["notes"]):
        sheet.write_string(end + 1 + number, 0, table.said(note, language), small)
    _for_print(sheet)
    return end + len(each["notes"]) + 2


def _for_print(sheet: Any) -> None:
    sheet.set_paper(9)  # A4
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(2)


def _format(book: Any, column: dict[str, Any], *, total: bool) -> Any:
    wanted: dict[str, Any] = {"font_color": _INK, "border": 1, "border_color": "#D5DEDD"}
    if column.get("unit"):
        decimals = column["decimals"]
        wanted["num_format"] = "#,##0" + ("." + "0" * decimals if decimals else "")
    if total:
        wanted |= {"bold": True, "bg_color": _TOTAL}
    return book.add_format(wanted)


def _write_cell(sheet: Any, row: int, column: int, value: Any, form: Any) -> None:
    if value is None:
        sheet.write_blank(row, column, None, form)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        sheet.write_string(row, column, str(value), form)
    else:
        sheet.write_number(row, column, value, form)


def _write_sources(book: Any, answer: dict[str, Any], language: Language) -> None:
    sheet = _add(book, getattr(table.SOURCES_TITLE, language))
    head = book.add_format({"bold": True, "bg_color": _HEAD, "border": 1})
    for number, line in enumerate(table.sources(answer, language)):
        for column, value in enumerate(line):
            _write_cell(sheet, number, column, value, head if number == 0 else None)
    sheet.set_column(0, len(table.SOURCES) - 1, 24)
    sheet.freeze_panes(1, 0)
    sheet.write_string(len(answer["sources"]) + 2, 0, _label(answer, language))


def _add_chart(book: Any, sheet: Any, data: Any, panels: list[charts.Panel], at: tuple[int, int]) -> int:
    """Native charts of a table below it, on figures that stand in a sheet of their own.

    at: the sheet's first free row, and the first free column of the sheet of figures; returns what is free then.
    """
    row, column = at
    for panel in panels:
        data.write_string(0, column, panel.title)
        for number, label in enumerate(panel.labels, 1):
            data.write_string(number, column, label)
        chart = book.add_chart({"type": "bar"})
        for offset, bars in enumerate(panel.bars, 1):
            data.write_string(0, column + offset, bars.title)
            for number, value in enumerate(bars.values, 1):
                _write_cell(data, number, column + offset, value, None)
            place, last = data.get_name(), len(panel.labels)
            chart.add_series({
                "name": [place, 0, column + offset], "categories": [place, 1, column, last, column],
                "values": [place, 1, column + offset, last, column + offset], "fill": {"color": bars.color},
                "points": [{"fill": {"color": color}} for color in bars.colors] or None,
            })  # fmt: skip
        chart.set_title({"name": panel.title, "name_font": {"size": 12}})
        chart.set_y_axis({"reverse": True})
        chart.set_x_axis({"name": panel.unit, "num_format": "#,##0"})
        chart.set_legend({"position": "bottom"} if len(panel.bars) > 1 else {"none": True})
        high = 120 + 22 * len(panel.labels) * max(1, len(panel.bars) - 1)
        chart.set_size({"width": 760, "height": high})
        sheet.insert_chart(row, 0, chart)
        row += high // 20 + 2
        column += len(panel.bars) + 2
    return column


def _add_course(book: Any, sheet: Any, each: dict[str, Any], language: Language, row: int) -> None:
    """A native chart of a course below its table, on its own cells: columns from above, where there are lines."""
    chart = each.get("chart", {})
    if chart.get("kind") != "course":
        return
    columns = {column["name"]: number for number, column in enumerate(each["columns"])}
    titles, place, last = table.header(each, language), sheet.get_name(), 2 + len(each["rows"])

    def series(name: str, **more: Any) -> dict[str, Any]:
        at = columns[name]
        return {"name": titles[at], "values": [place, 3, at, last, at],
                "categories": [place, 3, columns[chart["time"]], last, columns[chart["time"]]], **more}  # fmt: skip

    drawn = book.add_chart({"type": "column"})
    for name in chart["columns"]:
        drawn.add_series(series(name, gap=0, y2_axis=bool(chart["lines"])))
    if chart["lines"]:
        lines = book.add_chart({"type": "line"})
        for name in chart["lines"]:
            lines.add_series(series(name))
        drawn.set_y2_axis({"reverse": True})
        if chart["columns"]:
            lines.combine(drawn)
        drawn = lines
    drawn.set_title({"name": table.said(each["title"], language), "name_font": {"size": 12}})
    drawn.set_x_axis({"label_position": "low", "num_font": {"size": 8}})
    drawn.set_legend({"position": "bottom"})
    drawn.set_size({"width": 960, "height": 360})
    sheet.insert_chart(row, 0, drawn)


XLSX = Rendering("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", write)
