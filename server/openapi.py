"""`/openapi`: what the service can do, as a document and as a page to try it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.catalog import Catalog
from shikong.providers.errors import BadParameter
from shikong.server import asked
from shikong.server.context import Context
from shikong.server.contract import document
from shikong.server.errors import wants_html
from shikong.server.settings import Editing

_TYPE = "application/vnd.oai.openapi+json;version={}"
_PAGES = ("swagger", "redoc")


def get_openapi(context: Context, request: Request) -> Response:
    """The document of OpenAPI 3.1, that of 3.0, or a page. Raises BadParameter."""
    given = request.query_params
    asked.OPENAPI.check(given)
    if given.get("ui", "swagger") not in _PAGES:
        raise BadParameter("ui", f"{given['ui'][:40]!r} is not here", _PAGES)
    if wants_html(request):
        template = f"openapi/{given.get('ui', 'swagger')}.html"
        page = context.pages.render(template, {"openapi-document-path": f"{context.base_url}/openapi"}, request)
        return Response(page, media_type="text/html")
    older = given.get("f") == "oas30" or (
        "f" not in given and "openapi+json;version=3.0" in request.headers.get("accept", "").replace(" ", "")
    )
    return Response(context.described[older], headers={"Content-Type": _TYPE.format("3.0" if older else "3.1")})


def described(catalog: Catalog, url: str, editing: Editing) -> tuple[bytes, bytes]:
    """The document in both versions, the newer first. url: the service's address. editing: who may edit."""
    whole = document.document(catalog, url, editing)
    return orjson.dumps(whole), orjson.dumps(document.in_version_3_0(catalog, whole))


def with_both_versions(url: str, landing: dict[str, Any]) -> dict[str, Any]:
    """The landing page with a link to each version in place of pygeoapi's one. url: the service's address."""
    links = []
    for link in landing["links"]:
        if link["rel"] == "service-desc":
            links += [
                link | {"type": _TYPE.format(number), "href": f"{url}/openapi?f={form}"}
                for number, form in (("3.0", "oas30"), ("3.1", "json"))
            ]
        else:
            links.append(link)
    return landing | {"links": links}
