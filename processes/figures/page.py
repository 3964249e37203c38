"""Tables and charts as one page that loads nothing, to be read and printed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
from typing import Any

from shikong.processes.base import Rendering
from shikong.processes.figures import charts, table
from shikong.processes.reports.page import environment
from shikong.providers.labels import Language


def write(answer: dict[str, Any], language: Language) -> bytes:
    """The page."""
    template = environment(language).get_template("reports/figures.html")
    sections = [
        {
            "title": table.said(each["title"], language), "head": table.header(each, language),
            "columns": each["columns"], "lines": table.lines(each, language), "rows": len(each["rows"]),
            "notes": [table.said(note, language) for note in each["notes"]], "chart": _picture(each, language),
        }
        for each in answer["tables"].values()
    ]  # fmt: skip
    told = {name: table.said(answer[name], language) for name in ("title", "subtitle", "label")}
    page = template.render(
        told | {"language": language, "sections": sections, "sources_title": getattr(table.SOURCES_TITLE, language),
                "sources": table.sources(answer, language), "figure": _figure}
    )  # fmt: skip
    return page.encode()


def _picture(each: dict[str, Any], language: Language) -> str | None:
    panels = charts.pictures(each, language)
    return base64.b64encode(charts.svg(panels, None)).decode() if panels else None


def _figure(value: Any, column: dict[str, Any]) -> str:
    """A cell as it is read: figures with separators, and a dash for what is unknown."""
    if value is None:
        return "–" if column.get("unit") else ""
    return f"{value:,.{column['decimals']}f}" if column.get("unit") else str(value)


HTML = Rendering("text/html; charset=utf-8", "html", write)
