"""Writing observations: idempotent on (series, time); what is corrected or withdrawn goes to history.

Values come by deliveries, each a release, or live, some at a time. The release of a live stream stays open for an hour
at most, or until another release of the layer comes; its rows say themselves when they were written.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import as_of, locks, observed_tables, releases, rollups, tables
from shikong.store.as_of import Difference
from shikong.store.releases import Counts, Extent, Source

#: Who listens here hears of layers whose values have changed, once that is committed.
CHANNEL = "shikong_values"

#: Station, parameter, time, value, quality (a code of observation_quality; 0 is good), origin.
Observation = tuple[str, str, datetime, float, int, str]


@dataclass(frozen=True)
class Merged:
    """What became of values: how many were new, changed, withdrawn; and when they were, the first and the last."""

    added: int
    changed: int
    ended: int = 0
    first: datetime | None = None
    last: datetime | None = None


def empty_stage(conn: Connection[Any]) -> None:
    """Make the session's staging table, or empty it; the end of a transaction does so, too."""
    conn.execute(_STAGED)
    conn.execute("DELETE FROM staged_observation")


def stage(conn: Connection[Any], rows: Iterable[Observation]) -> int:
    """Copy rows into the session's staging table; returns how many. Each station, parameter and time comes once."""
    number = 0
    with conn.cursor() as cursor, cursor.copy("COPY staged_observation FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["text", "text", "timestamptz", "float8", "int2", "text"])
        for row in rows:
            copy.write_row(row)
            number += 1
    return number


def publish(conn: Connection[Any], layer: Layer, source: Source, counts: Counts) -> tuple[int, Counts]:
    """Merge the staged rows into the layer as a release; returns it and its counts. Live values wait meanwhile.

    counts: what was read, stored and refused.
    """
    locks.hold_for_merge(conn, layer.id)
    conn.execute("ANALYZE staged_observation")
    before = releases.before(conn, layer)
    release = releases.next_release(conn, layer, source, counts)
    _make_room(conn, layer)
    merged = _apply(conn, layer, release, _OF_STAGED)
    counts = replace(
        counts, added=merged.added, changed=merged.changed, unchanged=counts.stored - merged.added - merged.changed
    )
    counts, extent_ = _after(conn, layer, before, counts, merged)
    releases.finish(conn, release, counts, extent_)
    return release, counts


def append(conn: Connection[Any], layer: Layer, source: str, number: int) -> Merged:
    """Merge `number` staged rows that came live, as part of the stream's open release. The caller commits.

    source: what the rows came from, as the release tells it.
    """
    locks.hold_for_merge(conn, layer.id)
    # A few values among millions: whatever the planner thinks of tables that have just grown or been made, it is the
    # indexes that lead to them.
    for way in ("seqscan", "hashjoin", "mergejoin"):
        conn.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(f"enable_{way}")))
    _make_room(conn, layer)
    release = releases.open_live(conn, layer, source)
    now = conn.execute("SELECT clock_timestamp()").fetchone()
    assert now is not None
    merged = _apply(conn, layer, release, _OF_STAGED, recorded=now[0])
    came = Counts(number, number, 0, merged.added, merged.changed)
    releases.add_live(conn, release, came, Extent(None, merged.first, merged.last))
    return merged


def rollback(conn: Connection[Any], layer: Layer, release: int) -> tuple[int, Counts]:
    """Make what was known at a release the layer's state again, as a new release; nothing is forgotten.

    A load that is under way is waited for. Returns the new release and its counts. Raises NoSuchRelease.
    """
    with locks.loading(conn, layer.id), conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")
        as_of.require_release(conn, layer, release)
        tables.ensure(conn, layer)
        locks.hold_for_merge(conn, layer.id)
        row = conn.execute(
            sql.SQL("SELECT count(*) FROM {} AS known").format(known(layer, sql.Literal(release)))
        ).fetchone()
        assert row is not None
        restored = int(row[0])
        counts = Counts(restored, restored, 0)
        fresh = releases.next_release(conn, layer, releases.restoring(conn, release), counts)
        merged = _apply(conn, layer, fresh, _OF_RELEASE, restored=release)
        counts = replace(
            counts, added=merged.added, changed=merged.changed, ended=merged.ended,
            unchanged=restored - merged.added - merged.changed, current=restored,
        )  # fmt: skip
        releases.finish(conn, fresh, counts, _extent(conn, layer))
    return fresh, counts


