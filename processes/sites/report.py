"""The site check as a report: what the bureau hands out and keeps.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import shapely
from psycopg import Connection

from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.processes import counties
from shikong.processes.moments import Then, releases_of
from shikong.processes.reports import ground, sheet, words
from shikong.processes.reports.document import Document, Picture, Section
from shikong.processes.reports.sheet import Mark, Sheet
from shikong.processes.sites import chapters
from shikong.processes.sites.chapters import Release, Told
from shikong.providers.labels import Language
from shikong.store.database import default as default_database
from shikong.store.database import one_state

#: Colours of verdicts on the map.
_COLOURS = {"forbidden": "#D7191C", "conditional": "#F08C00"}
_SITE = "#101820"

_RELEASES = """
    SELECT layer, id, published_at, valid_from, source, origin, kind FROM shikong.release WHERE id = ANY(%(ids)s)
    ORDER BY layer
"""


def write(answer: dict[str, Any], language: Language) -> Document:
    """The report of an answer. Raises NoFont where the map cannot be drawn."""
    city = catalog.default()
    with default_database().thread_session() as conn, one_state(conn):
        drawn = _drawn(conn, city, answer)
        releases = _releases(conn, answer["releases"] | drawn)
        told = Told(city, answer, releases, words.of(language), language)
        picture = _map(conn, told)
    _ = told.words.gettext
    generated = any(release.generated for release in releases.values())
    notice = _("This report is made from generated sample data. It describes no real place and has no legal force.")
    return Document(
        language, getattr(city.city.publisher, language), _("Site compliance report of a construction project"),
        [_("Type of project: {name}").format(name=told.text(answer["project_title"])),
         _("Checked at: {time}").format(time=chapters.time(answer["asked"]))],
        notice if generated else None,
        [chapters.verdict(told), chapters.site(told), Section(_("Map of the site"), [picture]),
         *chapters.findings(told), chapters.overlaps(told), chapters.indicators(told), chapters.quotas(told),
         chapters.rules(told), chapters.releases(told), chapters.remarks(told)],
    )  # fmt: skip


def _drawn(conn: Connection[Any], city: Catalog, answer: Mapping[str, Any]) -> dict[str, int | None]:
    """The releases of what the map shows beside what was checked."""
    assert city.site_check is not None
    names = {*city.site_check.map, counties.LAYER, city.site_check.quotas} - set(answer["releases"])
    return releases_of(conn, map(city.layer, sorted(names)), _moment(answer))


def _moment(answer: Mapping[str, Any]) -> Any:
    return Then.model_validate({"datetime": answer["datetime"], "asOf": answer["asOf"]}).moment


def _releases(conn: Connection[Any], ids: Mapping[str, int | None]) -> dict[str, Release]:
    rows = conn.execute(_RELEASES, {"ids": [number for number in ids.values() if number is not None]})
    found = {}
    for layer, number, published, valid_from, source, origin, kind in rows:
        found[layer] = Release(number, published, valid_from, source, origin == "generated", kind)
    return found


def _map(conn: Connection[Any], told: Told) -> Picture:
    _, city = told.words.gettext, told.city
    site = shapely.geometry.shape(told.answer["site"]["geometry"])
    assert city.site_check is not None
    broken = [finding["layer"] for finding in told.answer["findings"]]
    under, over = _layers(city.site_check.map, broken, city)
    seen = ground.frame(site, *sheet.MAP)
    moment = _moment(told.answer)
    layers = [city.layer(name) for name in (*under, *over)]
    drawn = Sheet(
        seen, ground.draw(conn, city, layers, seen, moment), _marks(told, site), counties.read(conn, city, moment),
        frozenset(name for name, release in told.releases.items() if release.generated), told.language, told.words,
    )  # fmt: skip
    caption = _("The site (black outline) and its surroundings; what breaks a rule is in the colour of its verdict")
    return Picture(sheet.png(drawn), caption, sheet.PRINTED)


def _layers(declared: tuple[str, ...], broken: list[str], city: Catalog) -> tuple[list[str], list[str]]:
    """What the map shows: surfaces, with those of broken rules on top, and then lines and outlines.

    A layer in the same colours as one that is shown would make both unreadable.
    """
    filled = [name for name in declared if _is_filled(city.layer(name))]
    taken = {_colours(city, name) for name in filled}
    more = [name for name in dict.fromkeys(broken) if name not in declared and _colours(city, name) not in taken]
    return filled + more, [name for name in declared if name not in filled]


def _is_filled(layer: Layer) -> bool:
    return "Polygon" in (layer.geometry or "") and layer.style is not None and layer.style.opacity > 0


def _colours(city: Catalog, name: str) -> str:
    """The code list whose colours a layer has, or else its name."""
    layer = city.layer(name)
    by = layer.style.by if layer.style else None
    return (layer.fields[by].codes if by else None) or name


def _marks(told: Told, site: Any) -> list[Mark]:
    """The pieces of the site that break rules, each in the gravest verdict on it, and the site's outline above them."""
    _ = told.words.gettext
    pieces: dict[str, list[Any]] = {"forbidden": [], "conditional": []}
    for feature in told.answer["features"]["features"]:
        pieces[feature["properties"]["verdict"]].append(shapely.geometry.shape(feature["geometry"]))
    forbidden, conditional = (shapely.union_all(shapes) for shapes in pieces.values())
    titles = {"conditional": _("Conditional on the site"), "forbidden": _("Forbidden on the site")}
    shapes = {"conditional": shapely.difference(conditional, forbidden), "forbidden": forbidden}
    marks = [Mark(titles[verdict], [shape], _COLOURS[verdict], 0.62) for verdict, shape in shapes.items() if shape.area]
    return [*marks, Mark(_("The site"), [site], _SITE, 0.0, 2.6)]
