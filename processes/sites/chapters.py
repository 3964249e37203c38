"""The chapters of a site check's report.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from gettext import NullTranslations
from typing import Any, Literal
from zoneinfo import ZoneInfo

from shikong.layers.catalog import Catalog
from shikong.processes import counties
from shikong.processes.reports.document import Block, Cell, Facts, Section, Signatures, Table, Text, Tone, Verdict
from shikong.providers.labels import Language

#: The keys of features that are listed of a finding, and the plots that are listed.
_KEYS, _PLOTS = 24, 100

TONES: dict[str, Tone] = {"forbidden": "bad", "conditional": "care", "allowed": "good"}


@dataclass(frozen=True)
class Release:
    """What a release's record says."""

    number: int
    published: datetime
    valid_from: datetime | None
    source: str
    generated: bool
    kind: Literal["load", "rollback", "correction", "edit"]


@dataclass(frozen=True)
class Told:
    """An answer, and what is needed to tell it. releases: by layer."""

    city: Catalog
    answer: dict[str, Any]
    releases: Mapping[str, Release]
    words: NullTranslations
    language: Language

    def text(self, both: Mapping[str, str]) -> str:
        """A text in the reader's language."""
        return both[self.language]

    def layer(self, name: str) -> str:
        """A layer's title, with a word where it is a sample."""
        title = str(getattr(self.city.layer(name).title, self.language))
        release = self.releases.get(name)
        generated = release is not None and release.generated
        return self.words.gettext("{name} (sample)").format(name=title) if generated else title

    def known(self, value: float | str | None, digits: int = 2) -> str:
        """A value; the word for it where it is unknown."""
        if value is None:
            return self.words.gettext("unknown")
        return f"{value:,.{digits}f}" if isinstance(value, float | int) else value


def area(value: float) -> str:
    """m² as they are written."""
    return f"{value:,.2f}"


def share(value: float) -> str:
    """A share as it is written."""
    return f"{100 * value:.2f}%"


def time(told: str) -> str:
    """A time of an answer as it is written."""
    return told.replace("T", " ", 1)


def verdict(told: Told) -> Section:
    """What the check comes to."""
    _, answer = told.words.gettext, told.answer
    sentences = {
        "forbidden": _("At least one rule forbids this project on this site."),
        "conditional": _("The project can go on only where the conditions below are met."),
        "allowed": _("None of the rules that were checked speaks against this project on this site."),
    }
    blocks: list[Block] = [
        Verdict(told.text(answer["verdict_title"]), sentences[answer["verdict"]], TONES[answer["verdict"]])
    ]
    unchecked = [rule for rule in answer["rules"] if rule["result"] == "unchecked"]
    if unchecked:
        text = _("{n} rules could not be checked: nothing is known of their layers. The verdict leaves them out.")
        blocks.append(Text(text.format(n=len(unchecked)), "care"))
    if answer["site"]["outside_m2"]:
        text = _("{area} m² of the site lie outside of the city, where these plans say nothing.")
        blocks.append(Text(text.format(area=area(answer["site"]["outside_m2"])), "care"))
    return Section(_("Verdict"), [*blocks, _listed(told)] if answer["findings"] else blocks)


def site(told: Told) -> Section:
    """What was asked."""
    _, answer = told.words.gettext, told.answer
    place = answer["site"]
    west, south, east, north = place["bbox"]
    lies_in = [f"{each['name']} ({each['code']}) {area(each['area_m2'])} m²" for each in place["counties"]]
    now = _("at the time of checking")
    return Section(_("Project and site"), [Facts([
        (_("Type of project"), told.text(answer["project_title"])),
        (_("Area of the site"), f"{area(place['area_m2'])} m² ({place['area_mu']:,.4f} {_('mu')})"),
        (_("Lies in"), "; ".join(lies_in)),
        (_("Outside of the city"), f"{area(place['outside_m2'])} m²"),
        (_("CRS of the coordinates"), f"{place['crs']} ({told.text(place['crs_from'])})"),
        (_("Extent (longitude, latitude; CGCS2000)"), f"{west:.7f}, {south:.7f} – {east:.7f}, {north:.7f}"),
        (_("As it was at"), time(answer["datetime"]) if answer["datetime"] else now),
        (_("As known at"), time(answer["asOf"]) if answer["asOf"] else now),
        (_("Checked at"), time(answer["asked"])),
    ])])  # fmt: skip


