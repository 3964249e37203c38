"""Versions of a feature over HTTP: Memento headers, links between versions, and the Time Map.

After OGC's draft "Versioned Features" (RFC 7089, pattern 1.2, with `datetime` in place of Accept-Datetime; RFC 5829).
A layer without valid time has its versions along recorded time, and `asOf` chooses among them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.providers import versions as version_rules
from shikong.providers.errors import BadParameter, Gone, NotFound
from shikong.providers.versions import Version, Versions
from shikong.server import parameters
from shikong.server.asked import TIME_MAP
from shikong.server.context import Context
from shikong.server.links import Link, link_text

_FORMATS = {"json": "application/json", "link": "application/link-format"}


async def of_feature(
    context: Context, layer: Layer, item: str, held_at: datetime | None, known_at: datetime | None
) -> Versions:
    """A feature's versions, and which is in force. held_at: at that time in the world; None is now."""
    query, values = version_rules.times(layer, known_at)
    rows = await context.database.fetch(query, values | {"key": item})
    return version_rules.versions(rows, (held_at if layer.versioned else known_at) or datetime.now(UTC))


def refuse(context: Context, layer: Layer, item: str, found: Versions, given: str) -> None:
    """Raise Gone for a feature that has versions, but none in force, and NotFound for one that never was.

    given: what was asked, as words.
    """
    if not found.all:
        raise NotFound(f"{layer.id} has no feature {item!r}, and as far as is known{given} never had one")
    feature = _address(context, layer, item)
    latest = _memento(layer, feature, found.all[-1])
    raise Gone(
        f"{layer.id} has had the feature {item!r}, but not{given or ' now'}; its versions are at {feature}/versions",
        [{"rel": "latest-version", "href": latest}, *_maps(feature)],
    )


def links(context: Context, layer: Layer, item: str, found: Versions, request: Request) -> list[Link]:
    """The links that an answer with a version carries."""
    feature = _address(context, layer, item)
    made = [{"rel": "original", "href": feature}, *_maps(feature)]
    for rel, version in (("predecessor-version", found.before), ("successor-version", found.after)):
        if version is not None:
            made.append({"rel": rel, "href": _memento(layer, feature, version, request.query_params.get("asOf"))})
    return made


def memento_datetime(version: Version) -> str:
    """The value of `Memento-Datetime`: when the version began."""
    return format_datetime(version.start.astimezone(UTC), usegmt=True)


async def get_time_map(context: Context, request: Request, layer: Layer) -> Response:
    """All versions of a feature. Raises NotFound, BadParameter."""
    given = request.query_params
    TIME_MAP.check(given)
    if "asOf" in given and not layer.versioned:
        raise BadParameter("asOf", f"the versions of {layer.id} lie along recorded time itself", ["no asOf"])
    form = given.get("f") or ("link" if _FORMATS["link"] in request.headers.get("accept", "") else "json")
    item = request.path_params["item_id"]
    known_at = parameters.known_at(given.get("asOf"), context.catalog.city.timezone)
    found = await of_feature(context, layer, item, None, known_at)
    if not found.all:
        raise NotFound(f"{layer.id} has no feature {item!r} and never had one")
    feature = _address(context, layer, item)
    mementos = [
        {
            "rel": "memento", "type": "application/geo+json", "datetime": memento_datetime(version),
            "href": _memento(layer, feature, version, given.get("asOf")),
        }
        for version in found.all
    ]  # fmt: skip
    made = [
        {"rel": "self", "type": _FORMATS[form], "href": f"{feature}/versions"},
        {"rel": "original", "type": "application/geo+json", "href": feature},
        *mementos,
        {"rel": "latest-version", "type": "application/geo+json", "href": mementos[-1]["href"]},
    ]
    if form == "link":
        return Response(",\n".join(link_text(link) for link in made), media_type=_FORMATS["link"])
    document = {
        "id": item,
        "timeAxis": version_rules.time_axis(layer),
        "versions": [{"start": version.start, "end": version.end} for version in found.all],
        "links": made,
    }
    return Response(orjson.dumps(document, option=orjson.OPT_UTC_Z), media_type=_FORMATS["json"])


def _address(context: Context, layer: Layer, item: str) -> str:
    return f"{context.base_url}/collections/{layer.id}/items/{quote(item, safe='')}"


def _maps(feature: str) -> list[Link]:
    return [{"rel": rel, "href": f"{feature}/versions"} for rel in ("timemap", "version-history")]


def _memento(layer: Layer, feature: str, version: Version, known_at: str | None = None) -> str:
    """The address of a version."""
    start = version.start.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if not layer.versioned:
        return f"{feature}?asOf={start}"
    return f"{feature}?datetime={start}" + (f"&asOf={quote(known_at)}" if known_at else "")
