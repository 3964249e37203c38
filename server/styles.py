"""OGC API - Styles (draft 20-009): what styles there are, each in several encodings, their metadata and legends.

The id of a style is that of its layer; one more, `city`, has all layers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib.metadata import version
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.providers.errors import BadParameter, NotFound
from shikong.providers.labels import Language
from shikong.server import asked, profiles
from shikong.server.context import Context
from shikong.server.errors import wants_html
from shikong.tiles.styles import drawing, legend, maplibre, qml, sld

#: The style of all layers.
CITY = "city"

RELATION = "http://www.opengis.net/def/rel/ogc/1.0/styles"

#: The encodings of a style by the value of `f`: media type, and what it is called.
ENCODINGS = {
    "mapbox": (maplibre.MEDIA_TYPE, "MapLibre / Mapbox Style 8"),
    "sld10": (sld.MEDIA_TYPE, "OGC SLD 1.0"),
    "qml": (qml.MEDIA_TYPE, "QGIS"),
}
_LEGENDS = {"svg": "image/svg+xml", "png": "image/png"}


class StyleNotFound(NotFound):
    """No style has this id."""

    def __init__(self, style: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no style {style[:60]!r}; there are: {', '.join(known)}")


class Styles:
    """The endpoints."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def listing(self, request: Request) -> Response:
        """All styles. Raises BadParameter."""
        asked.PAGE.check(request.query_params)
        return self._list(request, [CITY, *self._layers()], f"{self._context.base_url}/styles")

    async def of_collection(self, request: Request) -> Response:
        """The styles of one collection. Raises BadParameter, NotFound."""
        asked.PAGE.check(request.query_params)
        identifier = request.path_params["collection_id"]
        if identifier not in self._layers():
            raise NotFound(f"{identifier[:60]!r} is no layer with a style; there are: {', '.join(self._layers())}")
        return self._list(request, [identifier], f"{self._context.base_url}/collections/{identifier}/styles")

    async def style(self, request: Request) -> Response:
        """A style in one of its encodings, or as a page. Raises BadParameter, NotFound."""
        asked.STYLE.check(request.query_params)
        name, layers = self._named(request)
        language = self._language(request)
        if wants_html(request):
            return self._page(request, "styles/style.html", self._metadata(name, layers, language), language)
        encodings = self._encodings(name)
        form = _wanted(request, {each: ENCODINGS[each][0] for each in encodings}, "mapbox")
        if form not in encodings:
            raise BadParameter("f", f"the style {name!r} is not written as {form}", [*encodings, "html"])
        content, worded = self._encode(name, form, language), form != "mapbox"
        headers = {"Vary": "Accept, Accept-Language", "Content-Type": ENCODINGS[form][0]}
        if worded:
            headers["Content-Language"] = language
        if form == "qml":
            headers["Content-Disposition"] = f'attachment; filename="{name}.qml"'
        return Response(content, headers=headers)

    async def metadata(self, request: Request) -> Response:
        """What a style is about. Raises BadParameter, NotFound."""
        asked.PAGE.check(request.query_params)
        name, layers = self._named(request)
        language = self._language(request)
        document = self._metadata(name, layers, language)
        if wants_html(request):
            return self._page(request, "styles/style.html", document, language)
        return _json(document, language)

    async def legend(self, request: Request) -> Response:
        """What the colours of a style mean, as a picture. Raises BadParameter, NotFound, NoFont."""
        asked.LEGEND.check(request.query_params)
        _, layers = self._named(request)
        language = self._language(request)
        form = _wanted(request, _LEGENDS, "svg")
        draw = partial(legend.png if form == "png" else legend.svg, self._context.catalog, layers, language)
        headers = {"Content-Language": language, "Vary": "Accept, Accept-Language"}
        return Response(await run_in_threadpool(draw), media_type=_LEGENDS[form], headers=headers)

    def _layers(self) -> dict[str, Layer]:
        """The layers with a style, those on top first."""
        return {layer.id: layer for layer in reversed(drawing.from_below(self._context.catalog))}

    def _named(self, request: Request) -> tuple[str, list[Layer]]:
        """The style that the path names, and its layers. Raises StyleNotFound."""
        name, layers = request.path_params["style_id"], self._layers()
        if name == CITY:
            return name, list(layers.values())
        if name not in layers:
            raise StyleNotFound(name, [CITY, *layers])
        return name, [layers[name]]

    def _language(self, request: Request) -> Language:
        return profiles.language(self._context.api, request)

    def _encodings(self, name: str) -> list[str]:
        """The encodings in which a style is written: SLD and QGIS have one layer of features in a file."""
        layer = self._layers().get(name)
        return list(ENCODINGS) if layer and layer.style else ["mapbox"]

    def _encode(self, name: str, form: str, language: Language) -> bytes:
        catalog, url = self._context.catalog, self._context.base_url
        if name == CITY:
            return orjson.dumps(maplibre.of_city(catalog, url))
        layer = catalog.layer(name)
        if form == "mapbox":
            return orjson.dumps(maplibre.of_layer(catalog, layer, url))
        return sld.of_layer(catalog, layer, language) if form == "sld10" else qml.of_layer(catalog, layer, language)

    def _title(self, name: str) -> Text:
        return CITY_TITLE if name == CITY else self._context.catalog.layer(name).title

    def _links(self, name: str) -> list[dict[str, str]]:
        address = f"{self._context.base_url}/styles/{name}"
        written = []
        for form in self._encodings(name):
            media_type, title = ENCODINGS[form]
            written.append({"rel": "stylesheet", "type": media_type, "href": f"{address}?f={form}", "title": title})
        return [
            *written,
            {"rel": "describedby", "type": "application/json", "href": f"{address}/metadata?f=json"},
            {"rel": "preview", "type": "image/svg+xml", "href": f"{address}/legend?f=svg"},
            {"rel": "alternate", "type": "text/html", "href": f"{address}?f=html"},
        ]  # fmt: skip

    def _list(self, request: Request, names: list[str], address: str) -> Response:
        language = self._language(request)
        styles = [
            {"id": name, "title": getattr(self._title(name), language), "links": self._links(name)} for name in names
        ]
        document = {"default": names[0], "styles": styles, "links": _both(address)}
        if wants_html(request):
            return self._page(request, "styles/index.html", document, language)
        return _json(document, language)

    def _metadata(self, name: str, layers: list[Layer], language: Language) -> dict[str, Any]:
        """The draft's metadata of a style."""
        address, city = f"{self._context.base_url}/styles/{name}", self._context.catalog.city
        description = CITY_DESCRIPTION if name == CITY else layers[0].description
        links = self._links(name)
        return {
            "id": name, "title": getattr(self._title(name), language),
            "description": getattr(description, language),
            "keywords": [word for layer in layers for word in layer.keywords] if name != CITY else [],
            "pointOfContact": getattr(city.publisher, language), "scope": "style", "version": version("shikong"),
            "stylesheets": [
                {"title": link["title"], "native": False, "specification": link["title"], "link": link}
                for link in links if link["rel"] == "stylesheet"
            ],
            "layers": [
                {"id": layer.id, "title": getattr(layer.title, language), "type": _TYPES[drawing.shape(layer)],
                 "sampleData": {"rel": "start", "type": "application/json",
                                "href": f"{self._context.base_url}/collections/{layer.id}?f=json"}}
                for layer in layers
            ],
            "links": [*_both(f"{address}/metadata"), *(link for link in links if link["rel"] != "describedby")],
        }  # fmt: skip

    def _page(self, request: Request, template: str, document: dict[str, Any], language: Language) -> Response:
        page = self._context.pages.render(template, document | {"language": language}, request)
        return Response(page, media_type="text/html", headers={"Vary": "Accept, Accept-Language"})


