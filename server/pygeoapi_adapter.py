"""Where pygeoapi's handlers run: in a thread that carries the request's context, errors made ours.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from pygeoapi.api import APIRequest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.server.context import Context

Handler = Callable[..., tuple[dict[str, str], int, Any]]


async def run(context: Context, request: Request, handler: Handler, *args: Any, formats: tuple[str, ...]) -> Response:
    """Answer a request with one of pygeoapi's handlers. formats: those that the resource has, the default first."""
    api_request = await APIRequest.from_starlette(request, context.api.locales)
    if api_request.format not in formats:  # what Accept names may be a format that pygeoapi knows elsewhere only
        api_request._format = formats[0]
    headers, status, content = await run_in_threadpool(handler, context.api, api_request, *args)
    return _response(headers, status, content)


def _response(headers: dict[str, str], status: int, content: Any) -> Response:
    if isinstance(content, dict | list):
        content = orjson.dumps(content)
    headers = {name: value for name, value in headers.items() if name != "X-Powered-By"}
    return Response(content, status_code=status, headers=headers)
