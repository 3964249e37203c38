"""Features carried away: every format read back by a peer library gives what the JSON gives.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
import yaml
from pyproj import CRS

from shikong.layers import catalog
from shikong.providers.crs import CRS84
from shikong.server.formats.files import short_names
from shikong.server.formats.table import EXPORTS, FORMATS, negotiated

ROOT = Path(__file__).parents[2]
ITEMS = "/collections/{}/items"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/{}"
LAYERS = ("parcels", "hydro_stations", "culture_events", "rivers", "districts")


def _export(client: Any, layer: str, form: str, **params: Any) -> bytes:
    answer = client.get(ITEMS.format(layer), f=form, **params)
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == FORMATS[form].media_type
    assert f'filename="{layer}.{FORMATS[form].extension}"' in answer.headers["content-disposition"]
    return bytes(answer.content)


def _read(form: str, content: bytes, layer: str, folder: Path) -> gpd.GeoDataFrame:
    """The features as a peer library reads them; geometry x first."""
    if form == "parquet":
        return gpd.read_parquet(io.BytesIO(content))
    if form == "arrow":
        with pa.ipc.open_stream(content) as reader:
            return gpd.GeoDataFrame.from_arrow(reader.read_all())
    if form == "csv":
        table = pd.read_csv(io.BytesIO(content), dtype=str)
        return gpd.GeoDataFrame(table.drop(columns="wkt"), geometry=gpd.GeoSeries.from_wkt(table["wkt"]))
    path = folder / f"{layer}.{FORMATS[form].extension}"
    path.write_bytes(content)
    return pyogrio.read_dataframe(f"/vsizip/{path}/{layer}.shp" if form == "shp" else path)


@pytest.fixture(scope="module")
def as_json(client: Any) -> dict[str, list[dict[str, Any]]]:
    """The features of some layers as GeoJSON gives them."""
    return {layer: client.get(ITEMS.format(layer), f="json", limit=10000).json["features"] for layer in LAYERS}


def _comparable(value: Any) -> Any:
    """A value without its type's way of being written."""
    if value is None or value == "" or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, str) and value[:4].isdigit() and "-" in value[4:5]:
        value = datetime.fromisoformat(value)
    if isinstance(value, pd.Timestamp | datetime):
        return value.timestamp() if value.tzinfo else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value


def _same(given: Any, read: Any) -> bool:
    given, read = _comparable(given), _comparable(read)
    if isinstance(given, bool) and isinstance(read, str):
        return read == str(given).lower()
    if isinstance(given, int | float) and read is not None:
        return float(read) == pytest.approx(float(given), rel=1e-9)
    return bool(given == read)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "fgb", "gpkg", "shp"])
def test_a_peer_reads_the_same_features(
    client: Any, as_json: dict[str, list[dict[str, Any]]], form: str, layer: str, tmp_path: Path
) -> None:
    found = _read(form, _export(client, layer, form), layer, tmp_path)
    declared = catalog.default().layers[layer]
    assert len(found) == len(as_json[layer]) > 0
    names = list(as_json[layer][0]["properties"])
    column = short_names(names) if form == "shp" else dict(zip(names, names, strict=True))
    by_key = {str(row[column[declared.key_field]]): row for row in found.to_dict("records")}
    for feature in as_json[layer]:
        row = by_key[feature["id"]]
        for name, value in feature["properties"].items():
            assert _same(value, row[column[name]]), (feature["id"], name, value, row[column[name]])
        expected = shapely.geometry.shape(feature["geometry"])
        if form in ("shp", "csv", "fgb", "gpkg"):  # whose polygons turn the other way, or are not multiple
            expected, shape = shapely.normalize(expected), shapely.normalize(row["geometry"])
            assert shapely.hausdorff_distance(expected, shape) < 2e-8
        else:
            assert shapely.equals_exact(expected, row["geometry"], 2e-8)


@pytest.mark.parametrize(("lang", "part"), [("zh", "zh"), ("en-US", "en")])
@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "fgb", "gpkg", "shp"])
def test_codes_are_told_by_what_they_mean(
    client: Any, as_json: dict[str, list[dict[str, Any]]], form: str, lang: str, part: str, tmp_path: Path
) -> None:
    listed = yaml.safe_load((ROOT / "layers/codes/land_use_survey.yml").read_text(encoding="utf-8"))["codes"]
    found = _read(form, _export(client, "parcels", form, profile="val-as-title", lang=lang), "parcels", tmp_path)
    told = dict(zip(found["bsm"], found["dlbm"], strict=True))
    expected = {f["id"]: listed[f["properties"]["dlbm"]]["title"][part] for f in as_json["parcels"]}
    assert told == expected
    assert len(set(expected.values())) > 3


