"""The service in QGIS with one click: the whole city as a project, a theme as a layer definition.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.providers.errors import NotFound
from shikong.server import asked, profiles
from shikong.server.context import Context
from shikong.server.pygeoapi_config import THEMES
from shikong.tiles.styles import drawing, project


class Qgis:
    """The endpoints."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def project(self, request: Request) -> Response:
        """The city's project. Raises BadParameter."""
        asked.PROJECT.check(request.query_params)
        language = profiles.language(self._context.api, request)
        themes = {theme: Text(**titles) for theme, titles in THEMES.items()}
        catalog = self._context.catalog
        content = await run_in_threadpool(project.project, catalog, self._context.base_url, themes, language)
        return _file(content, project.PROJECT_TYPE, f"{catalog.city.id}.qgz", language)

    async def definition(self, request: Request) -> Response:
        """The layers of a theme. Raises BadParameter, NotFound."""
        asked.DEFINITION.check(request.query_params)
        theme, catalog = request.path_params["theme"], self._context.catalog
        drawn = {layer.theme for layer in drawing.from_below(catalog)}
        if theme not in drawn:
            there = [name for name in THEMES if name in drawn]
            raise NotFound(f"there is no theme {theme[:40]!r} with layers to draw; there are: {', '.join(there)}")
        language = profiles.language(self._context.api, request)
        title, url = THEMES[theme][language], self._context.base_url
        content = await run_in_threadpool(project.definition, catalog, url, theme, title, language)
        return _file(content, project.DEFINITION_TYPE, f"{theme}.qlr", language)


def links_of_collection(url: str, layer: Layer) -> list[dict[str, str]]:
    """The link from a collection to the file that opens its theme in QGIS. url: the service's address."""
    if not drawing.is_drawn(layer):
        return []
    address = f"{url}/qgis/{layer.theme}.qlr"
    return [{"rel": "related", "type": project.DEFINITION_TYPE, "href": address, "title": "QGIS"}]


def _file(content: bytes, media_type: str, name: str, language: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"', "Content-Language": language,
        "Vary": "Accept-Language",
    }  # fmt: skip
    return Response(content, media_type=media_type, headers=headers)
