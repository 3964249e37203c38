"""Loading files end to end: formats, coordinates, quarantine, refusals, releases.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import xarray as xr
from pyproj import CRS, Transformer
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from shikong.ingest.errors import EmptySource, IngestError, UnknownCrs, UnreadableSource, WrongGeometry
from shikong.layers import catalog
from shikong.store import places
from shikong.store.database import Database
from support.loads import load


def query(store: Database, text: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with store.thread_session() as conn:
        return conn.execute(text.encode()).fetchall()


def districts(number: int = 5) -> gpd.GeoDataFrame:
    """Squares with Chinese names in EPSG:4490."""
    boxes = [shapely.box(115.5 + i * 0.1, 36.2, 115.58 + i * 0.1, 36.3) for i in range(number)]
    names = [f"东昌府区第{i}街道" for i in range(number)]
    return gpd.GeoDataFrame(
        {"XZQDM": [f"3715020{i:02}" for i in range(number)], "XZQMC": names}, geometry=boxes, crs=4490
    )


def _write(frame: gpd.GeoDataFrame, folder: Path, form: str) -> Path:
    if form == "gbk":
        frame.to_file(folder / "d.shp", encoding="GB18030")
        (folder / "d.cpg").unlink()
        return folder / "d.shp"
    if form == "zip":
        inner = _write(frame, folder, "gbk")
        with zipfile.ZipFile(folder / "d.zip", "w") as archive:
            for part in folder.glob("d.[sdp]*"):
                archive.write(part, part.name)
        assert inner.exists()
        return folder / "d.zip"
    if form == "csv":
        frame.assign(wkt=frame.to_wkt()["geometry"]).drop(columns="geometry").to_csv(folder / "d.csv", index=False)
        return folder / "d.csv"
    path = folder / f"d.{form}"
    frame.to_file(path, encoding="UTF-8" if form == "shp" else None)
    return path


@pytest.mark.parametrize("code", [4490, 4527, 4548, 3857])
@pytest.mark.parametrize("form", ["geojson", "gpkg", "fgb", "shp", "gbk", "zip", "csv"])
def test_every_format_brings_names_and_places_right(
    empty_store: Database, tmp_path: Path, form: str, code: int
) -> None:
    frame = districts()
    path = _write(frame.to_crs(code), tmp_path, form)
    report = load(empty_store, path, "districts", crs=f"EPSG:{code}" if form == "csv" else None)
    assert (report.counts.read, report.counts.stored, report.counts.added) == (5, 5, 5)
    rows = query(
        empty_store, "SELECT xzqdm, xzqmc, st_asbinary(geom), st_srid(geom) FROM data.districts ORDER BY xzqdm"
    )
    assert [row[:2] for row in rows] == list(zip(frame["XZQDM"], frame["XZQMC"], strict=True))
    assert {row[3] for row in rows} == {4490}
    for row, expected in zip(rows, frame.geometry, strict=True):
        assert shapely.from_wkb(row[2]).geoms[0].hausdorff_distance(expected) < 2e-8


@pytest.mark.parametrize(("code", "how"), [(4527, "zone number 39"), (4548, "central meridian")])
def test_gauss_krueger_without_a_prj_is_recognised(empty_store: Database, tmp_path: Path, code: int, how: str) -> None:
    path = _write(districts().to_crs(code), tmp_path, "shp")
    path.with_suffix(".prj").unlink()
    report = load(empty_store, path, "districts")
    assert how in report.crs_how
    west = query(empty_store, "SELECT st_xmin(st_extent(geom)) FROM data.districts")[0][0]
    assert west == pytest.approx(115.5, abs=1e-7)


def test_bad_rows_go_to_quarantine_with_their_reason(empty_store: Database, tmp_path: Path) -> None:
    frame = districts(6)
    frame["level"] = ["county", "市", "planet", None, "township", "county"]
    frame.loc[3, "XZQMC"] = None
    frame.loc[4, "XZQDM"] = frame.loc[0, "XZQDM"]
    frame.loc[5, "geometry"] = shapely.Polygon()
    path = tmp_path / "d.gpkg"
    frame.to_file(path)
    report = load(empty_store, path, "districts")
    assert (report.counts.read, report.counts.stored, report.counts.quarantined) == (6, 2, 4)
    rows = query(
        empty_store,
        "SELECT source_row, f.rule, f.field, f.value, record FROM shikong.quarantine"
        " JOIN shikong.finding AS f USING (release_id, source_row) ORDER BY source_row",
    )
    assert [row[:3] for row in rows] == [
        (3, "not_in_code_list:district_level", "level"), (4, "required", "xzqmc"), (5, "unique", "xzqdm"),
        (6, "no_geometry", "geometry"),
    ]  # fmt: skip
    assert rows[0][3] == "planet"
    assert rows[0][4]["xzqdm"] == frame.loc[2, "XZQDM"]
    assert query(empty_store, "SELECT level FROM data.districts ORDER BY xzqdm") == [("county",), ("city",)]


def test_invalid_shapes_are_repaired_only_where_the_layer_allows(empty_store: Database, tmp_path: Path) -> None:
    bow = shapely.Polygon([(115.5, 36.2), (115.6, 36.3), (115.6, 36.2), (115.5, 36.3)])
    frame = districts(2)
    frame.loc[0, "geometry"] = bow
    path = tmp_path / "d.gpkg"
    frame.to_file(path)
    mended = load(empty_store, path, "districts")
    assert [(f.source_row, f.rule, f.severity) for f in mended.findings] == [(1, "repaired_geometry", "warning")]
    assert (mended.counts.stored, mended.counts.quarantined) == (2, 0)
    frame.rename(columns={"XZQDM": "code", "XZQMC": "name"}).to_file(tmp_path / "r.gpkg")
    report = load(empty_store, tmp_path / "r.gpkg", "ecological_redline")
    assert [(r.source_row, r.rule) for r in report.findings] == [(1, "valid_geometry")]
    assert "Self-intersection" in str(report.findings[0].value)


def _broken(tmp_path: Path) -> list[tuple[Path, type[Exception], str]]:
    good = _write(districts(), tmp_path, "gpkg")
    (tmp_path / "cut.gpkg").write_bytes(good.read_bytes()[:5000])
    (tmp_path / "empty.geojson").write_bytes(b"")
    (tmp_path / "none.geojson").write_text('{"type": "FeatureCollection", "features": []}', encoding="utf-8")
    (tmp_path / "noise.zip").write_bytes(b"PK\x03\x04 not a zip")
    (tmp_path / "x.docx").write_bytes(b"x")
    points = districts().assign(geometry=districts().to_crs(4548).centroid.to_crs(4490))
    points.to_file(tmp_path / "points.geojson")
    (tmp_path / "nocrs").mkdir()
    bare = _write(districts(), tmp_path / "nocrs", "shp")
    bare.with_suffix(".prj").unlink()
    (tmp_path / "xian").mkdir()
    xian = _write(districts().to_crs(4548), tmp_path / "xian", "shp")
    xian.with_suffix(".prj").write_text(CRS.from_epsg(2384).to_wkt("WKT1_ESRI"), encoding="ascii")
    districts().drop(columns="XZQMC").to_file(tmp_path / "nameless.gpkg")
    return [
        (tmp_path / "missing.shp", UnreadableSource, "does not exist"),
        (tmp_path / "cut.gpkg", IngestError, "cut.gpkg"),
        (tmp_path / "empty.geojson", UnreadableSource, "empty file"),
        (tmp_path / "none.geojson", EmptySource, "no features"),
        (tmp_path / "noise.zip", UnreadableSource, "noise.zip"),
        (tmp_path / "x.docx", UnreadableSource, "known:"),
        (tmp_path / "points.geojson", WrongGeometry, "districts holds MultiPolygon, but the source has Point"),
        (bare, UnknownCrs, "--crs"),
        (xian, UnknownCrs, "Xi'an 1980"),
        (tmp_path / "nameless.gpkg", IngestError, "--map xzqmc=COLUMN"),
    ]


def test_a_bad_file_gives_one_clear_error_and_changes_nothing(empty_store: Database, tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    load(empty_store, _write(districts(), tmp_path / "good", "gpkg"), "districts")
    before = query(empty_store, "SELECT _row, _hash FROM data.districts ORDER BY 1")
    for path, kind, words in _broken(tmp_path):
        with pytest.raises(kind) as caught:
            load(empty_store, path, "districts")
        assert words in str(caught.value), path.name
        assert query(empty_store, "SELECT _row, _hash FROM data.districts ORDER BY 1") == before, path.name
    assert query(empty_store, "SELECT count(*) FROM shikong.release") == [(1,)]


def test_a_redelivery_moves_only_what_changed(empty_store: Database, tmp_path: Path) -> None:
    frame = districts(5)
    frame.to_file(tmp_path / "1.gpkg")
    load(empty_store, tmp_path / "1.gpkg", "districts")
    again = load(empty_store, tmp_path / "1.gpkg", "districts").counts
    assert (again.added, again.changed, again.ended, again.unchanged) == (0, 0, 0, 5)
    frame.loc[1, "XZQMC"] = "改名街道"
    second = pd.concat([frame.iloc[:4], districts(6).iloc[5:]])
    gpd.GeoDataFrame(second, crs=4490).to_file(tmp_path / "2.gpkg")
    counts = load(empty_store, tmp_path / "2.gpkg", "districts").counts
    assert (counts.added, counts.changed, counts.ended, counts.unchanged) == (1, 1, 1, 3)
    history = query(
        empty_store, "SELECT xzqdm, xzqmc, _superseded > _release FROM data.districts__history ORDER BY xzqdm"
    )
    assert history == [("371502001", "东昌府区第1街道", True), ("371502004", "东昌府区第4街道", True)]
    partial = load(empty_store, tmp_path / "1.gpkg", "districts", mode="update").counts
    assert (partial.added, partial.changed, partial.ended) == (1, 1, 0)


def test_derived_areas_are_ellipsoidal(empty_store: Database, tmp_path: Path) -> None:
    to_degrees = Transformer.from_crs(4548, 4490, always_xy=True)
    x, y = 409012.199, 4036620.821
    ring = [to_degrees.transform(x + dx, y + dy) for dx, dy in ((0, 0), (1000, 0), (1000, 1000), (0, 1000))]
    gpd.GeoDataFrame({"XZQDM": ["1"], "XZQMC": ["方"]}, geometry=[shapely.Polygon(ring)], crs=4490).to_file(
        tmp_path / "a.gpkg"
    )
    load(empty_store, tmp_path / "a.gpkg", "districts")
    assert query(empty_store, "SELECT area FROM data.districts")[0][0] == pytest.approx(999_798.35, abs=0.011)


def test_a_raster_becomes_a_valid_cog(empty_store: Database, tmp_path: Path) -> None:
    values = np.arange(600 * 700, dtype="float32").reshape(600, 700)
    profile = {"driver": "GTiff", "width": 700, "height": 600, "count": 1, "dtype": "float32", "nodata": -9999.0,
               "crs": "EPSG:4490", "transform": from_origin(115.5, 36.8, 0.001, 0.001)}  # fmt: skip
    for name, shift in (("a.tif", 0), ("b.tif", 1)):
        with rasterio.open(tmp_path / name, "w", **profile) as target:
            target.write(values + shift, 1)
        load(empty_store, tmp_path / name, "elevation")
        place = places.current(empty_store.settings.data, catalog.default().layer("elevation"))
        assert cog_validate(place, quiet=True)[0]
        with rasterio.open(place) as written:
            assert written.crs.to_epsg() == 4490
            assert (written.read(1) == values + shift).all()
    profile["count"] = 2
    with rasterio.open(tmp_path / "two.tif", "w", **profile) as target:
        target.write(np.stack([values, values]))
    with pytest.raises(UnreadableSource, match="2 bands"):
        load(empty_store, tmp_path / "two.tif", "elevation")
    del profile["crs"]
    profile["count"] = 1
    with rasterio.open(tmp_path / "nocrs.tif", "w", **profile) as target:
        target.write(values, 1)
    with pytest.raises(UnknownCrs):
        load(empty_store, tmp_path / "nocrs.tif", "elevation")
    assert places.current(empty_store.settings.data, catalog.default().layer("elevation")) == place


def _rain(units: str) -> xr.Dataset:
    times = pd.date_range("2026-07-01", periods=6, freq="h")
    lat, lon = np.linspace(37, 36, 5), np.linspace(115.5, 116.5, 4)  # north first, as many sources have it
    values = np.random.default_rng(3).random((6, 5, 4))
    return xr.Dataset({"pr": (("time", "lat", "lon"), values, {"units": units})},
                      coords={"time": times, "lat": lat, "lon": lon})  # fmt: skip


@pytest.mark.parametrize(("units", "factor"), [("mm", 1), ("m", 1000), ("mm s-1", 3600), ("kg m-2 s-1", 3600)])
def test_a_cube_comes_in_declared_units(empty_store: Database, tmp_path: Path, units: str, factor: float) -> None:
    source = _rain(units)
    source.to_netcdf(tmp_path / "r.nc")
    load(empty_store, tmp_path / "r.nc", "precipitation")
    place = places.current(empty_store.settings.data, catalog.default().layer("precipitation"))
    with xr.open_zarr(place, consolidated=False, chunks=None) as cube:
        expected = source["pr"].sortby("lat").values * factor
        assert cube["precipitation"].values == pytest.approx(expected, rel=1e-6)


def test_a_cube_in_an_unknown_unit_is_refused(empty_store: Database, tmp_path: Path) -> None:
    _rain("inches").to_netcdf(tmp_path / "r.nc")
    with pytest.raises(IngestError, match="inches"):
        load(empty_store, tmp_path / "r.nc", "precipitation")
    _rain("mm").isel(lat=0, drop=True).to_netcdf(tmp_path / "flat.nc")
    with pytest.raises(IngestError, match="no lat axis"):
        load(empty_store, tmp_path / "flat.nc", "precipitation")


def test_observations_are_idempotent_and_correctable(empty_store: Database, tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text(
        "stcd,time,z,drp\n1,2026-06-30T23:00:00+08:00,31.5,\n1,2026-07-01T09:00,31.6,0.5\n", encoding="utf-8"
    )
    first = load(empty_store, path, "hydro_observations").counts
    assert (first.added, first.unchanged) == (3, 0)
    second = load(empty_store, path, "hydro_observations").counts
    assert (second.added, second.changed, second.unchanged) == (0, 0, 3)
    path.write_text("stcd,time,z,drp\n1,2026-07-01T09:00,31.7,much\n", encoding="utf-8")
    third = load(empty_store, path, "hydro_observations")
    assert (third.counts.added, third.counts.changed, third.counts.quarantined) == (0, 1, 1)
    assert [(r.rule, r.field, r.value) for r in third.findings] == [("not_a_number", "drp", "much")]
    rows = query(empty_store, "SELECT s.parameter, o.time, o.value FROM data.hydro_observations o"
                 " JOIN data.hydro_observations__series s ON s.id = o.series ORDER BY 1, 2")  # fmt: skip
    assert [(p, t.astimezone(UTC), v) for p, t, v in rows] == [
        ("drp", datetime(2026, 7, 1, 1, tzinfo=UTC), 0.5), ("z", datetime(2026, 6, 30, 15, tzinfo=UTC), 31.5),
        ("z", datetime(2026, 7, 1, 1, tzinfo=UTC), 31.7),
    ]  # fmt: skip