def known(layer: Layer, release: sql.Composable, moment: sql.Composable | None = None) -> sql.Composable:
    """SQL for the observations that were known at a release: series, time, value, quality, origin.

    moment: a time within the release, which matters where it is a live stream's; None is the release's end.
    """
    came, gone = sql.SQL("_release <= {}").format(release), sql.SQL("_superseded > {}").format(release)
    if moment is not None:
        parts = {"release": release, "moment": moment}
        came = sql.SQL(
            "(_release < {release} OR _release = {release} AND (_recorded IS NULL OR _recorded <= {moment}))"
        ).format(**parts)
        gone = sql.SQL("(_superseded > {release} OR _superseded = {release} AND _superseded_at > {moment})").format(
            **parts
        )
    return sql.SQL(
        "(SELECT series, time, value, quality, origin FROM {table} WHERE {came}"
        " UNION ALL SELECT series, time, value, quality, origin FROM {history} WHERE {came} AND {gone})"
    ).format(table=tables.table(layer), history=tables.history(layer), came=came, gone=gone)


def known_at(layer: Layer, moment: sql.Composable) -> sql.Composable:
    """SQL for the observations that were known at a time: series, time, value, quality, origin."""
    return known(layer, as_of.release_at(layer, moment), moment)


def difference(conn: Connection[Any], layer: Layer, before: int, after: int) -> Difference:
    """Count what differs between what was known at two releases. Raises NoSuchRelease."""
    for release in (before, after):
        as_of.require_release(conn, layer, release)
    row = conn.execute(
        sql.SQL(_DIFFERENCE).format(before=known(layer, sql.Literal(before)), after=known(layer, sql.Literal(after)))
    ).fetchone()
    assert row is not None
    return Difference(*map(int, row))


def _after(
    conn: Connection[Any], layer: Layer, before: releases.State | None, counts: Counts, merged: Merged
) -> tuple[Counts, Extent]:
    """Counts and extent after values were added, told from those before them: to count all takes too long."""
    if before is None or before.rows is None:
        whole = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(tables.table(layer))).fetchone()
        assert whole is not None
        return replace(counts, current=int(whole[0])), _extent(conn, layer)
    times = [time for time in (before.extent.time_from, before.extent.time_to, merged.first, merged.last) if time]
    extent_ = Extent(None, min(times, default=None), max(times, default=None))
    return replace(counts, current=before.rows + merged.added), extent_


def _extent(conn: Connection[Any], layer: Layer) -> Extent:
    """First and last time of the layer's observations."""
    row = conn.execute(sql.SQL("SELECT min(time), max(time) FROM {}").format(tables.table(layer))).fetchone()
    assert row is not None
    return Extent(None, *row)


def _make_room(conn: Connection[Any], layer: Layer) -> None:
    """Make the months and the series that the staged rows need."""
    for year, month in conn.execute(_MONTHS).fetchall():
        observed_tables.ensure_month(conn, layer, year, month)
    conn.execute(sql.SQL(_NEW_SERIES).format(**observed_tables.names(layer)))


def _apply(
    conn: Connection[Any],
    layer: Layer,
    release: int,
    differing: str,
    *,
    recorded: datetime | None = None,
    restored: int | None = None,
) -> Merged:
    """Write what differs and bring up what is summed up of it; what is alike is not touched.

    differing: SQL for series, time, value, quality and origin to be (null when withdrawn), and whether one is there
    now. recorded: when what came live is written. restored: the release that a rollback goes back to.
    """
    parts = observed_tables.names(layer)
    conn.execute(_DIFFERING)
    conn.execute("DELETE FROM differing")
    conn.execute(sql.SQL(f"INSERT INTO differing {differing}").format(**parts), {"restored": restored})
    if recorded is None:
        conn.execute("ANALYZE differing")
    row = conn.execute(_MERGED).fetchone()
    assert row is not None
    for statement in (_SUPERSEDE, _ADD):
        conn.execute(sql.SQL(statement).format(**parts), {"release": release, "recorded": recorded})
    merged = Merged(*row)
    rollups.refresh(conn, layer, withdrawn=merged.ended > 0)
    conn.execute("SELECT pg_notify(%s, %s)", (CHANNEL, layer.id))
    return merged


