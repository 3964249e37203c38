"""Rasters and cubes on the pixels of tiles, against bare rasterio, rio-tiler, scipy and formulas.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import xarray as xr
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT
from rio_tiler.io import Reader
from scipy.interpolate import RegularGridInterpolator

from shikong.layers import catalog
from shikong.layers.styles import Shade
from shikong.store.errors import Unreadable
from shikong.store.moments import Period
from shikong.tiles import matrix, raster, relief
from shikong.tiles import picture as painted
from shikong.tiles.errors import NoSuchTime
from shikong.tiles.frame import Frame
from shikong.tiles.matrix import TileAddress, TileBox

CITY = catalog.default()
ELEVATION, COVER, RAIN = (CITY.layer(name) for name in ("elevation", "land_cover", "precipitation"))
STEP = 0.001
WEST, NORTH, SIZE = 115.9, 36.5, 600


def _heights() -> Any:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    return (40 + 15 * np.sin(rows / 23) * np.cos(columns / 31) + columns / 60).astype("float32")


def _cog(path: Path, values: Any, nodata: float, overviews: str) -> Path:
    profile = {"driver": "GTiff", "width": values.shape[1], "height": values.shape[0], "count": 1, "dtype": values.dtype.name,
               "crs": "EPSG:4490", "transform": from_origin(WEST, NORTH, STEP, STEP), "nodata": nodata}  # fmt: skip
    with rasterio.open(path.with_suffix(".source.tif"), "w", **profile) as target:
        target.write(values, 1)
    rasterio.shutil.copy(path.with_suffix(".source.tif"), path, driver="COG", overview_resampling=overviews)
    return path


@pytest.fixture(scope="module")
def heights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = _heights()
    values[:50, :50] = -9999
    return _cog(tmp_path_factory.mktemp("dem") / "d.tif", values, -9999.0, "AVERAGE")


def _tile(name: str, zoom: int, lon: float = 116.2, lat: float = 36.2) -> TileAddress:
    base = matrix.SERVED[name]
    found = matrix.matrix_set(name).tile(lon, lat, zoom + base.behind_base)
    return TileAddress(name, zoom, found.y, found.x)


@pytest.mark.parametrize("name", matrix.SERVED)
@pytest.mark.parametrize("zoom", [9, 12, 15])
def test_cells_are_those_of_gdal_and_of_rio_tiler(heights: Path, name: str, zoom: int) -> None:
    frame = Frame(matrix.box(_tile(name, zoom)))
    found = raster.cells(heights, ELEVATION, ELEVATION.styles["elevation"], frame, None)
    assert found is not None
    assert found.shape == (1, 256, 256)
    crs, box = CRS.from_epsg(frame.box.srid), frame.box
    with (
        rasterio.open(heights) as source,
        WarpedVRT(
            source, crs=crs, resampling=Resampling.bilinear, transform=frame.transform, width=256, height=256
        ) as view,
    ):
        bare = view.read(masked=True)
    assert (found.mask == bare.mask).all()
    assert np.ma.allclose(found, bare, atol=1e-3)
    with Reader(str(heights)) as reader:
        bounds = (box.west, box.south, box.east, box.north)
        tile = reader.part(bounds, dst_crs=crs, bounds_crs=crs, width=256, height=256, reproject_method="bilinear",
                           resampling_method="bilinear")  # fmt: skip
    both = ~(tile.array.mask | found.mask)
    assert both.sum() > 10_000
    assert np.abs(tile.array.data - found.data)[both].mean() < 0.6  # it smooths in two steps


@pytest.mark.parametrize("style", ["elevation", "hillshade"])
def test_a_large_picture_is_drawn_in_strips_that_meet(
    heights: Path, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The strips reach over both edges of the file."""
    frame = Frame(TileBox(115.8, 35.8, 116.6, 36.6, 4490), 700, 700)
    strips = list(frame.strips())
    assert len(strips) == 1
    whole = painted.of_raster(CITY, ELEVATION, style, heights, frame, None)
    monkeypatch.setattr("shikong.tiles.frame._STRIP", 700 * 64)
    assert [strip.height for strip in frame.strips()] == [64] * 10 + [60]
    parts = painted.of_raster(CITY, ELEVATION, style, heights, frame, None)
    assert whole is not None
    assert parts is not None
    assert (whole[..., 3] == parts[..., 3]).mean() > 0.999
    assert np.abs(whole.astype(int) - parts)[(whole[..., 3] > 0) & (parts[..., 3] > 0)].max() <= 3


