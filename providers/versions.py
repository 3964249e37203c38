"""The versions of one feature along time: when each began and ended.

A layer with valid time has them along valid time: what held when, as it is believed now or was known then. Another
layer has them along recorded time: what the service knew when.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import sql

from shikong.layers.model import Layer
from shikong.store import access, as_of, tables

_HELD = "SELECT valid_from, valid_to FROM {source} AS s WHERE {key} = %(key)s ORDER BY valid_from"

_KNOWN = """
    SELECT r.published_at, s.published_at
    FROM (
        SELECT _release, NULL::integer AS superseded FROM {table} AS t WHERE {key} = %(key)s
        UNION ALL
        SELECT _release, _superseded FROM {history} AS h WHERE {key} = %(key)s
    ) AS v
    JOIN shikong.release AS r ON r.id = v._release
    LEFT JOIN shikong.release AS s ON s.id = v.superseded
    ORDER BY r.id
"""


@dataclass(frozen=True)
class Version:
    """When a version began, and when it ended; None: not yet."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class Versions:
    """A feature's versions in order, and which of them an answer gives (None: none)."""

    all: tuple[Version, ...]
    number: int | None

    @property
    def given(self) -> Version | None:
        """The version that the answer gives."""
        return None if self.number is None else self.all[self.number]

    @property
    def before(self) -> Version | None:
        """The version before it."""
        return self.all[self.number - 1] if self.number else None

    @property
    def after(self) -> Version | None:
        """The version after it."""
        last = self.number is None or self.number + 1 == len(self.all)
        return None if self.number is None or last else self.all[self.number + 1]


def time_axis(layer: Layer) -> Literal["validity-time", "transaction-time"]:
    """Along which clock a layer's features have versions, in the words of OGC's draft on versioned features."""
    return "validity-time" if layer.versioned else "transaction-time"


def times(layer: Layer, known_at: datetime | None) -> tuple[sql.Composed, dict[str, Any]]:
    """SQL for the beginning and end of each version of the feature with the id `key`, and its other parameters.

    known_at: as it was known at that time; None is now.
    """
    key = sql.Identifier(layer.key_field)
    if not layer.versioned:
        table, history = (access.seen(layer, each) for each in (tables.table(layer), tables.history(layer)))
        return sql.SQL(_KNOWN).format(table=table, history=history, key=key), {}
    release = as_of.newest(layer) if known_at is None else as_of.release_at(layer, sql.SQL("%(known_at)s"))
    rows = access.seen(layer, as_of.known(layer, release))
    return sql.SQL(_HELD).format(source=rows, key=key), {"known_at": known_at}


def versions(rows: list[tuple[Any, ...]], moment: datetime) -> Versions:
    """Rows of `times`, and which version is in force at a moment: where two meet, the later."""
    found = tuple(Version(*row) for row in rows)
    begun = [number for number, version in enumerate(found) if version.start <= moment]
    last = begun[-1] if begun else None
    if last is not None and (end := found[last].end) is not None and end <= moment:
        last = None
    return Versions(found, last)
