"""From an older datum to CGCS2000 by the city's own seven parameters.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.crs import BoundCRS
from pyproj.crs.coordinate_operation import ToWGS84Transformation

from shikong.layers.model import DatumShift

_Move = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def pipeline(crs: CRS, shift: DatumShift) -> str:
    """The PROJ pipeline from longitude and latitude (degrees) on a CRS's ellipsoid to those of CGCS2000."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        raise ValueError(f"{crs.name} has no ellipsoid")
    return (
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad"
        f" +step +proj=cart +a={ellipsoid.semi_major_metre!r} +rf={ellipsoid.inverse_flattening!r}"
        f" +step +proj=helmert +convention={shift.method}"
        f" +x={shift.x!r} +y={shift.y!r} +z={shift.z!r} +rx={shift.rx!r} +ry={shift.ry!r} +rz={shift.rz!r}"
        f" +s={shift.scale!r}"
        " +step +inv +proj=cart +a=6378137 +rf=298.257222101"
        " +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )


def bound(crs: CRS, shift: DatumShift) -> tuple[str, str]:
    """The same for GDAL's warper, which takes no pipeline: the CRS, and CGCS2000 degrees, bound to one datum.

    As PROJ strings, since only in them the binding reaches GDAL. What lies between the two is the seven parameters
    and nothing else.
    """
    sense = 1 if shift.method == "position_vector" else -1  # PROJ strings tell rotations in the former's
    parameters = (shift.x, shift.y, shift.z, sense * shift.rx, sense * shift.ry, sense * shift.rz, shift.scale)
    return _bound(crs, parameters), _bound(CRS.from_epsg(4490), (0.0,) * 7)


def _bound(crs: CRS, parameters: tuple[float, ...]) -> str:
    x, y, z, rx, ry, rz, scale = parameters
    whole = BoundCRS(crs, "EPSG:4326", ToWGS84Transformation(crs.geodetic_crs, x, y, z, rx, ry, rz, scale))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names are lost, which are not needed
        return whole.to_proj4()


def to_cgcs2000(crs: CRS, shift: DatumShift) -> _Move:
    """What moves coordinates (n, 2) of a CRS, x = easting or longitude, to CGCS2000 degrees. Heights count as 0."""
    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)  # within the datum: exact
    over = Transformer.from_pipeline(pipeline(crs, shift))

    def move(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = to_degrees.transform(coordinates[:, 0], coordinates[:, 1])
        lon, lat, _ = over.transform(lon, lat, np.zeros(len(coordinates)))
        return np.column_stack([lon, lat])

    return move
