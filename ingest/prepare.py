"""One batch of a source: converted, moved to storage coordinates, checked row by row, made ready for COPY.

A batch is prepared without regard to others, so that several can be prepared at once, by processes of their own where
a source is large: building shapes and bytes mostly holds the interpreter. Rows and edges are left on disk.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from shikong.ingest import convert as conversion
from shikong.ingest import crs as crs_rules
from shikong.ingest import geometry
from shikong.ingest.convert import Mapping
from shikong.ingest.crs import Recognised
from shikong.ingest.quality import keys, refused
from shikong.ingest.quality import rows as row_rules
from shikong.ingest.quality.edges import Edges, KeptEdges, edges_of
from shikong.ingest.quality.findings import Finding
from shikong.ingest.quality.keys import KeyHashes
from shikong.ingest.readers.base import Batch, Geometries, refuse_large
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import content, ordered, tables
from shikong.store.ellipsoid import Rings, rings_of
from shikong.store.ordered import KeptRows

_TYPES = {
    "string": pa.large_string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(),
    "date": pa.date32(), "datetime": pa.timestamp("us", tz="UTC"),
}  # fmt: skip


#: Bytes before the content of a shape, in WKB (byte order, kind) and in EWKB (these and the SRID).
_WKB_HEAD, _EWKB_HEAD = 5, 9


@dataclass(frozen=True)
class Preparation:
    """How the batches of a source are prepared.

    source: its name. origin: of rows that do not say it. valid_from: since when rows hold that do not say it.
    edges: whether the shapes' edges are wanted. folder: where rows and edges are left.
    """

    source: str
    catalog: Catalog
    layer: Layer
    mapping: Mapping
    recognised: Recognised
    origin: Literal["delivered", "generated"]
    valid_from: datetime | None
    edges: bool
    folder: Path


@dataclass(frozen=True)
class Prepared:
    """A batch, ready.

    read: how many rows it had. rows: the good ones, in the columns of staging. keys: of the good ones.
    refused: the others (`refused.lines_of`). keyless: how many good rows had no key. edges: of the shapes that hold
    from now on. ending: rows in the source that will end at a time to come.
    """

    read: int
    rows: KeptRows
    keys: KeyHashes
    refused: list[str]
    findings: list[Finding]
    keyless: int
    edges: KeptEdges | None
    ending: list[int]


def prepare(how: Preparation, batch: Batch) -> Prepared:
    """Prepare one batch.

    Raises WrongGeometry when none of its shapes is of the layer's kind, UnreadableSource when one is too large.
    """
    refuse_large(batch, how.source)
    layer, number = how.layer, len(batch.geometry)
    converted = conversion.convert(how.catalog, layer, how.mapping, batch.columns, batch.first_row)
    shapes = crs_rules.to_storage(geometry.fit_type(layer, batch.geometry), how.recognised)
    shapes, keep, found = geometry.check(layer, shapes, batch.first_row)
    keep &= converted.keep
    sound = shapes.copy()
    sound[~keep] = None
    rings = rings_of(sound) if how.edges or layer.geometry in ("Polygon", "MultiPolygon") else None
    values = converted.values | geometry.derive(layer, sound, rings)
    values.setdefault("origin", np.full(number, how.origin, dtype=object))
    if layer.versioned:
        values.setdefault("valid_from", np.full(number, how.valid_from, dtype=object))
        values.setdefault("valid_to", np.full(number, None, dtype=object))
    broken = list(row_rules.check(layer, values, sound, keep, batch.first_row))
    for finding in broken:
        if finding.severity == "error" and finding.source_row is not None:
            keep[finding.source_row - batch.first_row] = False
    kept = np.flatnonzero(keep)
    numbers = kept + batch.first_row
    good = shapes[kept]
    values = {name: column[kept] for name, column in values.items()}
    wkb = _ewkb(good)
    keyless = _give_keys(layer, values, wkb)
    whole = rings if len(kept) == number else None  # then the good shapes are all shapes
    edges, ending = _edges(layer, values, good, numbers, whole) if how.edges else (None, [])
    rows, name = _arrow(layer, values, wkb, numbers), f"{batch.first_row:012}"
    return Prepared(
        read=number,
        rows=ordered.keep(rows, _places(how.catalog, good), shapely.bounds(good), how.folder / f"{name}.arrow"),
        keys=keys.keys_of(layer, rows),
        refused=refused.lines_of(batch, ~keep, shapes, how.mapping),
        findings=[*converted.findings, *found, *broken],
        keyless=keyless,
        edges=None if edges is None else edges.keep(how.folder / f"{name}.edges"),
        ending=ending,
    )


def _ewkb(shapes: Geometries) -> pa.Array:
    """Shapes of one kind as they are stored. A shape with an SRID is a copy, so only the first is made to tell it."""
    if not len(shapes):
        return pa.array([], pa.large_binary())
    head = shapely.to_wkb(shapely.set_srid(shapes[0], tables.SRID), include_srid=True)[:_EWKB_HEAD]
    plain = pa.array(shapely.to_wkb(shapes), pa.large_binary())
    content = pc.binary_slice(plain, _WKB_HEAD, plain.nbytes)  # Arrow's slices need an end
    return pc.binary_join_element_wise(pa.scalar(head, pa.large_binary()), content, pa.scalar(b"", pa.large_binary()))


def _give_keys(layer: Layer, values: dict[str, Any], wkb: pa.Array) -> int:
    """A row without a key gets one from its content, so that the same row delivered again has the same key."""
    names = [name for name, decl in layer.fields.items() if not decl.key and not decl.derived]
    without = np.flatnonzero(pd.isna(values[layer.key_field])).tolist()
    for index in without:
        text = json.dumps([str(values[name][index]) for name in names], ensure_ascii=False)
        values[layer.key_field][index] = hashlib.sha256(text.encode() + wkb[index].as_py()).hexdigest()[:16]
    return len(without)


def _edges(
    layer: Layer, values: dict[str, Any], shapes: Geometries, numbers: NDArray[np.int64], rings: Rings | None
) -> tuple[Edges, list[int]]:
    """The edges of what holds from now on, and the rows that will end. rings: of the shapes, where they are at hand."""
    if not layer.versioned or pd.isna(values["valid_to"]).all():
        return edges_of(shapes, numbers, rings), []
    now = datetime.now(UTC)
    holds = np.array([end is None or end > now for end in values["valid_to"]], dtype=bool)
    ending = [int(row) for row, end in zip(numbers, values["valid_to"], strict=True) if end is not None and end > now]
    return edges_of(shapes[holds], numbers[holds]), ending


def _places(catalog: Catalog, shapes: Geometries) -> NDArray[np.uint32]:
    if not len(shapes):
        return np.empty(0, np.uint32)
    return np.asarray(gpd.GeoSeries(shapes).hilbert_distance(total_bounds=catalog.city.bbox), dtype=np.uint32)


def _arrow(layer: Layer, values: dict[str, Any], wkb: pa.Array, numbers: NDArray[np.int64]) -> pa.RecordBatch:
    """Rows in the columns of staging; what the database keeps as uuid and geometry is bytes."""
    types = {name: _TYPES[decl.type] for name, decl in layer.fields.items()} | {"origin": pa.large_string()}
    types |= {"valid_from": _TYPES["datetime"], "valid_to": _TYPES["datetime"]}
    arrays = {name: pa.array(values[name], types[name]) for name in tables.row_columns(layer) if name != "geom"}
    columns = {
        "_source_row": pa.array(numbers, pa.int64()),
        "_hash": pa.array(content.digests(layer, values, wkb), pa.large_binary()),
        **arrays,
        "geom": wkb,
    }
    return pa.record_batch(columns)
