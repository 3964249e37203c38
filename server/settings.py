"""How the server listens, read from the environment when asked.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

#: Whether features can be edited: not; by those whose role may; by everyone, who must say which state they have read;
#: by everyone, even so.
Editing = Literal["off", "roles", "open", "unlocked"]


@dataclass(frozen=True)
class ServerSettings:
    """The server's own settings.

    host, port: where it listens (SHIKONG_HOST, SHIKONG_PORT; loopback 5000 unless said).
    url: the address that links carry (SHIKONG_URL), needed behind a proxy.
    workers: server processes (SHIKONG_WORKERS).
    config: pygeoapi's configuration (PYGEOAPI_CONFIG).
    exports: exports that one server process runs at a time (SHIKONG_EXPORTS); more are told to come back.
    export_timeout: seconds that the database may take for each batch of an export (SHIKONG_EXPORT_TIMEOUT).
    tile_memory: megabytes of tiles that one server process keeps in memory (SHIKONG_TILE_MEMORY_MB).
    editing: who may edit features (SHIKONG_EDITING): nobody (`off`), those who are signed in with the role that
        the layer asks for (`roles`), everyone (`open`), or everyone and without saying by If-Match what they have read
        (`unlocked`), for clients that cannot. With `roles` If-Match is taken, not asked for: QGIS cannot send it, and
        it is known who has changed what.
    """

    host: str
    port: int
    url: str
    workers: int
    config: Path
    exports: int
    export_timeout: float
    tile_memory: int = 64
    editing: Editing = "off"


def from_env() -> ServerSettings:
    """The settings as the environment has them now."""
    host = os.environ.get("SHIKONG_HOST") or "127.0.0.1"
    port = int(os.environ.get("SHIKONG_PORT") or 5000)
    editing = os.environ.get("SHIKONG_EDITING") or "off"
    if editing not in get_args(Editing):
        raise ValueError(f"SHIKONG_EDITING is {editing!r}; it must be one of {', '.join(get_args(Editing))}")
    return ServerSettings(
        host=host,
        port=port,
        url=(os.environ.get("SHIKONG_URL") or f"http://{host}:{port}").rstrip("/"),
        workers=int(os.environ.get("SHIKONG_WORKERS") or 1),
        config=Path(os.environ.get("PYGEOAPI_CONFIG") or "pygeoapi-config.yml").resolve(),
        exports=int(os.environ.get("SHIKONG_EXPORTS") or 4),
        export_timeout=float(os.environ.get("SHIKONG_EXPORT_TIMEOUT") or 600),
        tile_memory=int(os.environ.get("SHIKONG_TILE_MEMORY_MB") or 64),
        editing=editing,  # type: ignore[arg-type]
    )