@pytest.mark.parametrize("code", [4548, 4490, 3857])
@pytest.mark.parametrize("form", ["parquet", "arrow", "fgb", "gpkg", "shp", "csv"])
def test_coordinates_come_in_the_crs_asked_for_and_say_so(client: Any, form: str, code: int, tmp_path: Path) -> None:
    layer = "hydro_stations"
    content = _export(client, layer, form, crs=EPSG.format(code))
    found = _read(form, content, layer, tmp_path)
    plain = _read("parquet", _export(client, layer, "parquet"), layer, tmp_path)
    if form != "csv":
        assert CRS(found.crs).equals(CRS.from_epsg(code), ignore_axis_order=True) or found.crs.to_epsg() == code
    found = found.set_index("stcd").loc[plain["stcd"]]  # FlatGeobuf's index has an order of its own
    expected = plain.set_crs(4490, allow_override=True).to_crs(code).geometry  # geopandas has x first always
    assert shapely.equals_exact(found.geometry.to_numpy(), expected.to_numpy(), 2e-3).all()


def test_without_crs_files_are_in_degrees_longitude_first(client: Any, tmp_path: Path) -> None:
    for form, crs in (("parquet", "OGC:CRS84"), ("arrow", "OGC:CRS84"), ("gpkg", "EPSG:4490"), ("fgb", "EPSG:4490")):
        found = _read(form, _export(client, "districts", form), "districts", tmp_path)
        assert found.crs.to_string() == crs
        assert 115 < found.total_bounds[0] < 117, form


def test_geoparquet_says_what_the_specification_wants(client: Any, as_json: dict[str, Any], tmp_path: Path) -> None:
    content = _export(client, "parcels", "parquet")
    told = json.loads(pq.read_metadata(io.BytesIO(content)).metadata[b"geo"])
    assert told["version"] == "1.1.0"
    column = told["columns"][told["primary_column"]]
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["MultiPolygon"]
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in as_json["parcels"]]
    assert column["bbox"] == pytest.approx(shapely.total_bounds(shapes), abs=1e-7)
    path = tmp_path / "parcels.parquet"
    path.write_bytes(content)
    west, south, east, north = column["bbox"]
    half = (west, south, (west + east) / 2, north)
    found = gpd.read_parquet(path, bbox=half)  # geopandas reads the boxes through `covering`
    assert 0 < len(found) == sum(shapely.box(*half).intersects(shapely.box(*shape.bounds)) for shape in shapes)


def test_lines_of_geojson_are_the_features_of_the_pages(client: Any, as_json: dict[str, Any]) -> None:
    for layer in LAYERS:
        lines = _export(client, layer, "jsonl").splitlines()
        assert [json.loads(line) for line in lines] == as_json[layer]


def test_jsonfg_has_time_and_the_place_in_the_crs_asked_for(client: Any, as_json: dict[str, Any]) -> None:
    plain = json.loads(_export(client, "parcels", "jsonfg"))
    assert plain["coordRefSys"] == CRS84
    assert plain["numberReturned"] == len(plain["features"]) == len(as_json["parcels"])
    moved = json.loads(_export(client, "parcels", "jsonfg", crs=EPSG.format(4490), properties="dlbm"))
    assert moved["coordRefSys"] == EPSG.format(4490)
    for given, feature, other in zip(as_json["parcels"], plain["features"], moved["features"], strict=True):
        assert feature["geometry"] == given["geometry"]
        assert feature["place"] is other["geometry"] is None
        turned = shapely.transform(shapely.geometry.shape(other["place"]), lambda points: points[:, ::-1])
        assert shapely.equals_exact(turned, shapely.geometry.shape(given["geometry"]), 1e-8)
        assert other["properties"] == {"dlbm": given["properties"]["dlbm"]}
        begin, end = feature["time"]["interval"]
        assert other["time"] == feature["time"]
        assert datetime.fromisoformat(begin) == datetime.fromisoformat(given["properties"]["valid_from"])
        assert (end == "..") == (given["properties"]["valid_to"] is None)


