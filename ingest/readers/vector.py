"""Everything that GDAL reads as features: GeoPackage, Shapefile (also zipped), GeoJSON, FlatGeobuf, OSM ...

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from shikong.ingest.errors import EmptySource, UnreadableSource
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource, object_array

SUFFIXES = (".gpkg", ".shp", ".zip", ".geojson", ".json", ".fgb", ".gdb", ".kml", ".osm", ".pbf")

#: DBF language driver bytes that mean GBK (code page 936).
_GBK_DRIVERS = frozenset({0x4D, 0x7A})


def open_source(path: Path, layer: str | None) -> FeatureSource:
    """Open a file that GDAL knows.

    layer: the file's own layer, needed when it has several with features.
    Raises UnreadableSource (with the file's layers, when one must be chosen) and EmptySource.
    """
    name = _choose_layer(path, layer)
    _refuse_truncated_shapefile(path)
    encoding = _shapefile_encoding(path)
    try:
        info = pyogrio.read_info(path, layer=name, encoding=encoding)
    except (DataSourceError, DataLayerError) as error:
        raise UnreadableSource(f"{path.name} cannot be read: {error}") from error
    total = int(info["features"])
    if total == 0:
        raise EmptySource(f"{path.name} has no features")

    def batches() -> Iterator[Batch]:
        row = 1
        # GDAL warns of shapes that it cannot build; those rows come without geometry and go to quarantine.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=__name__)
        with pyogrio.open_arrow(path, layer=name, encoding=encoding, batch_size=BATCH_ROWS, use_pyarrow=True) as opened:
            meta, reader = opened
            geometry = meta["geometry_name"] or "wkb_geometry"
            for arrow in reader:
                shapes = shapely.from_wkb(arrow.column(geometry).to_numpy(zero_copy_only=False), on_invalid="ignore")
                keep = [column for column in arrow.schema.names if column != geometry]
                frame = arrow.select(keep).to_pandas() if keep else pd.DataFrame(index=range(len(arrow)))
                yield Batch(row, frame, object_array(shapes))
                row += len(arrow)

    return FeatureSource(
        format=str(info["driver"]),
        crs=info["crs"],
        fields=[str(field) for field in info["fields"]],
        total=total if total > 0 else None,
        batches=batches,
    )


def _choose_layer(path: Path, layer: str | None) -> str:
    try:
        found = [str(name) for name, geometry in pyogrio.list_layers(path) if geometry is not None]
    except DataSourceError as error:
        raise UnreadableSource(f"{path.name} is broken or of an unknown format: {error}") from error
    if layer is not None:
        if layer not in found:
            raise UnreadableSource(f"{path.name} has no layer {layer!r}; it has: {', '.join(found)}")
        return layer
    if not found:
        raise UnreadableSource(f"{path.name} holds no layer with geometry")
    if len(found) > 1:
        raise UnreadableSource(f"{path.name} has several layers; choose one with --source-layer: {', '.join(found)}")
    return found[0]


def _refuse_truncated_shapefile(path: Path) -> None:
    """GDAL gives the shapes that a cut-off transfer has lost as rows without geometry; the header tells."""
    if path.suffix.lower() != ".shp":
        return
    with path.open("rb") as file:
        header = file.read(28)
    stated, there = int.from_bytes(header[24:28], "big") * 2, path.stat().st_size
    if there < stated:
        raise UnreadableSource(f"{path.name} is cut off: it has {there:,} of {stated:,} bytes; deliver it again")


def _shapefile_encoding(path: Path) -> str | None:
    """The encoding of a Shapefile's texts, None where the file or format says it itself.

    A .cpg is believed by GDAL. Without one, Chinese offices mean GBK, which many of their tools
    write without saying so; texts that are valid UTF-8 are UTF-8.
    """
    if path.suffix.lower() == ".shp":
        if path.with_suffix(".cpg").exists():
            return None
        dbf = path.with_suffix(".dbf")
        return _dbf_encoding(dbf.read_bytes()) if dbf.exists() else None
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if any(name.lower().endswith(".cpg") for name in names):
                return None
            dbf_name = next((name for name in names if name.lower().endswith(".dbf")), None)
            if dbf_name:
                with archive.open(dbf_name) as member:
                    return _dbf_encoding(member.read(4_000_000))
    return None


def _dbf_encoding(dbf: bytes) -> str | None:
    if len(dbf) > 29 and dbf[29] in _GBK_DRIVERS:
        return "GB18030"
    if dbf.isascii():
        return None
    header = int.from_bytes(dbf[8:10], "little")
    try:
        dbf[header:].decode("utf-8")
    except UnicodeDecodeError as error:
        cut_at_the_end = error.start > len(dbf) - header - 4
        return "UTF-8" if cut_at_the_end else "GB18030"
    return "UTF-8"
