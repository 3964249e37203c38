"""A table or view of another PostGIS: postgresql://user@host/database#schema.table.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urlsplit

import pandas as pd
import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from shikong.ingest.errors import EmptySource, SourceAway, UnreadableSource
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource

#: Column types that come as they are; any other comes as its text.
_PLAIN_TYPES = frozenset({"bool", "int2", "int4", "int8", "float4", "float8"})

_HOW = (
    "write the address as postgresql://user@host:port/database#schema.table; in user and password write # as %23, "
    "@ as %40, : as %3A and / as %2F"
)

_COLUMNS = """
SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str
    fields: list[str]
    columns: list[sql.Composable]
    geometry: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def open_source(address: str) -> tuple[str, FeatureSource]:
    """Open a table: a name for its releases (never with user or password), and its features.

    The CRS is that of the SRID. Raises UnreadableSource and EmptySource.
    """
    dsn, fragment = urldefrag(address)
    schema, _, name = unquote(fragment).rpartition(".")
    if not name or set("@:/#") & set(fragment):  # a # in a password would cut the address in the wrong place
        raise UnreadableSource(_HOW)
    label = f"{schema or 'public'}.{name} @ {_host(dsn)}"
    try:
        with psycopg.connect(dsn, connect_timeout=10) as conn:
            table = _table(conn, label, schema or "public", name)
            crs = _crs(conn, label, table)
    except psycopg.Error as error:
        raise _unreadable(label, error) from error

    def batches() -> Iterator[Batch]:
        try:
            with psycopg.connect(dsn, connect_timeout=10) as conn, conn.cursor("shikong_source", binary=True) as cursor:
                cursor.execute(_query(table))
                row = 1
                while rows := cursor.fetchmany(BATCH_ROWS):
                    frame = pd.DataFrame([values[:-1] for values in rows], columns=table.fields, dtype=object)
                    yield Batch(row, frame, pa.array([values[-1] for values in rows], pa.large_binary()))
                    row += len(rows)
        except psycopg.Error as error:
            raise _unreadable(label, error) from error

    return label, FeatureSource("PostGIS table", crs, table.fields, None, batches)


def _host(dsn: str) -> str:
    """The host of an address. libpq repeats what it cannot parse, perhaps a part of a password."""
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
    except psycopg.ProgrammingError:
        raise UnreadableSource(_HOW) from None
    if "@" in parts.get("host", "") or not parts.get("port", "0").isdigit():
        raise UnreadableSource(_HOW)
    return urlsplit(dsn).hostname or "localhost"


def _unreadable(label: str, error: psycopg.Error) -> UnreadableSource:
    """libpq's own words, which name host and user but no password."""
    said = str(error).strip().splitlines()
    kind = SourceAway if isinstance(error, psycopg.OperationalError) else UnreadableSource
    return kind(f"{label} cannot be read: {said[0] if said else type(error).__name__}")


def _table(conn: psycopg.Connection, label: str, schema: str, name: str) -> _Table:
    quoted = sql.Identifier(schema, name).as_string(conn)
    found = conn.execute(_COLUMNS, (quoted,)).fetchall()
    if not found:
        raise UnreadableSource(f"{label}: there is no such table, or it may not be read")
    shapes = [column for column, kind in found if kind == "geometry"]
    if len(shapes) != 1:
        raise UnreadableSource(f"{label} has {len(shapes)} geometry columns; load a view that has one")
    plain = [(column, kind) for column, kind in found if column != shapes[0]]
    columns: list[sql.Composable] = [
        sql.SQL("{}" if kind in _PLAIN_TYPES else "{}::text").format(sql.Identifier(column)) for column, kind in plain
    ]
    return _Table(schema, name, [column for column, _ in plain], columns, shapes[0])


def _crs(conn: psycopg.Connection, label: str, table: _Table) -> str | None:
    query = sql.SQL("SELECT st_srid({geometry}) FROM {table} WHERE {geometry} IS NOT NULL LIMIT 1").format(
        geometry=sql.Identifier(table.geometry), table=table.identifier
    )
    first = conn.execute(query).fetchone()
    if first is None:
        raise EmptySource(f"{label} has no rows with a geometry")
    known = conn.execute(
        "SELECT auth_name || ':' || auth_srid, srtext FROM spatial_ref_sys WHERE srid = %s", first
    ).fetchone()
    return None if known is None else known[0] or known[1]


def _query(table: _Table) -> sql.Composed:
    geometry = sql.SQL("st_asbinary({})").format(sql.Identifier(table.geometry))
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join([*table.columns, geometry]), table.identifier)
