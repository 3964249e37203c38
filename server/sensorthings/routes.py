"""Where SensorThings is asked for.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from functools import partial

from starlette.routing import Route

from shikong.server.context import Context
from shikong.server.sensorthings import block


def routes(context: Context) -> list[Route]:
    """The routes."""
    return [
        Route(block.ROOT, partial(block.get_root, context), methods=["GET"]),
        Route(f"{block.ROOT}/{{resource:path}}", partial(block.get_resource, context), methods=["GET"]),
    ]
