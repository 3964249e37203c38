"""Sources of every kind end to end: the same parcel, from either zone of the city, lies in the same place.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from pyproj import Geod, Transformer

from shikong.ingest.errors import UnknownCrs, WrongAxes
from shikong.ingest.report import Report
from shikong.layers import catalog
from shikong.layers.model import DatumShift
from shikong.store.database import Database
from support.loads import load


def _load(store: Database, path: Path, home: catalog.Catalog | None = None, **options: Any) -> Report:
    return load(store, path, "districts", home, **options)


def _shape(store: Database) -> shapely.Geometry:
    with store.thread_session() as conn:
        ((wkb,),) = conn.execute("SELECT st_asbinary(geom) FROM data.districts").fetchall()
    return shapely.from_wkb(wkb)


def _apart(found: shapely.Geometry, expected: shapely.Geometry) -> float:
    """The largest distance (m) between vertices in order of the expected shape and the found one's nearest vertex."""
    geod = Geod(ellps="GRS80")
    there = shapely.get_coordinates(found)
    return max(min(geod.inv(x, y, a, b)[2] for a, b in there) for x, y in shapely.get_coordinates(expected))


def _boundary_text(folder: Path, frame: gpd.GeoDataFrame) -> Path:
    code = frame.crs.to_epsg()
    zone = code - 4513 + 25 if code < 4534 else code - 4534 + 25
    points = list(frame.geometry[0].exterior.coords)
    lines = ["[属性描述]", "坐标系=2000国家大地坐标系", "几度分带=3", "计量单位=米", f"带号={zone}", "[地块坐标]",
             f"{len(points)},1,371502,东昌府区,面,,,,@", *(f"J{n},1,{y:.4f},{x:.4f}" for n, (x, y) in enumerate(points))]  # fmt: skip
    (folder / "d.txt").write_text("\r\n".join(lines), encoding="gbk")
    return folder / "d.txt"


def _drawing(folder: Path, frame: gpd.GeoDataFrame) -> Path:
    vertices = "".join(f"10\n{x:.4f}\n20\n{y:.4f}\n" for x, y in frame.geometry[0].exterior.coords[:-1])
    (folder / "d.dxf").write_text(
        f"0\nSECTION\n2\nENTITIES\n0\nLWPOLYLINE\n5\n1A\n8\n0\n90\n4\n70\n1\n{vertices}0\nENDSEC\n0\nEOF\n",
        encoding="ascii",
    )
    return folder / "d.dxf"


def _zip(folder: Path, frame: gpd.GeoDataFrame) -> Path:
    for name in ("d", "e"):
        frame.to_file(folder / f"{name}.shp", encoding="GBK")
    with zipfile.ZipFile(folder / "d.zip", "w") as written:
        for part in [*folder.glob("d.[sdp]*"), *folder.glob("e.[sdp]*")]:
            if part.suffix != ".zip":
                written.write(part, part.name)
    return folder / "d.zip"


def _parquet(folder: Path, frame: gpd.GeoDataFrame) -> Path:
    frame.to_parquet(folder / "d.parquet")
    return folder / "d.parquet"


FORMS: list[tuple[str, Callable[[Path, gpd.GeoDataFrame], Path], dict[str, Any]]] = [
    ("boundary points", _boundary_text, {"fields": {"xzqdm": "地块编号", "xzqmc": "地块名称"}}),
    ("DXF", _drawing, {"fields": {"xzqdm": "EntityHandle", "xzqmc": "Layer"}}),
    ("ESRI Shapefile", _zip, {"source_layer": "e"}),
    ("GeoParquet", _parquet, {}),
]


@pytest.mark.parametrize("code", [4526, 4527, 4547, 4548])
@pytest.mark.parametrize(("form", "make", "options"), FORMS, ids=[form[0] for form in FORMS])
def test_a_parcel_across_the_edge_of_the_zones_lies_in_its_place(
    empty_store: Database, tmp_path: Path, form: str, make: Any, options: dict[str, Any], code: int
) -> None:
    box = shapely.box(115.48, 36.2, 115.52, 36.24)  # 115.5 E cuts it
    frame = gpd.GeoDataFrame({"XZQDM": ["1"], "XZQMC": ["跨带"]}, geometry=[box], crs=4490).to_crs(code)
    report = _load(empty_store, make(tmp_path, frame), **options)
    assert (report.format, report.crs) == (form, f"EPSG:{code}")
    assert _apart(_shape(empty_store), box) < 0.002


def test_xian_1980_needs_and_uses_the_citys_parameters(empty_store: Database, tmp_path: Path) -> None:
    corner = Transformer.from_crs(4610, 2384, always_xy=True).transform(115.985, 36.456)
    box = shapely.box(*corner, corner[0] + 100, corner[1] + 100)
    gpd.GeoDataFrame({"XZQDM": ["1"], "XZQMC": ["旧"]}, geometry=[box], crs=2384).to_file(tmp_path / "d.gpkg")
    with pytest.raises(UnknownCrs, match=r"datums: xian_1980"):
        _load(empty_store, tmp_path / "d.gpkg")
    shift = DatumShift(method="coordinate_frame", x=112.6, y=-101.7, z=-61.2, rx=0.7, ry=-1.1, rz=0.4, scale=3.1,
                       accuracy=0.15, source="测绘院 2009")  # fmt: skip
    home = catalog.default()
    home = dataclasses.replace(home, city=home.city.model_copy(update={"datums": {"xian_1980": shift}}))
    report = _load(empty_store, tmp_path / "d.gpkg", home)
    assert any("测绘院 2009" in note and "0.15 m" in note for note in report.notes)
    peer = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=tmerc +lat_0=0 +lon_0=117 +k=1 +x_0=500000 +y_0=0 +a=6378140 +rf=298.257"
        " +step +proj=cart +a=6378140 +rf=298.257 +step +proj=helmert +x=112.6 +y=-101.7 +z=-61.2 +rx=0.7 +ry=-1.1"
        " +rz=0.4 +s=3.1 +convention=coordinate_frame +step +inv +proj=cart +ellps=GRS80"
        " +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    lon, lat, _ = peer.transform(*corner, 0.0)
    assert _apart(_shape(empty_store), shapely.Point(lon, lat)) < 0.002


def test_swapped_columns_are_loaded_on_the_operators_word(empty_store: Database, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(
        'xzqdm,xzqmc,wkt\n1,反,"POLYGON((36.2 115.6,36.3 115.6,36.3 115.7,36.2 115.6))"\n', encoding="utf-8"
    )
    with pytest.raises(WrongAxes, match="--swap-axes"):
        _load(empty_store, path, crs="EPSG:4490")
    report = _load(empty_store, path, crs="EPSG:4490", swap_axes=True)
    assert any("--swap-axes" in note for note in report.notes)
    assert _shape(empty_store).bounds == pytest.approx((115.6, 36.2, 115.7, 36.3))
