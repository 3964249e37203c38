"""Bodies that are wrong or hostile, sent to a service on which features can be edited, and what is told of each.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ITEMS = "/collections/planning_zones/items"
ITEM = f"{ITEMS}/Z1"
TRANSACTIONS = "/transactions"
EXECUTION = "/processes/what-is-here/execution"

GEOJSON, PATCH, JSON = "application/geo+json", "application/merge-patch+json", "application/json"


@dataclass(frozen=True)
class Body:
    """One bad body.

    body: what is sent, or what makes it, so that large ones are made when they are needed. words: in the answer's
    detail. An item is changed with the tag that it has, unless headers say another.
    """

    name: str
    path: str
    body: Any
    status: int
    words: str = ""
    method: str = "POST"
    media_type: str = GEOJSON
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes."""
        made = self.body() if callable(self.body) else self.body
        return made if isinstance(made, bytes) else json.dumps(made).encode()


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    """A zone that breaks no rule but those of the case."""
    return {"type": "Feature", "geometry": geometry, "properties": {"code": "N1", "ghfldm": "0101"} | properties}


def _ring(points: list[list[Any]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [points]}


SQUARE = _ring([[115.9, 36.5], [115.91, 36.5], [115.91, 36.51], [115.9, 36.51], [115.9, 36.5]])


def _zigzag() -> bytes:
    """A polygon of 10^6 points, in more bytes than a body may have."""
    angles = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    ring = np.column_stack([115.9 + np.cos(angles) / 100, 36.5 + np.sin(angles) / 100]).tolist()
    return json.dumps(feature(_ring([*ring, ring[0]]))).encode()


def _short_points() -> bytes:
    """A multipoint of 10^6 points, in few enough bytes."""
    return (
        b'{"type":"Feature","geometry":{"type":"MultiPoint","coordinates":['
        + b"[116,36]," * 999_999
        + b'[116,36]]},"properties":{}}'
    )


def _bytes() -> Iterator[Body]:
    """What is no JSON, or too much of it, or of another type; wherever bodies are read."""
    sound = json.dumps(feature(SQUARE)).encode()
    places = ((ITEMS, "POST", GEOJSON), (ITEM, "PUT", GEOJSON), (ITEM, "PATCH", PATCH), (TRANSACTIONS, "POST", JSON))
    broken: dict[str, tuple[Any, int, str]] = {
        "nothing": (b"", 400, "not JSON"), "truncated": (sound[:-20], 400, "not JSON"),
        "invalid UTF-8": (b'{"type": "\xff\xfe"}', 400, "not JSON"), "null byte": (b'{"type": "F\0"}', 400, "not JSON"),
        "NaN": (b'{"type": NaN}', 400, "not JSON"), "infinity": (b'{"type": -Infinity}', 400, "not JSON"),
        "a number that is too large": (b'{"type": 1e999}', 400, ""), "a list": (b"[]", 400, "must be a JSON object"),
        "a word": (b'"Feature"', 400, "must be a JSON object"), "null": (b"null", 400, "must be a JSON object"),
        "XML": (b"<Feature/>", 400, "not JSON"), "lists 10,000 deep": (b"[" * 10_000, 400, "not JSON"),
        "objects 10,000 deep": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "not JSON"),
        "17 MB": (lambda: b" " * 17_000_000, 413, "more than 16,000,000 bytes"),
    }  # fmt: skip
    for path, method, media_type in places:
        for name, (body, status, words) in broken.items():
            yield Body(f"{method} {path}: {name}", path, body, status, words, method, media_type)
        for wrong in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/sql", ""):
            yield Body(f"{method} {path}: as {wrong!r}", path, sound, 415, "send ", method, wrong)


