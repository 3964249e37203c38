"""Questions of hydrology over HTTP, against pandas, numpy and scipy over the files of the sample city.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import csv
import io
from typing import Any
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from pyproj import Transformer
from scipy.interpolate import PchipInterpolator
from scipy.stats import pearson3

from shikong.hydrology.series import spi
from shikong.layers import catalog
from support.sample_files import read

GAUGE, RESERVOIR = "31158700", "31156100"
TO_PLANE = Transformer.from_crs(4490, 4548, always_xy=True)
PROCESSES = ("areal-rainfall", "rain-frequency", "drought-index", "runoff", "reservoir-room", "water-balance")


def ask(client: Any, process: str, **inputs: Any) -> Any:
    answer = client.post(f"/processes/{process}/execution", {"inputs": inputs})
    assert answer.status == 200, answer.text
    return answer.json


@pytest.fixture(scope="module")
def observed(sample_city: Any) -> pd.DataFrame:
    """Hourly readings, by hour (Beijing time) and station in each column."""
    frame = read(sample_city.files, "hydro_observations")
    return frame.assign(time=pd.to_datetime(frame["time"])).set_index("time")


def pivot(observed: pd.DataFrame, parameter: str) -> pd.DataFrame:
    """A parameter's readings (t, n), of the stations that have any."""
    table = observed.dropna(subset=[parameter]).pivot(columns="stcd", values=parameter)
    return table.reindex(pd.date_range(table.index[0], table.index[-1], freq="h"))


@pytest.fixture(scope="module")
def daily(sample_city: Any) -> pd.Series:
    """The daily record of the gauge, by the day on which each hydrologic day begins."""
    frame = read(sample_city.files, "hydro_records")
    frame = frame[frame["stcd"] == GAUGE]
    begins = pd.to_datetime(frame["time"]).dt.tz_localize(None).dt.normalize() - pd.Timedelta(days=1)
    days = pd.Series(frame["dyp"].to_numpy(), pd.DatetimeIndex(begins))
    return days.reindex(pd.date_range(days.index[0], days.index[-1], freq="D"))


def nearest_gauge(sample_city: Any, codes: list[str], shape: Any) -> tuple[np.ndarray, np.ndarray]:
    """Points of a fine grid inside a shape, as which of the gauges is the nearest to each by distance order (m, n)."""
    stations = read(sample_city.files, "hydro_stations").set_index("stcd").loc[codes]
    places = np.column_stack(TO_PLANE.transform(stations["lon"], stations["lat"]))
    plane = shapely.transform(shape, lambda xy: np.column_stack(TO_PLANE.transform(*xy.T)))
    west, south, east, north = plane.bounds
    grid = np.column_stack(
        [axis.ravel() for axis in np.meshgrid(np.linspace(west, east, 260), np.linspace(south, north, 260))]
    )
    points = grid[shapely.contains_xy(plane, grid)]
    return np.linalg.norm(points[:, None] - places[None], axis=2), places


@pytest.fixture(scope="module")
def county(sample_city: Any) -> Any:
    districts = gpd.read_file(sample_city.files / "districts.gpkg").to_crs(4490)
    return districts[districts["xzqdm"] == "371502"].geometry.iloc[0]


def test_thiessen_rain_is_that_of_the_nearest_gauges_hour_by_hour(
    client: Any, sample_city: Any, observed: pd.DataFrame, county: Any
) -> None:
    rain = pivot(observed, "drp")
    asked = {"district": "371502", "start": rain.index[40].isoformat(), "end": rain.index[-1].isoformat()}
    table = ask(client, "areal-rainfall", **asked)["tables"]["areal_rain"]
    rain = rain.iloc[41:]
    apart, _ = nearest_gauge(sample_city, list(rain.columns), county)
    assert [pd.Timestamp(row["time"]) for row in table["rows"]] == list(rain.index)
    for row, values in zip(table["rows"], rain.to_numpy(), strict=True):
        there = ~np.isnan(values)
        near = np.flatnonzero(there)[apart[:, there].argmin(axis=1)]
        assert row["rain_mm"] == pytest.approx(values[near].mean(), abs=0.15, rel=0.02)
        assert row["gauges"] == there.sum()
        assert bool(row["missing"]) == (not there.all())
    assert table["totals"][0]["rain_mm"] == pytest.approx(sum(row["rain_mm"] for row in table["rows"]), abs=0.01)


