"""The conflict engine on random small cities: against a model that compares every pair, and run after run.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg
import pytest
import shapely
from pyproj import Transformer

from shikong.ingest import edits
from shikong.ingest.edits import Operation
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import ConflictRules, Side
from shikong.processes.conflicts import runs
from shikong.processes.conflicts.runs import Outcome
from shikong.processes.overlay import spread
from shikong.store import ellipsoid, jobs
from shikong.store.database import Database
from support.loads import dsn_of, load

WORDS = {"title": {"zh": "规则", "en": "Rule"}, "basis": {"zh": "法", "en": "Law"}, "advice": {"zh": "议", "en": "Do"}}
RULES = {
    "overlap": {
        "severity": "high", "a": {"layer": "urban_growth_boundary"}, "b": {"layer": "permanent_farmland"},
        "sliver": {"area": 500, "width": 8},
    },
    "of_classes": {
        "severity": "low", "a": {"layer": "planning_zones", "group": "construction"},
        "b": {"layer": "permanent_farmland"},
    },
    "outside": {
        "severity": "medium", "relation": "uncovered",
        "a": {"layer": "planning_zones", "classes": ["10"]}, "b": {"layer": "urban_growth_boundary"},
    },
    "near": {
        "severity": "medium", "a": {"layer": "planning_zones", "classes": ["07", "1101"]},
        "b": {"layer": "ecological_redline", "within": 60},
    },
    "differs": {
        "severity": "low", "a": {"layer": "permanent_farmland", "by": "dlbm"}, "b": {"layer": "planning_zones"},
        "differing": True,
    },
    "larger": {
        "severity": "low", "a": {"layer": "urban_growth_boundary"}, "b": {"layer": "ecological_redline"},
        "limit": {"value": "area", "at_most": "area"},
    },
}  # fmt: skip


def ruled(rules: ConflictRules) -> Catalog:
    """The shipped catalogue with other rules."""
    shipped = catalog.default()
    codes = shipped.codes | {catalog.CONFLICT_RULES: catalog.conflict_codes(rules)}
    return replace(shipped, conflicts=rules, codes=codes)


CITY = ruled(ConflictRules.model_validate({"rules": {name: WORDS | rule for name, rule in RULES.items()}}))
#: By layer: prefix of keys, the field that classes, its values.
LAYERS = {
    "urban_growth_boundary": ("CZ", "zone", ("concentrated", "flexible", "special")),
    "permanent_farmland": ("YN", "grade", ("3", "4", "5")),
    "ecological_redline": ("ST", "type", ("wetland", "biodiversity")),
    "planning_zones": ("GH", "ghfldm", ("1001", "070102", "1101", "0101", "0301")),
}
#: Classes of the survey, and under which class of plans each comes; 0303 is a wetland.
SURVEY = {"0101": "01", "0301": "03", "0303": "05", "0601": "10", "0702": "07"}
PLACE = np.array([115.9, 36.4])


def surface(rng: np.random.Generator) -> Any:
    """A surface of a hundred metres or so; one in three lies on a grid, so that sides coincide."""
    if rng.random() < 0.33:
        corner = PLACE + rng.integers(0, 14, 2) * 0.001
        return shapely.box(*corner, *np.add(corner, rng.integers(1, 5, 2) * 0.001))
    middle = PLACE + rng.random(2) * 0.015
    angles = np.sort(rng.random(rng.integers(5, 14))) * 2 * np.pi
    reach = rng.uniform(0.0006, 0.0028, len(angles))
    ring = middle + np.column_stack([np.cos(angles), np.sin(angles)]) * reach[:, None]
    shape = shapely.make_valid(shapely.Polygon(ring), method="structure", keep_collapsed=False)
    return shape if shape.geom_type in ("Polygon", "MultiPolygon") and shape.area > 1e-8 else surface(rng)


def write(path: Path, layer: str, rng: np.random.Generator, number: int) -> Path:
    prefix, by, classes = LAYERS[layer]
    columns = {"code": [f"{prefix}{i:03}" for i in range(number)], by: rng.choice(classes, number)}
    if layer == "permanent_farmland":
        columns["dlbm"] = rng.choice(list(SURVEY), number)
    gpd.GeoDataFrame(columns, geometry=[surface(rng) for _ in range(number)], crs=4490).to_file(path)
    return path


@pytest.fixture
def city(empty_store: Database, tmp_path: Path) -> Database:
    """A small city with two counties."""
    rng = np.random.default_rng(7)
    west, south = PLACE - 0.01
    counties = gpd.GeoDataFrame(
        {"xzqdm": ["371502", "371503"], "xzqmc": ["甲县", "乙县"], "level": ["county", "county"]},
        geometry=[shapely.box(west, south, west + 0.018, south + 0.05), shapely.box(west + 0.018, south, west + 0.05, south + 0.05)],
        crs=4490,
    )  # fmt: skip
    counties.to_file(tmp_path / "districts.gpkg")
    load(empty_store, tmp_path / "districts.gpkg", "districts")
    for layer in LAYERS:
        load(empty_store, write(tmp_path / f"{layer}.gpkg", layer, rng, 25), layer)
    return empty_store


def update(store: Database, city: Catalog = CITY, *, whole: bool = False) -> Outcome:
    return runs.update(store, city, lambda done, total: None, whole=whole)


def rows_of(store: Database, layer: str) -> dict[str, dict[str, Any]]:
    """All that is published of a layer, by key."""
    with psycopg.connect(dsn_of(store)) as conn:
        cursor = conn.execute(f"SELECT *, st_asbinary(geom) AS wkb FROM data.{layer}".encode())
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor]
    return {row["code"]: row | {"shape": shapely.from_wkb(row["wkb"])} for row in found}


def widened(shape: Any, metres: float) -> Any:
    """A surface and its surroundings, drawn in a plane of its own, true to length at its middle."""
    middle = shape.centroid
    plane = f"+proj=aeqd +lon_0={middle.x} +lat_0={middle.y} +a=6378137 +rf=298.257222101"
    there, back = Transformer.from_crs(4490, plane, always_xy=True), Transformer.from_crs(plane, 4490, always_xy=True)
    moved = shapely.transform(shape, lambda xy: np.column_stack(there.transform(*xy.T)))
    wide = shapely.buffer(moved, metres, quad_segs=16)
    return shapely.transform(wide, lambda xy: np.column_stack(back.transform(*xy.T)))


def model(store: Database) -> dict[str, tuple[Any, dict[str, Any]]]:
    """What is a conflict, found by comparing every pair: key -> shape, expected columns."""
    found = {}
    for name, rule in CITY.conflicts.rules.items():
        a_by, b_by = rule.a.by or LAYERS[rule.a.layer][1], LAYERS[rule.b.layer][1]
        a_rows, b_rows = side(store, rule.a), side(store, rule.b)
        for a_id, a in a_rows.items():
            if rule.relation == "uncovered":
                left = shapely.difference(a["shape"], shapely.union_all([b["shape"] for b in b_rows.values()]))
                if left.area > 1e-14:
                    found[f"{name}.{a_id}"] = left, {"a_class": a[a_by], "b_id": None, "b_layer": rule.b.layer}
                continue
            for b_id, b in b_rows.items():
                shared = shapely.intersection(a["shape"], b["shape"])
                spared = (rule.limit and not a["area"] > b["area"]) or (
                    rule.differing and SURVEY[a["dlbm"]] == b["ghfldm"][:2]
                )
                if shared.area > 1e-14 and not spared:
                    found[f"{name}.{a_id}.{b_id}"] = shared, {
                        "a_layer": rule.a.layer, "a_class": a[a_by], "a_release": a["_release"], "b_class": b[b_by],
                        "b_id": b_id, "b_release": b["_release"], "a_value": a["area"] if rule.limit else None,
                    }  # fmt: skip
    return found


def side(store: Database, side: Side) -> dict[str, dict[str, Any]]:
    """The rows that a side of a rule is about."""
    by, listed = LAYERS[side.layer][1], CITY.codes["land_use_plan"]
    found = {}
    for key, row in rows_of(store, side.layer).items():
        in_group = side.group and listed.group_of(row[by]) == side.group
        if not (side.group or side.classes) or in_group or any(row[by].startswith(code) for code in side.classes):
            found[key] = row | ({"shape": widened(row["shape"], side.within)} if side.within else {})
    return found


def check_against_model(store: Database) -> None:
    got, expected = rows_of(store, "plan_conflicts"), model(store)
    assert got.keys() == expected.keys()
    for key, (shape, columns) in expected.items():
        row = got[key]
        assert {name: row[name] for name in columns} == columns
        rule = CITY.conflicts.rules[row["rule"]]
        areal = [part for part in shapely.get_parts(shapely.get_parts(shape)) if part.geom_type == "Polygon"]
        assert shapely.symmetric_difference(row["shape"], shapely.multipolygons(areal)).area < 1e-12 + shape.area * 5e-4
        assert row["area"] == pytest.approx(ellipsoid.areas([row["shape"]])[0], rel=1e-4, abs=0.01)
        assert row["severity"] == rule.severity
        assert row["sliver"] == (row["area"] < rule.sliver.area or row["width"] < rule.sliver.width)
        assert row["xzqdm"] == ("371502" if row["shape"].representative_point().x < PLACE[0] + 0.008 else "371503")


def test_a_run_finds_what_comparing_every_pair_finds(city: Database) -> None:
    outcome = update(city)
    assert outcome.whole
    assert outcome.release is not None
    check_against_model(city)
    rows = rows_of(city, "plan_conflicts").values()
    assert {row["rule"] for row in rows} == RULES.keys()
    assert {row["sliver"] for row in rows} == {True, False}
    assert {row["xzqdm"] for row in rows} == {"371502", "371503"}


def random_edit(rng: np.random.Generator, store: Database) -> list[Operation]:
    """Changes of one to three features of one layer."""
    layer = str(rng.choice(list(LAYERS)))
    prefix, by, classes = LAYERS[layer]
    keys = list(rows_of(store, layer))
    done = []
    for key in rng.choice(keys, rng.integers(1, 4), replace=False):
        what = rng.random()
        values = {by: str(rng.choice(classes))}
        if layer == "permanent_farmland":
            values["dlbm"] = str(rng.choice(list(SURVEY)))
        declared = CITY.layer(layer)
        if what < 0.25 and len(keys) > 10:
            done.append(Operation(declared, "delete", str(key)))
        elif what < 0.5:
            fresh = f"{prefix}{rng.integers(100, 10**6):06}"
            done.append(Operation(declared, "create", fresh, values=values | {"code": fresh}, shape=surface(rng)))
        elif what < 0.75:
            done.append(Operation(declared, "update", str(key), values=values, shape_given=False))
        else:
            done.append(Operation(declared, "update", str(key), values={}, shape=surface(rng)))
    return done


def test_after_each_of_fifty_edits_what_changed_gives_the_same_as_all(city: Database) -> None:
    rng = np.random.default_rng(11)
    update(city)
    published = 0
    for _ in range(50):
        edits.apply(city, CITY, random_edit(rng, city), lenient=False)
        after = update(city)
        assert not after.whole
        published += after.release is not None
        again = update(city, whole=True)
        assert again.whole
        assert again.release is None, "a run over all finds something else"
    assert published > 30
    check_against_model(city)


def history(store: Database) -> Iterator[tuple[str, int, int | None]]:
    with psycopg.connect(dsn_of(store)) as conn:
        yield from conn.execute(
            "SELECT code, _release, NULL FROM data.plan_conflicts"
            " UNION ALL SELECT code, _release, _superseded FROM data.plan_conflicts__history"
        )


def test_conflicts_are_followed_over_time(city: Database) -> None:
    first = update(city).release
    key = next(code for code in rows_of(city, "plan_conflicts") if code.startswith("overlap"))
    _, a_id, _ = key.split(".")
    assert update(city).release is None, "nothing has changed"
    edits.apply(city, CITY, [Operation(CITY.layer("urban_growth_boundary"), "delete", a_id)], lenient=False)
    second = update(city).release
    told = {entry for entry in history(city) if entry[0].startswith("overlap.")}
    assert (key, first, second) in told, "it does not say which release resolved it"
    assert all(since == first for _, since, until in told if until is None), "what is still there began with the first"


def test_rules_districts_and_strange_hands_make_a_run_over_all(city: Database, tmp_path: Path) -> None:
    update(city)
    other = ruled(ConflictRules(rules={"overlap": CITY.conflicts.rules["overlap"]}))
    outcome = update(city, other)
    assert outcome.whole
    assert {row["rule"] for row in rows_of(city, "plan_conflicts").values()} == {"overlap"}
    assert not update(city, other).whole
    key = next(iter(rows_of(city, "plan_conflicts")))
    edits.apply(city, other, [Operation(other.layer("plan_conflicts"), "delete", key)], lenient=False)
    assert update(city, other).whole
    assert key in rows_of(city, "plan_conflicts")
    district = next(iter(("371503",)))
    edits.apply(city, other, [Operation(other.layer("districts"), "delete", district)], lenient=False)
    assert update(city, other).whole
    assert {row["xzqdm"] for row in rows_of(city, "plan_conflicts").values()} == {"371502", None}


def test_the_last_conflict_can_go(city: Database) -> None:
    none = ruled(ConflictRules(rules={"overlap": CITY.conflicts.rules["overlap"]}))
    update(city, none)
    layer = none.layer("urban_growth_boundary")
    gone = [Operation(layer, "delete", key) for key in rows_of(city, "urban_growth_boundary")]
    edits.apply(city, none, gone, lenient=False)
    assert not update(city, none).whole
    assert not rows_of(city, "plan_conflicts")
    assert update(city, none, whole=True).release is None


def test_what_is_released_while_a_run_goes_on_waits_for_the_next(
    city: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run sees one state of all layers, whatever is published meanwhile."""
    update(city)
    whole = rows_of(city, "plan_conflicts")
    layer = CITY.layer("permanent_farmland")
    real = spread.Spread.overlay
    gone = list(rows_of(city, "permanent_farmland"))[:20]
    done: list[bool] = []

    def overlay(self: spread.Spread, *args: Any) -> Any:
        if not done:
            done.append(True)
            edits.apply(city, CITY, [Operation(layer, "delete", key) for key in gone], lenient=False)
        return real(self, *args)

    monkeypatch.setattr(spread.Spread, "overlay", overlay)
    assert update(city, whole=True).release is None
    assert rows_of(city, "plan_conflicts").keys() == whole.keys()
    update(city)
    check_against_model(city)


