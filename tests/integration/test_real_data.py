"""Real files, with their real faults. Skipped, saying so, where the folder of real data is absent.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import rasterio

from shikong.ingest.errors import IngestError, UnknownCrs, UnreadableSource
from shikong.layers import catalog
from shikong.store import places
from shikong.store.database import Database
from support.loads import load


def test_counties_in_gcj02_come_to_cgcs2000_with_their_accuracy(empty_store: Database, shared_data: Path) -> None:
    path = shared_data / "admin/371500_full.json"
    report = load(empty_store, path, "districts", datum="gcj02")
    assert (report.counts.stored, report.counts.quarantined) == (8, 0)
    raw = gpd.read_file(path).set_crs(4490, allow_override=True)
    with empty_store.thread_session() as conn:
        note, extent = conn.execute("SELECT datum_note, extent FROM shikong.release").fetchone() or (None, None)
        names = {row[0] for row in conn.execute("SELECT xzqmc FROM data.districts")}
    assert names == set(raw["name"])
    assert "GCJ-02" in note
    assert "2 m" in note
    west, south, east, north = catalog.default().city.bbox
    assert west < extent[0] < extent[2] < east
    assert south < extent[1] < extent[3] < north
    shift = (raw.total_bounds[0] - extent[0]) * 111_000 * 0.8
    assert 300 < shift < 800


@pytest.mark.parametrize(
    ("file", "layer", "options", "least"),
    [
        ("osm/Helsinki.osm.pbf", "roads", {"source_layer": "lines"}, 2000),
        ("osm/Helsinki.osm.pbf", "buildings", {"source_layer": "multipolygons"}, 900),
        ("hydrology/usgs_nwis_sites.txt", "hydro_stations", {}, 200),
        ("hydrology/camels_topo.txt", "hydro_stations", {"fields": {"stnm": "gauge_id"}}, 671),
        ("hydrology/hydromt_discharge.nc", "hydro_observations", {}, 20_000),
        ("culture/national_heritage_5052_coords.json", "heritage_sites", {}, 5000),
        ("climate/xclim_pr_day_CanESM2_noleap_2095.nc", "precipitation", {}, 400_000),
    ],
)
def test_real_files_are_stored_and_every_row_is_accounted_for(
    empty_store: Database, shared_data: Path, file: str, layer: str, options: dict[str, Any], least: int
) -> None:
    counts = load(empty_store, shared_data / file, layer, **options).counts
    assert counts.stored >= least
    assert counts.read == counts.stored + counts.quarantined


def test_a_real_dem_keeps_its_heights(empty_store: Database, shared_data: Path) -> None:
    path = shared_data / "raster/pysheds_dem.tif"
    load(empty_store, path, "elevation")
    place = places.current(empty_store.settings.data, catalog.default().layer("elevation"))
    with rasterio.open(path) as source, rasterio.open(place) as stored:
        assert stored.shape == source.shape
        assert (stored.read(1) == source.read(1)).mean() > 0.999


def test_real_files_that_say_too_little_are_refused(empty_store: Database, shared_data: Path) -> None:
    with pytest.raises(UnknownCrs, match="--crs"):
        load(
            empty_store, shared_data / "planning/pyshp_blockgroups.zip", "planning_zones", fields={"ghfldm": "BKG_KEY"}
        )
    with pytest.raises(UnreadableSource, match="--source-layer"):
        load(empty_store, shared_data / "osm/Helsinki.osm.pbf", "roads")
    with pytest.raises(IngestError, match="--valid-from"):
        load(empty_store, shared_data / "planning/williamsburg_va_parcels.geojson", "parcels", fields={"dlbm": "LUCat"})
