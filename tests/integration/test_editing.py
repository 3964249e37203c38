"""Editing through the API of a real server over a real PostGIS.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import numpy as np
import psycopg
import pytest
import shapely
import shapely.affinity
import shapely.geometry
from pyproj import CRS, Geod, Transformer

from shikong.layers import catalog
from shikong.store import as_of, locks
from shikong.store.database import Database
from support.loads import load, settings_for

#: Edge of a parcel in degrees.
SIDE = 0.001

#: Since when the parcels hold.
DAY = datetime(2024, 12, 31, tzinfo=UTC)

CRS_URI = "http://www.opengis.net/def/crs/EPSG/0/{}"


def square(column: int, row: int = 0, origin: tuple[float, float] = (115.9, 36.4)) -> Any:
    """One parcel of a sheet of parcels side by side."""
    x, y = origin[0] + column * SIDE, origin[1] + row * SIDE
    return shapely.box(x, y, x + SIDE, y + SIDE)


def write_parcels(path: Path, number: int) -> Path:
    """A source of parcels in one row."""
    frame = {"bsm": [f"P{i}" for i in range(number)], "dlbm": ["0101"] * number, "xzqdm": ["371502"] * number}
    gpd.GeoDataFrame(frame, geometry=[square(i) for i in range(number)], crs=4490).to_file(path)
    return path


def write_zones(path: Path, number: int) -> Path:
    """A source of planning zones in one row."""
    frame = {"code": [f"Z{i}" for i in range(number)], "ghfldm": ["0101"] * number, "name": ["区"] * number}
    gpd.GeoDataFrame(frame, geometry=[square(i) for i in range(number)], crs=4490).to_file(path)
    return path


class Editor:
    """A client that edits."""

    def __init__(self, url: str, dsn: str) -> None:
        self.url, self.dsn = url, dsn
        self.http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def get(self, layer: str, key: str, **params: str) -> httpx.Response:
        """One feature."""
        return self.http.get(f"/collections/{layer}/items/{key}", params=params, headers={"accept": "application/json"})

    def send(
        self, method: str, path: str, body: Any = None, media: str = "application/geo+json", **headers: str | None
    ) -> httpx.Response:
        """A request; headers with underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        if body is not None:
            named["content-type"] = media
        content = body if isinstance(body, bytes | None) else httpx.Response(200, json=body).content
        return self.http.request(method, path, content=content, headers=named)

    def patch(self, layer: str, key: str, body: Any, if_match: str | None = None, **headers: str) -> httpx.Response:
        """PATCH with the present tag, or another."""
        tag = if_match or self.get(layer, key).headers["etag"]
        path = f"/collections/{layer}/items/{key}"
        return self.send("PATCH", path, body, "application/merge-patch+json", if_match=tag, **headers)

    def rows(self, query: str, *params: Any) -> list[tuple[Any, ...]]:
        """What the database has."""
        with psycopg.connect(self.dsn) as conn:
            return conn.execute(query.encode(), params).fetchall()


def feature(shape: Any, key: str | None = None, **values: Any) -> dict[str, Any]:
    """A GeoJSON feature."""
    document: dict[str, Any] = {
        "type": "Feature", "geometry": shapely.geometry.mapping(shape), "properties": values,
    }  # fmt: skip
    return document | ({"id": key} if key else {})