def findings(told: Told) -> list[Section]:
    """Each rule that is broken, with what it is about."""
    _, found = told.words.gettext, told.answer["findings"]
    if not found:
        return []
    return [Section(_("Findings"), []), *(_finding(told, number, each) for number, each in enumerate(found, 1))]


def _listed(told: Told) -> Table:
    """The rules that are broken, in short."""
    _ = told.words.gettext
    rows: list[list[str | Cell]] = [
        [str(number), told.text(each["title"]), _tone(told, each), area(each["area_m2"]), share(each["share"])]
        for number, each in enumerate(told.answer["findings"], 1)
    ]
    columns = ["№", _("Rule that is broken"), _("Verdict"), _("Area (m²)"), _("Share of the site")]
    return Table(columns, rows, [7, 48, 15, 17, 13], frozenset({3, 4}))


def _tone(told: Told, each: Mapping[str, Any]) -> Cell:
    return Cell(told.text(each["verdict_title"]), TONES[each["verdict"]])


def _finding(told: Told, number: int, each: Mapping[str, Any]) -> Section:
    _ = told.words.gettext
    rows = [(_("Layer"), told.layer(each["layer"]))]
    if each["features"]:
        keys = ", ".join(each["features"][:_KEYS])
        more = len(each["features"]) - _KEYS
        rows.append((_("Features"), keys + (f" … {_('and {n} more').format(n=more)}" if more > 0 else "")))
    if each["nearest"]:
        near = "; ".join(f"{one['id']}: {one['distance_m']:,.2f} m" for one in each["nearest"])
        rows.append((_("Nearest"), near))
    rows += [(_("Legal basis"), told.text(each["basis"])), (_("Advice"), told.text(each["advice"]))]
    return Section(f"{number}. {told.text(each['title'])}", [Facts(rows)], 2)


def overlaps(told: Told) -> Section:
    """What of the site lies on each layer, by class."""
    _ = told.words.gettext
    rows: list[list[str | Cell]] = []
    # Districts lie within districts, and the counties are told with the site.
    layers = [each for each in told.answer["layers"] if each["layer"] != counties.LAYER]
    met = [each for each in layers if each["features"]]
    for each in met:
        values = [told.layer(each["layer"]), str(each["features"]), area(each["area_m2"]), share(each["share"])]
        rows.append([Cell(value, strong=True) for value in values])
        for one in each["classes"]:
            title = told.text(one["title"]) if one["title"] else _("no class")
            code = f" ({one['code']})" if one["code"] is not None else ""
            rows.append([f"　{title}{code}", "", area(one["area_m2"]), share(one["share"])])
    columns = [_("Layer and class"), _("Features"), _("Area (m²)"), _("Share of the site")]
    blocks: list[Block] = [Table(columns, rows, [54, 12, 19, 15], frozenset({1, 2, 3}))] if rows else []
    others = [each["layer"] for each in layers if not each["features"]]
    clear = [told.layer(name) for name in others if name in told.releases]
    unknown = [told.layer(name) for name in others if name not in told.releases]
    if clear:
        blocks.append(Text(_("The site does not touch: {names}.").format(names=_(", ").join(clear))))
    if unknown:
        blocks.append(Text(_("Nothing is known of: {names}.").format(names=_(", ").join(unknown)), "care"))
    return Section(_("Overlap with each layer"), blocks)


