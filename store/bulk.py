"""The first load of a layer: its table is filled and indexed aside, by several sessions at once, then takes its place.

One transaction cannot use more than one core, and an index that is built once takes a third of the time of one that
grows row by row. So rows go into `data.<id>__fresh`, which nobody reads; the transaction that publishes checks them
there and renames the table. What a load that died has left there is dropped by the next one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import blocks, publish, tables
from shikong.store.blocks import Blocks
from shikong.store.copying import copy_rows
from shikong.store.database import Database
from shikong.store.ordered import OrderedRows
from shikong.store.releases import Counts

#: Below this many rows the way through staging is as quick.
LEAST_ROWS = 20_000

_SESSIONS = 2

Done = TypeVar("Done")


def is_first(conn: Connection[Any], layer: Layer) -> bool:
    """Whether the layer has no rows yet, neither such as hold nor past ones."""
    row = conn.execute(
        sql.SQL("SELECT NOT EXISTS (SELECT FROM {}) AND NOT EXISTS (SELECT FROM {})").format(
            tables.table(layer), tables.history(layer)
        )
    ).fetchone()
    return bool(row and row[0])


def fresh(layer: Layer) -> sql.Identifier:
    """The table that is filled aside."""
    return sql.Identifier("data", f"{layer.id}__fresh")


@contextmanager
def filled(
    database: Database, conn: Connection[Any], layer: Layer, release: int, rows: OrderedRows
) -> Iterator[list[Blocks]]:
    """Fill and index a table aside with rows in the columns of staging, and let staging stand for it.

    Gives where they lie. Inside, they can be checked. The caller holds the layer's lock; its
    transaction `conn` has not touched the layer's tables yet.
    """
    with database.loading_sessions(_SESSIONS) as sessions, ThreadPoolExecutor(_SESSIONS) as pool:
        number = _create(sessions[0], layer)
        shares: list[list[tuple[int, int]]] = [[] for _ in sessions]
        for stretch, before in rows.stretches():
            shares[min(before * _SESSIONS // len(rows), _SESSIONS - 1)].append((stretch, number + before))
        copied = _all(pool.submit(_copy, *work, layer, release, rows) for work in zip(sessions, shares, strict=True))
        _all(pool.submit(_index, *work) for work in zip(sessions, _indexes(layer), strict=True))
        _name_key(sessions[0], layer)
        conn.execute(
            sql.SQL("CREATE TEMPORARY VIEW {} AS SELECT {} FROM {}").format(
                sql.Identifier(f"staged_{layer.id}"),
                sql.SQL(", ").join(map(sql.Identifier, publish.staging_columns(layer))),
                fresh(layer),
            )
        )
        told = pool.submit(sessions[0].execute, sql.SQL("ANALYZE {}").format(fresh(layer)))
        yield [each for share in copied for each in share]
        told.result()


def _create(session: Connection[Any], layer: Layer) -> int:
    """Make the empty table; returns the number of its first row."""
    session.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(fresh(layer)))
    session.execute(
        sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES)").format(fresh(layer), tables.table(layer))
    )
    return tables.next_row(session, layer)


def _copy(
    session: Connection[Any], stretches: list[tuple[int, int]], layer: Layer, release: int, rows: OrderedRows
) -> list[Blocks]:
    """Copy stretches of rows, each numbered from its own number on; returns where they lie."""
    found: list[Blocks] = []

    def numbered(stretch: int, first: int) -> pa.Table:
        part, boxes = rows.read(stretch)
        found.append(blocks.blocks_of(first, boxes))
        number = np.arange(first, first + len(part))
        part = part.append_column("_row", pa.array(number))
        return part.append_column("_release", pa.array(np.full(len(part), release, np.int32)))

    copy_rows(session, fresh(layer), (numbered(*stretch) for stretch in stretches))
    return found


def _indexes(layer: Layer) -> tuple[list[sql.Composed], list[sql.Composed]]:
    """What makes the table's indexes, in two parts that take about as long and do not wait for each other."""
    aside = f"{layer.id}__fresh"
    made = tables.index_statements(layer, aside)
    row = sql.SQL("CREATE UNIQUE INDEX {} ON {} (_row)").format(sql.Identifier(f"{aside}_pkey"), fresh(layer))
    return [made.pop("geom"), row], list(made.values())


def _name_key(session: Connection[Any], layer: Layer) -> None:
    """Let the index of row numbers be the primary key. Made at once, as such, it would wait for all other indexes."""
    key = sql.Identifier(f"{layer.id}__fresh_pkey")
    session.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY USING INDEX {}").format(fresh(layer), key, key)
    )


def _index(session: Connection[Any], statements: list[sql.Composed]) -> None:
    for statement in statements:
        session.execute(statement)


def _all(work: Iterable[Future[Done]]) -> list[Done]:
    """Wait for all; raises what the first that failed has raised."""
    return [done.result() for done in list(work)]


def adopt(conn: Connection[Any], layer: Layer, lying: Sequence[Blocks]) -> Counts:
    """Let the table that was filled aside be the layer's, in the caller's transaction. What has ended goes to history.

    The rows of staging that were refused are gone from it. lying: where the rows lie.
    """
    ended = 0
    if layer.versioned:
        ended = conn.execute(
            sql.SQL(
                "WITH past AS (DELETE FROM {fresh} WHERE valid_to <= now() RETURNING {columns})"
                " INSERT INTO {history} ({columns}) SELECT {columns} FROM past"
            ).format(
                fresh=fresh(layer),
                history=tables.history(layer),
                columns=sql.SQL(", ").join(map(sql.Identifier, ["_row", "_release", *publish.staging_columns(layer)])),
            )
        ).rowcount
    conn.execute(sql.SQL("DROP VIEW {}").format(publish.staging_table(layer)))
    conn.execute(sql.SQL("DROP TABLE {}").format(tables.table(layer)))
    conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(fresh(layer), sql.Identifier(layer.id)))
    suffixes = ["_pkey", *(f"__{what}" for what in tables.index_statements(layer, layer.id))]
    for suffix in suffixes:
        conn.execute(
            sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                sql.Identifier("data", f"{layer.id}__fresh{suffix}"), sql.Identifier(f"{layer.id}{suffix}")
            )
        )
    conn.execute(
        sql.SQL("ALTER SEQUENCE {} RENAME TO {}").format(
            sql.Identifier("data", f"{layer.id}__fresh__row_seq"), sql.Identifier(f"{layer.id}__row_seq")
        )
    )
    row = conn.execute(
        sql.SQL(
            "SELECT count(*), setval(pg_get_serial_sequence({}, '_row'), greatest("
            "max(_row), (SELECT max(_row) FROM {}), 1)) FROM {}"
        ).format(sql.Literal(f"data.{layer.id}"), tables.history(layer), tables.table(layer))
    ).fetchone()
    assert row is not None
    blocks.write(conn, layer, lying)
    return Counts(read=0, stored=row[0] + ended, quarantined=0, added=row[0], current=row[0])
