"""The two times that a question may name, and the rows that they choose.

`datetime` says when things hold in the world, `asOf` when the service knew it. Without either, the rows are those that
are known to hold now, and they come from the layer's table alone.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql

from shikong.layers.model import Layer
from shikong.store import access, as_of, tables

_DATE = re.compile(r"^\d{4}-\d\d-\d\d$")


@dataclass(frozen=True)
class Period:
    """A time or stretch of time; None is open."""

    start: datetime | None
    end: datetime | None

    @property
    def instant(self) -> bool:
        """Whether it is one point in time."""
        return self.start is not None and self.start == self.end


@dataclass(frozen=True)
class Moment:
    """When features hold (None: now), and what the service knew at a time or in a release (None: what it knows now)."""

    period: Period | None = None
    known_at: datetime | None = None
    known_in: int | None = None

    @property
    def shape(self) -> Moment:
        """The same with its values blanked: all that SQL depends on."""
        return Moment(
            period=_ANY_PERIOD if self.period else None,
            known_at=_ANY_TIME if self.known_at else None,
            known_in=0 if self.known_in is not None else None,
        )

    @property
    def word(self) -> str:
        """The moment as a word that can be a file's name; `now` for what is known to hold now."""
        if self == NOW:
            return "now"
        return blake2b(repr(self.values).encode(), digest_size=8).hexdigest()

    @property
    def values(self) -> dict[str, Any]:
        """The values that placeholders of `source` and `conditions` stand for."""
        found: dict[str, Any] = {"known_at": self.known_at, "known_in": self.known_in}
        if self.period is not None:
            found |= {"t0": self.period.start, "t1": self.period.end}
        return found


NOW = Moment()
_ANY_PERIOD = Period(None, None)
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str, timezone: str, *, end: bool) -> datetime | None:
    """A time; None for an open end (empty, or two dots).

    A date without time is that day's first moment, or with `end` its last; that and times without an offset are in
    the time zone. Raises ValueError.
    """
    if text in ("", ".."):
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    if end and _DATE.match(text):
        moment += timedelta(days=1) - timedelta(microseconds=1)
    return moment


def is_past(layer: Layer, moment: Moment) -> bool:
    """Whether a question reaches beyond what is known to hold now."""
    known = moment.known_at is not None or moment.known_in is not None
    return known or (layer.versioned and moment.period is not None)


def source(layer: Layer, moment: Moment) -> sql.Composable:
    """SQL for the rows to choose from by `conditions`: today's, and what has ended or was superseded only where the
    past is asked for; of them those that the session may see."""
    return access.seen(layer, _all(layer, moment))


def _all(layer: Layer, moment: Moment) -> sql.Composable:
    if not is_past(layer, moment):
        return tables.table(layer)
    names = ["_row", "_release", *tables.row_columns(layer)]
    if moment.known_at is not None:
        return as_of.known(layer, as_of.release_at(layer, sql.SQL("%(known_at)s")), names)
    if moment.known_in is not None:
        return as_of.known(layer, sql.SQL("%(known_in)s"), names)
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    # The condition stands outside: a part of a union that has one of its own is not looked up by the index for each row
    # of a join.
    return sql.SQL(
        "(SELECT {columns} FROM (SELECT {columns}, NULL::integer AS _superseded FROM {table}"
        " UNION ALL SELECT {columns}, _superseded FROM {history}) AS both_tables WHERE _superseded IS NULL)"
    ).format(columns=columns, table=tables.table(layer), history=tables.history(layer))


def conditions(layer: Layer, period: Period | None) -> list[sql.Composable]:
    """SQL conditions on rows: that they hold in a period, or now. A layer without times holds always."""
    if layer.versioned:
        if period is None:
            return [sql.SQL("valid_from <= now() AND (valid_to IS NULL OR valid_to > now())")]
        # A version that ends at an instant has given way to the one that starts there.
        return [
            sql.SQL("(%(t1)s::timestamptz IS NULL OR valid_from <= %(t1)s)"),
            sql.SQL("(%(t0)s::timestamptz IS NULL OR valid_to IS NULL OR valid_to > %(t0)s)"),
        ]
    if layer.time is None or layer.time.start is None or period is None:
        return []
    start, end = sql.Identifier(layer.time.start), sql.Identifier(layer.time.end or layer.time.start)
    return [
        sql.SQL("(%(t1)s::timestamptz IS NULL OR {} <= %(t1)s)").format(start),
        sql.SQL("(%(t0)s::timestamptz IS NULL OR {} >= %(t0)s)").format(end),
    ]


def rows(layer: Layer, moment: Moment) -> sql.Composable:
    """SQL for a layer's rows of a moment, to stand in FROM."""
    where = conditions(layer, moment.period)
    if not where:
        return source(layer, moment)
    return sql.SQL("(SELECT * FROM {} AS s WHERE {})").format(source(layer, moment), sql.SQL(" AND ").join(where))
