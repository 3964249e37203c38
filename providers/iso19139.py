"""A release's record as an ISO 19139 document (XML of ISO 19115), with lineage and quality results per rule.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

_NAMESPACES = {
    "gmd": "http://www.isotc211.org/2005/gmd",
    "gco": "http://www.isotc211.org/2005/gco",
    "gml": "http://www.opengis.net/gml/3.2",
}
_LISTS = "http://standards.iso.org/iso/19139/resources/gmxCodelists.xml"

for prefix, namespace in _NAMESPACES.items():
    ET.register_namespace(prefix, namespace)


def document(record: dict[str, Any]) -> bytes:
    """The document. record: as `release_document.record` makes it. The order of elements is the schema's."""
    properties = record["properties"]
    root = ET.Element(_name("gmd:MD_Metadata"))
    _text(root, "gmd:fileIdentifier", f"shikong-release-{record['id']}")
    _code(root, "gmd:language", "LanguageCode", "zho")
    _code(root, "gmd:characterSet", "MD_CharacterSetCode", "utf8")
    _text(root, "gmd:parentIdentifier", properties["layer"])
    _code(root, "gmd:hierarchyLevel", "MD_ScopeCode", "dataset")
    for contact in properties["contacts"]:
        _party(root, "gmd:contact", contact)
    _value(root, "gmd:dateStamp", "gco:DateTime", properties["updated"].removesuffix("Z"))
    _text(root, "gmd:metadataStandardName", "ISO 19115:2003/19139")
    _text(root, "gmd:metadataStandardVersion", "1.0")
    system = "gmd:referenceSystemInfo/gmd:MD_ReferenceSystem/gmd:referenceSystemIdentifier/gmd:RS_Identifier/gmd:code"
    _text(root, system, properties["storageCrs"])
    _identification(root, record)
    _distribution(root, record)
    _quality(root, properties)
    ET.indent(root)
    whole: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return whole


def _identification(root: ET.Element, record: dict[str, Any]) -> None:
    properties = record["properties"]
    data = _under(root, "gmd:identificationInfo/gmd:MD_DataIdentification")
    citation = _citation(data, "gmd:citation", properties["title"], properties["created"])
    _text(citation, "gmd:identifier/gmd:MD_Identifier/gmd:code", f"{properties['layer']}/{record['id']}")
    _text(data, "gmd:abstract", properties.get("description", properties["title"]))
    for contact in properties["contacts"]:
        _party(data, "gmd:pointOfContact", contact)
    if properties.get("keywords"):
        keywords = _under(data, "gmd:descriptiveKeywords/gmd:MD_Keywords")
        for word in properties["keywords"]:
            _text(keywords, "gmd:keyword", word)
    if "rights" in properties:
        legal = _under(data, "gmd:resourceConstraints/gmd:MD_LegalConstraints")
        _code(legal, "gmd:accessConstraints", "MD_RestrictionCode", "otherRestrictions")
        _text(legal, "gmd:otherConstraints", properties["rights"])
    _code(data, "gmd:language", "LanguageCode", "zho")
    for theme in properties.get("themes", ()):
        for concept in theme["concepts"]:
            _under(data, "gmd:topicCategory/gmd:MD_TopicCategoryCode").text = concept["id"]
    _extent(data, record)


def _extent(data: ET.Element, record: dict[str, Any]) -> None:
    if record["geometry"] is None and record["time"] is None:
        return
    extent = _under(data, "gmd:extent/gmd:EX_Extent")
    if record["geometry"] is not None:
        (west, south), _, (east, north), *_ = record["geometry"]["coordinates"][0]
        box = _under(extent, "gmd:geographicElement/gmd:EX_GeographicBoundingBox")
        sides = {"westBoundLongitude": west, "eastBoundLongitude": east, "southBoundLatitude": south,
                 "northBoundLatitude": north}  # fmt: skip
        for name, degrees in sides.items():
            _value(box, f"gmd:{name}", "gco:Decimal", repr(float(degrees)))
    if record["time"] is not None:
        begin, end = record["time"]["interval"]
        period = _under(extent, "gmd:temporalElement/gmd:EX_TemporalExtent/gmd:extent/gml:TimePeriod")
        period.set(_name("gml:id"), "period")
        _under(period, "gml:beginPosition").text = begin
        last = _under(period, "gml:endPosition")
        if end == "..":
            last.set("indeterminatePosition", "unknown")
        else:
            last.text = end


def _distribution(root: ET.Element, record: dict[str, Any]) -> None:
    place = _under(root, "gmd:distributionInfo/gmd:MD_Distribution")
    for form in record["properties"].get("formats", ()):
        entry = _under(place, "gmd:distributionFormat/gmd:MD_Format")
        _text(entry, "gmd:name", form["name"])
        _under(entry, "gmd:version").set(_name("gco:nilReason"), "inapplicable")
    for link in record["links"]:
        online = _under(place, "gmd:transferOptions/gmd:MD_DigitalTransferOptions/gmd:onLine/gmd:CI_OnlineResource")
        _under(online, "gmd:linkage/gmd:URL").text = link["href"]
        _text(online, "gmd:protocol", "WWW:LINK")
        _text(online, "gmd:name", link["title"])


