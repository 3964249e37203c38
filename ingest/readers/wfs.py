"""Another WFS 2.0: …?service=WFS&typeNames={name}, as GML.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from shikong.ingest.errors import EmptySource
from shikong.ingest.readers import vector
from shikong.ingest.readers.spool import PAGE_FEATURES, Fetch, Protocol


def speaks(address: str) -> bool:
    """Whether an address asks a WFS for a type."""
    query = {key.lower(): value for key, value in parse_qsl(urlsplit(address).query)}
    return query.get("service", "").upper() == "WFS" and bool({"typenames", "typename"} & set(query))


def protocol(address: str) -> Protocol:
    """Pages by startIndex until an empty one; servers may give fewer features than asked for."""
    parts = urlsplit(address)
    given = [(key, value) for key, value in parse_qsl(parts.query)
             if key.lower() not in ("service", "version", "request", "count", "startindex")]  # fmt: skip

    def at(index: int) -> str:
        fixed = {"service": "WFS", "version": "2.0.0", "request": "GetFeature", "count": PAGE_FEATURES}
        return urlunsplit(parts._replace(query=urlencode([*fixed.items(), ("startIndex", index), *given]), fragment=""))

    def start(fetch: Fetch) -> str:
        return at(0)

    def following(body: bytes, page: Path, own: str) -> str | None:
        try:
            number = sum(len(batch.geometry) for batch in vector.open_source(page, None).batches())
        except EmptySource:
            return None
        index = int(dict(parse_qsl(urlsplit(own).query))["startIndex"])
        return at(index + number)

    return Protocol("WFS", ".gml", start, following)
