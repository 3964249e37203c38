"""OGC API - Features, Parts 1 to 3, answered from the store without a detour.

As pygeoapi's handlers do, ours give headers, status and content. They wait, so they are coroutines.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
from pygeoapi.linked_data import geojson2jsonld
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.providers import crs as crs_rules
from shikong.providers import cursors, items
from shikong.providers.cql2.evaluate import evaluating
from shikong.providers.cursors import Cursor
from shikong.providers.errors import BadParameter
from shikong.providers.items import Items
from shikong.providers.labels import labelled
from shikong.server import access, asked, etags, paging, parameters, profiles, versions
from shikong.server.context import Context
from shikong.server.exports import text_encoding
from shikong.server.formats.table import EXPORTS, FORMATS, PAGES, Format, wanted
from shikong.server.links import Link, link_header
from shikong.server.pages import plain
from shikong.server.paging import Page
from shikong.server.pygeoapi_config import DEFAULT_LIMIT, MAX_LIMIT

#: Features that one export may be asked to stop at.
MAX_EXPORT = 2**31 - 1

#: Formats that have words in the reader's language whatever is asked.
_IN_WORDS = ("html", "jsonld")

Answer = tuple[dict[str, str], HTTPStatus, str | bytes]


async def get_items(context: Context, request: Request, layer: Layer) -> Answer | Response:
    """A page of a layer's features, or an export of them. Raises BadParameter."""
    given = request.query_params
    asked.ITEMS.check(given, items.property_names(layer))
    form = wanted(request, FORMATS)
    text_encoding(request, form)
    profile = profiles.chosen(context.api, request, layer, form.name)
    question, cursor = _question(context, layer, request, form)
    if profile.language is not None and form.name != "html":  # pages show codes beside what they mean
        question = replace(question, labels=profile.language)
    links = [*_page_links(context, request, layer, form), *profile.links]
    headers = {"Content-Crs": f"<{question.crs.uri}>", "Content-Type": form.media_type} | profile.headers
    worded = form.name in _IN_WORDS or profile.language is not None
    headers |= context.caching.headers(request, layer, question.moment, form, worded=worded)
    if await context.caching.unchanged(request, layer, headers.get("ETag")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if form.name in EXPORTS:
        return _export(context, request, layer, (question, cursor), form, headers, links)
    counting = parameters.counting(request.headers.get("prefer", ""))
    if parameters.hits(given.get("resultType")):
        with evaluating(question.cql):
            matched = await paging.count(context, layer, question, counting or "exact")
        found = Page(items.page(layer, question), [], None, matched)
    else:
        found = await paging.read(context, layer, question, cursor, counting)
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
    if counting is not None:
        headers["Preference-Applied"] = f"count={counting}"
    headers["Link"] = link_header(links)
    if form.name == "html":
        return headers, HTTPStatus.OK, context.pages.items(request, layer, document, question.offset, profile.language)
    if form.name == "jsonld":
        return headers, HTTPStatus.OK, _linked_data(context, layer, document)
    return headers, HTTPStatus.OK, orjson.dumps(document)


def _export(
    context: Context, request: Request, layer: Layer, wish: tuple[Items, Cursor | None], form: Format,
    headers: dict[str, str], links: list[Link],
) -> Response:  # fmt: skip
    """All features that match, as they were known when the walk began."""
    if parameters.hits(request.query_params.get("resultType")):
        raise BadParameter("resultType", f"hits are not told as {form.name}", ["f=json"])
    question, cursor = wish
    if cursor is not None and question.known_at is None:
        question = replace(question, known_in=cursor.release)
    headers["Link"] = link_header(links)
    return context.exports.respond(
        request, layer, question, form, headers, links,
        lambda following: _next_link(context, request, layer, following, form),
    )  # fmt: skip


async def get_item(context: Context, request: Request, layer: Layer, item: str) -> Answer:
    """One feature, as it is now or as one of its versions. Raises NotFound, Gone, BadParameter."""
    given = request.query_params
    asked.ITEM.check(given)
    form = wanted(request, PAGES)
    crs = crs_rules.parse("crs", given.get("crs"), context.catalog.city.crs)
    moment = parameters.moment(given, context.catalog.city)
    when, period, known_at = given.get("datetime"), moment.period, moment.known_at
    if period is not None and not period.instant:
        raise BadParameter("datetime", "one feature is asked for at one instant", ["2024-12-31"])
    question = Items(1, period=period, known_at=known_at, crs=crs, tolerance=parameters.tolerance(given, crs))
    statement = items.one(layer, item, question)
    rows = await context.database.fetch(statement.query, statement.params)
    found = await versions.of_feature(context, layer, item, period.start if period else None, known_at)
    if not rows:
        then = (f" at {when}" if when else "") + (f", as it was known at {given['asOf']}" if known_at else "")
        versions.refuse(context, layer, item, found, then)
    profile = profiles.chosen(context.api, request, layer, form.name)
    labels = None if form.name == "html" else profile.language
    feature = items.feature(statement, labelled(layer, statement.properties, rows, labels)[0])
    headers = {"Content-Crs": f"<{crs.uri}>", "Content-Type": form.media_type} | profile.headers
    if profile.language is not None and "lang" not in given:
        headers["Vary"] = "Accept-Language"
    if found.given is not None:
        headers["Memento-Datetime"] = versions.memento_datetime(found.given)
    tag = etags.of_feature(layer, feature["properties"], rows[0][-1], f"{form.name}{labels or ''}", crs)
    if tag is not None and form.name == "json":
        headers["ETag"] = tag
        if request.method in ("GET", "HEAD") and etags.is_known(request, tag):
            return headers, HTTPStatus.NOT_MODIFIED, b""
    base = f"{context.base_url}/collections/{layer.id}"
    memento = versions.links(context, layer, item, found, request)
    feature["links"] = [
        _link("self" if form.name == "json" else "alternate", "application/geo+json", f"{base}/items/{item}?f=json"),
        _link("self" if form.name == "html" else "alternate", "text/html", f"{base}/items/{item}?f=html"),
        _link("collection", "application/json", base, layer.title.zh),
        _link("lineage", "application/json", f"{base}/items/{item}/lineage"),
        *memento,
        *profile.links,
    ]
    headers["Link"] = link_header(feature["links"])
    if form.name == "html":
        edited = tag if access.editable(context, layer) and period is None and known_at is None else None
        return headers, HTTPStatus.OK, context.pages.item(request, layer, feature, profile.language, edited)
    if form.name == "jsonld":
        return headers, HTTPStatus.OK, _linked_data(context, layer, feature, item)
    return headers, HTTPStatus.OK, orjson.dumps(feature)


def _linked_data(context: Context, layer: Layer, document: dict[str, Any], item: str | None = None) -> str:
    """GeoJSON-LD, as pygeoapi makes it."""
    return str(geojson2jsonld(context.api, plain(document), layer.id, item, "id"))


def _question(context: Context, layer: Layer, request: Request, form: Format) -> tuple[Items, Cursor | None]:
    """What a request for a page asks, and where it goes on from."""
    given = request.query_params
    city = context.catalog.city
    sort = parameters.sorting(layer, given.get("sortby"))
    moment = parameters.moment(given, city)
    if given.get("bbox-crs") is not None and given.get("bbox") is None:
        raise BadParameter("bbox-crs", "is given without bbox", ["bbox"])
    cursor = cursors.decode(layer, given["cursor"], sort) if given.get("cursor") else None
    crs = crs_rules.parse("crs", given.get("crs"), city.crs)
    return Items(
        limit=_limit(given.get("limit"), form),
        offset=parameters.whole_number("offset", given.get("offset"), 0, 0, parameters.MAX_OFFSET),
        bbox=parameters.bbox(given.get("bbox"), crs_rules.parse("bbox-crs", given.get("bbox-crs"), city.crs)),
        period=moment.period,
        known_at=moment.known_at,
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


def _limit(text: str | None, form: Format) -> int | None:
    """How many features at most; an export has no limit unless it is given one."""
    if form.name not in EXPORTS:
        return parameters.whole_number("limit", text, DEFAULT_LIMIT, 1, MAX_LIMIT)
    return None if text is None else parameters.whole_number("limit", text, 1, 1, MAX_EXPORT)


def _page_links(context: Context, request: Request, layer: Layer, form: Format) -> list[Link]:
    base = f"{context.base_url}/collections/{layer.id}"
    links = [_link("self", form.bare_type, f"{base}/items?{_query_without(request, 'f')}f={form.name}")]
    here = f"{base}/items?{_query_without(request, 'f', 'encoding')}"
    # A page of JSON names the other pages only: the list of all formats would outweigh a small page.
    others = FORMATS if form.name == "html" else {name: PAGES[name] for name in ("json", "html")}
    links += [_link("alternate", other.bare_type, f"{here}f={name}") for name, other in others.items() if other != form]
    links.append(_link("collection", "application/json", base, layer.title.zh))
    return links


def _next_link(context: Context, request: Request, layer: Layer, cursor: str, form: Format) -> Link:
    kept = _query_without(request, "cursor", "offset", "f")
    href = f"{context.base_url}/collections/{layer.id}/items?{kept}f={form.name}&cursor={cursor}"
    return _link("next", form.bare_type, href)


def _query_without(request: Request, *dropped: str) -> str:
    """The request's query string as it came, ready to be continued, without some parameters."""
    parts = parameters.query_text(request).split("&")
    return "".join(f"{part}&" for part in parts if part and part.partition("=")[0] not in dropped)


def _link(rel: str, mimetype: str, href: str, title: str | None = None) -> Link:
    link = {"rel": rel, "type": mimetype, "href": href}
    return link | {"title": title} if title else link
