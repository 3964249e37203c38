"""pygeoapi-config.yml, written from the declarations. It is committed; a test fails when it drifts.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import yaml

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.symbols import symbols
from shikong.processes.registry import PROCESSORS
from shikong.providers import crs
from shikong.tiles.matrix import SERVED
from shikong.tiles.provider import MIMETYPE

_HEADER = """\
# Written by `shikong layers config` from layers/; do not edit. Stock `pygeoapi serve` runs on it too.
"""

THEMES = {
    "base": {"zh": "基础地理", "en": "Base map"},
    "planning": {"zh": "多规合一", "en": "Planning"},
    "nature": {"zh": "自然资源", "en": "Natural resources"},
    "water": {"zh": "水利水文", "en": "Water"},
    "culture": {"zh": "文化地图", "en": "Culture"},
    "catalogue": {"zh": "目录", "en": "Catalogue"},
}

#: The address that links carry, from the environment.
_URL = "${SHIKONG_URL:-http://127.0.0.1:5000}"

#: The tile matrix sets that pygeoapi itself can tell of.
_REGISTERED = [served.id for served in SERVED.values() if served.uri]

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000


def render(catalog: Catalog) -> str:
    """The whole file as text."""
    config = {
        "server": _server(),
        "logging": {"level": "ERROR"},
        "metadata": _metadata(catalog),
        "resources": {layer.id: _resource(catalog, layer) for layer in catalog}
        | {name: {"type": "process", "processor": {"name": path}} for name, path in PROCESSORS.items()},
    }
    return _HEADER + yaml.safe_dump(config, allow_unicode=True, sort_keys=False, width=120)


def _server() -> dict[str, Any]:
    return {
        "bind": {"host": "${SHIKONG_HOST:-127.0.0.1}", "port": "${SHIKONG_PORT:-5000}"},
        "url": _URL,
        "mimetype": "application/json; charset=UTF-8",
        "encoding": "utf-8",
        # zh without a territory: pygeoapi looks a language up in a way that Babel refuses for zh-CN.
        "languages": ["zh", "en-US"],
        "locale_dir": "web/locale",
        "gzip": False,
        "cors": True,
        "pretty_print": False,
        "limits": {"default_items": DEFAULT_LIMIT, "max_items": MAX_LIMIT, "on_exceed": "error"},
        "templates": {"path": "web/templates", "static": "web/static"},
        "map": {"url": _URL, "attribution": "Shikong"},
        "admin": False,
    }


def _metadata(catalog: Catalog) -> dict[str, Any]:
    city = catalog.city
    return {
        "identification": {
            "title": city.title.model_dump(),
            "description": city.description.model_dump(),
            "keywords": {
                "zh": ["时空", "多规合一", "水文", "文化地图"],
                "en": ["spatio-temporal", "planning", "hydrology"],
            },
            "keywords_type": "theme",
            "terms_of_service": "https://www.apache.org/licenses/LICENSE-2.0",
            "url": _URL,
        },
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "provider": {"name": city.publisher.model_dump(), "url": _URL},
        "contact": {"name": city.publisher.zh, "email": city.contact},
    }


def _resource(catalog: Catalog, layer: Layer) -> dict[str, Any]:
    return {
        "type": "collection",
        "title": layer.title.model_dump(),
        "description": layer.description.model_dump(),
        "keywords": {
            "zh": [THEMES[layer.theme]["zh"], *layer.keywords],
            "en": [THEMES[layer.theme]["en"], *layer.keywords],
        },
        "steward": {"zh": layer.steward, "en": layer.steward},
        "extents": {"spatial": {"bbox": list(catalog.city.bbox), "crs": crs.CRS84}},
        "limits": {"default_items": DEFAULT_LIMIT, "max_items": MAX_LIMIT, "on_exceed": "error"},
        "providers": _providers(catalog, layer),
    } | _style(catalog, layer)


def _style(catalog: Catalog, layer: Layer) -> dict[str, Any]:
    return {"style": declared_style(catalog, layer)} if layer.style else {}


def declared_style(catalog: Catalog, layer: Layer) -> dict[str, Any]:
    """The declared style of a layer that has one, with the colours of its codes, for the maps on the pages."""
    assert layer.style is not None
    style = layer.style.model_dump(exclude_none=True, exclude={"shown"})
    if layer.style.by:
        style["colors"] = {symbol.value: symbol.color for symbol in symbols(catalog, layer) if symbol.value is not None}
    return style


def _providers(catalog: Catalog, layer: Layer) -> list[dict[str, Any]]:
    served = crs.uris(catalog.city.crs)
    if layer.kind == "features":
        feature = {
            "type": "feature", "name": "shikong.providers.postgis.PostGISProvider", "data": layer.id,
            "id_field": layer.key_field, "crs": served, "storage_crs": crs.STORAGE_CRS,
        }  # fmt: skip
        return [feature, *([_tile_provider(layer)] if layer.tiles else [])]
    if layer.kind == "observations":
        return [{"type": "edr", "name": "shikong.providers.observations.ObservationsProvider", "data": layer.id}]
    if layer.kind == "coverage":
        return [{"type": "coverage", "name": "shikong.providers.coverage.CogProvider", "data": layer.id,
                 "format": {"name": "GeoTIFF", "mimetype": "image/tiff; application=geotiff"}}]  # fmt: skip
    if layer.kind == "cube":
        return [
            {"type": "coverage", "name": "shikong.providers.cube.ZarrProvider", "data": layer.id,
             "format": {"name": "NetCDF", "mimetype": "application/x-netcdf"}},
            {"type": "edr", "name": "shikong.providers.cube.ZarrEDRProvider", "data": layer.id},
        ]  # fmt: skip
    provider = "records.CatalogueProvider" if layer.lists == "layers" else "release_records.ReleasesProvider"
    return [{"type": "record", "name": f"shikong.providers.{provider}", "data": layer.id,
             "id_field": "id", "title_field": "title", "url": _URL}]  # fmt: skip


def _tile_provider(layer: Layer) -> dict[str, Any]:
    assert layer.tiles is not None
    return {
        "type": "tile", "name": "shikong.tiles.provider.VectorTileProvider", "data": layer.id,
        "options": {"zoom": {"min": layer.tiles.min_zoom, "max": layer.tiles.max_zoom}, "schemes": _REGISTERED},
        "format": {"name": "mvt", "mimetype": MIMETYPE},
    }  # fmt: skip
