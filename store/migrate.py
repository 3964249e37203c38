"""Bringing a database to the present shape: forward only, each step once, in one transaction.

The job queue's tables come first: they are procrastinate's, and ours refer to them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

import psycopg

from shikong.layers.model import Layer
from shikong.store import queue, tables
from shikong.store.errors import StoreError

_LOCK = 7_156_001  # any constant; two migrations at once would collide

_LEDGER = """
    CREATE SCHEMA IF NOT EXISTS shikong;
    CREATE TABLE IF NOT EXISTS shikong.migration (
        number integer PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


@dataclass(frozen=True)
class Migration:
    """One step: store/sql/migrations/NNNN_name.sql."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Digest that shows when a step that was applied has been edited since."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def steps() -> list[Migration]:
    """All steps, in order."""
    folder = resources.files("shikong.store") / "sql/migrations"
    found = []
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        number, _, name = file.name.removesuffix(".sql").partition("_")
        found.append(Migration(int(number), name, file.read_text(encoding="utf-8")))
    return found


def migrate(dsn: str) -> list[str]:
    """Apply the steps that are missing; returns their names.

    Raises StoreError when an applied step was edited afterwards, or when the database
    is newer than this program.
    """
    queue.bring_forward(dsn)
    with psycopg.connect(dsn) as conn:
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        conn.execute(_LEDGER)
        applied: dict[int, str] = dict(conn.execute("SELECT number, sha256 FROM shikong.migration").fetchall())
        known = {step.number: step for step in steps()}
        if newer := sorted(set(applied) - set(known)):
            raise StoreError(f"the database has migrations {newer} that this version does not know; upgrade Shikong")
        done = []
        for number, step in known.items():
            if number in applied:
                if applied[number] != step.sha256:
                    raise StoreError(f"migration {number:04} was edited after it was applied; add a new one instead")
                continue
            conn.execute(step.sql.encode())
            conn.execute(
                "INSERT INTO shikong.migration (number, name, sha256) VALUES (%s, %s, %s)",
                (number, step.name, step.sha256),
            )
            done.append(f"{number:04}_{step.name}")
        return done


def make_tables(dsn: str, layers: Iterable[Layer]) -> None:
    """Make the tables of layers that have none, and the columns and indexes that were declared since.

    Raises SchemaConflict when a column has another type than declared.
    """
    with psycopg.connect(dsn) as conn:
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        for layer in layers:
            tables.ensure(conn, layer)
