"""Spreadsheets, GeoParquet, lines of GeoJSON, drawings; texts that are large or unsafe.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZipFile

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import shapely

from shikong.ingest.errors import IngestError, UnreadableSource, UnsafeSource
from shikong.ingest.job import open_features
from shikong.ingest.readers import base, excel, table
from support.rows import rows_of

# --- spreadsheets ------------------------------------------------------------------------------------------------


def _xlsx(path: Path, sheets: dict[str, list[list[Any]]], merged: tuple[str, ...] = ()) -> Path:
    """A workbook as small as ECMA-376 allows, with inline strings."""
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    numbered = list(enumerate(sheets.items(), 1))
    with ZipFile(path, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            f'{head}<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'{head}<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>'
            + "".join(f'<sheet name="{escape(name)}" sheetId="{n}" r:id="r{n}"/>' for n, (name, _) in numbered)
            + "</sheets></workbook>",
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'{head}<Relationships xmlns="{package}/relationships">'
            + "".join(
                f'<Relationship Id="r{n}" Type="{relations}/worksheet" Target="worksheets/sheet{n}.xml"/>'
                for n, _ in numbered
            )
            + "</Relationships>",
        )
        for n, (_, rows) in numbered:
            lines = []
            for r, row in enumerate(rows, 1):
                cells = [(f"{chr(65 + c)}{r}", value) for c, value in enumerate(row) if value is not None]
                lines.append(
                    f'<row r="{r}">'
                    + "".join(
                        f'<c r="{at}"><v>{v}</v></c>'
                        if isinstance(v, int | float)
                        else f'<c r="{at}" t="inlineStr"><is><t>{escape(v)}</t></is></c>'
                        for at, v in cells
                    )
                    + "</row>"
                )
            spans = (
                f'<mergeCells count="{len(merged)}">'
                + "".join(f'<mergeCell ref="{span}"/>' for span in merged)
                + "</mergeCells>"
                if merged
                else ""
            )
            book.writestr(
                f"xl/worksheets/sheet{n}.xml",
                f'{head}<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData>{spans}</worksheet>',
            )
    return path


def test_a_sheet_with_title_rows_and_merged_headers_is_read(tmp_path: Path) -> None:
    rows = [
        ["聊城市文物点登记表", None, None, None], [None, None, None, None],
        ["编号", "名称", "坐标", None], [None, None, "经度", "纬度"],
        [371502.0, "光岳楼", 115.9863, 36.4526], [None, None, None, None], [371503.0, "山陕会馆", 115.98, 36.44],
    ]  # fmt: skip
    path = _xlsx(tmp_path / "d.xlsx", {"登记表": rows}, ("A1:D1", "A3:A4", "B3:B4", "C3:D3"))
    source = open_features(path, None)
    frame, shapes = rows_of(source)
    assert source.fields == ["编号", "名称", "坐标/经度", "坐标/纬度"]
    assert (source.total, source.geographic_by_name) == (2, True)
    assert frame["编号"].tolist() == [371502, 371503]
    assert [type(value) for value in frame["编号"]] == [int, int]
    assert shapes == [shapely.Point(115.9863, 36.4526), shapely.Point(115.98, 36.44)]


def test_an_open_document_sheet_is_read(tmp_path: Path) -> None:
    urn = "urn:oasis:names:tc:opendocument:xmlns"

    def cell(value: Any) -> str:
        number = isinstance(value, float)
        kind = f'office:value-type="float" office:value="{value}"' if number else 'office:value-type="string"'
        return f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>"

    rows = [["名称", "经度", "纬度"], ["光岳楼", 115.9863, 36.4526]]
    lines = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    with ZipFile(tmp_path / "d.ods", "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{urn}:manifest:1.0"><manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/></manifest:manifest>',
        )
        book.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{urn}:office:1.0" xmlns:table="{urn}:table:1.0" xmlns:text="{urn}:text:1.0"><office:body><office:spreadsheet><table:table table:name="表">{lines}</table:table></office:spreadsheet></office:body></office:document-content>',
        )
    frame, shapes = rows_of(open_features(tmp_path / "d.ods", None))
    assert (frame["名称"].tolist(), shapes) == (["光岳楼"], [shapely.Point(115.9863, 36.4526)])


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    sheets = {"甲": [["name", "x", "y"], ["a", 1, 2]], "乙": [["name", "wkt"], ["b", "POINT (3 4)"]], "空": []}
    path = _xlsx(tmp_path / "d.xlsx", sheets)
    with pytest.raises(UnreadableSource, match=r"several sheets.*--source-layer: 甲, 乙$"):
        open_features(path, None)
    with pytest.raises(UnreadableSource, match="no sheet '丙'; it has: 甲, 乙, 空"):
        open_features(path, "丙")
    assert rows_of(open_features(path, "乙"))[1] == [shapely.Point(3, 4)]
    assert rows_of(open_features(path, "甲"))[1] == [shapely.Point(1, 2)]


def test_real_workbooks_are_read_below_their_titles(shared_data: Path) -> None:
    frame = excel.read_frame(shared_data / "culture/CulRelPro_China_1961-2019.xls", "Tab.1")
    assert list(frame.columns)[:4] == ["序号", "编号", "分类号", "单位名称（中文）"]
    assert len(frame) >= 5058
    assert (frame["市级政区名称（中文）"] == "聊城市").sum() >= 5
    codes = excel.read_frame(shared_data / "landuse_codes/ydyh_2023_code_name.xlsx", None)
    assert codes["用地代码"].tolist()[:2] == ["01", "0101"]
    assert codes["用地名称"].tolist()[:2] == ["耕地", "水田"]
    with pytest.raises(IngestError, match="no columns with places"):
        open_features(shared_data / "landuse_codes/ydyh_2023_code_name.xlsx", None)


@pytest.mark.parametrize(("content", "words"), [(b"PK\x03\x04 nothing", "broken"), (b"not a workbook", "broken")])
def test_a_workbook_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    for name in ("d.xlsx", "d.ods"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableSource, match=rf"{name} .*{words}"):
            open_features(tmp_path / name, None)
    (tmp_path / "d.xls").write_bytes(content)
    with pytest.raises(UnreadableSource, match=r"d\.xls cannot be read as a spreadsheet"):
        open_features(tmp_path / "d.xls", None)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = _xlsx(tmp_path / "d.xlsx", {"s": [["名称", "名称", "x", "y"], ["a", "b", 1, 2]]})
    with pytest.raises(UnreadableSource, match="two columns called '名称'"):
        open_features(path, None)
    (tmp_path / "d.csv").write_text("名称,名称,x,y\na,b,1,2\n", encoding="utf-8")
    with pytest.raises(UnreadableSource, match="two columns called '名称'"):
        open_features(tmp_path / "d.csv", None)


# --- GeoParquet, lines of GeoJSON, drawings --------------------------------------------------------------------------


def _frame(number: int, crs: Any = 4548) -> gpd.GeoDataFrame:
    shapes = shapely.points(409_000 + np.arange(number, dtype=float), 4_036_000.0)
    return gpd.GeoDataFrame({"name": [f"名{n}" for n in range(number)], "n": range(number)}, geometry=shapes, crs=crs)


@pytest.mark.parametrize(
    ("crs", "said"), [(4548, "EPSG:4548"), (4490, "EPSG:4490"), ("OGC:CRS84", "OGC:CRS84"), (None, None)]
)
def test_geoparquet_is_read_with_its_crs(tmp_path: Path, crs: Any, said: str | None) -> None:
    from pyproj import CRS

    frame = _frame(7, crs)
    frame.to_parquet(tmp_path / "d.parquet", row_group_size=3, write_covering_bbox=True)
    source = open_features(tmp_path / "d.parquet", None)
    read, shapes = rows_of(source)
    assert (source.format, source.total, source.fields) == ("GeoParquet", 7, ["name", "n"])
    assert read["name"].tolist() == frame["name"].tolist()
    assert shapes == list(frame.geometry)
    assert (source.crs is None) if said is None else CRS.from_user_input(source.crs) == CRS.from_user_input(said)


def test_parquet_is_read_in_bounded_batches(tmp_path: Path) -> None:
    _frame(120_000).to_parquet(tmp_path / "d.parquet")
    sizes = [len(batch.geometry) for batch in open_features(tmp_path / "d.parquet", None).batches()]
    assert sum(sizes) == 120_000
    assert max(sizes) == base.BATCH_ROWS


def test_parquet_without_places_says_what_is_missing(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": [1]}), tmp_path / "d.parquet")
    with pytest.raises(UnreadableSource, match="without GeoParquet's `geo` metadata"):
        open_features(tmp_path / "d.parquet", None)
    (tmp_path / "e.parquet").write_bytes(b"PAR1nothing")
    with pytest.raises(UnreadableSource, match="cannot be read as Parquet"):
        open_features(tmp_path / "e.parquet", None)


@pytest.mark.parametrize("suffix", [".geojsonl", ".ndjson", ".geojsons"])
def test_lines_of_geojson_are_read(tmp_path: Path, suffix: str) -> None:
    frame = _frame(5).to_crs(4490)
    lines = [f'{{"type":"Feature","properties":{{"name":"{row.name}"}},"geometry":{shapely.to_geojson(row.geometry)}}}'
             for row in frame.itertuples(index=False)]  # fmt: skip
    path = tmp_path / f"d{suffix}"
    path.write_text("\n".join(lines), encoding="utf-8")
    source = open_features(path, None)
    read, shapes = rows_of(source)
    assert read["name"].tolist() == frame["name"].tolist()
    assert np.allclose(shapely.get_coordinates(shapes), shapely.get_coordinates(frame.geometry), atol=1e-9)


def _dxf(path: Path, entities: str, codepage: str = "ANSI_936") -> Path:
    text = f"0\nSECTION\n2\nHEADER\n9\n$ACADVER\n1\nAC1015\n9\n$DWGCODEPAGE\n3\n{codepage}\n0\nENDSEC\n0\nSECTION\n2\nENTITIES\n{entities}0\nENDSEC\n0\nEOF\n"
    path.write_bytes(text.encode("gbk"))
    return path


def _polyline(handle: str, layer: str, points: list[tuple[float, float]], *, closed: bool) -> str:
    vertices = "".join(f"10\n{x}\n20\n{y}\n" for x, y in points)
    return f"0\nLWPOLYLINE\n5\n{handle}\n100\nAcDbEntity\n8\n{layer}\n100\nAcDbPolyline\n90\n{len(points)}\n70\n{int(closed)}\n{vertices}"


def test_closed_outlines_of_a_drawing_are_areas(tmp_path: Path) -> None:
    square = [(409000.0, 4036000.0), (409100.0, 4036000.0), (409100.0, 4036100.0), (409000.0, 4036100.0)]
    path = _dxf(
        tmp_path / "d.dxf",
        _polyline("1A", "界线", square, closed=True)
        + _polyline("1B", "道路", square[:3], closed=False)
        + _polyline("1C", "界线", [*square, square[0]], closed=False)
        + "0\nTEXT\n5\n1D\n8\n注记\n10\n409050.0\n20\n4036050.0\n40\n2.5\n1\n东昌湖\n",
    )
    source = open_features(path, None)
    frame, shapes = rows_of(source)
    by_handle = dict(zip(frame["EntityHandle"], shapes, strict=True))
    assert by_handle["1A"].equals(shapely.Polygon(square))
    assert by_handle["1C"].equals(shapely.Polygon(square))
    assert by_handle["1B"].geom_type == "LineString"
    assert dict(zip(frame["EntityHandle"], frame["Layer"], strict=True)) == {
        "1A": "界线",
        "1B": "道路",
        "1C": "界线",
        "1D": "注记",
    }
    assert frame.set_index("EntityHandle").loc["1D", "Text"] == "东昌湖"


# --- texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_large_text_is_read_in_bounded_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    number = 60_000
    monkeypatch.setattr(table, "_BLOCK_BYTES", 100_001)  # quoted line breaks and characters meet the edges of blocks
    frame = pd.DataFrame({"id": np.arange(number), "name": [f"第{n}号\n街道" for n in range(number)]})
    frame["lon"], frame["lat"] = 115 + frame["id"] / number, 36 + frame["id"] / number
    path = tmp_path / "d.csv"
    frame.to_csv(path, index=False, encoding=encoding)
    source = open_features(path, None)
    read, shapes = rows_of(source)
    assert source.total == number
    assert read["name"].tolist() == frame["name"].tolist()
    assert np.array_equal(shapely.get_coordinates(shapes), frame[["lon", "lat"]].to_numpy())


@pytest.mark.parametrize(
    "cell", ["=SUM(A1:A3)", "=1+1", "+SUM(1,2)", "@SUM(1)", "-2+3+cmd|' /C calc'!A0", '=HYPERLINK(""http://x"")']
)
def test_a_formula_cell_is_refused_with_its_row_and_column(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f'id,name,lon,lat\n1,a,116,36\n2,"{cell}",116,36\n', encoding="utf-8")
    with pytest.raises(UnsafeSource, match=r"d\.csv, row 2, column name: .* is a formula"):
        open_features(path, None)


@pytest.mark.parametrize(
    "cell", ["-", "--", "-3.5", "+86 635 8420000", "@聊城", "—", "=", "===", "-12°", "+1e5", "-无-"]
)
def test_texts_that_only_begin_like_a_formula_are_kept(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"id,name,lon,lat\n1,{cell},116,36\n", encoding="utf-8")
    assert rows_of(table.open_source(path))[0]["name"].tolist() == [cell]


def test_a_shape_with_too_many_vertices_is_refused_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = shapely.Point(115.9, 36.4).buffer(0.1, quad_segs=100)
    frame = gpd.GeoDataFrame({"n": [1, 2]}, geometry=[shapely.box(115, 36, 116, 37), circle], crs=4490)
    frame.to_file(tmp_path / "d.gpkg")
    (batch,) = open_features(tmp_path / "d.gpkg", None).batches()
    base.refuse_large(batch, "d.gpkg")
    monkeypatch.setattr(base, "MAX_VERTICES", 300)
    with pytest.raises(UnreadableSource, match=r"d\.gpkg: the shape of row 2 has 401 vertices; at most 300"):
        base.refuse_large(batch, "d.gpkg")
