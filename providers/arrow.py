"""Rows of features as Arrow record batches.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from shikong.layers.model import Layer

#: The column that holds a feature's geometry as WKB; no field may have this name.
GEOMETRY = "geometry"

_TYPES = {
    "string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(),
    "date": pa.date32(), "datetime": pa.timestamp("us", tz="UTC"),
}  # fmt: skip


def schema(layer: Layer, columns: tuple[str, ...], geometry: pa.Field | None) -> pa.Schema:
    """The schema of a table with these columns of a layer, the geometry last unless there is none."""
    fields = [pa.field(name, _TYPES[layer.field_type(name)]) for name in columns]
    return pa.schema([*fields, geometry] if geometry is not None else fields)


def record_batch(schema: pa.Schema, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows (id, geometry, then the schema's other columns in order, then anything) as a record batch."""
    columns = list(zip(*rows, strict=True)) or [()] * (len(schema) + 2)
    values = iter(columns[2:])
    arrays = [
        pa.array(
            columns[1] if field.name == GEOMETRY else next(values),
            pa.binary() if field.name == GEOMETRY else field.type,
        )
        for field in schema
    ]
    return pa.record_batch(arrays, schema=schema)
