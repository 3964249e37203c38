"""SensorThings on observations that are corrected and flagged: what was known when, the last values, and qualities.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from shikong.layers import catalog
from shikong.providers.sensorthings import options
from shikong.providers.sensorthings.entities import ENTITIES
from shikong.providers.sensorthings.sources import Sources
from shikong.server.sensorthings import answers
from shikong.server.sensorthings.fetching import Fetcher
from shikong.store.database import Database
from support.loads import load

LAYER = catalog.default().layer("hydro_observations")
TEXTS = {(LAYER.id, name): answers.declared(LAYER, name, decl, "") for name, decl in LAYER.parameters.items()}
START = datetime(2026, 1, 31, 20, tzinfo=UTC)  # the hours after it lie in two months
HOURS = [START + timedelta(hours=hour) for hour in range(8)]


def _ask(store: Database, name: str, known_at: datetime | None = None, **given: str) -> Any:
    """What SensorThings answers: entities with what comes with them."""

    async def ask() -> Any:
        database = Database(store.settings)
        await database.open()
        try:
            read = options.read(ENTITIES[name], {f"${option}": text for option, text in given.items()})
            page = await Fetcher(database, Sources((LAYER,), TEXTS, known_at)).page(ENTITIES[name], read, {}, None)
        finally:
            await database.close()
        teller = answers.Teller(catalog.default(), "", TEXTS, {})
        return page.count, [teller.tell(ENTITIES[name], each, read) for each in page.found]

    return asyncio.run(ask())


def _deliver(store: Database, folder: Path, values: dict[datetime, float]) -> datetime:
    """Load stages of a station; returns when that was published."""
    path = folder / "observations.csv"
    rows = [f"S1,{hour.isoformat()},{value}" for hour, value in values.items()]
    path.write_text("\n".join(["stcd,time,z", *rows]), encoding="utf-8")
    release = load(store, path, LAYER.id).release
    query = sql.SQL("SELECT published_at FROM shikong.release WHERE id = %(id)s")
    moment: datetime = store.thread_fetch(query, {"id": release})[0][0]
    return moment


@pytest.fixture
def store(empty_store: Database, tmp_path: Path) -> Database:
    """A store with two stations, one of which will never have values."""
    stations = tmp_path / "stations.csv"
    stations.write_text("stcd,stnm,lon,lat\nS1,甲,115.9,36.4\nS2,乙,116.1,36.4\n", encoding="utf-8")
    load(empty_store, stations, "hydro_stations")
    return empty_store


def test_values_are_told_as_they_were_known(store: Database, tmp_path: Path) -> None:
    told = {hour: 30.0 + at for at, hour in enumerate(HOURS[:6])}
    corrected = {HOURS[5]: 40.0, HOURS[6]: 41.0}
    first = _deliver(store, tmp_path, told)
    second = _deliver(store, tmp_path, corrected)
    for known_at, expected in ((first, told), (second, told | corrected), (None, told | corrected)):
        count, found = _ask(store, "Observations", known_at, count="true")
        assert count == len(expected)
        assert [one["result"] for one in found] == [expected[hour] for hour in sorted(expected)]
        latest = "Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))"
        _, things = _ask(store, "Things", known_at, expand=latest)
        assert [thing["@iot.id"] for thing in things] == ["S1"]
        (stream,) = things[0]["Datastreams"]
        assert [one["result"] for one in stream["Observations"]] == [expected[max(expected)]]
        assert stream["phenomenonTime"] == f"{answers.instant(HOURS[0])}/{answers.instant(max(expected))}"
    assert _ask(store, "Things", first - timedelta(days=1)) == (None, [])


def test_flagged_values_tell_their_quality(store: Database, tmp_path: Path) -> None:
    _deliver(store, tmp_path, {HOURS[0]: 30.0, HOURS[1]: 99_999.0})
    _, found = _ask(store, "Observations")
    assert [one["resultQuality"]["code"] for one in found] == [0, 2]
    assert found[1]["resultQuality"]["title"]["zh"] == "高于可能范围"
    count, good = _ask(store, "Observations", filter="resultQuality eq 0", count="true")
    assert (count, [one["result"] for one in good]) == (1, [30.0])
    assert _ask(store, "Observations", count="true")[0] == 2
