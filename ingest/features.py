"""Loading features: batches are converted, checked and copied into staging, then published at once.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from psycopg import Connection, sql

from shikong.ingest import convert as conversion
from shikong.ingest import crs as crs_rules
from shikong.ingest import geometry
from shikong.ingest.convert import Mapping, Rejection
from shikong.ingest.errors import IngestError
from shikong.ingest.readers.base import Batch, FeatureSource
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import content, publish, releases, tables
from shikong.store.publish import Mode

_COPY_TYPES = {
    "string": "text", "integer": "int8", "number": "float8", "boolean": "bool", "date": "date",
    "datetime": "timestamptz",
}  # fmt: skip

#: Quarantined rows kept with their whole record; the report counts all of them.
_QUARANTINE_LIMIT = 100_000


@dataclass(frozen=True)
class Options:
    """What the operator says of a source."""

    crs: str | None = None
    datum: str | None = None
    source_layer: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    origin: Literal["delivered", "generated"] = "delivered"
    valid_from: datetime | None = None
    mode: Mode = "replace"


Progress = Callable[[int, int | None], None]


@dataclass
class _Tally:
    """What has happened so far."""

    read: int = 0
    repaired: int = 0
    keyless: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    records: list[tuple[Rejection, str]] = field(default_factory=list)


def load(
    conn: Connection[Any],
    catalog: Catalog,
    layer: Layer,
    path: Path,
    source: FeatureSource,
    options: Options,
    progress: Progress,
) -> Report:
    """Load a source of features into a layer and publish it in one transaction.

    progress: called with rows done and rows in all (None when unknown).
    Raises IngestError, and then nothing has changed.
    """
    mapping = conversion.map_fields(layer, source.fields, options.fields)
    snapshot_of = None if "valid_from" in mapping.columns else options.valid_from
    if layer.versioned and "valid_from" not in mapping.columns and snapshot_of is None:
        raise IngestError(
            f"{layer.id} keeps versions along valid time: say from when these rows hold, with --valid-from 2024-12-31"
        )
    tally = _Tally()
    with conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")
        releases.lock(conn, layer)
        tables.ensure(conn, layer)
        publish.create_staging(conn, layer)
        recognised = _stage(conn, catalog, layer, source, mapping, options, tally, progress)
        stored = tally.read - len({rejection.source_row for rejection in tally.rejections})
        stored -= _reject_duplicate_keys(conn, layer, tally)
        if stored == 0:
            raise IngestError(f"no row of {path.name} can be stored: {_reasons(tally.rejections)}")
        counts = releases.Counts(tally.read, stored, tally.read - stored)
        origin = releases.Source(path.name, file_digest(path), recognised.name, recognised.note, options.origin,
                                 valid_from=snapshot_of)  # fmt: skip
        release = releases.next_release(conn, layer, origin, counts)
        _quarantine(conn, layer, release, tally)
        done = publish.publish_features(conn, layer, release, options.mode, snapshot_of)
        counts = replace(done, read=tally.read, stored=stored, quarantined=tally.read - stored)
        releases.finish(conn, release, counts, releases.extent_of(conn, layer))
    conn.execute(sql.SQL("ANALYZE {}").format(tables.table(layer)))
    return Report(
        layer.id, path.name, source.format, recognised.name, recognised.how, counts, release,
        list(_notes(layer, mapping, recognised, tally)), tally.rejections,
    )  # fmt: skip


def _stage(
    conn: Connection[Any], catalog: Catalog, layer: Layer, source: FeatureSource, mapping: Mapping, options: Options,
    tally: _Tally, progress: Progress,
) -> crs_rules.Recognised:  # fmt: skip
    """Copy every good row into staging; the CRS is recognised on the first batch."""
    recognised: crs_rules.Recognised | None = None
    types = [_COPY_TYPES[decl.type] for decl in layer.fields.values()] + ["text"]
    types += ["timestamptz", "timestamptz"] if layer.versioned else []
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        publish.staging_table(layer), sql.SQL(", ").join(map(sql.Identifier, publish.staging_columns(layer)))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int8", "uuid", *types, "bytea"])
        for batch in source.batches():
            if recognised is None:
                recognised = crs_rules.recognise(
                    source.crs, options.crs, batch.geometry, geographic_by_name=source.geographic_by_name,
                    city_bbox=catalog.city.bbox, datum=options.datum,
                )  # fmt: skip
            for row in _rows(catalog, layer, batch, mapping, options, recognised, tally):
                copy.write_row(row)
            progress(tally.read, source.total)
    if recognised is None:
        raise IngestError("the source has no rows")
    return recognised


def _rows(
    catalog: Catalog, layer: Layer, batch: Batch, mapping: Mapping, options: Options,
    recognised: crs_rules.Recognised, tally: _Tally,
) -> Iterable[tuple[Any, ...]]:  # fmt: skip
    """The good rows of a batch, in staging's column order."""
    number = len(batch.geometry)
    converted = conversion.convert(catalog, layer, mapping, batch.columns, batch.first_row)
    shapes = geometry.fit_type(layer, batch.geometry)
    shapes = crs_rules.to_storage(shapes, recognised)
    shapes, keep, refused, repaired = geometry.check(layer, shapes, batch.first_row)
    keep &= converted.keep
    tally.read += number
    tally.repaired += repaired
    _remember(tally, batch, [*converted.rejections, *refused])
    sound = shapes.copy()
    sound[~keep] = None
    values = converted.values | geometry.derive(layer, sound)
    values.setdefault("origin", np.full(number, options.origin, dtype=object))
    if layer.versioned:
        values.setdefault("valid_from", np.full(number, options.valid_from, dtype=object))
        values.setdefault("valid_to", np.full(number, None, dtype=object))
    wkb = shapely.to_wkb(shapely.set_srid(shapes, tables.SRID), include_srid=True)
    values["geom"] = wkb
    _give_keys(layer, values, wkb, keep, tally)
    kept = np.flatnonzero(keep)
    lists = {name: values[name][kept].tolist() for name in tables.row_columns(layer)}
    digests = content.digests(layer, lists, lists["geom"])
    return zip((kept + batch.first_row).tolist(), digests, *lists.values(), strict=True)


def _give_keys(layer: Layer, values: dict[str, Any], wkb: Any, keep: Any, tally: _Tally) -> None:
    """A row without a key gets one from its content, so that the same row delivered again has the same key."""
    keys = values[layer.key_field]
    content = [name for name, decl in layer.fields.items() if not decl.key and not decl.derived]
    for index in np.flatnonzero(keep):
        if keys[index] is None:
            text = json.dumps([str(values[name][index]) for name in content], ensure_ascii=False)
            keys[index] = hashlib.sha256(text.encode() + wkb[index]).hexdigest()[:16]
            tally.keyless += 1


def _remember(tally: _Tally, batch: Batch, refused: list[Rejection]) -> None:
    tally.rejections += refused
    for rejection in refused[: max(0, _QUARANTINE_LIMIT - len(tally.records))]:
        index = rejection.source_row - batch.first_row
        record = json.loads(batch.columns.iloc[[index]].to_json(orient="records", force_ascii=False))[0]
        shape = batch.geometry[index]
        record["geometry"] = None if shape is None else shape.wkt
        tally.records.append((rejection, json.dumps(record, ensure_ascii=False)))


def _reject_duplicate_keys(conn: Connection[Any], layer: Layer, tally: _Tally) -> int:
    """Quarantine rows whose key an earlier row of the same source has; returns how many."""
    key = [sql.Identifier(layer.key_field), *([sql.Identifier("valid_from")] if layer.versioned else [])]
    found = conn.execute(
        sql.SQL(
            "WITH ranked AS ("
            " SELECT ctid, row_number() OVER (PARTITION BY {} ORDER BY _source_row) AS nth FROM {staged})"
            " DELETE FROM {staged} AS s USING ranked WHERE s.ctid = ranked.ctid AND ranked.nth > 1"
            " RETURNING s._source_row, s.{key},"
            " to_jsonb(s) - 'geom' || jsonb_build_object('geometry', st_astext(s.geom))"
        ).format(sql.SQL(", ").join(key), staged=publish.staging_table(layer), key=key[0])
    ).fetchall()
    for row, value, record in found:
        rejection = Rejection(row, "unique", layer.key_field, value)
        tally.rejections.append(rejection)
        tally.records.append((rejection, json.dumps(record, ensure_ascii=False)))
    return len(found)


def _quarantine(conn: Connection[Any], layer: Layer, release: int, tally: _Tally) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO shikong.quarantine (release_id, layer, source_row, rule, field, value, record)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [(release, layer.id, r.source_row, r.rule, r.field, r.value, record) for r, record in tally.records],
        )


def _reasons(rejections: list[Rejection]) -> str:
    reasons = sorted({f"{rejection.rule} {rejection.field or ''}".strip() for rejection in rejections})
    return "; ".join(reasons) or "it has no rows"


def _notes(layer: Layer, mapping: Mapping, recognised: crs_rules.Recognised, tally: _Tally) -> Iterator[str]:
    if recognised.note:
        yield recognised.note
    if mapping.unused:
        yield f"columns not taken: {', '.join(mapping.unused)}"
    absent = [name for name, decl in layer.fields.items() if not decl.derived and name not in mapping.columns]
    if absent:
        yield f"fields without a column: {', '.join(absent)}"
    if tally.keyless:
        yield f"{tally.keyless:,} rows had no key; theirs is made from their content"
    if tally.repaired:
        yield f"{tally.repaired:,} invalid geometries repaired"


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None for a folder (a file geodatabase)."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
