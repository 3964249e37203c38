"""What is published now: the newest release of each layer.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

# One look into the index a layer: edits make many releases.
NEWEST = sql.SQL("""
    WITH RECURSIVE known AS (
        SELECT min(layer) AS layer FROM shikong.release
        UNION ALL
        SELECT (SELECT min(layer) FROM shikong.release WHERE layer > known.layer) FROM known WHERE layer IS NOT NULL
    )
    SELECT newest.*
    FROM known CROSS JOIN LATERAL (
        SELECT
            layer, id, source, source_crs, datum_note, origin, published_at, current_rows,
            rows_quarantined, extent, time_from, time_to
        FROM shikong.release AS r WHERE r.layer = known.layer ORDER BY id DESC LIMIT 1
    ) AS newest
""")


@dataclass(frozen=True)
class Published:
    """A layer's newest release, as metadata tells it. extent: west, south, east, north in EPSG:4490."""

    layer: str
    release: int
    source: str
    source_crs: str | None
    datum_note: str | None
    origin: str
    published_at: datetime
    rows: int | None
    quarantined: int
    extent: tuple[float, float, float, float] | None
    time_from: datetime | None
    time_to: datetime | None


def published(rows: list[tuple[Any, ...]]) -> dict[str, Published]:
    """The rows of NEWEST by layer id."""
    found: dict[str, Published] = {}
    for *head, extent, time_from, time_to in rows:
        layer, release, source, source_crs, datum_note, origin, published_at, count, quarantined = head
        box = tuple(extent) if extent else None
        found[layer] = Published(
            layer, release, source, source_crs, datum_note, origin, published_at, count, quarantined, box,
            time_from, time_to,
        )  # fmt: skip
    return found
