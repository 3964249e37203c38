"""The metadata record of a release: members of OGC API - Records, lineage and quality after ISO 19115 and 19157.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers.crs import STORAGE_CRS

CONFORMS_TO = ["http://www.opengis.net/spec/ogcapi-records-1/1.0/req/record-core"]

#: The code list of ISO 19115 topics.
TOPICS = "http://standards.iso.org/iso/19139/resources/gmxCodelists.xml#MD_TopicCategoryCode"

_TOPIC = {
    "base": "boundaries", "planning": "planningCadastre", "nature": "environment", "water": "inlandWaters",
    "culture": "society",
}  # fmt: skip

_DATA = "http://www.opengis.net/def/rel/ogc/1.0/data"

_FORMATS = {
    "features": (("GeoJSON", "application/geo+json"), ("HTML", "text/html")),
    "observations": (("CoverageJSON", "application/prs.coverage+json"),),
    "coverage": (
        ("CoverageJSON", "application/prs.coverage+json"),
        ("GeoTIFF", "image/tiff; application=geotiff; profile=cloud-optimized"),
    ),
    "cube": (("CoverageJSON", "application/prs.coverage+json"), ("NetCDF", "application/x-netcdf")),
}

#: Where the data of a release is asked for with `asOf`.
_RESOURCE = {"features": "items", "observations": "locations", "coverage": "coverage", "cube": "coverage"}

#: Rule -> the ISO 19157 element of quality that it measures.
_ELEMENTS = {
    "required": "DQ_CompletenessOmission",
    "no_gaps": "DQ_CompletenessOmission",
    "duplicate_key": "DQ_CompletenessCommission",
    "duplicate_observation": "DQ_CompletenessCommission",
    "unique": "DQ_CompletenessCommission",
    "compare": "DQ_ConceptualConsistency",
    "references": "DQ_ConceptualConsistency",
    "valid_geometry": "DQ_TopologicalConsistency",
    "no_overlap": "DQ_TopologicalConsistency",
    "no_slivers": "DQ_TopologicalConsistency",
    "within": "DQ_TopologicalConsistency",
}


def record(release: dict[str, Any], base: str) -> dict[str, Any]:
    """A release as a record. release: columns of shikong.release and `results`; base: the service's address."""
    layer: Layer | None = catalog.default().layers.get(release["layer"])
    published = instant(release["published_at"])
    return {
        "type": "Feature", "id": str(release["id"]), "conformsTo": CONFORMS_TO,
        "geometry": _polygon(release["extent"]), "time": _time(release),
        "properties": {
            "type": "dataset", "title": _title(layer, release), "created": published, "updated": published,
            "language": {"code": "zh", "name": "中文"}, **_described(layer),
            "contacts": _contacts(layer, release["principal"]),
            "layer": release["layer"], "kind": release["kind"], "restores": release["restores"],
            "origin": release["origin"], "principal": release["principal"], "storageCrs": STORAGE_CRS,
            "validFrom": instant(release["valid_from"]) if release["valid_from"] else None,
            "counts": {
                "read": release["rows_read"], "stored": release["rows_stored"],
                "quarantined": release["rows_quarantined"], "current": release["current_rows"],
                **{name: release[name] for name in ("added", "changed", "ended", "unchanged")},
            },
            "lineage": _lineage(release), "quality": [_quality(result) for result in release["results"]],
        },
        "links": _links(layer, release, base),
    }  # fmt: skip


def instant(moment: datetime) -> str:
    """A time in UTC as RFC 3339 writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _title(layer: Layer | None, release: dict[str, Any]) -> str:
    name = layer.title.zh if layer else release["layer"]
    return f"{name} · {release['published_at']:%Y-%m-%d %H:%M} · {release['id']}"


def _described(layer: Layer | None) -> dict[str, Any]:
    """What the declaration says. A layer that is declared no more says nothing."""
    if layer is None:
        return {}
    formats = [*_FORMATS[layer.kind], *((("MVT", "application/vnd.mapbox-vector-tile"),) if layer.tiles else ())]
    return {
        "description": layer.description.zh, "layer_en": layer.title.en, "steward": layer.steward,
        "keywords": list(layer.keywords),
        "themes": [{"scheme": TOPICS, "concepts": [{"id": _TOPIC[layer.theme]}]}],
        "formats": [{"name": name, "mediaType": media} for name, media in formats],
        "rights": f"read: {layer.access.read}, write: {layer.access.write}; the terms of {layer.steward} apply",
    }  # fmt: skip


def _contacts(layer: Layer | None, principal: str) -> list[dict[str, Any]]:
    city = catalog.default().city
    publisher = {"organization": city.publisher.zh, "emails": [{"value": city.contact}],
                 "roles": ["publisher", "pointOfContact"]}  # fmt: skip
    custodian = [{"organization": layer.steward, "roles": ["custodian"]}] if layer else []
    return [*custodian, publisher, {"name": principal, "roles": ["processor"]}]


def _lineage(release: dict[str, Any]) -> dict[str, Any]:
    """LI_Lineage: what was done, with what."""
    restored = f"; the state of release {release['restores']} came back" if release["restores"] else ""
    statement = (
        f"{release['source']} was read, checked by the layer's declared rules and published as release "
        f"{release['id']} ({release['kind']}){restored}: {release['rows_read']} rows read, "
        f"{release['rows_stored']} stored, {release['rows_quarantined']} quarantined."
    )
    source = {"description": release["source"], "sha256": release["source_sha256"], "crs": release["source_crs"],
              "positionalAccuracy": release["datum_note"]}  # fmt: skip
    step = {"description": release["kind"], "dateTime": instant(release["published_at"]),
            "processor": release["principal"]}  # fmt: skip
    return {"statement": statement, "sources": [source], "processSteps": [step]}


def _quality(result: dict[str, Any]) -> dict[str, Any]:
    """One DQ_Element: a rule, how often it was broken and whether the data conforms; null where it was not checked."""
    conforms = None if result["notChecked"] else result["failed"] == 0
    element = _ELEMENTS.get(result["rule"], "DQ_DomainConsistency")
    return {"element": element, "measure": result["rule"], **result, "pass": conforms}


def _links(layer: Layer | None, release: dict[str, Any], base: str) -> list[dict[str, str]]:
    own = f"{base}/collections/releases/items/{release['id']}"
    links = [{"rel": "alternate", "type": "application/xml", "title": "ISO 19139", "href": f"{own}?f=iso19139"}]
    if layer is not None:
        address, then = f"{base}/collections/{layer.id}", instant(release["published_at"])
        links += [
            {"rel": "describes", "type": "application/json", "title": layer.title.zh, "href": address},
            {"rel": _DATA, "type": _FORMATS[layer.kind][0][1], "title": "the data as of this release",
             "href": f"{address}/{_RESOURCE[layer.kind]}?f=json&asOf={then}"},
        ]  # fmt: skip
    return links


def _time(release: dict[str, Any]) -> dict[str, Any] | None:
    if release["time_from"] is None:
        return None
    end = release["time_to"]
    return {"interval": [instant(release["time_from"]), instant(end) if end else ".."]}


def _polygon(extent: list[float] | None) -> dict[str, Any] | None:
    if not extent:
        return None
    west, south, east, north = extent
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }
