"""Everything that GDAL reads as features: GeoPackage, Shapefile, GeoJSON, FlatGeobuf, file geodatabase, DXF, OSM ...

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from xml.parsers import expat

import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from shikong.ingest.errors import EmptySource, UnreadableSource, UnsafeSource
from shikong.ingest.readers import archive, shapefile
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource, Geometries, from_wkb

SUFFIXES = (
    ".gpkg", ".shp", ".zip", ".geojson", ".json", ".geojsonl", ".geojsons", ".ndjson", ".fgb", ".gdb", ".kml", ".gml",
    ".dxf", ".osm", ".pbf",
)  # fmt: skip

_LINES_OF_JSON = (".geojsonl", ".geojsons", ".ndjson")
#: What may hide behind these suffixes; a file in disguise could make GDAL read other files or addresses.
_DRIVERS = frozenset({
    "GPKG", "ESRI Shapefile", "GeoJSON", "GeoJSONSeq", "ESRIJSON", "TopoJSON", "FlatGeobuf", "OpenFileGDB", "KML",
    "LIBKML", "GML", "DXF", "OSM",
})  # fmt: skip

_XML = (".kml", ".gml", ".osm")

#: Bytes of features that a batch may hold as they lie in the file.
_BATCH_BYTES = 256 * 2**20


@dataclass(frozen=True)
class _Dataset:
    """What GDAL opens: its address, the name that people know it by, its suffix and the encoding of its texts."""

    address: str
    name: str
    suffix: str
    encoding: str | None = None


def open_source(path: Path, layer: str | None) -> FeatureSource:
    """Open a file that GDAL knows.

    layer: the file's own layer, needed when it has several with features; in a zip of several files, the file.
    Raises UnreadableSource (with the file's layers, when one must be chosen), UnsafeSource and EmptySource.
    """
    # GDAL warns of shapes that it cannot build; those rows come without geometry and go to quarantine.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=__name__)
    warnings.filterwarnings("ignore", message=r"Measured \(M\) geometry types are not supported")
    pyogrio.set_gdal_config_options({"GML_DOWNLOAD_SCHEMA": "NO"})  # a source's address is not to be asked
    dataset, layer = _dataset(path, layer)
    name = _choose_layer(dataset, layer)
    try:
        info = pyogrio.read_info(dataset.address, layer=name, encoding=dataset.encoding)
    except (DataSourceError, DataLayerError) as error:
        raise UnreadableSource(f"{dataset.name} cannot be read: {error}") from error
    if info["driver"] not in _DRIVERS:
        raise UnsafeSource(f"{dataset.name} is in truth a {info['driver']} file; deliver the data itself")
    total = int(info["features"])
    if total == 0:
        raise EmptySource(f"{dataset.name} has no features")
    rows = _batch_rows(path, total)

    def batches() -> Iterator[Batch]:
        row = 1
        with pyogrio.open_arrow(
            dataset.address, layer=name, encoding=dataset.encoding, batch_size=rows, use_pyarrow=True
        ) as (meta, reader):
            geometry = meta["geometry_name"] or "wkb_geometry"
            for arrow in reader:
                wkb = arrow.column(geometry)
                keep = [column for column in arrow.schema.names if column != geometry]
                frame = arrow.select(keep).to_pandas() if keep else pd.DataFrame(index=range(len(arrow)))
                yield Batch(row, frame, _outlined(wkb) if dataset.suffix == ".dxf" else wkb)
                row += len(arrow)

    return FeatureSource(
        format=str(info["driver"]),
        crs=info["crs"],
        fields=[str(field) for field in info["fields"]],
        total=total if total > 0 else None,
        batches=batches,
    )


def _dataset(path: Path, layer: str | None) -> tuple[_Dataset, str | None]:
    """What to open, and which layer of it is still to be chosen."""
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _in_zip(path, layer)
    if suffix in _XML:
        refuse_entities(path)
    encoding = None
    if suffix == ".shp":
        parts = shapefile.parts_on_disk(path)
        shapefile.check(path.name, parts)
        encoding = shapefile.encoding(parts)
    address = f"GeoJSONSeq:{path}" if suffix in _LINES_OF_JSON else str(path)
    return _Dataset(address, path.name, suffix, encoding), layer


def _in_zip(path: Path, layer: str | None) -> tuple[_Dataset, str | None]:
    found = archive.sources(path, archive.check(path))
    if layer in found:
        chosen, layer = layer, None
    elif len(found) == 1:
        chosen = next(iter(found))
    elif layer is None:
        raise UnreadableSource(f"{path.name} has several files; choose one with --source-layer: {', '.join(found)}")
    else:
        raise UnreadableSource(f"{path.name} has no file {layer!r}; it has: {', '.join(found)}")
    inner = found[chosen]
    suffix = PurePosixPath(inner).suffix.lower()
    address, name, encoding = f"/vsizip/{path.resolve()}/{inner}", f"{path.name}: {chosen}{suffix}", None
    if suffix == ".shp":
        parts = shapefile.parts_in_zip(path, inner)
        shapefile.check(name, parts)
        encoding = shapefile.encoding(parts)
    elif suffix in _XML:
        raise UnreadableSource(f"{name}: unzip it first")
    return _Dataset(f"GeoJSONSeq:{address}" if suffix in _LINES_OF_JSON else address, name, suffix, encoding), layer


def _choose_layer(dataset: _Dataset, layer: str | None) -> str:
    try:
        layers = pyogrio.list_layers(dataset.address)
    except DataSourceError as error:
        raise UnreadableSource(f"{dataset.name} is broken or of an unknown format: {error}") from error
    if not len(layers):
        raise EmptySource(f"{dataset.name} has no features")
    found = [str(name) for name, geometry in layers if geometry is not None]
    if layer is not None:
        if layer not in found:
            raise UnreadableSource(f"{dataset.name} has no layer {layer!r}; it has: {', '.join(found)}")
        return layer
    if not found:
        raise UnreadableSource(f"{dataset.name} holds no layer with geometry")
    if len(found) > 1:
        raise UnreadableSource(f"{dataset.name} has several layers; choose one with --source-layer: {', '.join(found)}")
    return found[0]


def _batch_rows(path: Path, total: int) -> int:
    """Rows of a batch: fewer where the features are large, so that memory stays bounded."""
    if total <= 0 or not path.is_file():
        return BATCH_ROWS
    return max(1, min(BATCH_ROWS, _BATCH_BYTES * total // path.stat().st_size))


def _outlined(wkb: Any) -> Geometries:
    """Shapes of a drawing, which has no areas but closed outlines."""
    shapes = from_wkb(wkb)
    closed = (shapely.get_type_id(shapes) == 1) & shapely.is_closed(shapes)
    closed &= shapely.get_num_coordinates(shapes) >= 4
    shapes[closed] = [shapely.Polygon(line) for line in shapes[closed]]
    return shapes


class _RootReached(Exception):
    """What stands before the root element is in order."""


def refuse_entities(path: Path) -> None:
    """Refuse XML with a document type: KML, GML and OSM have none, and entities in one can expand without end.

    Raises UnsafeSource.
    """

    def doctype(*_: object) -> None:
        raise UnsafeSource(
            f"{path.name} has a document type (<!DOCTYPE>), with which XML bombs are made; save it without"
        )

    def root(*_: object) -> None:
        raise _RootReached

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = root
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except _RootReached:
        return
    except expat.ExpatError as error:
        raise UnreadableSource(f"{path.name} is broken or of an unknown format: {error}") from error
