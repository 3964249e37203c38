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
from shikong.ingest.convert import Mapping
from shikong.ingest.errors import IngestError, QualityStop
from shikong.ingest.quality import rows as row_rules
from shikong.ingest.quality import staged as staged_rules
from shikong.ingest.quality import topology
from shikong.ingest.quality.findings import Account, Finding
from shikong.ingest.quality.refused import RefusedRows
from shikong.ingest.readers.base import Batch, FeatureSource
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import content, publish, quarantine, releases, tables
from shikong.store.publish import Mode
from shikong.store.releases import Counts, Kind, Source

_COPY_TYPES = {
    "string": "text", "integer": "int8", "number": "float8", "boolean": "bool", "date": "date",
    "datetime": "timestamptz",
}  # fmt: skip


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
    kind: Kind = "load"
    swap_axes: bool = False


Progress = Callable[[int, int | None], None]


@dataclass
class _Load:
    """One load under way."""

    conn: Connection[Any]
    catalog: Catalog
    layer: Layer
    source: FeatureSource
    mapping: Mapping
    options: Options
    account: Account
    refused: RefusedRows


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
    with RefusedRows() as refused, conn.transaction():
        job = _Load(conn, catalog, layer, source, mapping, options, Account(), refused)
        conn.execute("SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '128MB';"
                     " SET LOCAL maintenance_work_mem = '256MB'")  # fmt: skip
        tables.ensure(conn, layer)
        publish.create_staging(conn, layer)
        recognised = _stage(job, progress)
        origin = Source(
            path.name, file_digest(path), recognised.name, recognised.note, options.origin, options.kind, snapshot_of
        )
        release = releases.next_release(conn, layer, origin, Counts(job.account.read, 0, 0))
        _check_whole(job, release)
        report = Report(
            layer.id, path.name, source.format, recognised.name, recognised.how, Counts(job.account.read, 0, 0),
            release, list(_notes(job, recognised)), job.account.findings, job.account.counts, job.account.unchecked,
        )  # fmt: skip
        _refuse_if_stopped(job, report)
        quarantine.add_rows(conn, layer, release, refused)
        quarantine.add_findings(conn, release, map(_finding_row, job.account.findings))
        quarantine.add_results(conn, layer, release, job.account.counts, job.account.unchecked)
        done = publish.publish_features(conn, layer, release, options.mode, snapshot_of)
        report.counts = replace(done, read=job.account.read, quarantined=job.account.refused)
        releases.finish(conn, release, report.counts, releases.extent_of(conn, layer))
    conn.execute(sql.SQL("ANALYZE {}").format(tables.table(layer)))
    return report


def _stage(job: _Load, progress: Progress) -> crs_rules.Recognised:
    """Copy every good row into staging; the CRS is recognised on the first batch."""
    recognised: crs_rules.Recognised | None = None
    layer, source = job.layer, job.source
    types = [_COPY_TYPES[decl.type] for decl in layer.fields.values()] + ["text"]
    types += ["timestamptz", "timestamptz"] if layer.versioned else []
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        publish.staging_table(layer), sql.SQL(", ").join(map(sql.Identifier, publish.staging_columns(layer)))
    )
    with job.conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int8", "bytea", *types, "bytea"])  # a uuid's and a geometry's binary form are their bytes
        for batch in source.batches():
            if recognised is None:
                recognised = crs_rules.recognise(
                    source.crs, job.options.crs, batch.geometry, geographic_by_name=source.geographic_by_name,
                    city=job.catalog.city, datum=job.options.datum, swap_axes=job.options.swap_axes,
                )  # fmt: skip
            for row in _rows(job, batch, recognised):
                copy.write_row(row)
            progress(job.account.read, source.total)
    if recognised is None:
        raise IngestError("the source has no rows")
    return recognised