def test_basins_are_drawn_and_gauges_told_with_weights_and_gaps(
    client: Any, sample_city: Any, observed: pd.DataFrame
) -> None:
    basin = shapely.box(115.8, 36.2, 116.2, 36.6)
    answer = ask(client, "areal-rainfall", basin=shapely.geometry.mapping(basin), weights=True, isolines=True)
    gauges = {row["station"]: row for row in answer["tables"]["gauges"]["rows"]}
    assert sum(row["weight_pct"] for row in gauges.values()) == pytest.approx(100, abs=0.1)
    rain = pivot(observed, "drp")
    rain = rain[rain.index > rain.index[-1] - pd.Timedelta(days=7)]
    for code, row in gauges.items():
        assert row["missing_h"] == rain[code].isna().sum()
        assert row["gauge_mm"] == (None if row["missing_h"] else pytest.approx(rain[code].sum(), abs=0.06))
    weights = pd.DataFrame(answer["tables"]["weights"]["rows"])
    sums = weights.groupby(["hours", weights["missing"].fillna("")])["weight_pct"].sum()
    assert (sums.round(0) % 100 == 0).all()
    assert set(weights["station"]) == {
        code for code, row in gauges.items() if row["weight_pct"] or code in set(weights["station"])
    }
    lines = answer["isolines"]["features"]
    assert lines
    assert all(shapely.within(shapely.geometry.shape(line["geometry"]), basin.buffer(1e-3)) for line in lines)
    assert answer["label"] == catalog.default().codes["data_origin"].codes["generated"].title.model_dump()
    assert {source["layer"] for source in answer["sources"]} == {"hydro_observations", "hydro_stations", "districts"}


def test_hydrologic_days_run_from_eight_to_eight_and_add_up(client: Any) -> None:
    for method in ("thiessen", "idw", "kriging"):
        whole = ask(client, "areal-rainfall", method=method, step="day")["tables"]["areal_rain"]["rows"]
        hours = ask(client, "areal-rainfall", method=method)["tables"]["areal_rain"]["rows"]
        for row in whole:
            end = pd.Timestamp(row["time"])
            assert end.isoformat()[11:] == "08:00:00+08:00"
            assert row["day"] == str((end - pd.Timedelta(days=1)).date())
            inside = [
                hour["rain_mm"] for hour in hours if end - pd.Timedelta(days=1) < pd.Timestamp(hour["time"]) <= end
            ]
            assert len(inside) == 24
            assert row["rain_mm"] == pytest.approx(sum(inside), abs=0.01)


def test_as_of_before_the_load_there_is_no_rain(client: Any) -> None:
    answer = client.post("/processes/areal-rainfall/execution", {"inputs": {"asOf": "2001-01-01"}})
    assert answer.status == 400


def annual(daily: pd.Series, days: int = 1) -> pd.Series:
    """The greatest sums of some days of each complete year."""
    whole = daily[:"2025"].groupby(daily[:"2025"].index.year).apply(lambda year: year.notna().all())
    sums = daily.fillna(0).rolling(days).sum().shift(1 - days)
    found = sums.groupby(sums.index.year).max()
    return found[found.index.isin(whole[whole].index)]


@pytest.mark.parametrize("days", [1, 3])
def test_annual_maxima_are_those_of_the_file_and_incomplete_years_are_named(
    client: Any, daily: pd.Series, days: int
) -> None:
    tables = ask(client, "rain-frequency", station=GAUGE, days=days, to_year=2025)["tables"]
    expected = annual(daily, days).sort_values(ascending=False)
    told = tables["maxima"]["rows"]
    assert [row["maximum_mm"] for row in told] == pytest.approx(expected.tolist(), abs=0.06)
    assert {int(row["year"]) for row in told} == set(expected.index)
    assert [row["empirical_pct"] for row in told] == pytest.approx(
        100 * np.arange(1, len(told) + 1) / (len(told) + 1), abs=1e-3
    )
    left_out = {int(row["year"]): row["missing_d"] for row in tables["left_out"]["rows"]}
    assert set(left_out) == set(range(1961, 2026)) - set(expected.index)
    assert left_out[1967] == daily["1967"].isna().sum() >= 62


