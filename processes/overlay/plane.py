"""The plane of the whole city, in which distances and widths are taken: 3-degree Gauss-Krüger, 117° E.

Its scale is up to 3 parts in ten thousand off; distances on the ground follow by the scale at the place.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Proj, Transformer

from shikong.processes.overlay.kernel import Shapes
from shikong.store import tables

SRID = 4548

_TO_PLANE = Transformer.from_crs(tables.SRID, SRID, always_xy=True)
_TO_DEGREES = Transformer.from_crs(SRID, tables.SRID, always_xy=True)


def to_plane(shapes: Any) -> Shapes:
    """Shapes of EPSG:4490 (x = longitude) in metres."""
    return _moved(shapes, _TO_PLANE)


def to_degrees(shapes: Any) -> Shapes:
    """Shapes of the plane in EPSG:4490, x = longitude."""
    return _moved(shapes, _TO_DEGREES)


def _moved(shapes: Any, transformer: Transformer) -> Shapes:
    return np.asarray(shapely.transform(shapes, lambda xy: np.column_stack(transformer.transform(*xy.T))), dtype=object)


def scales(shapes: Shapes) -> NDArray[np.float64]:
    """By how much the plane is larger than the ground, at the middle of each shape (degrees)."""
    middles = shapely.get_coordinates(shapely.centroid(shapes))
    return np.asarray(Proj(SRID).get_factors(*middles.T).meridional_scale, dtype=float)
