"""What makes two rows the same: a digest of a row's content, whoever computes it and wherever.

The digest leaves out when a row holds, so that a snapshot of another date that tells the same is the
same; it leaves out derived values, which follow from the geometry, and values that are missing, so that
declaring a field later changes no digest.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shikong.layers.model import Layer


def content_fields(layer: Layer) -> list[str]:
    """The columns whose values make up a row's content, besides its geometry."""
    return [*(name for name, decl in layer.fields.items() if decl.derived is None), "origin"]


def digests(layer: Layer, values: Mapping[str, Sequence[Any]], wkb: Sequence[bytes]) -> list[bytes]:
    """The digest of each row, 16 bytes.

    values: column -> value per row, at least the content fields. wkb: the geometry of each row as it is stored
    (EWKB, EPSG:4490).
    """
    columns = [_labelled(name, values[name]) for name in content_fields(layer)]
    return [hashlib.md5(b"".join(row), usedforsecurity=False).digest() for row in zip(*columns, wkb, strict=True)]


def state(digest: uuid.UUID, valid_from: datetime | None, valid_to: datetime | None) -> str:
    """What tells a feature's present state from every other: its content's digest, and since and until when it holds.

    valid_from, valid_to: None where the layer has no valid time.
    """
    times = "".join("/" if time is None else f"/{time.astimezone(UTC).isoformat()}" for time in (valid_from, valid_to))
    return hashlib.md5(digest.bytes + times.encode(), usedforsecurity=False).hexdigest()


def _labelled(name: str, column: Sequence[Any]) -> list[bytes]:
    """A column's values with its name, as bytes; nothing where a value is missing."""
    label = b"\x1f" + name.encode() + b"\x1e"
    known: dict[Any, bytes] = {None: b""}  # many columns have few values
    found = []
    for value in column:
        text = known.get(value)
        if text is None:
            text = label + _text(value).encode()
            if len(known) < _REMEMBERED:
                known[value] = text
        found.append(text)
    return found


_REMEMBERED = 1000


def _text(value: Any) -> str:
    """A value as text that is the same for equal values, whatever the time zone."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float):
        return repr(value + 0.0)  # -0.0 is 0.0
    return str(value)
