"""The form of the site check in Chromium: a site drawn by pointer and by keyboard, a file, and the answer as a file.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely

from support import chromium

READY = "document.querySelector('#fields [data-ready=\"true\"]')"
FIELD = "document.getElementById('in-site')"
PDF = "document.querySelector('[data-form=\"application/pdf\"]')"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for the module."""
    with chromium.browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def form(service: Any, page: Any) -> Any:
    """The form, a factory chosen, with a place in the city in the middle of the map."""
    page.faults.clear()
    page.open(f"{service.url}/processes/site-check?f=html&lang=zh", 1280, 1000, READY)
    # A site that is pasted is gone to.
    write_site(page, shapely.box(115.983, 36.443, 115.987, 36.446))
    page.value("document.getElementById('in-project').value = '0'")
    press(page, "clear")
    assert page.value(f"{FIELD}.value") == ""
    return page


def write_site(page: Any, shape: Any) -> None:
    text = json.dumps(json.dumps(shapely.geometry.mapping(shape)))
    page.value(f"{FIELD}.value = {text}; {FIELD}.dispatchEvent(new Event('input'))")
    page.value("new Promise(done => setTimeout(done, 300))")


def press(page: Any, key: str) -> None:
    assert not page.value(f"document.querySelector('[data-shape={key}]').disabled"), key
    page.value(f"document.querySelector('[data-shape={key}]').click()")


def drawn(page: Any) -> Any:
    return shapely.geometry.shape(json.loads(page.value(f"{FIELD}.value")))


def ask(page: Any) -> None:
    page.value("document.querySelector('form [type=submit]').click()")
    page.wait("document.querySelector('#answer h2')")


def test_a_site_is_drawn_with_the_pointer_and_judged(form: Any, artefacts: Path) -> None:
    left, top, wide, high = form.value(
        "(() => { const map = document.querySelector('.map-shape'); map.scrollIntoView({ block: 'center', behavior: 'instant' });"
        " const { left, top, width, height } = map.getBoundingClientRect(); return [left, top, width, height]; })()"
    )
    press(form, "draw")
    for x, y in ((0.4, 0.3), (0.6, 0.3), (0.6, 0.6), (0.4, 0.6)):
        form.click(left + x * wide, top + y * high)
        form.value("new Promise(done => setTimeout(done, 300))")
    assert form.value("document.querySelector('.map-shape').dataset.corners") == "4"
    press(form, "finish")
    form.wait(f"{FIELD}.value")
    site = drawn(form)
    assert len(site.exterior.coords) == 5
    assert shapely.box(115.97, 36.43, 116.0, 36.46).contains(site)
    assert "亩" in form.value("document.getElementById('told-site').textContent")
    ask(form)
    text = form.value("document.getElementById('answer').innerText")
    assert "与规划分区用途不符" in text
    form.picture(artefacts / "site-check.png")
    assert form.faults == []


def test_a_site_is_drawn_with_the_keyboard(form: Any) -> None:
    press(form, "draw")
    assert form.value("document.activeElement.className").startswith("map")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        form.press("Enter")
        form.press(key, times=2)
        form.value("new Promise(done => setTimeout(done, 400))")
    form.press("Backspace")
    assert form.value("document.querySelector('.map-shape').dataset.corners") == "3"
    press(form, "finish")
    form.wait(f"{FIELD}.value")
    assert len(drawn(form).exterior.coords) == 4
    assert form.faults == []


def test_a_file_is_checked_and_the_answer_saved_as_pdf(form: Any, tmp_path: Path) -> None:
    form.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    shape = shapely.geometry.mapping(shapely.box(115.983, 36.443, 115.984, 36.444))
    content = base64.b64encode(json.dumps(shape).encode()).decode("ascii")
    form.value(
        f"(() => {{ const bytes = Uint8Array.from(atob('{content}'), (letter) => letter.charCodeAt(0));"
        " const files = new DataTransfer(); files.items.add(new File([bytes], '地块.geojson'));"
        " const input = document.getElementById('in-file'); input.files = files.files;"
        " input.dispatchEvent(new Event('change')); })()"
    )
    ask(form)
    assert "按文件所载" in form.value("document.getElementById('answer').innerText")
    form.value(f"{PDF}.click()")
    form.wait("document.querySelector('#answer a[download]')")
    saved = tmp_path / "site-check.pdf"
    deadline = time.monotonic() + 20
    while not saved.exists():
        assert time.monotonic() < deadline, "nothing was saved"
        time.sleep(0.1)
    assert saved.read_bytes().startswith(b"%PDF-")
    assert form.faults == []


def test_both_languages_fit_a_phone_and_a_refusal_is_told(service: Any, page: Any, artefacts: Path) -> None:
    for language, told in (("en", "Corner in the middle"), ("zh", "在中心设点")):
        page.faults.clear()
        page.open(f"{service.url}/processes/site-check?f=html&lang={language}", 390, 844, READY)
        assert page.value("document.documentElement.scrollWidth") <= 390
        assert told in page.value("document.body.innerText")
        page.picture(artefacts / f"site-check-{language}-390.png")
        assert page.faults == []
    page.value("document.getElementById('in-project').value = '0'")
    page.value("document.querySelector('form [type=submit]').click()")
    page.wait("document.querySelector('#answer [role=alert]')")
    assert "GeoJSON" in page.value("document.querySelector('#answer [role=alert]').innerText")
