"""Pages in a real Chromium with outside hosts blocked: nothing fails, maps are drawn, forms answer.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import matplotlib.image
import numpy as np
import pytest

from support import chromium

MAP = "document.querySelector('[data-ready=\"true\"]')"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for the module."""
    with chromium.browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def _colours(path: Path) -> int:
    image = (matplotlib.image.imread(path)[:, :, :3] * 255).astype(int)
    return len(np.unique(image.reshape(-1, 3), axis=0))


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
@pytest.mark.parametrize(
    ("name", "path", "ready"),
    [
        ("landing", "/?f=html", "document.readyState === 'complete'"),
        ("districts", "/collections/districts?f=html", MAP),
        ("parcels", "/collections/parcels?f=html", MAP),
        ("venues", "/collections/culture_venues/items?f=html", MAP),
        ("elevation", "/collections/elevation?f=html", "document.readyState === 'complete'"),
        ("style", "/styles/planning_zones?f=html&lang=zh", "document.querySelector('img[src*=legend]').complete"),
        ("styles", "/styles?f=html&lang=zh", "document.readyState === 'complete'"),
        ("questions", "/processes?f=html", "document.readyState === 'complete'"),
        ("api", "/openapi?f=html", "document.querySelector('.swagger-ui .opblock-tag')"),
    ],
)
def test_pages_draw_and_nothing_fails(
    service: Any, page: Any, artefacts: Path, name: str, path: str, ready: str, size: tuple[int, int]
) -> None:
    page.faults.clear()
    page.open(service.url + path, *size, ready=ready)
    page.value("new Promise(done => setTimeout(done, 500))")
    picture = artefacts / f"{name}-{size[0]}.png"
    page.picture(picture)
    assert page.faults == []
    assert page.value("document.documentElement.scrollWidth") <= size[0], "the page is wider than the window"
    assert _colours(picture) > 40
    loaded = page.value("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(url.startswith((service.url, "data:", "blob:")) for url in loaded)


def test_a_question_is_asked_through_its_form(service: Any, page: Any, artefacts: Path) -> None:
    page.faults.clear()
    page.open(f"{service.url}/processes/what-is-here?f=html&lang=zh-CN", 1280, 900, "document.querySelector('form')")
    page.value("document.querySelector('form [type=submit]').click()")
    page.wait("document.body.innerText.includes('行政区')")
    page.picture(artefacts / "what-is-here.png")
    assert page.faults == []


def test_the_station_question_shows_states_and_plots(service: Any, page: Any, artefacts: Path) -> None:
    page.faults.clear()
    page.open(f"{service.url}/processes/station-state?f=html&lang=zh-CN", 1280, 900, "document.querySelector('form')")
    page.value("document.querySelector('form [type=submit]').click()")
    page.wait("document.querySelectorAll('table img').length > 3")
    assert "超警戒" in page.value("document.body.innerText")
    page.picture(artefacts / "station-state.png")
    assert page.faults == []


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
@pytest.mark.parametrize(
    ("process", "table", "drawn"), [("areal-rainfall", "areal_rain", 168), ("land-balance", "land_balance", 0)]
)
def test_tables_of_figures_are_shown_with_their_units_totals_and_charts(
    service: Any, page: Any, artefacts: Path, process: str, table: str, drawn: int, size: tuple[int, int]
) -> None:
    page.faults.clear()
    page.open(f"{service.url}/processes/{process}?f=html&lang=zh-CN", *size)
    page.value("document.querySelector('#ask').requestSubmit()")
    page.wait("document.querySelector('#answer .chart-box canvas')")
    page.picture(artefacts / f"figures-{process}-{size[0]}.png")
    assert page.faults == []
    assert page.value("document.documentElement.scrollWidth") <= size[0]
    told = httpx.post(f"{service.url}/processes/{process}/execution", json={"inputs": {}}, timeout=60).json()["tables"][
        table
    ]
    heads = [
        one["title"]["zh"] + (f" ({one['unit']})" if one.get("unit", "1") != "1" else "") for one in told["columns"]
    ]
    first = "document.querySelectorAll('#answer table')[0]"
    assert page.value(f"[...{first}.tHead.rows[0].cells].map(cell => cell.textContent)") == heads
    assert page.value(f"{first}.tBodies[0].rows.length") == len(told["rows"])
    assert page.value(f"{first}.tFoot?.rows.length ?? 0") == len(told["totals"])
    assert "各列" not in page.value("document.getElementById('answer').innerText")
    series = page.value(
        "echarts.getInstanceByDom(document.querySelector('.chart-box')).getOption().series[0].data.length"
    )
    assert series == (
        drawn or len({row[told["chart"]["key"]] for row in told[told["chart"]["rows"]] if row[told["chart"]["key"]]})
    )
