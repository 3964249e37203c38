"""A site as it is given, brought to EPSG:4490 and held against what a site can be.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any

import numpy as np
import shapely
from psycopg import Connection
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shikong.ingest import crs as crs_rules
from shikong.ingest.crs import Recognised
from shikong.ingest.errors import IngestError, UnknownCrs
from shikong.ingest.job import open_features
from shikong.ingest.readers.base import object_array
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.base import BadInput
from shikong.processes.overlay.kernel import Shapes
from shikong.store import ellipsoid
from shikong.store.moments import Moment

#: A site is no more than this: 100 km², and so many corners.
MAX_AREA, MAX_CORNERS = 1e8, 20_000

#: Bytes of a file with a site: with what base64 adds, less than the server takes.
MAX_FILE = 2_900_000


def _decoded(value: Any) -> bytes:
    try:
        decoded = base64.b64decode(value, validate=True)
    except (TypeError, ValueError) as error:
        raise ValueError("is not base64") from error
    if len(decoded) > MAX_FILE:
        raise ValueError(f"has {len(decoded):,} bytes; at most {MAX_FILE:,} are taken")
    return decoded


class SiteFile(BaseModel):
    """A file as it comes in JSON. name: with the suffix that tells its format. value: its bytes, in base64."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=200)
    value: Annotated[bytes, BeforeValidator(_decoded, json_schema_input_type=str)] = Field(
        json_schema_extra={"contentEncoding": "base64"}
    )


@dataclass(frozen=True)
class Given:
    """A site as a question has it: GeoJSON or a file, and the CRS where it is told. called: the input with the GeoJSON.
    largest: m² that it may have."""

    site: Any
    file: SiteFile | None
    crs: str | None
    called: str = "site"
    largest: float = MAX_AREA

    @property
    def name(self) -> str:
        """The input that tells it."""
        return self.called if self.file is None else "file"


@dataclass(frozen=True)
class Site:
    """shape: one surface or several, EPSG:4490, x = longitude. area: m² by the survey's rule. crs, crs_from: what its
    coordinates were taken for, and why. counties: codes and names of those it lies in, and how much of it (m²).
    outside: what lies beyond the city (m²)."""

    shape: Any
    area: float
    crs: str
    crs_from: Text
    counties: list[tuple[str, str, float]]
    outside: float

    @property
    def shapes(self) -> Shapes:
        """The shape as an array of one."""
        found = np.empty(1, dtype=object)
        found[0] = self.shape
        return found


def read(conn: Connection[Any], city: Catalog, given: Given, moment: Moment) -> Site:
    """The site that is given, held against what a site can be. Raises BadInput that says what is wrong with it."""
    parts, declared = _in_file(given.file) if given.file is not None else (_in_geojson(given), None)
    _require_sizes(given, parts)
    shapes, crs, crs_from = _in_degrees(city, given, parts, declared)
    shape = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
    lies_in = _counties(conn, city, shape, moment)
    if not lies_in:
        west, south, east, north = city.city.bbox
        lies = f"the city lies between {west}° and {east}° E, {south}° and {north}° N"
        raise BadInput(given.name, f"lies outside of the city, its coordinates taken as {crs} ({crs_from.en}); {lies}")
    area = float(ellipsoid.areas([shape])[0])
    if area > given.largest:
        raise BadInput(
            given.name, f"has {area / 1e6:,.1f} km²; at most {given.largest / 1e6:,.0f} km² are checked at once"
        )
    if area < 1:
        raise BadInput(given.name, f"has {area:.4f} m²; a site has at least one square metre")
    outside = max(0.0, area - sum(part for _, _, part in lies_in))
    return Site(shape, area, crs, crs_from, lies_in, outside if outside > area * 1e-6 else 0.0)


def _in_geojson(given: Given) -> Shapes:
    """The surfaces in a GeoJSON geometry, feature or collection. Raises BadInput."""
    try:
        geometries = [shapely.geometry.shape(each) for each in _geometries(given.site)]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
        raise BadInput(given.name, "is no GeoJSON of a Polygon, MultiPolygon, Feature or FeatureCollection") from error
    return _parts(geometries)


