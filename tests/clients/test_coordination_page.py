"""The page of coordination in Chromium: a department signs in, gives its opinion with a file, and signs out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import shapely

from shikong.store import accounts
from shikong.store.database import Database
from support import chromium
from support.loads import load, write_county

SITE = shapely.geometry.mapping(shapely.box(115.905, 36.405, 115.915, 36.415))


@pytest.fixture(scope="module")
def store(make_store: Callable[[Path], Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A county and nothing else."""
    folder = tmp_path_factory.mktemp("coordination")
    found = make_store(folder)
    load(found, write_county(folder / "county.gpkg"), "districts")
    return found


@pytest.fixture(scope="module")
def url(store: Database, run_service: Callable[..., Any]) -> Iterator[str]:
    with run_service(str(store.settings.database_url), store.settings.data) as service:
        yield service.url


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for the module."""
    with chromium.browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def test_a_department_gives_its_opinion_on_the_page(url: str, store: Database, page: Any, artefacts: Path) -> None:
    with store.thread_session() as conn:
        planner = accounts.add(conn, "规划-王工", ["planner"], None)
        water = accounts.add(conn, "水利局-李工", ["department-water"], None)
    inputs = {"name": "泵站", "project": "water", "site": SITE, "departments": ["water"]}
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        http.headers["authorization"] = f"Bearer {planner}"
        case = http.post("/processes/coordination-open/execution", json={"inputs": inputs}).json()["case"]

        page.open(f"{url}/coordination?lang=zh", 1200, 1000)
        assert "登录后可查看" in page.value("document.body.innerText")
        page.open(f"{url}/account?lang=zh", 1200, 800)
        page.value(f"document.getElementById('token').value = '{water}'")
        page.value("document.querySelector('main form').requestSubmit()")
        page.wait("document.body.innerText.includes('水利局-李工')")

        page.open(f"{url}/coordination?lang=zh", 1200, 1000, f"document.getElementById('{case}')")
        assert page.value("document.querySelectorAll('.case tbody tr').length") == 1, "it sees its own opinion alone"
        form = "document.querySelector('.case tbody form.step')"
        page.value(f"{form}.closest('details').open = true")
        page.value(f"{form}.querySelector('[value=object]').click()")
        page.wait(f"{form}.querySelector('[role=alert]')")
        assert "needs opinion, basis" in page.value(f"{form}.querySelector('[role=alert]').innerText")
        assert all("409" in fault for fault in page.faults), page.faults  # the refusal that was meant
        page.faults.clear()
        page.value(f"{form}.opinion.value = '同意，须避让堤防'; {form}.conditions.value = '作防洪评价'")
        page.value(
            "(() => { const given = new DataTransfer(); given.items.add(new File(['附件'], '意见.txt'));"
            f" {form}.elements.file.files = given.files; }})()"
        )
        page.value(f"{form}.querySelector('[value=agree_on_conditions]').click()")
        page.wait("document.querySelector('.state-conditional')")
        page.picture(artefacts / "coordination.png")
        assert "意见.txt" in page.value("document.querySelector('.case tbody').innerText")
        assert page.faults == []

        given = http.get(f"/collections/coordination_opinions/items/{case}-water").json()["properties"]
        assert (given["state"], given["conditions"], given["given_by"]) == ("conditional", "作防洪评价", "水利局-李工")
        page.open(f"{url}/account?lang=zh", 1200, 800)
        page.value("document.querySelector('main form').requestSubmit()")
        page.wait("document.getElementById('token')")
        page.open(f"{url}/coordination?lang=zh", 400, 800)
        assert "登录后可查看" in page.value("document.body.innerText")
