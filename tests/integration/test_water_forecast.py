"""Forecasts against the formulas written out, against what was observed later, and what they say where they cannot.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import SampleCity
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.stats import gamma

from shikong.hydrology.series import scores
from shikong.hydrology.series.forecast import Floats
from shikong.layers import catalog
from shikong.layers.warning_rules import LEVELS
from shikong.processes.base import BadInput
from shikong.processes.forecasts import chain
from shikong.processes.forecasts.chain import Forecast, Run
from shikong.processes.forecasts.water_forecast import WaterForecast
from shikong.processes.hydrology.readings import Source, Station
from shikong.processes.warnings.rehearsal import Rehearsal
from shikong.store.database import Database
from shikong.store.moments import Moment
from support.loads import load
from support.sample_files import read

CODE, GAUGE = "31150200", "31158200"
DECLARED = catalog.default().forecasts.stations[CODE]
ISSUE = datetime.fromisoformat("2026-07-20T08:00:00+08:00")
RAIN = [(-60, 8.0), (-59, 8.0), (-58, 8.0), (-57, 8.0), (-56, 8.0)]
AHEAD = [20.0, 40.0, 30.0, 10.0]
STAGE = 35.0


@pytest.fixture
def store(default_store: Database, tmp_path: Path) -> Database:
    """A store with a forecast station and one of its gauges, as the process-wide one."""
    _stations(default_store, tmp_path, DECLARED.rating.datum)
    return default_store


def _stations(store: Database, folder: Path, datum: str) -> None:
    pd.DataFrame({
        "stcd": [CODE, GAUGE], "stnm": ["刘桥闸", "莘县"], "sttp": ["ZQ", "PP"], "dtmnm": [datum, None],
        "wrz": [35.5, None], "grz": [36.5, None], "rvnm": ["徒骇河", None], "lon": [115.8, 115.7], "lat": [36.3, 36.2],
    }).to_csv(folder / "s.csv", index=False)  # fmt: skip
    load(store, folder / "s.csv", "hydro_stations")


def _read(store: Database, folder: Path) -> None:
    rain = dict(RAIN)
    rows = [{"stcd": GAUGE, "time": (ISSUE + timedelta(hours=hour)).isoformat(), "drp": rain.get(hour, 0.0)}
            for hour in range(-200, 1)]  # fmt: skip
    rows += [{"stcd": CODE, "time": (ISSUE + timedelta(hours=hour)).isoformat(), "z": STAGE} for hour in (-30, 0)]
    pd.DataFrame(rows).to_csv(folder / "o.csv", index=False)
    load(store, folder / "o.csv", "hydro_observations")


def ask(**inputs: Any) -> dict[str, Any]:
    asked = WaterForecast({"name": "x"})
    return asked.answer(asked.checked(inputs))


def rows(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["tables"][name]["rows"]
    return found


def _written_out(hours: int) -> tuple[list[float], list[float]]:
    """Discharges and stages of the hours ahead, hour by hour as the books have it."""
    rain = {hour: depth for hour, depth in RAIN} | {1 + at: depth for at, depth in enumerate(AHEAD)}
    ran: dict[int, float] = {}
    cn = 4.2 * DECLARED.cn / (10 - 0.058 * DECLARED.cn)  # the ground is declared to be dry
    for storm in ((-60, -56), (1, 4)):
        kept, fallen, before = 25400 / cn - 254, 0.0, 0.0
        for hour in range(storm[0], storm[1] + 1):
            fallen += rain[hour]
            total = fallen**2 / (fallen + kept)  # Ia is 0 there
            ran[hour], before = total - before, total
    n, k = DECLARED.unit.nash_n, DECLARED.unit.nash_k
    assert n is not None

    def told(at: int) -> float:
        reach = [gamma.cdf(at - hour + 1, n, scale=k) - gamma.cdf(at - hour, n, scale=k) for hour in ran if hour <= at]
        depths = [depth for hour, depth in ran.items() if hour <= at]
        return float(np.dot(reach, depths)) * DECLARED.area / 3.6 + DECLARED.base_flow

    stages, flows = np.array(DECLARED.rating.pairs).T
    curve = PchipInterpolator(stages, flows)
    error = float(curve(STAGE)) - told(0)
    q = [told(hour) + error * math.exp(-hour / DECLARED.recession) for hour in range(1, hours + 1)]
    z = [brentq(lambda stage, flow=flow: float(curve(stage)) - flow, stages[0], stages[-1]) for flow in q]
    return q, z


def test_a_forecast_is_what_the_formulas_say(store: Database, tmp_path: Path) -> None:
    _read(store, tmp_path)
    answer = ask(station=CODE, rain=AHEAD, horizon_h=48)
    assert answer["issue"] == "2026-07-20T08:00+08:00"
    ahead_q = [row["q_forecast"] for row in rows(answer, "discharge") if row["q_forecast"] is not None]
    ahead_z = [row["z_forecast"] for row in rows(answer, "stage") if row["z_forecast"] is not None]
    q, z = _written_out(48)
    assert ahead_q == pytest.approx(q, abs=0.06 + 2e-3 * max(q))  # unit hydrographs are cut where little is left
    assert ahead_z == pytest.approx(z, abs=0.015)
    assert max(q) > 1.2 * q[0]
    (peak,) = rows(answer, "peaks")
    assert (peak["z_now"], peak["rain_ahead_mm"], peak["origin"]) == (STAGE, 100.0, "generated")
    assert peak["q_peak"] == max(ahead_q)
    assert peak["q_peak_time"] == (ISSUE + timedelta(hours=1 + int(np.argmax(ahead_q)))).isoformat(timespec="minutes")
    assert "44" in peak["notes"]["en"]  # hours without rain that is told
    assert answer["label"]["zh"] == "生成的样例数据"
    assert "刘桥闸" in answer["text"]["zh"]


def test_levels_and_warnings_follow_from_the_course(store: Database, tmp_path: Path) -> None:
    _read(store, tmp_path)
    answer = ask(station=CODE, rain=[20.0] * 8, horizon_h=60)
    course = {row["time"]: row["z_forecast"] for row in rows(answer, "stage") if row["z_forecast"] is not None}
    told = {row["level_code"]: (row["limit"], row["state"]["en"], row["reached"]) for row in rows(answer, "levels")}
    assert told["blue"] == (35.0, "Reached already", None)
    for level, limit in (("yellow", 35.5), ("orange", 36.5)):
        first = next(time for time, stage in course.items() if stage >= limit)
        assert told[level] == (limit, "Reached ahead", first)
    found = [(row["at"], row["change"]["en"], row["level_code"], row["basis"]["en"]) for row in rows(answer, "warnings")
             if (row["rule_code"], row["subject"]) == ("flood_stage", CODE)]  # fmt: skip
    assert found[:3] == [("2026-07-20T08:00+08:00", "Issue", "blue", "Readings"),
                         (told["yellow"][2], "Raise", "yellow", "Forecast"),
                         (told["orange"][2], "Raise", "orange", "Forecast")]  # fmt: skip
    assert ("rain_6h", GAUGE) in {(row["rule_code"], row["subject"]) for row in rows(answer, "warnings")}
    due = [row["due"] for row in rows(answer, "actions")]
    assert due == sorted(due)
    assert len(due) > 3


def test_rain_comes_from_the_newest_run_of_the_weather_bureau(store: Database, tmp_path: Path) -> None:
    _read(store, tmp_path)
    dry = ask(station=CODE, rain_from="none", horizon_h=12)
    assert rows(ask(station=CODE, horizon_h=12), "peaks")[0]["rain_ahead_mm"] == 0  # no run yet
    for number, depth in enumerate((2.0, 5.0)):
        times = [(ISSUE + timedelta(hours=hour)).isoformat() for hour in range(1 + 3 * number, 10)]
        pd.DataFrame({"stcd": GAUGE, "time": times, "drp": depth}).to_csv(tmp_path / f"{number}.csv", index=False)
        load(store, tmp_path / f"{number}.csv", "rain_forecast")
    told = ask(station=CODE, horizon_h=12)
    assert [row["rain_mm"] for row in rows(told, "stage")[-12:]] == [2.0] * 3 + [5.0] * 6 + [0.0] * 3
    assert "rain_forecast" in {source["layer"] for source in told["sources"]}
    wet_end, dry_end = (rows(one, "discharge")[-1]["q_forecast"] for one in (told, dry))
    assert wet_end > dry_end
    assert "rain_forecast" not in {source["layer"] for source in dry["sources"]}


def test_what_comes_after_the_issue_is_not_looked_at(store: Database, tmp_path: Path) -> None:
    _read(store, tmp_path)
    early = (ISSUE - timedelta(hours=20)).isoformat()
    before = ask(station=CODE, issue=early, rain_from="none")
    pd.DataFrame([{"stcd": CODE, "time": (ISSUE - timedelta(hours=19)).isoformat(), "z": 36.5},
                  {"stcd": GAUGE, "time": (ISSUE - timedelta(hours=19)).isoformat(), "drp": 99.0}]).to_csv(
        tmp_path / "late.csv", index=False)  # fmt: skip
    load(store, tmp_path / "late.csv", "hydro_observations")
    after = ask(station=CODE, issue=early, rain_from="none")
    assert after["tables"] == before["tables"]


def test_on_another_datum_no_stage_is_told_and_a_missing_station_upstream_is_named(
    store: Database, tmp_path: Path
) -> None:
    _read(store, tmp_path)
    _stations(store, tmp_path, "废黄河口")
    answer = ask(station=CODE, rain=AHEAD)
    (peak,) = rows(answer, "peaks")
    assert peak["z_peak"] is None
    assert peak["q_peak"] > 0
    assert "废黄河口" in peak["notes"]["zh"]
    assert {row["state"]["en"] for row in rows(answer, "levels")} <= {"Not rateable", "Reached already"}
    with pytest.raises(BadInput, match="none of the stations"):
        ask(station="31151200")
    lower = pd.DataFrame(
        {"stcd": ["31150300", GAUGE], "stnm": ["聊城", "莘县"], "lon": [115.9, 115.7], "lat": [36.4, 36.2]}
    )
    lower.to_csv(tmp_path / "lower.csv", index=False)
    load(store, tmp_path / "lower.csv", "hydro_stations")
    (peak,) = rows(ask(station="31150300", rain=AHEAD), "peaks")
    assert "31150200" in peak["notes"]["en"]
    assert "nothing corrects the forecast" in peak["notes"]["en"]
    assert (peak["q_now"], peak["z_now"]) == (None, None)


@pytest.mark.parametrize(("inputs", "words"), [
    ({"station": "X1"}, "no declared forecast"), ({"rain": [-1]}, "between 0 and 500"), ({"rain": []}, "rain"),
    ({"rain": [1], "storm": {"lon": 116, "lat": 36, "peak_mm_h": 9, "duration_h": 3, "radius_km": 9}}, "either"),
    ({"horizon_h": 0}, "horizon_h"), ({"rain_from": "x"}, "rain_from"), ({}, "no readings yet"),
])  # fmt: skip
def test_what_cannot_be_asked_is_refused(store: Database, inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        ask(**inputs)


def _hindcasts(conn: Any, hours_before: range, horizon: int) -> Iterator[tuple[Forecast, Run, Floats]]:
    """Forecasts of the sample at past issues with the rain that then came, and what the station read."""
    city = catalog.default()
    source = Source(conn, city, Moment())
    newest = source.newest("z", "q", "drp")
    assert newest is not None

    def came(gauges: Sequence[Station], ends: Any) -> Floats:
        return source.steps("drp", [gauge.code for gauge in gauges], ends, summed=True)

    for before in hours_before:
        run = chain.run_of(newest - timedelta(hours=before), horizon, city.city.timezone)
        for one in chain.forecasts(source, city.forecasts, run, city.forecasts.order(), came):
            yield one, run, source.steps("q", [one.station.code], run.hours.ends, summed=False)[:, 0]


def test_past_storms_of_the_sample_are_forecast(sample_store: Database) -> None:
    """Twelve hours ahead over five days: near what came, and better by far than that nothing changes."""
    pairs: dict[str, list[tuple[float, float, float]]] = {}
    with sample_store.thread_session() as conn:
        for one, run, seen in _hindcasts(conn, range(120, 11, -4), 12):
            values = float(seen[-1]), float(one.flow[-1]), float(one.flow[run.now])
            pairs.setdefault(one.station.code, []).append(values)
    assert set(pairs) == set(catalog.default().forecasts.stations)
    for code, each in pairs.items():
        seen, told, before = np.array(each).T
        assert (~np.isnan(seen)).sum() > 15
        nse = float(scores.nash_sutcliffe(seen, told))
        assert nse > 0.9, code
        assert nse > 0.3 + float(scores.nash_sutcliffe(seen, before)), code


def test_all_stations_in_all_forms(sample_store: Database) -> None:
    whole = ask()
    declared = set(catalog.default().forecasts.stations)
    assert (
        {row["station"] for row in rows(whole, "stage")} == declared == {row["station"] for row in rows(whole, "peaks")}
    )
    assert whole["label"]["zh"] == "生成的样例数据"
    one = ask(station="31150300", storm={"lon": 115.9, "lat": 36.3, "peak_mm_h": 40, "duration_h": 8, "radius_km": 30})
    assert one["tables"]["stage"]["chart"]["columns"] == ["rain_mm"]
    assert {"z_observed", "z_forecast", "wrz"} <= set(one["tables"]["stage"]["chart"]["lines"])
    assert "chart" not in whole["tables"]["stage"]
    for name, form in WaterForecast.renderings.items():
        for language in ("zh", "en"):
            assert len(form.write(one, language)) > 2000, name


def test_an_invented_storm_raises_rivers_in_a_rehearsal(sample_store: Database, sample_city: SampleCity) -> None:
    """The rehearsal has the stages of the same chain: its warnings of stages are those of the forecast."""
    newest = pd.to_datetime(read(sample_city.files, "hydro_observations")["time"]).max()
    storm = {"lon": 115.9, "lat": 36.3, "peak_mm_h": 40, "duration_h": 8, "radius_km": 30}
    told = ask(storm=storm, horizon_h=48)
    ahead = [(row["subject"], row["level_code"]) for row in rows(told, "warnings")
             if row["rule_code"] == "flood_stage" and row["change"]["en"] in ("Issue", "Raise")]  # fmt: skip
    rehearsal = Rehearsal({"name": "x"})
    end = newest + timedelta(hours=48)
    asked = rehearsal.checked({"start": newest.isoformat(), "end": end.isoformat(), "storm": storm})
    found = [(one["subject"], one["level"]) for one in rehearsal.answer(asked)["events"]
             if one["rule"] == "flood_stage" and one["change"] in ("issue", "raise")]  # fmt: skip
    assert _gravest(ahead) == _gravest(found)
    assert set(_gravest(found)) >= set(catalog.default().forecasts.stations)
    assert "red" in _gravest(found).values()


def _gravest(told: list[tuple[str, str]]) -> dict[str, str]:
    ranked = sorted(told, key=lambda one: LEVELS.index(one[1]))
    return dict(ranked)
