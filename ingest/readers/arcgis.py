"""Another ArcGIS feature service: …/FeatureServer/{number} or …/MapServer/{number}, as Esri JSON in its own CRS.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from shikong.ingest.errors import UnreadableSource
from shikong.ingest.readers.spool import PAGE_FEATURES, Fetch, Protocol

_LAYER = re.compile(r"/(FeatureServer|MapServer)/\d+/?$", re.IGNORECASE)


def speaks(address: str) -> bool:
    """Whether an address is a layer's of a feature service."""
    return bool(_LAYER.search(urlsplit(address).path))


def protocol(address: str) -> Protocol:
    """Pages by resultOffset in the order of the object ids, until none comes."""
    parts = urlsplit(address)
    path = parts.path.rstrip("/")
    given = dict(parse_qsl(parts.query))

    def start(fetch: Fetch) -> str:
        about = _answer(fetch(urlunsplit(parts._replace(path=path, query=urlencode(given | {"f": "json"})))))
        size = min(PAGE_FEATURES, int(about.get("maxRecordCount") or PAGE_FEATURES))
        ids = about.get("objectIdField") or next(
            (field["name"] for field in about.get("fields", []) if field.get("type") == "esriFieldTypeOID"), "OBJECTID"
        )
        query = {"where": "1=1"} | given | {
            "outFields": "*", "returnGeometry": "true", "orderByFields": ids, "f": "json",
            "resultRecordCount": size, "resultOffset": 0,
        }  # fmt: skip
        return urlunsplit(parts._replace(path=f"{path}/query", query=urlencode(query)))

    def following(body: bytes, page: Path, own: str) -> str | None:
        number = len(_answer(body).get("features", []))
        if number == 0:
            return None
        query = dict(parse_qsl(urlsplit(own).query))
        query["resultOffset"] = str(int(query["resultOffset"]) + number)
        return urlunsplit(urlsplit(own)._replace(query=urlencode(query)))

    return Protocol("ArcGIS feature service", ".json", start, following)


def _answer(body: bytes) -> dict[str, Any]:
    """ArcGIS answers 200 with an error inside."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise UnreadableSource("the feature service does not answer with JSON") from error
    if not isinstance(document, dict) or "error" in document:
        said = document.get("error", {}) if isinstance(document, dict) else document
        raise UnreadableSource(f"the feature service refuses: {said}")
    return document
