"""Loading features: batches are converted, checked and copied into staging, then published at once.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from psycopg import Connection

from shikong.ingest import convert as conversion
from shikong.ingest import crs as crs_rules
from shikong.ingest.convert import Mapping
from shikong.ingest.errors import IngestError, QualityStop
from shikong.ingest.prepare import Preparation, Prepared, prepare
from shikong.ingest.quality import keys, topology
from shikong.ingest.quality import staged as staged_rules
from shikong.ingest.quality.edges import EdgeAccount, Neighbourhood
from shikong.ingest.quality.findings import Account, Finding
from shikong.ingest.quality.refused import RefusedRows
from shikong.ingest.readers.base import Batch, FeatureSource
from shikong.ingest.report import Report
from shikong.ingest.workers import Workers, return_memory, workers
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import bulk, copying, publish, quarantine, releases, tables, touched
from shikong.store.blocks import Blocks
from shikong.store.database import Database
from shikong.store.ordered import OrderedRows
from shikong.store.publish import Mode
from shikong.store.releases import Counts, Kind, Source

#: Batches that are prepared at a time.
_WORKERS = min(4, os.cpu_count() or 1)

#: From this many rows on they are prepared by processes; below, starting these takes longer than they save.
_LEAST_FOR_PROCESSES = 100_000


@dataclass(frozen=True)
class Options:
    """What the operator says of a source. ending: keys of features that end with it, besides what it holds."""

    crs: str | None = None
    datum: str | None = None
    source_layer: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    origin: Literal["delivered", "generated"] = "delivered"
    valid_from: datetime | None = None
    mode: Mode = "replace"
    kind: Kind = "load"
    swap_axes: bool = False
    ending: tuple[Any, ...] = ()


Progress = Callable[[int, int | None], None]


@dataclass
class _Load:
    """One load under way.

    snapshot_of: for a layer with valid time, when the rows hold, where they do not say it themselves. folder: for what
    is prepared, until it is published. beside: does one thing while the load goes on. digest: the file's. repeated:
    numbers in the source of rows whose key has come before. gone: of all rows that were refused after their edges had
    been taken. ending: of rows that hold now, and will end.
    """

    conn: Connection[Any]
    catalog: Catalog
    layer: Layer
    source: FeatureSource
    mapping: Mapping
    options: Options
    snapshot_of: datetime | None
    account: Account
    refused: RefusedRows
    folder: Path
    edges: EdgeAccount | None
    beside: ThreadPoolExecutor
    digest: Future[str | None]
    rows: OrderedRows = field(default_factory=OrderedRows)
    repeated: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    ending: list[int] = field(default_factory=list)


def load(
    conn: Connection[Any],
    catalog: Catalog,
    layer: Layer,
    path: Path,
    source: FeatureSource,
    options: Options,
    progress: Progress,
    *,
    database: Database | None = None,
) -> Report:
    """Load a source of features into a layer and publish it in one transaction.

    progress: called with rows done and rows in all (None when unknown). database: gives further sessions for a first
    load; None in a transaction of the caller's.
    Raises IngestError, and then nothing has changed.
    """
    mapping = conversion.map_fields(layer, source.fields, options.fields)
    snapshot_of = None if "valid_from" in mapping.columns else options.valid_from
    if layer.versioned and "valid_from" not in mapping.columns and snapshot_of is None:
        raise IngestError(
            f"{layer.id} keeps versions along valid time: say from when these rows hold, with --valid-from 2024-12-31"
        )
    with ExitStack() as stack:
        refused = stack.enter_context(RefusedRows())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shikong-load-")))
        edges = EdgeAccount() if topology.wants_edges(layer, options.mode) else None
        beside = stack.enter_context(ThreadPoolExecutor(1))
        job = _Load(
            conn, catalog, layer, source, mapping, options, snapshot_of, Account(), refused, folder, edges, beside,
            beside.submit(file_digest, path),
        )  # fmt: skip
        recognised = _prepare(job, path.name, progress)
        if options.kind != "edit":  # whose tables are there, for it begins with what they hold
            tables.ensure(conn, layer)
        with conn.transaction():
            report = _publish(job, path, recognised, database)
    return report


def _prepare(job: _Load, name: str, progress: Progress) -> crs_rules.Recognised:
    """Prepare all of the source's rows, some batches side by side; the CRS is recognised on the first batch."""
    layer, source, options, account = job.layer, job.source, job.options, job.account
    large = source.total is not None and source.total >= _LEAST_FOR_PROCESSES
    told_keys = keys.Keys()
    with workers(_WORKERS, processes=large) as helpers:
        batches = source.batches()
        first = next(batches, None)
        if first is None:
            raise IngestError("the source has no rows")
        recognised = crs_rules.recognise(
            source.crs, options.crs, first.geometry, geographic_by_name=source.geographic_by_name,
            city=job.catalog.city, datum=options.datum, swap_axes=options.swap_axes,
        )  # fmt: skip
        how = Preparation(
            name, job.catalog, layer, job.mapping, recognised, options.origin, job.snapshot_of, job.edges is not None,
            job.folder,
        )  # fmt: skip
        for done in _ahead(helpers, partial(prepare, how), chain([first], batches)):
            account.read += done.read
            account.refused += len(done.refused)
            account.keyless += done.keyless
            account.add(done.findings)
            job.refused.add(done.refused)
            job.rows.add(done.rows)
            told_keys.add(done.keys)
            if job.edges is not None and done.edges is not None:
                job.edges.add(done.edges)
                job.ending += done.ending
            progress(account.read, source.total)
    if large:
        return_memory()
    job.repeated = told_keys.repeated(layer, job.rows)
    job.rows.leave_out(job.repeated)
    return recognised