def test_design_values_and_return_periods_are_those_of_scipy(client: Any) -> None:
    tables = ask(client, "rain-frequency", value=120, cs_cv=3.5)["tables"]
    (used,) = [row for row in tables["parameters"]["rows"] if row["used"]]
    assert used["cs_cv"] == pytest.approx(3.5)
    for row in tables["design"]["rows"]:
        expected = used["mean_mm"] * (1 + used["cv"] * pearson3.isf(1 / row["return_period"], used["cs"]))
        assert row["rain_mm"] == pytest.approx(expected, rel=2e-3)
    (asked,) = tables["asked"]["rows"]
    share = pearson3.sf((120 / used["mean_mm"] - 1) / used["cv"], used["cs"])
    assert asked["return_period"] == pytest.approx(1 / share, rel=5e-3)
    values = [row["maximum_mm"] for row in tables["maxima"]["rows"]]
    assert used["mean_mm"] == pytest.approx(np.mean(values), abs=0.01)


def test_storms_of_a_survey_are_ranked_with_the_record(client: Any) -> None:
    survey = [{"year": 1937, "value": 500}, {"year": 1871, "value": 190}]
    tables = ask(client, "rain-frequency", historic=survey, span_years=150)["tables"]
    first = tables["maxima"]["rows"][0]
    assert (first["year"], first["maximum_mm"], first["begins"]) == ("1937", 500, None)
    assert first["survey"]["en"] == "yes"
    assert first["empirical_pct"] == pytest.approx(100 / 151, abs=1e-3)
    assert len(tables["parameters"]["rows"]) == 2


def test_spi_is_that_of_the_file(client: Any, daily: pd.Series) -> None:
    tables = ask(client, "drought-index", station=GAUGE)["tables"]
    monthly = daily.groupby(daily.index.to_period("M")).agg(lambda days: days.sum(skipna=False))
    last = tables["index"]["rows"][-1]["month"]
    monthly = monthly[: last[:7]]
    assert len(tables["index"]["rows"]) == len(monthly)
    for scale in (1, 3, 6, 12):
        expected = spi.spi(monthly.to_numpy(dtype=float), scale)
        told = np.array([row[f"spi_{scale}"] for row in tables["index"]["rows"]], dtype=float)
        assert (np.isnan(told) == np.isnan(expected)).all()
        assert told[~np.isnan(told)] == pytest.approx(expected[~np.isnan(expected)], abs=0.0051)
        assert np.isnan(told[: scale - 1]).all()
    lost = [row for row in tables["index"]["rows"] if row["month"].startswith("1967-07")]
    assert lost[0]["rain_mm"] is None
    assert lost[0]["spi_1"] is None
    assert [row["scale"] for row in tables["latest"]["rows"]] == [1, 3, 6, 12]
    assert all((row["spi"] is None) == bool(row["reason"]) for row in tables["latest"]["rows"])


def test_a_flood_keeps_its_water_and_comes_later_below(client: Any) -> None:
    rain = [2, 8, 20, 31, 12, 5, 0, 1]
    answer = ask(client, "runoff", rain=rain, area=180, cn=80, concentration=8, base_flow=2,
                 reaches=[{"k": 5, "x": 0.2}, {"k": 12, "x": 0.3}])  # fmt: skip
    rows, summary = answer["tables"]["hydrograph"]["rows"], answer["tables"]["summary"]["rows"]
    value = {row["name"]["en"].partition(" (")[0]: row["value"] for row in summary}
    kept = 25400 / 80 - 254
    depth = (sum(rain) - 0.2 * kept) ** 2 / (sum(rain) + 0.8 * kept)
    assert value["Runoff"] == pytest.approx(depth, abs=1e-3)
    assert sum(row["excess_mm"] for row in rows) == pytest.approx(depth, abs=5e-3)
    for column in ("outlet", "routed"):
        volume = sum(row[column] - 2 for row in rows) * 3.6
        assert volume == pytest.approx(depth * 180, rel=0.01)
    peaks = [max(rows, key=lambda row: row[column])["time"] for column in ("outlet", "routed")]
    assert pd.Timestamp(peaks[1]) - pd.Timestamp(peaks[0]) > pd.Timedelta(hours=10)
    assert [row["parts"] for row in answer["tables"]["reaches"]["rows"]] == [2, 8]
    assert answer["label"] is None


