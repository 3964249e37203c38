"""CQL2 against what the standard gives: its test data with the expected counts, and its examples.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cql2
import orjson
import pandas
import psycopg
import pyogrio
import pytest
import shapely
from psycopg import sql

from shikong.layers.model import Layer
from shikong.providers import items
from shikong.providers.cql2.compile import compile_filter
from shikong.providers.cql2.parse import Language, parse
from shikong.providers.crs import DEFAULT
from shikong.providers.errors import BadParameter
from shikong.providers.items import Items
from shikong.store import tables

ATS = Path(__file__).with_name("cql2_ats.tsv")
ZONE = "Asia/Shanghai"

#: Where the standard's count is not what its own data gives, with the count of the plain test beside it: of the names
#: that begin with Ch there are three (Chișinău, Chicago, Chengdu), and only one goes on with an s of whatever kind.
ERRATA: dict[str, tuple[int, Callable[[str], bool]]] = {
    "ACCENTI(name) LIKE accenti('Ch%')": (3, lambda name: name.startswith("Ch")),
    "ACCENTI(CASEI(name)) LIKE accenti(casei('Chiș%'))": (1, lambda name: name.startswith(("Chiș", "Chis"))),
    "ACCENTI(CASEI(name)) LIKE accenti(casei('cHis%'))": (1, lambda name: name.startswith(("Chiș", "Chis"))),
}

Count = Callable[[str, str, Language], int]


def _layer(name: str, geometry: str, fields: dict[str, str]) -> Layer:
    """A layer with these fields, keyed by their row number."""
    declared = {field: {"type": kind, "title": {"zh": field, "en": field}} for field, kind in fields.items()}
    return Layer.model_validate(
        {
            "id": f"cql2_{name}", "title": {"zh": name, "en": name}, "description": {"zh": name, "en": name},
            "theme": "base", "steward": "OGC", "kind": "features", "geometry": geometry, "access": {"write": "planner"},
            "fields": {"fid": {"type": "integer", "key": True, "title": {"zh": "fid", "en": "fid"}}} | declared,
        }
    )  # fmt: skip


LAYERS = {
    "admin_0_countries": _layer("countries", "MultiPolygon", {"name": "string", "pop_est": "number"}),
    "populated_places_simple": _layer(
        "places", "Point",
        {"name": "string", "nameascii": "string", "pop_other": "integer", "pop_min": "integer", "pop_max": "integer",
         "date": "date", "start": "datetime",
         "end": "datetime", "boolean": "boolean"},
    ),
    "rivers_lake_centerlines": _layer("rivers", "LineString", {"name": "string"}),
}  # fmt: skip


def _value(layer: Layer, name: str, value: Any) -> Any:
    """A value of the data frame as the store wants it; the data's times are UTC."""
    if pandas.isna(value):
        return None
    kind = layer.fields[name].type
    if kind == "boolean":
        return bool(value)
    if kind == "date":
        return value.date()
    return value.tz_localize("UTC").to_pydatetime() if kind == "datetime" else value


@pytest.fixture(scope="module")
def natural_earth(cluster: Any, template: str, shared_ats: Path) -> Iterator[psycopg.Connection[Any]]:
    """The standard's three tables in tables made as for any layer."""
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE cql2_standard TEMPLATE {template}")
    with psycopg.connect(cluster.dsn_of("cql2_standard"), autocommit=True) as conn:
        for source, layer in LAYERS.items():
            _load(conn, layer, pyogrio.read_dataframe(shared_ats, layer=f"ne_110m_{source}"))
        yield conn


@pytest.fixture(scope="module")
def shared_ats() -> Path:
    """The standard's test data; tests on it are skipped where it is absent."""
    path = Path(__file__).parents[3] / "shared" / "data" / "cql2" / "ne110m4cql2.gpkg"
    if not path.is_file():
        pytest.skip(f"no real data at {path}: tests on real files are not run")
    return path


