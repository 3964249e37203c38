"""Frames that brought no values, or not all, with the reason.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, sql

#: Days for which they are kept.
KEPT_DAYS = 90


@dataclass(frozen=True)
class Refused:
    """A frame that was refused. number: in its journal. peer: whence it came. reason: a word; told: a sentence."""

    number: int
    received_at: datetime
    protocol: str
    peer: str
    station: str | None
    reason: str
    told: str
    data: bytes


def keep(conn: Connection[Any], journal: UUID, refused: Sequence[Refused]) -> None:
    """Keep frames; one that is there already stays as it is."""
    with conn.cursor() as cursor:
        cursor.executemany(_KEEP, [(journal, *astuple(one)) for one in refused])


def forget_old(conn: Connection[Any]) -> None:
    """Remove what has been kept for long enough."""
    conn.execute(
        "DELETE FROM shikong.refused_telegram WHERE received_at < now() - make_interval(days => %s)", (KEPT_DAYS,)
    )


_KEEP = """
    INSERT INTO shikong.refused_telegram (journal, number, received_at, protocol, peer, station, reason, told, data)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""

#: How many were refused for what since a time (`since`), and when last.
SUMMARY = sql.SQL("""
    SELECT protocol, reason, count(*), count(DISTINCT coalesce(station, peer)), max(received_at)
    FROM shikong.refused_telegram WHERE received_at >= %(since)s GROUP BY 1, 2 ORDER BY 3 DESC
""")

#: The newest ones (`limit`), of a station or all (`station`).
NEWEST = sql.SQL("""
    SELECT received_at, protocol, peer, station, reason, told, data FROM shikong.refused_telegram
    WHERE %(station)s::text IS NULL OR station = %(station)s ORDER BY received_at DESC, number DESC LIMIT %(limit)s
""")
