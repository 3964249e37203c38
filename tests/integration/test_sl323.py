"""Deliveries after SL 323: workbooks, folders and databases, with the standard's traps.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from psycopg import sql

from shikong.ingest.errors import EmptySource, SourceAway, UnreadableSource
from shikong.store.database import Database
from support.loads import dsn_of, load

# Codes are padded to eight characters; levels of some stations only; flood limits by season.
STATIONS = pd.DataFrame({
    "STCD": ["31100500", "31100600 ", "311007  "], "STNM": ["聊城", "冠县", "谭庄水库"], "LGTD": [115.98, 115.44, 115.89],
    "LTTD": [36.45, 36.49, 36.30], "STTP": ["ZQ", "PP", "RR"], "DTMNM": ["1985国家高程基准", None, "1985国家高程基准"],
    "ADDVCD": ["371502", "371525", "371502"],
})  # fmt: skip
LEVELS = pd.DataFrame({"STCD": ["31100500"], "WRZ": [32.5], "GRZ": [33.8], "OBHTZ": [34.1]})
LIMITS = pd.DataFrame({"STCD": ["311007", "311007"], "BGMD": ["0621", "0821"], "FSLTDZ": [30.0, 31.5]})
CAPACITIES = pd.DataFrame({"STCD": ["311007"], "NORMZ": [32.0], "TTCP": [86.0]})
RIVER = pd.DataFrame({
    "STCD": ["31100500"] * 3, "TM": ["2026-07-01 08:00", "2026-07-01 09:00", "2026-07-01 10:00"],
    "Z": [31.2, 31.4, None], "Q": [18.0, None, 22.5], "WPTN": ["5", "5", "6"],
})  # fmt: skip
# 1.00 is an hour, 0.05 five minutes, 0.30 half an hour, 24.00 a day; 4.15 is no period that is kept.
RAIN = pd.DataFrame({
    "STCD": ["31100600"] * 6, "TM": [f"2026-07-01 {hour:02}:00" for hour in (8, 9, 10, 11, 12, 13)],
    "DRP": [3.5, 0.4, 2.0, 60.5, 7.0, 1.5], "INTV": [1.00, 0.05, 0.30, 24.00, 4.15, None],
    "DYP": [41.0, None, None, None, None, None],
})  # fmt: skip
RESERVOIR = pd.DataFrame({
    "STCD": ["311007"], "TM": ["1988-07-01 08:00"], "RZ": [29.4], "W": [41.2], "INQ": [12.0], "OTQ": [8.5]
})  # fmt: skip
TABLES = {
    "ST_STBPRP_B": STATIONS, "ST_RVFCCH_B": LEVELS, "ST_RSVRFSR_B": LIMITS, "ST_RSVRFCCH_B": CAPACITIES,
    "ST_RIVER_R": RIVER, "ST_PPTN_R": RAIN, "ST_RSVR_R": RESERVOIR,
}  # fmt: skip

#: Beijing time is eight hours ahead all year round: hydrological records had no summer time in 1988.
EXPECTED = sorted([
    ("31100500", "z", datetime(2026, 7, 1, 0, tzinfo=UTC), 31.2), ("31100500", "z", datetime(2026, 7, 1, 1, tzinfo=UTC), 31.4),
    ("31100500", "q", datetime(2026, 7, 1, 0, tzinfo=UTC), 18.0), ("31100500", "q", datetime(2026, 7, 1, 2, tzinfo=UTC), 22.5),
    ("31100600", "drp", datetime(2026, 7, 1, 0, tzinfo=UTC), 3.5), ("31100600", "pn05", datetime(2026, 7, 1, 1, tzinfo=UTC), 0.4),
    ("31100600", "pn30", datetime(2026, 7, 1, 2, tzinfo=UTC), 2.0), ("31100600", "dyp", datetime(2026, 7, 1, 0, tzinfo=UTC), 41.0),
    ("31100600", "dyp", datetime(2026, 7, 1, 3, tzinfo=UTC), 60.5), ("31100600", "drp", datetime(2026, 7, 1, 5, tzinfo=UTC), 1.5),
    ("311007", "rz", datetime(1988, 7, 1, 0, tzinfo=UTC), 29.4), ("311007", "w", datetime(1988, 7, 1, 0, tzinfo=UTC), 41.2),
    ("311007", "inq", datetime(1988, 7, 1, 0, tzinfo=UTC), 12.0), ("311007", "otq", datetime(1988, 7, 1, 0, tzinfo=UTC), 8.5),
])  # fmt: skip


def _workbook(folder: Path) -> Path:
    path = folder / "水情.xlsx"
    with pd.ExcelWriter(path) as writer:
        for name, frame in TABLES.items():
            frame.to_excel(writer, sheet_name=name, index=False)
    return path


def _folder(folder: Path) -> Path:
    path = folder / "水情"
    path.mkdir()
    for name, frame in TABLES.items():
        frame.to_csv(path / f"{name}.csv", index=False, encoding="gb18030")
    return path


def _sqlite(folder: Path) -> str:
    path = folder / "water.db"
    with sqlite3.connect(path) as conn:
        for name, frame in TABLES.items():
            columns = ", ".join(f"{column} {'datetime' if column == 'TM' else ''}" for column in frame.columns)
            conn.execute(f"CREATE TABLE {name} ({columns})")
            marks = ", ".join("?" * len(frame.columns))
            rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False)
            conn.executemany(f"INSERT INTO {name} VALUES ({marks})", [
                tuple(f"{value}:00.000000" if name == "TM" else value for name, value in zip(frame.columns, row, strict=True))
                for row in rows
            ])  # fmt: skip
    return f"sqlite:///{path}"


def _stored(store: Database) -> list[tuple[Any, ...]]:
    query = sql.SQL(
        "SELECT station, parameter, time, value FROM data.hydro_observations AS o"
        " JOIN data.hydro_observations__series AS s ON s.id = o.series"
    )
    return sorted((*row[:2], row[2].astimezone(UTC), row[3]) for row in store.thread_fetch(query))


@pytest.mark.parametrize("deliver", [_workbook, _folder, _sqlite])
def test_a_delivery_is_read_whole_whatever_it_comes_in(
    empty_store: Database, tmp_path: Path, deliver: Callable[[Path], Path | str]
) -> None:
    source = deliver(tmp_path)
    stations = load(empty_store, source, "hydro_stations")
    assert (stations.counts.stored, stations.counts.quarantined) == (3, 0)
    query = sql.SQL("SELECT stcd, xzqdm, wrz, grz, obhtz, normz, fsltdz FROM data.hydro_stations ORDER BY stcd")
    assert empty_store.thread_fetch(query) == [
        ("31100500", "371502", 32.5, 33.8, 34.1, None, None),
        ("31100600", "371525", None, None, None, None, None),
        ("311007", "371502", None, None, None, 32.0, None),  # two limits by season: none of them is the limit
    ]
    report = load(empty_store, source, "hydro_observations")
    assert _stored(empty_store) == EXPECTED
    assert [(f.rule, f.field, f.value) for f in report.findings] == [("unknown_interval", "drp", "4.15")]
    again = load(empty_store, source, "hydro_observations")
    assert (again.counts.added, again.counts.changed) == (0, 0)


def test_a_postgresql_database_is_read_as_it_is(empty_store: Database, tmp_path: Path) -> None:
    dsn = dsn_of(empty_store)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE st_river_r (stcd char(8), tm timestamp, z numeric(7, 3), q numeric(9, 3))")
        for row in RIVER.astype(object).where(RIVER.notna(), None).itertuples(index=False):
            conn.execute("INSERT INTO st_river_r VALUES (%s, %s, %s, %s)", tuple(row)[:4])
        known = conn.info
        address = f"postgresql://{known.user}@/{known.dbname}?host={known.host}"
    load(empty_store, address, "hydro_observations")
    assert _stored(empty_store) == [row for row in EXPECTED if row[0] == "31100500"]


def test_what_is_wrong_with_a_database_is_told_without_its_password(empty_store: Database, tmp_path: Path) -> None:
    with pytest.raises(EmptySource, match="no table like ST_RIVER_R; it has: none"):
        load(empty_store, f"sqlite:///{tmp_path / 'empty.db'}", "hydro_observations")
    with pytest.raises(SourceAway) as away:
        load(empty_store, "postgresql://reader:secret@127.0.0.1:1/water", "hydro_observations")
    assert "secret" not in str(away.value)
    with pytest.raises(UnreadableSource, match="pymssql, which is not installed"):
        load(empty_store, "mssql://reader@127.0.0.1/water", "hydro_observations")
