"""The water map in a real Chromium, held against the answers of the processes that it asks.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import Service

from shikong.layers import catalog
from shikong.server.water_page import KINDS
from shikong.store.database import Database
from support import chromium
from support.map_page import PHONE, Pixels, addresses, count, pixels, seen, state_of
from support.town import opened

WIDE = (1400, 1000)
STATES = catalog.default().codes["station_state"].codes
WORST, WORSE = "31150300", "31150200"

READY = (
    "document.getElementById('water-map').dataset.ready === 'true' && document.querySelector('#station-chart canvas')"
    " && document.querySelector('#reservoirs li') && document.querySelector('#rain-chart canvas')"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for the module."""
    with chromium.browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def _open(page: Any, url: str, state: str = "", size: tuple[int, int] = WIDE, language: str = "zh-CN") -> None:
    page.faults.clear()
    page.open("about:blank", *size)
    page.open(f"{url}/water?lang={language}#{state}", *size, ready=READY)
    page.value("performance.setResourceTimingBufferSize(10000)")


def _ask(service: Any, process: str, **inputs: Any) -> dict[str, Any]:
    answer = httpx.post(f"{service.url}/processes/{process}/execution", json={"inputs": inputs}, timeout=60)
    return dict(answer.raise_for_status().json())


def _near(picture: Pixels, color: str) -> int:
    """Pixels of about a colour: thin lines are blended with what lies below them."""
    wanted = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return int((np.abs(picture - wanted).max(axis=-1) < 80).sum())


def _text(page: Any, selector: str) -> str:
    return str(page.value(f"document.querySelector({json.dumps(selector)}).textContent"))


def _shown(page: Any) -> dict[str, str]:
    """The stations of the list: what is told of each by its code."""
    return dict(
        page.value(
            "[...document.querySelectorAll('#stations button')]"
            ".map(each => [each.dataset.code, each.querySelector('.figure').textContent])"
        )
    )


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize(("language", "title"), [("zh-CN", "水情图"), ("en-US", "Water map")])
def test_the_page_shows_every_station_in_its_states_colour_and_loads_nothing_from_outside(
    service: Any, page: Any, artefacts: Path, size: tuple[int, int], language: str, title: str
) -> None:
    _open(page, service.url, "", size, language)
    drawn = seen(page, artefacts / f"water-{language}-{size[0]}.png", "water-map")
    assert page.value("document.documentElement.scrollWidth") <= size[0]
    assert _text(page, "h1").startswith(title)
    assert page.value("document.getElementById('water-sample').checkVisibility()"), "generated data are not called so"
    assert all(url.startswith((service.url, "data:", "blob:")) for url in addresses(page))
    rated = _ask(service, "station-state", days=0)["stations"]
    wanted = {row["station"]: row for row in rated if any(row["type"] in types for types in KINDS.values())}
    shown = _shown(page)
    assert set(shown) == set(wanted)
    levels = {code: row for code, row in wanted.items() if row["type"] in KINDS["level"] and row["level_m"] is not None}
    assert {code: shown[code] for code in levels} == {code: f"{row['level_m']:.2f} m" for code, row in levels.items()}
    for state in {row["state"] for row in levels.values()}:
        assert count(drawn, str(STATES[state].color)) > 30, f"no {state} on the map"
    assert next(iter(shown)) == WORST, "the worst station is not the first"
    assert page.faults == []


def test_a_station_is_chosen_by_keyboard_and_shown_with_its_levels(service: Any, page: Any, artefacts: Path) -> None:
    _open(page, service.url, "days=1")
    page.value(f"document.querySelector('#stations [data-code=\"{WORSE}\"]').focus()")
    page.press("Enter")
    page.wait("document.getElementById('station-title').textContent === '刘桥闸'")
    page.wait(f"document.activeElement.dataset.code === '{WORSE}'")
    assert state_of(page)["station"] == WORSE
    station = httpx.get(f"{service.url}/collections/hydro_stations/items/{WORSE}?f=json").json()["properties"]
    label = page.value("document.getElementById('station-chart').getAttribute('aria-label')")
    assert f"警戒水位 {station['wrz']} m" in label
    assert f"保证水位 {station['grz']} m" in label
    page.value("document.getElementById('station').scrollIntoView()")
    page.value("new Promise(done => setTimeout(done, 600))")
    page.picture(artefacts / "water-hydrograph.png")
    picture = pixels(artefacts / "water-hydrograph.png")
    assert _near(picture, str(STATES["above_warning"].color)) > 300, "the warning level is not drawn"
    assert _near(picture, "#1E6FD9") > 300, "the stage is not drawn"
    first = page.value("[...document.querySelector('#station-table tbody tr').cells].map(cell => cell.textContent)")
    rows = httpx.get(
        page.value("[...document.querySelectorAll('#station-links a')].find(a => a.textContent === 'CSV').href")
    )
    newest = list(csv.DictReader(rows.text.splitlines()))[-1]
    assert [float(one) for one in first[1:3]] == [float(newest["z"]), float(newest["q"])]
    assert page.faults == []


