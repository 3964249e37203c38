"""The site compliance check of many sites at once: what all of them meet is read and cut together.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from psycopg import Connection

from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.site_rules import SiteRule
from shikong.processes.conflicts import sides
from shikong.processes.finding import nearness
from shikong.processes.overlay import kernel
from shikong.processes.overlay.kernel import Shapes
from shikong.processes.sites import verdict
from shikong.processes.sites.meets import NOTHING, Meeting
from shikong.processes.sites.verdict import Finding
from shikong.store.moments import Moment


def findings(
    conn: Connection[Any], city: Catalog, moment: Moment, project: str, sites: Shapes
) -> list[list[Finding]]:  # fmt: skip
    """The rules that a project breaks on each site, the gravest first."""
    check = city.site_check
    assert check is not None
    rules = {name: rule for name, rule in check.rules.items() if rule.holds_for(project)}
    met = {name: on(conn, city, name, sites, moment) for name in {rule.land.layer for rule in rules.values()}}
    close = [(rule, _near(conn, city, rule, sites, moment)) for rule in rules.values() if rule.nearer_than]

    def near(rule: SiteRule, number: int) -> list[tuple[str, float]]:
        return next(found[number] for known, found in close if known is rule)

    return [
        verdict.findings(
            city, project, {name: part[number] for name, part in met.items()}, partial(near, number=number)
        )
        for number in range(len(sites))
    ]


def on(conn: Connection[Any], city: Catalog, layer: str, sites: Shapes, moment: Moment) -> list[Meeting]:
    """What of a layer of surfaces lies on each site."""
    side = Side.model_validate({"layer": layer})
    features = sides.read(conn, city, side, None, moment, near=sites)
    pieces = kernel.shared(sites, features.shapes, kernel.meeting(sites, features.shapes))
    pieces = pieces.only(pieces.area >= NOTHING)
    ends = np.searchsorted(pieces.first, np.arange(len(sites) + 1))  # pieces come in the order of sites
    return [Meeting(features, pieces.only(np.arange(ends[at], ends[at + 1]))) for at in range(len(sites))]


def _near(
    conn: Connection[Any], city: Catalog, rule: SiteRule, sites: Shapes, moment: Moment
) -> list[list[tuple[str, float]]]:  # fmt: skip
    """Keys and distances (m) of what lies too near to each site by a rule."""
    features = sides.read(conn, city, rule.land, None, moment, near=nearness.around(sites, rule.nearer_than))
    return [
        [(str(features.keys[number]), metres) for number, metres in near]
        for near in nearness.within(sites, features.shapes, rule.nearer_than)
    ]
