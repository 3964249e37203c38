"""Whether the service can answer, for operators and load balancers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

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
    empty = [layer.id for layer in context.catalog if layer.kind != "records" and layer.id not in releases]
    return 200, report | {"status": "ok", "database": "ok", "layers_published": len(releases), "layers_empty": empty}