def test_a_forecast_goes_on_where_the_readings_end(service: Any, page: Any) -> None:
    _open(page, service.url, f"station={WORST}")
    newest = next(row["time"] for row in _ask(service, "station-state", days=0)["stations"] if row["station"] == WORST)
    run = httpx.get(
        f"{service.url}/collections/hydro_forecasts/locations/{WORST}",
        params={"parameter-name": "z", "datetime": f"{newest}/..", "f": "json"},
    ).json()
    peak = max(run["ranges"]["z"]["values"])
    assert f"预报最高水位 {peak:.2f} 米" in _text(page, "#station-forecast")
    href = page.value("document.querySelector('#station-forecast a').href")
    assert httpx.get(href).status_code == 200
    series = page.value("echarts.getInstanceByDom(document.getElementById('station-chart')).getOption().series"
                       ".map(each => [each.name, each.data.length])")  # fmt: skip
    assert dict(series)["预报水位 (m)"] == len(run["ranges"]["z"]["values"])


def test_warnings_that_the_forecast_brings_are_listed_by_when_they_do(service: Any, page: Any) -> None:
    features = httpx.get(
        f"{service.url}/collections/forecast_warnings/items", params={"limit": 1000, "f": "json"}
    ).json()["features"]  # fmt: skip
    now = datetime.now(UTC)
    features = [
        one for one in features
        if (end := one["properties"]["lifted_at"]) is None or datetime.fromisoformat(end) > now
    ]  # fmt: skip
    expected = {one["id"]: one["properties"]["expected_at"] for one in features}
    assert expected
    _open(page, service.url)
    listed = page.value("[...document.querySelectorAll('#ahead-warnings li')].map(one => one.dataset.warning)")
    assert sorted(listed) == sorted(expected)
    assert [expected[code] for code in listed] == sorted(expected.values())
    assert str(len(expected)) in _text(page, "#ahead-count")
    page.value("document.querySelector('#ahead summary').click()")
    assert page.value("document.querySelector('#ahead-warnings').getBoundingClientRect().height") > 20
    chosen = next(one for one in features if "," not in one["properties"]["stations"])["properties"]
    page.value(f"document.querySelector('#ahead-warnings [data-warning=\"{chosen['code']}\"] button').click()")
    page.wait(f"document.querySelector('#stations [aria-pressed=true]').dataset.code === '{chosen['stations']}'")
    link = page.value("document.querySelector('#ahead-warnings a').href")
    assert httpx.get(link).status_code == 200


def test_the_slider_floods_the_land_as_the_process_says(service: Any, page: Any, artefacts: Path) -> None:
    _open(page, service.url, f"station={WORST}&isolines=0")
    page.value("document.getElementById('flood-slider').focus()")
    page.press("ArrowRight", 40)
    page.wait("document.querySelector('#flood-answer table')")
    page.wait("!document.getElementById('flood-answer').hasAttribute('aria-busy')")
    told = _ask(service, "inundation", station=WORST, above_drain_m=4)
    assert f"{told['area_ha']:.1f}" in _text(page, "#flood-told")
    assert f"{told['level']['level_m']:.2f}" in _text(page, "#flood-told")
    met = page.value(
        "[...document.querySelectorAll('#flood-answer tbody tr')].slice(0, 4).map(row => row.cells[1].textContent)"
    )
    assert met == [str(row["features"]) for row in told["tables"]["met"]["rows"]][:4]
    wet = seen(page, artefacts / "water-flood.png", "water-map")

    def blue(picture: Pixels) -> int:
        red, green, other = picture[..., 0], picture[..., 1], picture[..., 2]
        return int(((other - red > 60) & (other - green > 30)).sum())

    page.value("document.getElementById('flood-off').click()")
    dry = seen(page, artefacts / "water-dry.png", "water-map")
    assert blue(wet) > 1.5 * blue(dry), "the flood is not drawn"
    assert _text(page, "#flood-told") == ""
    page.value("document.getElementById('flood-present').click()")
    page.wait("document.querySelector('#flood-answer table')")
    level = next(
        row["level_m"] for row in _ask(service, "station-state", days=0)["stations"] if row["station"] == WORST
    )
    assert f"{level:.2f}" in _text(page, "#flood-told")
    page.value(f"document.querySelector('#stations [data-code=\"{WORSE}\"]').click()")
    page.wait("document.getElementById('flood-title').textContent.includes('刘桥闸')")
    assert _text(page, "#flood-told") == "", "the flood of another station is still shown"
    assert page.faults == []


