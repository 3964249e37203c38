"""Files to rows: texts in any encoding, places in any column, and a clear word on what cannot be read.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from shikong.ingest.errors import EmptySource, IngestError, UnknownCrs, UnreadableSource
from shikong.ingest.job import open_features
from shikong.ingest.readers import table, vector
from support.rows import rows_of

NAMES = ["光岳楼", "山陕会馆", "海源阁"]
POINTS = [(115.9863, 36.4526), (115.98, 36.44), (115.97, 36.46)]


def _text(delimiter: str = ",", head: str = "id,name,lon,lat") -> str:
    lines = [f"{number},{name},{x},{y}" for number, (name, (x, y)) in enumerate(zip(NAMES, POINTS, strict=True), 1)]
    return "\n".join([head, *lines]).replace(",", delimiter)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize(("delimiter", "suffix"), [(",", "csv"), (";", "csv"), ("\t", "tsv"), ("|", "txt")])
def test_a_delimited_text_is_read_in_any_encoding(tmp_path: Path, encoding: str, delimiter: str, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(_text(delimiter).replace("\n", "\r\n").encode(encoding))
    source = open_features(path, None)
    frame, shapes = rows_of(source)
    assert list(frame["name"]) == NAMES
    assert source.fields == ["id", "name", "lon", "lat"]
    assert (source.total, source.crs, source.geographic_by_name) == (3, None, True)
    assert [(shape.x, shape.y) for shape in shapes] == POINTS


def test_a_text_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,name,lon,lat\n007,"NA",116,36\n1e5,,116,36\n', encoding="utf-8")
    frame, _ = rows_of(table.open_source(path))
    assert list(frame["id"]) == ["007", "1e5"]
    assert frame["name"].iloc[0] == "NA"
    assert pd.isna(frame["name"].iloc[1])


def test_a_quoted_cell_may_hold_the_delimiter_and_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,name,lon,lat\n1,"a, b",116,36\n2,"first\n#second",116,36\n', encoding="utf-8")
    frame, _ = rows_of(table.open_source(path))
    assert list(frame["name"]) == ["a, b", "first\n#second"]


@pytest.mark.parametrize(
    ("head", "geographic"),
    [("lon,lat", True), ("LNG,LAT", True), ("Longitude,Latitude", True), ("经度,纬度", True), ("LGTD,LTTD", True),
     ("x,y", False), ("Easting,Northing", False), ("横坐标,纵坐标", False)],
)  # fmt: skip
def test_places_are_found_by_the_names_of_their_columns(tmp_path: Path, head: str, geographic: bool) -> None:
    path = tmp_path / "t.csv"
    path.write_text(_text(head=f"id,name,{head}"), encoding="utf-8")
    source = table.open_source(path)
    assert source.geographic_by_name is geographic
    assert [(shape.x, shape.y) for shape in rows_of(source)[1]] == POINTS


@pytest.mark.parametrize(
    ("cell", "there"), [("", False), ("?", False), ("116.5", True), (" 116.5 ", True), ("inf", False)]
)
def test_a_row_without_a_number_for_its_place_has_none(tmp_path: Path, cell: str, there: bool) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"id,name,lon,lat\n1,a,{cell},36\n2,b,116,36\n", encoding="utf-8")
    shapes = rows_of(table.open_source(path))[1]
    assert (shapes[0] is not None) is there
    assert shapes[1] is not None


def test_wkt_is_read_and_a_broken_one_leaves_its_row_without_a_place(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,WKT\n1,"POLYGON ((0 0,1 0,1 1,0 0))"\n2,POLYGON((0 0\n3,\n', encoding="utf-8")
    source = table.open_source(path)
    assert source.geographic_by_name is False
    assert rows_of(source)[1] == [shapely.Polygon([(0, 0), (1, 0), (1, 1)]), None, None]


def test_usgs_rdb_comments_and_widths_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "sites.txt"
    path.write_text(
        "# U.S. Geological Survey\n#\nsite_no\tstation_nm\tdec_lat_va\tdec_long_va\n15s\t50s\t16s\t16s\n"
        "01491000\tCHOPTANK RIVER\t38.9971\t-75.7858\n",
        encoding="utf-8",
    )
    frame, shapes = rows_of(table.open_source(path))
    assert list(frame["site_no"]) == ["01491000"]
    assert shapes == [shapely.Point(-75.7858, 38.9971)]


def test_a_list_of_records_in_json_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    records = [{"name": name, "location": [*point, 30]} for name, point in zip(NAMES, POINTS, strict=True)]
    path.write_text("\ufeff \n" + json.dumps(records, ensure_ascii=False), encoding="utf-8")
    source = open_features(path, None)
    frame, shapes = rows_of(source)
    assert (list(frame["name"]), source.geographic_by_name) == (NAMES, True)
    assert [(shape.x, shape.y) for shape in shapes] == POINTS


BAD_TABLES: list[tuple[str, bytes, type[IngestError], str]] = [
    ("t.csv", b"# only words\n\n", EmptySource, "empty"),
    ("t.csv", b"id,lon,lat\n", EmptySource, "no rows"),
    ("t.csv", b"word\nword\n", UnreadableSource, "one column"),
    ("t.csv", b"id,lon,lat\n1,2,3,4,5\n", UnreadableSource, "not a regular table"),
    ("t.csv", b'id,lon,lat\n1,"2,3\n', UnreadableSource, "not a regular table"),
    ("t.csv", b"\xff\xfe\x00\x01,\xff", UnreadableSource, "neither UTF-8 nor GB18030"),
    ("t.csv", b"id,name\n1,a\n", UnknownCrs, "lon and lat, x and y, or wkt. It has: id, name"),
    ("t.json", b"[1, 2]", UnreadableSource, "list of records"),
    ("t.json", b'[{"a": 1},', UnreadableSource, "not valid JSON: line 1"),
    ("t.json", b"[]", EmptySource, "no rows"),
]


@pytest.mark.parametrize(("name", "content", "kind", "words"), BAD_TABLES)
def test_a_table_that_cannot_be_read_says_why(
    tmp_path: Path, name: str, content: bytes, kind: type[IngestError], words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError) as caught:
        open_features(tmp_path / name, None)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert name in str(caught.value)


def _shapefile(folder: Path, encoding: str, *, cpg: bool, driver: int | None = None) -> Path:
    folder.mkdir()
    path = folder / "venues.shp"
    frame = gpd.GeoDataFrame({"NAME": NAMES}, geometry=[shapely.Point(p) for p in POINTS], crs=4490)
    frame.to_file(path, encoding=encoding)
    if not cpg:
        path.with_suffix(".cpg").unlink()
    if driver is not None:
        table_bytes = bytearray(path.with_suffix(".dbf").read_bytes())
        table_bytes[29] = driver
        path.with_suffix(".dbf").write_bytes(table_bytes)
    return path


def _zipped(path: Path) -> Path:
    target = path.parent.parent / "venues.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for part in sorted(path.parent.iterdir()):
            archive.write(part, part.name)
    return target


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("encoding", "cpg", "driver"),
    [("UTF-8", True, None), ("GBK", True, None), ("UTF-8", False, 0), ("GBK", False, 0), ("GB18030", False, 0),
     ("GBK", False, 0x4D), ("GBK", False, 0x57)],
)  # fmt: skip
def test_chinese_in_a_shapefile_is_read_with_and_without_a_cpg(
    tmp_path: Path, encoding: str, cpg: bool, driver: int | None, zipped: bool
) -> None:
    path = _shapefile(tmp_path / "shp", encoding, cpg=cpg, driver=driver)
    source = vector.open_source(_zipped(path) if zipped else path, None)
    frame, shapes = rows_of(source)
    assert list(frame["NAME"]) == NAMES
    assert [(shape.x, shape.y) for shape in shapes] == POINTS
    assert source.crs is not None


def _layers(path: Path, *names: str) -> Path:
    for number, name in enumerate(names, 1):
        frame = gpd.GeoDataFrame({"n": [number]}, geometry=[shapely.Point(number, 0)], crs=4490)
        frame.to_file(path, layer=name, mode="a" if number > 1 else "w")
    return path


def test_a_file_with_several_layers_asks_which(tmp_path: Path) -> None:
    path = _layers(tmp_path / "t.gpkg", "roads", "rivers")
    with pytest.raises(UnreadableSource, match=r"--source-layer: roads, rivers"):
        vector.open_source(path, None)
    with pytest.raises(UnreadableSource, match=r"no layer 'road'; it has: roads, rivers"):
        vector.open_source(path, "road")
    assert rows_of(vector.open_source(path, "rivers"))[0]["n"].tolist() == [2]


def test_tables_without_places_beside_one_layer_do_not_count(tmp_path: Path) -> None:
    import pyogrio

    path = _layers(tmp_path / "t.gpkg", "roads")
    pyogrio.write_dataframe(pd.DataFrame({"a": [1]}), path, layer="notes", append=True)
    assert rows_of(vector.open_source(path, None))[0]["n"].tolist() == [1]


def _truncated(tmp_path: Path, name: str) -> bytes:
    frame = gpd.GeoDataFrame({"n": range(200)}, geometry=[shapely.Point(i, 0) for i in range(200)], crs=4490)
    frame.to_file(tmp_path / f"whole{name}")
    return (tmp_path / f"whole{name}").read_bytes()[:700]


@pytest.mark.parametrize("name", [".gpkg", ".fgb", ".geojson", ".shp"])
def test_a_truncated_file_is_an_ingest_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"cut{name}"
    path.write_bytes(_truncated(tmp_path, name))
    if name == ".shp":
        for part in (".shx", ".dbf", ".prj"):
            (tmp_path / f"cut{part}").write_bytes((tmp_path / f"whole{part}").read_bytes())
    with pytest.raises(IngestError, match=r"cut\."):
        rows_of(vector.open_source(path, None))


@pytest.mark.parametrize(
    ("name", "content", "kind", "words"),
    [
        ("t.gpkg", b"not a geopackage", UnreadableSource, "broken or of an unknown format"),
        ("t.zip", b"PK\x03\x04nothing", UnreadableSource, "broken or of an unknown format"),
        ("t.geojson", b'{"type": "FeatureCollection", "features": []}', EmptySource, "no features"),
        ("t.geojson", b'{"type": "Nonsense"}', UnreadableSource, "broken or of an unknown format"),
        ("t.pdf", b"%PDF", UnreadableSource, "a .pdf cannot be loaded"),
        ("noname", b"x", UnreadableSource, "a file without suffix cannot be loaded"),
    ],
)
def test_a_file_that_gdal_cannot_read_says_why(
    tmp_path: Path, name: str, content: bytes, kind: type[IngestError], words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError) as caught:
        open_features(tmp_path / name, None)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "known:" in str(caught.value) or name in str(caught.value)
