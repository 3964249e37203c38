"""The map page: all layers on one map, in the reader's language. What it draws and says comes from the declarations.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.layers.symbols import Symbol, symbols
from shikong.providers.labels import Language, meanings
from shikong.server import asked, profiles
from shikong.server.context import Context
from shikong.server.pygeoapi_config import THEMES, declared_style
from shikong.server.tiles import levels
from shikong.store.catalogue import Published
from shikong.tiles.styles import drawing

Part = dict[str, Any]

#: The grids to choose from: Web Mercator, and CGCS2000 longitude and latitude as 天地图 has it.
GRIDS = ("WebMercatorQuad", "c")

#: Names that maps write before this zoom are those of places; what is written only near by says what lies there.
_PLACES_BEFORE = 16

#: How a slider goes through a layer's time.
_STEPS = {"valid": "year", "start": "day", "cube": "hour"}


def is_wanted(request: Request) -> bool:
    """Whether the page is meant, at an address that it shares with pictures: these name their layers or format."""
    form, accepted = request.query_params.get("f"), request.headers.get("accept", "")
    if form is not None or "collections" in request.query_params:
        return form == "html"
    return "text/html" in accepted or "image/" not in accepted


async def get_map_page(context: Context, request: Request) -> Response:
    """The page. Raises BadParameter."""
    asked.ONLY_PAGE.check(request.query_params)
    context.metadata.refresh_if_due()
    language = profiles.language(context.api, request)
    page = context.pages.render("map.html", {"map": described(context, language)}, request)
    return Response(page, media_type="text/html", headers={"Vary": "Accept, Accept-Language"})


def described(context: Context, language: Language) -> Part:
    """All that the page's scripts know of the city: themes, layers from below, styles, zooms, times, meanings."""
    catalog, releases = context.catalog, context.metadata.releases
    layers = {
        layer.id: _layer(catalog, layer, language, releases.get(layer.id)) | {"order": order}
        for order, layer in enumerate(drawing.from_below(catalog))
    }
    of_theme = {
        theme: [layer.id for layer in catalog if layer.theme == theme and layer.id in layers] for theme in THEMES
    }
    return {
        "title": getattr(catalog.city.title, language), "publisher": getattr(catalog.city.publisher, language),
        "bbox": list(catalog.city.bbox), "timezone": catalog.city.timezone, "grids": list(GRIDS), "layers": layers,
        "themes": [{"title": THEMES[theme][language], "layers": ids} for theme, ids in of_theme.items() if ids],
    }  # fmt: skip


def _layer(catalog: Catalog, layer: Layer, language: Language, release: Published | None) -> Part:
    found: Part = {
        "title": getattr(layer.title, language), "description": getattr(layer.description, language),
        "steward": layer.steward, "shape": drawing.shape(layer), "zooms": _zooms(layer),
        "shown": layer.shown_at_first,
        "generated": release is not None and release.origin == "generated",
        "extent": list(release.extent if release and release.extent else catalog.city.bbox),
        "time": _time(layer, release),
    }  # fmt: skip
    if layer.style is None:
        return found | {"styles": _styles(catalog, layer, language)}
    label = layer.style.label
    return found | {
        "style": declared_style(catalog, layer), "legend": _legend(symbols(catalog, layer), language),
        "key": layer.key_field, "fields": _fields(layer, language), "codes": meanings(layer, language),
        "names": label.field if label and label.min_zoom < _PLACES_BEFORE else None,
    }  # fmt: skip


def _zooms(layer: Layer) -> dict[str, list[int]]:
    return {grid: [levels(layer, grid)[0], levels(layer, grid)[-1]] for grid in GRIDS if levels(layer, grid)}


def _time(layer: Layer, release: Published | None) -> Part | None:
    """From when to when a layer has data, and the steps to look at it in."""
    if layer.kind != "cube" and layer.time is None:
        return None
    steps = _STEPS["cube" if layer.kind == "cube" else "valid" if layer.versioned else "start"]
    start, end = (release.time_from, release.time_to) if release else (None, None)
    return {"step": steps, "from": start and start.isoformat(), "to": end and end.isoformat()}


def _fields(layer: Layer, language: Language) -> dict[str, str]:
    """What the attributes are called, with their units."""
    return {
        name: getattr(field.title, language) + (f" ({field.unit.replace('m2', 'm²')})" if field.unit else "")
        for name, field in layer.fields.items()
    }


def _legend(entries: list[Symbol], language: Language) -> list[Part]:
    """The colours of codes; the one colour of all where there are none, and else that of what has no other last."""
    others: Text = drawing.OTHERS
    return [
        {"value": each.value, "color": each.color,
         "title": getattr(others if each.value is None and len(entries) > 1 else each.title, language)}
        for each in entries
    ]  # fmt: skip


def _styles(catalog: Catalog, layer: Layer, language: Language) -> list[Part]:
    """The ways to look at a raster; colours that stand for numbers are for programs."""
    return [
        {"id": name, "title": getattr(style.title, language),
         "legend": _legend(drawing.entries_of(catalog, layer, style), language)}
        for name, style in layer.styles.items() if style.encoding is None
    ]  # fmt: skip