@pytest.fixture(scope="module")
def database(cluster: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Twenty parcels (with versions) and twenty zones (without), for the tests of this module."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    folder = tmp_path_factory.mktemp("editing")
    store = Database(settings_for(cluster.dsn_of(name), folder))
    load(store, write_parcels(folder / "parcels.gpkg", 40), "parcels", valid_from=DAY)
    load(store, write_zones(folder / "zones.gpkg", 40), "planning_zones")
    yield store
    store.close_threads()


@pytest.fixture(scope="module")
def editor(database: Database, run_service: Callable[..., Any]) -> Iterator[Editor]:
    """A client of a server on which editing is open."""
    dsn = database.settings.database_url
    assert dsn is not None
    with run_service(dsn, database.settings.data, SHIKONG_EDITING="open") as service:
        client = Editor(service.url, dsn)
        yield client
        client.http.close()


def test_a_feature_is_created_changed_and_ended(editor: Editor) -> None:
    far = square(0, 50)
    made = editor.send("POST", "/collections/planning_zones/items", feature(far, ghfldm="0101", name="新区"))
    assert made.status_code == 201, made.text
    key = made.json()["id"]
    assert made.headers["location"] == f"{editor.url}/collections/planning_zones/items/{key}"
    got = editor.get("planning_zones", key)
    assert got.json()["properties"]["name"] == "新区"
    assert got.headers["etag"] == made.json()["etag"]
    area, _ = Geod(a=6378137, rf=298.257222101).geometry_area_perimeter(far)
    assert got.json()["properties"]["area"] == pytest.approx(area, abs=0.01)
    changed = editor.patch("planning_zones", key, {"properties": {"name": "旧区"}})
    assert changed.status_code == 200, changed.text
    again = editor.get("planning_zones", key)
    assert again.json()["properties"]["name"] == "旧区"
    assert again.json()["geometry"] == got.json()["geometry"]
    assert again.headers["etag"] == changed.json()["etag"] != got.headers["etag"]
    replaced = editor.send(
        "PUT", f"/collections/planning_zones/items/{key}", feature(far, key, ghfldm="0102"),
        if_match=again.headers["etag"],
    )  # fmt: skip
    assert replaced.status_code == 200, replaced.text
    assert editor.get("planning_zones", key).json()["properties"]["name"] is None
    tag = editor.get("planning_zones", key).headers["etag"]
    gone = editor.send("DELETE", f"/collections/planning_zones/items/{key}", if_match=tag)
    assert gone.status_code == 200, gone.text
    assert editor.get("planning_zones", key).status_code == 404
    told = editor.http.get(f"/collections/planning_zones/items/{key}/lineage").json()["versions"]
    assert [version["state"] for version in told] == ["superseded"] * 3
    assert {version["release"]["kind"] for version in told} == {"edit"}


def test_an_edit_of_a_versioned_feature_begins_a_version(editor: Editor, database: Database) -> None:
    before = editor.get("parcels", "P3")
    first = editor.patch("parcels", "P3", {"properties": {"dlbm": "0102"}})
    assert first.status_code == 200, first.text
    now = editor.get("parcels", "P3").json()["properties"]
    assert now["dlbm"] == "0102"
    assert now["valid_from"] > "2025"
    assert editor.get("parcels", "P3", datetime="2025-01-01T00:00:00Z").json()["properties"]["dlbm"] == "0101"
    told = editor.http.get("/collections/parcels/items/P3/lineage").json()["versions"]
    assert sorted(version["state"] for version in told) == ["current", "ended", "superseded"]
    # what the service knew before the edit, it can still tell
    known = next(version for version in told if version["state"] == "superseded")["recordedFrom"]
    assert editor.get("parcels", "P3", asOf=known).json()["properties"] == before.json()["properties"]
    # a version that begins at a given time, and none before it
    given = editor.patch("parcels", "P3", {"properties": {"dlbm": "0103", "valid_from": "2025-06-01"}})
    assert given.status_code == 409, given.text
    future = editor.patch("parcels", "P3", {"properties": {"dlbm": "0103", "valid_from": "2199-01-01"}})
    assert future.status_code == 422
    dated = editor.patch("parcels", "P4", {"properties": {"dlbm": "0103", "valid_from": "2025-06-01"}})
    assert dated.status_code == 200, dated.text
    assert editor.get("parcels", "P4").json()["properties"]["valid_from"] == "2025-06-01T00:00:00+08:00"
    tag = editor.get("parcels", "P3").headers["etag"]
    assert editor.send("DELETE", "/collections/parcels/items/P3", if_match=tag).status_code == 200
    assert editor.get("parcels", "P3").status_code == 404
    assert editor.get("parcels", "P3", datetime=now["valid_from"]).json()["properties"]["dlbm"] == "0102"
    # the way back, over the edits
    layer = catalog.default().layer("parcels")
    with database.thread_session() as conn:
        as_of.rollback(conn, layer, min(row[0] for row in editor.rows(_RELEASES, "parcels")))
    assert editor.get("parcels", "P3").json()["properties"] == before.json()["properties"]


_RELEASES = "SELECT id, kind, added, changed, ended, unchanged, current_rows, extent, time_from FROM shikong.release WHERE layer = %s ORDER BY id"


def test_a_release_counts_what_an_edit_did_as_a_full_count_would(editor: Editor) -> None:
    for layer, key in (("parcels", "P0"), ("planning_zones", "Z0"), ("planning_zones", "Z20")):  # at the rim, and not
        tag = editor.get(layer, key).headers["etag"]
        moved = square(60, 9)
        answer = editor.patch(layer, key, {"geometry": shapely.geometry.mapping(moved)}, tag)
        assert answer.status_code == 200, answer.text
        *_, kind, added, changed, ended, unchanged, current, extent, start = (
            None,
            *editor.rows(_RELEASES, layer)[-1][1:],
        )
        rows, *box = editor.rows(
            "SELECT count(*), min(st_xmin(geom)), min(st_ymin(geom)), max(st_xmax(geom)), max(st_ymax(geom))"
            f" FROM data.{layer}"
        )[0]
        assert (kind, added, changed, ended) == ("edit", 0, 1, 0)
        assert (current, unchanged, extent) == (rows, rows - 1, box)
        assert start == (DAY if layer == "parcels" else None)
        # what a map window finds by blocks is what is there
        found = editor.http.get(f"/collections/{layer}/items", params={"limit": 1000, "bbox": "115,36,117,37"}).json()
        assert len(found["features"]) == rows
        editor.patch(layer, key, {"geometry": shapely.geometry.mapping(square(int(key[1:])))})


def test_writers_that_read_the_same_state_do_not_overwrite_each_other(editor: Editor) -> None:
    for key in ("Z5", "Z6", "Z7"):
        tag = editor.get("planning_zones", key).headers["etag"]

        def write(name: str, key: str = key, tag: str = tag) -> int:
            with httpx.Client(base_url=editor.url, timeout=60, trust_env=False) as http:
                body = f'{{"properties": {{"name": "{name}"}}}}'.encode()
                headers = {"content-type": "application/merge-patch+json", "if-match": tag}
                return http.patch(f"/collections/planning_zones/items/{key}", content=body, headers=headers).status_code

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(write, ["甲", "乙", "丙", "丁"]))
        assert sorted(answers) == [200, 412, 412, 412]
    missing = editor.send("DELETE", "/collections/planning_zones/items/Z5")
    assert missing.status_code == 428
    weak = editor.patch("planning_zones", "Z5", {"properties": {"name": "x"}}, f"W/{tag}")
    assert weak.status_code == 412
    other = editor.get("planning_zones", "Z5", crs=CRS_URI.format(4526)).headers["etag"]
    assert other != editor.get("planning_zones", "Z5").headers["etag"]
    assert editor.patch("planning_zones", "Z5", {"properties": {"name": "y"}}, other).status_code == 200
    tag = editor.get("planning_zones", "Z5").headers["etag"]
    fresh = editor.http.get("/collections/planning_zones/items/Z5?f=json", headers={"if-none-match": tag})
    assert (fresh.status_code, fresh.content) == (304, b"")


