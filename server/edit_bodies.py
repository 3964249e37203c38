"""The bodies of requests that edit: media type, size, JSON, and the features in them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import shapely
from pyproj import CRS
from starlette.requests import Request

from shikong.ingest import crs as source_crs
from shikong.ingest.crs import Recognised
from shikong.ingest.readers.base import object_array
from shikong.providers import crs as crs_rules
from shikong.providers.crs import ServedCrs
from shikong.server.context import Context
from shikong.server.edit_errors import BadBody, BodyTooLarge, WrongMediaType

#: Bytes that the body of an edit may have; more comes as a file, with `shikong ingest`.
MAX_BODY = 16_000_000

GEOJSON = ("application/geo+json", "application/json")
MERGE_PATCH = ("application/merge-patch+json",)
JSON = ("application/json",)

_GEOMETRIES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)

#: What libraries call their own errors.
_NAMES = re.compile(r"\w*Exception: |\[json\.exception[\w.]*\] ")


async def read(request: Request, types: tuple[str, ...]) -> dict[str, Any]:
    """The body as a JSON object. Raises WrongMediaType, BodyTooLarge, BadBody."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in types:
        raise WrongMediaType(given, types)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise BodyTooLarge(f"the body has more than {MAX_BODY:,} bytes; send less, or load it with shikong ingest")
    try:
        document = orjson.loads(bytes(body))
    except orjson.JSONDecodeError as error:
        raise BadBody(f"the body is not JSON: {error}") from error
    return expect_object(document, "the body")


def expect_object(document: Any, what: str) -> dict[str, Any]:
    """A JSON object. Raises BadBody."""
    if not isinstance(document, dict):
        raise BadBody(f"{what} must be a JSON object")
    return document


def crs_of(context: Context, request: Request) -> ServedCrs:
    """The CRS of a body's coordinates: that of Content-Crs, or CRS84. Raises BadParameter."""
    given = request.headers.get("content-crs", "").strip().removeprefix("<").removesuffix(">")
    return crs_rules.parse("Content-Crs", given or None, context.catalog.city.crs)


def properties(feature: Mapping[str, Any]) -> dict[str, Any]:
    """A feature's properties. Raises BadBody."""
    return expect_object(feature.get("properties") or {}, "`properties`")


def require_feature(document: Any) -> dict[str, Any]:
    """A GeoJSON feature. Raises BadBody."""
    feature = expect_object(document, "a feature")
    if feature.get("type") != "Feature":
        raise BadBody(f'the body must be a GeoJSON Feature; its "type" is {feature.get("type")!r}')
    return feature


def shape(geometry: Any, crs: ServedCrs) -> Any:
    """A GeoJSON geometry in EPSG:4490, x = longitude; None for null. Raises BadBody."""
    if geometry is None:
        return None
    kind = expect_object(geometry, "`geometry`").get("type")
    if not isinstance(kind, str) or kind not in _GEOMETRIES:
        raise BadBody(f"`geometry` is of type {kind!r}; GeoJSON has {', '.join(sorted(_GEOMETRIES))}")
    try:
        found = shapely.from_geojson(orjson.dumps(geometry))
    except orjson.JSONEncodeError as error:
        raise BadBody("`geometry` cannot be read as GeoJSON: it nests too deep") from error
    except shapely.errors.GEOSException as error:
        raise BadBody(f"`geometry` cannot be read as GeoJSON: {_NAMES.sub('', str(error))}") from error
    if crs.swapped:
        found = shapely.transform(found, np.fliplr)
    recognised = Recognised(CRS.from_epsg(crs.srid), "Content-Crs")
    return source_crs.to_storage(object_array([found]), recognised)[0]
