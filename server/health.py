"""Whether the service can answer, for operators and load balancers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starlette.concurrency import run_in_threadpool

from shikong.server.context import Context
from shikong.store.catalogue import NEWEST, published
from shikong.store.errors import StoreError


async def check(context: Context) -> tuple[int, dict[str, Any]]:
    """Status code and what works: 200 when the database answers, 503 when not."""
    report: dict[str, Any] = {"service": "shikong", "version": version("shikong")}
    try:
        releases = published(await context.database.fetch(NEWEST))
    except StoreError as error:
        return 503, report | {"status": "unavailable", "database": str(error)}
    await run_in_threadpool(context.tiles.files.writable)
    fault = context.tiles.files.fault
    tiles = {"tile_cache": f"no tiles are kept: it {fault}" if fault else "ok"}
    told = "ok" if context.metadata.listening else "not heard of when they commit; asked for with each tile"
    delivered = [layer for layer in context.catalog if layer.kind != "records" and layer.workflow is None]
    empty = [layer.id for layer in delivered if layer.id not in releases]
    return 200, report | {
        "status": "ok",
        "database": "ok",
        "releases": told,
        **tiles,
        "layers_published": len(releases),
        "layers_empty": empty,
    }