@pytest.mark.parametrize("style", ["elevation", "hillshade", "terrain_rgb"])
@pytest.mark.parametrize("name", matrix.SERVED)
def test_neighbours_meet(heights: Path, style: str, name: str) -> None:
    """Four tiles side by side are the picture of their common box."""
    first = _tile(name, 13)
    tiles = [[TileAddress(name, 13, first.row + row, first.column + column) for column in (0, 1)] for row in (0, 1)]
    parts = [
        [painted.of_raster(CITY, ELEVATION, style, heights, Frame(matrix.box(tile)), None) for tile in row]
        for row in tiles
    ]
    low, high = matrix.box(tiles[1][0]), matrix.box(tiles[0][1])
    whole = Frame(TileBox(low.west, low.south, high.east, high.north, low.srid), 512, 512)
    expected = painted.of_raster(CITY, ELEVATION, style, heights, whole, None)
    assert expected is not None
    together = np.vstack([np.hstack(row) for row in parts])
    difference = np.abs(together.astype(int) - expected.astype(int))[..., :3]
    assert expected[..., 0].std() > 1 or style == "terrain_rgb"
    if style == "terrain_rgb":
        assert np.abs(_decoded(together) - _decoded(expected)).max() <= 0.2
    else:
        assert difference.max() <= 3


def _decoded(picture: Any) -> Any:
    red, green, blue = (picture[..., band].astype(float) for band in range(3))
    return -10000 + (red * 65536 + green * 256 + blue) / 10


def test_terrain_rgb_tells_the_heights_and_nothing_is_0_m(heights: Path) -> None:
    frame = Frame(matrix.box(_tile("c", 10, 115.95, 36.45)))
    cells = raster.cells(heights, ELEVATION, ELEVATION.styles["terrain_rgb"], frame, None)
    picture = painted.of_raster(CITY, ELEVATION, "terrain_rgb", heights, frame, None)
    assert cells is not None
    assert picture is not None
    told, known = _decoded(picture), ~np.ma.getmaskarray(cells[0])
    assert 0 < known.sum() < known.size
    assert np.abs(told - cells[0].data)[known].max() <= 0.0501
    assert (told[~known] == 0).all()
    assert (picture[..., 3] == 255).all()


def test_light_follows_the_slope_on_the_ground() -> None:
    """Planes whose light is known by formula, in degrees and in Web Mercator: pixels are smaller on the ground there."""
    shade = Shade(azimuth=315, altitude=45, exaggeration=1)
    for name in ("c", "w"):
        frame = Frame(matrix.box(_tile(name, 14)))
        wide = frame.with_margin(relief.MARGIN)
        to_metres = Transformer.from_crs(frame.box.srid, 4548, always_xy=True)
        columns, rows = np.meshgrid(np.arange(wide.width) + 0.5, np.arange(wide.height) + 0.5)
        easting, northing = to_metres.transform(*(wide.transform * (columns, rows)))
        for east, north in ((0.0, 0.0), (0.5, 0.0), (0.0, -0.5), (-0.7, 0.7), (0.3, -0.8)):
            plane = np.ma.masked_invalid(east * (easting - easting.mean()) + north * (northing - northing.mean()))
            light = np.array([-0.5, 0.5, np.sqrt(0.5)])  # towards the sun: north-west, 45 degrees up
            normal = np.array([-east, -north, 1.0]) / np.sqrt(1 + east**2 + north**2)
            expected = 1 + 254 * max(0.0, float(light @ normal))
            grey = relief.shaded(plane, frame, shade)
            # Grid north of the plane differs from true north by half a degree here.
            assert np.abs(grey[..., 0].astype(float) - expected).max() <= 2.5, (name, east, north)


@pytest.fixture(scope="module")
def cover(tmp_path_factory: pytest.TempPathFactory) -> Path:
    codes = np.array([10, 30, 40, 50, 80], dtype="uint8")
    blocks = codes[np.random.default_rng(7).integers(0, 5, (60, 60))]
    return _cog(tmp_path_factory.mktemp("lc") / "l.tif", np.kron(blocks, np.ones((10, 10), dtype="uint8")), 0, "MODE")


