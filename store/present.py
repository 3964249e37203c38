"""Features as they hold now, with all that is stored of them, for whoever is about to change them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import access, content, tables


@dataclass(frozen=True)
class Present:
    """A feature that holds now.

    state: tells this state from every other (store/content.py). values: the layer's fields and `origin`.
    geom: WKB in EPSG:4490. valid_from, valid_to: None where the layer has no valid time, and where no end is planned.
    """

    key: Any
    state: str
    values: dict[str, Any]
    geom: bytes
    valid_from: datetime | None
    valid_to: datetime | None


def features(conn: Connection[Any], layer: Layer, keys: Sequence[Any]) -> dict[Any, Present]:
    """Those of the features with these keys that hold now and that the session may see, by key."""
    names = [*layer.fields, "origin"]
    rows = conn.execute(
        sql.SQL(
            "SELECT {key}, _hash, {times}, st_asbinary(geom), {names} FROM {table} AS t WHERE {key} = ANY(%s) AND {now}"
        ).format(
            key=sql.Identifier(layer.key_field),
            times=sql.SQL("valid_from, valid_to" if layer.versioned else "NULL::timestamptz, NULL::timestamptz"),
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            table=access.seen(layer, tables.table(layer)),
            now=sql.SQL(_HOLDS_NOW if layer.versioned else "true"),
        ),
        (list(keys),),
    ).fetchall()
    return {
        key: Present(key, content.state(digest, start, end), dict(zip(names, values, strict=True)), geom, start, end)
        for key, digest, start, end, geom, *values in rows
    }


def keys(conn: Connection[Any], layer: Layer, wanted: Sequence[Any]) -> set[Any]:
    """Those of the keys that features have now, whoever may see them."""
    query = sql.SQL("SELECT {key} FROM {table} WHERE {key} = ANY(%s) AND {now}").format(
        key=sql.Identifier(layer.key_field), table=tables.table(layer),
        now=sql.SQL(_HOLDS_NOW if layer.versioned else "true"),
    )  # fmt: skip
    return {key for (key,) in conn.execute(query, (list(wanted),))}


# The transaction may have begun before the edit that it waited for.
_HOLDS_NOW = "valid_from <= clock_timestamp() AND (valid_to IS NULL OR valid_to > clock_timestamp())"
