"""OGC API - Features, Parts 1 and 2, answered from the store without a detour.

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
from shikong.providers import items
from shikong.providers.errors import BadParameter, NotFound
from shikong.providers.items import Items
from shikong.providers.times import parse_period
from shikong.server import access, etags, parameters
from shikong.server.context import Context
from shikong.server.pages import plain
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
]

FORMATS = {"json": "application/geo+json", "html": "text/html; charset=utf-8", "jsonld": "application/ld+json"}


def get_oas_30(cfg: dict[str, Any], locale: str) -> tuple[list[dict[str, str]], dict[str, dict[str, Any]]]:
    """pygeoapi's OpenAPI fragments, with the paging parameter that is ours."""
    tags, paths = itemtypes.get_oas_30(cfg, locale)
    cursor = {
        "name": "cursor", "in": "query", "required": False, "schema": {"type": "string"},
        "description": "where the next page starts; taken from a `next` link",
    }  # fmt: skip
    for path, operations in paths["paths"].items():
        if path.endswith("/items") and "get" in operations:
            operations["get"]["parameters"] += [cursor, parameters.AS_OF]
        elif "/items/" in path and "get" in operations:
            operations["get"]["parameters"].append(parameters.AS_OF)
    return tags, paths


async def get_items(context: Context, request: Request, layer: Layer) -> Answer:
    """A page of a layer's features. Raises BadParameter."""
    given = request.query_params
    parameters.require_known(given, parameters.ITEMS | set(items.property_names(layer)))
    form = _format(request)
    question = _question(context, layer, request)
    statement = items.page(layer, question)
    rows = await context.database.fetch(statement.query, statement.params)
    page, more = rows[: question.limit], len(rows) > question.limit
    links = _page_links(context, request, layer, form)
    if more:
        links.append(_next_link(context, request, layer, items.encode_cursor(statement, page[-1]), form))
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [items.feature(statement, row) for row in page],
        "numberReturned": len(page),
        "timeStamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "links": links,
    }
    matched = _matched(context, layer, question, len(page), more)
    if matched is not None:
        document["numberMatched"] = matched
    headers = {"Content-Crs": f"<{question.crs.uri}>", "Content-Type": FORMATS[form]}
    if form == "html":
        return headers, HTTPStatus.OK, context.pages.items(request, layer, document, question.offset)
    if form == "jsonld":
        return headers, HTTPStatus.OK, _linked_data(context, layer, document)
    return headers, HTTPStatus.OK, orjson.dumps(document)


async def get_item(context: Context, request: Request, layer: Layer, item: str) -> Answer:
    """One feature. Raises NotFound, BadParameter."""
    given = request.query_params
    parameters.require_known(given, parameters.ITEM)
    form = _format(request)
    crs = crs_rules.parse("crs", given.get("crs"), context.catalog.city.crs)
    when = given.get("datetime")
    period = parse_period(when, context.catalog.city.timezone) if when else None
    if period is not None and not period.instant:
        raise BadParameter("datetime", "one feature is asked for at one instant", ["2024-12-31"])
    known_at = parameters.known_at(given.get("asOf"), context.catalog.city.timezone)
    statement = items.one(layer, item, Items(1, period=period, known_at=known_at, crs=crs))
    rows = await context.database.fetch(statement.query, statement.params)
    if not rows:
        known = f", as it was known at {given.get('asOf')}" if known_at else ""
        raise NotFound(f"{layer.id} has no feature {item!r}" + (f" at {when}" if when else " now") + known)
    feature = items.feature(statement, rows[0])
    headers = {"Content-Crs": f"<{crs.uri}>", "Content-Type": FORMATS[form]}
    tag = etags.of_feature(layer, feature["properties"], rows[0][-1], form, crs)
    if tag is not None and form == "json":
        headers["ETag"] = tag
        if request.method in ("GET", "HEAD") and etags.is_known(request, tag):
            return headers, HTTPStatus.NOT_MODIFIED, b""
    base = f"{context.base_url}/collections/{layer.id}"
    feature["links"] = [
        _link("self" if form == "json" else "alternate", FORMATS["json"], f"{base}/items/{item}?f=json"),
        _link("self" if form == "html" else "alternate", "text/html", f"{base}/items/{item}?f=html"),
        _link("collection", "application/json", base, layer.title.zh),
        _link("lineage", "application/json", f"{base}/items/{item}/lineage"),
    ]
    if form == "html":
        form_of = access.editable(context, layer) and period is None and known_at is None
        return headers, HTTPStatus.OK, context.pages.item(request, layer, feature, tag if form_of else None)
    if form == "jsonld":
        return headers, HTTPStatus.OK, _linked_data(context, layer, feature, item)
    return headers, HTTPStatus.OK, orjson.dumps(feature)


def _linked_data(context: Context, layer: Layer, document: dict[str, Any], item: str | None = None) -> str:
    """GeoJSON-LD, as pygeoapi makes it."""
    return str(geojson2jsonld(context.api, plain(document), layer.id, item, "id"))


def _question(context: Context, layer: Layer, request: Request) -> Items:
    given = request.query_params
    codes = context.catalog.city.crs
    sort = parameters.sorting(layer, given.get("sortby"))
    cursor = given.get("cursor")
    when = given.get("datetime")
    if given.get("bbox-crs") is not None and given.get("bbox") is None:
        raise BadParameter("bbox-crs", "is given without bbox", ["bbox"])
    return Items(
        limit=parameters.whole_number("limit", given.get("limit"), DEFAULT_LIMIT, 1, MAX_LIMIT),
        offset=parameters.whole_number("offset", given.get("offset"), 0, 0, parameters.MAX_OFFSET),
        bbox=parameters.bbox(given.get("bbox"), crs_rules.parse("bbox-crs", given.get("bbox-crs"), codes)),
        period=parse_period(when, context.catalog.city.timezone) if when else None,
        known_at=parameters.known_at(given.get("asOf"), context.catalog.city.timezone),
        filters=parameters.property_filters(layer, given),
        sort=sort,
        cursor=items.decode_cursor(layer, cursor, sort) if cursor else None,
        crs=crs_rules.parse("crs", given.get("crs"), codes),
        geometry=not parameters.flag("skipGeometry", given.get("skipGeometry")),
        properties=parameters.chosen_properties(layer, given.get("properties")),
    )


def _format(request: Request) -> str:
    """A format by `f`, or else by Accept. Raises BadParameter."""
    wanted = request.query_params.get("f")
    if wanted is None:
        accept = request.headers.get("accept", "")
        return "html" if "text/html" in accept and "json" not in accept else "json"
    if wanted not in FORMATS:
        raise BadParameter("f", f"{wanted!r} is not a format of features", list(FORMATS))
    return wanted


def _matched(context: Context, layer: Layer, question: Items, returned: int, more: bool) -> int | None:
    """How many features match, where that is known without counting."""
    if question.cursor is None and question.offset == 0 and not more:
        return returned
    release = context.metadata.releases.get(layer.id)
    return release.rows if release and question.plain else None


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
