"""Edits and what stands around them: features that refer to others, ends that were planned, gaps between neighbours.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
import shapely.affinity

from shikong.ingest.edit_errors import NotTaken, RulesBroken, StillReferred
from shikong.ingest.edits import Operation, Outcome, apply
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import ellipsoid, releases
from shikong.store.database import Database
from support.loads import load

TITLE = {"zh": "某", "en": "Some"}
POINT = shapely.Point(116, 36.4)


def _layer(identifier: str, geometry: str, *rules: Any, fields: str = "") -> Layer:
    declared = {name: {"type": "string", "title": TITLE, "key": name == "code"} for name in ("code", *fields.split())}
    return Layer.model_validate({
        "id": identifier, "title": TITLE, "description": TITLE, "theme": "base", "steward": "某局", "kind": "features",
        "geometry": geometry, "fields": declared, "quality": rules, "access": {"write": "planner"},
    })  # fmt: skip


def _city(*layers: Layer) -> Catalog:
    whole = catalog.default()
    return Catalog(whole.city, {layer.id: layer for layer in layers}, whole.codes)


OWNERS = _layer("owners", "Point", fields="number")
PLOTS = _layer(
    "plots", "Point", {"rule": "references", "field": "owner", "layer": "owners", "to": "code"}, fields="owner"
)
SIGNS = _layer("signs", "Point", {"rule": "references", "field": "of", "layer": "owners", "to": "number"}, fields="of")
LOOSE = _layer("notes", "Point", {"rule": "references", "field": "of", "layer": "owners", "to": "code",
                                  "severity": "warning"}, fields="of")  # fmt: skip
CITY = _city(OWNERS, PLOTS, SIGNS, LOOSE)


def _do(store: Database, *operations: Operation, city: Catalog = CITY, lenient: bool = False) -> list[Outcome]:
    return apply(store, city, operations, lenient=lenient)


def _create(layer: Layer, key: str, shape: Any = POINT, **values: Any) -> Operation:
    return Operation(layer, "create", key, None, {"code": key} | values, shape)


def _update(layer: Layer, key: str, shape: Any = None, **values: Any) -> Operation:
    return Operation(layer, "update", key, None, values, shape, shape_given=shape is not None)


def _delete(layer: Layer, key: str) -> Operation:
    return Operation(layer, "delete", key)


def _codes(store: Database, layer: Layer) -> set[str]:
    with store.thread_session() as conn:
        return {row[0] for row in conn.execute(f"SELECT code FROM data.{layer.id}")}


def test_what_others_refer_to_stays(empty_store: Database) -> None:
    owners = [_create(OWNERS, f"O{n}", number=str(n)) for n in range(3)]
    plots = [_create(PLOTS, f"P{n}", owner="O1") for n in range(5)]
    _do(empty_store, *owners, *plots, _create(SIGNS, "S0", of="2"), _create(LOOSE, "N0", of="O0"))
    with pytest.raises(NotTaken) as refused:
        _do(empty_store, _delete(OWNERS, "O1"))
    error = refused.value.outcomes[0].error
    assert isinstance(error, StillReferred)
    assert str(error).startswith("owners O1 is referred to by plots P0, P1, P2 and 2 more (owner = O1)")
    with pytest.raises(NotTaken, match="1 of 1"):
        _do(empty_store, _update(OWNERS, "O2", number="9"))
    _do(empty_store, _update(OWNERS, "O1", number="7"), _delete(OWNERS, "O0"))  # what is referred to has not changed
    assert _codes(empty_store, OWNERS) == {"O1", "O2"}
    # of several, only those that are referred to are refused
    made = _do(empty_store, _delete(OWNERS, "O1"), _create(OWNERS, "O8"), lenient=True)
    assert [type(outcome.error) for outcome in made] == [StillReferred, type(None)]
    # those that refer may go, or refer to another, in the same transaction
    _do(
        empty_store,
        _delete(OWNERS, "O1"),
        *(_delete(PLOTS, f"P{n}") for n in range(4)),
        _update(PLOTS, "P4", owner="O8"),
    )
    _do(empty_store, _update(OWNERS, "O2", number="9"), _update(SIGNS, "S0", of=None))
    assert _codes(empty_store, OWNERS) == {"O2", "O8"}


def test_references_are_whole_after_any_edits(empty_store: Database) -> None:
    """Random batches against a model in plain Python."""
    chance = random.Random(50)
    owners: set[str] = set()
    plots: dict[str, str | None] = {}
    _do(empty_store, _create(OWNERS, "first"), _create(PLOTS, "first"))
    owners.add("first")
    plots["first"] = None
    taken = 0
    for _ in range(60):
        after, owned = set(owners), dict(plots)
        operations: list[Operation] = []
        for name in chance.sample("ABCD", chance.randint(0, 2)):
            operations.append(_delete(OWNERS, name) if name in owners else _create(OWNERS, name))
            after ^= {name}
        for name in chance.sample("123456", chance.randint(0, 2)):
            to = chance.choice([None, *(owners & after)])
            if name in plots and chance.random() < 0.4:
                operations.append(_delete(PLOTS, name))
                del owned[name]
            else:
                make = _update if name in plots else _create
                operations.append(make(PLOTS, name, owner=to))
                owned[name] = to
        if not operations:
            continue
        whole = {to for to in owned.values() if to} <= after
        if whole:
            _do(empty_store, *operations)
            owners, plots, taken = after, owned, taken + 1
        else:
            with pytest.raises(NotTaken):
                _do(empty_store, *operations)
        assert (_codes(empty_store, OWNERS), _codes(empty_store, PLOTS)) == (owners, set(plots))
    assert 10 < taken < 50


PARCELS = catalog.default().layer("parcels")


def test_a_planned_end_outlives_edits(empty_store: Database, tmp_path: Path) -> None:
    """It is that of the version in force, through whatever versions come before it."""
    square = shapely.box(116, 36.4, 116.001, 36.401)
    planned = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    frame = gpd.GeoDataFrame(
        {"bsm": ["K1", "K2"], "dlbm": ["0101"] * 2, "valid_from": ["2024-01-01T00:00:00Z"] * 2,
         "valid_to": [planned.isoformat(), None]},
        geometry=[square, shapely.affinity.translate(square, 0.01)], crs=4490,
    )  # fmt: skip
    frame.to_file(tmp_path / "parcels.geojson")
    load(empty_store, tmp_path / "parcels.geojson", "parcels")
    city = catalog.default()
    states = []
    for name in ("0102", "0103", "0601"):
        first, _ = _do(empty_store, _update(PARCELS, "K1", dlbm=name), _update(PARCELS, "K2", dlbm=name), city=city)
        states.append(first.state)
    replaced = Operation(PARCELS, "replace", "K1", frozenset([states[-1] or ""]), {"bsm": "K1", "dlbm": "0301"}, square)
    _do(empty_store, replaced, city=city)
    with empty_store.thread_session() as conn:
        now = dict(conn.execute("SELECT bsm, valid_to FROM data.parcels").fetchall())
        then = conn.execute(
            "SELECT valid_from, valid_to FROM data.parcels__history"
            " WHERE bsm = 'K1' AND _superseded IS NULL ORDER BY valid_from"
        ).fetchall()
        begun = conn.execute("SELECT valid_from FROM data.parcels WHERE bsm = 'K1'").fetchone()
    assert now == {"K1": planned, "K2": None}
    assert len(set(states)) == 3
    assert [end for _, end in then] == [*(start for start, _ in then[1:]), (begun or (None,))[0]]


SIZE = 0.001
SHEET = _layer(
    "sheet", "MultiPolygon", {"rule": "no_gaps", "max_area": 30_000}, {"rule": "no_overlap", "severity": "warning"}
)


def _gaps(shapes: list[Any], most: float) -> list[Any]:
    """The gaps of a whole layer, by brute force: the faces between all edges over which no surface lies."""
    lines = shapely.union_all(shapely.boundary(shapes))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    free = [face for face in faces if not shapely.covers(shapes, face.representative_point()).any()]
    holes = [shapely.Polygon(face.exterior) for face in free]
    return [hole for hole in holes if ellipsoid.areas([hole])[0] <= most]


def test_an_edit_is_told_of_the_gaps_that_a_sweep_of_the_whole_finds_at_it(
    empty_store: Database, tmp_path: Path
) -> None:
    chance = random.Random(16)
    shapes = {
        f"P{column}{row}": shapely.box(116 + column * SIZE, 36.4 + row * SIZE, 116 + (column + 1) * SIZE, 36.4 + (row + 1) * SIZE)
        for column in range(9)
        for row in range(9)
        if (column, row) not in ((4, 2), (4, 3), (4, 4), (4, 5), (7, 7), (0, 5))  # a long gap, a small, a bay
    }  # fmt: skip
    frame = gpd.GeoDataFrame({"code": list(shapes)}, geometry=list(shapes.values()), crs=4490)
    frame.to_file(tmp_path / "sheet.fgb")
    city = _city(SHEET)
    load(empty_store, tmp_path / "sheet.fgb", "sheet", city)
    seen = set()
    for _ in range(40):
        key = chance.choice(list(shapes))
        was = shapes[key]
        now = chance.choice([
            was.buffer(-0.0001, join_style="mitre"),
            shapely.affinity.translate(was, chance.uniform(-0.0004, 0.0004), chance.uniform(-0.0004, 0.0004)),
            shapely.box(*(value + shift for value, shift in zip(was.bounds, (0, 0, chance.uniform(-0.0006, 0.0006), 0), strict=True))),
            shapely.difference(was, was.centroid.buffer(0.0002)),
            shapely.box(*was.bounds),
        ])  # fmt: skip
        shapes[key] = now
        (outcome,) = _do(empty_store, _update(SHEET, key, now), city=city)
        told = [shapely.from_wkb(each.shape) for each in outcome.warnings if each.rule == "no_gaps"]
        wanted = [
            hole for hole in _gaps(list(shapes.values()), 30_000) if min(hole.distance(was), hole.distance(now)) < 1e-9
        ]
        assert len(told) == len(wanted)
        assert shapely.union_all(told).symmetric_difference(shapely.union_all(wanted)).area < 1e-13
        seen.add(len(wanted))
    assert len(seen) > 2


def test_a_gap_that_stops_refuses_the_edit_that_makes_it(empty_store: Database, tmp_path: Path) -> None:
    layer = _layer("strict", "MultiPolygon", {"rule": "no_gaps", "severity": "stop"})
    cells = [(column, row) for column in range(3) for row in range(3)]
    boxes = [
        shapely.box(116 + x * SIZE, 36.4 + y * SIZE, 116 + (x + 1) * SIZE, 36.4 + (y + 1) * SIZE) for x, y in cells
    ]
    frame = gpd.GeoDataFrame({"code": [f"P{x}{y}" for x, y in cells]}, geometry=boxes, crs=4490)
    frame.to_file(tmp_path / "strict.fgb")
    city = _city(layer)
    load(empty_store, tmp_path / "strict.fgb", "strict", city)
    with pytest.raises(NotTaken) as refused:
        _do(empty_store, _update(layer, "P11", boxes[4].buffer(-0.0001)), city=city)
    error = refused.value.outcomes[0].error
    assert isinstance(error, RulesBroken)
    assert {finding.rule for finding in error.findings} == {"no_gaps"}
    with pytest.raises(NotTaken) as refused:
        _do(empty_store, Operation(layer, "delete", "P11"), city=city)
    error = refused.value.outcomes[0].error
    assert isinstance(error, RulesBroken)
    assert {finding.rule for finding in error.findings} == {"no_gaps"}
    _do(empty_store, _update(layer, "P22", boxes[8].buffer(-0.0001)), city=city)  # a corner is no gap
    _do(empty_store, Operation(layer, "delete", "P20"), city=city)  # nor is it when it goes
    wider = shapely.union_all([boxes[4], boxes[5]])
    _do(empty_store, Operation(layer, "delete", "P11"), _update(layer, "P12", wider), city=city)  # joined


def test_what_is_told_of_a_gap_stays_with_the_release_that_leaves_it(empty_store: Database, tmp_path: Path) -> None:
    boxes = {f"P{x}": shapely.box(116 + x * SIZE, 36.4, 116 + (x + 1) * SIZE, 36.4 + SIZE) for x in range(3)}
    ring = shapely.difference(shapely.box(116 - SIZE, 36.4 - SIZE, 116 + 4 * SIZE, 36.4 + 2 * SIZE), shapely.union_all(list(boxes.values())))  # fmt: skip
    frame = gpd.GeoDataFrame({"code": [*boxes, "R"]}, geometry=[*boxes.values(), ring], crs=4490)
    frame.to_file(tmp_path / "sheet.fgb")
    city = _city(SHEET)
    load(empty_store, tmp_path / "sheet.fgb", "sheet", city)
    (outcome,) = _do(empty_store, Operation(SHEET, "delete", "P1"), city=city)
    (told,) = outcome.warnings
    assert shapely.from_wkb(told.shape).symmetric_difference(boxes["P1"]).area < 1e-13
    with empty_store.thread_session() as conn:
        kept = conn.execute("SELECT rule, severity FROM shikong.finding WHERE release_id = %s", (outcome.release,))
        assert kept.fetchall() == [("no_gaps", "warning")]


def test_how_far_a_layer_reaches_is_told_from_its_rim(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features at the rim go, shrink and come; the release says what a look at all rows says."""
    chance = random.Random(3)
    plain = _layer("plain", "MultiPolygon")
    keys = [f"P{number}" for number in range(1500)]
    shapes = {
        key: shapely.box(x, y, x + SIZE * chance.random(), y + SIZE * chance.random())
        for key in keys
        for x, y in [(116 + chance.random() / 10, 36.4 + chance.random() / 10)]
    }
    frame = gpd.GeoDataFrame({"code": keys}, geometry=list(shapes.values()), crs=4490)
    frame.to_file(tmp_path / "plain.fgb")
    city = _city(plain)
    load(empty_store, tmp_path / "plain.fgb", "plain", city)
    monkeypatch.setattr(releases, "extent_of", lambda conn, layer: pytest.fail("all rows were looked at"))
    for _ in range(30):
        side = chance.randrange(4)
        bounds = shapely.bounds(list(shapes.values()))[:, side]
        key = list(shapes)[int(bounds.argmin() if side < 2 else bounds.argmax())]
        match chance.randrange(3):
            case 0:
                operation = _delete(plain, key)
                del shapes[key]
            case 1:
                shapes[key] = shapely.affinity.scale(shapes[key], 0.5, 0.5)
                operation = _update(plain, key, shapes[key])
            case _:
                shapes[key] = shapely.affinity.translate(shapes[key], *chance.choices([-0.01, 0, 0.01], k=2))
                operation = _update(plain, key, shapes[key])
        (outcome,) = _do(empty_store, operation, city=city)
        with empty_store.thread_session() as conn:
            told = conn.execute("SELECT extent FROM shikong.release WHERE id = %s", (outcome.release,)).fetchone()
        assert told == (pytest.approx(list(shapely.total_bounds(list(shapes.values()))), abs=1e-12),)