def test_a_flood_of_the_gauges_is_that_of_their_thiessen_rain(client: Any, observed: pd.DataFrame) -> None:
    last = observed.index.max()
    asked = {"district": "371502", "start": (last - pd.Timedelta(hours=40)).isoformat(), "end": last.isoformat()}
    rain = [row["rain_mm"] for row in ask(client, "areal-rainfall", **asked)["tables"]["areal_rain"]["rows"]]
    flood = ask(client, "runoff", **asked, moisture="auto")
    rows = flood["tables"]["hydrograph"]["rows"]
    assert [row["rain_mm"] for row in rows[: len(rain)]] == pytest.approx(rain, abs=0.006)
    before = next(row for row in flood["tables"]["summary"]["rows"] if "five days" in row["name"]["en"])
    assert before["value"] >= 0
    assert flood["label"] is not None


def test_room_is_that_of_the_declared_curve(client: Any, observed: pd.DataFrame) -> None:
    declared = catalog.default().reservoirs.reservoirs[RESERVOIR]
    curve = PchipInterpolator(*zip(*declared.curve, strict=True))
    (row,) = ask(client, "reservoir-room")["tables"]["room"]["rows"]
    level = observed[observed["stcd"] == RESERVOIR].dropna(subset=["rz"])["rz"].iloc[-1]
    assert row["level_m"] == level
    assert row["storage"] == pytest.approx(float(curve(level)), abs=6e-4)
    assert row["room_normal"] == pytest.approx(float(curve(declared.normal_level) - curve(level)), abs=1e-3)
    assert (row["datum"], row["origin"]) == (declared.datum, "generated")
    for day, limit in (
        ("2026-06-20", None),
        ("2026-06-21", 35.5),
        ("2026-08-20", 35.5),
        ("2026-08-21", 36.2),
        ("2026-10-01", None),
    ):
        (row,) = ask(client, "reservoir-room", station=RESERVOIR, level=35.9, datetime=day)["tables"]["room"]["rows"]
        assert row["limit_m"] == limit
        room = None if limit is None else pytest.approx(float(curve(limit) - curve(35.9)), abs=1e-3)
        assert row["room_limit"] == room
        assert (row["reason"] is None) == (limit is not None)


def test_an_inflow_fills_the_reservoir_by_its_volume(client: Any) -> None:
    inflow = [5, 40, 80, 60, 20, 10]
    answer = ask(
        client,
        "reservoir-room",
        station=RESERVOIR,
        level=34,
        datetime="2026-07-01",
        inflow=inflow,
        release=6,
        curve=True,
    )
    rows = answer["tables"]["forecast"]["rows"]
    flows = np.array([inflow[0], *inflow])
    kept = ((flows[1:] + flows[:-1]) / 2 - 6).sum() * 0.0036
    assert rows[-1]["storage"] - answer["tables"]["room"]["rows"][0]["storage"] == pytest.approx(kept, abs=2e-3)
    storages = [row["storage"] for row in answer["tables"]["curve"]["rows"]]
    assert storages == sorted(storages)
    assert len(storages) == 101


