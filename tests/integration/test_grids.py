"""Folders of pictures, GRIB, and cubes that grow along time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import xarray as xr
from psycopg import sql
from pyproj import CRS, Transformer
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate
from scipy.ndimage import map_coordinates

from shikong.ingest.errors import EmptySource, IngestError, UnknownCrs, UnreadableSource
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.layers.model import DatumShift, ParameterDecl
from shikong.providers.coverage import CogProvider
from shikong.providers.cube import ZarrEDRProvider
from shikong.providers.knowledge import as_known_at
from shikong.providers.plugin_errors import NoLongerKept, NothingPublished
from shikong.store import places
from shikong.store.database import Database
from support.loads import load


def _place(store: Database, layer: str) -> Path:
    return places.current(store.settings.data, catalog.default().layer(layer))


# --- pictures ----------------------------------------------------------------------------------------------------

WHOLE = (np.arange(400 * 600) % 250 + 1).astype("uint8").reshape(400, 600)
CELL = 0.001


def _tiles(folder: Path, driver: str = "GTiff", crs: str | None = "EPSG:4490") -> Path:
    """The whole picture in six tiles of 200 x 200."""
    folder.mkdir()
    for row in range(2):
        for column in range(3):
            name = folder / f"{row}{column}.{'tif' if driver == 'GTiff' else 'png'}"
            transform = from_origin(115.5 + column * 200 * CELL, 36.8 - row * 200 * CELL, CELL, CELL)
            values = WHOLE[row * 200 : row * 200 + 200, column * 200 : column * 200 + 200]
            with rasterio.open(
                name, "w", driver=driver, width=200, height=200, count=1, dtype="uint8", crs=crs, transform=transform,
                **({} if driver == "GTiff" else {"WORLDFILE": "YES"}),
            ) as target:  # fmt: skip
                target.write(values, 1)
    for side in folder.glob("*.aux.xml"):
        side.unlink()
    return folder


@pytest.mark.parametrize(("driver", "options"), [("GTiff", {}), ("PNG", {"crs": "EPSG:4490"})])
def test_a_folder_of_pictures_becomes_one_cog(
    empty_store: Database, tmp_path: Path, driver: str, options: dict[str, Any]
) -> None:
    folder = _tiles(tmp_path / "d", driver)
    report = load(empty_store, folder, "elevation", **options)
    assert report.source == "d"
    place = _place(empty_store, "elevation")
    assert cog_validate(place, quiet=True)[0]
    with rasterio.open(place) as stored:
        assert (stored.read(1) == WHOLE).all()
        assert stored.bounds == pytest.approx((115.5, 36.4, 116.1, 36.8))
        assert stored.tags()["origin"] == "delivered"
    assert [path.suffix for path in place.parent.iterdir() if not path.is_symlink()] == [".tif"]


def test_pictures_that_do_not_belong_together_are_refused(empty_store: Database, tmp_path: Path) -> None:
    folder = _tiles(tmp_path / "d")
    with rasterio.open(folder / "zz.tif", "w", driver="GTiff", width=2, height=2, count=1, dtype="float32", crs="EPSG:4490",
                       transform=from_origin(115, 36, 1, 1)) as target:  # fmt: skip
        target.write(np.ones((1, 2, 2), dtype="float32"))
    with pytest.raises(UnreadableSource, match=r"zz\.tif differs from 00\.tif in CRS, bands or type"):
        load(empty_store, folder, "elevation")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptySource, match="no picture"):
        load(empty_store, tmp_path / "empty", "elevation")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_picture_without_a_world_file_is_refused(empty_store: Database, tmp_path: Path) -> None:
    folder = _tiles(tmp_path / "d", "PNG")
    with pytest.raises(UnknownCrs, match="--crs"):
        load(empty_store, folder, "elevation")
    next(folder.glob("00.wld")).unlink()
    with pytest.raises(UnreadableSource, match=r"00\.png says nowhere where it lies; put its world file"):
        load(empty_store, folder, "elevation", crs="EPSG:4490")


SHIFT = {"x": 112.6, "y": -101.7, "z": -61.2, "rx": 0.7, "ry": -1.1, "rz": 0.4, "scale": 3.1, "accuracy": 0.15}


@pytest.mark.parametrize("method", ["position_vector", "coordinate_frame"])
@pytest.mark.parametrize(
    ("key", "code", "ellipsoid"),
    [("xian_1980", 2363, "+a=6378140 +rf=298.257"), ("xian_1980", 4610, "+a=6378140 +rf=298.257"),
     ("beijing_1954", 2436, "+ellps=krass")],
)  # fmt: skip
def test_a_raster_on_an_older_datum_goes_through_the_citys_parameters(
    empty_store: Database, tmp_path: Path, method: Any, key: Any, code: int, ellipsoid: str
) -> None:
    """The cells hold their own easting (or longitude), so that each stored cell tells where it came from."""
    lon, lat = 116.0, 36.5
    old = CRS.from_epsg(code)
    west, north = Transformer.from_crs(old.geodetic_crs, old, always_xy=True).transform(lon, lat)
    cell = 10.0 if old.is_projected else 0.0001
    values = np.tile(np.arange(300) + 0.5, (200, 1))
    for band in ("x", "y"):
        with rasterio.open(
            tmp_path / f"{band}.tif", "w", driver="GTiff", width=300, height=200, count=1, dtype="float64",
            crs=f"EPSG:{code}", transform=from_origin(west, north, cell, cell), nodata=-1,
        ) as target:  # fmt: skip
            target.write(values if band == "x" else np.tile((np.arange(200) + 0.5)[:, None], (1, 300)), 1)
    home = catalog.default()
    shift = DatumShift.model_validate(SHIFT | {"method": method, "source": "test"})
    city = home.city.model_copy(update={"datums": {key: shift}})
    with pytest.raises(UnknownCrs, match=rf"layers/city\.yml \(datums: {key}\)"):
        load(empty_store, tmp_path / "x.tif", "elevation")
    over = Transformer.from_pipeline(
        f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=push +v_3 +step +proj=cart {ellipsoid}"
        f" +step +proj=helmert +x=112.6 +y=-101.7 +z=-61.2 +rx=0.7 +ry=-1.1 +rz=0.4 +s=3.1 +convention={method}"
        " +step +inv +proj=cart +a=6378137 +rf=298.257222101 +step +proj=pop +v_3"
        " +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    to_degrees = Transformer.from_crs(old, old.geodetic_crs, always_xy=True)
    columns, rows = np.meshgrid(np.arange(20, 280, 7), np.arange(20, 180, 7))
    east, south = west + (columns + 0.5) * cell, north - (rows + 0.5) * cell
    lons, lats = over.transform(*to_degrees.transform(east, south))
    for band, expected in (("x", columns + 0.5), ("y", rows + 0.5)):
        report = load(empty_store, tmp_path / f"{band}.tif", "elevation", dataclasses.replace(home, city=city))
        assert "0.15 m" in report.notes[0]
        with rasterio.open(_place(empty_store, "elevation")) as stored:
            assert stored.crs.to_epsg() == 4490
            at = (~stored.transform) * (lons.ravel(), lats.ravel())
            grid = stored.read(1)
        found = map_coordinates(grid, [at[1] - 0.5, at[0] - 0.5], order=1)
        assert found == pytest.approx(expected.ravel(), abs=0.15), "within 1.5 m (cells of 10 m); the shift is far more"


# --- cubes ---------------------------------------------------------------------------------------------------------

LAT, LON = np.linspace(36, 37, 5), np.linspace(115.5, 116.5, 4)


def _rain(start: str, hours: int, seed: int) -> xr.Dataset:
    values = np.random.default_rng(seed).random((hours, 5, 4)).astype("float32")
    times = pd.date_range(start, periods=hours, freq="h")
    return xr.Dataset(
        {"pr": (("time", "lat", "lon"), values, {"units": "mm"})}, {"time": times, "lat": LAT, "lon": LON}
    )


def _stored(store: Database) -> xr.DataArray:
    with xr.open_zarr(_place(store, "precipitation"), consolidated=False, chunks=None) as cube:
        return cube["precipitation"].load()


PARTS = {
    "later": _rain("2026-07-21", 100, 2), "overlapping": _rain("2026-07-18", 200, 3), "inside": _rain("2026-07-08", 5, 4),
    "earlier": _rain("2026-06-01", 30, 5), "with a gap": _rain("2026-09-01", 400, 6),
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_a_cube_grows_along_time_and_the_release_before_stays(empty_store: Database, tmp_path: Path, part: str) -> None:
    first, second = _rain("2026-07-01", 480, 1), PARTS[part]
    first.to_netcdf(tmp_path / "1.nc")
    second.to_netcdf(tmp_path / "2.nc")
    load(empty_store, tmp_path / "1.nc", "precipitation")
    before = _place(empty_store, "precipitation")
    load(empty_store, tmp_path / "2.nc", "precipitation", mode="update")
    stays = first["pr"].to_series()
    stays = stays[~stays.index.get_level_values("time").isin(second.indexes["time"])]
    expected = pd.concat([stays, second["pr"].to_series()]).sort_index()
    assert np.array_equal(_stored(empty_store).to_series().sort_index().to_numpy(), expected.to_numpy())
    with xr.open_zarr(before, consolidated=False, chunks=None) as old:
        assert np.array_equal(old["precipitation"].values, first["pr"].values)
    with empty_store.thread_session() as conn:
        row = conn.execute("SELECT time_from, time_to FROM shikong.release ORDER BY id DESC LIMIT 1").fetchone()
    assert row is not None
    ends = [moment.astimezone(UTC).replace(tzinfo=None) for moment in row]
    times = expected.index.get_level_values("time")
    assert ends == [times.min().to_pydatetime(), times.max().to_pydatetime()]


def test_chunks_that_stay_are_not_written_again(empty_store: Database, tmp_path: Path) -> None:
    _rain("2026-07-01", 480, 1).to_netcdf(tmp_path / "1.nc")
    _rain("2026-07-21", 100, 2).to_netcdf(tmp_path / "2.nc")
    load(empty_store, tmp_path / "1.nc", "precipitation")
    before = _place(empty_store, "precipitation") / "precipitation"
    load(empty_store, tmp_path / "2.nc", "precipitation", mode="update")
    after = _place(empty_store, "precipitation") / "precipitation"
    same = {file.name for file in before.iterdir() if (after / file.name).exists() and file.samefile(after / file.name)}
    assert same == {"0.0.0", "1.0.0"}


def test_without_update_a_cube_is_replaced(empty_store: Database, tmp_path: Path) -> None:
    for number, start in ((1, "2026-07-01"), (2, "2026-08-01")):
        _rain(start, 10, number).to_netcdf(tmp_path / f"{number}.nc")
        load(empty_store, tmp_path / f"{number}.nc", "precipitation")
    assert _stored(empty_store).sizes["time"] == 10


def test_a_cube_on_another_grid_is_not_added(empty_store: Database, tmp_path: Path) -> None:
    _rain("2026-07-01", 10, 1).to_netcdf(tmp_path / "1.nc")
    load(empty_store, tmp_path / "1.nc", "precipitation")
    _rain("2026-07-02", 10, 1).assign_coords(lat=LAT + 0.1).to_netcdf(tmp_path / "2.nc")
    with pytest.raises(UnreadableSource, match=r"lat axis differs.*without --update"):
        load(empty_store, tmp_path / "2.nc", "precipitation", mode="update")
    assert _stored(empty_store).sizes["time"] == 10
    assert len([path for path in _place(empty_store, "precipitation").parent.iterdir() if not path.is_symlink()]) == 1


def _warmth() -> catalog.Catalog:
    """The city with a cube of temperature in place of rain."""
    home = catalog.default()
    layer = home.layer("precipitation")
    title = Text(zh="气温", en="Air temperature")
    warm = layer.model_copy(update={"parameters": {"t2m": ParameterDecl(title=title, unit="K")}})
    return dataclasses.replace(home, layers=home.layers | {"precipitation": warm})


def test_grib_becomes_a_cube(empty_store: Database, tmp_path: Path, shared_data: Path) -> None:
    path = tmp_path / "t.grib"
    path.write_bytes((shared_data / "climate/era5-2mt-2019-03-uk.grib").read_bytes())
    report = load(empty_store, path, "precipitation", _warmth())
    assert report.format == "GRIB"
    with (
        rasterio.open(path) as peer,
        xr.open_zarr(_place(empty_store, "precipitation"), consolidated=False, chunks=None) as cube,
    ):
        assert cube["t2m"].shape == (peer.count, peer.height, peer.width) == (744, 33, 49)
        for band in (1, 300, 744):
            kelvin = peer.read(band)[::-1] + (273.15 if peer.read(band).mean() < 200 else 0)  # GDAL gives Celsius
            assert cube["t2m"].values[band - 1] == pytest.approx(kelvin, abs=0.01)
    assert {file.name for file in tmp_path.iterdir()} == {"t.grib", "data"}
    with pytest.raises(IngestError, match="no variable for precipitation"):
        load(empty_store, path, "precipitation")


def test_a_grib_file_that_is_none_is_refused(empty_store: Database, tmp_path: Path) -> None:
    (tmp_path / "t.grib").write_bytes(b"GRIB" + bytes(500))
    with pytest.raises(UnreadableSource, match=r"t\.grib cannot be read as GRIB"):
        load(empty_store, tmp_path / "t.grib", "precipitation")


# --- as known then -----------------------------------------------------------------------------------------------


def _published(store: Database) -> list[datetime]:
    return [row[0] for row in store.thread_fetch(sql.SQL("SELECT published_at FROM shikong.release ORDER BY id"))]


def test_a_coverage_answers_from_the_release_of_then_while_it_is_kept(default_store: Database, tmp_path: Path) -> None:
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "float32", "crs": "EPSG:4490",
               "transform": from_origin(116, 36.5, 0.01, 0.01)}  # fmt: skip
    for number in (1, 2):
        with rasterio.open(tmp_path / f"{number}.tif", "w", **profile) as target:
            target.write(np.full((1, 3, 4), number, dtype="float32"))
        load(default_store, tmp_path / f"{number}.tif", "elevation")
    first, second = _published(default_store)
    definition = {
        "name": "x",
        "type": "coverage",
        "data": "elevation",
        "format": {"name": "GeoTIFF", "mimetype": "image/tiff"},
    }

    def answer(moment: datetime | None) -> set[float]:
        with as_known_at(moment):
            return set(CogProvider(definition).query()["ranges"]["elevation"]["values"])

    assert (answer(None), answer(second), answer(first)) == ({2.0}, {2.0}, {1.0})
    with pytest.raises(NothingPublished, match="nothing of elevation was known"):
        answer(first - timedelta(seconds=1))
    with default_store.thread_session() as conn:
        places.known(conn, default_store.settings.data, catalog.default().layer("elevation"), first).unlink()
    with pytest.raises(NoLongerKept, match="not kept any more"):
        answer(first)
    assert answer(second) == {2.0}


def test_a_cube_answers_from_the_release_of_then(default_store: Database, tmp_path: Path) -> None:
    for number, start in ((1, "2026-07-01"), (2, "2026-08-01")):
        _rain(start, 10, number).to_netcdf(tmp_path / f"{number}.nc")
        load(default_store, tmp_path / f"{number}.nc", "precipitation")
    for moment, seed in zip(_published(default_store), (1, 2), strict=True):
        with as_known_at(moment):
            series = ZarrEDRProvider({"name": "x", "type": "edr", "data": "precipitation"}).position(
                shapely.Point(LON[1], LAT[2])
            )
        expected = _rain("2026-07-01", 10, seed)["pr"].values[:, 2, 1]
        assert series["ranges"]["precipitation"]["values"] == pytest.approx(expected.tolist(), abs=1e-6)
