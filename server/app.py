"""The ASGI application.

`create_app` puts the parts together; server/routes.py says who answers where.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pygeoapi.util import yaml_load
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from shikong.layers import catalog
from shikong.server import errors, openapi, qgis, styles
from shikong.server import settings as server_settings
from shikong.server.caching import Caching
from shikong.server.compression import Compression
from shikong.server.context import Context
from shikong.server.exports import Exports
from shikong.server.formats.table import collection_links
from shikong.server.kept_answers import KeepAnswers, KeptAnswers
from shikong.server.logs import AccessLog, configure
from shikong.server.metadata import Metadata
from shikong.server.middleware import StopWhenClientLeaves, WhenAsked
from shikong.server.pages import Pages
from shikong.server.pygeoapi_api import Refusal, ShikongAPI
from shikong.server.routes import routes
from shikong.server.signing_in import PrincipalOfRequest
from shikong.server.tile_answers import TileAnswers
from shikong.store import database
from shikong.tiles.cache import TileFiles
from shikong.tiles.overview_work import OverviewProcesses, OverviewThreads

_CORS = {
    "allow_origins": ["*"], "allow_methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], "allow_headers": ["*"],
    "expose_headers": [
        "Content-Bbox", "Content-Crs", "Content-Disposition", "ETag", "Link", "Location", "Memento-Datetime",
        "Preference-Applied", "X-Request-Id",
    ],
    "max_age": 86400,
}  # fmt: skip


def create_app(*, alone: bool = False) -> Starlette:
    """The application for the environment's settings.

    alone: nobody else uses this process, so that no requests are logged, no answers kept in memory, and slow work is
    done here.
    """
    configure()
    settings = server_settings.from_env()
    os.environ.setdefault("SHIKONG_URL", settings.url)
    with settings.config.open(encoding="utf-8") as file:
        config = yaml_load(file)
    home = settings.config.parent
    _anchor(config, home)
    for layer in catalog.default():
        links = config["resources"][layer.id].setdefault("links", [])
        if layer.kind == "features":
            links += collection_links(f"{settings.url}/collections/{layer.id}/items")
        links += styles.links_of_collection(settings.url, layer) + qgis.links_of_collection(settings.url, layer)
    pygeoapi = ShikongAPI(config)
    store = database.default()
    metadata, exports = Metadata(pygeoapi, store), Exports(store, settings)
    caching = Caching(store, metadata)
    context = Context(
        pygeoapi,
        store,
        catalog.default(),
        metadata,
        Pages(pygeoapi),
        exports,
        caching,
        TileAnswers(TileFiles.from_env(store.settings.data), caching, metadata),
        OverviewThreads(store) if alone else OverviewProcesses(store.settings),
        openapi.described(catalog.default(), pygeoapi.base_url, settings.editing),
        settings.editing,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        await store.open()
        await context.metadata.refresh()
        listening = asyncio.create_task(context.metadata.listen())
        yield {"kept_answers": kept}
        listening.cancel()
        context.overviews.close()
        await store.close()

    kept = KeptAnswers(settings.tile_memory, lambda: metadata.listening)
    before = [Middleware(KeepAnswers, kept), Middleware(AccessLog)]
    static = Mount("/static", StaticFiles(directory=config["server"]["templates"]["static"]), name="static")
    app = Starlette(
        routes=[static, *routes(context)],
        lifespan=lifespan,
        middleware=[
            *([] if alone else before),
            Middleware(WhenAsked, b"origin", b"", CORSMiddleware, _CORS),
            Middleware(Compression),
            Middleware(StopWhenClientLeaves),
            Middleware(PrincipalOfRequest, store),
        ],
        exception_handlers=_exception_handlers(),
    )  # fmt: skip
    app.state.pages = context.pages
    app.state.context = context
    return app


def _anchor(config: dict[str, Any], home: Path) -> None:
    """Make the configuration's relative folders relative to the file, whatever the working directory."""
    templates = config["server"]["templates"]
    for key in ("path", "static"):
        templates[key] = str(home / templates[key])
    config["server"]["locale_dir"] = str(home / config["server"]["locale_dir"])


def _exception_handlers() -> dict[Any, Any]:
    ours = dict.fromkeys(errors.STATUS, errors.handle)
    return {**ours, Refusal: errors.handle_refusal, HTTPException: errors.handle_http, Exception: errors.handle_defect}
