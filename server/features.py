"""OGC API - Features, Parts 1 to 3, answered from the store without a detour.

In pygeoapi's module contract: CONFORMANCE_CLASSES, get_oas_30 and handlers that take
(api, request, ...) and give headers, status and content. The handlers wait, so they are coroutines.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
from pygeoapi.api import itemtypes
from pygeoapi.linked_data import geojson2jsonld
from starlette.requests import Request

from shikong.layers.model import Layer
from shikong.providers import crs as crs_rules
from shikong.providers import cursors, items
from shikong.providers.cql2.evaluate import evaluating
from shikong.providers.cursors import Cursor
from shikong.providers.errors import BadParameter
from shikong.providers.items import Items
from shikong.providers.times import parse_period
from shikong.server import access, etags, filtering, paging, parameters, versions
from shikong.server.context import Context
from shikong.server.pages import plain
from shikong.server.paging import Page
from shikong.server.pygeoapi_config import DEFAULT_LIMIT, MAX_LIMIT

Answer = tuple[dict[str, str], HTTPStatus, str | bytes]

CONFORMANCE_CLASSES = [
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/queryables",
    *filtering.CONFORMANCE_CLASSES,
]

FORMATS = {"json": "application/geo+json", "html": "text/html; charset=utf-8", "jsonld": "application/ld+json"}


def get_oas_30(cfg: dict[str, Any], locale: str) -> tuple[list[dict[str, str]], dict[str, dict[str, Any]]]:
    """pygeoapi's OpenAPI fragments, with the paging parameter that is ours."""
    tags, paths = itemtypes.get_oas_30(cfg, locale)
    for path, operations in paths["paths"].items():
        if path.endswith("/items") and "get" in operations:
            operations["get"]["parameters"] += [
                *parameters.PAGING, parameters.AS_OF, *filtering.openapi_parameters()
            ]  # fmt: skip
        elif path.endswith("/queryables"):  # pygeoapi's others are not ours
            operations["get"]["parameters"] = [item for item in operations["get"]["parameters"] if "$ref" in item]
        elif "/items/" in path and "get" in operations:
            operations["get"]["parameters"] += [parameters.AS_OF, *parameters.SIMPLIFYING]
    paths["paths"]["/functions"] = filtering.openapi_functions()
    return tags, paths


async def get_items(context: Context, request: Request, layer: Layer) -> Answer:
    """A page of a layer's features. Raises BadParameter."""
    given = request.query_params
    parameters.require_known(given, parameters.ITEMS | set(items.property_names(layer)))
    form = _format(request)
    question, cursor = _question(context, layer, request)
    counting = parameters.counting(request.headers.get("prefer", ""))
    if parameters.hits(given.get("resultType")):
        with evaluating(question.cql):
            matched = await paging.count(context, layer, question, counting or "exact")
        found = Page(items.page(layer, question), [], None, matched)
    else:
        found = await paging.read(context, layer, question, cursor, counting)
    links = _page_links(context, request, layer, form)
    if found.next:
        links.append(_next_link(context, request, layer, found.next, form))
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [items.feature(found.statement, row) for row in found.rows],
        "numberReturned": len(found.rows),
        "timeStamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "links": links,
    }
    if found.matched is not None:
        document["numberMatched"] = found.matched
    headers = {"Content-Crs": f"<{question.crs.uri}>", "Content-Type": FORMATS[form]}
    if counting is not None:
        headers["Preference-Applied"] = f"count={counting}"
    if form == "html":
        return headers, HTTPStatus.OK, context.pages.items(request, layer, document, question.offset)
    if form == "jsonld":
        return headers, HTTPStatus.OK, _linked_data(context, layer, document)
    return headers, HTTPStatus.OK, orjson.dumps(document)


