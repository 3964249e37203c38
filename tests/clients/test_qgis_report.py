"""The shapes that a load's checks found, opened and drawn by QGIS.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import matplotlib.image
import numpy as np
import shapely

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.ingest.quality import report as quality_report
from shikong.layers import catalog
from shikong.store.database import Database


def test_qgis_draws_what_the_checks_found(
    empty_store: Database, artefacts: Path, run_client: Callable[..., str], tmp_path: Path
) -> None:
    bow = shapely.Polygon([(116.03, 36.4), (116.04, 36.41), (116.04, 36.4), (116.03, 36.41)])
    shapes = [shapely.box(116, 36.4, 116.01, 36.41), shapely.box(116.008, 36.4, 116.02, 36.41), bow]
    frame = gpd.GeoDataFrame({"code": ["甲", "乙", "丙"]}, geometry=shapes, crs=4490)
    frame.to_file(tmp_path / "redline.gpkg")
    release = ingest(
        empty_store, catalog.default(), tmp_path / "redline.gpkg", "ecological_redline", Options(), lambda *_: None
    ).release
    with empty_store.thread_session() as conn:
        quality_report.write(conn, quality_report.load(conn, release), tmp_path / "report.gpkg")
    picture = artefacts / "qgis-report.png"
    picture.unlink(missing_ok=True)
    script = Path(__file__).with_name("qgis_report.py")
    output = run_client(
        "/usr/bin/python3", str(script), str(tmp_path / "report.gpkg"), str(picture), QT_QPA_PLATFORM="offscreen",
        XDG_RUNTIME_DIR=str(tmp_path), QGIS_CUSTOM_CONFIG_PATH=str(tmp_path), HOME=str(tmp_path),
    )  # fmt: skip
    found = json.loads(output.strip().splitlines()[-1])
    assert found["crs"] == "EPSG:4490"
    assert sorted((row["rule"], row["severity"], row["key"]) for row in found["rows"]) == [
        ("no_overlap", "warning", "乙"), ("valid_geometry", "error", "NULL"),
    ]  # fmt: skip
    image = (matplotlib.image.imread(picture)[:, :, :3] * 255).astype(int)
    red = (np.abs(image - (220, 50, 40)).max(axis=2) < 10).mean()
    assert 0.02 < red < 0.6, "the shapes are not there"
