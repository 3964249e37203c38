"""Which rows of a layer a session may see: one rule, in the database's words and in Python's.

A session carries its principal's roles (`shikong.roles`, set by store/database.py), and the condition that is put on a
layer's rows looks at these, so that no query can forget for whom it runs. Without roles nothing is seen.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from psycopg import sql

from shikong.layers.model import Layer
from shikong.store.principal import Principal

#: The role of the service's commands, and of who may dismiss jobs over HTTP.
OPERATOR = "operator"

#: Roles of those who run the service: its commands and its workers.
SERVICE = (OPERATOR, "worker")

_ROLES = "string_to_array(current_setting('shikong.roles', true), ',')"


def reads(layer: Layer, principal: Principal) -> Literal["all", "own", "nothing"]:
    """How much of a layer a principal may read."""
    if layer.access.public or {*_readers(layer)} & {*principal.roles}:
        return "all"
    rows = layer.access.rows
    owns = rows is not None and any(role.startswith(f"{rows.role}-") for role in principal.roles)
    return "own" if owns else "nothing"


def owns(layer: Layer, principal: Principal, values: Mapping[str, Any]) -> bool:
    """Whether a row of these values is one that a principal, who may write some rows of the layer, may leave there."""
    rows = layer.access.rows
    if rows is None or reads(layer, principal) == "all":
        return True
    owners = {layer.access.owner(name) for name in str(values[rows.field] or "").split(",")}
    return owners <= {*principal.roles}


def condition(layer: Layer) -> sql.Composable | None:
    """SQL for the condition that a session may see a row; None where everyone sees all."""
    if layer.access.public:
        return None
    allowed: sql.Composable = sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(sql.Literal, _readers(layer))))
    if rows := layer.access.rows:
        allowed = sql.SQL("({} || ARRAY(SELECT {} || owner FROM unnest(string_to_array({}, ',')) AS owner))").format(
            allowed, sql.Literal(f"{rows.role}-"), sql.Identifier(rows.field)
        )
    return sql.SQL("coalesce({} && {}, false)").format(sql.SQL(_ROLES), allowed)


def seen(layer: Layer, rows: sql.Composable) -> sql.Composable:
    """SQL for those of some rows of a layer that the session may see, to stand in FROM."""
    may_see = condition(layer)
    if may_see is None:
        return rows
    return sql.SQL("(SELECT * FROM {} AS unseen WHERE {})").format(rows, may_see)


def _readers(layer: Layer) -> tuple[str, ...]:
    return (layer.access.read, layer.access.write, *SERVICE)