@pytest.mark.parametrize("code", [None, 4326, 4490, 3857, 4526, 4527, 4547, 4548])
def test_bodies_come_in_every_served_crs(editor: Editor, code: int | None) -> None:
    shape = square(0, 60)
    body, headers = shape, {}
    if code is not None:
        crs = CRS.from_epsg(code)
        to = Transformer.from_crs(4490, crs, always_xy=False)  # in both, the authority's order of axes
        body = shapely.transform(
            shape, lambda xy: [list(pair) for pair in zip(*to.transform(xy[:, 1], xy[:, 0]), strict=True)]
        )
        headers = {"content_crs": f"<{CRS_URI.format(code)}>"}
    made = editor.send("POST", "/collections/planning_zones/items", feature(body, ghfldm="0101"), **headers)
    assert made.status_code == 201, made.text
    key = made.json()["id"]
    ((stored,),) = editor.rows("SELECT st_asbinary(geom) FROM data.planning_zones WHERE code = %s", key)
    assert shapely.get_coordinates(shapely.from_wkb(stored)) == pytest.approx(shapely.get_coordinates(shape), abs=2e-9)
    # what comes back as it was given out changes nothing
    params = {} if code is None else {"crs": CRS_URI.format(code)}
    read = editor.get("planning_zones", key, **params)
    back = editor.send(
        "PUT", f"/collections/planning_zones/items/{key}", read.json(), if_match=read.headers["etag"], **headers
    )
    assert back.status_code == 200, back.text
    assert editor.rows("SELECT st_asbinary(geom) FROM data.planning_zones WHERE code = %s", key) == [(stored,)]
    assert editor.send(
        "DELETE", f"/collections/planning_zones/items/{key}", if_match=back.json()["etag"]
    ).status_code == 200  # fmt: skip


