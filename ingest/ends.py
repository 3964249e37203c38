"""Releases that bring nothing: they only end features.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection, sql

from shikong.ingest.features import Options
from shikong.ingest.quality import gaps
from shikong.ingest.quality.findings import Finding
from shikong.layers.model import Layer
from shikong.store import publish, quarantine, releases, tables, touched
from shikong.store.releases import Counts, Source


def end(
    conn: Connection[Any], layer: Layer, keys: Sequence[Any], name: str, options: Options
) -> tuple[int, list[Finding]]:
    """End features, as a release of its own; returns it and the gaps that they leave. name: what the release is told
    to come from. Runs in a transaction of the caller's."""
    source = Source(name, None, None, None, options.origin, options.kind, options.valid_from)
    release = releases.next_release(conn, layer, source, Counts(0, 0, 0))
    known = releases.before(conn, layer, release)
    first = tables.next_row(conn, layer)
    ended = publish.end_features(conn, layer, release, keys, options.valid_from)
    found = gaps.left_by_ended(conn, layer, release)
    quarantine.add_findings(conn, release, (finding.row for finding in found))
    if known is None or known.rows is None:
        row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(tables.table(layer))).fetchone()
        current, extent = int(row[0]) if row else 0, releases.extent_of(conn, layer)
    else:
        current, extent = known.rows - ended, releases.extent_after(conn, layer, release, first, known.extent)
    counts = Counts(0, 0, 0, ended=ended, unchanged=current, current=current)
    releases.finish(conn, release, counts, extent, touched.boxes(conn, layer, release, first))
    return release, found
