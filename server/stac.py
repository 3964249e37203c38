"""STAC over the rasters: a collection for each coverage and cube, an item for each release, the file itself as asset.

A Cloud-Optimised GeoTIFF is given out with range requests, so that GDAL, QGIS and rio-tiler read only what they need.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import pystac
from psycopg import sql
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from shikong.layers.model import Layer
from shikong.providers.errors import CollectionNotFound, NotFound
from shikong.server import parameters
from shikong.server.asked import ONLY_JSON
from shikong.server.context import Context

COG = "image/tiff; application=geotiff; profile=cloud-optimized"

_RELEASES = sql.SQL("""
    SELECT id, published_at, source, source_sha256, origin, extent, time_from, time_to, place, kind
    FROM shikong.release
    WHERE layer = %(layer)s AND place IS NOT NULL AND (%(release)s::int IS NULL OR id = %(release)s)
    ORDER BY id DESC LIMIT 1000
""")


class Stac:
    """The endpoints."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def catalog(self, request: Request) -> Response:
        """The catalogue: a link to each collection."""
        ONLY_JSON.check(request.query_params)
        city = self._context.catalog.city
        found = pystac.Catalog(city.id, city.description.zh, title=city.title.zh, href=self._url())
        for layer in self._layers().values():
            found.add_link(pystac.Link("child", self._url(layer.id), "application/json", layer.title.zh))
        return self._answer(found)

    async def collection(self, request: Request) -> Response:
        """A layer with links to its releases. Raises CollectionNotFound."""
        ONLY_JSON.check(request.query_params)
        layer = self._layer(request)
        rows = await self._context.database.fetch(_RELEASES, {"layer": layer.id, "release": None})
        boxes = [row[5] for row in rows if row[5]] or [list(self._context.catalog.city.bbox)]
        starts = [row[6] or row[1] for row in rows] or [None]
        extent = pystac.Extent(pystac.SpatialExtent(boxes[:1]), pystac.TemporalExtent([[min(starts), None]]))
        found = pystac.Collection(
            layer.id, layer.description.zh, extent, title=layer.title.zh, license="other", keywords=[*layer.keywords],
            providers=[pystac.Provider(layer.steward, roles=[pystac.ProviderRole.PRODUCER])],
            href=self._url(layer.id),
        )  # fmt: skip
        found.add_link(pystac.Link("root", self._url(), "application/json"))
        for row in rows:
            found.add_link(pystac.Link("item", self._url(layer.id, row[0]), "application/geo+json"))
        return self._answer(found)

    async def item(self, request: Request) -> Response:
        """One release. Raises CollectionNotFound, NotFound."""
        ONLY_JSON.check(request.query_params)
        layer, row = await self._release(request)
        release, published, source, digest, origin, extent, start, end, _, kind = row
        west, south, east, north = extent
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        found = pystac.Item(
            f"{layer.id}-{release}", {"type": "Polygon", "coordinates": [ring]}, list(extent),
            None if start else published, {}, start, end or start, href=self._url(layer.id, release),
            collection=layer.id,
        )  # fmt: skip
        found.properties |= _facts(published, origin, kind, source, digest)
        found.add_link(pystac.Link("collection", self._url(layer.id), "application/json"))
        found.add_link(pystac.Link("root", self._url(), "application/json"))
        if layer.kind == "coverage":
            data = pystac.Asset(f"{self._url(layer.id, release)}/data", layer.title.zh, media_type=COG, roles=["data"])
            found.add_asset("data", data)
        return self._answer(found, "application/geo+json")

    async def data(self, request: Request) -> Response:
        """The file of a coverage's release, in whole or by ranges. Raises CollectionNotFound, NotFound."""
        ONLY_JSON.check(request.query_params)
        layer, row = await self._release(request)
        path = self._context.database.settings.data / row[8]
        if layer.kind != "coverage" or not path.is_file():
            raise NotFound(f"release {row[0]} of {layer.id} has no file to give out")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return FileResponse(path, media_type=COG, headers=headers, filename=f"{layer.id}-{row[0]}.tif")

    def _layers(self) -> dict[str, Layer]:
        return {layer.id: layer for layer in self._context.catalog if layer.kind in ("coverage", "cube")}

    def _layer(self, request: Request) -> Layer:
        identifier = request.path_params["collection_id"]
        layer = self._layers().get(identifier)
        if layer is None:
            raise CollectionNotFound(identifier, self._layers())
        return layer

    async def _release(self, request: Request) -> tuple[Layer, tuple[Any, ...]]:
        layer = self._layer(request)
        number = parameters.whole_number("release", request.path_params["release"], 0, 0, 2**31 - 1)
        rows = await self._context.database.fetch(_RELEASES, {"layer": layer.id, "release": number})
        if not rows:
            raise NotFound(f"{layer.id} has no release {number}")
        return layer, rows[0]

    def _url(self, collection: str | None = None, release: int | None = None) -> str:
        url = f"{self._context.base_url}/stac"
        if collection is not None:
            url += f"/collections/{collection}"
        return url if release is None else f"{url}/items/{release}"

    def _answer(self, found: pystac.STACObject, media_type: str = "application/json") -> Response:
        document = found.to_dict(include_self_link=True, transform_hrefs=False)
        return Response(orjson.dumps(document), media_type=media_type)


def _facts(published: datetime, origin: str, kind: str, source: str, digest: str | None) -> dict[str, Any]:
    """What a release's record says, under STAC's names where it has them."""
    return {
        "created": published.isoformat(), "proj:code": "EPSG:4490", "shikong:origin": origin, "shikong:kind": kind,
        "shikong:source": source, "shikong:source_sha256": digest,
    }  # fmt: skip