def _load(conn: psycopg.Connection[Any], layer: Layer, frame: Any) -> None:
    tables.ensure(conn, layer)
    release = conn.execute(
        "INSERT INTO shikong.release (layer, source, origin, principal, rows_read, rows_stored, rows_quarantined,"
        " added, changed, ended, unchanged) VALUES (%s, 'ATS', 'delivered', 'test', 0, 0, 0, 0, 0, 0, 0) RETURNING id",
        (layer.id,),
    ).fetchone()
    assert release is not None
    names = [name for name in layer.fields if name != "fid"]
    frame.columns = [name.lower() for name in frame.columns]
    statement = sql.SQL(
        "INSERT INTO {} (_release, _hash, origin, fid, {}, geom)"
        " VALUES ({}, gen_random_uuid(), 'delivered', %s, {}, st_geomfromwkb(%s, 4490))"
    ).format(
        tables.table(layer), sql.SQL(", ").join(map(sql.Identifier, names)), sql.Literal(release[0]),
        sql.SQL(", ").join(sql.Placeholder() * len(names)),
    )  # fmt: skip
    for number, row in enumerate(frame.itertuples(index=False)):
        values = [_value(layer, name, getattr(row, name)) for name in names]
        conn.execute(statement, [number, *values, shapely.to_wkb(row.geometry)])


@pytest.fixture(scope="module")
def count(natural_earth: psycopg.Connection[Any]) -> Count:
    """How many features of a table a filter selects, through the server's own query."""

    def ask(source: str, text: str, lang: Language) -> int:
        layer = LAYERS[source]
        statement = items.count(layer, Items(1, cql=compile_filter(layer, text, lang, DEFAULT, ZONE)))
        row = natural_earth.execute(statement.query, statement.params).fetchone()
        assert row is not None
        return int(row[0])

    return ask


def _cases() -> dict[str, list[tuple[str, str, int]]]:
    """Filters with the table they are for and the count that the standard expects, by conformance class."""
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for line in ATS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            conformance, source, text, expected = line.split("\t")
            found[conformance].append((source, text, int(expected)))
    return found


@pytest.mark.parametrize("lang", ["cql2-text", "cql2-json"])
@pytest.mark.parametrize("conformance", sorted(_cases()))
def test_the_standard_s_filters_select_what_it_expects(conformance: str, lang: Language, count: Count) -> None:
    wrong = []
    for source, text, expected in _cases()[conformance]:
        filter_ = text if lang == "cql2-text" else orjson.dumps(cql2.parse_text(text).to_json()).decode()
        found = count(source, filter_, lang)
        if found != ERRATA.get(text, (expected,))[0]:
            wrong.append(f"{source}: {text}: {found}, not {expected}")
    assert not wrong, "\n".join(wrong)


def test_the_standard_s_errata_are_what_its_data_gives(shared_ats: Path) -> None:
    names = pyogrio.read_dataframe(shared_ats, layer="ne_110m_populated_places_simple").name
    expected = {text: count for _, text, count in _cases()["accent-insensitive-comparison"]}
    for text, (given, test) in ERRATA.items():
        assert given == sum(map(test, names)) != expected[text]


def test_combinations_of_the_standard_s_filters_follow_the_logic_of_sets(
    natural_earth: psycopg.Connection[Any],
) -> None:
    """The suite's random combinations, the result put together from each filter's own answers (true, false, null)."""
    layer = LAYERS["populated_places_simple"]

    def answers(text: str) -> dict[int, bool | None]:
        cql = compile_filter(layer, text, "cql2-text", DEFAULT, ZONE)
        query = sql.SQL("SELECT fid, {} FROM {} AS s").format(cql.condition, tables.table(layer))
        return dict(natural_earth.execute(query.as_bytes(None), cql.params).fetchall())

    texts = [text for cases in _cases().values() for source, text, _ in cases if source == "populated_places_simple"]
    chosen = random.Random(20261124).sample(texts, 80)
    for start in range(0, len(chosen), 4):
        group = chosen[start : start + 4]
        p1, p2, p3, p4 = (answers(text) for text in group)
        whole = "((NOT ({}) AND ({})) OR (({}) AND NOT ({})) OR NOT (({}) AND ({})))".format(*group, group[0], group[3])
        for fid, found in answers(whole).items():
            first = _and(_not(p1[fid]), p2[fid])
            second = _and(p3[fid], _not(p4[fid]))
            assert found == _or(_or(first, second), _not(_and(p1[fid], p4[fid]))), (whole, fid)


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: bool | None, right: bool | None) -> bool | None:
    return _not(_and(_not(left), _not(right)))