def _shapes() -> Iterator[Body]:
    """Geometries that are none."""
    shapes: dict[str, tuple[Any, int, str]] = {
        "a word": ("POLYGON EMPTY", 400, "must be a JSON object"), "a list": ([1, 2], 400, "must be a JSON object"),
        "no type": ({"coordinates": [1, 2]}, 400, "is of type None"),
        "unknown type": ({"type": "Cube", "coordinates": []}, 400, "is of type 'Cube'"),
        "type that is an object": ({"type": {"a": 1}}, 400, "is of type"),
        "no coordinates": ({"type": "Polygon"}, 400, "cannot be read as GeoJSON"),
        "coordinates of words": ({"type": "Point", "coordinates": ["a", "b"]}, 400, "cannot be read as GeoJSON"),
        "coordinates of null": ({"type": "Polygon", "coordinates": None}, 400, "cannot be read as GeoJSON"),
        "one number": ({"type": "Point", "coordinates": [1]}, 400, "cannot be read as GeoJSON"),
        "coordinates of SQL": ({"type": "Point", "coordinates": "1); DROP TABLE data.parcels; --"}, 400, "cannot be read as GeoJSON"),
        "ring not closed": (_ring([[115.9, 36.5], [115.91, 36.5], [115.91, 36.51]]), 400, "cannot be read as GeoJSON"),
        "empty": ({"type": "Polygon", "coordinates": []}, 422, ""),
        "a point where surfaces are": ({"type": "Point", "coordinates": [115.9, 36.5]}, 422, ""),
        "a line where surfaces are": ({"type": "LineString", "coordinates": [[115.9, 36.5], [116, 36.5]]}, 422, ""),
        "a collection where surfaces are": ({"type": "GeometryCollection", "geometries": []}, 422, ""),
        "latitude first": (_ring([[36.5, 115.9], [36.5, 115.91], [36.51, 115.91], [36.5, 115.9]]), 422, ""),
        "beyond the earth": (_ring([[1e6, 36.5], [1e6 + 1, 36.5], [1e6, 37], [1e6, 36.5]]), 422, ""),
        "huge numbers": (_ring([[1e300, 36.5], [1e301, 36.5], [1e300, 37], [1e300, 36.5]]), 422, ""),
        "a bow tie": (_ring([[115.9, 36.5], [115.91, 36.51], [115.91, 36.5], [115.9, 36.51], [115.9, 36.5]]), 422, ""),
        "none": (None, 422, ""),
        "nested collections": ({"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": []}]}, 422, ""),
    }  # fmt: skip
    for name, (shape, status, words) in shapes.items():
        yield Body(f"geometry: {name}", ITEMS, feature(shape), status, words)
    deep = b'{"type":"GeometryCollection","geometries":['
    nested = deep * 500 + b"]}" * 500
    yield Body(
        "geometry: collections 500 deep", ITEMS, b'{"type":"Feature","properties":{},"geometry":' + nested + b"}", 400
    )
    yield Body("geometry: 10^6 points, too long", ITEMS, _zigzag, 413, "more than")
    yield Body("geometry: 10^6 points of another kind", ITEMS, _short_points, 422)


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _values() -> Iterator[Body]:
    """Values that a layer does not take."""
    values: dict[str, tuple[dict[str, Any], int, str]] = {
        "unknown property": ({"nosuch": 1}, 422, ""), "code that does not exist": ({"ghfldm": "9999"}, 422, ""),
        "null where a value must be": ({"ghfldm": None}, 422, ""), "a list": ({"name": [1, 2]}, 422, ""),
        "an object": ({"name": {"a": 1}}, 422, ""), "lists 500 deep": ({"name": _nested(500)}, 422, ""), "null byte": ({"name": "a\0b"}, 422, ""),
        "SQL where a code goes": ({"ghfldm": "0101'; DROP TABLE data.planning_zones; --"}, 422, ""),
        "id of 300 letters": ({"code": "x" * 300}, 400, "cannot be the id"), "empty id": ({"code": " "}, 400, "cannot be the id"),
        "id that is a list": ({"code": [1]}, 400, "cannot be the id"), "id with a null byte": ({"code": "a\0"}, 400, "cannot be the id"),
    }  # fmt: skip
    for name, (given, status, words) in values.items():
        yield Body(f"value: {name}", ITEMS, feature(SQUARE, **given), status, words)
    yield Body("properties that are a list", ITEMS, feature(SQUARE) | {"properties": [1]}, 400, "must be a JSON object")
    yield Body("feature of no type", ITEMS, {"geometry": SQUARE, "properties": {}}, 400, "must be a GeoJSON Feature")
    yield Body("collection of nothing", ITEMS, {"type": "FeatureCollection", "features": []}, 400, "at least one")
    yield Body("collection of words", ITEMS, {"type": "FeatureCollection", "features": ["a"]}, 400)
    yield Body(
        "collection that is an object", ITEMS, {"type": "FeatureCollection", "features": {}}, 400, "at least one"
    )
    many = {"type": "FeatureCollection", "features": [feature(SQUARE)] * 1001}
    yield Body("1,001 features", ITEMS, many, 400, "at most 1,000")


