"""The forms that a report comes in, as renderings of a process's answer.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shikong.processes.base import Rendering
from shikong.processes.reports import page, word
from shikong.processes.reports.document import Document
from shikong.providers.labels import Language

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

Reported = Callable[[dict[str, Any], Language], Document]


def of(report: Reported) -> Mapping[str, Rendering]:
    """Page, PDF and DOCX of what `report` makes of an answer."""

    return {
        "html": Rendering("text/html", "html", lambda answer, language: page.html(report(answer, language)).encode()),
        "pdf": Rendering("application/pdf", "pdf", lambda answer, language: page.pdf(report(answer, language))),
        "docx": Rendering(_DOCX, "docx", lambda answer, language: word.docx_file(report(answer, language))),
    }  # fmt: skip
