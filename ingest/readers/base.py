"""What every reader of features gives.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from shikong.ingest.errors import UnreadableSource

Geometries = NDArray[np.object_]

#: Rows that are held in memory at a time.
BATCH_ROWS = 20_000

#: Vertices that one shape may have. The coastline of a country has fewer; more would fill the memory at every step.
MAX_VERTICES = 2_000_000


@dataclass(frozen=True)
class Batch:
    """Some rows of a source, in the source's own column names, coordinates and order.

    first_row: number of the first row in the source, from 1.
    geometry: shapely geometries, x = easting or longitude, None where a row has none.
    """

    first_row: int
    columns: pd.DataFrame
    geometry: Geometries


@dataclass(frozen=True)
class FeatureSource:
    """An opened source of features.

    crs: what the source says of its CRS (WKT, PROJ or authority text), None when it says nothing.
    geographic_by_name: the columns are called longitude and latitude, which says what the numbers are.
    total: number of rows, None when the format cannot tell beforehand.
    """

    format: str
    crs: str | None
    fields: list[str]
    total: int | None
    batches: Callable[[], Iterator[Batch]]
    geographic_by_name: bool = False


def object_array(geometries: Any) -> Geometries:
    """A one-dimensional array of geometries."""
    return np.asarray(geometries, dtype=object)


def from_wkb(wkb: Any) -> Geometries:
    """Shapes of an array of WKB, None for what is no WKB. A coordinate that is no number is left for the checks."""
    with np.errstate(invalid="ignore"):
        return object_array(shapely.from_wkb(wkb, on_invalid="ignore"))


def bounded(source: FeatureSource, name: str) -> FeatureSource:
    """The same source; a shape with more than MAX_VERTICES vertices raises UnreadableSource, naming its row."""

    def batches() -> Iterator[Batch]:
        for batch in source.batches():
            vertices = shapely.get_num_coordinates(batch.geometry)
            if len(vertices) and vertices.max() > MAX_VERTICES:
                worst = int(vertices.argmax())
                raise UnreadableSource(
                    f"{name}: the shape of row {batch.first_row + worst} has {vertices[worst]:,} vertices; "
                    f"at most {MAX_VERTICES:,} are taken. Cut or simplify it"
                )
            yield batch

    return replace(source, batches=batches)