def _ahead(helpers: Workers, work: Callable[[Batch], Prepared], batches: Iterator[Batch]) -> Iterator[Prepared]:
    """Let batches be worked on side by side, and give them in their order."""
    waiting: deque[Future[Prepared]] = deque()
    for batch in batches:
        waiting.append(helpers.give(work, batch))
        if len(waiting) > _WORKERS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _publish(job: _Load, path: Path, recognised: crs_rules.Recognised, database: Database | None) -> Report:
    """Check what was prepared as a whole and make it the layer's state."""
    conn, layer, options, account = job.conn, job.layer, job.options, job.account
    if options.kind != "edit":
        conn.execute("SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '128MB'; SET LOCAL maintenance_work_mem ="
                     " '256MB'; SET LOCAL idle_in_transaction_session_timeout = 0")  # fmt: skip
    origin = Source(
        path.name, job.digest.result(), recognised.name, recognised.note, options.origin, options.kind, job.snapshot_of
    )
    release = releases.next_release(conn, layer, origin, Counts(account.read, 0, 0))
    first, ended = tables.next_row(conn, layer), 0
    if options.ending:
        ended = publish.end_features(conn, layer, release, options.ending, options.valid_from)
    lying: list[Blocks] | None = None
    near = None if job.edges is None else job.beside.submit(job.edges.near_loose)
    if database is not None and len(job.rows) >= bulk.LEAST_ROWS and bulk.is_first(conn, layer):
        with bulk.filled(database, conn, layer, release, job.rows) as lying:
            _check_whole(job, release, near)
    else:
        with publish.staging(conn, layer) as staged:
            copying.copy_rows(conn, staged, (job.rows.read(part)[0] for part, _ in job.rows.stretches()))
        _check_whole(job, release, near)
    report = Report(
        layer.id, path.name, job.source.format, recognised.name, recognised.how, Counts(account.read, 0, 0),
        release, list(_notes(job, recognised)), account.findings, account.counts, account.unchecked,
    )  # fmt: skip
    _refuse_if_stopped(job, report)
    quarantine.add_rows(conn, layer, release, _refused_rows(job))
    quarantine.add_findings(conn, release, (finding.row for finding in account.findings))
    quarantine.add_results(conn, layer, release, account.counts, account.unchecked)
    if lying is not None:
        done = bulk.adopt(conn, layer, lying)
    else:
        done = publish.publish_features(conn, layer, release, options.mode, job.snapshot_of, ended=ended)
        if options.kind != "edit":  # which changes too little
            publish.tell_planner(conn, layer, done)
    report.counts = replace(done, read=account.read, quarantined=account.refused)
    before = releases.before(conn, layer, release) if options.mode == "update" else None
    extent = (
        releases.extent_of(conn, layer)
        if before is None
        else releases.extent_after(conn, layer, release, first, before.extent)
    )
    moved = None if lying is not None else touched.boxes(conn, layer, release, first)
    releases.finish(conn, release, report.counts, extent, moved)
    return report


def _check_whole(job: _Load, release: int, near: Future[Neighbourhood] | None) -> None:
    """Check the rules over all staged rows; rows that break one are moved to quarantine before the next is checked.

    near: the rows near loose edges, where edges tell which rows may overlap others.
    """
    conn, layer, mode, account = job.conn, job.layer, job.options.mode, job.account
    if job.repeated:
        account.add(keys.findings(layer, job.rows.find(job.repeated)))
        account.refused += len(job.repeated)
        job.gone += job.repeated
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: staged_rules.check(conn, job.catalog, layer, mode),
        lambda: topology.check(conn, job.catalog, layer, release, mode, account.unchecked, _near(job, near)),
    )
    for check in checks:
        found = list(check())
        account.add(found)
        rows = sorted({f.source_row for f in found if f.severity == "error" and f.source_row is not None})
        if rows:
            account.refused += quarantine.move_staged(conn, layer, release, rows)
            job.gone += rows


def _near(job: _Load, near: Future[Neighbourhood] | None) -> Neighbourhood | None:
    """The rows that may overlap others, where their edges tell it."""
    if near is None:
        return None
    found = near.result()
    found.widen(found.boxes_of([*job.gone, *job.ending]))  # whose edges no longer count
    return found


def _refused_rows(job: _Load) -> Iterator[quarantine.RefusedRow]:
    """All rows that were refused before they came into staging."""
    yield from job.refused
    for row in job.rows.find(job.repeated):
        yield row["_source_row"], keys.record(row), row["geom"]


def _refuse_if_stopped(job: _Load, report: Report) -> None:
    account = job.account
    if account.stops:
        rules = ", ".join(sorted({rule for rule, _, _ in account.stops}))
        raise QualityStop(f"{report.source} breaks rules that stop a load of {job.layer.id}: {rules}", report)
    if account.refused == account.read:
        reasons = sorted({f"{rule} {name}".strip() for rule, name, severity in account.counts if severity == "error"})
        raise QualityStop(f"no row of {report.source} can be stored: {'; '.join(reasons)}", report)


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