def test_a_reservoirs_balance_adds_up_and_what_is_missing_is_said(client: Any, observed: pd.DataFrame) -> None:
    table = ask(client, "water-balance", reservoir=RESERVOIR, evaporation=3)["tables"]["balance"]
    mine = observed[observed["stcd"] == RESERVOIR]
    known = whole = 0
    for row in table["rows"]:
        parts = [row[name] for name in ("rain", "inflow", "evaporation", "outflow", "storage_change")]
        if None in parts:
            assert row["rest"] is None
            assert row["reason"]["zh"]
            continue
        known += 1
        rain, inflow, lost, outflow, change = parts
        assert rain + inflow == lost + outflow + change + row["rest"]
        begin = pd.Timestamp(f"{row['period']}T08:00:00+08:00")
        day = mine[["inq", "otq", "w"]].reindex(pd.date_range(begin, periods=25, freq="h"))
        bridged = day[["inq", "otq"]].interpolate(limit_area="inside")
        assert [inflow, outflow] == pytest.approx(3.6 * np.trapezoid(bridged, axis=0), abs=1)
        if day.isna().any(axis=None):
            continue
        whole += 1
        assert change == pytest.approx(1000 * (day["w"].iloc[-1] - day["w"].iloc[0]), abs=3)
        # The sample's storage changes by the flow at the end of each hour alone, and the balance takes the mean of both
        # ends: what is left is rain, evaporation, and half an hour of what the flows changed by.
        net = day["inq"] - day["otq"]
        assert row["rest"] == pytest.approx(rain - lost - 1.8 * (net.iloc[-1] - net.iloc[0]), abs=6)
    assert known >= 2
    assert whole
    total = table["totals"][0]
    for name in ("rain", "inflow", "outflow"):
        values = [row[name] for row in table["rows"]]
        assert total[name] == (None if None in values else sum(values))


def test_an_areas_unknown_parts_are_empty_and_never_nothing(client: Any) -> None:
    asked = {"district": "371502", "outlets": ["31150300"], "step": "whole"}
    (row,) = ask(client, "water-balance", **asked)["tables"]["balance"]["rows"]
    assert (row["inflow"], row["evaporation"], row["storage_change"], row["rest"]) == (None,) * 4
    assert "no inlets" in row["reason"]["en"]
    (row,) = ask(client, "water-balance", **asked, inlets=[], gap_hours=24)["tables"]["balance"]["rows"]
    assert row["inflow"] == 0
    if row["outflow"] is not None:
        assert row["coefficient"] == pytest.approx(row["outflow"] / row["rain"], abs=1e-3)


INPUTS = {
    "areal-rainfall": {"district": "371502"}, "rain-frequency": {"cs_cv": 3.5}, "drought-index": {"scales": [3, 12]},
    "runoff": {"rain": [5, 20, 9], "area": 50}, "reservoir-room": {}, "water-balance": {"reservoir": RESERVOIR},
}  # fmt: skip


@pytest.mark.parametrize("process", PROCESSES)
def test_answers_come_as_files_too(client: Any, process: str) -> None:
    path, body = f"/processes/{process}/execution", {"inputs": INPUTS[process]}
    answer = client.post(path, body).json
    table = next(iter(answer["tables"].values()))
    rows = list(csv.reader(io.StringIO(client.post(f"{path}?f=csv&lang=zh", body).content.decode("utf-8-sig"))))
    at = max(number for number, row in enumerate(rows) if row == [table["title"]["zh"]])
    assert len(rows[at + 2]) == len(table["columns"])
    book = openpyxl.load_workbook(io.BytesIO(client.post(f"{path}?f=xlsx", body).content))
    assert len(book.sheetnames) == len(answer["tables"]) + 2
    drawn = client.post(f"{path}?f=svg&lang=zh", body)
    assert drawn.headers["content-type"] == "image/svg+xml"
    words = " ".join(ET.fromstring(drawn.content).itertext())
    assert process == "runoff" or answer["label"]["zh"] in words
    page = client.post(f"{path}?f=html&lang=en-US", body).text
    assert table["title"]["en"] in page
    charts = sum("chart" in each for each in answer["tables"].values())
    assert page.count("data:image/svg+xml;base64,") == charts >= 1


def test_the_curve_is_drawn_on_hazen_paper(client: Any) -> None:
    body = {"inputs": {"cs_cv": 3.5}}
    answer = client.post("/processes/rain-frequency/execution", body).json
    words = list(
        ET.fromstring(client.post("/processes/rain-frequency/execution?f=svg&lang=zh", body).content).itertext()
    )
    told = " ".join(words)
    assert "频率 P (%)" in told
    assert {"0.01", "0.1", "1", "10", "50", "90", "99", "99.9"} <= {word.strip() for word in words}
    (used,) = [row for row in answer["tables"]["parameters"]["rows"] if row["used"]]
    assert f"Cv = {used['cv']:.2f}" in told
    page = client.post("/processes/rain-frequency/execution?f=html", body).text
    picture = base64.b64decode(page.partition("svg+xml;base64,")[2].partition('"')[0])
    ET.fromstring(picture)


