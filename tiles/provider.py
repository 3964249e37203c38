"""pygeoapi's tile provider over the store's vector tiles.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pygeoapi.provider.base import ProviderConnectionError, ProviderGenericError
from pygeoapi.provider.base_mvt import BaseMVTProvider
from pygeoapi.provider.tile import ProviderTileNotFoundError

from shikong.layers import catalog
from shikong.store.database import default as default_database
from shikong.store.errors import StoreError
from shikong.tiles import cut, matrix
from shikong.tiles.matrix import TileAddress

MIMETYPE = "application/vnd.mapbox-vector-tile"


class TileUnavailable(ProviderGenericError):  # type: ignore[misc]
    """The database does not answer, or not in time."""

    http_status_code = HTTPStatus.SERVICE_UNAVAILABLE
    ogc_exception_code = "ServiceUnavailable"


class VectorTileProvider(BaseMVTProvider):  # type: ignore[misc]
    """Vector tiles of a features layer. `data` in the definition is the layer's id."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self.layer = catalog.default().layer(provider_def["data"])
        if self.layer.tiles is None:
            raise ProviderConnectionError(user_msg=f"{self.layer.id} declares no tiles")

    def __repr__(self) -> str:
        return f"<VectorTileProvider {self.layer.id}>"

    def get_layer(self) -> str:
        """The name of the layer inside the tiles."""
        return self.layer.id

    def get_fields(self) -> dict[str, Any]:
        """The attributes of the tiles' features."""
        return {name: {"type": field.type} for name, field in self.layer.fields.items()}

    def get_tiles_service(self, baseurl: Any = None, servicepath: Any = None, **_: Any) -> dict[str, Any]:
        """Links to the tiles."""
        self._service_url = servicepath
        return self.get_tms_links()  # type: ignore[no-any-return]

    def get_tiles(
        self, layer: Any = None, tileset: Any = None, z: Any = None, y: Any = None, x: Any = None, format_: Any = None
    ) -> bytes | None:
        """A tile's bytes, None when nothing is in it. Raises pygeoapi's tile errors."""
        try:
            address = TileAddress(str(tileset), int(z), int(y), int(x))
            box = matrix.box(address)
        except (KeyError, ValueError, IndexError) as error:
            raise ProviderTileNotFoundError(user_msg=f"there is no such tile: {error}") from error
        query, params = cut.tile(self.layer, box)
        try:
            data = default_database().thread_fetch(query, params)[0][0]
        except StoreError as error:
            raise TileUnavailable(user_msg=str(error)) from error
        return bytes(data) or None

    def get_html_metadata(self, dataset: str, server_url: str, layer: str, tileset: str, title: str, *_: Any,
                          **__: Any) -> dict[str, Any]:  # fmt: skip
        """What the HTML page of a tileset shows."""
        path = f"{server_url}/collections/{dataset}/tiles/{tileset}"
        return {
            "id": dataset, "title": title, "tileset": tileset, "json_url": f"{path}/metadata?f=json",
            "collections_path": f"{path}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}?f=mvt",
        }  # fmt: skip

    def get_default_metadata(self, dataset: str, server_url: str, layer: str, tileset: str, title: str,
                             description: str, *_: Any, **__: Any) -> dict[str, Any]:  # fmt: skip
        """OGC tileset metadata."""
        scheme = next((item for item in self.get_tiling_schemes() if item.tileMatrixSet == tileset), None)
        if scheme is None:
            raise ProviderTileNotFoundError(user_msg=f"there is no tile matrix set {tileset!r}; {list(matrix.SERVED)}")
        assert self.layer.tiles is not None
        return {
            "title": title, "description": description, "dataType": "vector", "crs": scheme.crs,
            "tileMatrixSetURI": scheme.tileMatrixSetURI,
            "layers": [{
                "id": self.layer.id, "dataType": "vector", "minTileMatrix": str(self.layer.tiles.min_zoom),
                "maxTileMatrix": str(self.layer.tiles.max_zoom),
                "propertiesSchema": {"type": "object", "properties": self.get_fields()},
            }],
            "links": [
                {"rel": "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme", "type": "application/json",
                 "title": tileset, "href": f"{server_url}/tileMatrixSets/{tileset}?f=json"},
                {"rel": "item", "type": MIMETYPE, "templated": True, "title": title,
                 "href": f"{server_url}/collections/{dataset}/tiles/{tileset}"
                         "/{tileMatrix}/{tileRow}/{tileCol}?f=mvt"},
            ],
        }  # fmt: skip

    def get_vendor_metadata(self, dataset: str, server_url: str, layer: str, tileset: str, title: str,
                            description: str, *_: Any, **__: Any) -> dict[str, Any]:  # fmt: skip
        """TileJSON 3."""
        assert self.layer.tiles is not None
        return {
            "tilejson": "3.0.0", "name": title, "description": description,
            "tiles": [f"{server_url}/collections/{dataset}/tiles/{tileset}/{{z}}/{{y}}/{{x}}?f=mvt"],
            "minzoom": self.layer.tiles.min_zoom, "maxzoom": self.layer.tiles.max_zoom,
            "bounds": list(catalog.default().city.bbox),
            "vector_layers": [{
                "id": self.layer.id,
                "fields": {name: field.title.zh for name, field in self.layer.fields.items()},
            }],
        }  # fmt: skip
