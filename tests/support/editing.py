"""What tests of editing share: a client that edits, sources to begin with, features to send.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import psycopg
import shapely
import shapely.geometry

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
        # A compressed answer has a tag of its own; reports tell that of the plain one.
        headers = {"accept-encoding": "identity"}
        self.http = httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers)

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


#: A layer's releases: id, kind, added, changed, ended, unchanged, current rows, extent, begin.
RELEASES = "SELECT id, kind, added, changed, ended, unchanged, current_rows, extent, time_from FROM shikong.release WHERE layer = %s ORDER BY id"
