"""Charts of tables as SVG, in the reader's fonts.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

from matplotlib import font_manager, rc_context
from matplotlib.figure import Figure

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import Rendering
from shikong.processes.figures import table
from shikong.processes.figures.courses import Course, Line
from shikong.providers.labels import Language
from shikong.tiles.styles.legend import FONTS

#: Of bars that are no classes.
_COLOURS = ("#7FA8A3", "#1E5AB4", "#E6A23C", "#C8281E")
_INK = "#1C2B2D"
#: Inches of a bar, and of what stands around the bars of a panel.
_BAR, _BELOW, _ABOVE = 0.2, 0.5, 0.4

#: The library's settings are one for all threads.
_ALONE = Lock()

# The reader's machine sets the texts; that this one has no letters for them does not matter.
warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)


class Drawable(Protocol):
    """One chart of whatever kind."""

    @property
    def labels(self) -> Sequence[str]:
        """What stands at its left side."""

    @property
    def margin(self) -> float:
        """The share of the width that is left free at its right side."""

    @property
    def height(self) -> float:
        """Inches of it, what stands around it not counted."""

    def draw(self, axes: Any) -> None:
        """Draw into these axes."""


@dataclass(frozen=True)
class Bars:
    """The bars of one column. colors: of each bar, where they differ."""

    title: str
    values: Sequence[float | None]
    color: str
    colors: Sequence[str] = ()


@dataclass(frozen=True)
class Panel:
    """One chart."""

    title: str
    unit: str
    labels: Sequence[str]
    bars: Sequence[Bars]
    margin: float = 0.0

    @property
    def height(self) -> float:
        """Inches of the bars."""
        return _BAR * len(self.labels) * len(self.bars)

    def draw(self, axes: Any) -> None:
        """Draw into these axes."""
        _draw(axes, self)


def width(text: str) -> int:
    """About how many letters wide a text is; Chinese letters are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WFA" else 1 for letter in text)


def pictures(told: dict[str, Any], language: Language) -> Sequence[Drawable]:
    """The charts that an answer's table asks for, of whatever kind."""
    chart = told.get("chart")
    if chart is None:
        return []
    kinds = {"course": _courses, "frequency": _paper}
    return kinds[chart["kind"]](told, language) if "kind" in chart else drawn(told, language)


def _courses(told: dict[str, Any], language: Language) -> Sequence[Drawable]:
    chart, columns = told["chart"], {column["name"]: column for column in told["columns"]}

    def lines(names: Sequence[str]) -> list[Line]:
        return [
            Line(
                table.said(columns[name]["title"], language), columns[name]["unit"], [row[name] for row in told["rows"]]
            )
            for name in names
        ]

    # A wall clock, so that the axis has the days and hours of the place.
    times = [datetime.fromisoformat(row[chart["time"]]).replace(tzinfo=None) for row in told["rows"]]
    title, bars = table.said(told["title"], language), lines(chart["columns"])
    if chart["lines"] or len(bars) < 2:
        return [Course(title, times, bars, lines(chart["lines"]))]
    return [Course(f"{title} · {each.title}", times, [each]) for each in bars]


_WORDS = (
    Text(zh="频率 P (%)", en="Frequency of reaching or exceeding (%)"), Text(zh="实测", en="Record"),
    Text(zh="调查", en="Survey"), Text(zh="皮尔逊Ⅲ型", en="Pearson III"),
)  # fmt: skip


def _paper(told: dict[str, Any], language: Language) -> Sequence[Drawable]:
    # What few answers need takes long to load, and the first answer after a start would wait for it.
    from shikong.hydrology.series.frequency import Curve
    from shikong.processes.figures.probability import Paper

    chart, columns = told["chart"], {column["name"]: column for column in told["columns"]}
    rows = [row for row in told["rows"] if row[chart["frequency"]] is not None]
    up = columns[chart["value"]]
    along, record, survey, curve = (getattr(word, language) for word in _WORDS)
    paper = Paper(
        table.said(told["title"], language), [row[chart["frequency"]] for row in rows],
        [row[chart["value"]] for row in rows], [bool(row[chart["survey"]]) for row in rows], Curve(**chart["curve"]),
        (along, f"{table.said(up['title'], language)} ({up['unit']})", record, survey, curve),
    )  # fmt: skip
    return [paper]


