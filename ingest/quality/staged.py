"""Rules over many rows that the database answers: no value twice, and references that lead somewhere.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from shikong.ingest.quality.findings import Finding
from shikong.layers import rules
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.rules import Severity
from shikong.store import tables
from shikong.store.publish import Mode, staging_table

_DUPLICATES = """
    SELECT s._source_row, s.{key}::text, concat_ws(', ', {told}), st_asbinary(s.geom)
    FROM (
        SELECT *, row_number() OVER (PARTITION BY {columns} ORDER BY _source_row) AS _nth
        FROM {staged} WHERE {known}
    ) AS s
    WHERE s._nth > 1
"""

_TAKEN = """
    SELECT s._source_row, s.{key}::text, concat_ws(', ', {told}), st_asbinary(s.geom)
    FROM {staged} AS s
    WHERE EXISTS (
        SELECT FROM {table} AS c
        WHERE {same} AND c.{key} <> s.{key} AND NOT EXISTS (SELECT FROM {staged} AS n WHERE n.{key} = c.{key})
    )
"""

_DANGLING = """
    SELECT s._source_row, s.{key}::text, s.{field}::text, st_asbinary(s.geom)
    FROM {staged} AS s
    WHERE s.{field} IS NOT NULL AND NOT EXISTS (SELECT FROM {target} AS t WHERE t.{to} = s.{field})
"""


def check(conn: Connection[Any], catalog: Catalog, layer: Layer, mode: Mode) -> Iterator[Finding]:
    """Findings of the layer's `unique` and `references` rules among the staged rows."""
    for rule in layer.quality:
        if isinstance(rule, rules.Unique):
            yield from _duplicates(conn, layer, list(rule.fields), rule.rule, rule.severity, ", ".join(rule.fields))
            if mode == "update":
                yield from _taken(conn, layer, rule)
        elif isinstance(rule, rules.References):
            yield from _dangling(conn, catalog, layer, rule)


def _duplicates(
    conn: Connection[Any], layer: Layer, names: list[str], rule: str, severity: Severity, field: str
) -> Iterator[Finding]:
    query = sql.SQL(_DUPLICATES).format(
        key=sql.Identifier(layer.key_field),
        told=_columns("s", names),
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        known=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in names),
        staged=staging_table(layer),
    )
    for row, key, value, shape in conn.execute(query):
        yield Finding(row, rule, field, value, severity, key, shape)


def _taken(conn: Connection[Any], layer: Layer, rule: rules.Unique) -> Iterator[Finding]:
    """Values that a row has which stays beside the delivered ones."""
    same = sql.SQL(" AND ").join(sql.SQL("c.{name} = s.{name}").format(name=sql.Identifier(n)) for n in rule.fields)
    query = sql.SQL(_TAKEN).format(
        key=sql.Identifier(layer.key_field), told=_columns("s", list(rule.fields)), same=same,
        staged=staging_table(layer), table=tables.table(layer),
    )  # fmt: skip
    for row, key, value, shape in conn.execute(query):
        yield Finding(row, rule.rule, ", ".join(rule.fields), value, rule.severity, key, shape)


def _dangling(conn: Connection[Any], catalog: Catalog, layer: Layer, rule: rules.References) -> Iterator[Finding]:
    target = catalog.layer(rule.layer)
    tables.ensure(conn, target)
    own = rule.layer == layer.id  # a layer may refer to itself: then to what is being delivered
    query = sql.SQL(_DANGLING).format(
        key=sql.Identifier(layer.key_field), field=sql.Identifier(rule.field), to=sql.Identifier(rule.to),
        staged=staging_table(layer), target=staging_table(layer) if own else tables.table(target),
    )  # fmt: skip
    for row, key, value, shape in conn.execute(query):
        yield Finding(row, rule.rule, rule.field, f"{value} is not in {rule.layer}", rule.severity, key, shape)


def _columns(alias: str, names: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("{}.{}::text").format(sql.Identifier(alias), sql.Identifier(n)) for n in names)
