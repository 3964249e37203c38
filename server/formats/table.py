"""Which formats there are, and which of them a request wants.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request

from shikong.providers.errors import BadParameter


@dataclass(frozen=True)
class Format:
    """A format of features.

    extension: of a file that holds it; None where the answer is a page and not a file to be kept.
    """

    name: str
    title: str
    media_type: str
    extension: str | None = None

    @property
    def bare_type(self) -> str:
        """The media type without parameters."""
        return self.media_type.partition(";")[0]


#: Pages of features: with a default limit, and links from one to the next.
PAGES = {
    form.name: form
    for form in (
        Format("json", "GeoJSON", "application/geo+json"),
        Format("html", "HTML", "text/html; charset=utf-8"),
        Format("jsonld", "JSON-LD", "application/ld+json"),
    )
}

#: Formats for carrying data away: without a limit they give all that matches.
EXPORTS = {
    form.name: form
    for form in (
        Format("jsonfg", "JSON-FG", "application/fg+json", "json"),
        Format("jsonl", "GeoJSON lines", "application/x-ndjson", "jsonl"),
        Format("csv", "CSV", "text/csv; charset=utf-8", "csv"),
        Format("parquet", "GeoParquet", "application/vnd.apache.parquet", "parquet"),
        Format("arrow", "GeoArrow", "application/vnd.apache.arrow.stream", "arrows"),
        Format("fgb", "FlatGeobuf", "application/flatgeobuf", "fgb"),
        Format("gpkg", "GeoPackage", "application/geopackage+sqlite3", "gpkg"),
        Format("shp", "Shapefile", "application/zip", "zip"),
    )
}

FORMATS = PAGES | EXPORTS

#: Pictures of tiles and maps.
PICTURES = {
    form.name: form
    for form in (
        Format("png", "PNG", "image/png"),
        Format("webp", "WebP", "image/webp"),
        Format("jpeg", "JPEG", "image/jpeg"),
    )
}

_TYPES = FORMATS | PICTURES

#: What clients also call a format.
_ALSO = {"application/json": "json", "application/geo+json-seq": "jsonl", "application/x-shapefile": "shp"}


def wanted(request: Request, among: dict[str, Format]) -> Format:
    """The format that a request wants, by `f` or else by Accept; the first where it wants none of ours.

    Raises BadParameter for an `f` that does not exist.
    """
    name = request.query_params.get("f")
    if name is None:
        return among[negotiated(request.headers.get("accept", ""), tuple(among))]
    if name not in among:
        raise BadParameter("f", f"{name!r} is not a format of this resource", list(among))
    return among[name]


@lru_cache(maxsize=256)
def negotiated(accept: str, among: tuple[str, ...]) -> str:
    """The name of the format that an Accept header likes best: of equals, and where it likes none, the first."""
    ranges = _ranges(accept)
    best, chosen = 0.0, among[0]
    for name in among:
        types = [_TYPES[name].bare_type, *(media_type for media_type, same in _ALSO.items() if same == name)]
        quality = max(_quality(media_type, ranges) for media_type in types)
        if quality > best:
            best, chosen = quality, name
    return chosen


def _ranges(accept: str) -> dict[str, float]:
    """Media ranges and their qualities; what cannot be read is left out."""
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            found[media_range] = min(max(float(quality), 0.0), 1.0)
        except ValueError:
            continue
    return found


def _quality(media_type: str, ranges: dict[str, float]) -> float:
    """The quality of a media type: what the most specific range that takes it in says."""
    for media_range in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if media_range in ranges:
            return ranges[media_range]
    return 0.0


def collection_links(items: str) -> list[dict[str, str]]:
    """Links to all features of a collection in each export format, as pygeoapi's configuration has them.

    items: the address of the collection's features.
    """
    return [
        {"rel": "items", "type": form.bare_type, "href": f"{items}?f={form.name}", "title": form.title}
        for form in EXPORTS.values()
    ]
