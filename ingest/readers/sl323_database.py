"""Tables of SL 323 in a database, whichever SQLAlchemy speaks to.

Loaded when a database is read: it takes long, and most of the service does without.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import sqlalchemy as sa

from shikong.ingest.errors import EmptySource, SourceAway, UnreadableSource
from shikong.ingest.readers import sl323


def observed_in(address: str) -> sl323.Frames:
    """The tables of observations of a database, month by month. Raises SourceAway, UnreadableSource, EmptySource."""
    with _connected(address) as (conn, tables):
        names = [name for name in tables if sl323.OBSERVED.match(name)]
        if not names:
            raise EmptySource(f"{label(address)} has no table like ST_RIVER_R; it has: {', '.join(tables) or 'none'}")
        for name in sorted(names):
            yield from ((name, part) for part in _by_month(conn, tables[name]))


def stations_in(address: str) -> pd.DataFrame:
    """The stations of a database with the levels of theirs. Raises SourceAway, UnreadableSource, EmptySource."""
    with _connected(address) as (conn, tables):
        if sl323.STATIONS not in tables:
            raise EmptySource(f"{label(address)} has no table {sl323.STATIONS}; it has: {', '.join(tables) or 'none'}")
        levels = [pd.read_sql(sa.select(tables[name]), conn) for name in sl323.LEVELS if name in tables]
        return sl323.with_levels(pd.read_sql(sa.select(tables[sl323.STATIONS]), conn), levels)


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
    driver = driver or sl323.DRIVERS[dialect]
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
