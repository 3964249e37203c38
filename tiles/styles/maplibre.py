"""Styles for MapLibre (style specification, version 8), one or several layers on the service's own tiles.

There is no `glyphs`: a style that names none is drawn with the fonts of the reader's machine (MapLibre GL JS from
5.11 on, ol-mapbox-style), which have the Chinese letters that no small set of glyph files would have.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.layers.styles import LabelDecl, StyleDecl
from shikong.layers.symbols import symbols
from shikong.tiles.styles import drawing

MEDIA_TYPE = "application/vnd.mapbox.style+json"

Part = dict[str, Any]

#: A raster tile's side in pixels.
_TILE = 256


def of_layer(catalog: Catalog, layer: Layer, url: str) -> Part:
    """The style of one layer. url: the service's address."""
    whole = _style(catalog, [layer], layer.id, layer.title, url)
    return whole | {"zoom": max(drawing.zooms(layer).min_zoom, 8)}


def of_city(catalog: Catalog, url: str) -> Part:
    """All layers in one style; those that are not shown at first are there, but invisible. url: the service's."""
    return _style(catalog, drawing.from_below(catalog), catalog.city.id, catalog.city.title, url) | {"zoom": 8}


def _style(catalog: Catalog, layers: Sequence[Layer], name: str, title: Text, url: str) -> Part:
    west, south, east, north = catalog.city.bbox
    drawn = [part for layer in layers for part in _layers(catalog, layer)]
    if len(layers) > 1:  # a label is not to be hidden by the layer above it
        drawn.sort(key=lambda part: part["type"] == "symbol")
        hidden = {layer.id for layer in layers if not layer.shown_at_first}
        for part in drawn:
            if part["source"] in hidden:
                part.setdefault("layout", {})["visibility"] = "none"
    return {
        "version": 8,
        "name": f"{title.zh} / {title.en}",
        "metadata": {"shikong:id": name} | _titles(title),
        "center": [round((west + east) / 2, 4), round((south + north) / 2, 4)],
        "sources": {layer.id: _source(layer, catalog, url) for layer in layers},
        "layers": drawn,
    }


def _titles(title: Text) -> Part:
    return {"shikong:title:zh": title.zh, "shikong:title:en": title.en}


def _source(layer: Layer, catalog: Catalog, url: str) -> Part:
    place = "map/tiles" if layer.style is None else "tiles"
    form = "png" if layer.style is None else "mvt"
    address = f"{url}/collections/{layer.id}/{place}/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f={form}"
    zooms = drawing.zooms(layer)
    source = {
        "type": "vector", "tiles": [address], "minzoom": zooms.min_zoom, "maxzoom": zooms.max_zoom,
        "bounds": list(catalog.city.bbox), "attribution": layer.steward,
    }  # fmt: skip
    return source | {"type": "raster", "tileSize": _TILE} if layer.style is None else source


def _layers(catalog: Catalog, layer: Layer) -> list[Part]:
    """The layers of the style that one of ours becomes, from below."""
    if layer.style is None:
        picture = _part(layer, "raster", "")
        del picture["source-layer"]
        return [picture]
    style, color = layer.style, _color(catalog, layer)
    drawn = {"area": _area, "line": _line, "point": _point}[drawing.shape(layer)](layer, style, color)
    return [*drawn, _label(layer, style.label)] if style.label else drawn


def _color(catalog: Catalog, layer: Layer) -> str | list[Any]:
    """The colour, or the expression that finds it by code."""
    *coded, others = symbols(catalog, layer)
    if not coded:
        return others.color
    assert layer.style is not None
    cases = [part for symbol in coded for part in (symbol.value, symbol.color)]
    return ["match", ["get", layer.style.by], *cases, others.color]


def _part(layer: Layer, kind: str, suffix: str, **more: Any) -> Part:
    return {
        "id": f"{layer.id}{suffix}", "type": kind, "source": layer.id, "source-layer": layer.id,
        "minzoom": drawing.zooms(layer).min_zoom, "layout": {},
        "metadata": _titles(layer.title) | {"shikong:theme": layer.theme},
    } | more  # fmt: skip


def _area(layer: Layer, style: StyleDecl, color: str | list[Any]) -> list[Part]:
    fill = _part(layer, "fill", "", paint={"fill-color": color, "fill-opacity": style.opacity})
    if style.outline is None:
        return [fill]
    # The outline that fills have by themselves is always one pixel wide.
    edge = _part(layer, "line", "-outline", paint={"line-color": style.outline, "line-width": style.width},
                 layout={"line-join": "round"})  # fmt: skip
    return [fill, edge]


def _line(layer: Layer, style: StyleDecl, color: str | list[Any]) -> list[Part]:
    layout = {"line-cap": "round", "line-join": "round"}
    return [_part(layer, "line", "", layout=layout, paint={"line-color": color, "line-width": style.width})]


def _point(layer: Layer, style: StyleDecl, color: str | list[Any]) -> list[Part]:
    paint: Part = {"circle-color": color, "circle-radius": style.radius}
    if style.outline:
        paint |= {"circle-stroke-color": style.outline, "circle-stroke-width": style.width}
    return [_part(layer, "circle", "", paint=paint)]


def _label(layer: Layer, label: LabelDecl) -> Part:
    assert layer.style is not None
    # MapLibre counts zoom in tiles of 512 pixels: one less at the same scale. Its last zoom is the first without.
    first = max(label.min_zoom - 1, drawing.zooms(layer).min_zoom)
    last = max(label.max_zoom, first + 1)
    layout: Part = {"text-field": ["get", label.field], "text-font": ["sans-serif"], "text-size": drawing.LETTERS}
    shape = drawing.shape(layer)
    if shape == "line":
        layout["symbol-placement"] = "line"
    if shape == "point":
        layout |= {"text-anchor": "top", "text-offset": [0, round(layer.style.radius / drawing.LETTERS + 0.2, 2)]}
    paint = {"text-color": drawing.INK, "text-halo-color": drawing.HALO, "text-halo-width": 1.5}
    return _part(layer, "symbol", "-label", minzoom=first, maxzoom=last, layout=layout, paint=paint)
