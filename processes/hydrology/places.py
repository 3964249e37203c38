"""The area that a question is about: a basin that is given, a county, or the whole city.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import Connection
from pydantic import Field

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.base import BadInput, Inputs, titled
from shikong.processes.hydrology.readings import STATIONS, Station
from shikong.processes.overlay import plane
from shikong.processes.sites import site
from shikong.processes.sites.site import Given
from shikong.store import ellipsoid
from shikong.store.moments import Moment

#: m² that a basin may have.
LARGEST = 5e10

_DRAWN = {"x-geometry": "Polygon", "x-map": [STATIONS, "rivers"]}


class Where(Inputs):
    """A basin or a county; without either, the whole city."""

    basin: dict[str, Any] | None = Field(
        None,
        json_schema_extra=titled("流域面（GeoJSON，可选）", "Basin (GeoJSON, optional)", **_DRAWN),
    )
    district: str | None = Field(
        None, pattern=r"^\d{6}$", json_schema_extra=titled("县（市、区）代码（可选）", "County code (optional)")
    )


@dataclass(frozen=True)
class Area:
    """name: what it is called. shape: EPSG:4490. plane: the same in metres of EPSG:4548. km2: by the ellipsoid."""

    name: Text
    shape: Any
    plane: Any
    km2: float


def read(conn: Connection[Any], city: Catalog, where: Where, moment: Moment) -> Area:
    """The area that is asked about. Raises BadInput."""
    if where.basin is not None and where.district is not None:
        raise BadInput("district", "give either a basin or a county", ("basin", "district"))
    if where.basin is not None:
        found = site.read(conn, city, Given(where.basin, None, None, "basin", LARGEST), moment)
        return _area(Text(zh="所给流域", en="The basin given"), found.shape)
    known = counties.read(conn, city, moment)
    if where.district is None:
        if not len(known):
            raise BadInput("district", "there are no counties yet; give a basin")
        return _area(Text(zh="全市", en="Whole city"), shapely.union_all(known.shapes))
    if where.district not in known.codes:
        raise BadInput("district", f"there is no county {where.district}", tuple(known.codes.tolist()))
    number = known.codes.tolist().index(where.district)
    return _area(Text(zh=str(known.names[number]), en=str(known.names[number])), known.shapes[number])


def _area(name: Text, shape: Any) -> Area:
    one = np.empty(1, dtype=object)
    one[0] = shape
    return Area(name, shape, plane.to_plane(one)[0], float(ellipsoid.areas([shape])[0]) / 1e6)


def of(stations: list[Station]) -> NDArray[np.float64]:
    """The places of stations (n, 2) in metres of EPSG:4548."""
    points = shapely.points([(each.lon, each.lat) for each in stations])
    return np.asarray(shapely.get_coordinates(plane.to_plane(points)), dtype=float).reshape(-1, 2)
