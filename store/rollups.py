"""Hours, hydrologic days and last values of observations: always what the values come to.

They are written in the transaction that changes values, by summing up anew each hour and day that it touches, so that
corrections, late values and withdrawals need no rules of their own. Values that are not good (quality) are counted,
not summed.

A value for a moment (a stage) belongs to the hour that begins with it; one over a period (rain) is stamped at the end
of its period, and belongs to the hour that ends with it. A hydrologic day begins at 08:00 of Beijing time, which is
00:00 UTC (SL 651-2014 3.1.7).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, Literal

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import observed_tables


def refresh(conn: Connection[Any], layer: Layer, *, withdrawn: bool) -> None:
    """Bring hours, days and last values up to the values, where the table `differing` names series and times.

    withdrawn: some of these are there no more.
    """
    for statement in (_HOURS, _DAYS, _LATEST, *([_NO_LATEST] if withdrawn else [])):
        conn.execute(statement_of(layer, statement), {"preceding": preceding(layer)})


def rebuild(conn: Connection[Any], layer: Layer) -> None:
    """Sum up all values anew."""
    _ensure_months_of_hours(conn, layer)
    for statement in (_EMPTY, _ALL_HOURS, _ALL_DAYS, _ALL_LATEST):
        conn.execute(statement_of(layer, statement), {"preceding": preceding(layer)})


#: Steps of time over which values are summed up.
Step = Literal["hour", "day", "month"]


def summed(layer: Layer, step: Step, known: sql.Composable | None = None) -> sql.Composed:
    """SQL for what good values come to by a step: series, start, number, flagged, total, least, greatest.

    A month is that of its hydrologic days. known: the values (store/observations.py) of another time or release than
    now; they are summed up anew, and `preceding` is a parameter of the query.
    """
    if known is None:
        if step != "month":
            return sql.SQL("{}").format(observed_tables.hours(layer) if step == "hour" else observed_tables.days(layer))
        return sql.SQL(_MONTHLY).format(day=observed_tables.days(layer))
    hours = sql.SQL(_KNOWN_HOURS).format(
        known=known, series=observed_tables.series(layer), hour_of=sql.SQL(_HOUR_OF), sums=sql.SQL(_SUMS)
    )
    if step == "hour":
        return hours
    days = sql.SQL(_DAILY).format(hour=hours, day_of=sql.SQL(_DAY_OF))
    return days if step == "day" else sql.SQL(_MONTHLY).format(day=days)


def preceding(layer: Layer) -> list[str]:
    """The parameters whose values are over a period that ends at their time."""
    return [name for name, declared in layer.parameters.items() if declared.cell_method != "point"]


def statement_of(layer: Layer, text: str) -> sql.Composed:
    """A statement with the layer's tables in it, and the hour and the day that a value belongs to."""
    parts = observed_tables.names(layer)
    return sql.SQL(text).format(**parts, hour_of=sql.SQL(_HOUR_OF), day_of=sql.SQL(_DAY_OF), sums=sql.SQL(_SUMS))


def _ensure_months_of_hours(conn: Connection[Any], layer: Layer) -> None:
    months = conn.execute(statement_of(layer, _MONTHS), {"preceding": preceding(layer)}).fetchall()
    for year, month in months:
        observed_tables.ensure_month(conn, layer, year, month)


# A moment is the smallest step of time that the database knows.
_HOUR_OF = """date_trunc('hour',
    CASE WHEN s.parameter = ANY (%(preceding)s) THEN o.time - interval '1 microsecond' ELSE o.time END, 'UTC')"""

_DAY_OF = "date_trunc('day', start, 'UTC')"

_SUMS = """count(*) FILTER (WHERE o.quality = 0) AS number, count(*) FILTER (WHERE o.quality <> 0) AS flagged,
    sum(o.value) FILTER (WHERE o.quality = 0) AS total, min(o.value) FILTER (WHERE o.quality = 0) AS least,
    max(o.value) FILTER (WHERE o.quality = 0) AS greatest"""

_HOURS = """
    WITH touched AS MATERIALIZED (
        SELECT DISTINCT o.series, {hour_of} AS start,
            CASE WHEN s.parameter = ANY (%(preceding)s) THEN interval '1 microsecond' ELSE interval '0' END AS later
        FROM differing AS o JOIN {series} AS s ON s.id = o.series
    ), fresh AS MATERIALIZED (
        SELECT t.series, t.start, f.*
        FROM touched AS t CROSS JOIN LATERAL (
            SELECT {sums} FROM {table} AS o
            WHERE o.series = t.series AND o.time >= t.start + t.later AND o.time < t.start + t.later + interval '1 hour'
        ) AS f
    ), gone AS (
        DELETE FROM {hour} AS h USING fresh AS f
        WHERE f.number + f.flagged = 0 AND h.series = f.series AND h.start = f.start
    )
    INSERT INTO {hour} (series, start, number, flagged, total, least, greatest)
    SELECT series, start, number, flagged, total, least, greatest FROM fresh WHERE number + flagged > 0
    ON CONFLICT (series, start) DO UPDATE SET (number, flagged, total, least, greatest)
        = (excluded.number, excluded.flagged, excluded.total, excluded.least, excluded.greatest)
"""

