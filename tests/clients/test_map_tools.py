"""The map page's tools in a real Chromium: comparing, measuring, sharing, saving, and all of it by keyboard.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Geod

from support import chromium
from support.map_page import (
    AT,
    CODES,
    COLORS,
    PHONE,
    PLACE,
    READY,
    WIDE,
    addresses,
    choose,
    count,
    focus_by_tab,
    items,
    lonlat,
    middle,
    open_map,
    pixels,
    seen,
    state_of,
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for the module."""
    with chromium.browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_faults(page: Any) -> Iterator[None]:
    page.faults.clear()
    yield
    assert page.faults == []


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_divider_lies_between_two_moments(service: Any, page: Any, artefacts: Path, size: tuple[int, int]) -> None:
    sides = {}
    for name, moment in (("left", ""), ("right", "moment=2020-06-01")):
        open_map(page, service, f"layers=parcels&{AT}&{moment}&split=1&rightMoment=2020-06-01", size)
        sides[name] = seen(page, artefacts / f"map-swipe-{name}.png")
    open_map(page, service, f"layers=parcels&{AT}&split=0.5&rightMoment=2020-06-01", size)
    both = seen(page, artefacts / f"map-swipe-{size[0]}.png")
    height, width = both.shape[:2]
    edge, below = 40, 60  # the divider's handle and the labels
    left = slice(below, height), slice(0, width // 2 - edge)
    right = slice(below, height), slice(width // 2 + edge, -edge)
    assert np.array_equal(both[left], sides["left"][left])
    assert np.array_equal(both[right], sides["right"][right])
    assert (sides["left"][right] != sides["right"][right]).any()
    assert (sides["left"][left] != sides["right"][left]).any()


def test_a_release_can_be_the_right_side(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, f"layers=parcels&{AT}")
    page.value("document.getElementById('map-compare').click()")
    page.wait("document.querySelectorAll('#map-right-release option').length > 10")
    listed = items(service, "releases", limit="200")
    [release] = [each["properties"]["created"] for each in listed if each["properties"]["layer"] == "parcels"]
    choose(page, "#map-right-release", release)
    seen(page, artefacts / "map-release.png")
    assert [url for url in addresses(page) if f"asOf={release}" in url]
    assert page.value("document.getElementById('map-right').textContent") != "现在"


@pytest.mark.parametrize("grid", ["WebMercatorQuad", "c"])
def test_lengths_and_areas_are_those_of_the_ellipsoid(service: Any, page: Any, artefacts: Path, grid: str) -> None:
    """North to south and east to west a sphere is wrong by two in a thousand, in opposite senses."""
    ellipsoid = Geod(ellps="GRS80")
    open_map(page, service, f"layers=districts&at=115.98,36.45,9.5&grid={grid}")
    state, (x, y) = state_of(page), middle(page)
    for kind, offsets in (
        ("length", [(0, -200), (0, 200)]),
        ("length", [(-300, 0), (300, 0)]),
        ("area", [(-200, -200), (200, -180), (150, 200)]),
    ):
        page.value(f"document.getElementById('map-{kind}').click()")
        for dx, dy in offsets:
            page.click(x + dx, y + dy)
        page.wait(f"document.getElementById('map-measured').dataset.points === '{len(offsets)}'")
        page.picture(artefacts / f"map-{kind}.png")
        told = float(page.value("document.getElementById('map-measured').dataset.metres"))
        lons, lats = zip(*(_place(state, grid, *offset) for offset in offsets), strict=True)
        exact = ellipsoid.line_length(lons, lats)
        if kind == "area":
            exact = abs(ellipsoid.polygon_area_perimeter(lons, lats)[0])
        assert told == pytest.approx(exact, rel=1e-3)
        page.press("Backspace")
        assert float(page.value("document.getElementById('map-measured').dataset.metres")) < told / 2
        page.press("Escape")
        assert page.value("document.getElementById('map-measured').hidden")


def _place(state: dict[str, str], grid: str, dx: float, dy: float) -> tuple[float, float]:
    if grid == "WebMercatorQuad":
        return lonlat(state, dx, dy)
    lon, lat, zoom = map(float, state["at"].split(","))
    return lon + dx * 360 / 256 / 2**zoom, lat - dy * 360 / 256 / 2**zoom


def test_a_link_shows_the_same_view(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, "layers=parcels,rivers", language="en-US")
    page.value("document.getElementById('show-roads').click()")
    page.value("document.getElementById('map-search').focus()")
    page.write(f"{PLACE[0]}, {PLACE[1]}")
    page.press("Enter")
    page.wait(f"location.hash.includes('at={PLACE[0]:.5f},{PLACE[1]:.5f}')")
    page.press("Escape")
    page.value("document.getElementById('map-slider').focus()")
    page.press("ArrowLeft", 3)
    page.value("document.getElementById('map-compare').click()")
    choose(page, "[data-layer=rivers] input[type=range]", "0.6")
    page.wait("location.hash.includes('split=') && location.hash.includes('rivers@0.6')")
    page.wait(READY)
    address, told = page.value("location.href"), page.value("document.getElementById('map-moment').textContent")
    page.open("about:blank", *WIDE)
    page.open(address, *WIDE, ready=READY)
    page.picture(artefacts / "map-link.png")
    assert page.value("location.href") == address
    assert page.value("document.getElementById('map-moment').textContent") == told
    assert page.value("document.getElementById('show-roads').checked")
    assert page.value("document.querySelector('[data-layer=rivers] input[type=range]').value") == "0.6"
    assert not page.value("document.getElementById('map-divider').hidden")
    first = seen(page, artefacts / "map-link.png")
    page.open("about:blank", *WIDE)
    page.open(address, *WIDE, ready=READY)
    assert np.array_equal(seen(page, artefacts / "map-link-again.png"), first)


def test_an_address_that_makes_no_sense_shows_the_city(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, "layers=nothing,par%20cels@x&at=a,b&moment=then&known=%00&split=x&grid=none")
    assert count(seen(page, artefacts / "map-nonsense.png"), "#F4F1E8") > 10_000
    assert "moment" not in state_of(page)


@pytest.mark.parametrize(("size", "language", "label"), [(WIDE, "zh-CN", "zh"), (PHONE, "en-US", "en")])
def test_the_saved_picture_has_title_legend_and_label(
    service: Any, page: Any, artefacts: Path, size: tuple[int, int], language: str, label: str
) -> None:
    folder = artefacts / f"map-picture-{label}"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    open_map(page, service, f"layers=parcels,rivers&{AT}", size, language)
    width, height = page.value("(({clientWidth, clientHeight}) => [clientWidth, clientHeight])"
                               "(document.getElementById('map'))")  # fmt: skip
    page.value("document.getElementById('map-picture').click()")
    deadline = time.monotonic() + 40
    while not (saved := list(folder.glob("*.png"))):
        assert time.monotonic() < deadline, "no picture was saved"
        time.sleep(0.1)
    picture = pixels(saved[0])
    top, left = 62, 24
    assert picture.shape[0] >= height + top
    assert picture.shape[1] >= width + left
    on_map = picture[top : top + height, left : left + width]
    beside = picture[top:, left + width + 8 :] if size == WIDE else picture[top + height + 8 :]
    for code in CODES:
        assert count(on_map, COLORS[code]) > 50
        assert count(beside, COLORS[code]) > 150, f"the legend lacks {code}"
    assert count(beside, "#0000FF") == 0, "the legend tells of salt pans, which are not on the map"
    assert count(picture[:36], "#17282D") > 100, "there is no title"
    assert count(picture[-34:], "#8A5A00") > 50, "generated data is not labelled"


def test_what_fails_is_told(service: Any, page: Any, artefacts: Path) -> None:
    page.call("Network.setBlockedURLs", urls=["*/roads/tiles/*", "*/what-is-here/*", "*/districts/items*"])
    try:
        open_map(page, service, f"layers=roads&{AT}")
        page.wait("document.getElementById('map-note-text').textContent.includes('道路')")
        page.picture(artefacts / "map-failure.png")
        page.value("document.getElementById('map-note-close').click()")
        page.click(*middle(page))
        page.wait("document.querySelector('#map-answer .problem')")
        page.press("Escape")
        page.value("document.getElementById('map-note-close').click()")
        page.value("document.getElementById('map-search').focus()")
        page.write("东阿")
        page.wait("!document.getElementById('map-note').hidden")
    finally:
        page.call("Network.setBlockedURLs", urls=[])
    assert all(fault.startswith(("failed request", "log: Failed to load resource")) for fault in page.faults)
    page.faults.clear()


def test_everything_works_from_the_keyboard(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, f"layers=parcels&{AT}")
    focus_by_tab(page, "show-rivers")
    page.press(" ")
    page.wait("location.hash.includes('rivers')")
    focus_by_tab(page, "map")
    page.picture(artefacts / "map-keyboard.png")
    before = state_of(page)["at"]
    page.press("ArrowRight", 3)
    page.wait(f"!location.hash.includes('{before}')")
    page.press("Enter")
    page.wait("document.querySelector('[data-found]')")
    page.press("Escape")
    assert page.value("document.activeElement.id") == "map"
    focus_by_tab(page, "map-slider")
    page.press("ArrowLeft")
    page.wait("location.hash.includes('moment=')")
    page.value("document.activeElement.blur()")
    focus_by_tab(page, "map-length")
    page.press("Enter")
    page.press("Enter")
    before = state_of(page)["at"]
    page.press("ArrowLeft")
    page.wait(f"!location.hash.includes('{before}')")
    page.press("Enter")
    assert float(page.value("document.getElementById('map-measured').dataset.metres")) > 10
    page.press("Escape")
    page.value("document.activeElement.blur()")
    focus_by_tab(page, "map-compare")
    page.press("Enter")
    page.value("document.activeElement.blur()")
    focus_by_tab(page, "map-divider")
    page.press("ArrowRight", 5)
    assert page.value("document.getElementById('map-divider').getAttribute('aria-valuenow')") == "60"
    focus_by_tab(page, "map-search")
    page.write("聊城市")
    page.wait("document.querySelector('#map-found li')")
    page.press("Enter")
    assert page.value("document.activeElement.id") == "map"


def test_every_control_has_a_name_and_the_phone_reaches_the_tree(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, AT, PHONE)
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "checkbox", "slider", "combobox", "searchbox", "textbox", "link", "Date"}
    nameless = [
        node["role"]["value"] for node in tree
        if not node.get("ignored") and node.get("role", {}).get("value") in controls and not node.get("name", {}).get("value")
    ]  # fmt: skip
    assert nameless == []
    assert page.value("document.getElementById('show-parcels').offsetParent") is None
    focus_by_tab(page, "map-side-button")
    page.press("Enter")
    focus_by_tab(page, "show-parcels")
    page.picture(artefacts / "map-phone-tree.png")
    page.press(" ")
    page.wait("!location.hash.includes('parcels')")
    page.press("Escape")
    assert page.value("document.activeElement.id") == "map-side-button"
