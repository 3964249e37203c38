"""May this be built here? Everything that the plans say of a site and a kind of project.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import shapely
from psycopg import Connection, sql
from pydantic import Field

from shikong.ingest.job import FEATURE_SUFFIXES
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.layers.site_rules import SiteCheck as Rules
from shikong.layers.site_rules import SiteRule
from shikong.processes.base import BadInput, Inputs, Process, titled
from shikong.processes.conflicts.runs import LAYER as CONFLICTS
from shikong.processes.moments import Then, releases_of
from shikong.processes.reports import forms
from shikong.processes.sites import meets, report, site, verdict
from shikong.processes.sites.meets import Meeting
from shikong.processes.sites.parts import PARTS
from shikong.processes.sites.site import MAX_FILE, Given, Site, SiteFile
from shikong.processes.sites.verdict import Finding
from shikong.store import moments
from shikong.store.database import default as default_database
from shikong.store.database import one_state
from shikong.store.moments import Moment

#: The survey's unit of land that people speak of: a fifteenth of a hectare.
_MU = 10_000 / 15

VERDICTS = {
    "forbidden": {"zh": "禁止", "en": "forbidden"}, "conditional": {"zh": "有条件", "en": "conditional"},
    "allowed": {"zh": "允许", "en": "allowed"},
}  # fmt: skip

_INDICATORS = "SELECT {key}, {by}, {fields} FROM {rows} AS s WHERE {key} = ANY(%(keys)s) ORDER BY {key}"
_QUOTAS = """
    SELECT xzqdm, kind, planned, used, period_from, period_to FROM {rows} AS s
    WHERE xzqdm = ANY(%(counties)s) ORDER BY xzqdm, kind
