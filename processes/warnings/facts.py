"""What the rules look at, as the database has it: stations with their limits, and what came lately.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.warning_rules import WarningRules, duration
from shikong.processes.warnings.engine import Series
from shikong.store import observations, observed_tables, tables


@dataclass(frozen=True)
class Facts:
    """Series of stations up to a time. generated: the stations some of whose values are generated."""

    observed: dict[str, dict[str, Series]]
    generated: frozenset[str]


def rules_of(city: Catalog) -> WarningRules:
    """The city's rules for warnings."""
    assert city.warning_rules is not None, "layers/warning_rules.yml is missing"
    return city.warning_rules


def stations_layer(city: Catalog) -> Layer:
    """The layer of the stations that the rules look at."""
    return city.layer(city.layer(rules_of(city).layer).stations or "")


def stations(conn: Connection[Any], city: Catalog) -> dict[str, dict[str, Any]]:
    """The stations by their codes: their fields, their place (lon, lat), and names of groups (`name_of`)."""
    layer = stations_layer(city)
    names = list(layer.fields)
    query = sql.SQL("SELECT {}, origin, st_x(geom), st_y(geom) FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), tables.table(layer)
    )
    rows = [dict(zip([*names, "origin", "lon", "lat"], row, strict=True)) for row in conn.execute(query)]
    for rule in rules_of(city).joint.values():
        if rule.names is not None:
            named = _names(conn, city.layer(rule.names.layer), rule.names.field)
            for row in rows:
                row[name_of(rule.by)] = named.get(row[rule.by])
    return {row[layer.key_field]: row for row in rows}


def name_of(field: str) -> str:
    """Where a station has the name of the group that a field puts it into."""
    return f"name of {field}"


def _names(conn: Connection[Any], layer: Layer, field: str) -> dict[str, str]:
    """The names of a layer's features by their keys."""
    query = sql.SQL("SELECT {}, {} FROM {}").format(
        sql.Identifier(layer.key_field), sql.Identifier(field), tables.table(layer)
    )
    return dict(conn.execute(query).fetchall())


def windows(rules: WarningRules) -> dict[str, timedelta]:
    """How far back each parameter is looked at."""
    found: dict[str, timedelta] = {}
    for rule in rules.rules.values():
        reach = rule.measured.window + duration(rules.stale)
        for name in rule.measured.parameter:
            found[name] = max(found.get(name, reach), reach)
    return found


def read(
    conn: Connection[Any], city: Catalog, wanted: Iterable[str] | None, start: datetime, end: datetime,
    known_at: datetime | None = None,
) -> Facts:  # fmt: skip
    """The good values of stations (None: of all) up to `end`, from as far before `start` as the rules look.

    known_at: as they were known at a time; None is now.
    """
    rules = rules_of(city)
    layer, reach = city.layer(rules.layer), windows(rules)
    table = tables.table(layer) if known_at is None else observations.known_at(layer, sql.SQL("%(known_at)s"))
    query = sql.SQL(_VALUES).format(table=table, series=observed_tables.series(layer))
    params = {
        "stations": None if wanted is None else list(wanted), "parameters": list(reach),
        "reach": list(reach.values()), "start": start, "end": end, "known_at": known_at,
    }  # fmt: skip
    observed: dict[str, dict[str, Series]] = {}
    generated = set()
    for station, parameter, times, values, made_up in conn.execute(query, params):
        observed.setdefault(station, {})[parameter] = Series(np.array(times), np.array(values))
        if made_up:
            generated.add(station)
    return Facts(observed, frozenset(generated))


def changed(conn: Connection[Any], city: Catalog, since: int | None) -> tuple[set[str], int]:
    """The stations whose series have changed since a mark (None: all), and the mark for the next time."""
    row = conn.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
    assert row is not None
    query = sql.SQL(_CHANGED).format(**observed_tables.names(city.layer(rules_of(city).layer)))
    return {station for (station,) in conn.execute(query, {"since": since})}, int(row[0])


_CHANGED = """
    SELECT DISTINCT s.station FROM {latest} AS l JOIN {series} AS s ON s.id = l.series
    WHERE %(since)s::bigint IS NULL OR l.changed_in >= %(since)s
"""

_VALUES = """
    SELECT s.station, s.parameter, o.times, o.values, o.made_up
    FROM unnest(%(parameters)s::text[], %(reach)s::interval[]) AS w (parameter, reach)
    JOIN {series} AS s ON s.parameter = w.parameter
        AND (%(stations)s::text[] IS NULL OR s.station = ANY (%(stations)s))
    CROSS JOIN LATERAL (
        SELECT array_agg(extract(epoch FROM time)::float8 ORDER BY time) AS times,
            array_agg(value ORDER BY time) AS values, bool_or(origin = 'generated') AS made_up
        FROM {table} AS t
        WHERE t.series = s.id AND t.time > %(start)s - w.reach AND t.time <= %(end)s AND t.quality = 0
    ) AS o
    WHERE o.times IS NOT NULL
"""