def indicators(told: Told) -> Section:
    """What the detailed plans say of the plots on the site."""
    _, check = told.words.gettext, told.city.site_check
    assert check is not None
    heading, fields = _("Plan indicators of the plots"), told.city.layer(check.plots).fields
    if not told.answer["indicators"]:
        return Section(heading, [Text(_("No detailed plan covers the site."))])
    columns = [_("Plot"), _("Class"), _("On the site (m²)")]
    for name in check.indicators:
        unit = f" ({fields[name].unit})" if fields[name].unit not in (None, "1") else ""
        columns.append(getattr(fields[name].title, told.language) + unit)
    rows: list[list[str | Cell]] = []
    plots = sorted(told.answer["indicators"], key=lambda each: -float(each["area_m2"]))
    for each in plots[:_PLOTS]:
        values = [told.known(each[name]) for name in check.indicators]
        rows.append([each["plot"], str(each["class"]), area(each["area_m2"]), *values])
    shares = [24, 14, 18, *[14] * len(check.indicators)]
    blocks: list[Block] = [Table(columns, rows, shares, frozenset(range(2, len(columns))))]
    if len(plots) > _PLOTS:
        text = _("The {n} plots of which most lies on the site; the answer in JSON has {more} more.")
        blocks.append(Text(text.format(n=_PLOTS, more=len(plots) - _PLOTS)))
    return Section(heading, blocks)


def quotas(told: Told) -> Section:
    """What the counties have left; what is not known is told as unknown."""
    _, heading = told.words.gettext, told.words.gettext("Quotas of the counties")
    if not told.answer["quotas"]:
        return Section(heading, [Text(_("No quotas are known."))])
    names = {each["code"]: each["name"] for each in told.answer["site"]["counties"]}
    rows: list[list[str | Cell]] = []
    for each in told.answer["quotas"]:
        left = Cell(told.known(each["left_ha"], 4), "bad" if (each["left_ha"] or 0) < 0 else "plain")
        rows.append([
            names[each["county"]], told.text(each["title"]), told.known(each["planned_ha"], 4),
            told.known(each["used_ha"], 4), left, told.known(each["site_ha"], 4),
        ])  # fmt: skip
    columns = [_("County"), _("Quota"), _("Planned (ha)"), _("Used (ha)"), _("Left (ha)"), _("Site (ha)")]
    note = _("Of land that must be kept, what is left is what there is beyond the plan.")
    return Section(heading, [Table(columns, rows, [14, 28, 16, 15, 15, 12], frozenset({2, 3, 4, 5})), Text(note)])


def rules(told: Told) -> Section:
    """Which rules were held against the site."""
    _ = told.words.gettext
    results: dict[str, Cell] = {
        "broken": Cell(_("broken"), "bad"),
        "kept": Cell(_("kept"), "good"),
        "unchecked": Cell(_("not checked"), "care"),
    }
    rows: list[list[str | Cell]] = []
    for number, each in enumerate(told.answer["rules"], 1):
        title, basis = told.text(each["title"]), told.text(each["basis"])
        rows.append([str(number), title, told.layer(each["layer"]), basis, results[each["result"]]])
    columns = ["№", _("Rule"), _("Layer"), _("Legal basis"), _("Result")]
    return Section(_("Rules that were checked"), [Table(columns, rows, [6, 27, 26, 29, 12])])


def releases(told: Told) -> Section:
    """Where each number comes from."""
    _, zone = told.words.gettext, ZoneInfo(told.city.city.timezone)
    rows: list[list[str | Cell]] = []
    for name, release in told.releases.items():
        holds = release.valid_from.astimezone(zone).strftime("%Y-%m-%d") if release.valid_from else "–"
        origin = Cell(_("generated sample"), "care") if release.generated else Cell(_("delivered"))
        published = release.published.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        title = str(getattr(told.city.layer(name).title, told.language))
        rows.append([title, str(release.number), published, holds, release.source, origin])
    columns = [_("Layer"), _("Release"), _("Published"), _("Holds since"), _("Source"), _("Origin")]
    return Section(_("Releases of the data"), [Table(columns, rows, [24, 8, 18, 12, 25, 13], frozenset({1}))])


def remarks(told: Told) -> Section:
    """How the numbers came about, and room for hands and seal."""
    _ = told.words.gettext
    remarks = [
        _("Areas are ellipsoidal (CGCS2000). Where features of a layer overlap, what they share counts once for each."),
        _("Shares are of the site's area. Overlap that is smaller or narrower than a rule's tolerance does not count."),
        _("The same question in JSON has every feature and the outlines of all pieces."),
    ]
    return Section(_("Remarks"), [
        *(Text(f"{number}. {text}") for number, text in enumerate(remarks, 1)),
        Signatures([_("Checked by"), _("Reviewed by"), _("Date"), _("Seal")]),
    ])  # fmt: skip