@pytest.mark.parametrize(
    ("process", "inputs", "parameter", "words"),
    [
        ("areal-rainfall", {"district": "999999"}, "district", "371502"),
        ("areal-rainfall", {"district": "371502", "basin": {"type": "Point"}}, "district", "either"),
        ("areal-rainfall", {"basin": {"type": "Point", "coordinates": [116, 36]}}, "basin", ""),
        ("areal-rainfall", {"method": "guess"}, "method", "kriging"),
        ("areal-rainfall", {"start": "2026-01-02", "end": "2026-01-01"}, "start", "before"),
        ("areal-rainfall", {"start": "2020-01-01", "end": "2026-01-01"}, "start", "366"),
        ("areal-rainfall", {"start": "2001-01-01", "end": "2001-01-05"}, "start", "no gauge"),
        ("rain-frequency", {"station": "31150100"}, "station", GAUGE),
        ("rain-frequency", {"return_periods": [0.5]}, "return_periods", "above 1"),
        ("rain-frequency", {"cs_cv": 1}, "cs_cv", "2"),
        ("rain-frequency", {"from_year": 2020}, "station", "complete years"),
        ("rain-frequency", {"from_year": 2020, "to_year": 2010}, "to_year", "2020"),
        ("rain-frequency", {"historic": [{"year": 1937, "value": 400}]}, "span_years", "span"),
        ("rain-frequency", {"historic": [{"year": 1990, "value": 400}], "span_years": 200}, "historic", "1990"),
        ("rain-frequency", {"historic": [{"year": 1937, "value": 9}], "span_years": 200}, "historic", "no great rain"),
        ("rain-frequency", {"historic": [{"year": 1937}], "span_years": 200}, "historic.0.value", ""),
        ("drought-index", {"scales": [2]}, "scales", "24"),
        ("drought-index", {"reference_from": 2020}, "reference_to", "10 years"),
        ("runoff", {"rain": [5]}, "area", "basin"),
        ("runoff", {"rain": [-5], "area": 10}, "rain", "500"),
        ("runoff", {"rain": [5], "area": 10, "moisture": "auto"}, "moisture", "III"),
        ("runoff", {"rain": [5], "area": 10, "cn": 20}, "cn", "30"),
        ("runoff", {"rain": [5], "area": 10, "reaches": [{"k": 0.2, "x": 0.1}]}, "reaches", "reach 1"),
        ("reservoir-room", {"station": "31150100"}, "station", RESERVOIR),
        ("reservoir-room", {"level": 35}, "level", "station"),
        ("reservoir-room", {"level": 99, "station": RESERVOIR}, "level", "40"),
        ("reservoir-room", {"station": RESERVOIR, "level": 39, "inflow": [9000, 9000]}, "inflow", "ends at 40"),
        ("water-balance", {"outlets": [GAUGE]}, "outlets", "31150300"),
        ("water-balance", {"reservoir": "31150100"}, "reservoir", RESERVOIR),
        ("water-balance", {"reservoir": RESERVOIR, "district": "371502"}, "district", "one or the other"),
    ],
)
def test_wrong_inputs_are_named_with_what_is_allowed(
    client: Any, process: str, inputs: dict[str, Any], parameter: str, words: str
) -> None:
    answer = client.post(f"/processes/{process}/execution", {"inputs": inputs})
    assert (answer.status, answer.json["parameter"]) == (400, parameter), answer.text
    assert words in answer.text


@pytest.mark.parametrize("process", PROCESSES)
def test_processes_are_described_in_both_languages(client: Any, process: str) -> None:
    titles = []
    for language in ("zh-CN", "en-US"):
        told = client.get(f"/processes/{process}", f="json", lang=language).json
        titles.append(told["title"])
        assert all(each["title"] and each["schema"] for each in told["inputs"].values())
        kinds = {each["contentMediaType"] for each in told["outputs"]["answer"]["schema"]["oneOf"]}
        assert {"application/json", "image/svg+xml"} < kinds
    assert titles[0] != titles[1]
    assert client.get(f"/processes/{process}", f="html").status == 200
