"""Every case of the catalogue gives a named error or quarantine rows, and what was published stays as it was.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from rasterio.transform import from_origin

from shikong.ingest.errors import IngestError
from shikong.layers import catalog
from shikong.store import places
from shikong.store.database import Database
from support.loads import load


def _cases() -> Any:
    """cases.py beside this file; test folders are not packages."""
    name = "shikong_bad_input_cases"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("cases.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


CASES = _cases()


def _good(folder: Path, layer: str) -> Path:
    """A good source for a layer."""
    if layer == "elevation":
        profile = {"driver": "GTiff", "width": 3, "height": 2, "count": 1, "dtype": "float32", "crs": "EPSG:4490",
                   "transform": from_origin(115.5, 36.8, 0.01, 0.01)}  # fmt: skip
        with rasterio.open(folder / "good.tif", "w", **profile) as target:
            target.write(np.ones((2, 3), dtype="float32"), 1)
        return folder / "good.tif"
    if layer == "precipitation":
        axes = {"time": pd.date_range("2026-06-01", periods=2, freq="h"), "lat": [36.0, 36.5], "lon": [115.5, 116.0]}
        cube = xr.Dataset({"pr": (tuple(axes), np.ones((2, 2, 2)), {"units": "mm"})}, coords=axes)
        cube.to_netcdf(folder / "good.nc")
        return folder / "good.nc"
    frame = CASES.districts(2)
    frame.rename(columns={} if layer == "districts" else {"XZQDM": "code", "XZQMC": "name"}).to_file(
        folder / "good.gpkg"
    )
    return folder / "good.gpkg"


def _published(store: Database, layer: str) -> str:
    """A digest of all that readers of a layer see."""
    declared = catalog.default().layer(layer)
    digest = hashlib.sha256()
    with store.thread_session() as conn:
        digest.update(repr(conn.execute("SELECT * FROM shikong.release ORDER BY id").fetchall()).encode())
        if declared.kind == "features":
            digest.update(repr(conn.execute(f"SELECT * FROM data.{layer} ORDER BY _row".encode()).fetchall()).encode())
    if declared.kind != "features":
        place = places.current(store.settings.data, declared)
        files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
        for file in files:
            digest.update(str(file.relative_to(place.parent)).encode() + file.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("case", CASES.CASES, ids=lambda case: case.name)
def test_bad_input(empty_store: Database, tmp_path: Path, case: Any) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    load(empty_store, _good(tmp_path / "good", case.layer), case.layer)
    before = _published(empty_store, case.layer)
    path = case.make(tmp_path / "bad")
    if case.error is not None:
        with pytest.raises(IngestError) as caught:
            load(empty_store, path, case.layer, **case.options)
        assert isinstance(caught.value, case.error)
        assert case.words in str(caught.value)
        assert _published(empty_store, case.layer) == before
        return
    report = load(empty_store, path, case.layer, mode="update", **case.options)
    assert [(rejection.source_row, rejection.rule) for rejection in report.findings] == list(case.quarantined)
    with empty_store.thread_session() as conn:
        rows = conn.execute(
            "SELECT source_row, rule FROM shikong.finding WHERE severity = 'error' ORDER BY source_row"
        ).fetchall()
    assert rows == list(case.quarantined)
    assert report.counts.read == report.counts.stored + len(case.quarantined)


def test_a_rotated_raster_is_turned_upright(empty_store: Database, tmp_path: Path) -> None:
    """Cells of a picture turned by 30 degrees lie afterwards where its own transform puts them."""
    size, cell = 200, 0.001
    turned = (
        rasterio.Affine.translation(115.9, 36.5) * rasterio.Affine.rotation(30) * rasterio.Affine.scale(cell, -cell)
    )
    rows, columns = np.mgrid[0:size, 0:size]
    values = (rows * 3 + columns).astype("float32")
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 1, "dtype": "float32", "nodata": -9999.0,
               "crs": "EPSG:4490", "transform": turned}  # fmt: skip
    with rasterio.open(tmp_path / "d.tif", "w", **profile) as target:
        target.write(values, 1)
    load(empty_store, tmp_path / "d.tif", "elevation")
    place = places.current(empty_store.settings.data, catalog.default().layer("elevation"))
    with rasterio.open(place) as stored:
        assert stored.transform.b == stored.transform.d == 0
        for row, column in [(20, 20), (100, 50), (150, 180)]:
            x, y = turned * (column + 0.5, row + 0.5)
            (found,) = next(stored.sample([(x, y)]))
            assert found == pytest.approx(values[row, column], abs=4)
