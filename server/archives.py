"""Archives of tiles (PMTiles, MBTiles), written by the operator and given out with range requests.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from shikong.providers.errors import NotFound
from shikong.server import asked
from shikong.server.context import Context

#: Media types by suffix.
SUFFIXES = {".pmtiles": "application/vnd.pmtiles", ".mbtiles": "application/vnd.sqlite3"}


def folder(data: Path) -> Path:
    """Where they lie below the data folder."""
    return data / "archives"


async def get_archives(context: Context, request: Request) -> Response:
    """All of them."""
    asked.ONLY_JSON.check(request.query_params)
    found = await run_in_threadpool(_listed, folder(context.database.settings.data))
    return JSONResponse({
        "archives": [
            {
                "id": path.name, "size": size, "updated": written.isoformat(),
                "links": [{
                    "rel": "enclosure", "type": SUFFIXES[path.suffix], "title": path.name,
                    "href": f"{context.base_url}/archives/{path.name}",
                }],
            }
            for path, size, written in found
        ],
        "links": [{"rel": "self", "type": "application/json", "title": "archives of tiles",
                   "href": f"{context.base_url}/archives"}],
    })  # fmt: skip


async def get_archive(context: Context, request: Request) -> Response:
    """One of them, or parts of it. Raises NotFound."""
    asked.ONLY_JSON.check(request.query_params)
    found = await run_in_threadpool(_listed, folder(context.database.settings.data))
    names = {path.name: path for path, _, _ in found}
    path = names.get(request.path_params["archive"])
    if path is None:
        raise NotFound(f"there is no archive {request.path_params['archive'][:80]!r}; there are: {', '.join(names)}")
    # An archive is replaced as a whole; readers that have begun with one ask with its tag.
    return FileResponse(path, media_type=SUFFIXES[path.suffix], headers={"Cache-Control": "public, no-cache"})


def _listed(folder: Path) -> list[tuple[Path, int, datetime]]:
    if not folder.is_dir():
        return []
    files = [path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES and not path.name.startswith(".")]
    told = ((path, path.stat()) for path in files)
    return [(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC)) for path, status in told]
