"""Features as files that GDAL writes: GeoPackage, FlatGeobuf with its index, zipped Shapefile.

They are complete only at their end, so each is written in a folder of its own and sent from there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
from pyogrio.errors import DataSourceError, FeatureError

from shikong.layers.model import Layer
from shikong.providers.arrow import GEOMETRY
from shikong.providers.crs import ServedCrs
from shikong.providers.errors import BadParameter

ENCODINGS = ("gbk", "utf-8")

_DRIVERS = {"gpkg": "GPKG", "fgb": "FlatGeobuf", "shp": "ESRI Shapefile"}

#: Formats that have no table without geometry.
ALWAYS_SHAPES = ("fgb", "shp")


def write(form: str, folder: Path, layer: Layer, crs: ServedCrs, batches: pa.RecordBatchReader, encoding: str) -> Path:
    """Write batches in a format into an empty folder; the file to send.

    encoding: of a Shapefile's texts. Raises BadParameter for what a Shapefile cannot hold.
    """
    if form == "shp":
        return _shapefile(folder, layer, crs, batches, encoding)
    path = folder / f"{layer.id}.{form}"
    _write(form, path, layer, crs, batches, {})
    return path


def _write(
    form: str, path: Path, layer: Layer, crs: ServedCrs, batches: pa.RecordBatchReader, how: dict[str, str]
) -> None:
    shapes = GEOMETRY in batches.schema.names
    pyogrio.write_arrow(
        batches, path, layer=layer.id, driver=_DRIVERS[form], geometry_name=GEOMETRY if shapes else None,
        geometry_type=layer.geometry if shapes else None, crs=f"EPSG:{crs.srid}" if shapes else None, **how,
    )  # fmt: skip


def _shapefile(folder: Path, layer: Layer, crs: ServedCrs, batches: pa.RecordBatchReader, encoding: str) -> Path:
    """A Shapefile in a zip, with a table that says what its cut names mean."""
    names = short_names([name for name in batches.schema.names if name != GEOMETRY])
    fitted = _fitted(batches.schema, names)
    rows = pa.RecordBatchReader.from_batches(fitted, _fitting(batches, fitted, encoding))
    inside = folder / "shapefile"
    inside.mkdir()
    try:
        _write("shp", inside / f"{layer.id}.shp", layer, crs, rows, {"encoding": encoding.upper(), "2GB_LIMIT": "YES"})
    except (DataSourceError, FeatureError) as error:
        if max(path.stat().st_size for path in inside.iterdir()) < 1_900_000_000:
            raise
        raise BadParameter(
            "f", "a Shapefile holds 2 GB at most; ask for less (a bbox), or for f=gpkg", ["gpkg"]
        ) from error
    with (inside / f"{layer.id}_fields.csv").open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(["field", "name", "title", "title_en", "unit"])
        for name, short in names.items():
            declared = layer.fields.get(name)
            told = [declared.title.zh, declared.title.en, declared.unit] if declared else ["", "", ""]
            table.writerow([short, name, *told])
    packed = folder / f"{layer.id}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(inside.iterdir()):
            archive.write(path, path.name)
            path.unlink()
    return packed


def short_names(names: list[str]) -> dict[str, str]:
    """Names of at most ten bytes, as a Shapefile wants them, each once also without regard to case; by full name."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: len(name) > 10):  # names that fit keep theirs
        short, number = name[:10], 1
        while short.lower() in taken:
            short = f"{name[: 9 - len(str(number))]}_{number}"
            number += 1
        taken.add(short.lower())
        found[name] = short
    return {name: found[name] for name in names}


def _fitted(schema: pa.Schema, names: dict[str, str]) -> pa.Schema:
    """A schema for a Shapefile, which has dates but no times: those become text."""
    return pa.schema(
        field if field.name == GEOMETRY
        else pa.field(names[field.name], pa.string() if pa.types.is_timestamp(field.type) else field.type)
        for field in schema
    )  # fmt: skip


def _fitting(batches: pa.RecordBatchReader, schema: pa.Schema, encoding: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        columns = [_text(column, field.name) if pa.types.is_string(field.type) else column
                   for column, field in zip(batch.columns, schema, strict=True)]  # fmt: skip
        if encoding == "gbk":
            for column, field in zip(columns, schema, strict=True):
                if pa.types.is_string(field.type):
                    _require_gbk(column, field.name)
        yield pa.record_batch(columns, schema=schema)


def _text(column: pa.Array, name: str) -> pa.Array:
    return pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ") if pa.types.is_timestamp(column.type) else column


def _require_gbk(column: pa.Array, name: str) -> None:
    """Raise BadParameter for the first character that GBK lacks, which would else be lost silently."""
    for value in pc.unique(column).to_pylist():
        try:
            (value or "").encode("gbk")
        except UnicodeEncodeError as error:
            lost = error.object[error.start]
            raise BadParameter(
                "encoding",
                f"GBK has no {lost!r} (U+{ord(lost):04X}), which {name} has; ask for encoding=utf-8",
                ENCODINGS,
            ) from error