def test_rules_refuse_or_warn_and_say_so(editor: Editor) -> None:
    path = "/collections/planning_zones/items"
    count = editor.rows("SELECT count(*) FROM shikong.release")
    bow = shapely.Polygon([(115.95, 36.5), (115.951, 36.501), (115.951, 36.5), (115.95, 36.501)])
    cases: list[tuple[dict[str, Any], str, str]] = [
        (feature(bow, ghfldm="0101"), "valid_geometry", "geometry"),
        (feature(square(0, 70), ghfldm="9999"), "not_in_code_list:land_use_plan", "ghfldm"),
        (feature(square(0, 70)), "required", "ghfldm"),
        (feature(square(0, 70), ghfldm="0101", nmae="x"), "no_such_property", "nmae"),
        (feature(square(0, 70), ghfldm=101), "not_a_string", "ghfldm"),
        (feature(square(0, 70), ghfldm="0101", name={"a": 1}), "not_a_string", "name"),
        (feature(square(0, 70), ghfldm="0101", name="a\0b"), "not_a_string", "name"),
        (feature(shapely.Point(115.9, 36.4), ghfldm="0101"), "not_a_MultiPolygon", "geometry"),
        (feature(shapely.box(36.4, 115.9, 36.5, 116.0), ghfldm="0101"), "swapped_axes", "geometry"),
        (feature(square(0, 70), ghfldm="0101") | {"geometry": None}, "no_geometry", "geometry"),
        (feature(shapely.box(115.9, 36.4, 400, 37), ghfldm="0101"), "outside_the_earth", "geometry"),
    ]
    for body, rule, name in cases:
        answer = editor.send("POST", path, body)
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert (rule, name) in {(each["rule"], each["field"]) for each in answer.json()["findings"]}, answer.text
        assert editor.send("POST", path, {"type": "FeatureCollection", "features": [body]}).status_code == 422
    assert editor.rows("SELECT count(*) FROM shikong.release") == count
    assert editor.rows("SELECT count(*) FROM shikong.quarantine") == [(0,)]
    beside = editor.send("POST", path, feature(square(20), ghfldm="0101"))  # lies upon Z20
    assert beside.status_code == 201
    assert [(each["rule"], each["field"]) for each in beside.json()["warnings"]] == [("no_overlap", "geometry")]
    assert "Z20" in beside.json()["warnings"][0]["value"]
    key, tag = beside.json()["id"], beside.json()["etag"]
    # exactly the neighbours: side by side with two parcels is no overlap
    moved = editor.patch("planning_zones", key, {"geometry": shapely.geometry.mapping(square(20, 1))}, tag)
    assert moved.json()["warnings"] == []
    wound = shapely.orient_polygons(square(20, 1), exterior_cw=True)
    other_way = editor.patch("planning_zones", key, {"geometry": shapely.geometry.mapping(wound)})
    assert other_way.status_code == 200
    assert editor.get("planning_zones", key).json()["properties"]["area"] > 0
    editor.send("DELETE", f"{path}/{key}", if_match=editor.get("planning_zones", key).headers["etag"])