def drawn(told: dict[str, Any], language: Language) -> list[Panel]:
    """The charts of bars that an answer's table asks for."""
    chart = told.get("chart")
    if chart is None or "kind" in chart:
        return []
    rows = [row for row in told[chart["rows"]] if row.get(chart["key"]) is not None]
    columns = {column["name"]: column for column in told["columns"]}
    title = table.said(told["title"], language)
    names = list(dict.fromkeys(table.said(row[chart["panel"]], language) for row in rows)) if "panel" in chart else [""]
    found = []
    for name in names:
        mine = [row for row in rows if not name or table.said(row[chart["panel"]], language) == name]
        labels = [str(table.said(row[chart["label"]], language)) for row in mine]
        bars = [
            Bars(table.said(columns[each]["title"], language), [row.get(each) for row in mine], _COLOURS[number],
                 _class_colours(chart, mine) if len(chart["bars"]) == 1 else ())
            for number, each in enumerate(chart["bars"])
        ]  # fmt: skip
        bars = [each for each in bars if any(value is not None for value in each.values)]
        if bars:
            shown = f"{title} · {name}" if name else title
            found.append(Panel(shown, columns[chart["bars"][0]]["unit"], labels, bars))
    return found


def _class_colours(chart: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[str]:
    """The declared colours of the classes in some rows; a group has that of its first class."""
    if "codes" not in chart:
        return []
    codes = catalog.default().codes[chart["codes"]].codes
    of_group = {code.group: code.color for code in reversed(codes.values()) if code.group and code.parent is None}
    of_code = {key: code.color for key, code in codes.items()}
    return [of_code.get(row[chart["key"]]) or of_group.get(row[chart["key"]]) or _COLOURS[0] for row in rows]


def svg(panels: Sequence[Drawable], label: str | None) -> bytes:
    """Charts below each other. label: what they have to say of themselves, as that they show samples."""
    heights = [_BELOW + _ABOVE + panel.height for panel in panels]
    letters = max((width(text) for panel in panels for text in panel.labels), default=0)
    known = set(font_manager.get_font_names())
    families = [name.strip() for name in FONTS.split(",") if name.strip() in known]
    with _ALONE, rc_context({
        "svg.fonttype": "none", "svg.hashsalt": "shikong", "font.family": [*families, "sans-serif"], "font.size": 9,
        "text.color": _INK, "axes.labelcolor": _INK,
    }):  # fmt: skip
        whole = sum(heights) + 0.2
        figure = Figure(figsize=(9, whole))
        left, bottom = min(0.06 + letters * 0.0078, 0.45), 0.0
        for panel, height in zip(reversed(panels), reversed(heights), strict=True):
            box = (left, (bottom + _BELOW) / whole, 0.96 - left - panel.margin, (height - _BELOW - _ABOVE) / whole)
            panel.draw(figure.add_axes(box))
            bottom += height
        if label:
            figure.text(0.99, 0.995, label, ha="right", va="top", color="#A3261B", fontsize=9)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": "Shikong"})
    rule = f"<style>text {{ font-family: {FONTS} !important }}</style>"
    head, start, rest = file.getvalue().decode().partition("<defs>")
    return (head + rule + start + rest).encode()


def _draw(axes: Any, panel: Panel) -> None:
    number = len(panel.bars)
    for offset, bars in enumerate(panel.bars):
        places = [row + (offset - (number - 1) / 2) * 0.8 / number for row in range(len(panel.labels))]
        values = [value or 0 for value in bars.values]
        drawn_bars = axes.barh(places, values, 0.8 / number, color=bars.colors or bars.color, edgecolor="#8A8A7A",
                               linewidth=0.5, label=bars.title)  # fmt: skip
        told = ["–" if value is None else f"{value:,.1f}" for value in bars.values]
        axes.bar_label(drawn_bars, told, padding=3, fontsize=7)
    axes.set_yticks(range(len(panel.labels)), panel.labels)
    axes.set_ylim(len(panel.labels) - 0.5, -0.5)
    axes.margins(x=0.12)
    axes.set_xlabel(panel.unit if number > 1 else f"{panel.bars[0].title} ({panel.unit})")
    axes.set_title(panel.title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    if number > 1:
        axes.legend(
            fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=number
        )


def write(answer: dict[str, Any], language: Language) -> bytes:
    """All charts of an answer."""
    panels = [panel for each in answer["tables"].values() for panel in pictures(each, language)]
    return svg(panels, table.said(answer["label"], language))


SVG = Rendering("image/svg+xml", "svg", write)