#: What the examples name, as fields of a layer; those on arrays and on functions of the reader's own are parsed only.
EXAMPLES = _layer("examples", "Polygon", {
    "windspeed": "number", "updated": "datetime", "name": "string", "cityname": "string", "road_class": "string",
    "taxes": "number", "owner": "string", "swimming_pool": "boolean", "floors": "integer", "material": "string",
    "built": "date", "starts_at": "datetime", "ends_at": "datetime", "value": "number", "foo": "number",
    "updated_at": "datetime", "vehicle_height": "number", "bridge_clearance": "number", "event_time": "datetime",
})  # fmt: skip
#: Examples that need what no layer here can have, with what the refusal names.
UNUSABLE = {
    "clause6_01": "avg", "clause6_02b": "avg", "example68": "Foo", "clause7_15": "layer:ids", "example80": "values",
    "example82": "values", "example02": "eo:instrument", "example04": "eo:cloud_cover", "example05b": "eo:cloud_cover",
    "example06b": "eo:cloud_cover", "example08": "beamMode", "example28": "geophys:SURVEY_NAME", "example30": "id",
    "clause7_03a": "cityName", "example40": "number with string", "example40-alt01": "number with string",
}  # fmt: skip


def test_the_standard_s_examples_compile(shared_data: Path) -> None:
    examples = sorted((shared_data / "cql2" / "examples").glob("*/*"))
    assert len(examples) == 117
    wrong = []
    for path in examples:
        lang: Language = "cql2-text" if path.suffix == ".txt" else "cql2-json"
        text = path.read_text(encoding="utf-8")
        parse(text, lang)
        try:
            compile_filter(EXAMPLES, text, lang, DEFAULT, ZONE)
        except BadParameter as error:
            if UNUSABLE.get(path.stem, "(none)") not in str(error):
                wrong.append(f"{path.name}: {error}")
        else:
            if path.stem in UNUSABLE:
                wrong.append(f"{path.name}: compiles")
    assert not wrong, "\n".join(wrong)


#: Filters and the index that each must use.
INDEXED = {
    "S_INTERSECTS(geometry, BBOX(5, 5, 6, 6))": "geom",
    "S_WITHIN(geometry, POLYGON((5 5, 6 5, 6 6, 5 5)))": "geom",
    "S_CONTAINS(POLYGON((5 5, 6 5, 6 6, 5 5)), geometry)": "geom",
    "S_EQUALS(geometry, POINT(5 5))": "geom",
    "S_INTERSECTS(geometry, buffer(POINT(5 5), 5000))": "geom",
    "name = 'x' AND S_TOUCHES(geometry, LINESTRING(5 5, 6 6))": "geom",
    "fid = 7": "key",
    "fid = 3 + 4": "key",
    "fid IN (7, 8)": "key",
    "7 = fid AND name LIKE 'x%'": "key",
    "fid BETWEEN 7 AND 9": "key",
}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_no_filter_hides_a_column_from_its_index(natural_earth: psycopg.Connection[Any], mode: str) -> None:
    """On a table so large that reading it whole would be the worse plan; generic plans are those of prepared queries."""
    layer = LAYERS["populated_places_simple"]
    with natural_earth.transaction(force_rollback=True):
        natural_earth.execute(
            sql.SQL(
                "INSERT INTO {table} (_release, _hash, origin, fid, name, geom) SELECT _release, _hash, origin,"
                " 1000 * n + fid, name, st_translate(geom, 0.001 * n, 0) FROM {table}, generate_series(1, 100) AS n"
            ).format(table=tables.table(layer))
        )
        natural_earth.execute(sql.SQL("ANALYZE {}").format(tables.table(layer)))
        natural_earth.execute(sql.SQL("SET LOCAL plan_cache_mode = {}").format(sql.Literal(mode)))
        for text, index in INDEXED.items():
            statement = items.count(layer, Items(1, cql=compile_filter(layer, text, "cql2-text", DEFAULT, ZONE)))
            rows = natural_earth.execute(b"EXPLAIN " + statement.query, statement.params, prepare=True).fetchall()
            plan = "\n".join(row[0] for row in rows)
            assert f"{layer.id}__{index}" in plan, f"{text}:\n{plan}"
            assert "Index Cond" in plan, f"{text}:\n{plan}"
