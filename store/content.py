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

import pyarrow as pa
import pyarrow.compute as pc

from shikong.layers.model import Layer


def content_fields(layer: Layer) -> list[str]:
    """The columns whose values make up a row's content, besides its geometry."""
    return [*(name for name, decl in layer.fields.items() if decl.derived is None), "origin"]


def digests(layer: Layer, values: Mapping[str, Sequence[Any]], wkb: pa.Array) -> list[bytes]:
    """The digest of each row, 16 bytes.

    values: column -> value per row, at least the content fields. wkb: the geometry of each row as it is stored
    (EWKB, EPSG:4490; large_binary).
    """
    texts = {name for name, decl in layer.fields.items() if decl.type == "string"} | {"origin"}
    columns = [
        _labelled(name, values[name] if name in texts else [None if v is None else _text(v) for v in values[name]])
        for name in content_fields(layer)
    ]
    joined = pc.binary_join_element_wise(*columns, wkb, pa.scalar(b"", pa.large_binary()))
    return [hashlib.md5(row, usedforsecurity=False).digest() for row in joined.to_pylist()]


def state(digest: uuid.UUID, valid_from: datetime | None, valid_to: datetime | None) -> str:
    """What tells a feature's present state from every other: its content's digest, and since and until when it holds.

    valid_from, valid_to: None where the layer has no valid time.
    """
    times = "".join("/" if time is None else f"/{time.astimezone(UTC).isoformat()}" for time in (valid_from, valid_to))
    return hashlib.md5(digest.bytes + times.encode(), usedforsecurity=False).hexdigest()


def _labelled(name: str, texts: Sequence[str | None]) -> pa.Array:
    """A column's texts with its name, as bytes; nothing where one is missing."""
    label = pa.scalar(f"\x1f{name}\x1e", pa.large_string())
    labelled = pc.binary_join_element_wise(label, pa.array(texts, pa.large_string()), pa.scalar("", pa.large_string()))
    return pc.fill_null(labelled, "").cast(pa.large_binary())


def _text(value: Any) -> str:
    """A value as text that is the same for equal values, whatever the time zone."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float):
        return repr(value + 0.0)  # -0.0 is 0.0
    return str(value)
