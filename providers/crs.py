"""The coordinate reference systems that are served, with the authority's axis order.

Geometry is stored as x = longitude, y = latitude. Where a request names a CRS whose authority
puts latitude or northing first (EPSG:4490, EPSG:4326, every Gauss-Krueger zone), coordinates go
out, and boxes come in, in that order; CRS84 is always longitude first.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from pyproj import CRS, Transformer

from shikong.providers.errors import BadParameter
from shikong.store.tables import SRID

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
STORAGE_CRS = f"http://www.opengis.net/def/crs/EPSG/0/{SRID}"

_EPSG = re.compile(
    r"^(?:https?://www\.opengis\.net/def/crs/EPSG/[^/]+/|urn:ogc:def:crs:EPSG:[^:]*:|\[?EPSG:)(\d{1,6})\]?$",
    re.IGNORECASE | re.ASCII,
)

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ServedCrs:
    """A CRS as the API names it.

    swapped: the authority's first axis is latitude or northing.
    same_as_storage: coordinates equal the stored ones but for the order (CGCS2000 and WGS 84 degrees).
    """

    uri: str
    srid: int
    swapped: bool
    same_as_storage: bool
    decimals: int

    def geometry(self, column: sql.Composable) -> sql.Composable:
        """SQL for a stored geometry in this CRS and axis order."""
        column = self.geometry_x_first(column)
        return sql.SQL("st_flipcoordinates({})").format(column) if self.swapped else column

    def geometry_x_first(self, column: sql.Composable) -> sql.Composable:
        """SQL for a stored geometry in this CRS, longitude or easting first, as file formats have it."""
        if self.same_as_storage:
            return column
        return sql.SQL("st_transform({}, {})").format(column, sql.Literal(self.srid))

    def box_to_storage(self, box: Box) -> Box:
        """A box in this CRS and axis order as west, south, east, north in EPSG:4490.

        Raises BadParameter when the box lies where the CRS has no meaning.
        """
        first, second, third, fourth = box
        x0, y0, x1, y1 = (second, first, fourth, third) if self.swapped else box
        if self.same_as_storage:
            return (x0, y0, x1, y1)
        west, south, east, north = _to_storage(self.srid).transform_bounds(x0, y0, x1, y1, densify_pts=21)
        if not all(abs(value) < 400 for value in (west, south, east, north)):
            raise BadParameter("bbox", f"{box} lies outside the area in which {self.uri} can be used")
        return (west, south, east, north)

    def points_to_storage(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2), x = east, in this CRS as longitude and latitude in EPSG:4490; infinite where it has none."""
        if self.same_as_storage:
            return points
        return np.column_stack(_to_storage(self.srid).transform(points[:, 0], points[:, 1]))


@cache
def _to_storage(srid: int) -> Transformer:
    return Transformer.from_crs(srid, SRID, always_xy=True)


@cache
def epsg(code: int) -> ServedCrs:
    """An EPSG CRS. Raises pyproj's CRSError when there is none."""
    crs = CRS.from_epsg(code)
    swapped = crs.axis_info[0].direction.lower() in ("north", "south")
    uri = f"http://www.opengis.net/def/crs/EPSG/0/{code}"
    return ServedCrs(uri, code, swapped, code in (SRID, 4326), 8 if crs.is_geographic else 3)


DEFAULT = ServedCrs(CRS84, SRID, swapped=False, same_as_storage=True, decimals=8)


def uris(codes: Iterable[int]) -> list[str]:
    """CRS URIs as a collection lists them, CRS84 first."""
    return [CRS84, *(epsg(code).uri for code in codes)]


def parse(parameter: str, value: str | None, codes: Iterable[int]) -> ServedCrs:
    """The CRS that a request names, among those served. Raises BadParameter naming them."""
    if value is None or value == CRS84 or value.upper() in ("[OGC:CRS84]", "OGC:CRS84"):
        return DEFAULT
    match = _EPSG.match(value.strip())
    if match and int(match[1]) in codes:
        return epsg(int(match[1]))
    raise BadParameter(parameter, f"{value!r} is not served", uris(codes))
