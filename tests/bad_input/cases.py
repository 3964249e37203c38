"""The catalogue of bad input: what bureaus and attackers deliver, and what becomes of it.

Each case makes its source in a folder. It either raises an error of our own with words that say what to do, or is
loaded with some of its rows in quarantine.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio
import shapely
import xarray as xr
from rasterio.transform import from_origin

from shikong.ingest.errors import (
    EmptySource,
    IngestError,
    UnknownCrs,
    UnreadableSource,
    UnsafeSource,
    WrongAxes,
    WrongGeometry,
)


@dataclass(frozen=True)
class Case:
    """One bad source.

    make: writes it into a folder and gives its path. layer: where it is loaded.
    error, words: what is raised. quarantined: (row, rule) of the rows that are refused when the rest is loaded.
    """

    name: str
    make: Callable[[Path], Path]
    error: type[IngestError] | None = None
    words: str = ""
    quarantined: tuple[tuple[int, str], ...] = ()
    layer: str = "districts"
    options: dict[str, Any] = field(default_factory=dict)


def districts(number: int = 4) -> gpd.GeoDataFrame:
    """Good rows for the layer of districts."""
    boxes = [shapely.box(115.5 + i * 0.1, 36.2, 115.58 + i * 0.1, 36.3) for i in range(number)]
    codes, names = [f"3715020{i:02}" for i in range(number)], [f"东昌府区第{i}街道" for i in range(number)]
    return gpd.GeoDataFrame({"XZQDM": codes, "XZQMC": names}, geometry=boxes, crs=4490)


def _shapefile(folder: Path, frame: gpd.GeoDataFrame | None = None, encoding: str = "GB18030") -> Path:
    (districts() if frame is None else frame).to_file(folder / "d.shp", encoding=encoding)
    return folder / "d.shp"


def _without(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = _shapefile(folder)
        path.with_suffix(suffix).unlink()
        return path

    return make


def _cut(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = _shapefile(folder)
        part = path.with_suffix(suffix)
        part.write_bytes(part.read_bytes()[: part.stat().st_size * 2 // 3])
        return path

    return make


def _cut_geopackage(folder: Path) -> Path:
    districts().to_file(folder / "d.gpkg")
    (folder / "d.gpkg").write_bytes((folder / "d.gpkg").read_bytes()[:5000])
    return folder / "d.gpkg"


def _false_encoding(folder: Path) -> Path:
    path = folder / "d.csv"
    text = districts().assign(wkt=districts().geometry.to_wkt()).drop(columns="geometry").to_csv(index=False)
    path.write_bytes(text.encode("gbk") + b"\xff\xff\n")
    return path


def _geopackage(change: Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame | None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        frame = districts()
        (frame if (changed := change(frame)) is None else changed).to_file(folder / "d.gpkg")
        return folder / "d.gpkg"

    return make


def _shape(row: int, shape: shapely.Geometry) -> Callable[[gpd.GeoDataFrame], None]:
    def change(frame: gpd.GeoDataFrame) -> None:
        frame.loc[row, "geometry"] = shape

    return change


def _ring(*points: tuple[float, float]) -> shapely.Polygon:
    return shapely.Polygon(points)


_BOW = _ring((115.5, 36.2), (115.6, 36.3), (115.6, 36.2), (115.5, 36.3))
with np.errstate(invalid="ignore"):
    _NAN = shapely.from_wkt("POLYGON ((115.5 36.2, 115.6 36.2, nan 36.3, 115.5 36.2))")
_INFINITE = _ring((115.5, 36.2), (115.6, 36.2), (float("inf"), 36.3), (115.5, 36.3))


def _no_names(folder: Path) -> Path:
    frame = districts().rename(columns={"XZQDM": "code", "XZQMC": "name"})
    frame.loc[1, "geometry"] = _BOW
    frame.to_file(folder / "r.gpkg")
    return folder / "r.gpkg"


def _ten_million_vertices(folder: Path) -> Path:
    angles = np.linspace(0, 2 * np.pi, 10_000_000, endpoint=False)
    ring = np.column_stack([115.9 + np.cos(angles) / 10, 36.4 + np.sin(angles) / 10])
    wkb = shapely.to_wkb(shapely.polygons(ring))
    values = [np.array(["1"], dtype=object), np.array(["万"], dtype=object)]
    pyogrio.raw.write(
        folder / "d.fgb", np.array([wkb], dtype=object), values, ["XZQDM", "XZQMC"],
        geometry_type="Polygon", crs="EPSG:4490", layer_options={"SPATIAL_INDEX": "NO"},
    )  # fmt: skip
    return folder / "d.fgb"


def _zip(members: dict[str, bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "d.zip", "w", zipfile.ZIP_DEFLATED) as written:
            for name, body in members.items():
                written.writestr(name, body)
        return folder / "d.zip"

    return make


def _bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "d.zip", "w", zipfile.ZIP_DEFLATED) as written, written.open("d.shp", "w") as member:
        for _ in range(100):
            member.write(bytes(2**20))
    return folder / "d.zip"


def _overlapping_bomb(folder: Path) -> Path:
    """Many entries of the directory that share one body."""
    with zipfile.ZipFile(folder / "d.zip", "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("0.shp", bytes(60 * 2**20))
        first = written.filelist[0]
        for number in range(1, 9_000):
            twin = zipfile.ZipInfo(f"{number}.shp")
            for name in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(twin, name, getattr(first, name))
            written.filelist.append(twin)
        written._didModify = True  # the directory is written anew on closing
    return folder / "d.zip"


_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


def _xml(name: str, root: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(
            f'<?xml version="1.0"?><!-- a --><!DOCTYPE x [<!ENTITY l0 "ha">{_LAUGHS}]>{root}', encoding="utf-8"
        )
        return folder / name

    return make


def _disguised(folder: Path) -> Path:
    districts().to_file(folder / "secret.gpkg")
    (folder / "d.geojson").write_text(
        f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{folder / "secret.gpkg"}</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>",
        encoding="utf-8",
    )
    return folder / "d.geojson"


def _text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content, encoding="utf-8")
        return folder / name

    return make


def _raster(values: Any, **profile: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        height, width = values.shape
        whole = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "float32", "nodata": -9999.0,
                 "crs": "EPSG:4490", "transform": from_origin(115.5, 36.8, 0.001, 0.001)} | profile  # fmt: skip
        with rasterio.open(folder / "d.tif", "w", **whole) as target:
            target.write(values.astype("float32"), 1)
        return folder / "d.tif"

    return make


def _cut_raster(folder: Path) -> Path:
    path = _raster(np.random.default_rng(1).random((300, 300)))(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _cube(change: Callable[[xr.Dataset], xr.Dataset]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        cube = xr.Dataset(
            {"pr": (("time", "lat", "lon"), np.ones((3, 4, 5)), {"units": "mm"})},
            coords={"time": pd.date_range("2026-07-01", periods=3, freq="h"), "lat": np.linspace(36, 37, 4),
                    "lon": np.linspace(115.5, 116.5, 5)},
        )  # fmt: skip
        change(cube).to_netcdf(folder / "d.nc")
        return folder / "d.nc"

    return make


_SQUARE = "POLYGON((115.5 36.2,115.6 36.2,115.6 36.3,115.5 36.2))"

CASES = [
    Case("shapefile cut off", _cut(".shp"), UnreadableSource, "its .shp has"),
    Case("table of a shapefile cut off", _cut(".dbf"), UnreadableSource, "its .dbf has"),
    Case("shapefile without .shx", _without(".shx"), UnreadableSource, "without its .shx; deliver all files"),
    Case("shapefile without .dbf", _without(".dbf"), UnreadableSource, "without its .dbf; deliver all files"),
    Case("shapefile in degrees without .prj", _without(".prj"), UnknownCrs, "--crs"),
    Case("geopackage cut off", _cut_geopackage, IngestError, "d.gpkg"),
    Case("neither UTF-8 nor GBK", _false_encoding, UnreadableSource, "neither UTF-8 nor GB18030"),
    Case("mixed geometry types", _geopackage(_shape(1, shapely.Point(115.9, 36.4))), quarantined=((2, "not_a_MultiPolygon"),)),
    Case("only other geometry types", _geopackage(lambda d: d.set_geometry(shapely.centroid(d.geometry))), WrongGeometry,
         "districts holds MultiPolygon, but the source has Point"),
    Case("NaN coordinate", _geopackage(_shape(1, _NAN)), quarantined=((2, "outside_the_earth"),)),
    Case("infinite coordinate", _geopackage(_shape(1, _INFINITE)), quarantined=((2, "outside_the_earth"),)),
    Case("self-crossing ring", _no_names, quarantined=((2, "valid_geometry"),), layer="ecological_redline"),
    Case("polygon of 10^7 vertices", _ten_million_vertices, UnreadableSource, "row 1 has 10,000,001 vertices; at most"),
    Case("duplicated key", _geopackage(lambda d: d.assign(XZQDM=["1", "2", "2", "3"])), quarantined=((3, "unique"),)),
    Case("zip bomb", _bomb, UnsafeSource, "-fold, as a zip bomb does"),
    Case("zip bomb of overlapping members", _overlapping_bomb, UnsafeSource, "would expand to"),
    Case("zip path that climbs out", _zip({"../../d.shp": b"x"}), UnsafeSource, "leaves the archive: '../../d.shp'"),
    Case("absolute zip path", _zip({"/etc/d.shp": b"x"}), UnsafeSource, "leaves the archive: '/etc/d.shp'"),
    Case("zip in a zip", _zip({"d.zip": b"x"}), UnreadableSource, "unzip it first"),
    Case("zip with nothing to load", _zip({"readme.doc": b"x"}), UnreadableSource, "it has: readme.doc"),
    Case("XML entity bomb in KML", _xml("d.kml", '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>&l9;</name></Document></kml>'),
         UnsafeSource, "<!DOCTYPE>"),
    Case("XML entity bomb in GML", _xml("d.gml", "<x>&l9;</x>"), UnsafeSource, "<!DOCTYPE>"),
    Case("XML that is none", _text("d.kml", "<kml><unclosed"), UnreadableSource, "broken or of an unknown format"),
    Case("file in disguise that names other files", _text("d.geojson", '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd.csv</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'),
         IngestError, "d.geojson"),
    Case("file in disguise that names a good file", _disguised, UnsafeSource, "in truth a OGR_VRT file"),
    Case("CSV with a formula cell", _text("d.csv", f'XZQDM,XZQMC,wkt\n1,=1+1,"{_SQUARE}"\n'), UnsafeSource,
         "row 1, column XZQMC"),
    Case("CSV with a line too long", _text("d.csv", "XZQDM,XZQMC,lon,lat\n1,a,1,2,3\n"), UnreadableSource, "regular table"),
    Case("CSV with a broken shape", _text("d.csv", f'XZQDM,XZQMC,wkt\n1,a,"{_SQUARE}"\n2,b,POLYGON((1\n'),
         quarantined=((2, "no_geometry"),), options={"crs": "EPSG:4490"}),
    Case("longitude and latitude swapped", _geopackage(lambda d: d.set_geometry(shapely.transform(d.geometry.values, np.fliplr))),
         WrongAxes, "--swap-axes"),
    Case(".prj of another zone than the numbers", _geopackage(lambda d: d.to_crs(4527).set_crs(4548, allow_override=True)),
         UnknownCrs, "--crs EPSG:4527"),
    Case("Xi'an 1980 without parameters", _geopackage(lambda d: d.to_crs(4548).set_crs(2384, allow_override=True)),
         UnknownCrs, "layers/city.yml (datums: xian_1980)"),
    Case("no features", _text("d.geojson", '{"type": "FeatureCollection", "features": []}'), EmptySource, "no features"),
    Case("raster without any value", _raster(np.full((20, 30), -9999.0)), EmptySource, "no cell with a value", layer="elevation"),
    Case("raster without any value but NaN", _raster(np.full((20, 30), np.nan), nodata=None), EmptySource,
         "no cell with a value", layer="elevation"),
    Case("raster without a CRS", _raster(np.ones((20, 30)), crs=None), UnknownCrs, "--crs", layer="elevation"),
    Case("raster cut off", _cut_raster, UnreadableSource, "cannot be read as a raster", layer="elevation"),
    Case("NetCDF without coordinates", _cube(lambda c: c.drop_vars(["lat", "lon"])), UnreadableSource,
         "no coordinates along lat, lon", layer="precipitation"),
    Case("NetCDF without a time axis", _cube(lambda c: c.isel(time=0, drop=True)), IngestError, "no time axis", layer="precipitation"),
    Case("NetCDF with one place twice", _cube(lambda c: c.assign_coords(lon=[115.5, 115.5, 116, 116.2, 116.5])), UnreadableSource,
         "lon has a value twice", layer="precipitation"),
    Case("NetCDF with coordinates that are none", _cube(lambda c: c.assign_coords(lat=[36, np.nan, 36.6, 37])), UnreadableSource,
         "lat has values that are no numbers", layer="precipitation"),
]  # fmt: skip
