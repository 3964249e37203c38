"""Files that belong to features. They are written once.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store.errors import StoreError
from shikong.store.principal import current_principal

#: Bytes of one file, and files of one feature.
MAX_SIZE, MOST = 20_000_000, 50

#: What is taken, by suffix. A type that a browser would run is not among them.
MEDIA_TYPES = {
    ".pdf": "application/pdf", ".ofd": "application/ofd", ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".wps": "application/vnd.ms-works", ".txt": "text/plain", ".csv": "text/csv", ".png": "image/png",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".tif": "image/tiff", ".dwg": "image/vnd.dwg",
    ".dxf": "image/vnd.dxf", ".zip": "application/zip", ".geojson": "application/geo+json",
}  # fmt: skip

_ADD = """
    INSERT INTO shikong.attachment (layer, key, name, media_type, size, sha256, content, principal)
    VALUES (%(layer)s, %(key)s, %(name)s, %(media_type)s, %(size)s, %(sha256)s, %(content)s, %(principal)s)
    RETURNING key, id, name, media_type, size, encode(sha256, 'hex'), principal, attached_at
"""

#: The files of features (`layer`, `keys`) without their content.
OF_FEATURES = sql.SQL("""
    SELECT key, id, name, media_type, size, encode(sha256, 'hex'), principal, attached_at FROM shikong.attachment
    WHERE layer = %(layer)s AND key = ANY(%(keys)s) ORDER BY id
""")

#: Name, media type and content of one file of a feature (`layer`, `key`, `id`).
CONTENT = sql.SQL("""
    SELECT name, media_type, content FROM shikong.attachment
    WHERE layer = %(layer)s AND key = %(key)s AND id = %(id)s
""")


class NotAttached(StoreError):
    """The file cannot be attached; the message says why."""


@dataclass(frozen=True)
class Attachment:
    """A file of a feature."""

    key: str
    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    principal: str
    attached_at: datetime

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "id": self.id, "name": self.name, "type": self.media_type, "size": self.size, "sha256": self.sha256,
            "by": self.principal, "at": self.attached_at.isoformat(),
        }  # fmt: skip


def media_type(layer: Layer, name: str, size: int) -> str:
    """The media type of a file that may be attached. Raises NotAttached for one that may not."""
    if not layer.attachments:
        raise NotAttached(f"files cannot be attached to features of {layer.id}")
    if not name or len(name) > 200 or PurePath(name).name != name or any(ord(letter) < 32 for letter in name):
        raise NotAttached(f"{name[:40]!r} cannot be the name of a file: 1 to 200 letters, without folders")
    found = MEDIA_TYPES.get(PurePath(name).suffix.lower())
    if found is None:
        raise NotAttached(f"{name}: files of this kind are not taken; taken are {', '.join(MEDIA_TYPES)}")
    if not 0 < size <= MAX_SIZE:
        raise NotAttached(f"{name} has {size:,} bytes; a file has 1 to {MAX_SIZE:,}")
    return found


def add(conn: Connection[Any], layer: Layer, key: Any, name: str, content: bytes) -> Attachment:
    """Attach a file to a feature in the name of the current principal. Raises NotAttached."""
    kind = media_type(layer, name, len(content))
    if len(of_features(conn, layer, [key])) >= MOST:
        raise NotAttached(f"{layer.id} {key} has {MOST} files already; no more are taken")
    row = conn.execute(_ADD, {
        "layer": layer.id, "key": str(key), "name": name, "media_type": kind, "size": len(content),
        "sha256": hashlib.sha256(content).digest(), "content": content, "principal": current_principal.get().name,
    }).fetchone()  # fmt: skip
    assert row is not None
    return Attachment(*row)


def of_features(conn: Connection[Any], layer: Layer, keys: Sequence[Any]) -> list[Attachment]:
    """The files of features, in the order in which they came."""
    wanted = {"layer": layer.id, "keys": [str(key) for key in keys]}
    return [Attachment(*row) for row in conn.execute(OF_FEATURES, wanted)]
