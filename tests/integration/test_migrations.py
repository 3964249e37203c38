"""A database is brought forward step by step, never twice, never back; tables follow the declarations.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.layers.model import FieldDecl, Layer
from shikong.store import as_of, migrate, observations, observed_tables, tables
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from shikong.store.errors import SchemaConflict, StoreError
from support.loads import load, settings_for

TITLE = Text(zh="新", en="New")
FEATURES = [layer for layer in catalog.default() if layer.kind == "features"]
OBSERVATIONS = catalog.default().layer("hydro_observations")


@pytest.fixture
def dsn(cluster: Cluster) -> Iterator[str]:
    """A database in which nothing has been done."""
    name = f"m{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield cluster.dsn_of(name)
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _columns(dsn: str, table: str) -> dict[str, tuple[str, str]]:
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "SELECT column_name, udt_name, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'data' AND table_name = %s",
            (table,),
        ).fetchall()
    return {name: (kind, nullable) for name, kind, nullable in rows}


def test_a_new_database_gets_every_step_once(dsn: str) -> None:
    names = [f"{step.number:04}_{step.name}" for step in migrate.steps()]
    assert names, "there is no step at all"
    assert migrate.migrate(dsn) == names
    with psycopg.connect(dsn) as conn:
        before = conn.execute("SELECT number, name, sha256, applied_at FROM shikong.migration ORDER BY 1").fetchall()
        assert conn.execute("SELECT postgis_version() IS NOT NULL").fetchone() == (True,)
        assert conn.execute("SELECT count(*) FROM shikong.release").fetchone() == (0,)
    assert migrate.migrate(dsn) == []
    with psycopg.connect(dsn) as conn:
        after = conn.execute("SELECT number, name, sha256, applied_at FROM shikong.migration ORDER BY 1").fetchall()
    assert after == before


def test_steps_have_each_a_number_of_their_own() -> None:
    numbers = [step.number for step in migrate.steps()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_a_step_edited_after_it_was_applied_is_refused(dsn: str) -> None:
    migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        conn.execute("UPDATE shikong.migration SET sha256 = repeat('0', 64) WHERE number = 1")
    with pytest.raises(StoreError, match=r"migration 0001 was edited.*add a new one"):
        migrate.migrate(dsn)


def test_a_database_of_a_newer_version_is_refused(dsn: str) -> None:
    migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        conn.execute("INSERT INTO shikong.migration (number, name, sha256) VALUES (9001, 'later', 'x')")
    with pytest.raises(StoreError, match=r"9001.*upgrade"):
        migrate.migrate(dsn)


def test_a_step_that_fails_leaves_nothing_behind(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = migrate.Migration(9000, "broken", "CREATE TABLE public.half (a int); SELECT 1/0")
    real = migrate.steps()
    monkeypatch.setattr(migrate, "steps", lambda: [*real, broken])
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT to_regclass('public.half'), to_regclass('shikong.release')").fetchone() == (
            None,
            None,
        )
    monkeypatch.undo()
    assert len(migrate.migrate(dsn)) == len(real)


@pytest.fixture
def migrated(dsn: str) -> str:
    """The same, migrated."""
    migrate.migrate(dsn)
    return dsn


def test_making_the_tables_twice_changes_nothing(migrated: str) -> None:
    def all_columns() -> list[dict[str, tuple[str, str]]]:
        return [_columns(migrated, table) for layer in FEATURES for table in (layer.id, f"{layer.id}__history")]

    for _ in range(2):
        with psycopg.connect(migrated) as conn:
            for layer in catalog.default():
                tables.ensure(conn, layer)
        found = all_columns()
        assert all(found)
    assert all_columns() == found


@pytest.fixture(scope="module")
def shaped(cluster: Cluster, template: str) -> str:
    """A database with every layer's tables."""
    name = f"s{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    return cluster.dsn_of(name)


@pytest.mark.parametrize("layer", FEATURES, ids=lambda layer: str(layer.id))
def test_a_table_has_the_declared_columns_and_geometry(shaped: str, layer: Layer) -> None:
    columns = _columns(shaped, layer.id)
    kinds = {"string": "text", "integer": "int8", "number": "float8", "boolean": "bool", "date": "date",
             "datetime": "timestamptz"}  # fmt: skip
    for name, field in layer.fields.items():
        assert columns[name] == (kinds[field.type], "NO" if field.required or field.key else "YES"), name
    assert ("geom_3857" in columns) == (layer.tiles is not None)
    with psycopg.connect(shaped) as conn:
        kind = conn.execute(
            "SELECT type, srid FROM geometry_columns WHERE f_table_schema = 'data' AND f_table_name = %s"
            " AND f_geometry_column = 'geom'", (layer.id,),
        ).fetchone()  # fmt: skip
        indexed = conn.execute(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = 'data' AND tablename = %s AND indexdef LIKE '%%gist%%'",
            (layer.id,),
        ).fetchone()
    assert layer.geometry is not None
    assert kind == (layer.geometry.upper(), 4490)
    assert indexed == (1 + (layer.tiles is not None),)


