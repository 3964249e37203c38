"""Declared rules against brute force, what becomes of rows that break them, and how refused rows come in after all.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from shikong.ingest import export
from shikong.ingest.errors import IngestError, QualityStop
from shikong.ingest.features import Options
from shikong.ingest.job import ingest, open_features
from shikong.ingest.quality import edges, topology
from shikong.ingest.quality import report as quality_report
from shikong.ingest.report import Report
from shikong.ingest.resubmit import resubmit
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import ellipsoid, quarantine
from shikong.store.database import Database
from support.loads import load

TITLE = {"zh": "某", "en": "Some"}


def _layer(*rules: Any, geometry: str = "MultiPolygon", identifier: str = "plots") -> Layer:
    kinds = {"code": "string", "name": "string", "owner": "string", "low": "number", "high": "number"}
    fields = {name: {"type": kind, "title": TITLE, "key": name == "code"} for name, kind in kinds.items()}
    return Layer.model_validate({
        "id": identifier, "title": TITLE, "description": TITLE, "theme": "base", "steward": "某局", "kind": "features",
        "geometry": geometry, "fields": fields, "quality": rules, "access": {"write": "planner"},
    })  # fmt: skip


def _city(*layers: Layer) -> Catalog:
    whole = catalog.default()
    return Catalog(whole.city, whole.layers | {layer.id: layer for layer in layers}, whole.codes)


def _frame(shapes: list[Any], **columns: Any) -> gpd.GeoDataFrame:
    codes = [f"P{number}" for number in range(1, len(shapes) + 1)]
    return gpd.GeoDataFrame({"code": codes} | columns, geometry=shapes, crs=4490)


def _load(store: Database, layer: Layer, frame: gpd.GeoDataFrame, folder: Path, **options: Any) -> Report:
    path = folder / "delivery.gpkg"
    frame.to_file(path)
    return load(store, path, layer.id, _city(layer), **options)


def _found(report: Report) -> list[tuple[int | None, str, str]]:
    return sorted((f.source_row, f.rule, f.severity) for f in report.findings)


def _stored(store: Database, layer: Layer) -> list[str]:
    with store.thread_session() as conn:
        return [row[0] for row in conn.execute(f"SELECT code FROM data.{layer.id} ORDER BY code")]


def _square(x: float, y: float, size: float = 0.001) -> Any:
    return shapely.box(x, y, x + size, y + size)


ROW = [_square(116 + number * 0.002, 36.4) for number in range(4)]


@pytest.mark.parametrize(
    ("rule", "columns", "broken"),
    [
        ({"rule": "range", "field": "low", "minimum": 0, "maximum": 5}, {"low": [0, 5, 5.1, None]}, [3]),
        ({"rule": "range", "field": "low", "minimum": 1}, {"low": [0, 1, None, -3]}, [1, 4]),
        ({"rule": "pattern", "field": "name", "pattern": r"\d{6}"}, {"name": ["371502", "37150", "3715021", None]}, [2, 3]),
        ({"rule": "compare", "left": "low", "operator": "<=", "right": "high"},
         {"low": [1, 2, 3, None], "high": [1, 1, None, 0]}, [2]),
        ({"rule": "unique", "fields": ["name", "owner"]},
         {"name": ["a", "a", "b", None], "owner": ["x", "x", "x", None]}, [2]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("severity", ["error", "warning", "stop"])
def test_an_attribute_rule_finds_its_rows_and_does_what_its_severity_says(
    empty_store: Database, tmp_path: Path, rule: dict[str, Any], columns: Any, broken: list[int], severity: str
) -> None:
    layer = _layer(rule | {"severity": severity})
    frame = _frame(ROW, **columns)
    expected = [(row, rule["rule"], severity) for row in broken]
    if severity == "stop":
        with pytest.raises(QualityStop, match=rule["rule"]) as caught:
            _load(empty_store, layer, frame, tmp_path)
        assert _found(caught.value.report) == expected
        with empty_store.thread_session() as conn:
            assert conn.execute("SELECT count(*) FROM shikong.release").fetchone() == (0,)
        return
    report = _load(empty_store, layer, frame, tmp_path)
    assert _found(report) == expected
    kept = [f"P{row}" for row in range(1, 5) if severity == "warning" or row not in broken]
    assert _stored(empty_store, layer) == kept
    assert report.counts.quarantined == 4 - len(kept)


def test_small_and_thin_surfaces_are_found_by_their_ellipsoidal_measures(empty_store: Database, tmp_path: Path) -> None:
    shapes = [_square(116, 36), _square(116.01, 36, 0.00005), shapely.box(116.02, 36, 116.03, 36.000005)]
    area = ellipsoid.areas(shapes)
    assert area[1] < 30 < area[2] < area[0]
    layer = _layer({"rule": "min_area", "area": 30}, {"rule": "no_slivers", "width": 1})
    report = _load(empty_store, layer, _frame(shapes), tmp_path)
    assert _found(report) == [(2, "min_area", "error"), (3, "no_slivers", "error")]
    assert report.findings[0].value == f"{area[1]:.2f} m2"


def test_references_lead_to_rows_of_the_other_layer(empty_store: Database, tmp_path: Path) -> None:
    other = _layer(identifier="owners")
    layer = _layer({"rule": "references", "field": "owner", "layer": "owners", "to": "code"})
    (tmp_path / "o").mkdir()
    city = _city(layer, other)
    for name, frame in (("owners", _frame(ROW[:2])), ("plots", _frame(ROW, owner=["P1", "P2", "P3", None]))):
        path = tmp_path / f"{name}.gpkg"
        frame.to_file(path)
        report = ingest(empty_store, city, path, name, Options(), lambda done, total: None)
    assert _found(report) == [(3, "references", "error")]
    assert report.findings[0].value == "P3 is not in owners"


def _patchwork(seed: int) -> list[Any]:
    """Squares of a lattice, some moved so that they overlap, some missing so that there are gaps."""
    chance = random.Random(seed)
    shapes = [_square(116 + column * 0.001, 36 + row * 0.001) for row in range(8) for column in range(8)]
    for number in chance.sample(range(len(shapes)), 6):
        shapes[number] = shapely.affinity.translate(shapes[number], chance.uniform(-4e-4, 4e-4), 0)
    inner = [row * 8 + column for row in range(1, 7) for column in range(1, 7)]
    for number in sorted(chance.sample(inner, 3), reverse=True):
        del shapes[number]
    chance.shuffle(shapes)
    return shapes


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [1000, 7])
def test_overlaps_and_gaps_are_those_that_brute_force_finds(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, size: int
) -> None:
    monkeypatch.setattr(topology, "SLICE", size)  # small slices: what lies across their borders counts too
    shapes = _patchwork(seed)
    layer = _layer(
        {"rule": "no_overlap", "tolerance": 1, "severity": "warning"}, {"rule": "no_gaps", "max_area": 100_000}
    )
    report = _load(empty_store, layer, _frame(shapes), tmp_path)
    overlaps = [
        (other + 1, f"{area:.2f} m2 with P{one + 1}")
        for one, other in itertools.combinations(range(len(shapes)), 2)
        if (area := ellipsoid.areas([shapely.intersection(shapes[one], shapes[other])])[0]) > 1
    ]
    found = [(f.source_row, f.value) for f in report.findings if f.rule == "no_overlap"]
    assert sorted(found) == sorted(overlaps)
    assert overlaps
    whole = shapely.union_all(shapes)
    holes = [hole for part in shapely.get_parts(whole) for hole in part.interiors]
    gaps = [shapely.from_wkb(f.shape) for f in report.findings if f.rule == "no_gaps"]
    assert gaps
    assert shapely.union_all(gaps).symmetric_difference(shapely.union_all(shapely.polygons(holes))).area < 1e-12


def _sheets(seed: int) -> list[Any]:
    """Surfaces that fit edge to edge, and over part of them what does not belong there."""
    chance = random.Random(seed)
    shapes = [_square(116 + column * 0.001, 36 + row * 0.001) for row in range(9) for column in range(9)]
    west, south = 116.0005 + chance.randrange(4) * 0.001, 36.0005 + chance.randrange(4) * 0.001
    match seed % 4:
        case 0:  # a second sheet, whole in itself, whose inner shapes have no loose edge
            shapes += [_square(west + x * 0.001, south + y * 0.001) for x in range(4) for y in range(4)]
        case 1:  # a part delivered twice
            shapes += [shapes[row * 9 + column] for row in range(2, 7) for column in range(3, 7)]
        case 2:  # one that lies wholly inside another, and one that covers many
            shapes += [_square(116.0042, 36.0042, 0.0003), _square(west, south, 0.0034)]
        case _:  # a neighbour cut into pieces with vertices that the others lack, one of them moved
            del shapes[40]
            shapes += [_square(116.004 + x * 0.0005, 36.004 + y * 0.0005, 0.0005) for x in range(2) for y in range(2)]
            shapes[-1] = shapely.affinity.translate(shapes[-1], 0.0002, 0)
    chance.shuffle(shapes)
    return shapes


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [0, 1])
def test_overlaps_are_found_from_loose_edges(
    empty_store: Database, tmp_path: Path, monkeypatch: Any, seed: int, most: float
) -> None:
    monkeypatch.setattr(topology, "_MOST", most)  # 0: all shapes are looked at; 1: those near loose edges only
    monkeypatch.setattr(topology, "_ROUNDS", 100)
    monkeypatch.setattr(edges, "_LEAST_CELL", 1e-5)
    shapes = _sheets(seed)
    report = _load(
        empty_store, _layer({"rule": "no_overlap", "tolerance": 1, "severity": "warning"}), _frame(shapes), tmp_path
    )
    overlaps = [
        (other + 1, f"P{one + 1}")
        for one, other in itertools.combinations(range(len(shapes)), 2)
        if ellipsoid.areas([shapely.intersection(shapes[one], shapes[other])])[0] > 1
    ]
    found = [(f.source_row, str(f.value).rpartition(" ")[2]) for f in report.findings if f.rule == "no_overlap"]
    assert sorted(found, key=str) == sorted(overlaps, key=str)
    assert overlaps


def test_a_sound_survey_has_no_loose_edges_but_its_rim(tmp_path: Path) -> None:
    shapes = [_square(116 + column * 0.001, 36 + row * 0.001) for row in range(40) for column in range(40)]
    account = edges.EdgeAccount()
    for start in range(0, 1600, 300):
        part = np.array(shapes[start : start + 300], dtype=object)
        account.add(edges.edges_of(part, np.arange(start, start + len(part))).keep(tmp_path / f"{start}"))
    near = account.near_loose()
    rim = {row * 40 + column for row in range(40) for column in range(40) if {row, column} & {0, 39}}
    assert rim <= set(near.rows.tolist())
    assert near.share < 0.3  # the rim and its neighbours
    centre = 20 * 40 + 20
    assert centre not in near.rows
    near.widen(near.boxes_of([centre + 1]))
    assert centre in near.rows, "a refused row's neighbours are looked at"


def test_an_update_is_checked_against_the_rows_that_stay(empty_store: Database, tmp_path: Path) -> None:
    layer = _layer({"rule": "no_overlap"}, {"rule": "unique", "fields": ["name"]})
    _load(empty_store, layer, _frame(ROW, name=list("abcd")), tmp_path)
    frame = _frame([ROW[0], shapely.affinity.translate(ROW[3], 0.0005, 0), _square(117, 36)], name=["a", "e", "b"])
    frame["code"] = ["P1", "P9", "P10"]
    report = _load(empty_store, layer, frame, tmp_path, mode="update")
    assert _found(report) == [(2, "no_overlap", "error"), (3, "unique", "error")]
    assert _stored(empty_store, layer) == ["P1", "P2", "P3", "P4"]


@pytest.mark.parametrize(
    ("geometry", "inside", "outside"),
    [("MultiPolygon", _square(115.95, 36.45), _square(120, 30)), ("Point", shapely.Point(115.95, 36.45), shapely.Point(120, 30)),
     ("MultiLineString", shapely.LineString([(115.95, 36.45), (115.96, 36.45)]), shapely.LineString([(115.95, 36.45), (120, 30)]))],
)  # fmt: skip
def test_shapes_must_lie_within_the_other_layer(
    empty_store: Database, tmp_path: Path, geometry: str, inside: Any, outside: Any
) -> None:
    layer = _layer({"rule": "within", "layer": "bounds"}, geometry=geometry)
    bounds = _layer(identifier="bounds")
    city = _city(layer, bounds)
    path = tmp_path / "plots.gpkg"
    _frame([inside, outside]).to_file(path)
    unchecked = ingest(empty_store, city, path, "plots", Options(), lambda done, total: None)
    assert unchecked.counts.stored == 2
    assert "no rows yet" in unchecked.unchecked["within"]
    _frame([shapely.box(115.9, 36.4, 116, 36.5)]).to_file(tmp_path / "bounds.gpkg")
    ingest(empty_store, city, tmp_path / "bounds.gpkg", "bounds", Options(), lambda done, total: None)
    report = ingest(empty_store, city, path, "plots", Options(), lambda done, total: None)
    assert _found(report) == [(2, "within", "error")]


def _open(store: Database, release: int) -> list[quarantine.Quarantined]:
    with store.thread_session() as conn, conn.transaction():
        return list(quarantine.rows(conn, release=release, state="open"))


def test_a_refused_row_is_mended_and_resubmitted(empty_store: Database, tmp_path: Path) -> None:
    layer = _layer({"rule": "range", "field": "low", "maximum": 5})
    report = _load(empty_store, layer, _frame(ROW, low=[1, 9, 8, 2], extra=["w", "x", "y", "z"]), tmp_path)
    first, second = _open(empty_store, report.release)
    assert (first.source_row, first.record["low"], first.record["extra"]) == (2, 9, "x")
    assert first.reasons == ("range low = '9.0'",)
    with empty_store.thread_session() as conn:
        quarantine.fix(conn, first.id, {"low": "3"})
        again = resubmit(conn, _city(layer), report.release, lambda done, total: None)
    assert (again.counts.stored, again.counts.quarantined, again.counts.added) == (1, 1, 1)
    assert _stored(empty_store, layer) == ["P1", "P2", "P4"]
    assert _open(empty_store, report.release) == []
    (still,) = _open(empty_store, again.release)
    assert still.record["code"] == second.record["code"] == "P3"
    with empty_store.thread_session() as conn:
        assert quarantine.resolve(conn, [still.id], "dismissed", note="demolished") == 1
        with pytest.raises(IngestError, match="no open row"):
            resubmit(conn, _city(layer), again.release, lambda done, total: None)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".csv"])
def test_refused_rows_are_exported_mended_in_the_file_and_resubmitted(
    empty_store: Database, tmp_path: Path, suffix: str
) -> None:
    layer = _layer("valid_geometry")
    bow = shapely.Polygon([(116, 36), (116.01, 36.01), (116.01, 36), (116, 36.01)])
    report = _load(empty_store, layer, _frame([ROW[0], bow], name=["甲", "乙"]), tmp_path)
    file = tmp_path / f"refused{suffix}"
    with empty_store.thread_session() as conn, conn.transaction():
        assert export.quarantined(quarantine.rows(conn, release=report.release, state="open"), file) == 1
    mended = pd.read_csv(file) if suffix == ".csv" else gpd.read_file(file)
    assert mended["name"].tolist() == ["乙"]
    assert "Self-intersection" in mended["reasons"].iloc[0]
    if suffix == ".csv":
        mended["wkt"] = ROW[1].wkt
        mended.to_csv(file, index=False)
    else:
        mended.geometry = [ROW[1]]
        mended.to_file(file, layer="quarantine")
    options: dict[str, Any] = {"mended": open_features(file, None)}
    if suffix == ".csv":
        options["crs"] = "EPSG:4490"
    with empty_store.thread_session() as conn:
        again = resubmit(conn, _city(layer), report.release, lambda done, total: None, **options)
    assert again.counts.added == 1
    assert _stored(empty_store, layer) == ["P1", "P2"]


def test_the_report_is_read_by_people_programs_and_gis(empty_store: Database, tmp_path: Path) -> None:
    layer = _layer(
        {"rule": "no_overlap", "severity": "warning"}, {"rule": "pattern", "field": "name", "pattern": "[^<]*"}
    )
    shapes = [ROW[0], shapely.affinity.translate(ROW[0], 0.0005, 0), ROW[2]]
    release = _load(empty_store, layer, _frame(shapes, name=["a", "b", "<script>"]), tmp_path).release
    with empty_store.thread_session() as conn:
        found = quality_report.load(conn, release)
        for suffix in ("json", "html", "gpkg"):
            quality_report.write(conn, found, tmp_path / f"report.{suffix}")
        with pytest.raises(IngestError, match=r"\.json, \.html or \.gpkg"):
            quality_report.write(conn, found, tmp_path / "report.pdf")
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [(result["rule"], result["failed"]) for result in told["results"]] == [("pattern", 1), ("no_overlap", 1)]
    assert [(f["source_row"], f["key"], f["value"]) for f in told["findings"]][1] == (3, "P3", "<script>")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "http" not in page
    shown = gpd.read_file(tmp_path / "report.gpkg", layer="findings_areas")
    shared = shapely.intersection(shapes[0], shapes[1])
    assert shapely.equals(shown.geometry[shown["rule"] == "no_overlap"].iloc[0].normalize(), shared.normalize())
    assert pyogrio.list_layers(tmp_path / "report.gpkg").tolist() == [["findings_areas", "MultiPolygon"]]


def test_findings_beyond_the_kept_ones_are_counted(empty_store: Database, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("shikong.ingest.quality.findings.KEPT_OF_A_RULE", 2)
    layer = _layer({"rule": "range", "field": "low", "maximum": 0})
    report = _load(empty_store, layer, _frame(ROW, low=[0, 1, 2, 3]), tmp_path)
    assert (report.counts.quarantined, len(report.findings)) == (3, 2)
    assert report.results[("range", "low", "error")] == 3
    with empty_store.thread_session() as conn, conn.transaction():
        assert len(list(quarantine.rows(conn, release=report.release))) == 3
        assert conn.execute("SELECT failed FROM shikong.quality_result").fetchone() == (3,)


def test_a_table_stays_when_a_whole_load_is_refused(empty_store: Database, tmp_path: Path) -> None:
    layer = _layer({"rule": "range", "field": "low", "maximum": 0})
    _load(empty_store, layer, _frame(ROW, low=[0, 0, 0, 0]), tmp_path)
    with pytest.raises(QualityStop, match=r"no row of delivery\.gpkg can be stored: range low"):
        _load(empty_store, layer, _frame(ROW, low=[1, 1, 1, 1]), tmp_path)
    assert len(_stored(empty_store, layer)) == 4
