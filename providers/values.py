"""Values that requests give for declared fields.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers.errors import BadParameter
from shikong.providers.items import Value


def _text(text: str) -> str:
    if "\0" in text:  # PostgreSQL has no place for it
        raise ValueError("has a NUL")
    return text


def _moment(text: str) -> datetime:
    """A time; one that gives no zone is the city's own."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(catalog.default().city.timezone))


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "string": (_text, "text without NUL characters"),
    "integer": (int, "a whole number"),
    "number": (_number, "a number"),
    "boolean": (_boolean, "true or false"),
    "date": (date.fromisoformat, "a date like 2024-12-31"),
    "datetime": (_moment, "a time like 2024-12-31T08:00:00+08:00"),
}


def parse_value(layer: Layer, name: str, text: str) -> Value:
    """A request's text as a value of the field's type. Raises BadParameter."""
    kind = layer.fields[name].type if name in layer.fields else "datetime" if name.startswith("valid_") else "string"
    reader, expected = _READERS[kind]
    try:
        return reader(text)  # type: ignore[no-any-return]
    except (ValueError, KeyError) as error:
        raise BadParameter(name, f"{text!r} is not {expected}", [expected]) from error
