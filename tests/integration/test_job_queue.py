"""The job queue's tables are the library's, whichever version made the database.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from shikong.store import migrate, queue
from shikong.store.cluster import Cluster
from shikong.store.errors import StoreError

STEPS = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))

# What a schema consists of, without the order in which columns were added.
SHAPE = {
    "columns": "SELECT table_name, column_name, data_type, udt_name, column_default, is_nullable, is_identity"
    " FROM information_schema.columns WHERE table_schema = %s",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %s",
    "functions": "SELECT proname, pg_get_function_identity_arguments(oid), pg_get_function_result(oid), prosrc"
    " FROM pg_proc WHERE pronamespace = %s::regnamespace",
    "triggers": "SELECT tgname, pg_get_triggerdef(t.oid) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid"
    " WHERE NOT tgisinternal AND relnamespace = %s::regnamespace",
    "constraints": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = %s::regnamespace",
    "enums": "SELECT typname, array_agg(enumlabel ORDER BY enumlabel) FROM pg_enum JOIN pg_type AS t"
    " ON t.oid = enumtypid WHERE typnamespace = %s::regnamespace GROUP BY 1",
}


def _shape(conn: psycopg.Connection[Any], schema: str) -> dict[str, list[str]]:
    return {
        name: sorted(
            " ".join(str(row).replace(f"{schema}.", "").split()) for row in conn.execute(text.encode(), (schema,))
        )
        for name, text in SHAPE.items()
    }


@pytest.fixture
def dsn(cluster: Cluster) -> str:
    """An empty database."""
    name = f"q{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    return cluster.dsn_of(name)


def _library(conn: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """The shape of the schema as the installed library itself makes it."""
    conn.execute("CREATE SCHEMA fresh; SET LOCAL search_path = fresh")
    conn.execute(SchemaManager.get_schema())
    found = _shape(conn, "fresh")
    conn.execute("RESET search_path")
    assert len(found["functions"]) > 10
    return found


def test_the_queue_is_what_the_installed_library_makes(dsn: str) -> None:
    migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        assert _shape(conn, queue.SCHEMA) == _library(conn)
        names = conn.execute("SELECT name FROM shikong.queue_migration ORDER BY 1").fetchall()
    assert [name for (name,) in names] == [step.name for step in STEPS]
    assert migrate.migrate(dsn) == []


def test_a_queue_of_an_older_library_is_brought_forward(dsn: str) -> None:
    """A database as release 2.14 of the library had it, whose steps were applied one by one."""
    old = [step for step in STEPS if step.name < "03"]
    assert 0 < len(old) < len(STEPS)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA shikong; CREATE SCHEMA procrastinate; SET search_path = procrastinate")
        for step in old:
            conn.execute(step.read_bytes())
        conn.execute("CREATE TABLE shikong.queue_migration (name text PRIMARY KEY, applied_at timestamptz"
                     " NOT NULL DEFAULT now())")  # fmt: skip
        for step in old:
            conn.execute("INSERT INTO shikong.queue_migration (name) VALUES (%s)", (step.name,))
    migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        found, wanted = _shape(conn, queue.SCHEMA), _library(conn)
    for part in ("columns", "functions", "triggers", "indexes"):
        assert found[part] == wanted[part], part


def test_a_queue_of_a_newer_library_is_refused(dsn: str) -> None:
    migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        conn.execute("INSERT INTO shikong.queue_migration (name) VALUES ('99.00.00_01_later.sql')")
    with pytest.raises(StoreError, match=r"99\.00\.00.*upgrade"):
        migrate.migrate(dsn)