_STAGED = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_observation (
        station text NOT NULL, parameter text NOT NULL, time timestamptz NOT NULL, value double precision NOT NULL,
        quality smallint NOT NULL, origin text NOT NULL
    ) ON COMMIT DELETE ROWS
"""

_DIFFERING = """
    CREATE TEMPORARY TABLE IF NOT EXISTS differing (
        series integer NOT NULL, time timestamptz NOT NULL, value double precision, quality smallint, origin text,
        present boolean NOT NULL
    ) ON COMMIT DELETE ROWS
"""

# Rain that is stamped with a month's first moment belongs to the month before.
_MONTHS = """
    SELECT DISTINCT extract(year FROM t)::int, extract(month FROM t)::int
    FROM (
        SELECT DISTINCT date_trunc('hour', time - step) AT TIME ZONE 'UTC' AS t
        FROM staged_observation, (VALUES (interval '0'), (interval '1 microsecond')) AS steps (step)
    ) AS hours
"""

_NEW_SERIES = """
    INSERT INTO {series} (station, parameter)
    SELECT DISTINCT station, parameter FROM staged_observation AS o
    WHERE NOT EXISTS (SELECT FROM {series} AS s WHERE s.station = o.station AND s.parameter = o.parameter)
    ON CONFLICT DO NOTHING
"""

_OF_STAGED = """
    SELECT s.id AS series, o.time, o.value, o.quality, o.origin, t.series IS NOT NULL AS present
    FROM staged_observation AS o
    JOIN {series} AS s USING (station, parameter)
    LEFT JOIN {table} AS t ON t.series = s.id AND t.time = o.time
    WHERE t.series IS NULL OR (t.value, t.quality, t.origin) IS DISTINCT FROM (o.value, o.quality, o.origin)
"""

# What is there now and came before that release was known then, too.
_OF_RELEASE = """
    SELECT series, time, h.value, h.quality, h.origin, t._release IS NOT NULL AS present
    FROM (SELECT * FROM {table} WHERE _release > %(restored)s) AS t
    FULL JOIN (
        SELECT * FROM {history} WHERE _release <= %(restored)s AND _superseded > %(restored)s
    ) AS h USING (series, time)
    WHERE (t.value, t.quality, t.origin) IS DISTINCT FROM (h.value, h.quality, h.origin)
"""

_MERGED = """
    SELECT count(*) FILTER (WHERE NOT present), count(*) FILTER (WHERE present AND value IS NOT NULL),
        count(*) FILTER (WHERE value IS NULL), min(time), max(time)
    FROM differing
"""

_SUPERSEDE = """
    WITH gone AS (
        DELETE FROM {table} AS t USING differing AS d
        WHERE d.present AND t.series = d.series AND t.time = d.time
        RETURNING t.*
    )
    INSERT INTO {history} (series, time, value, quality, origin, _release, _recorded, _superseded, _superseded_at)
    SELECT series, time, value, quality, origin, _release, _recorded, %(release)s,
        %(recorded)s
    FROM gone
"""

_ADD = """
    INSERT INTO {table} (series, time, value, quality, origin, _release, _recorded)
    SELECT series, time, value, quality, origin, %(release)s, %(recorded)s
    FROM differing WHERE value IS NOT NULL
"""

_DIFFERENCE = """
    SELECT count(*) FILTER (WHERE b.value IS NULL), count(*) FILTER (WHERE a.value IS NULL),
        count(*) FILTER (WHERE a.value IS NOT NULL AND b.value IS NOT NULL
            AND (a.value, a.quality, a.origin) IS DISTINCT FROM (b.value, b.quality, b.origin)),
        count(*) FILTER (WHERE (a.value, a.quality, a.origin) = (b.value, b.quality, b.origin))
    FROM {before} AS b FULL JOIN {after} AS a USING (series, time)
"""
