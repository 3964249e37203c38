"""Cursors: where a page ends, in which sorting, and what the service knew when the first page was asked for.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from shikong.layers.model import Layer
from shikong.providers.errors import BadParameter
from shikong.providers.items import Sort, Statement, Value
from shikong.providers.values import parse_value


@dataclass(frozen=True)
class Cursor:
    """Where the next page begins.

    after: the sort values and the row number of the last feature before it. release: the layer's newest one when the
    first page was asked for. matched: how many features match in all, where that was found out then.
    """

    after: tuple[Value, ...]
    release: int
    matched: int | None


def encode(statement: Statement, row: tuple[Any, ...], release: int, matched: int | None) -> str:
    """The opaque `cursor` that continues after a row."""
    values = [*row[statement.tail :], release, -1 if matched is None else matched]
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def decode(layer: Layer, text: str, sort: tuple[Sort, ...]) -> Cursor:
    """The values in a `cursor`. Raises BadParameter when it is not one of ours for this sorting."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError) as error:
        raise BadParameter("cursor", "is not a cursor of this service; take it from a `next` link") from error
    if not isinstance(values, list) or len(values) != len(sort) + 3 or not all(map(_whole, values[-3:])):
        raise BadParameter("cursor", "belongs to another sorting; take it from a `next` link")
    for part, value in zip(sort, values, strict=False):
        if isinstance(value, list | dict):
            raise BadParameter("cursor", "is not a cursor of this service; take it from a `next` link")
        if value is not None:
            parse_value(layer, part.field, str(value).lower() if isinstance(value, bool) else str(value))
    return Cursor(tuple(values[:-2]), values[-2], values[-1] if values[-1] >= 0 else None)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -1 <= value < 2**63
