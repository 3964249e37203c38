"""Publishing against a model in plain Python: what holds now, what is remembered, and the counts.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection, sql

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.store import publish, releases, tables
from shikong.store.database import Database
from shikong.store.publish import Mode
from shikong.store.releases import Counts

STATIONS = catalog.default().layer("hydro_stations")
PARCELS = catalog.default().layer("parcels")
SQUARE = "SRID=4490;MULTIPOLYGON(((115.9 36.4,115.91 36.4,115.91 36.41,115.9 36.4)))"
PAST, FUTURE = datetime(2023, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)
STARTS = [datetime(year, 12, 31, tzinfo=UTC) for year in (2019, 2020, 2021)]

#: What identifies a row (key, or key and start), and all of its content.
Row = tuple[Any, ...]
Delivery = tuple[Mode, dict[Row, Row]]

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@dataclass
class Model:
    """What the store should hold: rows by identity, and a count of each row that was superseded."""

    holding: dict[Row, Row] = field(default_factory=dict)
    ended: dict[Row, Row] = field(default_factory=dict)
    superseded: Counter[Row] = field(default_factory=Counter)

    def deliver(self, mode: Mode, rows: dict[Row, Row]) -> Counts:
        """Take a delivery; returns the counts that it should report."""
        holding = {identity: row for identity, row in rows.items() if _holds(row)}
        ended = {identity: row for identity, row in rows.items() if identity not in holding}
        before, gone, fresh = len(self.holding), Counter[Any](), Counter[Any]()
        for known, told, counted in ((self.holding, holding, gone), (self.ended, ended, None)):
            for identity, row in list(known.items()):
                if told.get(identity) != row and (mode == "replace" or identity in rows):
                    self.superseded[row] += 1
                    del known[identity]
                    if counted is not None:
                        counted[row[0]] += 1
        for identity, row in holding.items():
            if identity not in self.holding:
                self.holding[identity] = row
                fresh[row[0]] += 1
        self.ended |= ended
        changed = (gone & fresh).total()
        assert len(self.holding) == before - gone.total() + fresh.total()
        return Counts(
            0, len(rows), 0, added=fresh.total() - changed, changed=changed, ended=gone.total() - changed,
            unchanged=len(self.holding) - fresh.total(), current=len(self.holding),
        )  # fmt: skip


def _holds(row: Row) -> bool:
    return len(row) < 4 or row[2] is None or row[2] > datetime.now(UTC)


def _columns(layer: Layer) -> list[str]:
    return ["bsm", "valid_from", "valid_to", "dlbm"] if layer.versioned else ["stcd", "stnm", "wrz"]


def _publish(conn: Connection[Any], layer: Layer, mode: Mode, rows: Iterable[Row]) -> Counts:
    names = [*_columns(layer), "origin", "geom", "_hash"]
    place = SQUARE if layer.versioned else "SRID=4490;POINT(115.9 36.4)"
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        publish.staging_table(layer), sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join([sql.Placeholder()] * len(names)),
    )  # fmt: skip
    with conn.transaction():
        with publish.staging(conn, layer):
            for row in rows:
                content = [part for part in row if not isinstance(part, datetime)]
                conn.execute(insert, (*row, "delivered", place, uuid.uuid5(uuid.NAMESPACE_OID, repr(content))))
        source = releases.Source("model", None, "EPSG:4490", None, "delivered")
        release = releases.next_release(conn, layer, source, Counts(0, 0, 0))
        counts = publish.publish_features(conn, layer, release, mode)
        releases.finish(conn, release, counts, releases.extent_of(conn, layer))
    return counts


def _empty(conn: Connection[Any], layer: Layer) -> None:
    for table in (tables.table(layer), tables.history(layer), sql.Identifier("shikong", "release")):
        conn.execute(sql.SQL("DELETE FROM {}").format(table))


def _rows(conn: Connection[Any], layer: Layer, table: sql.Identifier, where: str) -> Counter[Row]:
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns(layer)))
    query = sql.SQL("SELECT {} FROM {} WHERE ").format(columns, table) + sql.SQL(where)  # type: ignore[arg-type]
    return Counter(
        tuple(part.astimezone(UTC) if isinstance(part, datetime) else part for part in row)
        for row in conn.execute(query)
    )


def _agree(conn: Connection[Any], layer: Layer, model: Model) -> None:
    past = tables.history(layer)
    assert _rows(conn, layer, tables.table(layer), "true") == Counter(model.holding.values())
    assert _rows(conn, layer, past, "_superseded IS NULL") == Counter(model.ended.values())
    assert _rows(conn, layer, past, "_superseded IS NOT NULL") == model.superseded
    assert not _rows(conn, layer, past, "_superseded <= _release")


def _run(store: Database, layer: Layer, deliveries: list[Delivery]) -> None:
    model = Model()
    with store.thread_session() as conn:
        _empty(conn, layer)
        for mode, rows in deliveries:
            for _ in range(2):  # the same delivery again must change nothing; the model says so too
                expected = model.deliver(mode, rows)
                assert _publish(conn, layer, mode, rows.values()) == expected
                _agree(conn, layer, model)
            assert (expected.added, expected.changed, expected.ended) == (0, 0, 0)


modes = st.sampled_from(["replace", "update"])
stations = st.dictionaries(
    st.sampled_from("ABCD").map(lambda key: (key,)), st.tuples(st.sampled_from("甲乙"), st.sampled_from([None, 1.5])),
    min_size=1,
).map(lambda rows: {identity: (*identity, *content) for identity, content in rows.items()})  # fmt: skip
parcels = st.dictionaries(
    st.tuples(st.sampled_from("AB"), st.sampled_from(STARTS)),
    st.tuples(st.sampled_from([None, PAST, FUTURE]), st.sampled_from(["0101", "0303"])),
    min_size=1,
).map(lambda rows: {identity: (*identity, *content) for identity, content in rows.items()})


@few
@given(st.lists(st.tuples(modes, stations), min_size=1, max_size=4))
def test_any_deliveries_of_a_plain_layer_agree_with_the_model(
    empty_store: Database, deliveries: list[Delivery]
) -> None:
    _run(empty_store, STATIONS, deliveries)


ENDED = {("A", STARTS[0]): ("A", STARTS[0], PAST, "0101")}
OPEN = {("A", STARTS[1]): ("A", STARTS[1], None, "0303")}
TWO = OPEN | {("A", STARTS[2]): ("A", STARTS[2], None, "0303")}


@few
@given(st.lists(st.tuples(modes, parcels), min_size=1, max_size=4))
@example([("replace", ENDED), ("replace", OPEN)])
@example([("replace", OPEN), ("replace", TWO)])
@example([("replace", OPEN), ("update", {("A", STARTS[1]): ("A", STARTS[1], PAST, "0303")})])
def test_any_deliveries_of_a_versioned_layer_agree_with_the_model(
    empty_store: Database, deliveries: list[Delivery]
) -> None:
    _run(empty_store, PARCELS, deliveries)


def _write(path: Path, names: dict[str, str]) -> Path:
    lines = [f"{code},{name},115.9,36.4" for code, name in names.items()]
    path.write_text("\n".join(["stcd,stnm,lon,lat", *lines]), encoding="utf-8")
    return path


def _everything(store: Database) -> list[Any]:
    with store.thread_session() as conn:
        return [
            conn.execute(sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(sql.Identifier(*name.split(".")))).fetchall()
            for name in ("data.hydro_stations", "data.hydro_stations__history", "shikong.release", "shikong.quarantine")
        ]


def _ingest(store: Database, path: Path, progress: Any = lambda done, total: None) -> Counts:
    return ingest(store, catalog.default(), path, "hydro_stations", Options(), progress).counts


def test_a_failure_while_reading_leaves_everything_as_it_was(empty_store: Database, tmp_path: Path) -> None:
    _ingest(empty_store, _write(tmp_path / "a.csv", {"1": "一", "2": "二"}))
    before = _everything(empty_store)

    def fail(done: int, total: int | None) -> None:
        raise RuntimeError("the power went")

    path = _write(tmp_path / "b.csv", {"1": "改", "3": "三"})
    with pytest.raises(RuntimeError, match="the power went"):
        _ingest(empty_store, path, fail)
    assert _everything(empty_store) == before
    after = _ingest(empty_store, path)
    assert (after.added, after.changed, after.ended) == (1, 1, 1)


def test_a_failure_after_publishing_leaves_everything_as_it_was(empty_store: Database, tmp_path: Path) -> None:
    _ingest(empty_store, _write(tmp_path / "a.csv", {"1": "一", "2": "二"}))
    before = _everything(empty_store)
    with empty_store.thread_session() as conn:
        conn.execute("ALTER TABLE shikong.release ADD CONSTRAINT small CHECK (current_rows < 3)")
    with pytest.raises(psycopg.errors.CheckViolation):
        _ingest(empty_store, _write(tmp_path / "b.csv", {"1": "改", "3": "三", "4": "四"}))
    assert _everything(empty_store) == before


def test_the_release_record_says_what_the_report_says(empty_store: Database, tmp_path: Path) -> None:
    counts = _ingest(empty_store, _write(tmp_path / "a.csv", {"1": "一", "2": "二", "3": ""}))
    with empty_store.thread_session() as conn:
        row = conn.execute(
            "SELECT rows_read, rows_stored, rows_quarantined, added, changed, ended, unchanged, current_rows, principal,"
            " extent FROM shikong.release"
        ).fetchone()
    assert row == (3, 2, 1, 2, 0, 0, 0, 2, "anonymous", [115.9, 36.4, 115.9, 36.4])
    assert (counts.read, counts.stored, counts.quarantined, counts.added) == (3, 2, 1, 2)