def _geometries(given: Any) -> list[Any]:
    if given["type"] == "FeatureCollection":
        return [feature["geometry"] for feature in given["features"]]
    return [given["geometry"] if given["type"] == "Feature" else given]


def _in_file(file: SiteFile) -> tuple[Shapes, str | None]:
    """The surfaces in a file, or whatever else is in one that has none, and the CRS that it tells. Raises BadInput.

    A drawing has lines and notes beside the outline of the site.
    """
    with tempfile.TemporaryDirectory(prefix="shikong-site-") as folder:
        path = Path(folder) / f"site{PurePath(file.name).suffix.lower()}"
        path.write_bytes(file.value)
        try:
            source = open_features(path, None)
            shapes = [shape for batch in source.batches() for shape in batch.geometry if shape is not None]
        except IngestError as error:
            raise BadInput("file", str(error).replace(path.name, file.name)) from error
    parts = _parts(shapes)
    surfaces = parts[shapely.get_type_id(parts) == 3]
    return surfaces if len(surfaces) else parts, source.crs


def _parts(shapes: Sequence[Any]) -> Shapes:
    """The single surfaces and other parts of shapes."""
    return np.asarray(shapely.get_parts(object_array(shapes)), dtype=object)


def _require_sizes(given: Given, parts: Shapes) -> None:
    """Raise BadInput for what is empty, no surface, or more than a site."""
    if not len(parts) or shapely.is_empty(parts).all():
        raise BadInput(given.name, "is empty; give a Polygon or MultiPolygon")
    if wrong := {part.geom_type for part in parts} - {"Polygon"}:
        raise BadInput(given.name, f"has {', '.join(sorted(wrong))}; a site is a Polygon or MultiPolygon")
    if (corners := int(shapely.get_num_coordinates(parts).sum())) > MAX_CORNERS:
        raise BadInput(given.name, f"has {corners:,} corners; at most {MAX_CORNERS:,} are taken. Simplify it")
    if not np.isfinite(shapely.get_coordinates(parts)).all():
        raise BadInput(given.name, "has coordinates that are no numbers")


def _in_degrees(city: Catalog, given: Given, parts: Shapes, declared: str | None) -> tuple[Shapes, str, Text]:
    """Sound surfaces in EPSG:4490, and what their coordinates were taken for, and why. Raises BadInput.

    GeoJSON without a CRS is in degrees, unless the numbers say otherwise.
    """
    by_name = given.file is None
    try:
        found = crs_rules.recognise(declared, given.crs, parts, geographic_by_name=by_name, city=city.city)
        moved = crs_rules.to_storage(parts, found)
    except UnknownCrs as error:
        raise BadInput("crs" if given.crs else given.name, str(error).replace("--crs", "crs")) from error
    for shape in moved[~shapely.is_valid(moved)]:
        reason = shapely.is_valid_reason(shape)
        raise BadInput(given.name, f"is not a sound surface: {reason}; mend it there and ask again")
    return moved, found.name, _reason(given, declared, found)


def _reason(given: Given, declared: str | None, found: Recognised) -> Text:
    """Where the CRS is known from."""
    if given.crs:
        return Text(zh="按提问所指定", en="as the question says")
    if declared:
        return Text(zh="按文件所载", en="as the file says")
    if found.crs.is_geographic:
        return Text(zh="经纬度按 CGCS2000", en="degrees, taken as CGCS2000")
    return Text(zh="由坐标数值判定", en="recognised from the numbers")


def _counties(conn: Connection[Any], city: Catalog, shape: Any, moment: Moment) -> list[tuple[str, str, float]]:
    """The counties that a shape lies in, with the area of each part. Raises BadInput where none are known."""
    known = counties.read(conn, city, moment)
    if not len(known):
        raise BadInput("datetime", "no counties are known of that time; ask for a later one")
    parts = ellipsoid.areas(shapely.intersection(known.shapes, shape), as_drawn=True)
    return [
        (code, name, float(area)) for code, name, area in zip(known.codes, known.names, parts, strict=True) if area > 0
    ]