def _headers() -> Iterator[Body]:
    """Headers that do not fit."""
    sound, patch = feature(SQUARE), {"properties": {"name": "区"}}
    crs = "http://www.opengis.net/def/crs/EPSG/0/"
    for name, text in {
        "unknown": f"<{crs}2000>",
        "SQL": "4326; DROP TABLE x",
        "a long number": f"<{crs}{'4' * 3000}>",
    }.items():
        yield Body(f"Content-Crs: {name}", ITEMS, sound, 400, "Content-Crs", headers={"content-crs": text})
    for name, text, status in (
        ("stale", '"0123-json-crs84"', 412), ("SQL", "\"' OR 1=1 --\"", 412), ("no tag", "abc", 412), ("long", '"' + "a" * 5000 + '"', 412),
        ("weak", 'W/"0123-json-crs84"', 412), ("commas", ",,,", 412),
    ):  # fmt: skip
        yield Body(
            f"If-Match: {name}", ITEM, patch, status, method="PATCH", media_type=PATCH, headers={"if-match": text}
        )
    yield Body("If-Match: missing", ITEM, patch, 428, "If-Match", "PATCH", PATCH, {"if-match": ""})
    yield Body("a feature that is not there", f"{ITEMS}/nosuch", patch, 404, "", "PATCH", PATCH, {"if-match": '"x"'})
    yield Body("a feature with a null byte", f"{ITEMS}/a%00b", patch, 400, "NUL", "PATCH", PATCH, {"if-match": '"x"'})
    yield Body("another feature in the body", ITEM, feature(SQUARE) | {"id": "Z2"}, 400, "the address names", "PUT")
    yield Body("unknown parameter", f"{ITEMS}?crs=1", sound, 400, "no parameter")
    yield Body("PUT of a collection", ITEMS, sound, 405, "not possible here", "PUT")
    yield Body("POST to a feature", ITEM, sound, 405, "not possible here")
    yield Body("POST to a raster", "/collections/elevation/items", sound, 405, "features can be edited")
    yield Body("POST to an unknown collection", "/collections/nosuch/items", sound, 404, "no collection")
    yield Body("POST to versions", f"{ITEM}/versions", sound, 405, "not possible here")
    yield Body("DELETE of all jobs", "/jobs", b"", 405, "not possible here", "DELETE")


def _transactions() -> Iterator[Body]:
    wrong: dict[str, tuple[Any, str]] = {
        "nothing": ({}, "at least one"), "no list": ({"operations": "all"}, "at least one"), "empty": ({"operations": []}, "at least one"),
        "words": ({"operations": ["a"]}, ""), "unknown member": ({"operations": [{"collection": "parcels", "method": "POST", "sql": "x"}]}, ""),
        "unknown collection": ({"operations": [{"collection": "nosuch", "method": "POST"}]}, ""),
        "unknown method": ({"operations": [{"collection": "planning_zones", "method": "DROP", "id": "Z1"}]}, ""),
        "id of a number": ({"operations": [{"collection": "planning_zones", "method": "DELETE", "id": 1, "if-match": "x"}]}, ""),
        "no body": ({"operations": [{"collection": "planning_zones", "method": "POST"}]}, ""),
        "1,001 operations": ({"operations": [{}] * 1001}, "at most 1,000"),
    }  # fmt: skip
    for name, (body, words) in wrong.items():
        yield Body(f"transaction: {name}", TRANSACTIONS, body, 400, words, media_type=JSON)


def _executions() -> Iterator[Body]:
    wrong: dict[str, tuple[Any, str]] = {
        "truncated": (b'{"inputs": {"lon"', "not JSON"), "a list": ([], "must be an object"), "inputs of a list": ({"inputs": []}, "must be an object"),
        "unknown input": ({"inputs": {"sql": "1"}}, ""), "a word as longitude": ({"inputs": {"lon": "here", "lat": 36.4}}, "lon"),
        "beyond the earth": ({"inputs": {"lon": 1e300, "lat": 36.4}}, "lon"), "NaN": (b'{"inputs": {"lon": NaN}}', "not JSON"),
        "SQL": ({"inputs": {"lon": "1; DROP TABLE data.parcels", "lat": 36.4}}, "lon"), "an object": ({"inputs": {"lon": {"a": 1}}}, "lon"), "lists 500 deep": ({"inputs": {"lon": _nested(500)}}, "lon"),
        "invalid UTF-8": (b'{"inputs": {"\xff": 1}}', "not JSON"), "10,000 deep": (b"[" * 10_000, "not JSON"),
        "5 MB": (lambda: b" " * 5_000_000, "larger than"),
    }  # fmt: skip
    for name, (body, words) in wrong.items():
        yield Body(f"execution: {name}", EXECUTION, body, 400, words, media_type=JSON)


BODIES = [*_bytes(), *_shapes(), *_values(), *_headers(), *_transactions(), *_executions()]
