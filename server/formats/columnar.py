"""Features as columns: GeoParquet 1.1 and a GeoArrow stream.

Both say their CRS as PROJJSON and have x (longitude, easting) first, as their specifications want it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from shikong.providers.arrow import GEOMETRY
from shikong.providers.crs import CRS84, ServedCrs

#: The column with each feature's box, by which readers pass over row groups.
_BOX = f"{GEOMETRY}_bbox"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BOX_TYPE = pa.struct([pa.field(corner, pa.float64()) for corner in _CORNERS])

#: Bytes of rows that make a row group.
_GROUP_BYTES = 24_000_000


def definition(crs: ServedCrs) -> dict[str, Any]:
    """A CRS as PROJJSON."""
    known = CRS.from_user_input("OGC:CRS84" if crs.uri == CRS84 else f"EPSG:{crs.srid}")
    found: dict[str, Any] = known.to_json_dict()
    return found


def geoarrow_field(crs: ServedCrs) -> pa.Field:
    """The geometry column of a GeoArrow table."""
    told = json.dumps({"crs": definition(crs), "crs_type": "projjson"})
    metadata = {"ARROW:extension:name": "geoarrow.wkb", "ARROW:extension:metadata": told}
    return pa.field(GEOMETRY, pa.binary(), metadata=metadata)


class _Sink:
    """A file that is handed on piece by piece while it is written."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Take what the writer gives."""
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """What was written stays to be taken."""

    def taken(self) -> bytes:
        """What has been written since it was last taken."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class ArrowStream:
    """Record batches as an Arrow IPC stream."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, "w"), schema)

    def write(self, batch: pa.RecordBatch) -> bytes:
        """The bytes of one batch, and of what comes before the first."""
        self._writer.write_batch(batch)
        return self._sink.taken()

    def finish(self) -> bytes:
        """The end."""
        self._writer.close()
        return self._sink.taken()


class ParquetFile:
    """Record batches as a Parquet file, Geo where there is a geometry.

    All features' box and kinds of shapes are known at the end, where Parquet keeps such things.
    """

    def __init__(self, schema: pa.Schema, crs: ServedCrs) -> None:
        self._sink, self._crs = _Sink(), crs
        self._geometry = GEOMETRY in schema.names
        if self._geometry:
            schema = schema.set(schema.get_field_index(GEOMETRY), pa.field(GEOMETRY, pa.binary()))
            schema = schema.append(pa.field(_BOX, _BOX_TYPE))
        self._schema = schema
        self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, "w"), schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self._kinds: set[str] = set()

    def write(self, batch: pa.RecordBatch) -> bytes:
        """The bytes that are ready once this batch is there; mostly none, for a row group holds many batches."""
        self._waiting.append(self._with_boxes(batch) if self._geometry else batch)
        if sum(part.nbytes for part in self._waiting) >= _GROUP_BYTES:
            self._write_group()
        return self._sink.taken()

    def finish(self) -> bytes:
        """The rest, and the footer."""
        if self._waiting:
            self._write_group()
        if self._geometry:
            self._writer.add_key_value_metadata({"geo": json.dumps(self._told())})
        self._writer.close()
        return self._sink.taken()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._waiting)
        self._waiting.clear()
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def _with_boxes(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        shapes = shapely.from_wkb(batch.column(GEOMETRY).to_numpy(zero_copy_only=False))
        boxes: NDArray[np.float64] = shapely.bounds(shapes)
        self._bounds[:2] = np.fmin(self._bounds[:2], np.fmin.reduce(boxes[:, :2], initial=np.inf))
        self._bounds[2:] = np.fmax(self._bounds[2:], np.fmax.reduce(boxes[:, 2:], initial=-np.inf))
        self._kinds |= {
            shape.geom_type for shape in shapes[np.unique(shapely.get_type_id(shapes), return_index=True)[1]]
        }
        corners = [pa.array(boxes[:, column]) for column in range(4)]
        return pa.record_batch(
            [*batch.columns, pa.StructArray.from_arrays(corners, fields=list(_BOX_TYPE))], schema=self._schema
        )

    def _told(self) -> dict[str, Any]:
        column: dict[str, Any] = {
            "encoding": "WKB",
            "geometry_types": sorted(self._kinds),
            "crs": definition(self._crs),
            "covering": {"bbox": {corner: [_BOX, corner] for corner in _CORNERS}},
        }
        if np.isfinite(self._bounds).all():
            column["bbox"] = self._bounds.tolist()
        return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