CITY_TITLE = Text(zh="全部图层", en="All layers")
CITY_DESCRIPTION = Text(
    zh="全部公开图层合成一张图：面在下，线在中，点与注记在上。",
    en="All public layers as one map: areas below, then lines, points and labels.",
)

#: What the draft calls the shapes.
_TYPES = {"area": "polygon", "line": "line", "point": "point", "raster": "raster"}


def links_of_collection(url: str, layer: Layer) -> list[dict[str, str]]:
    """Links from a collection to its styles, as pygeoapi's configuration has them. url: the service's address."""
    if not drawing.is_drawn(layer):
        return []
    address = f"{url}/collections/{layer.id}/styles"
    return [
        {"rel": RELATION, "type": "application/json", "href": f"{address}?f=json", "title": "Styles"},
        {"rel": RELATION, "type": "text/html", "href": f"{address}?f=html", "title": "Styles"},
    ]


def with_styles(url: str, landing: dict[str, Any]) -> dict[str, Any]:
    """The landing page with a link to the styles. url: the service's address."""
    link = {"rel": RELATION, "type": "application/json", "href": f"{url}/styles?f=json", "title": "Styles"}
    return landing | {"links": [*landing["links"], link]}


def _both(address: str) -> list[dict[str, str]]:
    return [
        {"rel": "self", "type": "application/json", "href": f"{address}?f=json"},
        {"rel": "alternate", "type": "text/html", "href": f"{address}?f=html"},
    ]


def _json(document: dict[str, Any], language: Language) -> Response:
    headers = {"Content-Language": language, "Vary": "Accept, Accept-Language"}
    return Response(orjson.dumps(document), media_type="application/json", headers=headers)


def _wanted(request: Request, among: dict[str, str], otherwise: str) -> str:
    """The form that a request wants, by `f` or else by the media types in Accept. among: media types by form."""
    given: QueryParams = request.query_params
    accepted = request.headers.get("accept", "")
    told = (form for form, media_type in among.items() if media_type.partition(";")[0] in accepted)
    return given.get("f") or next(told, otherwise)
