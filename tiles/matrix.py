"""The tile matrix sets that are served.

Two come from morecantile's copy of the OGC registry. The other two are 天地图's: `c` in CGCS2000 longitude and latitude
and `w` in Web Mercator, whose levels are numbered from 1 to 18. Their tiles are those of the first two at the same
scale: level n of `w` is level n of WebMercatorQuad, level n of `c` is level n - 1 of WorldCRS84Quad.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import morecantile
from pyproj import CRS

#: The highest level of detail, told as a zoom of WebMercatorQuad.
MAX_ZOOM = 22

#: Scale denominator of WebMercatorQuad's level 0, from a pixel of 0.28 mm and the equator of 6378137 m.
_SCALE_0 = 559082264.0287178


def scale(zoom: float) -> float:
    """The scale denominator of a zoom of WebMercatorQuad, at the equator."""
    return _SCALE_0 / 2**zoom


@dataclass(frozen=True)
class MatrixSet:
    """A tile matrix set that is served.

    srid: EPSG code of the coordinates in which its tiles are cut, x = longitude or easting. base: the registered set
    that has the same tiles. behind: how far its level numbers are behind the zoom of WebMercatorQuad at the same scale.
    behind_base: the same beside the base. first, last: its levels. crs: how clients know its coordinates; for a code
    whose axes are latitude and longitude, origins are told in that order.
    """

    id: str
    title: str
    srid: int
    base: str
    behind: int
    behind_base: int
    first: int
    last: int
    crs: str
    uri: str | None = None
    scale_set: str | None = None


_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
_REGISTRY = "http://www.opengis.net/def/tilematrixset/OGC/1.0/"
_SCALES = "http://www.opengis.net/def/wkss/OGC/1.0/"

#: Identifier -> what is served under it.
SERVED = {
    found.id: found
    for found in (
        MatrixSet("WebMercatorQuad", "Web Mercator", 3857, "WebMercatorQuad", 0, 0, 0, MAX_ZOOM, f"{_EPSG}3857",
                  f"{_REGISTRY}WebMercatorQuad", f"{_SCALES}GoogleMapsCompatible"),
        MatrixSet("WorldCRS84Quad", "WGS 84 longitude, latitude", 4490, "WorldCRS84Quad", 1, 0, 0, MAX_ZOOM - 1, _CRS84,
                  f"{_REGISTRY}WorldCRS84Quad", f"{_SCALES}GoogleCRS84Quad"),
        MatrixSet("c", "天地图 c: CGCS2000 longitude, latitude", 4490, "WorldCRS84Quad", 0, -1, 1, 18, f"{_EPSG}4490"),
        MatrixSet("w", "天地图 w: Web Mercator", 3857, "WebMercatorQuad", 0, 0, 1, 18, f"{_EPSG}3857"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class TileAddress:
    """One tile of a served matrix set; row counts from the top, zoom is the number of the set's own level."""

    matrix_set: str
    zoom: int
    row: int
    column: int

    @property
    def scale_zoom(self) -> int:
        """The zoom of WebMercatorQuad at the same scale."""
        return self.zoom + SERVED[self.matrix_set].behind

    @property
    def canonical(self) -> TileAddress:
        """The same tile in the registered set: what is kept is kept once, whatever set it was asked for in."""
        found = SERVED[self.matrix_set]
        return TileAddress(found.base, self.zoom + found.behind_base, self.row, self.column)


@dataclass(frozen=True)
class TileBox:
    """A tile's bounds in the coordinates of its matrix set."""

    west: float
    south: float
    east: float
    north: float
    srid: int


@cache
def matrix_set(identifier: str) -> morecantile.TileMatrixSet:
    """The registered tile matrix set that a served one has its tiles from. Raises KeyError."""
    return morecantile.tms.get(SERVED[identifier].base)


@cache
def matrix_size(identifier: str, zoom: int) -> tuple[int, int]:
    """Columns and rows of a level."""
    matrix = matrix_set(identifier).matrix(zoom + SERVED[identifier].behind_base)
    return matrix.matrixWidth, matrix.matrixHeight


