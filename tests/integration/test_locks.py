"""Whatever changes a layer waits for whatever is changing it: loads, rollbacks, resubmissions.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from psycopg import sql

from shikong.ingest.resubmit import resubmit
from shikong.layers import catalog
from shikong.store import as_of
from shikong.store.database import Database
from support.loads import blocked, dsn_of, load, wait_for, waits_for_layer, write_districts

DISTRICTS = catalog.default().layer("districts")


@pytest.fixture
def changes(empty_store: Database, tmp_path: Path) -> dict[str, Any]:
    """Three ways to change districts, of which two releases are published; the second has a refused row."""
    load(empty_store, write_districts(tmp_path / "first.gpkg", 5, "旧"), "districts")
    second = write_districts(tmp_path / "second.gpkg", 5, "新")
    frame = gpd.read_file(second)
    frame.loc[4, "xzqmc"] = None
    frame.to_file(second)
    refused = load(empty_store, second, "districts").release
    with empty_store.thread_session() as conn:
        conn.execute('UPDATE shikong.quarantine SET record = record || \'{"xzqmc": "补"}\'')
    third = write_districts(tmp_path / "third.gpkg", 6, "三")

    def rollback() -> None:
        with empty_store.thread_session() as conn:
            as_of.rollback(conn, DISTRICTS, 1)

    def take_in() -> None:
        with empty_store.thread_session() as conn:
            resubmit(conn, catalog.default(), refused, lambda done, total: None)

    return {"load": lambda: load(empty_store, third, "districts"), "rollback": rollback, "correction": take_in}


@pytest.mark.parametrize(("first", "second"), [
    ("load", "rollback"), ("rollback", "load"), ("load", "correction"), ("correction", "rollback"),
])  # fmt: skip
def test_one_change_waits_for_the_other(
    empty_store: Database, changes: dict[str, Any], first: str, second: str
) -> None:
    dsn = dsn_of(empty_store)
    with ThreadPoolExecutor(2) as threads:
        with blocked(dsn) as hangs:
            one = threads.submit(changes[first])
            wait_for(hangs, f"the {first} to be in its transaction")
            other = threads.submit(changes[second])
            wait_for(lambda: waits_for_layer(dsn), f"the {second} to wait")
            assert not one.done()
            assert not other.done()
        one.result(timeout=120)
        other.result(timeout=120)
    rows = empty_store.thread_fetch(sql.SQL("SELECT kind FROM shikong.release ORDER BY id OFFSET 2"))
    assert [kind for (kind,) in rows] == [first, second]
    assert not waits_for_layer(dsn)
