"""Editing through the API of a real server over a real PostGIS.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import psycopg
import pytest
import shapely
from pyproj import CRS, Geod, Transformer

from shikong.layers import catalog
from shikong.store import as_of
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