def _with_field(layer: Layer, name: str, field: FieldDecl) -> Layer:
    return layer.model_copy(update={"fields": layer.fields | {name: field}})


def test_a_field_declared_later_is_added_to_a_table_with_data(migrated: str) -> None:
    layer = catalog.default().layer("hydro_stations")
    with psycopg.connect(migrated) as conn:
        tables.ensure(conn, layer)
        conn.execute(
            "INSERT INTO shikong.release (layer, source, origin, principal, rows_read, rows_stored, rows_quarantined,"
            " added, changed, ended, unchanged) VALUES ('hydro_stations', 'x', 'delivered', 'x', 1, 1, 0, 1, 0, 0, 0)"
        )
        conn.execute(
            "INSERT INTO data.hydro_stations (_release, _hash, stcd, stnm, origin, geom) SELECT id,"
            " gen_random_uuid(), '1', '一', 'delivered', 'SRID=4490;POINT(116 36)' FROM shikong.release"
        )
    for field in (FieldDecl(type="number", title=TITLE), FieldDecl(type="number", title=TITLE, required=True)):
        with psycopg.connect(migrated) as conn:
            tables.ensure(conn, _with_field(layer, "drainage_area", field))
            assert conn.execute("SELECT stcd, drainage_area FROM data.hydro_stations").fetchall() == [("1", None)]
    assert _columns(migrated, "hydro_stations__history")["drainage_area"] == ("float8", "YES")


@pytest.mark.parametrize(("name", "kind"), [("stnm", "integer"), ("wrz", "string")])
def test_a_field_declared_with_another_type_is_refused(migrated: str, name: str, kind: str) -> None:
    layer = catalog.default().layer("hydro_stations")
    with psycopg.connect(migrated) as conn:
        tables.ensure(conn, layer)
    changed = _with_field(layer, name, FieldDecl.model_validate({"type": kind, "title": TITLE}))
    with (
        psycopg.connect(migrated) as conn,
        pytest.raises(SchemaConflict, match=rf"hydro_stations\.{name} is .* {kind}"),
    ):
        tables.ensure(conn, changed)


@pytest.mark.parametrize(("year", "month", "first", "beyond"), [
    (2026, 1, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), (2026, 12, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
])  # fmt: skip
def test_a_month_of_observations_is_half_open(migrated: str, year: int, month: int, first: str, beyond: str) -> None:
    with psycopg.connect(migrated, autocommit=True) as conn:
        tables.ensure(conn, OBSERVATIONS)
        for _ in range(2):
            observed_tables.ensure_month(conn, OBSERVATIONS, year, month)
        conn.execute("INSERT INTO data.hydro_observations__series (station, parameter) VALUES ('1', 'z')")
        insert = (
            "INSERT INTO data.hydro_observations SELECT id, %s, 1, 'delivered', 1 FROM data.hydro_observations__series"
        )
        conn.execute(insert, (first,))
        assert conn.execute("SELECT tableoid::regclass::text FROM data.hydro_observations").fetchall() == [
            (f"data.hydro_observations__{year}{month:02}",)
        ]
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute(insert, (beyond,))


_BEFORE_TWO_CLOCKS = """
    CREATE TABLE data.hydro_stations (
        _row bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
        _release integer NOT NULL REFERENCES shikong.release (id), _hash uuid NOT NULL,
        stcd text NOT NULL, stnm text, origin text NOT NULL, geom geometry (Point, 4490) NOT NULL,
        geom_3857 geometry (Point, 3857) GENERATED ALWAYS AS (st_transform(geom, 3857)) STORED
    );
    CREATE TABLE data.hydro_stations__history (
        _row bigint NOT NULL, _release integer NOT NULL REFERENCES shikong.release (id), _hash uuid NOT NULL,
        stcd text NOT NULL, stnm text, origin text NOT NULL, geom geometry (Point, 4490) NOT NULL,
        recorded_from timestamptz NOT NULL, recorded_to timestamptz
    );
    INSERT INTO shikong.release (
        layer, source, origin, principal, published_at, rows_read, rows_stored, rows_quarantined,
        added, changed, ended, unchanged
    )
    SELECT layer, 'x', 'delivered', 'x', at::timestamptz, 1, 1, 2, 1, 0, 0, 0
    FROM (VALUES ('hydro_stations', '2025-01-01'), ('rivers', '2025-01-15'), ('hydro_stations', '2025-02-01'))
    AS r (layer, at);
    INSERT INTO data.hydro_stations (_release, _hash, stcd, stnm, origin, geom)
    VALUES (3, gen_random_uuid(), '1', '新', 'delivered', 'SRID=4490;POINT(116 36)');
    INSERT INTO data.hydro_stations__history (_row, _release, _hash, stcd, stnm, origin, geom, recorded_from, recorded_to)
    VALUES (9, 1, gen_random_uuid(), '1', '旧', 'delivered', 'SRID=4490;POINT(116 36)', '2025-01-01', '2025-01-31 23:59');
    INSERT INTO shikong.quarantine (release_id, layer, source_row, rule, field, value, record)
    VALUES (3, 'hydro_stations', 7, 'required', 'stnm', NULL, '{}'), (3, 'hydro_stations', 7, 'range', 'wrz', '-1', '{}');
"""


def _fill_after(step: int, dsn: str, fill: Callable[[psycopg.Connection[Any]], object]) -> None:
    """Bring a database to what it was after a step, and put data into it."""
    every = migrate.steps()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "steps", lambda: every[:step])
        migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:
        fill(conn)


