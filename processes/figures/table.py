"""What a table of figures is, in an answer and for those who write it as a file.

An answer with tables has `title`, `subtitle`, `label` (null where nothing in it is a sample), `tables` by name and
`sources`. A text is a word or {zh, en}; what is unknown is null.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shikong.layers.declared import Text
from shikong.providers.labels import Language

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """unit: of figures, 1 for numbers; None for words. decimals: how many are shown."""

    name: str
    title: Text
    unit: str | None = None
    decimals: int = 4

    @property
    def told(self) -> dict[str, Any]:
        """The column in an answer."""
        told: dict[str, Any] = {"name": self.name, "title": self.title.model_dump()}
        return told | ({"unit": self.unit, "decimals": self.decimals} if self.unit else {})


@dataclass(frozen=True)
class Chart:
    """Bars, one group for each row. rows: `rows` or `totals`, of those that have a value in `key`. label: the column
    that names a group. bars: the columns that are drawn. panel: the column by which there are several charts. codes:
    the code list whose codes stand in `key` and give single bars their colours."""

    rows: str
    key: str
    label: str
    bars: tuple[str, ...]
    panel: str | None = None
    codes: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """The chart in an answer."""
        told = {"rows": self.rows, "key": self.key, "label": self.label, "bars": list(self.bars)}
        return told | {name: value for name, value in (("panel", self.panel), ("codes", self.codes)) if value}


@dataclass(frozen=True)
class TimeChart:
    """Rows over time. time: the column with the end of each step. columns, lines: what is drawn as such."""

    time: str
    columns: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """The chart in an answer."""
        return {"kind": "course", "time": self.time, "columns": list(self.columns), "lines": list(self.lines)}


@dataclass(frozen=True)
class FrequencyChart:
    """Rows on probability paper with a Pearson III curve. frequency: the column in %. survey: the column that says
    which rows are of a survey."""

    frequency: str
    value: str
    survey: str
    mean: float
    cv: float
    cs: float

    @property
    def told(self) -> dict[str, Any]:
        """The chart in an answer."""
        return {
            "kind": "frequency", "frequency": self.frequency, "value": self.value, "survey": self.survey,
            "curve": {"mean": self.mean, "cv": self.cv, "cs": self.cs},
        }  # fmt: skip


@dataclass(frozen=True)
class Table:
    """totals: sums of rows, apart from them. notes: what has to be known to read it."""

    title: Text
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    totals: Sequence[Row] = ()
    notes: Sequence[Text] = ()
    chart: Chart | TimeChart | FrequencyChart | None = field(default=None)

    @property
    def told(self) -> dict[str, Any]:
        """The table in an answer."""
        told = {
            "title": self.title.model_dump(), "rows": list(self.rows), "totals": list(self.totals),
            "notes": [note.model_dump() for note in self.notes], "columns": [column.told for column in self.columns],
        }  # fmt: skip
        return told | ({"chart": self.chart.told} if self.chart and self.rows else {})


def said(value: Any, language: Language) -> Any:
    """A text in one language; any other value as it is."""
    return value[language] if isinstance(value, dict) and set(value) == {"zh", "en"} else value


def header(table: Row, language: Language) -> list[str]:
    """The titles of a table's columns with their units."""
    return [
        said(column["title"], language) + (f" ({column['unit']})" if column.get("unit", "1") != "1" else "")
        for column in table["columns"]
    ]


def lines(table: Row, language: Language) -> list[list[Any]]:
    """A table's rows and then its totals, cell by cell."""
    names = [column["name"] for column in table["columns"]]
    return [[said(row.get(name), language) for name in names] for row in (*table["rows"], *table["totals"])]


#: The columns of the list of sources that ends every file.
SOURCES = (
    ("layer", Text(zh="图层", en="Layer")), ("title", Text(zh="名称", en="Title")),
    ("release", Text(zh="版本", en="Release")), ("published", Text(zh="发布时间", en="Published")),
    ("origin", Text(zh="来源", en="Origin")),
)  # fmt: skip

SOURCES_TITLE = Text(zh="数据来源与版本", en="Sources and releases")


def sources(answer: Row, language: Language) -> list[list[Any]]:
    """The list of sources: its header and its lines."""
    head = [getattr(title, language) for _, title in SOURCES]
    return [head, *([said(source[name], language) for name, _ in SOURCES] for source in answer["sources"])]


_PARTS = {
    "title": Text(zh="标题", en="Title"), "subtitle": Text(zh="范围与时间", en="Where and when"),
    "label": Text(zh="数据性质", en="Kind of data"), "tables": Text(zh="表", en="Tables"),
    "rows": Text(zh="明细", en="Rows"), "totals": Text(zh="合计", en="Totals"), "notes": Text(zh="说明", en="Notes"),
    "columns": Text(zh="各列", en="Columns"), "chart": Text(zh="图表", en="Chart"),
}  # fmt: skip


def lines_schema(columns: Iterable[Column]) -> dict[str, Any]:
    """What the values of a line are called, as properties of a JSON schema."""
    return {
        each.name: {"title": each.title.model_dump()}
        | ({"x-ogc-unit": each.unit} if each.unit not in (None, "1") else {})
        for each in columns
    }


def schema(tables: Mapping[str, Text], columns: Iterable[Column]) -> dict[str, Any]:
    """What an answer's parts are called, as properties of a JSON schema. columns: of all tables."""
    lines = {"properties": lines_schema(columns)}
    parts: dict[str, Any] = {name: {"title": title.model_dump()} for name, title in _PARTS.items()}
    inside = parts | {name: parts[name] | {"items": lines} for name in ("rows", "totals")}
    shown = {name: {"title": title.model_dump(), "properties": inside} for name, title in tables.items()}
    listed = {"properties": {name: {"title": title.model_dump()} for name, title in SOURCES}}
    sources = {"title": SOURCES_TITLE.model_dump(), "items": listed}
    return parts | {"tables": parts["tables"] | {"properties": shown}, "sources": sources}
