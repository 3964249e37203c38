"""COPY of Arrow rows into a table, in the database's binary form.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import Connection, sql

#: Rows that are put into binary form at a time.
_CHUNK = 4_096


def copy_rows(conn: Connection[Any], table: sql.Composable, parts: Iterable[pa.Table]) -> None:
    """Add rows to a table; their columns are named as the table's. Bytes stand for uuid and geometry (EWKB) too."""
    remaining = iter(parts)
    first = next(remaining, None)
    if first is None:
        return
    encoder = ArrowToPostgresBinaryEncoder(first.schema)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, first.schema.names))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(encoder.write_header())
        for part in chain([first], remaining):
            for batch in part.to_batches(max_chunksize=_CHUNK):
                copy.write(encoder.write_batch(batch))
        copy.write(encoder.finish())
