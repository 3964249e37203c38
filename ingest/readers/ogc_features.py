"""Another OGC API Features service: …/collections/{id}, in its default CRS84.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

from shikong.ingest.errors import UnreadableSource
from shikong.ingest.readers.spool import PAGE_FEATURES, Fetch, Protocol

_COLLECTION = re.compile(r"/collections/[^/]+(/items)?/?$")


def speaks(address: str) -> bool:
    """Whether an address is a collection's."""
    return bool(_COLLECTION.search(urlsplit(address).path))


def protocol(address: str) -> Protocol:
    """Pages follow the service's own `next` links. A query in the address (a bbox) goes with the first page."""
    parts = urlsplit(address)
    items = parts.path.rstrip("/").removesuffix("/items") + "/items"
    query = "&".join(filter(None, (parts.query, f"f=json&limit={PAGE_FEATURES}")))
    first = urlunsplit((parts.scheme, parts.netloc, items, query, ""))

    def start(fetch: Fetch) -> str:
        return first

    def following(body: bytes, page: Path, own: str) -> str | None:
        try:
            links = json.loads(body).get("links", [])
        except (ValueError, AttributeError) as error:
            raise UnreadableSource(f"{parts.hostname} does not answer with GeoJSON; is this a collection?") from error
        following = next((link["href"] for link in links if link.get("rel") == "next"), None)
        return None if following is None else _with_user(urljoin(own, following), parts.netloc)

    return Protocol("OGC API Features", ".geojson", start, following)


def _with_user(address: str, netloc: str) -> str:
    """A next link with the user and password that the first address had; services leave them out."""
    parts = urlsplit(address)
    user, sign, host = netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=netloc)) if sign and parts.netloc == host and user else address
