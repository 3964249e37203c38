"""A site as it is given, brought to EPSG:4490 and held against what a site can be.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from psycopg import Connection, sql

from shikong.ingest import crs as crs_rules
from shikong.ingest.errors import UnknownCrs
from shikong.layers.catalog import Catalog
from shikong.processes.base import BadInput
from shikong.processes.overlay.kernel import Shapes
from shikong.store import ellipsoid, moments
from shikong.store.moments import Moment

#: A site is no more than this: 100 km², and so many corners.
MAX_AREA, MAX_CORNERS = 1e8, 20_000

_COUNTIES = "SELECT xzqdm, xzqmc, st_asbinary(geom) FROM {} AS d WHERE level = 'county' ORDER BY xzqdm"


@dataclass(frozen=True)
class Site:
    """shape: one surface or several, EPSG:4490, x = longitude. area: m² by the survey's rule. crs: how its coordinates
    were understood. counties: codes and names of those it lies in, and how much of it (m²). outside: what lies beyond
    the city (m²)."""

    shape: Any
    area: float
    crs: str
    counties: list[tuple[str, str, float]]
    outside: float

    @property
    def shapes(self) -> Shapes:
        """The shape as an array of one."""
        found = np.empty(1, dtype=object)
        found[0] = self.shape
        return found


def read(conn: Connection[Any], city: Catalog, given: Any, crs: str | None, moment: Moment) -> Site:
    """The site that GeoJSON tells. Raises BadInput that says what is wrong with it and what to do."""
    shape = _surface(given)
    moved, told = _in_degrees(city, shape, crs)
    _require_sound(moved)
    counties = _counties(conn, city, moved, moment)
    if not counties:
        west, south, east, north = city.city.bbox
        lies = f"the city lies between {west}° and {east}° E, {south}° and {north}° N"
        raise BadInput("site", f"lies outside of the city, its coordinates taken as {told}; {lies}")
    area = float(ellipsoid.areas([moved])[0])
    if area > MAX_AREA:
        raise BadInput("site", f"has {area / 1e6:,.1f} km²; at most {MAX_AREA / 1e6:,.0f} km² are checked at once")
    if area < 1:
        raise BadInput("site", f"has {area:.4f} m²; a site has at least one square metre")
    outside = max(0.0, area - sum(part for _, _, part in counties))
    return Site(moved, area, told, counties, outside if outside > area * 1e-6 else 0.0)


def _surface(given: Any) -> Any:
    """The surface in a GeoJSON geometry, feature or collection. Raises BadInput."""
    try:
        geometries = [shapely.geometry.shape(each) for each in _geometries(given)]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
        raise BadInput("site", "is no GeoJSON of a Polygon, MultiPolygon, Feature or FeatureCollection") from error
    parts = [part for shape in geometries for part in shapely.get_parts(shape)]
    if not parts or all(part.is_empty for part in parts):
        raise BadInput("site", "is empty; give a Polygon or MultiPolygon")
    if wrong := {part.geom_type for part in parts} - {"Polygon"}:
        raise BadInput("site", f"has {', '.join(sorted(wrong))}; a site is a Polygon or MultiPolygon")
    if (corners := sum(shapely.get_num_coordinates(parts))) > MAX_CORNERS:
        raise BadInput("site", f"has {corners:,} corners; at most {MAX_CORNERS:,} are taken. Simplify it")
    if not np.isfinite(shapely.get_coordinates(parts)).all():
        raise BadInput("site", "has coordinates that are no numbers")
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)


def _geometries(given: Any) -> list[Any]:
    if given["type"] == "FeatureCollection":
        return [feature["geometry"] for feature in given["features"]]
    return [given["geometry"] if given["type"] == "Feature" else given]


def _in_degrees(city: Catalog, shape: Any, crs: str | None) -> tuple[Any, str]:
    """The shape in EPSG:4490, and how its coordinates were understood. Raises BadInput."""
    sample = np.empty(1, dtype=object)
    sample[0] = shape
    try:
        found = crs_rules.recognise(None, crs, sample, geographic_by_name=True, city=city.city)
        return crs_rules.to_storage(sample, found)[0], f"{found.name} ({found.how})"
    except UnknownCrs as error:
        raise BadInput("crs" if crs else "site", str(error).replace("--crs", "crs")) from error


def _require_sound(shape: Any) -> None:
    """Raise BadInput for a shape that crosses itself, with the place."""
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        raise BadInput("site", f"is not a sound surface: {reason}; mend it there and ask again")


def _counties(conn: Connection[Any], city: Catalog, shape: Any, moment: Moment) -> list[tuple[str, str, float]]:
    """The counties that a shape lies in, with the area of each part."""
    rows = conn.execute(
        sql.SQL(_COUNTIES).format(moments.rows(city.layer("districts"), moment)), moment.values
    ).fetchall()
    if not rows:
        raise BadInput("datetime", "no counties are known of that time; ask for a later one")
    found = []
    for code, name, wkb in rows:
        county = shapely.from_wkb(wkb)
        if shapely.intersects(county, shape):
            part = float(ellipsoid.areas([shapely.intersection(county, shape)], as_drawn=True)[0])
            if part > 0:
                found.append((code, name, part))
    return found
