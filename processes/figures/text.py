"""Tables as CSV: one after the other, each under its title, and at the end where the figures are from.

UTF-8 with a byte order mark and CRLF: without the mark, Excel in Chinese takes the file for GBK.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import io
from typing import Any

from shikong.processes.base import Rendering
from shikong.processes.figures import table
from shikong.providers.labels import Language

#: What spreadsheets take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(answer: dict[str, Any], language: Language) -> bytes:
    """The answer's tables."""
    file = io.StringIO()
    file.write("\ufeff")
    rows = csv.writer(file)
    for title in (answer["title"], answer["label"], answer["subtitle"]):
        if title is not None:
            rows.writerow([table.said(title, language)])
    for each in answer["tables"].values():
        rows.writerow([])
        rows.writerow([table.said(each["title"], language)])
        rows.writerow(table.header(each, language))
        rows.writerows([_cell(value) for value in line] for line in table.lines(each, language))
        rows.writerows([_cell(table.said(note, language))] for note in each["notes"])
    rows.writerow([])
    rows.writerow([getattr(table.SOURCES_TITLE, language)])
    rows.writerows([_cell(value) for value in line] for line in table.sources(answer, language))
    return file.getvalue().encode()


def _cell(value: Any) -> Any:
    """A value as a spreadsheet is to take it: words stay words, also those that look like formulas."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


CSV = Rendering("text/csv; charset=utf-8", "csv", write)
