"""Loading a raster as a Cloud-Optimised GeoTIFF in EPSG:4490.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import rasterio
from psycopg import Connection
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rasterio.vrt import WarpedVRT
from rio_cogeo.cogeo import cog_translate, cog_validate
from rio_cogeo.profiles import cog_profiles

from shikong.ingest import crs as crs_rules
from shikong.ingest.errors import UnknownCrs, UnreadableSource
from shikong.ingest.features import Options, Progress, file_digest
from shikong.ingest.readers.base import object_array
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import places, releases

SUFFIXES = (".tif", ".tiff", ".asc", ".img", ".vrt")


def load(
    conn: Connection[Any], catalog: Catalog, layer: Layer, path: Path, options: Options, data: Path, progress: Progress
) -> Report:
    """Write a raster as the layer's next release and publish it.

    Raises UnreadableSource, UnknownCrs; then the release before stays.
    """
    if options.datum is not None:
        raise UnknownCrs("--datum is for vector sources; a shifted raster must be georeferenced anew")
    place = places.new(data, layer)
    try:
        with rasterio.open(path) as source:
            recognised = crs_rules.recognise(
                source.crs.to_wkt() if source.crs else None, options.crs, object_array([None]),
                geographic_by_name=False, city=catalog.city,
            )  # fmt: skip
            _check_bands(path, layer, source.count)
            counts = releases.Counts(source.width * source.height, source.width * source.height, 0)
            _write(source, recognised, place, layer, options)
    except RasterioIOError as error:
        raise UnreadableSource(f"{path.name} cannot be read as a raster: {error}") from error
    progress(1, 1)
    valid, faults, _ = cog_validate(place, quiet=True)
    if not valid:
        place.unlink()
        raise UnreadableSource(f"{path.name} could not be written as a Cloud-Optimised GeoTIFF: {'; '.join(faults)}")
    with rasterio.open(place) as written:
        extent = releases.Extent(tuple(written.bounds))
    with conn.transaction():
        origin = releases.Source(path.name, file_digest(path), recognised.name, recognised.note, options.origin)
        release = releases.next_release(conn, layer, origin, counts, str(place.relative_to(data)))
        counts = replace(counts, added=1, current=1)
        releases.finish(conn, release, counts, extent)
        places.publish(data, layer, place)
    notes = [recognised.note] if recognised.note else []
    return Report(layer.id, path.name, "raster", recognised.name, recognised.how, counts, release, notes)


def _check_bands(path: Path, layer: Layer, count: int) -> None:
    if count != len(layer.parameters):
        raise UnreadableSource(
            f"{path.name} has {count} bands, but {layer.id} has {len(layer.parameters)}: {', '.join(layer.parameters)}"
        )


def _write(source: Any, recognised: crs_rules.Recognised, place: Path, layer: Layer, options: Options) -> None:
    profile = cog_profiles.get("deflate") | {"predictor": 3 if source.dtypes[0].startswith("float") else 2}
    source_crs = rasterio.crs.CRS.from_wkt(recognised.crs.to_wkt())
    storage = rasterio.crs.CRS.from_wkt(crs_rules.STORAGE.to_wkt())
    grid = {}
    if recognised.crs.to_epsg() in (4326, 4490):  # the same degrees: keep every cell as it is
        source_crs = storage
        grid = {"transform": source.transform, "width": source.width, "height": source.height}
    with WarpedVRT(source, src_crs=source_crs, crs=storage, resampling=Resampling.bilinear, **grid) as warped:
        cog_translate(
            warped, place, profile, in_memory=False, quiet=True, forward_band_tags=True, use_cog_driver=False,
            overview_resampling="average",
            additional_cog_metadata={"origin": options.origin, "layer": layer.id},
        )  # fmt: skip