def test_a_database_with_data_is_brought_from_the_first_step_to_the_last(dsn: str) -> None:
    _fill_after(1, dsn, lambda conn: conn.execute(_BEFORE_TWO_CLOCKS))
    assert len(migrate.migrate(dsn)) == len(migrate.steps()) - 1
    layer = catalog.default().layer("hydro_stations")
    with psycopg.connect(dsn) as conn:
        tables.ensure(conn, layer)
        for day, name in (("2025-01-10", "旧"), ("2025-02-10", "新"), ("2024-12-31", None)):
            known = as_of.known(layer, as_of.release_at(layer, sql.Literal(day)), ["stnm"])
            rows = conn.execute(sql.SQL("SELECT stnm FROM {} AS k").format(known)).fetchall()
            assert rows == ([(name,)] if name else [])
        assert conn.execute("SELECT count(*), min(state) FROM shikong.quarantine").fetchone() == (1, "open")
        found = conn.execute("SELECT source_row, rule, field, value FROM shikong.finding ORDER BY rule").fetchall()
        keys = conn.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'data'::regnamespace"
        )
        assert not keys.fetchall(), "a foreign key makes each loaded row look its release up"
    assert found == [(7, "range", "wrz", "-1"), (7, "required", "stnm", None)]


_BEFORE_OBSERVATION_HISTORY = """
    CREATE TABLE data.hydro_observations__series (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, station text NOT NULL, parameter text NOT NULL,
        UNIQUE (station, parameter)
    );
    CREATE TABLE data.hydro_observations (
        series integer NOT NULL REFERENCES data.hydro_observations__series (id), time timestamptz NOT NULL,
        value double precision NOT NULL, origin text NOT NULL, _release integer NOT NULL, PRIMARY KEY (series, time)
    ) PARTITION BY RANGE (time);
    CREATE TABLE data.hydro_observations__202601 PARTITION OF data.hydro_observations
    FOR VALUES FROM ('2026-01-01T00:00:00Z') TO ('2026-02-01T00:00:00Z');
    INSERT INTO shikong.release (
        layer, source, origin, principal, rows_read, rows_stored, rows_quarantined, added, changed, ended, unchanged
    ) VALUES ('hydro_observations', 'x', 'delivered', 'x', 1, 1, 0, 1, 0, 0, 0);
    INSERT INTO data.hydro_observations__series (station, parameter) VALUES ('S1', 'z');
    INSERT INTO data.hydro_observations VALUES (1, '2026-01-05T00:00:00Z', 31.5, 'delivered', 1);
"""


def test_observations_of_before_have_a_history_from_now_on(dsn: str, tmp_path: Path) -> None:
    _fill_after(4, dsn, lambda conn: conn.execute(_BEFORE_OBSERVATION_HISTORY))
    migrate.migrate(dsn)
    with psycopg.connect(dsn) as conn:  # before any load has made tables
        known = observations.known(OBSERVATIONS, sql.Literal(1))
        assert conn.execute(sql.SQL("SELECT value FROM {} AS k").format(known)).fetchall() == [(31.5,)]
    path = tmp_path / "corrected.csv"
    path.write_text("stcd,time,z\nS1,2026-01-05T00:00:00Z,31.6\n", encoding="utf-8")
    store = Database(settings_for(dsn, tmp_path / "data"))
    report = load(store, path, "hydro_observations")
    store.close_threads()
    assert report.counts.changed == 1
    with psycopg.connect(dsn) as conn:
        assert conn.execute(sql.SQL("SELECT value FROM {} AS k").format(known)).fetchall() == [(31.5,)]
        assert conn.execute("SELECT value FROM data.hydro_observations").fetchall() == [(31.6,)]