"""


def _rules() -> Rules:
    found = catalog.default().site_check
    assert found is not None
    return found


_PROJECTS = catalog.default().codes[_rules().projects].codes
_PROJECT_TITLES = [code.title.model_dump() for code in _PROJECTS.values()]


class Outline(Inputs):
    """The site, as GeoJSON or as a file."""

    site: dict[str, Any] | None = Field(
        None,
        json_schema_extra=titled(
            "用地范围（GeoJSON 面）",
            "Site (GeoJSON of a surface)",
            **{"x-geometry": "Polygon", "x-map": list(_rules().map)},
        ),
    )
    file: SiteFile | None = Field(
        None,
        json_schema_extra=titled(
            "用地文件（zip 压缩的 Shapefile、DXF、部标界址点文本、GeoPackage 等）",
            "Site as a file (zipped Shapefile, DXF, boundary-point text, GeoPackage and others)",
            **{"x-file": {"accept": ",".join(FEATURE_SUFFIXES), "maxBytes": MAX_FILE}},
        ),
    )
    crs: str | None = Field(
        None, json_schema_extra=titled("坐标系（可选，如 EPSG:4548）", "CRS (optional, such as EPSG:4548)")
    )

    @property
    def given(self) -> Given:
        """The site as it is given. Raises BadInput where it is given twice or not at all."""
        if (self.site is None) == (self.file is None):
            raise BadInput("site", "give a site as GeoJSON, or else a `file`")
        return Given(self.site, self.file, self.crs)


class Place(Then, Outline):
    """The site, and what is to be built."""

    project: str = Field(
        json_schema_extra=titled(
            "项目类型", "Type of project", enum=list(_PROJECTS), **{"x-enum-titles": _PROJECT_TITLES}
        )
    )


class SiteCheck(Process):
    """Holds a site against all plans."""

    id = "site-check"
    title = Text(zh="选址合规性审查", en="Site compliance check")
    description = Text(
        zh="对一块用地和一类项目给出审查结论：各图层压占面积与占比、依据的规则与条文、距离、适用的规划指标与剩余用地指标，均可追溯到版本。",
        en="What the plans say of a site and a kind of project: overlap with each layer, the verdict with rule and "
        "legal basis, distances, plan indicators and quotas left, each from a known release.",
    )
    inputs = Place
    renderings = forms.of(report.write)
    parts = PARTS

    def answer(self, inputs: Place) -> dict[str, Any]:
        """The findings. Raises BadInput for a site that cannot be one."""
        city, rules = catalog.default(), _rules()
        if inputs.project not in _PROJECTS:
            raise BadInput("project", f"{inputs.project[:40]!r} is no type of project", tuple(_PROJECTS))
        with default_database().thread_session() as conn, one_state(conn):
            place = site.read(conn, city, inputs.given, inputs.moment)
            surfaces = [layer for layer in city if _is_plan(layer)]
            meetings = {layer.id: meets.on(conn, city, layer, place, inputs.moment) for layer in surfaces}

            def near(rule: SiteRule) -> list[tuple[str, float]]:
                return meets.near(conn, city, rule.land, place, rule.nearer_than, inputs.moment)

            found = verdict.findings(city, inputs.project, meetings, near)
            releases = releases_of(conn, surfaces, inputs.moment)
            return {
                "asked": _told_time(datetime.now(UTC)), "datetime": _told_time(inputs.held_at),
                "asOf": _told_time(inputs.as_of),
                "verdict": verdict.gravest(found), "verdict_title": VERDICTS[verdict.gravest(found)],
                "project": inputs.project, "project_title": _PROJECTS[inputs.project].title.model_dump(),
                "site": _told_site(place), "findings": [_told_finding(each, place) for each in found],
                "layers": [_told_layer(city, city.layer(name), each, place) for name, each in meetings.items()],
                "indicators": indicators(conn, city, rules, meetings[rules.plots], place.area, inputs.moment),
                "quotas": _quotas(conn, city, rules, place, inputs.moment),
                "rules": [_told_rule(name, rule, inputs.project, found, releases)
                          for name, rule in rules.rules.items() if rule.holds_for(inputs.project)],
                "releases": releases, "generated": _generated(conn, releases),
                "features": _collection(found, meetings),
            }  # fmt: skip


def _is_plan(layer: Layer) -> bool:
    """Whether a site is laid on a layer: surfaces that everyone may know of, found conflicts apart."""
    return "Polygon" in (layer.geometry or "") and layer.access.public and layer.id != CONFLICTS


def _told_time(moment: datetime | None) -> str | None:
    zone = ZoneInfo(catalog.default().city.timezone)
    return None if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")


def _told_site(place: Site) -> dict[str, Any]:
    counties = [{"code": code, "name": name, "area_m2": round(area, 2)} for code, name, area in place.counties]
    return {
        "area_m2": round(place.area, 2), "area_mu": round(place.area / _MU, 4), "crs": place.crs,
        "crs_from": place.crs_from.model_dump(),
        "bbox": [round(value, 7) for value in place.shape.bounds], "counties": counties,
        "outside_m2": round(place.outside, 2),
        "geometry": shapely.geometry.mapping(place.shape),
    }  # fmt: skip


def _told_finding(found: Finding, place: Site) -> dict[str, Any]:
    rule = found.rule
    return {
        "rule": found.name, "title": rule.title.model_dump(), "verdict": found.verdict,
        "verdict_title": VERDICTS[found.verdict], "layer": rule.land.layer, "area_m2": round(found.area, 2),
        "share": round(found.area / place.area, 6), "features": list(found.features),
        "nearest": [{"id": key, "distance_m": round(distance, 2)} for key, distance in found.nearest],
        "basis": rule.basis.model_dump(), "advice": rule.advice.model_dump(),
    }  # fmt: skip


def _generated(conn: Connection[Any], releases: dict[str, int | None]) -> list[str]:
    """The layers of which a sample was read."""
    query = "SELECT layer FROM shikong.release WHERE id = ANY(%s) AND origin = 'generated' ORDER BY layer"
    return [name for (name,) in conn.execute(query, (list(releases.values()),))]


def _told_rule(
    name: str, rule: SiteRule, project: str, found: list[Finding], releases: dict[str, int | None]
) -> dict[str, Any]:
    """A rule about the project. result: `broken` or `kept`; `unchecked` where nothing is known of its layer."""
    result = "unchecked" if releases[rule.land.layer] is None else "kept"
    if any(each.name == name for each in found):
        result = "broken"
    return {
        "rule": name, "title": rule.title.model_dump(), "layer": rule.land.layer, "result": result,
        "verdict": rule.verdict_for(project), "basis": rule.basis.model_dump(),
    }  # fmt: skip


def _told_layer(city: Catalog, layer: Layer, meeting: Meeting, place: Site) -> dict[str, Any]:
    listed = city.codes[meeting.features.system].codes if meeting.features.system else {}
    classes = [
        {"code": code, "system": meeting.features.system, "area_m2": round(area, 2),
         "title": listed[code].title.model_dump() if code in listed else None, "share": round(area / place.area, 6)}
        for code, area in sorted(meeting.by_class().items(), key=lambda each: -each[1])
    ]  # fmt: skip
    return {
        "layer": layer.id, "title": layer.title.model_dump(), "area_m2": round(meeting.area, 2),
        "share": round(meeting.area / place.area, 6), "features": len(set(meeting.pieces.second.tolist())),
        "classes": classes,
    }  # fmt: skip


def indicators(
    conn: Connection[Any], city: Catalog, rules: Rules, meeting: Meeting, whole: float, moment: Moment
) -> list[dict[str, Any]]:
    """The indicators of the plots on a site of so many m²; what a plan leaves open is null."""
    layer = city.layer(rules.plots)
    areas: dict[str, float] = {}
    for number, area in zip(meeting.pieces.second, meeting.pieces.area, strict=True):
        key = str(meeting.features.keys[number])
        areas[key] = areas.get(key, 0.0) + float(area)
    by = layer.style.by if layer.style else None
    query = sql.SQL(_INDICATORS).format(
        key=sql.Identifier(layer.key_field), by=sql.Identifier(by or layer.key_field),
        fields=sql.SQL(", ").join(map(sql.Identifier, rules.indicators)), rows=moments.rows(layer, moment),
    )  # fmt: skip
    told = []
    for key, code, *values in conn.execute(query, moment.values | {"keys": list(areas)}):
        entry = {"plot": key, "class": code, "area_m2": round(areas[key], 2),
                 "share": round(areas[key] / whole, 6)}  # fmt: skip
        told.append(entry | dict(zip(rules.indicators, values, strict=True)))
    return told


def _quotas(conn: Connection[Any], city: Catalog, rules: Rules, place: Site, moment: Moment) -> list[dict[str, Any]]:
    """What the site's counties have left of their quotas (ha), and how much of the site lies in each.

    Of what may not be exceeded, what is not used yet; of what must be kept, what there is beyond it.
    """
    layer = city.layer(rules.quotas)
    parts = {code: area for code, _, area in place.counties}
    listed = city.codes[layer.fields["kind"].codes or ""]
    kinds = listed.codes
    query = sql.SQL(_QUOTAS).format(rows=moments.rows(layer, moment))
    return [
        {"county": county, "kind": kind, "title": kinds[kind].title.model_dump(), "planned_ha": planned,
         "limit": listed.group_of(kind), "used_ha": used, "left_ha": _left(listed.group_of(kind), planned, used),
         "site_ha": round(parts[county] / 10_000, 4), "period": [since, until]}
        for county, kind, planned, used, since, until
        in conn.execute(query, moment.values | {"counties": list(parts)})
    ]  # fmt: skip


def _left(limit: str | None, planned: float, used: float | None) -> float | None:
    if used is None:
        return None
    return round(used - planned if limit == "floor" else planned - used, 4)


def _collection(found: Iterable[Finding], meetings: dict[str, Meeting]) -> dict[str, Any]:
    """The pieces of the site that break rules."""
    features = []
    for each in found:
        meeting = meetings[each.rule.land.layer]
        for number, shape, area in zip(meeting.pieces.second, meeting.pieces.shapes, meeting.pieces.area, strict=True):
            key = str(meeting.features.keys[number])
            if key in each.features:
                properties = {"rule": each.name, "verdict": each.verdict, "layer": each.rule.land.layer, "id": key,
                              "class": meeting.features.classes[number], "area_m2": round(float(area), 2)}  # fmt: skip
                features.append({"type": "Feature", "properties": properties,
                                 "geometry": shapely.geometry.mapping(shape)})  # fmt: skip
    return {"type": "FeatureCollection", "features": features}
