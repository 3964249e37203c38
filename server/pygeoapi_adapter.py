"""Where pygeoapi's handlers run: in a thread that carries the request's context, errors made ours.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from pygeoapi.api import APIRequest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.server import errors
from shikong.server.context import Context

Handler = Callable[..., tuple[dict[str, str], int, Any]]


async def run(
    context: Context, request: Request, handler: Handler, *args: Any, check_format: bool = True
) -> Response:
    """Answer a request with one of pygeoapi's handlers."""
    api_request = await APIRequest.from_starlette(request, context.api.locales)
    if check_format and not api_request.is_valid():
        headers, status, content = context.api.get_format_exception(api_request)
    else:
        headers, status, content = await run_in_threadpool(handler, context.api, api_request, *args)
    return _response(request, headers, HTTPStatus(status), content)


def _response(request: Request, headers: dict[str, str], status: HTTPStatus, content: Any) -> Response:
    if status >= HTTPStatus.BAD_REQUEST and "html" not in headers.get("Content-Type", ""):
        return errors.respond(request, _as_problem(status, content))
    if isinstance(content, dict | list):
        content = orjson.dumps(content)
    headers = {name: value for name, value in headers.items() if name != "X-Powered-By"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = errors.RETRY_AFTER["ServiceUnavailable"]
    return Response(b"" if status == HTTPStatus.NO_CONTENT else content, status_code=status, headers=headers)


def _as_problem(status: HTTPStatus, content: Any) -> dict[str, Any]:
    """pygeoapi's exception document as a problem document."""
    try:
        told = orjson.loads(content)
        return errors.problem(status, str(told["code"]), str(told["description"]))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return errors.problem(status, "NoApplicableCode", str(content))
