"""Executing a process: pygeoapi describes processes, but its execution would tell clients raw errors.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.processes.base import BadInput, Process
from shikong.providers.errors import NotFound
from shikong.server.asked import ONLY_JSON
from shikong.server.context import Context

#: Bytes that a request may have: inputs are questions, of which the largest is a site in a file.
MAX_BODY = 4_000_000


async def execute(context: Context, request: Request) -> Response:
    """Run a process and answer with its result. Raises NotFound, BadInput."""
    ONLY_JSON.check(request.query_params)
    identifier = request.path_params["process_id"]
    known = context.api.manager.processes
    if identifier not in known:
        raise NotFound(f"there is no process {identifier!r}; there are: {', '.join(known)}")
    processor: Process = context.api.manager.get_processor(identifier)
    inputs = processor.checked(_inputs(await request.body()))
    answer = await run_in_threadpool(processor.answer, inputs)
    return Response(orjson.dumps(answer), media_type="application/json")


def _inputs(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BODY:
        raise BadInput("body", f"is larger than {MAX_BODY:,} bytes")
    if not body.strip():
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput("body", f"is not JSON: {error}") from error
    inputs = document.get("inputs", {}) if isinstance(document, dict) else None
    if not isinstance(inputs, dict):
        raise BadInput("body", 'must be an object like {"inputs": {"lon": 115.98, "lat": 36.45}}')
    return inputs
