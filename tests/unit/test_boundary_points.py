"""The boundary-point text of land approval: parcels, holes, encodings, and its CRS from the header.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely
from pyproj import CRS, Transformer

from shikong.ingest import gauss_krueger
from shikong.ingest.errors import EmptySource, IngestError, UnknownCrs, UnreadableSource
from shikong.ingest.job import open_features
from shikong.ingest.readers import boundary_points

HEADER = {
    "格式版本号": "1.01版本", "数据产生单位": "聊城市自然资源和规划局", "数据产生日期": "2024-12-31", "坐标系": "2000国家大地坐标系",
    "几度分带": "3", "投影类型": "高斯克吕格", "计量单位": "米", "带号": "39", "精度": "0.001", "转换参数": "0,0,0,0,0,0,0",
}  # fmt: skip
SQUARE = [(4036000.0, 409000.0), (4036000.0, 409100.0), (4036100.0, 409100.0), (4036100.0, 409000.0)]
HOLE = [(4036040.0, 409040.0), (4036040.0, 409060.0), (4036060.0, 409060.0), (4036060.0, 409040.0)]
ISLE = [(4036000.0, 409200.0), (4036000.0, 409300.0), (4036100.0, 409300.0)]


def _text(
    rings: list[list[tuple[float, float]]],
    header: dict[str, str] | None = None,
    prefix: float = 0,
    count: int | None = None,
) -> str:
    """As the standard has it: northing before easting, the first point of a ring again at its end."""
    points = [(n, x, y + prefix) for n, ring in enumerate(rings, 1) for x, y in [*ring, ring[0]]]
    lines = ["[属性描述]", *(f"{key}={value}" for key, value in (HEADER | (header or {})).items()), "[地块坐标]"]
    lines.append(
        f"{len(points) if count is None else count},1.0000,371502-01,东昌湖北地块,面,J50G001001,公园绿地,1401,@"
    )
    lines += [f"J{n},{ring},{x:.3f},{y:.3f}" for n, (ring, x, y) in enumerate(points, 1)]
    return "\r\n".join(lines) + "\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize(("prefix", "code"), [(0, 4548), (39_000_000, 4527)])
def test_a_parcel_with_a_hole_is_read_in_its_crs(tmp_path: Path, encoding: str, prefix: int, code: int) -> None:
    path = tmp_path / "d.txt"
    path.write_bytes(_text([SQUARE, HOLE], prefix=prefix).encode(encoding))
    source = open_features(path, None)
    (batch,) = source.batches()
    assert (source.format, source.total) == ("boundary points", 1)
    assert CRS.from_user_input(source.crs) == CRS.from_epsg(code)
    (shape,) = batch.geometry
    swapped = [[(y + prefix, x) for x, y in ring] for ring in (SQUARE, HOLE)]
    assert shape.equals(shapely.Polygon(swapped[0], [swapped[1]]))
    assert shape.area == 100 * 100 - 20 * 20
    assert batch.columns.iloc[0].to_dict() == {
        "点数": "10", "面积": "1.0000", "地块编号": "371502-01", "地块名称": "东昌湖北地块", "几何类型": "面",
        "图幅号": "J50G001001", "用途": "公园绿地", "地类编码": "1401",
    }  # fmt: skip


def test_a_ring_outside_the_first_is_a_part_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text(_text([SQUARE, HOLE, ISLE]), encoding="utf-8")
    (batch,) = open_features(path, None).batches()
    assert batch.geometry[0].geom_type == "MultiPolygon"
    assert batch.geometry[0].area == 100 * 100 - 20 * 20 + 100 * 100 / 2


def test_several_parcels_are_several_rows(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    text = _text([SQUARE])
    path.write_text(text + text.split("[地块坐标]\r\n")[1].replace("-01", "-02"), encoding="utf-8")
    source = open_features(path, None)
    (batch,) = source.batches()
    assert batch.columns["地块编号"].tolist() == ["371502-01", "371502-02"]
    assert source.total == 2


@pytest.mark.parametrize("datum", ["cgcs2000", "xian_1980", "beijing_1954"])
@pytest.mark.parametrize("width", [3, 6])
def test_zone_codes_are_those_of_the_epsg_registry(datum: gauss_krueger.Datum, width: gauss_krueger.Width) -> None:
    names = {"cgcs2000": "China 2000", "xian_1980": "Xian 1980", "beijing_1954": "Beijing 1954"}
    for zone in gauss_krueger.ZONES[width]:
        meridian = 3 * zone if width == 3 else 6 * zone - 3
        for numbered in (True, False):
            crs = CRS.from_epsg(gauss_krueger.code(datum, width, zone, numbered=numbered))
            operation = {p.name: p.value for p in crs.coordinate_operation.params}
            assert operation["Longitude of natural origin"] == meridian
            assert operation["False easting"] == 500_000 + (zone * 1_000_000 if numbered else 0)
            assert crs.geodetic_crs.name in (names[datum], "China Geodetic Coordinate System 2000")
            assert gauss_krueger.projection(crs) == gauss_krueger.Projection(meridian, zone if numbered else None)


@pytest.mark.parametrize(
    ("header", "code"),
    [({"带号": "38"}, 4547), ({"几度分带": "6", "带号": "20"}, 4509), ({"坐标系": "80国家大地坐标系"}, 2384),
     ({"坐标系": "北京54坐标系"}, 2436), ({"坐标系": "CGCS2000"}, 4548)],
)  # fmt: skip
def test_the_header_says_the_crs(tmp_path: Path, header: dict[str, str], code: int) -> None:
    path = tmp_path / "d.txt"
    path.write_text(_text([SQUARE], header), encoding="utf-8")
    assert open_features(path, None).crs == f"EPSG:{code}"


BAD: list[tuple[str, type[IngestError], str]] = [
    (
        _text([SQUARE], {"带号": "38"}, prefix=39_000_000),
        UnknownCrs,
        "带号=38, but the Y values carry the zone number 39",
    ),
    (_text([SQUARE], {"带号": "20"}), UnknownCrs, "几度分带=3, 带号=20 is no Gauss-Krüger zone"),
    (_text([SQUARE], {"坐标系": "地方坐标系"}), UnknownCrs, "坐标系=地方坐标系"),
    (_text([SQUARE], {"计量单位": "公里"}), UnknownCrs, "metres"),
    (_text([SQUARE], count=7), UnreadableSource, "line 13: parcel 371502-01 says 7 points and has 5"),
    (_text([SQUARE])[:-40], UnreadableSource, "says 5 points and has"),
    (_text([SQUARE]).replace("J2,1,4036000.000", "J2,1,四"), UnreadableSource, "line 15: not a point such as J1,1,X,Y"),
    (_text([SQUARE]).partition("[地块坐标]")[0] + "[地块坐标]\r\n", EmptySource, "no parcels"),
    (_text([SQUARE]).replace(",@", ""), UnreadableSource, "a point before the first parcel's line"),
]


@pytest.mark.parametrize(("text", "kind", "words"), BAD, ids=range(len(BAD)))
def test_a_broken_text_says_where(tmp_path: Path, text: str, kind: type[IngestError], words: str) -> None:
    path = tmp_path / "d.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(IngestError) as caught:
        open_features(path, None)
    assert type(caught.value) is kind
    assert words in str(caught.value)


def test_any_other_txt_is_a_delimited_table(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("name,x,y\n地块坐标,1,2\n", encoding="utf-8")
    assert not boundary_points.is_boundary_text(path)
    assert open_features(path, None).format == "table"


def test_the_point_of_the_standard_example_lies_where_pyproj_puts_it(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text(_text([SQUARE], prefix=39_000_000), encoding="utf-8")
    source = open_features(path, None)
    (batch,) = source.batches()
    lon, lat = Transformer.from_crs(source.crs, 4490, always_xy=True).transform(*batch.geometry[0].exterior.coords[0])
    assert (lon, lat) == pytest.approx((115.985, 36.45), abs=0.02)
