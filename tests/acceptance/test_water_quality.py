"""The process that rates water over HTTP, against the file that was loaded.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from shikong.hydrology import water_quality

PATH = "/processes/water-quality/execution"


def test_stations_are_rated_by_the_means_of_their_last_days(client: Any, sample_city: Any) -> None:
    answer = client.post(PATH, {"inputs": {"days": 7}})
    assert answer.status == 200
    rows = {row["station"]: row for row in answer.json["tables"]["stations"]["rows"]}
    frame = pd.read_csv(sample_city.files / "water_quality.csv", dtype={"stcd": str})
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    assert set(rows) == set(frame["stcd"])
    titles = {"I": "Ⅰ类", "II": "Ⅱ类", "III": "Ⅲ类", "IV": "Ⅳ类", "V": "Ⅴ类", "V-": "劣Ⅴ类"}
    for code, own in frame.groupby("stcd"):
        last = own[own["time"] > own["time"].max() - pd.Timedelta("7D")]
        means = last.drop(columns=["stcd", "time", "origin"]).mean().to_dict()
        body = "lake" if rows[str(code)]["body"]["en"].startswith("Lake") else "river"
        expected = water_quality.rate(means, body)  # type: ignore[arg-type]
        assert expected is not None
        assert rows[str(code)]["class"]["zh"] == titles[expected.grade]
    assert answer.json["label"]["zh"]  # a sample is called one
    assert len({row["class"]["zh"] for row in rows.values()}) > 1
    assert client.post(PATH, {"inputs": {"station": "none"}}).status == 400
