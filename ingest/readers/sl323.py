"""Tables of the real-time rain and water database (SL 323): sheets of a workbook, files of a folder.

Which columns feed which parameter is said by the layer; here is what is peculiar to the standard: that several tables
make one delivery, that facts of a station lie in several tables, and that rain has its period beside it, written HH.MM
(1.30 is an hour and a half).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shikong.ingest.readers import excel, table

#: Names of tables with a time (`TM`): what was observed.
OBSERVED = re.compile(r"^ST_\w+_R$", re.IGNORECASE)

#: The table of stations, and those that hold levels of some of them.
STATIONS = "ST_STBPRP_B"
LEVELS = ("ST_RVFCCH_B", "ST_RSVRFCCH_B", "ST_RSVRFSR_B")

#: Which parameter rain over a period is, by its minutes; named as SL 651 names its elements.
_RAIN = {5: "pn05", 10: "pn10", 30: "pn30", 60: "drp", 120: "p2", 180: "p3", 360: "p6", 720: "p12", 1440: "dyp"}

#: Dialects of databases that are read (sl323_database), and what speaks them where that has to be installed first.
DRIVERS = {
    "postgresql": "psycopg", "kingbase": "psycopg", "sqlite": "pysqlite", "mssql": "pymssql", "mysql": "pymysql",
    "mariadb": "pymysql", "oracle": "oracledb", "dm": "dmPython",
}  # fmt: skip

Frames = Iterator[tuple[str, pd.DataFrame]]


def is_database(text: str) -> bool:
    """Whether a source is the address of a database: mssql://user@host/name, sqlite:///path, and so on."""
    return "://" in text and text.split("://", maxsplit=1)[0].split("+", maxsplit=1)[0] in DRIVERS and "#" not in text


def observed(path: Path) -> Frames | None:
    """The tables of observations in a workbook or a folder; None if it is no such delivery."""
    found = _tables(path)
    names = [name for name in found if OBSERVED.match(name)]
    return ((name, found[name]()) for name in names) if names else None


def stations(path: Path) -> pd.DataFrame | None:
    """The stations in a workbook or a folder with the levels of theirs; None if there are none."""
    found = _tables(path)
    if STATIONS not in found:
        return None
    return with_levels(found[STATIONS](), [found[name]() for name in LEVELS if name in found])


def rain_by_period(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series[Any] | None]:
    """A table whose rain (DRP) is told apart by its period (INTV): a column for each period that is known.

    Also which rows have a period that is not known, None where the table has no such rain. Rain without a period is
    that of an hour.
    """
    columns = {str(name).upper(): name for name in frame.columns}
    if "DRP" not in columns or "INTV" not in columns:
        return frame, None
    rain, period = frame[columns["DRP"]], pd.to_numeric(frame[columns["INTV"]], errors="coerce")
    hours = np.floor(period)
    minutes = (hours * 60 + ((period - hours) * 100).round()).where(period.notna(), 60)
    apart = frame.drop(columns=[columns["DRP"], columns["INTV"]])
    for length, name in _RAIN.items():
        which = minutes == length
        if which.any():
            own = rain.where(which)
            known = {str(column).lower(): column for column in apart.columns}.get(name)
            apart = apart.assign(**{known or name: own if known is None else apart[known].fillna(own)})
    filled = rain.notna() & (rain.astype(str).str.strip() != "")
    return apart, filled & ~minutes.isin(list(_RAIN))


def _tables(path: Path) -> dict[str, Callable[[], pd.DataFrame]]:
    """The tables of a delivery by their names; each is read when it is called for."""
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in table.SUFFIXES]
        return {file.stem.upper(): partial(table.read_frame, file) for file in files}
    if path.suffix.lower() in excel.SUFFIXES:
        names = excel.sheets(path)
        return {name.strip().upper(): partial(excel.read_frame, path, name) for name in names}
    return {}


def with_levels(frame: pd.DataFrame, others: list[pd.DataFrame]) -> pd.DataFrame:
    """Stations with what other tables say of them; not what has several rows of a station (flood limits by season)."""
    whole = _keyed(frame)
    for other in map(_keyed, others):
        new = [name for name in other.columns if name not in whole.columns or name == "STCD"]
        once = other[new][~other["STCD"].duplicated(keep=False)]
        whole = whole.merge(once, on="STCD", how="left")
    return whole


def _keyed(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with the standard's names of columns, and codes without the blanks that fixed width leaves."""
    named = frame.rename(columns=lambda name: str(name).strip().upper())
    return named.assign(STCD=named["STCD"].astype(str).str.strip())