def test_a_run_that_is_stopped_publishes_nothing(city: Database) -> None:
    class Stop(Exception):
        pass

    def progress(done: int, total: int) -> None:
        if done > total / 2:
            raise Stop

    with pytest.raises(Stop):
        runs.update(city, CITY, progress)
    assert not rows_of(city, "plan_conflicts")
    with psycopg.connect(dsn_of(city)) as conn:
        assert conn.execute("SELECT count(*) FROM shikong.conflict_run").fetchone() == (0,)
    update(city)
    check_against_model(city)


def test_a_worker_finds_them_after_a_release(city: Database, tmp_path: Path) -> None:
    """By the shipped rules; a state that has had its job asks for no other."""
    dsn = dsn_of(city)
    environment = {**os.environ, "DATABASE_URL": dsn, "SHIKONG_DATA": str(tmp_path)}

    def work() -> list[tuple[Any, ...]]:
        run = [sys.executable, "-m", "shikong.cli.main", "worker", "--once"]
        subprocess.run(run, env=environment, check=True, capture_output=True, timeout=120)
        return city.thread_fetch(*jobs.listing(10))

    with psycopg.connect(dsn) as conn:
        conn.execute("UPDATE shikong.release SET published_at = published_at + interval '5 minutes'")
    assert not work(), "the plans have been released just now"
    with psycopg.connect(dsn) as conn:
        conn.execute("UPDATE shikong.release SET published_at = published_at - interval '6 minutes'")
    (job,) = jobs.seen(work())
    assert (job.process, job.layer, job.state) == ("conflicts", "plan_conflicts", "successful")
    assert job.message is not None
    assert "from all plans" in job.message
    assert {row["rule"] for row in rows_of(city, "plan_conflicts").values()} >= {"growth_on_farmland"}
    assert len(work()) == 1, "there was nothing new"
    layer = catalog.default().layer("permanent_farmland")
    edits.apply(city, catalog.default(), [Operation(layer, "delete", "YN001")], lenient=False)
    with psycopg.connect(dsn) as conn:
        conn.execute("UPDATE shikong.release SET published_at = published_at - interval '1 minute'")
    assert "from what changed" in (jobs.seen(work())[0].message or "")
    assert "YN001" not in {row["b_id"] for row in rows_of(city, "plan_conflicts").values()}
