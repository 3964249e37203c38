"""What refers to features that are edited: nothing may be left behind that refers to what is not there any more.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import Connection, sql

from shikong.ingest.edit_errors import StillReferred
from shikong.layers import rules
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import tables
from shikong.store.present import Present

#: Referring features that a refusal names.
_NAMED = 3

_LEFT_BEHIND = """
    SELECT r.{field}, (array_agg(r.{key}::text ORDER BY r.{key}))[1:{named}], count(*)
    FROM {referring} AS r
    WHERE r.{field} = ANY (%(values)s) AND NOT EXISTS (SELECT FROM {target} AS t WHERE t.{to} = r.{field})
    GROUP BY r.{field}
"""


def referring(catalog: Catalog, layer: Layer) -> Iterator[tuple[Layer, rules.References]]:
    """The layers that may not refer to what a layer has not, each with its rule."""
    for other in (each for each in catalog if each.kind == "features"):
        for rule in other.quality:
            if isinstance(rule, rules.References) and rule.layer == layer.id and rule.severity != "warning":
                yield other, rule


def left_behind(
    conn: Connection[Any], catalog: Catalog, layer: Layer, before: Mapping[int, Present]
) -> dict[int, StillReferred]:
    """Why operations cannot stay done, by their numbers. before: the features that they changed or ended, as they
    were; the layer's table holds what they have become."""
    found: dict[int, StillReferred] = {}
    for other, rule in referring(catalog, layer):
        query = sql.SQL(_LEFT_BEHIND).format(
            field=sql.Identifier(rule.field), key=sql.Identifier(other.key_field), to=sql.Identifier(rule.to),
            referring=tables.table(other), target=tables.table(layer), named=sql.Literal(_NAMED),
        )  # fmt: skip
        values = [known.values[rule.to] for known in before.values() if known.values[rule.to] is not None]
        told = {value: (keys, number) for value, keys, number in conn.execute(query, {"values": values})}
        for number, known in before.items():
            if (lost := known.values[rule.to]) in told:
                keys, count = told[lost]
                named = ", ".join(keys) + (f" and {count - len(keys)} more" if count > len(keys) else "")
                found[number] = StillReferred(
                    f"{layer.id} {known.key} is referred to by {other.id} {named} ({rule.field} = {lost}); change or "
                    "delete these first, or with it in one transaction"
                )
    return found
