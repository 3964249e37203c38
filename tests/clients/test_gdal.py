"""GDAL's OGC API - Features driver reads the service as it stands in Debian.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import pytest


def test_ogrinfo_lists_the_layers(service: Any, run_client: Callable[..., str]) -> None:
    output = run_client("ogrinfo", f"OAPIF:{service.url}")
    for layer in ("districts", "parcels", "rivers", "culture_events"):
        assert layer in output


def test_ogr2ogr_reads_every_page_with_names_and_places(
    service: Any, run_client: Callable[..., str], tmp_path: Path
) -> None:
    target = tmp_path / "parcels.fgb"
    run_client("ogr2ogr", "-f", "FlatGeobuf", str(target), f"OAPIF:{service.url}", "parcels", "-oo", "PAGE_SIZE=100")
    read = gpd.read_file(target).set_index("bsm").sort_index()
    answer = httpx.get(f"{service.url}/collections/parcels/items?f=json&limit=10000", trust_env=False).json()
    given = gpd.GeoDataFrame.from_features(answer["features"], crs=4326).set_index("bsm").sort_index()
    assert len(read) == answer["numberMatched"]
    assert read.index.tolist() == given.index.tolist()
    assert read["dlmc"].tolist() == given["dlmc"].tolist()
    assert read.geometry.geom_equals_exact(given.geometry.to_crs(read.crs), 1e-9).all()


def test_ogrinfo_filters_by_box_on_the_server(service: Any, run_client: Callable[..., str]) -> None:
    box = ("115.9", "36.4", "116.0", "36.5")
    output = run_client("ogrinfo", "-ro", "-al", "-so", "-spat", *box, f"OAPIF:{service.url}", "hydro_stations")
    answer = httpx.get(
        f"{service.url}/collections/hydro_stations/items?f=json&limit=1000&bbox={','.join(box)}", trust_env=False
    ).json()
    assert f"Feature Count: {answer['numberReturned']}" in output


@pytest.mark.parametrize("where", ["tbmj > 1000", "dlbm = '{code}' AND tbmj > 10", "dlmc LIKE '%地%'"])
def test_ogrinfo_pushes_a_filter_to_the_server(service: Any, run_client: Callable[..., str], where: str) -> None:
    first = httpx.get(f"{service.url}/collections/parcels/items?f=json&limit=1", trust_env=False).json()["features"][0]
    where = where.format(code=first["properties"]["dlbm"])
    asked_before = service.log.read_text(encoding="utf-8")
    output = run_client("ogrinfo", "-ro", "-al", "-so", "-where", where, f"OAPIF:{service.url}", "parcels")
    asked = service.log.read_text(encoding="utf-8")[len(asked_before) :]
    assert "filter-lang=cql-text" in asked, asked
    answer = httpx.get(
        f"{service.url}/collections/parcels/items",
        params={"f": "json", "limit": 10000, "skipGeometry": "true", "filter": where}, trust_env=False,
    ).json()  # fmt: skip
    assert answer["numberReturned"] > 0
    assert f"Feature Count: {answer['numberReturned']}" in output
