"""Invented storms through the rules: what a rehearsal says is what the watch says when that rain really comes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyproj import Geod
from scipy.integrate import quad

from shikong.layers import catalog
from shikong.processes.base import BadInput
from shikong.processes.warnings import rehearsal
from shikong.processes.warnings.watch import Watch
from shikong.store import observations
from shikong.store.database import Database
from shikong.store.principal import Principal, acting_as
from support.loads import load

CITY = catalog.default()
LAYER = CITY.layer("hydro_observations")
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
GAUGES = {"P1": (116.1, 36.4), "P2": (116.2, 36.45), "P3": (115.5, 36.1)}
STORM = {"lon": 116.12, "lat": 36.42, "peak_mm_h": 70, "duration_h": 6, "radius_km": 18, "direction_deg": 60,
         "speed_km_h": 12, "peak_share": 0.4}  # fmt: skip


@pytest.fixture
def store(empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A store with rain gauges that have reported a little rain, and a river station."""
    stations = tmp_path / "stations.csv"
    lines = [f"{code},{code},PP,,371502,,,,{lon},{lat}" for code, (lon, lat) in GAUGES.items()]
    head = "stcd,stnm,sttp,rvnm,xzqdm,wrz,grz,obhtz,lon,lat\nS1,甲,ZQ,徒骇河,371502,32,33.5,34.2,115.9,36.4\n"
    stations.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    load(empty_store, stations, "hydro_stations")
    monkeypatch.setattr(rehearsal, "default_database", lambda: empty_store)
    with acting_as(Principal("worker:test", ("worker",))):
        yield empty_store


def _come(store: Database, *values: tuple[str, str, datetime, float]) -> None:
    with store.thread_session() as conn, conn.transaction():
        observations.empty_stage(conn)
        rows = [(*value, 0, "delivered") for value in values]
        observations.append(conn, LAYER, "telemetry", observations.stage(conn, rows))


def _rain(lon: float, lat: float, hour: int) -> float:
    """What the storm brings to a place in an hour, by geodesics and scipy."""
    bearing, _, away = Geod(ellps="GRS80").inv(STORM["lon"], STORM["lat"], lon, lat)
    east, north = away / 1000 * math.sin(math.radians(bearing)), away / 1000 * math.cos(math.radians(bearing))
    top = STORM["peak_share"] * STORM["duration_h"]

    def rate(at: float) -> float:
        share = at / top if at < top else (STORM["duration_h"] - at) / (STORM["duration_h"] - top)
        moved = STORM["speed_km_h"] * (at - top)
        turn = math.radians(STORM["direction_deg"])
        squares = (east - moved * math.sin(turn)) ** 2 + (north - moved * math.cos(turn)) ** 2
        return STORM["peak_mm_h"] * max(share, 0) * math.exp(-squares / STORM["radius_km"] ** 2)

    return float(quad(rate, hour - 1, hour, points=[top], limit=100)[0])


def _rehearsed(**inputs: Any) -> dict[str, Any]:
    asked = rehearsal.Rehearsal({"name": "x"})
    return asked.answer(asked.checked(inputs))


def test_an_invented_storm_says_what_the_watch_says_when_that_rain_comes(store: Database) -> None:
    start, end = NOW - timedelta(hours=12), NOW
    _come(store, *((code, "drp", start - timedelta(hours=back), 6.0) for code in GAUGES for back in range(8)))
    told = _rehearsed(start=start.isoformat(), end=end.isoformat(), storm=STORM)
    assert (told["origin"], told["storm"]["radius_km"]) == ("generated", 18)
    watch = Watch(store, CITY)
    seen = [(event.at, event.change, event.subject, event.level) for event in watch.once(start)]
    for hour in range(1, 13):
        at = start + timedelta(hours=hour)
        _come(store, *((code, "drp", at, round(_rain(*place, hour), 1)) for code, place in GAUGES.items()))
        seen += [(event.at, event.change, event.subject, event.level) for event in watch.once(at)]
    found = [(datetime.fromisoformat(one["at"]), one["change"], (one["rule"], one["subject"]), one["level"])
             for one in told["events"]]  # fmt: skip
    assert sorted(found) == sorted(seen)
    assert {subject for _, _, subject, _ in found} >= {
        ("rain_1h", "P1"),
        ("rain_6h", "P2"),
        ("district_storm", "371502"),
    }
    assert not [one for one in found if one[2] == ("rain_1h", "P3")]  # 60 km away
    assert told["highest"]["red"] > 0
    assert {action["hazard"] for action in told["actions"]} == {"rain"}


def test_what_was_observed_after_the_storm_begins_is_left_out(store: Database) -> None:
    start = NOW - timedelta(hours=12)
    _come(store, *((code, "drp", start + timedelta(hours=2), 90.0) for code in GAUGES),
          ("S1", "z", start + timedelta(hours=3), 34.9), ("P1", "drp", start, 1.0))  # fmt: skip
    far = STORM | {"lon": 100.0}
    assert _rehearsed(start=start.isoformat(), end=NOW.isoformat(), storm=far)["events"] == []
    assert _rehearsed(start=start.isoformat(), end=NOW.isoformat())["highest"]["red"] > 0


@pytest.mark.parametrize(("storm", "field"), [
    ({"peak_mm_h": -1}, "storm.peak_mm_h"), ({"radius_km": 0}, "storm.radius_km"), ({"colour": "red"}, "storm.colour"),
])  # fmt: skip
def test_a_storm_that_cannot_be_is_refused(store: Database, storm: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput, match=field) as refused:
        _rehearsed(start=NOW.isoformat(), end=NOW.isoformat(), storm=STORM | storm)
    # Of an unknown part the known ones are told, not those of the question around it.
    assert ("direction_deg" in refused.value.allowed) == (field == "storm.colour")
    assert "start" not in refused.value.allowed


def test_without_gauges_or_times_there_is_no_rehearsal(store: Database) -> None:
    with pytest.raises(BadInput, match="no rain gauges"):
        _rehearsed(start=(NOW - timedelta(hours=3)).isoformat(), end=NOW.isoformat(), storm=STORM)
    with pytest.raises(BadInput, match="start: is needed"):
        _rehearsed(start=None, end=NOW.isoformat())
