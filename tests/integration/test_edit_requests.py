"""Requests that edit: several features as one, what cannot be taken, what clients are told and what they send.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import shapely
import shapely.affinity
import shapely.geometry
from pyproj import Transformer

from shikong.store import locks
from shikong.store.database import Database
from support.editing import CRS_URI, RELEASES, Editor, feature, square


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
    assert refused.json()["operations"][3]["etag"] == parcel.headers["etag"].replace("-zstd", "")
    assert editor.rows(releases) == before
    assert editor.get("planning_zones", "Z30").headers["etag"] == zone.headers["etag"]
    operations[3]["if-match"] = parcel.headers["etag"]
    done = editor.send("POST", "/transactions", {"operations": operations}, "application/json")
    assert done.status_code == 200, done.text
    assert [each["status"] for each in done.json()["operations"]] == [200, 201, 200, 200]
    assert editor.rows(releases)[0][0] == before[0][0] + 2
    assert editor.rows(RELEASES, "parcels")[-1][1:5] == ("edit", 1, 1, 1)
    assert editor.get("parcels", "P30").json()["properties"]["dlbm"] == "0102"
    assert editor.get("parcels", "P31").status_code == 410
    minimal = editor.send(
        "POST", "/transactions", {"operations": [operations[1]]}, "application/json", prefer="return=minimal"
    )
    assert minimal.status_code == 409
    days = [f"2025-01-{day:02}" for day in range(1, 22)]
    scattered = [
        {"collection": "parcels", "method": "POST",
         "body": feature(square(i, 40), f"S{i}", dlbm="0101", valid_from=day)} for i, day in enumerate(days)
    ]  # fmt: skip
    assert editor.send("POST", "/transactions", {"operations": scattered}, "application/json").status_code == 422
    assert editor.send("POST", "/transactions", {"operations": scattered[:2]}, "application/json").status_code == 201
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
    editor: Editor, edited_store: Database, run_service: Callable[..., Any], tmp_path: Path
) -> None:
    path = "/collections/planning_zones/items"
    assert editor.send("OPTIONS", path).headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert editor.send("OPTIONS", f"{path}/Z1").headers["allow"] == "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"
    assert editor.send("OPTIONS", "/collections/layers/items").headers["allow"] == "GET, HEAD, OPTIONS"
    with run_service(editor.dsn, tmp_path) as closed:
        off = httpx.options(f"{closed.url}{path}", trust_env=False)
        several = httpx.options(f"{closed.url}/transactions", trust_env=False)
        refused = httpx.post(f"{closed.url}{path}", json={}, trust_env=False)
        described = httpx.get(f"{closed.url}/openapi?f=json", trust_env=False).json()["paths"]
        claimed = httpx.get(f"{closed.url}/conformance?f=json", trust_env=False).json()["conformsTo"]
    assert off.headers["allow"] == "GET, HEAD, OPTIONS"
    assert several.headers["allow"] == "OPTIONS"
    assert "/transactions" not in described
    assert "post" not in described["/collections/{collectionId}/items"]
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
    items, item = (f"/collections/{{collectionId}}/items{end}" for end in ("", "/{featureId}"))
    assert {"get", "head", "post", "options"} == set(paths[items]) - {"parameters"}
    assert {"get", "head", "put", "patch", "delete", "options"} == set(paths[item]) - {"parameters"}
    assert set(paths[items]["post"]["responses"]) >= {"201", "400", "413", "415", "422"}
    assert set(paths[item]["patch"]["responses"]) >= {"200", "204", "404", "412", "415", "422", "428"}
    assert "/transactions" in paths
    operations = [each["operationId"] for path in paths.values() for name, each in path.items() if name != "parameters"]
    assert len(operations) == len(set(operations))
    claimed = editor.http.get("/conformance?f=json").json()["conformsTo"]
    assert {each.rpartition("/")[2] for each in claimed if "features-4" in each} == {
        "create-replace-delete", "update", "features", "optimistic-locking-etags",
    }  # fmt: skip


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
        assert http.get(one).status_code == 410
        http.close()


def test_an_edit_does_not_wait_for_a_load_without_end(editor: Editor, edited_store: Database) -> None:
    with edited_store.thread_session() as conn, locks.loading(conn, "planning_zones"):
        answer = editor.patch("planning_zones", "Z9", {"properties": {"name": "忙"}})
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"]
    assert "planning_zones" in answer.json()["detail"]
    assert editor.patch("planning_zones", "Z9", {"properties": {"name": "闲"}}).status_code == 200
