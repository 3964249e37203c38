"""Reports as page, PDF and DOCX: what is escaped, refused and told as unknown."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import docx
import numpy as np
import pypdfium2
import pytest
from PIL import Image
from weasyprint.urls import FatalURLFetchingError

from shikong.layers import catalog
from shikong.processes.reports import page, word, words
from shikong.processes.reports.document import Cell, Document, Facts, Picture, Section, Signatures, Table, Text, Verdict
from shikong.processes.sites import chapters
from shikong.tiles.styles import legend
from shikong.tiles.styles.legend import NoFont

HOSTILE = "<script>alert('x')</script> & \x0b\"地块\""
RED = (215, 25, 28)


def red_square() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (40, 40), RED).save(target, "PNG")
    return target.getvalue()


def document(text: str) -> Document:
    blocks: list[Any] = [
        Verdict(text, text, "bad"), Text(text, "care"), Facts([(text, text)]), Signatures([text]),
        Table([text], [[text], [Cell(text, "good", strong=True)]], [1]), Picture(red_square(), text, 40),
    ]  # fmt: skip
    return Document("zh", text, text, [text], text, [Section(text, blocks), Section(text, [], 2)])


def pixels(pdf: bytes) -> Any:
    return np.asarray(pypdfium2.PdfDocument(pdf)[0].render(scale=1).to_pil().convert("RGB"), dtype=int)


def how_red(picture: Any) -> int:
    return int((np.abs(picture - RED).max(axis=2) < 8).sum())


def test_whatever_a_text_holds_it_stays_text() -> None:
    html = page.html(document(HOSTILE))
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)") >= 14
    file = docx.Document(io.BytesIO(word.docx_file(document(HOSTILE))))
    told = [paragraph.text for paragraph in file.paragraphs]
    assert HOSTILE.replace("\x0b", "") in told
    assert "\x0b" not in "".join(told)


def test_pdf_has_the_letters_and_the_picture() -> None:
    pdf = page.pdf(document("选址 site"))
    assert "选址 site" in pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range()
    assert how_red(pixels(pdf)) > 1000


def test_pdf_loads_nothing_from_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(red_square())
    monkeypatch.setattr(page, "html", lambda _: f'<img src="{(tmp_path / "red.png").as_uri()}"><p>x')
    with pytest.raises(FatalURLFetchingError):
        page.pdf(document("x"))


def test_without_a_font_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legend, "_can_write", lambda language: language != "zh")
    with pytest.raises(NoFont, match="fonts-noto-cjk"):
        page.pdf(document("x"))


@pytest.mark.parametrize(("language", "word"), [("zh", "未知"), ("en", "unknown")])
def test_what_is_not_known_of_a_quota_is_not_nought(language: Any, word: str) -> None:
    quota = {
        "county": "371502", "kind": "construction", "title": {"zh": "建设用地", "en": "Construction"},
        "planned_ha": 12.5, "limit": "ceiling", "used_ha": None, "left_ha": None, "site_ha": 1.25, "period": [None, None],
    }  # fmt: skip
    answer = {"quotas": [quota], "site": {"counties": [{"code": "371502", "name": "东昌府区", "area_m2": 12500.0}]}}
    told = chapters.Told(catalog.default(), answer, {}, words.of(language), language)
    (table, _) = chapters.quotas(told).blocks
    assert isinstance(table, Table)
    assert [getattr(cell, "text", cell) for cell in table.rows[0]][2:] == ["12.5000", word, word, "1.2500"]
