"""What the rules say of a project on a site.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from shikong.layers.catalog import Catalog
from shikong.layers.site_rules import VERDICTS, SiteRule, Verdict
from shikong.processes.sites.meets import Meeting


@dataclass(frozen=True)
class Finding:
    """A rule that a project on a site breaks.

    area: m² of the site on what the rule is about; 0 where it only lies too near. features: keys on the site. nearest:
    keys of features that are too near, with their distances (m).
    """

    name: str
    rule: SiteRule
    verdict: Verdict
    area: float
    features: tuple[str, ...]
    nearest: tuple[tuple[str, float], ...] = ()


Near = Callable[[SiteRule], list[tuple[str, float]]]


def findings(city: Catalog, project: str, meetings: Mapping[str, Meeting], near: Near) -> list[Finding]:
    """The rules that are broken, the gravest first. meetings: by layer. near: what lies too near by a rule."""
    check = city.site_check
    assert check is not None
    found = []
    for name, rule in check.rules.items():
        if not rule.holds_for(project):
            continue
        broken = _broken(city, project, name, rule, meetings[rule.land.layer])
        if broken is None and rule.nearer_than and (close := near(rule)):
            broken = Finding(name, rule, rule.verdict_for(project), 0.0, (), tuple(close))
        if broken is not None:
            found.append(broken)
    return sorted(found, key=lambda each: (VERDICTS.index(each.verdict), -each.area, each.name))


def gravest(found: list[Finding]) -> Verdict:
    """The verdict in all."""
    return found[0].verdict if found else "allowed"


def _broken(city: Catalog, project: str, name: str, rule: SiteRule, meeting: Meeting) -> Finding | None:
    """What of a site breaks a rule; slivers do not."""
    if not len(meeting.pieces):
        return None
    about = city.classes_of(rule.land)
    fitting = _fitting(city, rule, project)
    classes = meeting.features.classes[meeting.pieces.second]
    counts = np.array(
        [(about is None or code in about) and (fitting is None or code not in fitting) for code in classes], dtype=bool
    )
    counts &= (meeting.pieces.area >= rule.sliver.area) & (meeting.pieces.width >= rule.sliver.width)
    if not counts.any():
        return None
    keys = sorted({str(key) for key in meeting.features.keys[meeting.pieces.second[counts]]})
    area = float(meeting.pieces.area[counts].sum())
    return Finding(name, rule, rule.verdict_for(project), area, tuple(keys))


def _fitting(city: Catalog, rule: SiteRule, project: str) -> frozenset[str] | None:
    """The classes that fit a project; None for a rule that does not ask."""
    if not rule.fits:
        return None
    return city.classes_of(rule.land.model_copy(update={"classes": rule.fits[project], "group": None}))