def test_several_features_at_once(editor: Editor) -> None:
    path = "/collections/planning_zones/items"
    good = [feature(square(i, 80), f"N{i}", ghfldm="0101") for i in range(3)]
    bad = feature(square(9, 80), "N9", ghfldm="9999")
    many = {"type": "FeatureCollection", "features": [*good, bad, {"type": "Feature", "geometry": {"type": "Cube"}}]}
    strict = editor.send("POST", path, many)
    assert strict.status_code == 400
    assert [each["status"] for each in strict.json()["operations"]] == [424, 424, 424, 424, 400]
    assert editor.get("planning_zones", "N0").status_code == 404
    lenient = editor.send("POST", path, many, prefer="handling=lenient, return=representation")
    assert lenient.status_code == 200, lenient.text
    assert [each["status"] for each in lenient.json()["operations"]] == [201, 201, 201, 422, 400]
    assert lenient.headers["preference-applied"] == "handling=lenient, return=representation"
    assert lenient.json()["operations"][1]["feature"]["id"] == "N1"
    assert (lenient.json()["done"], lenient.json()["refused"]) == (3, 2)
    assert len({each["release"] for each in lenient.json()["operations"][:3]}) == 1
    assert editor.get("planning_zones", "N2").status_code == 200
    assert editor.get("planning_zones", "N9").status_code == 404
    assert editor.rows("SELECT count(*) FROM shikong.quarantine") == [(0,)]
    again = editor.send("POST", path, good[0])
    assert again.status_code == 409


def test_a_transaction_over_layers_is_all_or_nothing(editor: Editor) -> None:
    releases = "SELECT count(*) FROM shikong.release"
    zone, parcel = editor.get("planning_zones", "Z30"), editor.get("parcels", "P30")
    other = editor.get("parcels", "P31").headers["etag"]
    operations = [
        {"collection": "planning_zones", "method": "PATCH", "id": "Z30", "if-match": zone.headers["etag"],
         "body": {"properties": {"name": "一"}}},
        {"collection": "parcels", "method": "POST", "body": feature(square(30, 3), "T1", dlbm="0101")},
        {"collection": "parcels", "method": "DELETE", "id": "P31", "if-match": other},
        {"collection": "parcels", "method": "PUT", "id": "P30", "if-match": '"stale"',
         "body": feature(square(30), dlbm="0102")},
    ]  # fmt: skip
    before = editor.rows(releases)
    refused = editor.send("POST", "/transactions", {"operations": operations}, "application/json")
    assert refused.status_code == 412, refused.text
    assert [each["status"] for each in refused.json()["operations"]] == [424, 424, 424, 412]
    assert refused.json()["operations"][3]["etag"] == parcel.headers["etag"]
    assert editor.rows(releases) == before
    assert editor.get("planning_zones", "Z30").headers["etag"] == zone.headers["etag"]
    operations[3]["if-match"] = parcel.headers["etag"]
    done = editor.send("POST", "/transactions", {"operations": operations}, "application/json")
    assert done.status_code == 200, done.text
    assert [each["status"] for each in done.json()["operations"]] == [200, 201, 200, 200]
    assert editor.rows(releases)[0][0] == before[0][0] + 2
    assert editor.rows(_RELEASES, "parcels")[-1][1:5] == ("edit", 1, 1, 1)
    assert editor.get("parcels", "P30").json()["properties"]["dlbm"] == "0102"
    assert editor.get("parcels", "P31").status_code == 404
    minimal = editor.send(
        "POST", "/transactions", {"operations": [operations[1]]}, "application/json", prefer="return=minimal"
    )
    assert minimal.status_code == 409
    wrong = editor.send("POST", "/transactions", {"operations": [{"collection": "nowhere"}]}, "application/json")
    assert wrong.status_code == 400