async def get_item(context: Context, request: Request, layer: Layer, item: str) -> Answer:
    """One feature, as it is now or as one of its versions. Raises NotFound, Gone, BadParameter."""
    given = request.query_params
    parameters.require_known(given, parameters.ITEM)
    form = _format(request)
    crs = crs_rules.parse("crs", given.get("crs"), context.catalog.city.crs)
    when = given.get("datetime")
    period = parse_period(when, context.catalog.city.timezone) if when else None
    if period is not None and not period.instant:
        raise BadParameter("datetime", "one feature is asked for at one instant", ["2024-12-31"])
    known_at = parameters.known_at(given.get("asOf"), context.catalog.city.timezone)
    question = Items(1, period=period, known_at=known_at, crs=crs, tolerance=parameters.tolerance(given, crs))
    statement = items.one(layer, item, question)
    rows = await context.database.fetch(statement.query, statement.params)
    found = await versions.of_feature(context, layer, item, period.start if period else None, known_at)
    if not rows:
        asked = (f" at {when}" if when else "") + (f", as it was known at {given['asOf']}" if known_at else "")
        versions.refuse(context, layer, item, found, asked)
    feature = items.feature(statement, rows[0])
    headers = {"Content-Crs": f"<{crs.uri}>", "Content-Type": FORMATS[form]}
    if found.given is not None:
        headers["Memento-Datetime"] = versions.memento_datetime(found.given)
    tag = etags.of_feature(layer, feature["properties"], rows[0][-1], form, crs)
    if tag is not None and form == "json":
        headers["ETag"] = tag
        if request.method in ("GET", "HEAD") and etags.is_known(request, tag):
            return headers, HTTPStatus.NOT_MODIFIED, b""
    base = f"{context.base_url}/collections/{layer.id}"
    memento = versions.links(context, layer, item, found, request)
    feature["links"] = [
        _link("self" if form == "json" else "alternate", FORMATS["json"], f"{base}/items/{item}?f=json"),
        _link("self" if form == "html" else "alternate", "text/html", f"{base}/items/{item}?f=html"),
        _link("collection", "application/json", base, layer.title.zh),
        _link("lineage", "application/json", f"{base}/items/{item}/lineage"),
        *memento,
    ]
    headers["Link"] = versions.header(memento)
    if form == "html":
        form_of = access.editable(context, layer) and period is None and known_at is None
        return headers, HTTPStatus.OK, context.pages.item(request, layer, feature, tag if form_of else None)
    if form == "jsonld":
        return headers, HTTPStatus.OK, _linked_data(context, layer, feature, item)
    return headers, HTTPStatus.OK, orjson.dumps(feature)


def _linked_data(context: Context, layer: Layer, document: dict[str, Any], item: str | None = None) -> str:
    """GeoJSON-LD, as pygeoapi makes it."""
    return str(geojson2jsonld(context.api, plain(document), layer.id, item, "id"))


def _question(context: Context, layer: Layer, request: Request) -> tuple[Items, Cursor | None]:
    """What a request for a page asks, and where it goes on from."""
    given = request.query_params
    city = context.catalog.city
    sort = parameters.sorting(layer, given.get("sortby"))
    when = given.get("datetime")
    if given.get("bbox-crs") is not None and given.get("bbox") is None:
        raise BadParameter("bbox-crs", "is given without bbox", ["bbox"])
    cursor = cursors.decode(layer, given["cursor"], sort) if given.get("cursor") else None
    crs = crs_rules.parse("crs", given.get("crs"), city.crs)
    return Items(
        limit=parameters.whole_number("limit", given.get("limit"), DEFAULT_LIMIT, 1, MAX_LIMIT),
        offset=parameters.whole_number("offset", given.get("offset"), 0, 0, parameters.MAX_OFFSET),
        bbox=parameters.bbox(given.get("bbox"), crs_rules.parse("bbox-crs", given.get("bbox-crs"), city.crs)),
        period=parse_period(when, city.timezone) if when else None,
        known_at=parameters.known_at(given.get("asOf"), city.timezone),
        ids=parameters.ids(layer, given.get("ids")),
        words=parameters.words(context.catalog, layer, given.get("q")),
        filters=parameters.property_filters(layer, given),
        cql=parameters.cql_filter(layer, given, city),
        sort=sort,
        after=cursor.after if cursor else None,
        crs=crs,
        geometry=not parameters.flag("skipGeometry", given.get("skipGeometry")),
        tolerance=parameters.tolerance(given, crs),
        properties=parameters.chosen_properties(layer, given),
    ), cursor


def _format(request: Request) -> str:
    """A format by `f`, or else by Accept. Raises BadParameter."""
    wanted = request.query_params.get("f")
    if wanted is None:
        accept = request.headers.get("accept", "")
        return "html" if "text/html" in accept and "json" not in accept else "json"
    if wanted not in FORMATS:
        raise BadParameter("f", f"{wanted!r} is not a format of features", list(FORMATS))
    return wanted


def _page_links(context: Context, request: Request, layer: Layer, form: str) -> list[dict[str, str]]:
    base = f"{context.base_url}/collections/{layer.id}"
    kept = _query_without(request, "f")
    links = []
    for name, mimetype in (("json", FORMATS["json"]), ("html", "text/html")):
        links.append(_link("self" if name == form else "alternate", mimetype, f"{base}/items?{kept}f={name}"))
    links.append(_link("collection", "application/json", base, layer.title.zh))
    return links


def _next_link(context: Context, request: Request, layer: Layer, cursor: str, form: str) -> dict[str, str]:
    kept = _query_without(request, "cursor", "offset", "f")
    return _link(
        "next", FORMATS[form], f"{context.base_url}/collections/{layer.id}/items?{kept}f={form}&cursor={cursor}"
    )


def _query_without(request: Request, *dropped: str) -> str:
    """The request's query string as it came, ready to be continued, without some parameters."""
    parts = request.url.query.split("&")
    return "".join(f"{part}&" for part in parts if part and part.partition("=")[0] not in dropped)


def _link(rel: str, mimetype: str, href: str, title: str | None = None) -> dict[str, str]:
    link = {"rel": rel, "type": mimetype, "href": href}
    return link | {"title": title} if title else link
