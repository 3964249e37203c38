"""Where a table has its places: longitude and latitude, x and y, WKT, or a column of positions.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely

from shikong.ingest.errors import UnknownCrs
from shikong.ingest.readers.base import Geometries, object_array

#: Column names that say by themselves that they hold degrees, and names that do not.
_LONGITUDE = ("lon", "lng", "long", "longitude", "lgtd", "经度", "gauge_lon", "dec_long_va")
_LATITUDE = ("lat", "latitude", "lttd", "纬度", "gauge_lat", "dec_lat_va")
_X = ("x", "x_coord", "easting", "横坐标")
_Y = ("y", "y_coord", "northing", "纵坐标")
_WKT = ("wkt", "geometry", "geom", "the_geom")


@dataclass(frozen=True)
class Positions:
    """How shapes are made of a table's rows.

    geographic: the columns are called longitude and latitude, which says what the numbers are.
    """

    shapes: Callable[[pd.DataFrame], Geometries]
    geographic: bool


def find(source: str, head: pd.DataFrame) -> Positions:
    """Find the places of a table by the names of its columns (below merged headers, by the lowest name).

    source: the file's name; head: its first rows. Raises UnknownCrs when no column holds places.
    """
    columns = [str(name) for name in head.columns]
    lowest = {name.rsplit("/", 1)[-1].strip().lower(): name for name in reversed(columns)}
    names = lowest | {name.strip().lower(): name for name in columns}
    for xs, ys, geographic in ((_LONGITUDE, _LATITUDE, True), (_X, _Y, False)):
        x = next((names[name] for name in xs if name in names), None)
        y = next((names[name] for name in ys if name in names), None)
        if x is not None and y is not None:
            return Positions(lambda frame, x=x, y=y: _points(frame[x], frame[y]), geographic)  # type: ignore[misc]
    for name in _WKT:
        if name in names:
            return Positions(lambda frame, column=names[name]: _wkt(frame[column]), False)  # type: ignore[misc]
    for column in head.columns:
        if head[column].map(_is_position).all():
            return Positions(lambda frame, column=column: _pairs(frame[column]), True)  # type: ignore[misc]
    raise UnknownCrs(
        f"{source} has no columns with places; name them lon and lat, x and y, or wkt. It has: {', '.join(columns)}"
    )


def _points(xs: pd.Series[Any], ys: pd.Series[Any]) -> Geometries:
    eastings, northings = _numbers(xs), _numbers(ys)
    points = object_array(shapely.points(eastings, northings))
    points[~(np.isfinite(eastings) & np.isfinite(northings))] = None
    return points


def _numbers(column: pd.Series[Any]) -> Any:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)


def _wkt(texts: pd.Series[Any]) -> Geometries:
    texts = texts.astype(object)
    with np.errstate(invalid="ignore"):  # a coordinate that is no number is left for the checks
        return object_array(shapely.from_wkt(texts.where(texts.notna(), None), on_invalid="ignore"))


def _pairs(pairs: pd.Series[Any]) -> Geometries:
    shapes = object_array([None] * len(pairs))
    good = pairs.map(_is_position).to_numpy(dtype=bool)
    shapes[good] = shapely.points([value[:2] for value in pairs[good]]) if good.any() else None
    return shapes


def _is_position(value: object) -> bool:
    return isinstance(value, list) and len(value) >= 2 and all(isinstance(part, int | float) for part in value)