def test_requests_that_cannot_be_taken(editor: Editor) -> None:
    path = "/collections/planning_zones/items"
    sound = feature(square(0, 90), ghfldm="0101")
    text = httpx.Response(200, json=sound).content
    cases: list[tuple[bytes, str, int]] = [
        (text, "text/plain", 415),
        (text[:-20], "application/geo+json", 400),
        (text.replace(b"115.9", b"NaN", 1), "application/geo+json", 400),
        (text.replace(b"115.9", b"1e999", 1), "application/geo+json", 400),
        (b"\xff\xfe", "application/geo+json", 400),
        (b"[" * 100_000, "application/geo+json", 400),
        (b"[]", "application/geo+json", 400),
        (b'{"type": "Point"}', "application/geo+json", 400),
        (b'{"type": "FeatureCollection", "features": []}', "application/geo+json", 400),
        (b'{"type": "Feature", "properties": 3}', "application/geo+json", 400),
        (
            text.replace(b'"type":"Feature"', b'"type":"Feature","id":"' + b"k" * 3000 + b'"'),
            "application/geo+json",
            400,
        ),
        (text.replace(b'"Polygon"', b'"Feature"'), "application/geo+json", 400),
        (text.replace(b"[[[", b"[[[[[", 1).replace(b"]]]", b"]]]]]"), "application/geo+json", 400),
        (b" " * 16_000_001, "application/geo+json", 413),
    ]
    for body, media, status in cases:
        answer = editor.send("POST", path, body, media)
        assert answer.status_code == status, (body[:200], answer.text)
        assert answer.json()["status"] == status
        assert "Traceback" not in answer.text
    assert editor.send("POST", path, text, "text/csv").json()["allowed"] == ["application/geo+json", "application/json"]
    tag = editor.get("planning_zones", "Z1").headers["etag"]
    assert editor.send("PATCH", f"{path}/Z1", sound, if_match=tag).status_code == 415
    assert editor.send("PUT", f"{path}/Z1", feature(square(1), "Z2", ghfldm="0101"), if_match=tag).status_code == 400
    assert editor.send("PUT", f"{path}/nobody", sound, if_match=tag).status_code == 404
    assert (
        editor.send("POST", path, sound, content_crs="<http://www.opengis.net/def/crs/EPSG/0/2000>").status_code == 400
    )
    assert editor.send("POST", f"{path}?crs=1", sound).status_code == 400
    assert editor.send("PUT", path, sound).status_code == 405
    assert editor.send("POST", "/collections/elevation/items", sound).status_code == 405
    assert editor.send("POST", path, sound, prefer="return=minimal").content == b""


def test_what_is_allowed_is_told(
    editor: Editor, database: Database, run_service: Callable[..., Any], tmp_path: Path
) -> None:
    path = "/collections/planning_zones/items"
    assert editor.send("OPTIONS", path).headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert editor.send("OPTIONS", f"{path}/Z1").headers["allow"] == "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"
    assert editor.send("OPTIONS", "/collections/layers/items").headers["allow"] == "GET, HEAD, OPTIONS"
    with run_service(editor.dsn, tmp_path) as closed:
        off = httpx.options(f"{closed.url}{path}", trust_env=False)
        refused = httpx.post(f"{closed.url}{path}", json={}, trust_env=False)
        described = httpx.get(f"{closed.url}/openapi?f=json", trust_env=False).json()["paths"]
        claimed = httpx.get(f"{closed.url}/conformance?f=json", trust_env=False).json()["conformsTo"]
    assert off.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "/transactions" not in described
    assert "post" not in described[path]
    assert not [each for each in claimed if "features-4" in each]
    assert refused.status_code == 405
    assert "SHIKONG_EDITING" in refused.json()["detail"]
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    schema = editor.http.get("/collections/parcels/schema", params={"f": "json"}).json()["properties"]
    assert {name for name, each in schema.items() if each.get("readOnly")} == {"tbmj", "origin", "valid_to"}
    assert schema["bsm"]["x-ogc-role"] == "id"


def test_the_api_describes_editing(editor: Editor) -> None:
    document = editor.http.get("/openapi?f=json").json()
    paths = document["paths"]
    items, item = (f"/collections/planning_zones/items{end}" for end in ("", "/{featureId}"))
    assert {"get", "post", "options"} == set(paths[items])
    assert {"get", "put", "patch", "delete", "options"} == set(paths[item])
    assert set(paths[items]["post"]["responses"]) >= {"201", "400", "413", "415", "422"}
    assert set(paths[item]["patch"]["responses"]) >= {"200", "204", "404", "412", "415", "422", "428"}
    assert "/transactions" in paths
    operations = [each["operationId"] for path in paths.values() for each in path.values()]
    assert len(operations) == len(set(operations))
    claimed = editor.http.get("/conformance?f=json").json()["conformsTo"]
    assert {each.rpartition("/")[2] for each in claimed if "features-4" in each} == {
        "create-replace-delete", "update", "features", "optimistic-locking-etags",
    }  # fmt: skip


