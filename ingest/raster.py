"""Loading a raster, or a folder of pictures that lie side by side, as a Cloud-Optimised GeoTIFF in EPSG:4490.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from psycopg import Connection
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.merge import merge
from rasterio.vrt import WarpedVRT
from rio_cogeo.cogeo import cog_validate

from shikong.ingest import crs as crs_rules
from shikong.ingest import datum_shift
from shikong.ingest.errors import EmptySource, UnknownCrs, UnreadableSource
from shikong.ingest.features import Options, Progress, file_digest
from shikong.ingest.readers.base import object_array
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import places, releases

SUFFIXES = (".tif", ".tiff", ".asc", ".img", ".vrt", ".png", ".jpg", ".jpeg")

#: MB of pictures that are held in memory while they are put together.
_MERGE_MB = 128

#: How COGs are written.
COG = {
    "compress": "DEFLATE", "predictor": "YES", "overview_resampling": "AVERAGE", "num_threads": "ALL_CPUS",
    "bigtiff": "IF_SAFER",
}  # fmt: skip


def load(
    conn: Connection[Any], catalog: Catalog, layer: Layer, path: Path, options: Options, data: Path, progress: Progress
) -> Report:
    """Write a raster as the layer's next release and publish it.

    Raises UnreadableSource, EmptySource, UnknownCrs; then the release before stays.
    """
    if options.datum is not None:
        raise UnknownCrs("--datum is for vector sources; a shifted raster must be georeferenced anew")
    place = places.new(data, layer)
    with ExitStack() as undo:
        undo.callback(place.unlink, missing_ok=True)
        try:
            with _opened(path, place) as source:
                recognised = _crs(source, options, catalog)
                _check(path, layer, source)
                counts = releases.Counts(source.width * source.height, source.width * source.height, 0)
                _write(source, recognised, place, layer, {"origin": options.origin, "layer": layer.id})
            valid, faults, _ = cog_validate(place, quiet=True)
            with rasterio.open(place) as written:
                extent = releases.Extent(tuple(written.bounds))
        except (RasterioError, CPLE_BaseError) as error:
            raise UnreadableSource(f"{path.name} cannot be read as a raster: {error}") from error
        if not valid:
            raise UnreadableSource(f"{path.name} did not become a valid COG: {'; '.join(faults)}")
        progress(1, 1)
        report = _publish(conn, layer, path, options, data, place, (recognised, counts, extent))
        undo.pop_all()
    return report


def _publish(
    conn: Connection[Any], layer: Layer, path: Path, options: Options, data: Path, place: Path,
    found: tuple[crs_rules.Recognised, releases.Counts, releases.Extent],
) -> Report:  # fmt: skip
    recognised, counts, extent = found
    with conn.transaction():
        origin = releases.Source(path.name, file_digest(path), recognised.name, recognised.note, options.origin)
        release = releases.next_release(conn, layer, origin, counts, str(place.relative_to(data)))
        counts = replace(counts, added=1, current=1)
        releases.finish(conn, release, counts, extent)
        places.publish(data, layer, place)
    notes = [recognised.note] if recognised.note else []
    return Report(layer.id, path.name, "raster", recognised.name, recognised.how, counts, release, notes)


@contextmanager
def _opened(path: Path, place: Path) -> Iterator[Any]:
    """A raster, or the pictures of a folder as one. place: where the result will lie; the pictures meet beside it."""
    if not path.is_dir():
        with rasterio.open(path) as source:
            yield source
        return
    together = place.with_suffix(".merged.tif")
    try:
        _merge(path, together)
        with rasterio.open(together) as source:
            yield source
    finally:
        together.unlink(missing_ok=True)


def _merge(folder: Path, target: Path) -> None:
    """Put pictures side by side. They must be alike in CRS, bands and type; where two overlap, the first one shows."""
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not pictures:
        raise EmptySource(f"{folder.name} has no picture that can be loaded; known: {' '.join(SUFFIXES)}")
    with ExitStack() as stack:
        opened = [stack.enter_context(rasterio.open(path)) for path in pictures]
        first = opened[0]
        for path, picture in zip(pictures, opened, strict=True):
            _refuse_unplaced(path, picture)
            if _upright(picture) is False:
                raise UnreadableSource(f"{path.name} is rotated; load it alone, or warp it before")
            if (picture.crs, picture.count, picture.dtypes) != (first.crs, first.count, first.dtypes):
                raise UnreadableSource(
                    f"{path.name} differs from {pictures[0].name} in CRS, bands or type; make the pictures alike"
                )
        options = {
            "driver": "GTiff",
            "tiled": True,
            "blockxsize": 512,
            "blockysize": 512,
            "compress": "DEFLATE",
            "bigtiff": "IF_SAFER",
        }
        merge(opened, dst_path=target, dst_kwds=options, mem_limit=_MERGE_MB)


def _crs(source: Any, options: Options, catalog: Catalog) -> crs_rules.Recognised:
    return crs_rules.recognise(
        source.crs.to_wkt() if source.crs else None, options.crs, object_array([None]),
        geographic_by_name=False, city=catalog.city,
    )  # fmt: skip


def _check(path: Path, layer: Layer, source: Any) -> None:
    if source.count != len(layer.parameters):
        raise UnreadableSource(
            f"{path.name} has {source.count} bands, but {layer.id} has {len(layer.parameters)}: "
            f"{', '.join(layer.parameters)}"
        )
    _refuse_unplaced(path, source)
    if not any(_has_value(source, window) for _, window in source.block_windows(1)):
        raise EmptySource(f"{path.name} has no cell with a value: all are nodata; deliver it again")


def _refuse_unplaced(path: Path, source: Any) -> None:
    if source.transform.is_identity:
        raise UnreadableSource(f"{path.name} says nowhere where it lies; put its world file (.pgw, .tfw) beside it")


def _has_value(source: Any, window: Any) -> bool:
    values = source.read(window=window, masked=True)
    known = ~np.ma.getmaskarray(values)
    return bool((known & ~np.isnan(values.data)).any() if values.dtype.kind == "f" else known.any())


def _upright(source: Any) -> bool:
    return bool(source.transform.b == 0 and source.transform.d == 0)


def _write(source: Any, recognised: crs_rules.Recognised, place: Path, layer: Layer, tags: dict[str, str]) -> None:
    """Write a COG through a view that names CRS and tags. What lies in degrees and upright keeps its cells.

    Between two codes nothing lies: where cells are codes none are made that the source does not have.
    """
    coded = any(declared.codes for declared in layer.parameters.values())
    resampling = Resampling.nearest if coded else Resampling.bilinear
    written = COG | {"overview_resampling": "MODE"} if coded else COG
    storage = rasterio.crs.CRS.from_wkt(crs_rules.STORAGE.to_wkt())
    kept = recognised.crs.to_epsg() in (4326, 4490)
    own, target = recognised.crs.to_wkt(), crs_rules.STORAGE.to_wkt()
    if recognised.shift is not None:
        own, target = datum_shift.bound(recognised.crs, recognised.shift)
    view = f"/vsimem/{uuid.uuid4().hex}.vrt"
    try:
        if kept and _upright(source):
            rasterio.shutil.copy(source, view, driver="VRT")
        else:
            with WarpedVRT(source, src_crs=own, crs=target, resampling=resampling) as warped:
                rasterio.shutil.copy(warped, view, driver="VRT")
        with rasterio.open(view, "r+") as tagged:
            tagged.crs = storage
            tagged.update_tags(**tags)
        rasterio.shutil.copy(view, place, driver="COG", **written)
    finally:
        if rasterio.shutil.exists(view):
            rasterio.shutil.delete(view)
