"""Editing as clients do it: the form on a feature's page in Chromium, and what QGIS sends.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import pytest
import shapely

from shikong.store.database import Database
from support import chromium
from support.loads import dsn_of, load


@pytest.fixture
def open_service(empty_store: Database, run_service: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    """A service with two venues, open for edits."""
    frame = {"venue_id": ["v1", "v2"], "name": ["图书馆", "文化馆"], "type": ["library", "culture_hall"]}
    shapes = [shapely.Point(115.98, 36.45), shapely.Point(115.99, 36.46)]
    gpd.GeoDataFrame(frame, geometry=shapes, crs=4490).to_file(tmp_path / "venues.gpkg")
    load(empty_store, tmp_path / "venues.gpkg", "culture_venues")
    empty_store.settings.data.mkdir(exist_ok=True)
    with run_service(dsn_of(empty_store), empty_store.settings.data, SHIKONG_EDITING="open") as service:
        yield service


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    """A browser."""
    with chromium.browser(tmp_path / "chromium") as opened:
        yield opened


def _venue(service: Any, key: str = "v1") -> httpx.Response:
    return httpx.get(f"{service.url}/collections/culture_venues/items/{key}?f=json", trust_env=False)


def _key(page: Any, key: str, code: int = 0) -> None:
    text = {"Enter": "\r"}.get(key, "")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)


def test_attributes_are_edited_in_the_form_by_keyboard_on_a_phone(
    open_service: Any, page: Any, artefacts: Path, run_client: Callable[..., str]
) -> None:
    address = f"{open_service.url}/collections/culture_venues/items/v1?f=html&lang=zh-CN"
    page.open(address, 390, 844, "document.querySelector('#edit-form select')")
    page.value("document.querySelector('#edit summary').focus()")
    _key(page, "Enter", 13)  # opens it
    page.wait("document.getElementById('edit').open")
    _key(page, "Tab", 9)
    assert page.value("document.activeElement.name") == "name"
    page.value("document.activeElement.select()")
    page.call("Input.insertText", text="市图书馆")
    page.value("document.activeElement.scrollIntoView({block: 'center'})")
    page.value("new Promise(done => setTimeout(done, 500))")
    page.picture(artefacts / "edit-390.png")
    assert page.value("document.documentElement.scrollWidth") <= 390, "the form is wider than the window"
    _key(page, "Enter", 13)
    page.wait("document.querySelector('#edit-told [role=status]')")
    assert "发布" in page.value("document.getElementById('edit-told').innerText")
    assert _venue(open_service).json()["properties"] | {"name": "市图书馆"} == _venue(open_service).json()["properties"]
    assert page.faults == []
    read = run_client("ogr2ogr", "-f", "GeoJSON", "/vsistdout/", f"OAPIF:{open_service.url}", "culture_venues")
    assert {each["properties"]["name"] for each in json.loads(read)["features"]} == {"市图书馆", "文化馆"}
    # what is wrong is told beside its field, and nothing is saved
    page.value(
        "document.getElementById('in-capacity').value = '3.5'; document.getElementById('edit-form').noValidate = true"
    )
    page.value("document.querySelector('#edit-form [type=submit]').click()")
    page.wait("document.querySelector('#edit-told [role=alert]')")
    assert page.value("document.activeElement.name") == "capacity"
    assert "容纳人数" in page.value("document.getElementById('edit-told').innerText")
    page.picture(artefacts / "edit-refused-390.png")
    assert _venue(open_service).json()["properties"]["capacity"] is None
    # somebody else is quicker
    tag = _venue(open_service).headers["etag"]
    httpx.patch(
        f"{open_service.url}/collections/culture_venues/items/v1", json={"properties": {"capacity": 80}}, trust_env=False,
        headers={"content-type": "application/merge-patch+json", "if-match": tag},
    ).raise_for_status()  # fmt: skip
    page.value("document.getElementById('in-capacity').value = '90'")
    page.value("document.querySelector('#edit-form [type=submit]').click()")
    page.wait("document.getElementById('edit-told').innerText.includes('他人')")
    assert _venue(open_service).json()["properties"]["capacity"] == 80


def test_a_wide_window_shows_the_form_too(open_service: Any, page: Any, artefacts: Path) -> None:
    page.open(
        f"{open_service.url}/collections/culture_venues/items/v2?f=html&lang=en", 1280, 900,
        "document.querySelector('#edit-form select')",
    )  # fmt: skip
    page.value("document.querySelector('#edit summary').click()")
    page.value("document.querySelector('#edit').scrollIntoView()")
    page.value("new Promise(done => setTimeout(done, 300))")
    page.picture(artefacts / "edit-1280.png")
    assert page.faults == []
