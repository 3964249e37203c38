"""The journal of what has been received and is not yet in the database: a file that outlives both.

A sender is answered once its frame is in the journal and the journal is on the disk. Frames leave it when the database
has them. So neither the death of the receiver nor that of the database costs what was confirmed, and a database that is
away for hours is caught up with.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shikong.ingest.live.telegrams import Protocol

_TABLES = """
    CREATE TABLE IF NOT EXISTS journal (id TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS frame (
        number INTEGER PRIMARY KEY AUTOINCREMENT, received_at REAL NOT NULL, protocol TEXT NOT NULL,
        peer TEXT NOT NULL, data BLOB NOT NULL, reason TEXT, told TEXT
    );
"""


@dataclass(frozen=True)
class Received:
    """A frame as it came. peer: whence. reason, told: why it is none, a word and a sentence."""

    received_at: datetime
    protocol: Protocol
    peer: str
    data: bytes
    reason: str | None = None
    told: str | None = None


class Journal:
    """The journal in a folder; each thread uses a connection of its own. Numbers are never given twice."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "journal.sqlite"
        self._own = threading.local()
        conn = self._conn()
        conn.executescript(_TABLES)
        with conn:
            conn.execute(
                "INSERT INTO journal (id) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM journal)", (str(uuid.uuid4()),)
            )
        self.id = uuid.UUID(conn.execute("SELECT id FROM journal").fetchone()[0])

    def append(self, frames: Sequence[Received]) -> None:
        """Write frames; they are on the disk when this returns. Raises sqlite3.OperationalError when that fails."""
        rows = [
            (frame.received_at.timestamp(), frame.protocol, frame.peer, frame.data, frame.reason, frame.told)
            for frame in frames
        ]
        with self._conn() as conn:
            conn.executemany(
                "INSERT INTO frame (received_at, protocol, peer, data, reason, told) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def first(self, most: int) -> list[tuple[int, Received]]:
        """The first frames, with their numbers."""
        rows = self._conn().execute(
            "SELECT number, received_at, protocol, peer, data, reason, told FROM frame ORDER BY number LIMIT ?", (most,)
        )
        return [(number, Received(datetime.fromtimestamp(at, UTC), *rest)) for number, at, *rest in rows]

    def forget(self, last: int) -> None:
        """Remove the frames up to a number: the database has them."""
        with self._conn() as conn:
            conn.execute("DELETE FROM frame WHERE number <= ?", (last,))

    def __len__(self) -> int:
        return int(self._conn().execute("SELECT count(*) FROM frame").fetchone()[0])

    def _conn(self) -> sqlite3.Connection:
        conn: sqlite3.Connection | None = getattr(self._own, "conn", None)
        if conn is None:
            conn = sqlite3.connect(self._path, timeout=10)
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("PRAGMA synchronous = FULL")  # the log is synced at every commit
            self._own.conn = conn
        return conn
