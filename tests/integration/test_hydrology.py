"""What questions of hydrology answer before anything has been loaded, and on a store of a few readings.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from shikong.processes.base import BadInput, Process
from shikong.processes.hydrology.areal_rainfall import ArealRainfall
from shikong.processes.hydrology.drought_index import DroughtIndex
from shikong.processes.hydrology.rain_frequency import RainFrequency
from shikong.processes.hydrology.reservoir_room import ReservoirRoom
from shikong.processes.hydrology.runoff import Runoff
from shikong.processes.hydrology.water_balance import WaterBalance
from shikong.store.database import Database
from support.loads import load

PROCESSES = (ArealRainfall, DroughtIndex, RainFrequency, ReservoirRoom, Runoff, WaterBalance)


def ask(process: type[Process], **inputs: Any) -> dict[str, Any]:
    asked = process({"name": process.id})
    return asked.answer(asked.checked(inputs))


@pytest.mark.parametrize("process", PROCESSES)
def test_an_empty_store_is_said_to_be_so(default_store: Database, process: type[Process]) -> None:
    with pytest.raises(BadInput, match=r"no |none|yet"):
        ask(process)


def test_a_station_on_another_datum_is_not_rated_and_late_corrections_are_known_by_time(
    default_store: Database, tmp_path: Path
) -> None:
    county = shapely.box(115.4, 36.1, 115.6, 36.3)
    gpd.GeoDataFrame(
        {"xzqdm": ["371502"], "xzqmc": ["东昌府区"], "level": ["county"]}, geometry=[county], crs=4490
    ).to_file(tmp_path / "d.gpkg")
    load(default_store, tmp_path / "d.gpkg", "districts")
    stations = pd.DataFrame({
        "stcd": ["31156100", "A", "B"], "stnm": ["水库", "甲", "乙"], "sttp": ["RR", "PP", "PP"],
        "dtmnm": ["废黄河口", None, None], "lon": [115.503, 115.502, 115.507], "lat": [36.204, 36.204, 36.204],
    })  # fmt: skip
    stations.to_csv(tmp_path / "s.csv", index=False)
    load(default_store, tmp_path / "s.csv", "hydro_stations")
    begin = datetime.fromisoformat("2026-07-01T08:00:00+08:00")
    rows = [{"stcd": code, "time": (begin + timedelta(hours=hour)).isoformat(), "drp": value, "rz": level}
            for code, value, level in (("A", 2.0, None), ("B", 4.0, None), ("31156100", None, 34.0))
            for hour in range(1, 49) if (code, hour) != ("B", 5)]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "o.csv", index=False)
    load(default_store, tmp_path / "o.csv", "hydro_observations")

    (room,) = ask(ReservoirRoom, datetime="2026-07-03T09:00:00+08:00")["tables"]["room"]["rows"]
    assert (room["level_m"], room["storage"], room["room_limit"]) == (None, None, None)
    assert "废黄河口" in room["reason"]["en"]
    basin = shapely.geometry.mapping(shapely.box(115.5, 36.2, 115.509, 36.209))
    days = ask(ArealRainfall, basin=basin, start=begin.isoformat(), step="day")["tables"]["areal_rain"]["rows"]
    assert [row["day"] for row in days] == ["2026-07-01", "2026-07-02"]
    share = (days[1]["rain_mm"] / 24 - 2) / 2  # of the second gauge
    assert 0.4 < share < 0.6
    # In the hour that the second one missed the first has all of the area.
    assert days[0]["rain_mm"] == pytest.approx(23 * (2 + 2 * share) + 2, abs=0.1)
    assert days[0]["missing"] == "乙"

    before = datetime.now().astimezone()
    pd.DataFrame([{"stcd": "A", "time": rows[0]["time"], "drp": 50.0}]).to_csv(tmp_path / "late.csv", index=False)
    load(default_store, tmp_path / "late.csv", "hydro_observations")
    now = ask(ArealRainfall, basin=basin, start=begin.isoformat(), step="day")["tables"]["areal_rain"]["rows"][0][
        "rain_mm"
    ]
    then = ask(ArealRainfall, basin=basin, start=begin.isoformat(), step="day", asOf=before.isoformat())["tables"][
        "areal_rain"
    ]["rows"][0]
    assert then["rain_mm"] == days[0]["rain_mm"]
    assert now == pytest.approx(then["rain_mm"] + 48 * (1 - share), abs=0.1)