def test_gdal_knows_jsonfg(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "stations.json"
    path.write_bytes(_export(client, "hydro_stations", "jsonfg", crs=EPSG.format(4548)))
    assert pyogrio.read_info(path)["driver"] == "JSONFG"
    found = pyogrio.read_dataframe(path)
    assert found.crs.to_epsg() == 4548
    plain = _read("parquet", _export(client, "hydro_stations", "parquet", crs=EPSG.format(4548)), "", tmp_path)
    assert shapely.equals_exact(found.geometry.to_numpy(), plain.geometry.to_numpy(), 2e-3).all()


def test_jsonfg_pages_by_next_links_when_it_is_given_a_limit(client: Any, as_json: dict[str, Any]) -> None:
    found: list[str] = []
    answer = client.get(ITEMS.format("parcels"), f="jsonfg", limit=150)
    for _ in range(100):
        found += [feature["id"] for feature in answer.json["features"]]
        following = [link["href"] for link in answer.json["links"] if link["rel"] == "next"]
        if not following:
            break
        answer = client.link(following[0])
    assert found == [feature["id"] for feature in as_json["parcels"]]


def test_a_box_a_filter_and_a_limit_narrow_exports_as_they_narrow_pages(
    client: Any, as_json: dict[str, Any], tmp_path: Path
) -> None:
    west, south, east, north = shapely.total_bounds([shapely.geometry.shape(f["geometry"]) for f in as_json["parcels"]])
    box = f"{west},{south},{(west + east) / 2},{(south + north) / 2}"
    asked: list[dict[str, Any]] = [
        {"bbox": box},
        {"filter": "tbmj > 50000 AND dlbm IN ('0102','0301')"},
        {"dlbm": "0102", "sortby": "-tbmj", "limit": 20},
        {"datetime": "2020-06-30"},
        {"asOf": "2099-01-01", "bbox": box},
    ]
    for params in asked:
        pages = client.get(ITEMS.format("parcels"), f="json", **{"limit": 10000} | params).json["features"]
        assert pages
        read = _read("parquet", _export(client, "parcels", "parquet", **params), "parcels", tmp_path)
        assert read["bsm"].tolist() == [feature["id"] for feature in pages]


@pytest.mark.parametrize("form", EXPORTS)
def test_nothing_found_is_an_empty_file_of_the_format(client: Any, form: str, tmp_path: Path) -> None:
    content = _export(client, "parcels", form, dlbm="none")
    if form == "jsonl":
        assert content == b""
    elif form == "jsonfg":
        assert json.loads(content)["features"] == []
    else:
        found = _read(form, content, "parcels", tmp_path)
        assert len(found) == 0
        assert "dlbm" in found.columns


@pytest.mark.parametrize("encoding", [None, "gbk", "GBK", "utf-8"])
def test_shapefile_in_the_encoding_asked_for(client: Any, encoding: str | None, as_json: dict[str, Any]) -> None:
    content = _export(client, "districts", "shp", **({"encoding": encoding} if encoding else {}))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        said = archive.read("districts.cpg").decode()
        assert said == ("UTF-8" if encoding == "utf-8" else "GBK")
        table = archive.read("districts.dbf")
        key = pd.read_csv(io.BytesIO(archive.read("districts_fields.csv")))
    assert "东昌府区".encode(said) in table
    titles = {name: field.title.zh for name, field in catalog.default().layers["districts"].fields.items()}
    assert titles.items() <= dict(zip(key["name"], key["title"], strict=True)).items()
    assert key["field"].str.len().max() <= 10


def test_short_names_are_short_and_differ() -> None:
    names = ["longest_name_a", "longest_name_b", "longest_na", "LONGEST_NA_X", "ok"]
    found = short_names(names)
    assert list(found) == names
    assert max(len(short.encode()) for short in found.values()) <= 10
    assert len({short.lower() for short in found.values()}) == len(names)
    assert found["longest_na"] == "longest_na"
    assert len(set(short_names([f"a_field_number_{n}" for n in range(150)]).values())) == 150


def test_points_in_csv_have_their_coordinates_in_columns(client: Any, as_json: dict[str, Any]) -> None:
    content = _export(client, "hydro_stations", "csv")
    assert content.startswith("\ufeff".encode())  # without which spreadsheets take it for GBK
    table = pd.read_csv(io.BytesIO(content))
    for row, feature in zip(table.to_dict("records"), as_json["hydro_stations"], strict=True):
        assert [row["lon"], row["lat"]] == feature["geometry"]["coordinates"]
    moved = pd.read_csv(io.BytesIO(_export(client, "hydro_stations", "csv", crs=EPSG.format(4548))))
    assert moved["x"].between(300_000, 500_000).all()
    bare = pd.read_csv(io.BytesIO(_export(client, "hydro_stations", "csv", skipGeometry="true")))
    assert not {"lon", "lat", "wkt"} & set(bare.columns)


REFUSED = [
    ({"f": "shp", "encoding": "big5"}, "encoding"),
    ({"f": "csv", "encoding": "gbk"}, "encoding"),
    ({"f": "fgb", "skipGeometry": "true"}, "skipGeometry"),
    ({"f": "shp", "skipGeometry": "true"}, "skipGeometry"),
    ({"f": "csv", "limit": 0}, "limit"),
    ({"f": "parquet", "bbox": "1,2,3"}, "bbox"),
    ({"f": "gpkg", "filter": "tbmj ^ 400 > 1"}, "filter"),
    ({"f": "jsonl", "filter": "tbmj ^ 400 > 1"}, "filter"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "parameter"), REFUSED)
def test_refusals_come_as_problems_and_not_as_broken_files(client: Any, params: dict[str, Any], parameter: str) -> None:
    answer = client.get(ITEMS.format("parcels"), **params)
    assert answer.status == 400
    assert answer.json["parameter"] == parameter
    assert "content-disposition" not in answer.headers


ACCEPTS = [
    ("", "json"),
    ("*/*", "json"),
    ("application/json", "json"),
    ("application/geo+json", "json"),
    ("text/csv", "csv"),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
    ("application/json, text/html", "json"),
    ("text/html;q=0.5, application/vnd.apache.parquet", "parquet"),
    ("text/html;q=0, */*;q=0.1", "json"),
    ("text/*", "html"),
    ("application/fg+json;q=0.9, application/geo+json;q=0.8", "jsonfg"),
    ("application/geopackage+sqlite3", "gpkg"),
    ("application/x-shapefile", "shp"),
    ("image/png", "json"),
    ("text/csv;q=much, application/flatgeobuf", "fgb"),
    ("application/*;q=0.2, application/vnd.apache.arrow.stream;q=0.3, text/csv;q=0.25", "arrow"),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "name"), ACCEPTS)
