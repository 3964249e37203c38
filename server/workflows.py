"""`/collections/{id}/items/{id}/steps`, `/attachments`: what a feature went through, and the files that belong to it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.ingest import workflows
from shikong.layers.model import Layer
from shikong.providers import items
from shikong.providers.errors import BadParameter, NotFound
from shikong.providers.items import Items
from shikong.server import access, asked
from shikong.server.asked import ATTACHMENTS, ONLY_JSON
from shikong.server.context import Context
from shikong.server.edit_errors import BodyTooLarge
from shikong.store import attachments, steps
from shikong.store.attachments import Attachment, NotAttached
from shikong.store.steps import Taken


async def get_steps(context: Context, request: Request, layer: Layer) -> Response:
    """The steps that a feature has taken, and those that the asker may take next. Raises NotFound."""
    ONLY_JSON.check(request.query_params)
    asked.require_layer(layer, "SteppedLayer", request.url.path)
    assert layer.workflow is not None
    item, values = await _visible(context, request, layer)
    taken = await context.database.fetch(steps.OF_FEATURES, {"layer": layer.id, "keys": [item]})
    document = {
        "id": item, "layer": layer.id, "state": values[layer.workflow.field],
        "steps": [steps.told(Taken(*row)) for row in taken],
        "next": [
            {"step": name, "to": step.to, "title": step.title.model_dump(), "sets": list(step.sets),
             "needs": list(step.needs)}
            for name, step in workflows.open_steps(layer, values).items()
        ],
    }  # fmt: skip
    return _json(document)


async def get_attachments(context: Context, request: Request, layer: Layer) -> Response:
    """The files of a feature; POST adds one, which is the body. Raises NotFound, NotAttached."""
    asked.require_layer(layer, "AttachedLayer", request.url.path)
    if request.method == "POST":
        return await _attach(context, request, layer)
    ONLY_JSON.check(request.query_params)
    item, _ = await _visible(context, request, layer)
    rows = await context.database.fetch(attachments.OF_FEATURES, {"layer": layer.id, "keys": [item]})
    return _json({"attachments": [_told(context, layer, item, Attachment(*row)) for row in rows]})


async def get_attachment(context: Context, request: Request, layer: Layer) -> Response:
    """One file of a feature. Raises NotFound."""
    ONLY_JSON.check(request.query_params)
    asked.require_layer(layer, "AttachedLayer", request.url.path)
    item, _ = await _visible(context, request, layer)
    number = request.path_params["attachment"]
    wanted = {"layer": layer.id, "key": item, "id": int(number) if number.isascii() and number.isdigit() else -1}
    rows = await context.database.fetch(attachments.CONTENT, wanted) if len(number) < 18 else []
    if not rows:
        raise NotFound(f"{layer.id} {item} has no file {number[:40]!r}")
    name, media_type, content = rows[0]
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache",
    }  # fmt: skip
    return Response(content, headers=headers, media_type=media_type)


async def _attach(context: Context, request: Request, layer: Layer) -> Response:
    ATTACHMENTS.check(request.query_params)
    access.require_editable(context, layer)
    item, values = await _visible(context, request, layer)
    if layer.workflow is not None and not layer.workflow.leaving(values[layer.workflow.field]):
        raise NotAttached(f"{layer.id} {item} is closed ({values[layer.workflow.field]}); nothing is added to it")
    name = request.query_params.get("name", "")
    if not name:
        raise BadParameter("name", "is missing", ["the file's name with its suffix, such as 意见.pdf"])
    content = await _body(request)

    def attach() -> Attachment:
        with context.database.thread_session() as conn:
            return attachments.add(conn, layer, item, name, content)

    told = _told(context, layer, item, await run_in_threadpool(attach))
    return _json(told, HTTPStatus.CREATED, {"Location": told["href"]})


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > attachments.MAX_SIZE:
            raise BodyTooLarge(f"a file has at most {attachments.MAX_SIZE:,} bytes")
        parts.append(part)
    return b"".join(parts)


async def _visible(context: Context, request: Request, layer: Layer) -> tuple[str, dict[str, Any]]:
    """A feature's id and properties. Raises NotFound where the asker may not see it, or it is not there."""
    item = request.path_params["item_id"]
    statement = items.one(layer, item, Items(1, geometry=False))
    rows = await context.database.fetch(statement.query, statement.params)
    if not rows:
        raise NotFound(f"{layer.id} has no feature {item!r} that you may see")
    return item, items.feature(statement, rows[0])["properties"]


def _told(context: Context, layer: Layer, item: str, attachment: Attachment) -> dict[str, Any]:
    base = f"{context.base_url}/collections/{layer.id}/items/{quote(item, safe='')}"
    return attachment.told() | {"href": f"{base}/attachments/{attachment.id}"}


def _json(document: dict[str, Any], status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    private = {"Cache-Control": "private, no-cache"} | (headers or {})
    return Response(orjson.dumps(document), status, private, media_type="application/json")
