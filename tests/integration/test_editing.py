"""Features edited through the API of a real server over a real PostGIS: versions, states, systems, rules.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
import shapely
import shapely.geometry
from pyproj import CRS, Geod, Transformer

from shikong.layers import catalog
from shikong.store import as_of
from shikong.store.database import Database
from support.editing import CRS_URI, DAY, RELEASES, Editor, feature, square


def test_a_feature_is_created_changed_and_ended(editor: Editor) -> None:
    far = square(0, 50)
    made = editor.send("POST", "/collections/planning_zones/items", feature(far, ghfldm="0101", name="新区"))
    assert made.status_code == 201, made.text
    key = made.json()["id"]
    assert made.headers["location"] == f"{editor.url}/collections/planning_zones/items/{key}"
    got = editor.get("planning_zones", key)
    assert got.json()["properties"]["name"] == "新区"
    assert got.headers["etag"].replace("-zstd", "") == made.json()["etag"]
    area, _ = Geod(a=6378137, rf=298.257222101).geometry_area_perimeter(far)
    assert got.json()["properties"]["area"] == pytest.approx(area, abs=0.01)
    changed = editor.patch("planning_zones", key, {"properties": {"name": "旧区"}})
    assert changed.status_code == 200, changed.text
    again = editor.get("planning_zones", key)
    assert again.json()["properties"]["name"] == "旧区"
    assert again.json()["geometry"] == got.json()["geometry"]
    assert again.headers["etag"].replace("-zstd", "") == changed.json()["etag"] != made.json()["etag"]
    replaced = editor.send(
        "PUT", f"/collections/planning_zones/items/{key}", feature(far, key, ghfldm="0102"),
        if_match=again.headers["etag"],
    )  # fmt: skip
    assert replaced.status_code == 200, replaced.text
    assert editor.get("planning_zones", key).json()["properties"]["name"] is None
    tag = editor.get("planning_zones", key).headers["etag"]
    gone = editor.send("DELETE", f"/collections/planning_zones/items/{key}", if_match=tag)
    assert gone.status_code == 200, gone.text
    assert editor.get("planning_zones", key).status_code == 410
    told = editor.http.get(f"/collections/planning_zones/items/{key}/lineage").json()["versions"]
    assert [version["state"] for version in told] == ["superseded"] * 3
    assert {version["release"]["kind"] for version in told} == {"edit"}


def test_an_edit_of_a_versioned_feature_begins_a_version(editor: Editor, edited_store: Database) -> None:
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
    assert editor.get("parcels", "P3").status_code == 410
    assert editor.get("parcels", "P3", datetime=now["valid_from"]).json()["properties"]["dlbm"] == "0102"
    # the way back, over the edits
    layer = catalog.default().layer("parcels")
    with edited_store.thread_session() as conn:
        as_of.rollback(conn, layer, min(row[0] for row in editor.rows(RELEASES, "parcels")))
    assert editor.get("parcels", "P3").json()["properties"] == before.json()["properties"]


def test_a_release_counts_what_an_edit_did_as_a_full_count_would(editor: Editor) -> None:
    for layer, key in (("parcels", "P0"), ("planning_zones", "Z0"), ("planning_zones", "Z20")):  # at the rim, and not
        tag = editor.get(layer, key).headers["etag"]
        moved = square(60, 9)
        answer = editor.patch(layer, key, {"geometry": shapely.geometry.mapping(moved)}, tag)
        assert answer.status_code == 200, answer.text
        *_, kind, added, changed, ended, unchanged, current, extent, start = (
            None,
            *editor.rows(RELEASES, layer)[-1][1:],
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