@pytest.mark.parametrize("zoom", [8, 10, 13, 16])
def test_codes_are_never_mixed(cover: Path, zoom: int) -> None:
    """Every pixel has a colour of the list; where pixels are small it is that of the cell below its middle."""
    frame = Frame(matrix.box(_tile("w", zoom)))
    picture = painted.of_raster(CITY, COVER, "classes", cover, frame, None)
    assert picture is not None
    listed = {tuple(bytes.fromhex(code.color[1:])) for code in CITY.codes["land_cover"].codes.values() if code.color}
    shown = {tuple(map(int, colour)) for colour in picture[picture[..., 3] == 255][:, :3]}
    assert len(shown) >= 3
    assert shown <= listed
    if zoom >= 13:
        columns, rows = np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5)
        lon, lat = Transformer.from_crs(3857, 4490, always_xy=True).transform(*(frame.transform * (columns, rows)))
        with rasterio.open(cover) as source:
            codes = source.read(1)
        row, column = np.floor((NORTH - lat) / STEP).astype(int), np.floor((lon - WEST) / STEP).astype(int)
        colours = {
            int(code): bytes.fromhex(entry.color[1:])
            for code, entry in CITY.codes["land_cover"].codes.items()
            if entry.color
        }
        expected = np.array([list(colours[code]) for code in codes[row, column].ravel()]).reshape(256, 256, 3)
        assert (expected == picture[..., :3]).all(axis=2).mean() > 0.98  # GDAL's warp is exact to an eighth of a pixel


NOW = datetime(2026, 5, 3, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def rain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lon, lat = 115.225 + 0.05 * np.arange(28), 35.775 + 0.05 * np.arange(26)
    field = np.random.default_rng(3).gamma(2, 4, (12, 26, 28)).astype("float32")
    field[:, 10:12, 10:12] = np.nan
    times = [np.datetime64((NOW - timedelta(hours=11 - hour)).replace(tzinfo=None), "ns") for hour in range(12)]
    cube = xr.Dataset({"precipitation": (("time", "lat", "lon"), field)}, {"time": times, "lat": lat, "lon": lon})
    place = tmp_path_factory.mktemp("rain") / "r.zarr"
    cube.to_zarr(place, consolidated=False)
    return place


def _at(hours: float) -> Period:
    moment = NOW + timedelta(hours=hours)
    return Period(moment, moment)


@pytest.mark.parametrize("zoom", [10, 13, 16])
@pytest.mark.parametrize("name", ["c", "w"])
def test_a_step_of_a_cube_is_interpolated_across_tiles(rain: Path, name: str, zoom: int) -> None:
    frame = Frame(matrix.box(_tile(name, zoom, 116.21, 36.61)))
    found = raster.cells(rain, RAIN, RAIN.styles["rain"], frame, _at(-4.5))
    assert found is not None
    columns, rows = np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5)
    to_degrees = Transformer.from_crs(frame.box.srid, 4490, always_xy=True)
    lon, lat = to_degrees.transform(*(frame.transform * (columns, rows)))
    with xr.open_zarr(rain, consolidated=False, chunks=None) as cube:
        step = cube["precipitation"].isel(time=6)
        field = RegularGridInterpolator((cube["lat"].values, cube["lon"].values), step.values)
    expected = field((lat, lon))
    both = np.isfinite(expected) & ~np.ma.getmaskarray(found[0])
    assert both.sum() > 50_000
    assert np.abs(found[0].data - expected)[both].max() < 0.35  # GDAL's warp is exact to an eighth of a pixel


@pytest.mark.parametrize(("period", "step"), [
    (None, 11), (_at(0), 11), (_at(0.9), 11), (_at(-0.1), 10), (_at(-11), 0), (Period(None, None), 11),
    (Period(NOW - timedelta(hours=5), NOW - timedelta(hours=2.5)), 8), (Period(NOW - timedelta(hours=3), None), 11),
])  # fmt: skip
def test_the_last_step_that_a_time_allows_is_drawn(rain: Path, period: Period | None, step: int) -> None:
    frame = Frame(TileBox(115.6, 36.2, 115.65, 36.25, 4490), 64, 64)
    found = raster.cells(rain, RAIN, RAIN.styles["rain"], frame, period)
    with xr.open_zarr(rain, consolidated=False, chunks=None) as cube:
        part = cube["precipitation"].isel(time=step).sel(lat=slice(36.15, 36.3), lon=slice(115.55, 115.7)).values
    assert found is not None
    assert part.min() - 1e-4 <= found.min() <= found.max() <= part.max() + 1e-4
    other = raster.cells(rain, RAIN, RAIN.styles["rain"], frame, _at(-11 + step))
    assert other is not None
    assert np.ma.allequal(found, other)