def test_overlaps_with_neighbours_are_those_that_a_full_comparison_finds(editor: Editor) -> None:
    numbers = np.random.default_rng(7)
    geod = Geod(a=6378137, rf=298.257222101)
    for _ in range(12):
        x, y, width = 115.9 + numbers.uniform(0, 0.04), 36.399 + numbers.uniform(0, 0.002), numbers.uniform(1e-5, 0.003)
        shape = shapely.box(x, y, x + width, y + 0.0004)
        rows = editor.rows("SELECT code, st_asbinary(geom) FROM data.planning_zones")
        shared = {key: shapely.intersection(shapely.from_wkb(wkb), shape) for key, wkb in rows}
        wanted = {key for key, part in shared.items() if abs(geod.geometry_area_perimeter(part)[0]) > 1}
        made = editor.send("POST", "/collections/planning_zones/items", feature(shape, ghfldm="0101")).json()
        assert {each["value"].rpartition(" ")[2] for each in made["warnings"]} == wanted


def test_qgis_can_edit_where_the_operator_lets_it(
    editor: Editor, run_service: Callable[..., Any], tmp_path: Path
) -> None:
    """What QGIS 3.32 and later sends: no If-Match, the CRS without brackets, geometry and attributes apart."""
    path, crs = "/collections/parcels/items", CRS_URI.format(4526)
    with run_service(editor.dsn, tmp_path, SHIKONG_EDITING="unlocked") as service:
        http = httpx.Client(base_url=service.url, trust_env=False, timeout=60)
        assert "POST" in http.options(path).headers["allow"].split(", ")
        assert {"PUT", "DELETE", "PATCH"} <= set(http.options(f"{path}/P10").headers["allow"].split(", "))
        to = Transformer.from_crs(4490, 4526, always_xy=False)
        shape = shapely.transform(square(0, 95), lambda xy: np.column_stack(to.transform(xy[:, 1], xy[:, 0])))
        attributes = {"bsm": None, "dlbm": "0101", "dlmc": None, "xzqdm": None, "tbmj": None, "origin": None,
                      "valid_from": None, "valid_to": None}  # fmt: skip
        geojson = {"content-type": "application/geo+json", "content-crs": crs}
        made = http.post(path, json=feature(shape, **attributes), headers=geojson)
        assert made.status_code == 201, made.text
        one = made.headers["location"].removeprefix(service.url)
        patch = {"content-type": "application/merge-patch+json"}
        assert http.patch(one, json={"properties": {"dlmc": "水田"}}, headers=patch).status_code == 200
        moved = shapely.geometry.mapping(shapely.affinity.translate(shape, 10, 0))
        assert http.patch(one, json={"geometry": moved}, headers=patch | {"content-crs": crs}).status_code == 200
        got = http.get(one, params={"crs": crs}).json()
        assert got["properties"]["dlmc"] == "水田"
        assert shapely.from_geojson(json.dumps(got["geometry"])).centroid.x == pytest.approx(
            shape.centroid.x + 10, abs=1e-3
        )
        assert http.patch(one, json={}, headers=patch | {"if-match": '"other"'}).status_code == 412
        assert http.delete(one).status_code == 200
        assert http.get(one).status_code == 404
        http.close()


def test_an_edit_does_not_wait_for_a_load_without_end(editor: Editor, database: Database) -> None:
    with database.thread_session() as conn, locks.loading(conn, "planning_zones"):
        answer = editor.patch("planning_zones", "Z9", {"properties": {"name": "忙"}})
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"]
    assert "planning_zones" in answer.json()["detail"]
    assert editor.patch("planning_zones", "Z9", {"properties": {"name": "闲"}}).status_code == 200
