"""Tables of the real-time rain and water database (SL 323): sheets of a workbook, files of a folder, a database.

Which columns feed which parameter is said by the layer; here is what is peculiar to the standard: that several tables
make one delivery, that facts of a station lie in several tables, and that rain has its period beside it, written HH.MM
(1.30 is an hour and a half).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from shikong.ingest.errors import EmptySource, SourceAway, UnreadableSource
from shikong.ingest.readers import excel, table

#: Tables with a time (`TM`): what was observed.
_OBSERVED = re.compile(r"^ST_\w+_R$", re.IGNORECASE)

#: The table of stations, and those that hold levels of some of them.
STATIONS = "ST_STBPRP_B"
_LEVELS = ("ST_RVFCCH_B", "ST_RSVRFCCH_B", "ST_RSVRFSR_B")

#: Which parameter rain over a period is, by its minutes; named as SL 651 names its elements.
_RAIN = {5: "pn05", 10: "pn10", 30: "pn30", 60: "drp", 120: "p2", 180: "p3", 360: "p6", 720: "p12", 1440: "dyp"}

#: Dialects of databases that are read, and what speaks them where that has to be installed first.
_DRIVERS = {
    "postgresql": "psycopg", "kingbase": "psycopg", "sqlite": "pysqlite", "mssql": "pymssql", "mysql": "pymysql",
    "mariadb": "pymysql", "oracle": "oracledb", "dm": "dmPython",
}  # fmt: skip

Frames = Iterator[tuple[str, pd.DataFrame]]


def is_database(text: str) -> bool:
    """Whether a source is the address of a database: mssql://user@host/name, sqlite:///path, and so on."""
    return "://" in text and text.split("://", maxsplit=1)[0].split("+", maxsplit=1)[0] in _DRIVERS and "#" not in text


def observed(path: Path) -> Frames | None:
    """The tables of observations in a workbook or a folder; None if it is no such delivery."""
    found = _tables(path)
    names = [name for name in found if _OBSERVED.match(name)]
    return ((name, found[name]()) for name in names) if names else None


def stations(path: Path) -> pd.DataFrame | None:
    """The stations in a workbook or a folder with the levels of theirs; None if there are none."""
    found = _tables(path)
    if STATIONS not in found:
        return None
    return _with_levels(found[STATIONS](), [found[name]() for name in _LEVELS if name in found])


def observed_in(address: str) -> Frames:
    """The tables of observations of a database, month by month. Raises SourceAway, UnreadableSource, EmptySource."""
    with _connected(address) as (conn, tables):
        names = [name for name in tables if _OBSERVED.match(name)]
        if not names:
            raise EmptySource(f"{label(address)} has no table like ST_RIVER_R; it has: {', '.join(tables) or 'none'}")
        for name in sorted(names):
            yield from ((name, part) for part in _by_month(conn, tables[name]))


def stations_in(address: str) -> pd.DataFrame:
    """The stations of a database with the levels of theirs. Raises SourceAway, UnreadableSource, EmptySource."""
    with _connected(address) as (conn, tables):
        if STATIONS not in tables:
            raise EmptySource(f"{label(address)} has no table {STATIONS}; it has: {', '.join(tables) or 'none'}")
        levels = [pd.read_sql(sa.select(tables[name]), conn) for name in _LEVELS if name in tables]
        return _with_levels(pd.read_sql(sa.select(tables[STATIONS]), conn), levels)


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


def _with_levels(frame: pd.DataFrame, others: list[pd.DataFrame]) -> pd.DataFrame:
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


@contextmanager
def _connected(address: str) -> Iterator[tuple[sa.Connection, dict[str, sa.Table]]]:
    """A connection to a database, and its tables by their names in capitals."""
    engine = _engine(address)
    try:
        with engine.connect() as conn:
            found, meta = sa.inspect(conn), sa.MetaData()
            names = [
                name for name in found.get_table_names() + found.get_view_names() if name.upper().startswith("ST_")
            ]
            yield conn, {name.upper(): sa.Table(name, meta, autoload_with=conn) for name in names}
    except sa.exc.OperationalError as error:
        raise SourceAway(f"{label(address)} cannot be reached or has gone: {error.orig}") from error
    except sa.exc.SQLAlchemyError as error:
        raise UnreadableSource(f"{label(address)} cannot be read: {error}") from error
    finally:
        engine.dispose()


def _engine(address: str) -> sa.Engine:
    scheme, _, rest = address.partition("://")
    dialect, _, driver = scheme.partition("+")
    driver = driver or _DRIVERS[dialect]
    spoken = "postgresql" if dialect == "kingbase" else dialect
    try:
        return sa.create_engine(f"{spoken}+{driver}://{rest}")
    except ModuleNotFoundError as error:
        raise UnreadableSource(f"{dialect} is read by the package {driver}, which is not installed") from error
    except sa.exc.ArgumentError as error:
        raise UnreadableSource("write the address as dialect://user@host:port/database") from error


def _by_month(conn: sa.Connection, source: sa.Table) -> Iterator[pd.DataFrame]:
    """A table's rows in the order of time, a month at a time.

    Months are half-open ranges of time: conditions on parts of a date keep a database from using its partitions.
    """
    columns = {column.name.upper(): column for column in source.columns}
    if "TM" not in columns:
        raise UnreadableSource(f"{source.name} has no column TM; it has: {', '.join(columns)}")
    time = columns["TM"]
    first, last = conn.execute(sa.select(sa.func.min(time), sa.func.max(time))).one()
    if first is None:
        return
    begin = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while begin <= last:
        end = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
        part = pd.read_sql(sa.select(source).where(time >= begin, time < end).order_by(time), conn)
        if not part.empty:
            yield part
        begin = end


def label(address: str) -> str:
    """An address without user and password."""
    url = sa.make_url(address)
    return f"{url.database} @ {url.host or url.get_backend_name()}"