@pytest.mark.parametrize("period", [_at(-11.1), _at(1), Period(NOW + timedelta(hours=1), None),
                                    Period(None, NOW - timedelta(hours=12))])  # fmt: skip
def test_a_time_without_a_step_is_told_with_the_times_there_are(rain: Path, period: Period) -> None:
    frame = Frame(TileBox(115.6, 36.2, 115.65, 36.25, 4490), 64, 64)
    with pytest.raises(NoSuchTime, match="from 2026-05-02T19:00:00Z to 2026-05-03T06:00:00Z"):
        raster.cells(rain, RAIN, RAIN.styles["rain"], frame, period)


def test_elsewhere_nothing_is_drawn(heights: Path, rain: Path) -> None:
    away = Frame(matrix.box(_tile("c", 12, 120.0, 30.0)))
    assert painted.of_raster(CITY, ELEVATION, "elevation", heights, away, None) is None
    assert painted.of_raster(CITY, RAIN, "rain", rain, away, None) is None


@pytest.mark.parametrize("damage", ["cut", "junk", "gone"])
def test_a_broken_file_is_told_as_such(heights: Path, tmp_path: Path, damage: str) -> None:
    place = tmp_path / "d.tif"
    whole = heights.read_bytes()
    if damage != "gone":
        place.write_bytes(whole[: len(whole) // 3] if damage == "cut" else b"no picture at all" * 100)
    frame = Frame(matrix.box(_tile("w", 13)))
    with pytest.raises(Unreadable, match="elevation cannot be read"):
        raster.cells(place, ELEVATION, ELEVATION.styles["elevation"], frame, None)


def test_a_broken_cube_is_told_as_such(rain: Path, tmp_path: Path) -> None:
    frame = Frame(TileBox(115.6, 36.2, 115.65, 36.25, 4490), 64, 64)
    for number, (pattern, junk) in enumerate([("precipitation/c/**/*", "junk" * 20), ("zarr.json", "{")]):
        place = tmp_path / f"{number}.zarr"
        shutil.copytree(rain, place)
        broken = [path for path in place.glob(pattern) if path.is_file()]
        assert broken
        for path in broken:
            path.write_text(junk)
        with pytest.raises(Unreadable, match="precipitation cannot be read"):
            raster.cells(place, RAIN, RAIN.styles["rain"], frame, None)
    with pytest.raises(Unreadable):
        raster.cells(tmp_path / "gone.zarr", RAIN, RAIN.styles["rain"], frame, None)


@pytest.mark.parametrize("file", ["geocompy_srtm.tif", "pysheds_dem.tif"])
def test_real_heights_in_whole_metres_are_drawn_without_steps(shared_data: Path, file: str) -> None:
    """Against GDAL's warp of the heights as numbers with fractions, three zooms beyond the cells."""
    place = shared_data / "raster" / file
    with rasterio.open(place) as source:
        west, south, east, north = source.bounds
        name, values = source.dtypes[0], source.read(1, masked=True)
        x, y, size = (west + east) / 2, (south + north) / 2, source.res[0] * 32
        frame = Frame(TileBox(x, y, x + size, y + size, 4490))
        with WarpedVRT(source, crs=CRS.from_epsg(4490), resampling=Resampling.bilinear, transform=frame.transform,
                       width=256, height=256, dtype="float32") as view:  # fmt: skip
            expected = view.read(masked=True)
    assert np.issubdtype(np.dtype(name), np.integer)
    found = raster.cells(place, ELEVATION, ELEVATION.styles["elevation"], frame, None)
    assert found is not None
    assert np.ma.allclose(found, expected)
    assert values.min() <= found.min() < found.max() <= values.max()
    assert (found % 1 != 0).mean() > 0.5
    shade = painted.of_raster(CITY, ELEVATION, "hillshade", place, frame, None)
    assert shade is not None
    assert shade[..., 0].std() > 5