def test_a_new_layers_history_is_that_of_the_step(shaped: str, dsn: str) -> None:
    _fill_after(4, dsn, lambda conn: conn.execute(_BEFORE_OBSERVATION_HISTORY))
    migrate.migrate(dsn)
    assert _shape(dsn) == _shape(shaped)


def _shape(dsn: str) -> list[Any]:
    """Columns, constraints and indexes of the history of observations."""
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'data.hydro_observations__history'::regclass"
            " UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename = 'hydro_observations__history' ORDER BY 1"
        ).fetchall()
    return [_columns(dsn, "hydro_observations__history"), rows]


def test_versions_that_ended_before_are_still_known_twice(dsn: str, tmp_path: Path) -> None:
    """Before step 8 a version that ended was two rows: believed to hold on, superseded; and held until then."""
    layer = catalog.default().layer("parcels")

    def fill(conn: psycopg.Connection[Any]) -> None:
        tables.ensure(conn, layer)
        conn.execute("ALTER TABLE data.parcels__history DROP COLUMN _ended, DROP COLUMN _held_to")
        conn.execute(_BEFORE_ONE_ROW)

    _fill_after(7, dsn, fill)
    migrate.migrate(dsn)
    store = Database(settings_for(dsn, tmp_path / "data"))
    path = tmp_path / "later.csv"
    path.write_text('bsm,dlbm,wkt\nP1,0301,"POLYGON ((116 36, 116.01 36, 116 36.01, 116 36))"\n', encoding="utf-8")
    told = load(store, path, "parcels", valid_from=datetime(2026, 1, 1, tzinfo=UTC), crs="EPSG:4490")
    assert told.counts.changed == 1
    store.close_threads()
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT count(*) FROM data.parcels__history").fetchone() == (3,)
        for release, held in ((1, [("0101", None)]), (2, [("0101", 2025), ("0103", None)]),
                              (3, [("0101", 2025), ("0103", 2026), ("0301", None)])):  # fmt: skip
            query = sql.SQL("SELECT dlbm, extract(year FROM valid_to)::int FROM {} AS k ORDER BY dlbm").format(
                as_of.known(layer, sql.Literal(release))
            )
            assert conn.execute(query).fetchall() == held


_BEFORE_ONE_ROW = """
    INSERT INTO shikong.release (
        layer, source, origin, principal, rows_read, rows_stored, rows_quarantined, added, changed, ended, unchanged
    )
    SELECT 'parcels', 'x', 'delivered', 'x', 1, 1, 0, 1, 0, 0, 0 FROM generate_series(1, 2);
    INSERT INTO data.parcels__history (
        _row, _release, _hash, bsm, dlbm, origin, valid_from, valid_to, geom, _superseded
    )
    SELECT 1, release, gen_random_uuid(), 'P1', '0101', 'delivered', '2024-01-01', valid_to::timestamptz,
        'SRID=4490;MULTIPOLYGON (((116 36, 116.01 36, 116 36.01, 116 36)))', superseded
    FROM (VALUES (1, NULL, 2), (2, '2025-01-01', NULL)) AS v (release, valid_to, superseded);
    INSERT INTO data.parcels (_release, _hash, bsm, dlbm, origin, valid_from, geom)
    VALUES (2, gen_random_uuid(), 'P1', '0103', 'delivered', '2025-01-01',
        'SRID=4490;MULTIPOLYGON (((116 36, 116.01 36, 116 36.01, 116 36)))');
"""


def test_declared_layers_have_tables_before_anything_is_loaded(dsn: str) -> None:
    migrate.migrate(dsn)
    migrate.make_tables(dsn, catalog.default())
    for layer in FEATURES:
        columns = _columns(dsn, layer.id)
        assert set(tables.row_columns(layer)) <= set(columns), layer.id
    with psycopg.connect(dsn) as conn:
        indexes = {
            name for (name,) in conn.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'plan_conflicts'")
        }
        conn.execute("ALTER TABLE data.roads DROP COLUMN name")
    assert {"plan_conflicts__a_id", "plan_conflicts__b_id"} <= indexes
    migrate.make_tables(dsn, catalog.default())
    assert "name" in _columns(dsn, "roads")
