"""The city's counties, by which areas are told.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.processes.overlay.kernel import Shapes
from shikong.store import moments
from shikong.store.moments import Moment

#: The layer that holds them, with districts of other levels.
LAYER = "districts"

_COUNTIES = "SELECT xzqdm, xzqmc, st_asbinary(geom) FROM {} AS d WHERE level = 'county' ORDER BY xzqdm"


@dataclass(frozen=True)
class Counties:
    """Codes, names and shapes (EPSG:4490, x = longitude), in the order of the codes."""

    codes: NDArray[np.object_]
    names: NDArray[np.object_]
    shapes: Shapes

    def __len__(self) -> int:
        return len(self.codes)

    def of(self, shapes: Shapes) -> NDArray[np.object_]:
        """The code of the county of each shape, that of a point inside it; None outside of all."""
        found = np.full(len(shapes), None, dtype=object)
        inside, county = shapely.STRtree(self.shapes).query(shapely.point_on_surface(shapes), predicate="intersects")
        # On a common border the county that comes first; later entries would win, so they are set in reverse.
        order = np.lexsort((-county, inside))
        found[inside[order]] = self.codes[county[order]]
        return found


def read(conn: Connection[Any], city: Catalog, moment: Moment) -> Counties:
    """The counties as of a moment."""
    rows = conn.execute(sql.SQL(_COUNTIES).format(moments.rows(city.layer(LAYER), moment)), moment.values).fetchall()
    columns = [np.array(column, dtype=object) for column in zip(*rows, strict=True)] or [np.empty(0, dtype=object)] * 3
    return Counties(columns[0], columns[1], np.asarray(shapely.from_wkb(columns[2]), dtype=object))
