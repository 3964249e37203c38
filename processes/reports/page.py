"""A report as one page that loads nothing, and as PDF, which is that page printed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shikong.processes.reports import words
from shikong.processes.reports.document import Document
from shikong.providers.labels import Language
from shikong.tiles.styles import legend


class CannotPrint(Exception):
    """This machine lacks what PDF is made with."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"this machine lacks a library that PDF is made with ({error}): ask for `f=html` or `f=docx`, or have the "
            "operator install it (Debian: libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0)"
        )


def html(document: Document) -> str:
    """The report as a page, with its style and pictures in it."""
    style = (words.WEB / "static" / "css" / "report.css").read_text(encoding="utf-8")
    template = environment(document.language).get_template("reports/report.html")
    return template.render(document=document, style=style, picture=_address)


def pdf(document: Document) -> bytes:
    """The report as PDF. Raises NoFont, CannotPrint."""
    for language in ("zh", document.language):  # names on the ground are Chinese in any language
        legend.require_font(language)
    try:  # it looks for its libraries when it is imported, and the service is to run without them
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise CannotPrint(error) from error
    nothing_outside = URLFetcher(allowed_protocols=["data"], allow_redirects=False, fail_on_errors=True)
    printed = HTML(string=html(document), url_fetcher=nothing_outside).write_pdf(pdf_tags=True, custom_metadata=False)
    return bytes(printed)


@cache
def environment(language: Language) -> Environment:
    """The templates of documents in a language: everything in them is escaped, and what they name must be there."""
    found = Environment(
        loader=FileSystemLoader(words.WEB / "templates"), extensions=["jinja2.ext.i18n"], autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.install_gettext_translations(words.of(language), newstyle=True)  # type: ignore[attr-defined]
    return found


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
