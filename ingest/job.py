"""One ingest from start to end: which reader, which loader.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

from shikong.ingest import cube, features, observations, observed_rows, raster
from shikong.ingest.errors import IngestError, UnreadableSource
from shikong.ingest.features import Options, Progress
from shikong.ingest.readers import boundary_points, excel, frames, geoparquet, remote, sl323, table, vector
from shikong.ingest.readers.base import FeatureSource
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import locks
from shikong.store.database import Database


def ingest(
    database: Database, catalog: Catalog, source: Path | str, layer_id: str, options: Options, progress: Progress
) -> Report:
    """Load a source into a layer and publish it. A load of the same layer that is under way is waited for.

    source: a file or folder, or the address of a feature service or of a PostGIS table.
    Raises UnknownLayer, IngestError; then what was published before stays.
    """
    layer = catalog.layer(layer_id)
    _require_loadable(layer)
    data = database.settings.data
    if isinstance(source, str) and sl323.is_database(source):
        return _ingest_database(database, catalog, layer, source, options, progress)
    if isinstance(source, str) and remote.is_address(source):
        if layer.kind != "features":
            raise IngestError(f"{layer_id} is loaded from a file; an address can be loaded into layers of features")
        with (
            database.thread_session() as conn,
            locks.loading(conn, layer.id),
            remote.opened(source, data / "spool") as (name, opened),
        ):
            return features.load(conn, catalog, layer, Path(name), opened, options, progress, database=database)
    path = Path(source)
    _require_file(path)
    suffix = path.suffix.lower()
    with database.thread_session() as conn, locks.loading(conn, layer.id):
        if layer.kind == "coverage":
            if not path.is_dir():
                _expect(suffix, raster.SUFFIXES, layer_id)
            return raster.load(conn, catalog, layer, path, options, data, progress)
        if layer.kind == "cube":
            _expect(suffix, cube.SUFFIXES, layer_id)
            return cube.load(conn, catalog, layer, path, options, data, progress)
        if layer.kind == "observations":
            if not path.is_dir():
                _expect(suffix, observed_rows.SUFFIXES, layer_id)
            return observations.load(conn, catalog, layer, path, options, progress)
        opened = open_features(path, options.source_layer)
        return features.load(conn, catalog, layer, path, opened, options, progress, database=database)


def _ingest_database(
    database: Database, catalog: Catalog, layer: Layer, address: str, options: Options, progress: Progress
) -> Report:
    """Load the stations or the observations of a database after SL 323."""
    from shikong.ingest.readers import sl323_database  # takes long to load

    with database.thread_session() as conn, locks.loading(conn, layer.id):
        if layer.kind == "observations":
            return observations.load(conn, catalog, layer, address, options, progress)
        name = sl323_database.label(address)
        opened = frames.source_of(sl323_database.stations_in(address), "sl323", name)
        return features.load(conn, catalog, layer, Path(name), opened, options, progress, database=database)


#: The suffixes of files of features.
FEATURE_SUFFIXES = (*vector.SUFFIXES, *table.SUFFIXES, *excel.SUFFIXES, *geoparquet.SUFFIXES)


def _require_file(path: Path) -> None:
    if not path.exists():
        raise UnreadableSource(f"{path} does not exist")
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableSource(f"{path.name} is an empty file")


def _require_loadable(layer: Layer) -> None:
    if layer.kind == "records":
        raise IngestError(f"{layer.id} is made from the other layers; nothing is loaded into it")
    if layer.workflow is not None:
        raise IngestError(f"{layer.id} has a workflow: its features change step by step, by edits, and are not loaded")


def open_features(path: Path, source_layer: str | None) -> FeatureSource:
    """Open a file of features by its suffix; the stations of a delivery after SL 323 with their levels."""
    suffix = path.suffix.lower()
    if source_layer is None and (stations := sl323.stations(path)) is not None:
        return frames.source_of(stations, "sl323", path.name)
    if suffix == ".txt" and boundary_points.is_boundary_text(path):
        return boundary_points.open_source(path)
    if suffix in table.SUFFIXES or (suffix == ".json" and table.is_record_list(path)):
        return table.open_source(path)
    if suffix in excel.SUFFIXES:
        return excel.open_source(path, source_layer)
    if suffix in geoparquet.SUFFIXES:
        return geoparquet.open_source(path)
    _expect(suffix, FEATURE_SUFFIXES, "features")
    return vector.open_source(path, source_layer)


def _expect(suffix: str, known: tuple[str, ...], what: str) -> None:
    if suffix not in known:
        raise UnreadableSource(
            f"a {suffix or 'file without suffix'} cannot be loaded into {what}; known: {' '.join(known)}"
        )
