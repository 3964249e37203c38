"""Warnings ahead: what the rules would give or raise if it came as forecast, as features of their layer.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from psycopg import Connection

from shikong.ingest import derived
from shikong.ingest.features import Options
from shikong.layers.catalog import Catalog
from shikong.layers.warning_rules import LEVELS
from shikong.processes.warnings import publishing
from shikong.processes.warnings.engine import Event, Stations, Subject
from shikong.store import locks, tables

#: What releases of the layer are told to come from.
NAME = "water-forecast"


def ahead(city: Catalog, issue: datetime, events: Sequence[Event], stations: Stations) -> list[dict[str, Any]]:
    """A row for each rule and subject of which a warning begins or is raised after the issue, by when it does."""
    later: dict[Subject, list[Event]] = {}
    for event in events:
        if event.at > issue:
            later.setdefault(event.subject, []).append(event)
    rows = [_row(city, issue, found, stations) for found in later.values() if any(map(_begins, found))]
    return sorted(rows, key=lambda row: (row["expected_at"], row["code"]))


def publish(
    conn: Connection[Any], city: Catalog, rows: Sequence[dict[str, Any]], stations: Stations,
    origin: Literal["delivered", "generated"],
) -> int | None:  # fmt: skip
    """Publish the rows in place of those before; the release, or None where none differs."""
    layer = city.layer(city.forecasts.warnings)
    with locks.loading(conn, layer.id), conn.transaction():
        tables.ensure(conn, layer)
        shapes = np.array([publishing.place(row["stations"].split(","), stations) for row in rows], dtype=object)
        frame = pd.DataFrame(rows, columns=list(layer.fields)).assign(origin=origin)
        return derived.publish(conn, city, layer, NAME, Options(mode="replace", origin=origin), frame, shapes)


def _begins(event: Event) -> bool:
    return event.change in ("issue", "raise")


def _row(city: Catalog, issue: datetime, found: Sequence[Event], stations: Stations) -> dict[str, Any]:
    """What a subject's events ahead come to, told by the gravest."""
    rising = [event for event in found if _begins(event)]
    gravest = max(rising, key=lambda event: LEVELS.index(event.level))  # of equals the first
    told = publishing.told(city, gravest, stations)
    rule, subject = gravest.subject
    return {name: told[name] for name in _TOLD} | {
        "code": f"{rule}-{subject}", "issue": issue.isoformat(), "expected_at": rising[0].at.isoformat(),
        "gravest_at": gravest.at.isoformat(),
        "lifted_at": found[-1].at.isoformat() if found[-1].change == "lift" else None,
    }  # fmt: skip


_TOLD = (
    "rule", "hazard", "level", "subject", "name", "stations", "headline_zh", "headline_en", "value", "threshold",
    "unit", "evidence",
)  # fmt: skip