@lru_cache(maxsize=16_384)
def box(address: TileAddress) -> TileBox:
    """The bounds of a tile. Raises IndexError when the matrix has no such tile, or the set no such level."""
    served = SERVED[address.matrix_set]
    if not served.first <= address.zoom <= served.last:
        raise IndexError(f"{served.id} has levels {served.first} to {served.last}")
    width, height = matrix_size(address.matrix_set, address.zoom)
    if not (0 <= address.column < width and 0 <= address.row < height):
        raise IndexError(
            f"zoom {address.zoom} of {address.matrix_set} has rows 0-{height - 1} and columns 0-{width - 1}"
        )
    same = address.canonical
    bounds = matrix_set(address.matrix_set).xy_bounds(morecantile.Tile(same.column, same.row, same.zoom))
    return TileBox(bounds.left, bounds.bottom, bounds.right, bounds.top, served.srid)


#: Units along the side of a vector tile, how many beyond its bounds it shows, and the latter as a share of its side.
EXTENT, BUFFER = 4096, 64
MARGIN = BUFFER / EXTENT

_RADIUS = 6378137.0


@lru_cache(maxsize=16_384)
def lonlat_box(address: TileAddress, share: float = MARGIN) -> tuple[float, float, float, float]:
    """West, south, east and north (degrees) of what a tile shows, with a margin of this share of its side.

    Raises IndexError.
    """
    found = box(address)
    margin = (found.east - found.west) * share
    west, south, east, north = found.west - margin, found.south - margin, found.east + margin, found.north + margin
    if found.srid == 4490:
        return west, south, east, north
    return (
        math.degrees(west / _RADIUS), math.degrees(math.atan(math.sinh(south / _RADIUS))),
        math.degrees(east / _RADIUS), math.degrees(math.atan(math.sinh(north / _RADIUS))),
    )  # fmt: skip


@cache
def lat_first(identifier: str) -> bool:
    """Whether the CRS of a served set has latitude before longitude, so that origins are told in that order."""
    uri = SERVED[identifier].crs
    return not uri.endswith("CRS84") and CRS.from_user_input(uri).axis_info[0].direction == "north"


@cache
def definition(identifier: str) -> dict[str, Any]:
    """A served set as OGC's Two Dimensional Tile Matrix Set 2.0 has it in JSON. Raises KeyError."""
    served = SERVED[identifier]
    registered = matrix_set(identifier)
    corner = (-180.0, 90.0) if served.srid == 4490 else (-20037508.342789244, 20037508.342789244)
    axes = ["Lon", "Lat"] if served.srid == 4490 else ["X", "Y"]
    if lat_first(identifier):
        corner, axes = corner[::-1], axes[::-1]
    named = {"uri": served.uri, "wellKnownScaleSet": served.scale_set}
    return {
        "id": served.id, "title": served.title, **{name: value for name, value in named.items() if value},
        "crs": served.crs, "orderedAxes": axes,
        "tileMatrices": [
            {
                "id": str(level), "scaleDenominator": scale(level + served.behind),
                "cellSize": registered.matrix(level + served.behind_base).cellSize,
                "cornerOfOrigin": "topLeft", "pointOfOrigin": list(corner), "tileWidth": 256, "tileHeight": 256,
                "matrixWidth": matrix_size(identifier, level)[0], "matrixHeight": matrix_size(identifier, level)[1],
            }
            for level in range(served.first, served.last + 1)
        ],
    }  # fmt: skip


def levels(identifier: str, min_zoom: int, max_zoom: int) -> range:
    """The levels of a served set at the scales of these zooms of WebMercatorQuad."""
    served = SERVED[identifier]
    return range(max(served.first, min_zoom - served.behind), min(served.last, max_zoom - served.behind) + 1)


def limits(identifier: str, zooms: range, bbox: tuple[float, float, float, float]) -> list[dict[str, Any]]:
    """For each level the rows and columns that a box (CRS84) reaches, as OGC's TileMatrixSetLimits."""
    served, registered = SERVED[identifier], matrix_set(identifier)
    west, south, east, north = bbox
    found = []
    for level in zooms:
        base = level + served.behind_base
        first, last = registered.tile(west, north, base), registered.tile(east, south, base)
        found.append({
            "tileMatrix": str(level), "minTileRow": first.y, "maxTileRow": last.y,
            "minTileCol": first.x, "maxTileCol": last.x,
        })  # fmt: skip
    return found
