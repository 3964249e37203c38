"""A first load that fills its table aside leaves what a load through staging leaves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import psycopg
import pytest
import shapely

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.ingest.report import Report
from shikong.layers import catalog
from shikong.store import as_of, bulk
from shikong.store.database import Database
from shikong.store.errors import QueryTooSlow

PARCELS = 400


def _deliver(path: Path, *, changed: bool = False) -> Path:
    """Parcels side by side; some have ended, one key comes twice, one overlaps, one has an unknown class."""
    rows: dict[str, list[Any]] = {name: [] for name in ("bsm", "dlbm", "dlmc", "valid_from", "valid_to")}
    shapes = []
    for number in range(PARCELS):
        west, south = 116 + number % 20 * 0.001, 36.4 + number // 20 * 0.001
        shapes.append(shapely.box(west, south, west + (0.0015 if number == 50 else 0.001), south + 0.001))
        rows["bsm"].append("P7" if number == 8 else f"P{number}")
        rows["dlbm"].append("none" if number == 9 else "0101")
        rows["dlmc"].append("变更" if changed and number % 100 == 1 else "水田")
        rows["valid_from"].append("2020-01-01")
        rows["valid_to"].append("2022-01-01" if number % 10 == 3 else None)
    gpd.GeoDataFrame(rows, geometry=shapes, crs=4490).to_file(path)
    return path


def _load(store: Database, path: Path) -> Report:
    return ingest(store, catalog.default(), path, "parcels", Options(), lambda *_: None)


def _state(store: Database) -> dict[str, Any]:
    """All that a load leaves, but for the numbers of rows, which follow another curve."""
    with psycopg.connect(str(store.settings.database_url)) as conn:
        found: dict[str, Any] = {
            name: Counter(
                str(row[0])
                for row in conn.execute(f"SELECT to_jsonb(t) - '{{_row,id,created_at}}'::text[] FROM {name} AS t".encode())
            )
            for name in ("data.parcels", "data.parcels__history", "shikong.finding", "shikong.quality_result",
                         "shikong.quarantine")
        }  # fmt: skip
        found["columns"] = conn.execute(
            "SELECT column_name, data_type, is_nullable, is_identity, generation_expression"
            " FROM information_schema.columns WHERE table_name = 'parcels' ORDER BY ordinal_position"
        ).fetchall()
        found["constraints"] = conn.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'data.parcels'::regclass"
            " ORDER BY 1"
        ).fetchall()
        found["indexes"] = conn.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'parcels' ORDER BY 1"
        ).fetchall()
        found["sequence"] = conn.execute("SELECT pg_get_serial_sequence('data.parcels', '_row')").fetchall()
        found["aside"] = conn.execute("SELECT relname FROM pg_class WHERE relname LIKE '%fresh%'").fetchall()
        found["shown"] = conn.execute(
            "SELECT count(*) = count(DISTINCT p._row) AND count(*) = (SELECT count(*) FROM data.parcels)"
            " FROM data.parcels__block AS b JOIN data.parcels AS p ON p._row BETWEEN b.first AND b.last"
            " AND st_covers(b.area, p.geom)"
        ).fetchall()
    return found


@pytest.fixture
def states(empty_store: Database, tmp_path: Path, monkeypatch: Any) -> list[tuple[Report, dict[str, Any]]]:
    """Report and state after a load through staging, and after one aside, of an emptied layer."""
    path, found = _deliver(tmp_path / "first.gpkg"), []
    for least in (10**9, 1):
        monkeypatch.setattr(bulk, "LEAST_ROWS", least)
        with psycopg.connect(str(empty_store.settings.database_url)) as conn:
            conn.execute("DROP TABLE IF EXISTS data.parcels, data.parcels__history, data.parcels__block")
            conn.execute("TRUNCATE shikong.release RESTART IDENTITY CASCADE")
        report = _load(empty_store, path)
        found.append((report, _state(empty_store)))
    return found


def test_both_ways_leave_the_same(states: list[tuple[Report, dict[str, Any]]]) -> None:
    (one, through), (other, aside) = states
    assert aside == through
    assert other.counts == one.counts
    assert one.counts.quarantined == 2
    assert one.counts.current == PARCELS - 2 - sum(number % 10 == 3 for number in range(PARCELS))
    assert aside["shown"] == [(True,)]
    assert not aside["aside"]
    found = {(finding.rule, finding.severity) for finding in other.findings}
    assert ("no_overlap", "warning") in found
    assert ("unique", "error") in found


def test_later_loads_and_rollbacks_go_on_from_it(
    states: list[tuple[Report, dict[str, Any]]], empty_store: Database, tmp_path: Path
) -> None:
    first = states[1][0]
    second = _load(empty_store, _deliver(tmp_path / "second.gpkg", changed=True))
    assert (second.counts.added, second.counts.changed, second.counts.ended) == (0, 4, 0)
    with empty_store.thread_session() as conn, conn.transaction():
        _, counts = as_of.rollback(conn, catalog.default().layer("parcels"), first.release)
        assert counts.changed == 4
        rows = conn.execute("SELECT count(*), count(DISTINCT _row) FROM (SELECT _row FROM data.parcels UNION ALL"
                            " SELECT _row FROM data.parcels__history) AS x").fetchone()  # fmt: skip
    assert rows is not None
    assert rows[0] == rows[1], "a row number was given twice"


def test_a_first_load_that_is_stopped_leaves_nothing(empty_store: Database, tmp_path: Path, monkeypatch: Any) -> None:
    path = _deliver(tmp_path / "first.gpkg")
    monkeypatch.setattr(bulk, "LEAST_ROWS", 1)
    slow = [bulk.sql.SQL("SELECT pg_sleep(60)")]
    monkeypatch.setattr(bulk, "_indexes", lambda layer: (slow, slow))
    timer = threading.Timer(2.0, empty_store.cancel_threads)
    timer.start()
    with pytest.raises(QueryTooSlow):
        _load(empty_store, path)
    timer.join()
    monkeypatch.undo()
    with psycopg.connect(str(empty_store.settings.database_url)) as conn:
        assert conn.execute("SELECT count(*) FROM data.parcels").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM shikong.release").fetchone() == (0,)
    monkeypatch.setattr(bulk, "LEAST_ROWS", 1)
    assert _load(empty_store, path).counts.quarantined == 2