def test_rain_and_reservoirs_are_those_of_the_processes(service: Any, page: Any) -> None:
    _open(page, service.url, "hours=72")
    told = _ask(service, "areal-rainfall", hours=72, method="idw")
    assert str(told["tables"]["areal_rain"]["totals"][0]["rain_mm"]) in _text(page, "#rain-note")
    gauges = {row["station"]: row["gauge_mm"] for row in told["tables"]["gauges"]["rows"]}
    shown = _shown(page)
    rated = {row["station"] for row in _ask(service, "station-state", days=0)["stations"] if row["type"] == "PP"}
    assert {code: shown[code] for code in rated} == {
        code: "雨量缺测" if gauges.get(code) is None else f"{_number(gauges[code])} mm" for code in rated
    }
    room = _ask(service, "reservoir-room")["tables"]["room"]["rows"]
    bars = page.value("[...document.querySelectorAll('#reservoirs .full')].map(each => parseFloat(each.style.width))")
    assert bars == pytest.approx(
        [100 * (row["level_m"] - row["dead_m"]) / (row["crest_m"] - row["dead_m"]) for row in room], abs=0.01
    )
    page.value("(box => { box.click() })(document.getElementById('water-isolines'))")
    page.wait("location.hash.includes('isolines=0')")


def _number(value: float) -> str:
    """As JavaScript writes it."""
    return str(int(value)) if value == int(value) else str(value)


def test_a_moment_of_the_past_is_shown_as_it_was(service: Any, page: Any) -> None:
    now = datetime.fromisoformat(_ask(service, "station-state", days=0)["as_of"])
    then = (now - timedelta(hours=30)).isoformat()
    past = {row["station"]: row for row in _ask(service, "station-state", days=0, datetime=then)["stations"]}
    assert past[WORST]["level_m"] is not None
    _open(page, service.url, f"moment={then.replace('+', '%2B')}")
    assert _shown(page)[WORST] == f"{past[WORST]['level_m']:.2f} m"
    assert page.value("document.getElementById('water-now').getAttribute('aria-pressed')") == "false"
    newest = page.value("document.querySelector('#station-table tbody td').textContent")
    assert newest <= (now - timedelta(hours=30)).strftime("%Y-%m-%d %H:%M")
    assert page.value("document.getElementById('ahead').hidden"), "nothing of today's forecast was known then"
    page.value("document.getElementById('water-now').click()")
    page.wait("document.getElementById('water-now').getAttribute('aria-pressed') === 'true'")
    page.wait(f"document.querySelector('#stations [data-code=\"{WORST}\"] .figure').textContent !== "
              f"'{past[WORST]['level_m']:.2f} m'")  # fmt: skip


def test_states_are_switched_off(service: Any, page: Any) -> None:
    _open(page, service.url)
    before = _shown(page)
    page.value("document.querySelector('#station-states [data-state=normal]').click()")
    after = _shown(page)
    rated = {row["station"]: row["state"] for row in _ask(service, "station-state", days=0)["stations"]}
    gone = set(before) - set(after)
    assert gone
    assert {rated[code] for code in gone} == {"normal"}
    assert page.value("document.activeElement.dataset.state") == "normal"


def test_a_warning_appears_and_goes_while_one_looks(
    empty_store: Database, tmp_path: Path, page: Any, artefacts: Path,
    run_service: Callable[..., AbstractContextManager[Service]],
) -> None:  # fmt: skip
    with opened(empty_store, tmp_path, run_service) as town:
        page.open(f"{town.url}/water?lang=zh-CN", *WIDE, ready="document.querySelector('#warnings .none')")
        town.rises_to(33.0, 0)
        page.wait("document.querySelector('#warnings [data-warning]')")
        assert "黄色（Ⅲ级）预警" in _text(page, "#warnings")
        page.wait("document.querySelector('#stations .figure')?.textContent === '33.00 m'")
        page.picture(artefacts / "water-warning.png")
        assert count(pixels(artefacts / "water-warning.png"), "#F2C200") > 60, "no ring in the warning's colour"
        town.rises_to(31.0, 40)
        town.rises_to(31.0, 80)
        page.wait("document.querySelector('#warnings .none')")
        assert np.char.isdigit(_text(page, "#warning-count"))
        assert _text(page, "#warning-count") == "0"
