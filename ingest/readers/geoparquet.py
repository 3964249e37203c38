"""GeoParquet, row group by row group.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from shikong.ingest.errors import EmptySource, UnreadableSource
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource

SUFFIXES = (".parquet", ".geoparquet")


def open_source(path: Path) -> FeatureSource:
    """Open a GeoParquet file; its CRS is in its `geo` metadata (CRS84 when that says nothing).

    Raises UnreadableSource and EmptySource.
    """
    try:
        file = pyarrow.parquet.ParquetFile(path)
        geo = json.loads((file.schema_arrow.metadata or {})[b"geo"])
        geometry = geo["primary_column"]
        column = geo["columns"][geometry]
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableSource(f"{path.name} cannot be read as Parquet: {error}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableSource(
            f"{path.name} is Parquet without GeoParquet's `geo` metadata; write it with geopandas or GDAL"
        ) from error
    if column.get("encoding") != "WKB":
        raise UnreadableSource(f"{path.name} keeps its geometry as {column.get('encoding')}; write it as WKB")
    if file.metadata.num_rows == 0:
        raise EmptySource(f"{path.name} has no rows")
    covering = {path[0] for path in column.get("covering", {}).get("bbox", {}).values()}
    fields = [name for name in file.schema_arrow.names if name != geometry and name not in covering]

    def batches() -> Iterator[Batch]:
        row = 1
        for rows in file.iter_batches(batch_size=BATCH_ROWS, columns=[*fields, geometry]):
            yield Batch(row, rows.select(fields).to_pandas(), rows.column(geometry))
            row += len(rows)

    return FeatureSource("GeoParquet", _crs(column), fields, file.metadata.num_rows, batches)


def _crs(column: dict[str, Any]) -> str | None:
    """The standard's own default is CRS84; a null says that the CRS is not known."""
    crs = column.get("crs", "OGC:CRS84")
    return json.dumps(crs) if isinstance(crs, dict) else crs
