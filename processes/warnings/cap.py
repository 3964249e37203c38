"""A warning as a message of the Common Alerting Protocol 1.2 (OASIS, 2010), in Chinese and English.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from shikong.layers.catalog import Catalog
from shikong.layers.warning_rules import Level
from shikong.processes.warnings.facts import rules_of

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE = "application/cap+xml"

#: The four levels by CAP's words: how grave it is, and how soon something must be done.
_SEVERITY = {"blue": "Minor", "yellow": "Moderate", "orange": "Severe", "red": "Extreme"}
_URGENCY = {"blue": "Future", "yellow": "Expected", "orange": "Expected", "red": "Immediate"}
_RESPONSE = {"blue": "Monitor", "yellow": "Prepare", "orange": "Execute", "red": "Evacuate"}

#: What is not said again counts so long.
_EXPIRES = timedelta(hours=24)

#: About a station a warning holds, km: until the land that is flooded is known.
_RADIUS = 5.0


def identifier(warning: Mapping[str, Any], release: int) -> str:
    """The message's identifier: each state of a warning is a message of its own. CAP allows no blanks and commas."""
    return f"{warning['code']}-{release}".replace(" ", "_").replace(",", "_")


def message(city: Catalog, warning: Mapping[str, Any], places: Iterable[tuple[float, float]], release: int) -> bytes:
    """The message of a warning.

    warning: the feature's properties, its `origin` among them, and `before`: the release of the state before this one,
    None for its first. places: of its stations, lon and lat. release: that brought this state.
    """
    zone = ZoneInfo(city.city.timezone)
    alert = ET.Element(f"{{{NAMESPACE}}}alert")
    before = warning.get("before")
    kind = "Cancel" if warning["state"] in ("lifted", "closed") else "Alert" if before is None else "Update"
    made_up = warning["origin"] == "generated"
    sent = _time(warning["changed_at"], zone)
    fields = {
        "identifier": identifier(warning, release), "sender": city.city.contact, "sent": sent,
        "status": "Test" if made_up else "Actual", "msgType": kind, "scope": "Public",
        "note": "生成的样例数据 / generated sample data" if made_up else None,
        "references": None if before is None else f"{city.city.contact},{identifier(warning, before)},{sent}",
    }  # fmt: skip
    _add(alert, fields)
    for language, short in (("zh-CN", "zh"), ("en-US", "en")):
        _info(alert, city, warning, language, short, list(places))
    ET.indent(alert)
    text: bytes = ET.tostring(alert, encoding="utf-8", xml_declaration=True, default_namespace=NAMESPACE)
    return text


def _info(
    alert: ET.Element, city: Catalog, warning: Mapping[str, Any], language: str, short: str,
    places: list[tuple[float, float]],
) -> None:  # fmt: skip
    rules, level = rules_of(city), warning["level"]
    zone = ZoneInfo(city.city.timezone)
    hazard = city.codes["warning_hazard"].codes[warning["hazard"]].title
    info = ET.SubElement(alert, f"{{{NAMESPACE}}}info")
    expires = datetime.fromisoformat(str(warning["changed_at"])) + _EXPIRES
    _add(info, {
        "language": language, "category": "Met", "event": getattr(hazard, short), "responseType": _RESPONSE[level],
        "urgency": _URGENCY[level], "severity": _SEVERITY[level], "certainty": "Observed",
        "effective": _time(warning["issued_at"], zone), "expires": _time(expires, zone),
        "senderName": getattr(city.city.publisher, short), "headline": warning[f"headline_{short}"],
        "description": _description(warning, short),
        "instruction": _instruction(rules.plans.get(warning["hazard"], {}), level, short),
    })  # fmt: skip
    for name in ("rule", "level", "value", "threshold", "unit", "stations"):
        if warning.get(name) is not None:
            parameter = ET.SubElement(info, f"{{{NAMESPACE}}}parameter")
            _add(parameter, {"valueName": name, "value": str(warning[name])})
    area = ET.SubElement(info, f"{{{NAMESPACE}}}area")
    _add(area, {"areaDesc": str(warning["name"])})
    for lon, lat in places:
        _add(area, {"circle": f"{lat:.5f},{lon:.5f} {_RADIUS:g}"})


def _description(warning: Mapping[str, Any], short: str) -> str:
    """What the warning rests on, and what it affects, in a sentence each."""
    told = json.loads(warning["evidence"])
    text = str(warning[f"headline_{short}"])
    if warning.get("observed_at") is not None:
        text += f"；观测时间 {warning['observed_at']}" if short == "zh" else f"; observed at {warning['observed_at']}"
    if told.get("over"):
        text += f"，时段 {told['over']}" if short == "zh" else f", over {told['over']}"
    return text


def _instruction(plan: Mapping[Level, Any], level: Level, short: str) -> str | None:
    """What is to be done at the level, by the city's plan."""
    actions = plan.get(level, ())
    return "; ".join(f"{getattr(a.department, short)}: {getattr(a.title, short)}" for a in actions) or None


def _add(to: ET.Element, fields: Mapping[str, str | None]) -> None:
    for name, text in fields.items():
        if text is not None:
            ET.SubElement(to, f"{{{NAMESPACE}}}{name}").text = text


def _time(moment: datetime | str, zone: ZoneInfo) -> str:
    """A time as CAP writes it: with an offset, without fractions of seconds; the offset is never Z."""
    parsed = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
    return parsed.astimezone(zone).isoformat(timespec="seconds")
