"""Executing a process: pygeoapi describes processes, but its execution would tell clients raw errors.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import Any

import orjson
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from shikong.processes.base import JSON, BadInput, Process, Rendering
from shikong.providers.errors import NotFound
from shikong.server.asked import EXECUTION
from shikong.server.context import Context
from shikong.server.profiles import language
from shikong.store.errors import Busy

#: Bytes that a request may have: inputs are questions, of which the largest is a site in a file.
MAX_BODY = 4_000_000

#: Questions of one process that may wait, in one server process; more are told to come back.
MAX_WAITING = 64


async def execute(context: Context, request: Request) -> Response:
    """Run a process and answer with its result. Raises NotFound, BadParameter, BadInput."""
    identifier = request.path_params["process_id"]
    known = context.api.manager.processes
    if identifier not in known:
        raise NotFound(f"there is no process {identifier!r}; there are: {', '.join(known)}")
    processor: Process = context.api.manager.get_processor(identifier)
    replace(EXECUTION, formats=("json", *processor.renderings)).check(request.query_params)
    document = _document(await request.body())
    rendering = _rendering(processor, request.query_params.get("f"), document.get("outputs", {}))
    inputs = processor.checked(_inputs(document))
    if _at_once(identifier).statistics().tasks_waiting >= MAX_WAITING:
        raise Busy(f"{identifier} is asked for by more than it can answer; ask again in a while")
    answer = await to_thread.run_sync(processor.answer, inputs, limiter=_at_once(identifier))
    if rendering is None:
        return Response(orjson.dumps(answer), media_type=JSON)
    told = language(context.api, request)
    name = f'inline; filename="{identifier}.{rendering.suffix}"'
    written = await to_thread.run_sync(rendering.write, answer, told, limiter=_at_once(identifier))
    headers = {"Content-Language": told, "Content-Disposition": name}
    return Response(written, media_type=rendering.media_type, headers=headers)


@cache
def _at_once(identifier: str) -> CapacityLimiter:
    """How many answers of a process are worked out at a time: as many as there are processors, and half as many again
    for those that wait for the database. More would only make each other late."""
    processors = os.cpu_count() or 2
    return CapacityLimiter(processors + max(1, processors // 2))


def _document(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BODY:
        raise BadInput("body", f"is larger than {MAX_BODY:,} bytes")
    if not body.strip():
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput("body", f"is not JSON: {error}") from error
    return document if isinstance(document, dict) else {"inputs": None}


def _inputs(document: dict[str, Any]) -> dict[str, Any]:
    inputs = document.get("inputs", {})
    if not isinstance(inputs, dict):
        raise BadInput("body", 'must be an object like {"inputs": {"lon": 115.98, "lat": 36.45}}')
    return inputs


def _rendering(processor: Process, form: str | None, outputs: Any) -> Rendering | None:
    """The form that is asked for, by `f` or else as the standard has it in the body; None is JSON. Raises BadInput."""
    if form is not None:
        return processor.renderings.get(form)
    answer = outputs.get("answer", {}) if isinstance(outputs, dict) else None
    wanted = answer.get("format", {}) if isinstance(answer, dict) else None
    if not isinstance(wanted, dict):
        raise BadInput("outputs", f'must be like {{"answer": {{"format": {{"mediaType": "{JSON}"}}}}}}')
    known = {each.media_type: each for each in processor.renderings.values()}
    media_type = wanted.get("mediaType", JSON)
    if media_type != JSON and media_type not in known:
        raise BadInput("outputs", f"{str(media_type)[:40]!r} is no form of this answer", (JSON, *known))
    return known.get(media_type)