def test_accept_is_weighed(accept: str, name: str) -> None:
    assert negotiated(accept, tuple(FORMATS)) == name


def test_accept_reaches_the_formats(client: Any) -> None:
    for form in FORMATS.values():
        answer = client.get(ITEMS.format("districts"), accept=form.bare_type)
        assert answer.headers["content-type"] == form.media_type
        assert "Accept" in answer.headers["vary"]


def test_a_single_feature_has_no_file_formats(client: Any) -> None:
    item = client.get(ITEMS.format("districts"), f="json", limit=1).json["features"][0]["id"]
    assert client.get(f"{ITEMS.format('districts')}/{item}", f="csv").status == 400
    answer = client.get(f"{ITEMS.format('districts')}/{item}", accept="text/csv")
    assert answer.json["id"] == item


def test_collections_and_the_api_description_name_every_format(client: Any) -> None:
    links = client.get("/collections/parcels", f="json").json["links"]
    told = {link["type"]: link["href"] for link in links if link["rel"] == "items"}
    for form in EXPORTS.values():
        assert client.link(f"{told[form.bare_type]}&limit=1").headers["content-type"] == form.media_type
    described = client.get("/openapi", f="json").json["paths"]["/collections/{collectionId}/items"]["get"]
    offered = next(item for item in described["parameters"] if item.get("name") == "f")
    assert offered["schema"]["enum"] == list(FORMATS)
    assert {form.bare_type for form in FORMATS.values()} <= set(described["responses"]["200"]["content"])


def test_head_tells_the_headers_without_the_rows(client: Any) -> None:
    for form in FORMATS:
        answer = httpx.head(f"{client.url}{ITEMS.format('parcels')}", params={"f": form}, trust_env=False)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == FORMATS[form].media_type
        assert answer.content == b""
