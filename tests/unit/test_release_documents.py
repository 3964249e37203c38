"""A release's record, and its ISO 19139 document as OWSLib reads it.

The document was also checked against the published ISO 19139 schemas, and the record against the schemas of
OGC API - Records; they are not part of the project.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from owslib.etree import etree
from owslib.iso import MD_Metadata

from shikong.providers import iso19139, release_document

BASE = "http://127.0.0.1:5000"
NAMES = {"gmd": "http://www.isotc211.org/2005/gmd", "gco": "http://www.isotc211.org/2005/gco"}
PUBLISHED = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)


def _release(**changes: Any) -> dict[str, Any]:
    results = [("no_overlap", None, "error", 2, None), ("within", None, "warning", 0, "no boundary is published"),
               ("range", "low", "warning", 0, None)]  # fmt: skip
    names = ("rule", "field", "severity", "failed", "notChecked")
    return {
        "id": 7, "layer": "parcels", "kind": "rollback", "restores": 3, "source": "地块<a>&.gpkg",
        "source_sha256": "ab" * 32, "source_crs": "EPSG:4527", "datum_note": "seven parameters",
        "origin": "delivered", "principal": "operator:li", "published_at": PUBLISHED, "valid_from": PUBLISHED,
        "rows_read": 5, "rows_stored": 4, "rows_quarantined": 1, "added": 1, "changed": 2, "ended": 0, "unchanged": 1,
        "current_rows": 4, "extent": [115.5, 36.0, 116.25, 37.0], "time_from": PUBLISHED, "time_to": None,
        "results": [dict(zip(names, result, strict=True)) for result in results],
    } | changes  # fmt: skip


def test_a_record_has_the_members_of_ogc_records() -> None:
    record = release_document.record(_release(), BASE)
    properties = record["properties"]
    assert record["time"] == {"interval": ["2026-03-01T04:05:06Z", ".."]}
    assert properties["created"] == properties["updated"] == "2026-03-01T04:05:06Z"
    assert properties["themes"] == [{"scheme": release_document.TOPICS, "concepts": [{"id": "environment"}]}]
    assert {role for contact in properties["contacts"] for role in contact["roles"]} == {
        "custodian", "publisher", "pointOfContact", "processor",
    }  # fmt: skip
    assert {"name": "MVT", "mediaType": "application/vnd.mapbox-vector-tile"} in properties["formats"]
    assert [(q["measure"], q["element"], q["failed"], q["pass"]) for q in properties["quality"]] == [
        ("no_overlap", "DQ_TopologicalConsistency", 2, False), ("within", "DQ_TopologicalConsistency", 0, None),
        ("range", "DQ_DomainConsistency", 0, True),
    ]  # fmt: skip
    assert properties["lineage"]["sources"][0]["sha256"] == "ab" * 32
    assert "the state of release 3 came back" in properties["lineage"]["statement"]


def test_its_iso_document_says_the_same_to_owslib() -> None:
    record = release_document.record(_release(), BASE)
    found = MD_Metadata(etree.fromstring(iso19139.document(record)))
    assert (found.identifier, found.parentidentifier) == ("shikong-release-7", "parcels")
    assert (found.languagecode, found.charset, found.hierarchy) == ("zho", "utf8", "dataset")
    assert found.datestamp == "2026-03-01T04:05:06"
    assert found.referencesystem.code == "http://www.opengis.net/def/crs/EPSG/0/4490"
    assert [contact.role for contact in found.contact] == ["custodian", "publisher", "pointOfContact", "processor"]
    (data,) = found.identification
    assert data.title == record["properties"]["title"]
    assert data.abstract == record["properties"]["description"]
    assert data.topiccategory == ["environment"]
    assert [word.name for keywords in data.keywords for word in keywords.keywords] == record["properties"]["keywords"]
    box = data.bbox
    assert tuple(map(float, (box.minx, box.miny, box.maxx, box.maxy))) == (115.5, 36.0, 116.25, 37.0)
    assert data.temporalextent_start == "2026-03-01T04:05:06Z"
    assert data.otherconstraints == [record["properties"]["rights"]]
    assert {online.url for online in found.distribution.online} == {link["href"] for link in record["links"]}
    assert "地块<a>&.gpkg was read" in found.dataquality.lineage
    assert (found.dataquality.conformancedegree, found.dataquality.conformancetitle) == (
        ["true"], ["declared rule range low, severity warning"],
    )  # fmt: skip
    reports = found.md.findall(".//gmd:report/*", NAMES)
    told = [
        (report.findtext("gmd:nameOfMeasure/*", None, NAMES), report.findtext(".//gco:Boolean", None, NAMES),
         report.findtext(".//gmd:DQ_QuantitativeResult/gmd:value/gco:Record", None, NAMES))
        for report in reports
    ]  # fmt: skip
    assert told == [("no_overlap", "false", "2"), ("within", None, None), ("range low", "true", "0")]
    codes = found.md.findall(".//gmd:LI_Source//gmd:MD_Identifier/gmd:code/gco:CharacterString", NAMES)
    assert [code.text for code in codes] == [f"sha256:{'ab' * 32}"]


@pytest.mark.parametrize("changes", [
    {"layer": "gone"}, {"extent": None}, {"time_from": None, "extent": None}, {"results": [], "source_sha256": None},
    {"source_crs": None, "datum_note": None, "valid_from": None, "time_to": PUBLISHED}, {"layer": "elevation"},
])  # fmt: skip
def test_what_a_release_lacks_is_left_out(changes: dict[str, Any]) -> None:
    record = release_document.record(_release(**changes), BASE)
    found = MD_Metadata(etree.fromstring(iso19139.document(record)))
    assert found.identifier == "shikong-release-7"
    (data,) = found.identification
    assert (getattr(data, "bbox", None) is None) == (record["geometry"] is None)
    assert len(found.md.findall(".//gmd:report", NAMES)) == len(record["properties"]["quality"])