def _rows(job: _Load, batch: Batch, recognised: crs_rules.Recognised) -> Iterable[tuple[Any, ...]]:
    """The good rows of a batch, in staging's column order; the others are set aside."""
    layer, options, number = job.layer, job.options, len(batch.geometry)
    converted = conversion.convert(job.catalog, layer, job.mapping, batch.columns, batch.first_row)
    shapes = crs_rules.to_storage(geometry.fit_type(layer, batch.geometry), recognised)
    shapes, keep, found = geometry.check(layer, shapes, batch.first_row)
    keep &= converted.keep
    sound = shapes.copy()
    sound[~keep] = None
    values = converted.values | geometry.derive(layer, sound)
    values.setdefault("origin", np.full(number, options.origin, dtype=object))
    if layer.versioned:
        values.setdefault("valid_from", np.full(number, options.valid_from, dtype=object))
        values.setdefault("valid_to", np.full(number, None, dtype=object))
    broken = list(row_rules.check(layer, values, sound, keep, batch.first_row))
    for finding in broken:
        if finding.severity == "error" and finding.source_row is not None:
            keep[finding.source_row - batch.first_row] = False
    account = job.account
    account.read += number
    account.refused += int((~keep).sum())
    account.add([*converted.findings, *found, *broken])
    job.refused.add(batch, ~keep, shapes, job.mapping)
    values["geom"] = shapely.to_wkb(shapely.set_srid(shapes, tables.SRID), include_srid=True)
    _give_keys(job, values, keep)
    kept = np.flatnonzero(keep)
    lists = {name: values[name][kept].tolist() for name in tables.row_columns(layer)}
    digests = content.digests(layer, lists, lists["geom"])
    return zip((kept + batch.first_row).tolist(), digests, *lists.values(), strict=True)


def _give_keys(job: _Load, values: dict[str, Any], keep: Any) -> None:
    """A row without a key gets one from its content, so that the same row delivered again has the same key."""
    layer = job.layer
    keys = values[layer.key_field]
    names = [name for name, decl in layer.fields.items() if not decl.key and not decl.derived]
    for index in np.flatnonzero(keep):
        if keys[index] is None:
            text = json.dumps([str(values[name][index]) for name in names], ensure_ascii=False)
            keys[index] = hashlib.sha256(text.encode() + values["geom"][index]).hexdigest()[:16]
            job.account.keyless += 1


def _check_whole(job: _Load, release: int) -> None:
    """Check the rules over all staged rows; rows that break one are moved to quarantine before the next is checked."""
    conn, layer, mode = job.conn, job.layer, job.options.mode
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: staged_rules.duplicate_keys(conn, layer),
        lambda: staged_rules.check(conn, job.catalog, layer, mode),
        lambda: topology.check(conn, job.catalog, layer, mode, job.account.unchecked),
    )
    for check in checks:
        found = list(check())
        job.account.add(found)
        rows = sorted({f.source_row for f in found if f.severity == "error" and f.source_row is not None})
        if rows:
            job.account.refused += quarantine.move_staged(conn, layer, release, rows)


def _refuse_if_stopped(job: _Load, report: Report) -> None:
    account = job.account
    if account.stops:
        rules = ", ".join(sorted({rule for rule, _, _ in account.stops}))
        raise QualityStop(f"{report.source} breaks rules that stop a load of {job.layer.id}: {rules}", report)
    if account.refused == account.read:
        reasons = sorted({f"{rule} {name}".strip() for rule, name, severity in account.counts if severity == "error"})
        raise QualityStop(f"no row of {report.source} can be stored: {'; '.join(reasons)}", report)


def _finding_row(finding: Finding) -> quarantine.FindingRow:
    return (
        finding.source_row,
        finding.rule,
        finding.field,
        finding.severity,
        finding.value,
        finding.key,
        finding.shape,
    )


def _notes(job: _Load, recognised: crs_rules.Recognised) -> Iterator[str]:
    if recognised.note:
        yield recognised.note
    if job.mapping.unused:
        yield f"columns not taken: {', '.join(job.mapping.unused)}"
    absent = [name for name, decl in job.layer.fields.items() if not decl.derived and name not in job.mapping.columns]
    if absent:
        yield f"fields without a column: {', '.join(absent)}"
    if job.account.keyless:
        yield f"{job.account.keyless:,} rows had no key; theirs is made from their content"
    for rule, reason in job.account.unchecked.items():
        yield f"{rule} could not be checked: {reason}"


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None for a folder (a file geodatabase)."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
