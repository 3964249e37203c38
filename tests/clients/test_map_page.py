"""The map page in a real Chromium: the declared colours, layers, time, what is at a point, and search.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from shikong.layers import catalog
from shikong.layers.symbols import symbols
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
    items,
    middle,
    open_map,
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
@pytest.mark.parametrize(("language", "title"), [("zh-CN", "地类图斑"), ("en-US", "Land-use parcels")])
def test_the_page_draws_the_city_and_loads_nothing_from_outside(
    service: Any, page: Any, artefacts: Path, size: tuple[int, int], language: str, title: str
) -> None:
    open_map(page, service, "", size, language)
    name = f"map-{language}-{size[0]}"
    whole = seen(page, artefacts / f"{name}.png")
    assert page.value("document.documentElement.scrollWidth") <= size[0]
    assert page.value("document.querySelector('[data-layer=parcels] label').firstChild.textContent") == title
    assert count(whole, "#F4F1E8") > 10_000, "the districts are not the backdrop"
    asked = addresses(page)
    assert all(url.startswith((service.url, "data:", "blob:")) for url in asked)
    hidden = {layer.id for layer in catalog.default() if layer.style and not layer.style.shown}
    assert hidden
    assert not [url for url in asked for layer in hidden if f"/collections/{layer}/" in url], "hidden layers are loaded"
    open_map(page, service, AT, size, language)
    near = seen(page, artefacts / f"{name}-near.png")
    for code in CODES:
        assert count(near, COLORS[code]) > 50, f"no {COLORS[code]} for {code}"
    assert page.value("document.getElementById('map-sample').checkVisibility()"), "generated data are not called so"


def test_names_of_districts_are_written_above_what_lies_on_them(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, f"layers=parcels&at={PLACE[0]},{PLACE[1]},12.5")
    covered = seen(page, artefacts / "map-names.png")[300:420, 480:580]  # where parcels are, and the name of a town
    assert count(covered, "#F5F8DC") > 1000
    page.value("document.getElementById('show-parcels').click()")
    bare = seen(page, artefacts / "map-names-bare.png")[300:420, 480:580]
    letters = bare.sum(axis=2) < 450
    assert letters.sum() > 30
    assert np.allclose(covered[letters], bare[letters], atol=40)


def test_dark_pages_draw_too(service: Any, page: Any, artefacts: Path) -> None:
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    try:
        open_map(page, service, AT)
        dark = seen(page, artefacts / "map-dark.png")
    finally:
        page.call("Emulation.setEmulatedMedia", features=[])
    assert count(dark, "#1B333B") > 10_000, "the backdrop is not dark"
    assert count(dark, "#F5F8DC") > 50, "declared colours change in the dark"


def test_layers_come_and_go_and_fade(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, f"layers=parcels&{AT}")
    shown = count(seen(page, artefacts / "map-tree.png"), "#F5F8DC")
    page.value("document.getElementById('show-parcels').click()")
    assert count(seen(page, artefacts / "map-tree.png"), "#F5F8DC") == 0 < shown
    page.value("document.getElementById('show-parcels').click()")
    assert count(seen(page, artefacts / "map-tree.png"), "#F5F8DC") == shown
    page.value("document.querySelector('[data-layer=parcels] details').open = true")
    choose(page, "[data-layer=parcels] input[type=range]", "0.5")
    page.wait("location.hash.includes('parcels@0.5')")
    page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert count(seen(page, artefacts / "map-tree.png"), "#F5F8DC") < shown / 10
    legend = page.value("document.querySelector('[data-layer=parcels] .legend-rows').innerText").split("\n")
    entries = symbols(catalog.default(), catalog.default().layer("parcels"))
    assert [text for text in legend if text][:-1] == [entry.title.zh for entry in entries[:-1]]


def test_the_other_grid_shows_the_same_place(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, f"layers=parcels&{AT}")
    before = state_of(page)
    choose(page, "#map-grid", "c")
    page.wait("location.hash.includes('grid=c')")
    page.wait("performance.getEntriesByType('resource').some(({name}) => name.includes('parcels/tiles/c/'))")
    assert count(seen(page, artefacts / "map-grid-c.png"), "#F5F8DC") > 50
    assert state_of(page)["at"] == before["at"]


def test_the_slider_asks_for_tiles_of_its_moment(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, f"layers=parcels&{AT}")
    now = seen(page, artefacts / "map-time-now.png")
    assert not [url for url in addresses(page) if "datetime=" in url]
    page.value("document.getElementById('map-slider').focus()")
    page.press("Home")
    page.wait("document.getElementById('map-moment').textContent.includes('2020年12月31日')")
    then = seen(page, artefacts / "map-time-2020.png")
    assert [url for url in addresses(page) if "/parcels/tiles/" in url and "datetime=2020-12-31" in url]
    changed = (now != then).any(axis=-1)
    assert 100 < changed.sum() < changed.size / 2
    page.value("document.getElementById('map-now').click()")
    page.wait("document.getElementById('map-moment').textContent.includes('现在')")
    assert np.array_equal(seen(page, artefacts / "map-time-now.png"), now)
    choose(page, "#map-known", "2020-01-01")
    seen(page, artefacts / "map-known.png")
    assert [url for url in addresses(page) if "asOf=2020-01-01" in url]
    assert "2020年1月1日" in page.value("document.getElementById('map-moment').textContent")


def test_playing_goes_through_the_years_and_stops(service: Any, page: Any) -> None:
    open_map(page, service, f"layers=parcels&{AT}")
    page.value("document.getElementById('map-play').click()")
    page.wait("location.hash.includes('moment=2022-12-31')")
    page.value("document.getElementById('map-play').click()")
    assert page.value("document.getElementById('map-play').getAttribute('aria-label')") == "播放"
    page.wait(READY)
    asked = " ".join(addresses(page))
    assert all(f"datetime={year}-12-31" in asked for year in (2020, 2021, 2022))


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_a_click_tells_what_all_layers_know(
    service: Any, page: Any, artefacts: Path, size: tuple[int, int], language: str
) -> None:
    open_map(page, service, f"layers=districts&{AT}", size, language)
    page.click(*middle(page))
    page.wait("document.querySelector('[data-found]')")
    page.picture(artefacts / f"map-point-{language}-{size[0]}.png")
    told = set(page.value("[...document.querySelectorAll('[data-feature]')].map(link => "
                          "`${link.closest('[data-found]').dataset.found}/${link.dataset.feature}`)"))  # fmt: skip
    for layer in catalog.default():
        if layer.geometry == "MultiPolygon" and layer.access.public:
            near = items(service, layer.id, filter=f"S_INTERSECTS(geometry, POINT({PLACE[0]} {PLACE[1]}))")
            here = {f"{layer.id}/{feature['id']}" for feature in near}
            assert here == {name for name in told if name.startswith(f"{layer.id}/")}
    assert {name.partition("/")[0] for name in told} >= {"districts", "parcels"}
    text = page.value("document.getElementById('map-answer').innerText")
    assert ("County or district (county)" if language == "en-US" else "县（市、区） (county)") in text
    height = "Elevation" if language == "en-US" else "高程"
    assert re.search(rf"{height} \d+(\.\d+)? m", text)
    link = page.value("document.querySelector('[data-found=parcels] [data-feature]').href")
    assert httpx.get(link, trust_env=False).status_code == 200
    assert page.value("document.activeElement.id") == "map-answer"
    page.press("Escape")
    assert page.value("document.getElementById('map-answer').hidden")
    assert page.value("document.activeElement.id") == "map"


def test_search_finds_a_district_and_goes_there(service: Any, page: Any, artefacts: Path) -> None:
    open_map(page, service, "layers=districts")
    found = items(service, "districts", q="东阿县")
    [county] = [feature for feature in found if feature["properties"]["xzqmc"] == "东阿县"]
    points = np.concatenate([np.array(ring) for part in county["geometry"]["coordinates"] for ring in part])
    before = seen(page, artefacts / "map-search.png")
    page.value("document.getElementById('map-search').focus()")
    page.write("东阿")
    page.wait("[...document.querySelectorAll('#map-found li')].some(entry => entry.textContent.includes('东阿县'))")
    page.picture(artefacts / "map-search-list.png")
    at = page.value("[...document.querySelectorAll('#map-found li')]"
                    ".findIndex(entry => entry.textContent.startsWith('东阿县行政区'))")  # fmt: skip
    page.press("ArrowDown", at)
    page.press("Enter")
    page.wait("document.getElementById('map-found').hidden")
    west, south = points.min(axis=0)
    east, north = points.max(axis=0)
    page.wait(f"Math.abs(Number(location.hash.match(/at=([\\d.]+)/)[1]) - {(west + east) / 2}) < 0.02")
    lon, lat, zoom = map(float, state_of(page)["at"].split(","))
    assert west < lon < east
    assert south < lat < north
    assert zoom > 9.5
    after = seen(page, artefacts / "map-search.png")
    assert count(after, "#C2410C") > 100 > count(before, "#C2410C"), "the district is not outlined"


def test_search_takes_coordinates_in_either_order(service: Any, page: Any) -> None:
    for text in ("115.98, 36.45", "36.45 115.98"):
        open_map(page, service, "layers=districts")
        page.value("document.getElementById('map-search').focus()")
        page.write(text)
        page.press("Enter")
        page.wait("location.hash.includes('at=115.98000,36.45000')")


def test_an_older_search_is_given_up(service: Any, page: Any) -> None:
    open_map(page, service, "layers=districts")
    page.value("document.getElementById('map-search').focus()")
    for letter in "东昌府区":
        page.write(letter)
    page.wait("document.querySelector('#map-found li')")
    searches = {
        urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["q"][0] for url in addresses(page) if "&q=" in url
    }
    assert searches == {"东昌府区"}
