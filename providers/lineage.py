"""Where a feature comes from: every version of it that was ever known, with release, file, row, time and who.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from shikong.layers.model import Layer
from shikong.store import access, tables

_VERSIONS = """
    SELECT v._source_row, v.valid_from, v.valid_to, v.current, r.id, r.source, r.source_sha256, r.source_crs,
        r.datum_note, r.kind, r.restores, r.origin, r.principal, r.published_at, s.id, s.published_at
    FROM (
        SELECT _release, _source_row, {valid}, true AS current, NULL::integer AS superseded
        FROM {table} AS t WHERE {key} = %(key)s
        UNION ALL
        {former}
    ) AS v
    JOIN shikong.release AS r ON r.id = v._release
    LEFT JOIN shikong.release AS s ON s.id = v.superseded
    ORDER BY r.id, v.valid_from
"""


_FORMER = """
    SELECT _release, _source_row, {valid}, false, _superseded FROM {history} AS h WHERE {key} = %(key)s
"""

# A version whose end became known later was first believed to hold on.
_FORMER_VERSIONED = """
    SELECT _release, _source_row, valid_from, CASE WHEN _ended IS NULL THEN valid_to ELSE _held_to END, false,
        coalesce(_ended, _superseded)
    FROM {history} AS h WHERE {key} = %(key)s
    UNION ALL
    SELECT _ended, NULL, valid_from, valid_to, false, _superseded
    FROM {history} AS h WHERE {key} = %(key)s AND _ended IS NOT NULL
"""


def versions(layer: Layer) -> sql.Composed:
    """SQL for all versions of the feature with the id `key`, in the order in which they became known."""
    absent = "NULL::timestamptz AS valid_from, NULL::timestamptz AS valid_to"
    parts = {
        "valid": sql.SQL("valid_from, valid_to" if layer.versioned else absent),
        "table": access.seen(layer, tables.table(layer)),
        "history": access.seen(layer, tables.history(layer)),
        "key": sql.Identifier(layer.key_field),
    }
    former = sql.SQL(_FORMER_VERSIONED if layer.versioned else _FORMER).format(**parts)
    return sql.SQL(_VERSIONS).format(**parts, former=former)


def version(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row of `versions` as a document."""
    source_row, valid_from, valid_to, current, release, source, digest, crs, note, kind, restores, *rest = row
    origin, principal, published, superseded, superseded_at = rest
    state = "current" if current else "ended" if superseded is None else "superseded"
    return {
        "state": state, "validFrom": valid_from, "validTo": valid_to, "recordedFrom": published,
        "recordedTo": superseded_at, "supersededBy": superseded,
        "release": {
            "id": release, "kind": kind, "restores": restores, "published": published, "principal": principal,
            "origin": origin,
        },
        "source": {"name": source, "sha256": digest, "row": source_row, "crs": crs, "positionalAccuracy": note},
    }  # fmt: skip
