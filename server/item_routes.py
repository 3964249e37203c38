"""What lies below a feature: where it comes from, its versions, steps and files.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shikong.layers.model import Layer
from shikong.providers.errors import NotFound
from shikong.server import lineage, versions, workflows
from shikong.server.context import Context

#: How features are edited.
EDITING = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

_Answer = Callable[[Context, Request, Layer], Awaitable[Response]]

_READING = ("GET", "HEAD")

#: Who answers, and by which methods.
_BELOW: dict[str, tuple[_Answer, tuple[str, ...]]] = {
    "/lineage": (lineage.get_lineage, _READING),
    "/versions": (versions.get_time_map, _READING),
    "/steps": (workflows.get_steps, _READING),
    "/attachments": (workflows.get_attachments, (*_READING, "POST")),
    "/attachments/{attachment}": (workflows.get_attachment, _READING),
}


def routes(context: Context, layer_of: Callable[[Request], Layer]) -> list[Route]:
    """The routes. layer_of: the layer that a path names."""

    def below(answer: _Answer, methods: tuple[str, ...]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if request.method not in methods:  # what edits would else be taken for the edit of a feature of such an id
                raise HTTPException(405, headers={"Allow": ", ".join(methods)})
            return await answer(context, request, with_items(layer_of(request), str(request.path_params["item_id"])))

        return endpoint

    item = "/collections/{collection_id}/items/{item_id:path}"
    return [Route(f"{item}{tail}", below(*who), methods=["GET", *EDITING]) for tail, who in _BELOW.items()]


def with_items(layer: Layer, item: str = "") -> Layer:
    """The layer, if it has features, and if the id of one can be that of a feature. Raises NotFound."""
    if layer.kind != "features":
        raise NotFound(f"{layer.id} has no items: it is of kind {layer.kind}")
    if "\0" in item:  # PostgreSQL has no place for it
        raise NotFound(f"{layer.id} has no feature {item!r}: an id has no NUL character")
    return layer