_DAYS = """
    WITH touched AS MATERIALIZED (
        SELECT DISTINCT series, {day_of} AS start
        FROM (SELECT o.series, {hour_of} AS start FROM differing AS o JOIN {series} AS s ON s.id = o.series) AS hours
    ), fresh AS MATERIALIZED (
        SELECT t.series, t.start, f.*
        FROM touched AS t CROSS JOIN LATERAL (
            SELECT sum(number) AS number, sum(flagged) AS flagged, sum(total) AS total, min(least) AS least,
                max(greatest) AS greatest
            FROM {hour} AS h
            WHERE h.series = t.series AND h.start >= t.start AND h.start < t.start + interval '1 day'
        ) AS f
    ), gone AS (
        DELETE FROM {day} AS d USING fresh AS f
        WHERE f.number IS NULL AND d.series = f.series AND d.start = f.start
    )
    INSERT INTO {day} (series, start, number, flagged, total, least, greatest)
    SELECT series, start, number, flagged, total, least, greatest FROM fresh WHERE number IS NOT NULL
    ON CONFLICT (series, start) DO UPDATE SET (number, flagged, total, least, greatest)
        = (excluded.number, excluded.flagged, excluded.total, excluded.least, excluded.greatest)
"""

_LATEST = """
    INSERT INTO {latest} (series, time, value, quality, origin)
    SELECT t.series, o.time, o.value, o.quality, o.origin
    FROM (SELECT DISTINCT series FROM differing) AS t CROSS JOIN LATERAL (
        SELECT time, value, quality, origin FROM {table} AS o WHERE o.series = t.series ORDER BY time DESC LIMIT 1
    ) AS o
    ON CONFLICT (series) DO UPDATE SET (time, value, quality, origin, changed_in)
        = (excluded.time, excluded.value, excluded.quality, excluded.origin, excluded.changed_in)
"""

_KNOWN_HOURS = """(
    SELECT o.series, {hour_of} AS start, {sums}
    FROM {known} AS o JOIN {series} AS s ON s.id = o.series GROUP BY 1, 2
)"""

_DAILY = """(
    SELECT series, {day_of} AS start, sum(number) AS number, sum(flagged) AS flagged, sum(total) AS total,
        min(least) AS least, max(greatest) AS greatest
    FROM {hour} AS hours GROUP BY 1, 2
)"""

_MONTHLY = """(
    SELECT series, date_trunc('month', start, 'UTC') AS start, sum(number) AS number, sum(flagged) AS flagged,
        sum(total) AS total, min(least) AS least, max(greatest) AS greatest
    FROM {day} AS days GROUP BY 1, 2
)"""

_NO_LATEST = """
    DELETE FROM {latest} AS l
    WHERE l.series IN (SELECT series FROM differing WHERE value IS NULL)
        AND NOT EXISTS (SELECT FROM {table} AS o WHERE o.series = l.series)
"""

_MONTHS = """
    SELECT DISTINCT extract(year FROM start)::int, extract(month FROM start)::int
    FROM (
        SELECT DISTINCT {hour_of} AT TIME ZONE 'UTC' AS start FROM {table} AS o JOIN {series} AS s ON s.id = o.series
    ) AS hours
"""

_EMPTY = "TRUNCATE {hour}, {day}, {latest}"

_ALL_HOURS = """
    INSERT INTO {hour} (series, start, number, flagged, total, least, greatest)
    SELECT o.series, {hour_of} AS start, {sums}
    FROM {table} AS o JOIN {series} AS s ON s.id = o.series GROUP BY 1, 2
"""

_ALL_DAYS = """
    INSERT INTO {day} (series, start, number, flagged, total, least, greatest)
    SELECT series, {day_of}, sum(number), sum(flagged), sum(total), min(least), max(greatest) FROM {hour} GROUP BY 1, 2
"""

_ALL_LATEST = """
    INSERT INTO {latest} (series, time, value, quality, origin)
    SELECT s.id, o.time, o.value, o.quality, o.origin
    FROM {series} AS s CROSS JOIN LATERAL (
        SELECT time, value, quality, origin FROM {table} AS o WHERE o.series = s.id ORDER BY time DESC LIMIT 1
    ) AS o
"""
