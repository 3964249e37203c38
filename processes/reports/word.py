"""A report as a document for Word and its like (DOCX).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import docx
from docx.enum.section import WD_ORIENT
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from shikong.processes.reports.document import (
    Block,
    Cell,
    Document,
    Facts,
    Picture,
    Section,
    Signatures,
    Table,
    Text,
    Tone,
    Verdict,
    writable,
)

#: Letters by their use: Latin and Chinese, as every office machine in China has them.
_TEXT, _HEADING = ("Times New Roman", "宋体"), ("Arial", "黑体")

#: A4, its margins and what is left between them (mm).
_PAGE, _MARGIN, _WIDE = (210, 297), 20, 170

_TONES: dict[Tone, RGBColor | None] = {
    "plain": None, "good": RGBColor(0x1F, 0x6B, 0x35), "care": RGBColor(0x8A, 0x53, 0x00),
    "bad": RGBColor(0xB0, 0x16, 0x16),
}  # fmt: skip
_ISSUER = RGBColor(0xC0, 0x18, 0x18)
_SHADE = "EEF1F2"


def docx_file(document: Document) -> bytes:
    """The report as a file."""
    file = docx.Document()
    _prepare(file, document)
    _line(file, document.issuer, 15, color=_ISSUER, centred=True, font=_TEXT, bold=True)
    _line(file, document.title, 20, centred=True, font=_HEADING, bold=True)
    for line in document.below:
        _line(file, line, 10.5, centred=True)
    if document.notice:
        _line(file, document.notice, 9.5, color=_TONES["care"], font=_HEADING)
    for section in document.sections:
        _section(file, section)
    target = BytesIO()
    file.save(target)
    return target.getvalue()


def _prepare(file: Any, document: Document) -> None:
    """Page, letters and what stands on each page; the file's own properties."""
    page = file.sections[0]
    page.orientation = WD_ORIENT.PORTRAIT
    page.page_width, page.page_height = Mm(_PAGE[0]), Mm(_PAGE[1])
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = Mm(_MARGIN)
    for name, size, fonts in (("Normal", 10.5, _TEXT), ("Heading 1", 13, _HEADING), ("Heading 2", 10.5, _HEADING)):
        style = file.styles[name]
        style.font.size, style.font.color.rgb = Pt(size), RGBColor(0, 0, 0)
        _use(style.element.get_or_add_rPr(), fonts)
    file.styles["Normal"].paragraph_format.space_after = Pt(3)
    head = page.header.paragraphs[0]
    _run(head, document.title, 8)
    foot = page.footer.paragraphs[0]
    foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for part in ("PAGE", "NUMPAGES"):
        _run(foot, "— " if part == "PAGE" else " / ", 9)
        _field(foot, part)
    _run(foot, " —", 9)
    file.core_properties.title = writable(document.title)
    file.core_properties.author = writable(document.issuer)
    file.core_properties.language = document.language


def _section(file: Any, section: Section) -> None:
    file.add_heading(writable(section.heading), level=section.level)
    for block in section.blocks:
        _WRITERS[type(block)](file, block)


def _verdict(file: Any, block: Verdict) -> None:
    table = file.add_table(1, 1, style="Table Grid")
    cell = table.cell(0, 0)
    word = cell.paragraphs[0]
    word.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _run(word, block.word, 26, color=_TONES[block.tone], font=_HEADING, bold=True)
    text = cell.add_paragraph()
    text.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _run(text, block.text, 10.5)
    file.add_paragraph()


def _text(file: Any, block: Text) -> None:
    _line(file, block.text, 10.5, color=_TONES[block.tone])


def _facts(file: Any, block: Facts) -> None:
    table = file.add_table(len(block.rows), 2, style="Table Grid")
    for row, (name, value) in zip(table.rows, block.rows, strict=True):
        _shaded(row.cells[0])
        _fill(row.cells[0], name, font=_HEADING)
        _fill(row.cells[1], value)
    _widths(table, [28, 72])
    file.add_paragraph()


def _table(file: Any, block: Table) -> None:
    table = file.add_table(1 + len(block.rows), len(block.columns), style="Table Grid")
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    head, *rows = table.rows
    head._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))  # it stands on each page
    for number, (cell, title) in enumerate(zip(head.cells, block.columns, strict=True)):
        _shaded(cell)
        _fill(cell, title, font=_HEADING, right=number in block.figures)
    for row, values in zip(rows, block.rows, strict=True):
        for number, (cell, value) in enumerate(zip(row.cells, values, strict=True)):
            told = value if isinstance(value, Cell) else Cell(value)
            font = _HEADING if told.strong else _TEXT
            _fill(cell, told.text, color=_TONES[told.tone], font=font, right=number in block.figures)
    _widths(table, block.shares)
    file.add_paragraph()


def _picture(file: Any, block: Picture) -> None:
    drawn = file.add_picture(BytesIO(block.png), width=Mm(min(block.wide, _WIDE)))
    drawn._inline.docPr.set("descr", writable(block.caption))
    file.paragraphs[-1].alignment = WD_ALIGN_PARAGRAPH.CENTER
    _line(file, block.caption, 9, centred=True)


def _signatures(file: Any, block: Signatures) -> None:
    for name in block.names:
        _line(file, f"{name}　＿＿＿＿＿＿＿＿＿＿＿＿", 10.5)


_WRITERS: dict[type[Block], Callable[[Any, Any], None]] = {
    Verdict: _verdict, Text: _text, Facts: _facts, Table: _table, Picture: _picture, Signatures: _signatures,
}  # fmt: skip


def _line(file: Any, text: str, size: float, *, centred: bool = False, **letters: Any) -> None:
    paragraph = file.add_paragraph()
    if centred:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _run(paragraph, text, size, **letters)


def _fill(cell: Any, text: str, *, right: bool = False, **letters: Any) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_after = Pt(0)
    if right:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    _run(paragraph, text, 9, **letters)


def _run(
    paragraph: Any, text: str, size: float, *, color: RGBColor | None = None, font: tuple[str, str] = _TEXT,
    bold: bool = False,
) -> None:  # fmt: skip
    run = paragraph.add_run(writable(text))
    run.font.size, run.font.bold = Pt(size), bold
    if color is not None:
        run.font.color.rgb = color
    _use(run._r.get_or_add_rPr(), font)


def _use(properties: Any, fonts: tuple[str, str]) -> None:
    """Set the letters, which Word keeps by script."""
    chosen = properties.get_or_add_rFonts()
    for name in [name for name in chosen.attrib if name.endswith("Theme")]:
        del chosen.attrib[name]
    for name, font in (("ascii", fonts[0]), ("hAnsi", fonts[0]), ("cs", fonts[0]), ("eastAsia", fonts[1])):
        chosen.set(qn(f"w:{name}"), font)


def _field(paragraph: Any, name: str) -> None:
    """A number that Word works out: of the page, or of all pages."""
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), name)
    run, text = OxmlElement("w:r"), OxmlElement("w:t")
    text.text = "1"
    run.append(text)
    field.append(run)
    paragraph._p.append(field)


def _shaded(cell: Any) -> None:
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", _SHADE)):
        shade.set(qn(f"w:{name}"), value)
    cell._tc.get_or_add_tcPr().append(shade)


def _widths(table: Any, shares: list[int]) -> None:
    table.autofit = False
    for column, share in zip(table.columns, shares, strict=True):
        column.width = Mm(_WIDE * share / sum(shares))
        for cell in column.cells:
            cell.width = column.width
