"""Observations from spreadsheets and lists, written by GDAL and pandas, are those from text.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyogrio
import pytest
from psycopg import sql

from shikong.ingest.errors import IngestError, UnreadableSource
from shikong.store.database import Database
from support.loads import load

LAYER = "hydro_observations"
VALUES = sql.SQL(
    "SELECT station, parameter, time, value FROM data.hydro_observations AS o"
    " JOIN data.hydro_observations__series AS s ON s.id = o.series ORDER BY 1, 2, 3"
)


def _frame() -> pd.DataFrame:
    times = pd.date_range("2026-07-01 08:00", periods=6, freq="h").tolist() * 2
    return pd.DataFrame({
        "测站编码": [31100500] * 6 + [31100600] * 6, "时间": times, "stage": [31.5 + n / 8 for n in range(12)],
        "rain": [0.5, None, 0.0, None, 2.5, 1.0] * 2,
    })  # fmt: skip


def _write(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".json":
        frame.to_json(path, orient="records", date_format="iso", force_ascii=False)
    else:
        pyogrio.write_dataframe(frame, path, driver=path.suffix[1:].upper(), layer="观测")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".json"])
def test_observations_are_the_same_from_every_kind_of_table(empty_store: Database, tmp_path: Path, suffix: str) -> None:
    frame = _frame()
    report = load(empty_store, _write(frame, tmp_path / f"o{suffix}"), LAYER)
    expected = [
        (str(row.测站编码), parameter, row.时间.tz_localize("Asia/Shanghai"), value)
        for row in frame.itertuples()
        for parameter, value in (("drp", row.rain), ("z", row.stage))
        if not pd.isna(value)
    ]
    assert (report.counts.read, report.counts.added, report.findings) == (20, 20, [])
    assert empty_store.thread_fetch(VALUES) == sorted(expected)


def test_what_a_spreadsheet_has_that_is_no_observation_is_told(empty_store: Database, tmp_path: Path) -> None:
    frame = _frame().astype({"时间": object, "stage": object, "测站编码": object}).iloc[:5]
    frame["时间"] = [str(time) for time in frame["时间"]]
    frame.loc[1, "测站编码"], frame.loc[2, "stage"] = None, "满"
    path = _write(frame.astype({"测站编码": str}).replace({"测站编码": {"None": None}}), tmp_path / "o.xlsx")
    report = load(empty_store, path, LAYER)
    assert sorted((f.source_row, f.rule, f.field, f.value) for f in report.findings) == [
        (2, "required", "station", None), (3, "not_a_number", "z", "满"),
    ]  # fmt: skip
    numbers = _frame().assign(时间=[46204.5 + n for n in range(12)])
    with pytest.raises(IngestError, match="no observation"):
        load(empty_store, _write(numbers, tmp_path / "n.xlsx"), LAYER)


def test_a_workbook_with_several_sheets_wants_one_named(empty_store: Database, tmp_path: Path) -> None:
    path: Any = tmp_path / "o.xlsx"
    for name, append in (("一月", False), ("二月", True)):
        pyogrio.write_dataframe(_frame(), path, driver="XLSX", layer=name, append=append)
    with pytest.raises(UnreadableSource, match="several sheets; choose one with --source-layer: 一月, 二月"):
        load(empty_store, path, LAYER)
    assert load(empty_store, path, LAYER, source_layer="二月").counts.added == 20