def _quality(root: ET.Element, properties: dict[str, Any]) -> None:
    quality = _under(root, "gmd:dataQualityInfo/gmd:DQ_DataQuality")
    _code(quality, "gmd:scope/gmd:DQ_Scope/gmd:level", "MD_ScopeCode", "dataset")
    for result in properties["quality"]:
        _report(quality, result, properties["created"])
    lineage = _under(quality, "gmd:lineage/gmd:LI_Lineage")
    _text(lineage, "gmd:statement", properties["lineage"]["statement"])
    for step in properties["lineage"]["processSteps"]:
        entry = _under(lineage, "gmd:processStep/gmd:LI_ProcessStep")
        _text(entry, "gmd:description", step["description"])
        _value(entry, "gmd:dateTime", "gco:DateTime", step["dateTime"].removesuffix("Z"))
        _party(entry, "gmd:processor", {"name": step["processor"], "roles": ["processor"]})
    for source in properties["lineage"]["sources"]:
        entry = _under(lineage, "gmd:source/gmd:LI_Source")
        _text(entry, "gmd:description", source["positionalAccuracy"] or source["description"])
        if source["crs"]:
            _text(entry, "gmd:sourceReferenceSystem/gmd:MD_ReferenceSystem/gmd:referenceSystemIdentifier/"
                  "gmd:RS_Identifier/gmd:code", source["crs"])  # fmt: skip
        citation = _citation(entry, "gmd:sourceCitation", source["description"], None)
        if source["sha256"]:
            _text(citation, "gmd:identifier/gmd:MD_Identifier/gmd:code", f"sha256:{source['sha256']}")


def _report(quality: ET.Element, result: dict[str, Any], checked: str) -> None:
    """One rule: whether the data conforms to it, and how often it was broken."""
    element = _under(quality, f"gmd:report/gmd:{result['element']}")
    named = " ".join(filter(None, (result["measure"], result["field"])))
    _text(element, "gmd:nameOfMeasure", named)
    _value(element, "gmd:dateTime", "gco:DateTime", checked.removesuffix("Z"))
    conformance = _under(element, "gmd:result/gmd:DQ_ConformanceResult")
    _citation(conformance, "gmd:specification", f"declared rule {named}, severity {result['severity']}", None)
    if result["pass"] is None:
        _text(conformance, "gmd:explanation", f"not checked: {result['notChecked']}")
        _under(conformance, "gmd:pass").set(_name("gco:nilReason"), "unknown")
        return
    _text(conformance, "gmd:explanation", f"{result['failed']} broken")
    _value(conformance, "gmd:pass", "gco:Boolean", "true" if result["pass"] else "false")
    number = _under(element, "gmd:result/gmd:DQ_QuantitativeResult")
    _under(number, "gmd:valueUnit").set(_name("gco:nilReason"), "inapplicable")
    _value(number, "gmd:value", "gco:Record", str(result["failed"]))


def _citation(parent: ET.Element, path: str, title: str, created: str | None) -> ET.Element:
    citation = _under(parent, f"{path}/gmd:CI_Citation")
    _text(citation, "gmd:title", title)
    if created is None:
        _under(citation, "gmd:date").set(_name("gco:nilReason"), "unknown")
    else:
        date = _under(citation, "gmd:date/gmd:CI_Date")
        _value(date, "gmd:date", "gco:DateTime", created.removesuffix("Z"))
        _code(date, "gmd:dateType", "CI_DateTypeCode", "publication")
    return citation


def _party(parent: ET.Element, path: str, contact: dict[str, Any]) -> None:
    """A party for each role that a contact has."""
    for role in contact["roles"]:
        party = _under(parent, f"{path}/gmd:CI_ResponsibleParty")
        if "name" in contact:
            _text(party, "gmd:individualName", contact["name"])
        if "organization" in contact:
            _text(party, "gmd:organisationName", contact["organization"])
        for email in contact.get("emails", ()):
            _text(party, "gmd:contactInfo/gmd:CI_Contact/gmd:address/gmd:CI_Address/gmd:electronicMailAddress",
                  email["value"])  # fmt: skip
        _code(party, "gmd:role", "CI_RoleCode", role)


def _code(parent: ET.Element, path: str, code_list: str, value: str) -> None:
    element = _under(parent, f"{path}/gmd:{code_list}")
    element.set("codeList", f"{_LISTS}#{code_list}")
    element.set("codeListValue", value)
    element.text = value


def _text(parent: ET.Element, path: str, text: str) -> None:
    _value(parent, path, "gco:CharacterString", text)


def _value(parent: ET.Element, path: str, kind: str, text: str) -> None:
    _under(parent, f"{path}/{kind}").text = text


def _under(parent: ET.Element, path: str) -> ET.Element:
    """New elements, each in the one before; the last of them."""
    for name in path.split("/"):
        parent = ET.SubElement(parent, _name(name))
    return parent


def _name(qualified: str) -> str:
    prefix, _, local = qualified.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"
