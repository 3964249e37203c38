"""What every reader of features gives.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
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
    shapes: x = easting or longitude, None where a row has none; as shapely geometries, or as WKB, which is cheaper to
    hand to another process.
    """

    first_row: int
    columns: pd.DataFrame
    shapes: Geometries | pa.Array

    @cached_property
    def geometry(self) -> Geometries:
        """The shapes as shapely geometries."""
        return from_wkb(self.shapes) if isinstance(self.shapes, pa.Array) else self.shapes

    def __reduce__(self) -> tuple[Any, ...]:
        """What another process gets: WKB."""
        packed = isinstance(self.shapes, pa.Array)
        shapes = self.shapes if packed else pa.array(shapely.to_wkb(self.shapes), pa.large_binary())
        return Batch, (self.first_row, self.columns, shapes)


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


def from_wkb(wkb: pa.Array) -> Geometries:
    """Shapes of an array of WKB, None for what is no WKB. A coordinate that is no number is left for the checks."""
    with np.errstate(invalid="ignore"):
        return object_array(shapely.from_wkb(wkb.to_numpy(zero_copy_only=False), on_invalid="ignore"))


def refuse_large(batch: Batch, name: str) -> None:
    """Raise UnreadableSource, naming the row, when a shape has more than MAX_VERTICES vertices. name: the source's."""
    vertices = shapely.get_num_coordinates(batch.geometry)
    if len(vertices) and vertices.max() > MAX_VERTICES:
        worst = int(vertices.argmax())
        raise UnreadableSource(
            f"{name}: the shape of row {batch.first_row + worst} has {vertices[worst]:,} vertices; "
            f"at most {MAX_VERTICES:,} are taken. Cut or simplify it"
        )
