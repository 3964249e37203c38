"""The search itself: from what is asked to the sites, rated and in order.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from psycopg import Connection

from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Text
from shikong.layers.find_rules import Measure, Service, SiteFind
from shikong.processes.finding import checks, land, measures, rating
from shikong.processes.finding.land import Land, Step
from shikong.processes.finding.measures import Present, Value, Ways
from shikong.processes.finding.rating import Rated
from shikong.processes.finding.terrain import Slope
from shikong.processes.overlay.kernel import Shapes
from shikong.processes.sites import verdict
from shikong.processes.sites.verdict import Finding
from shikong.store import ellipsoid, places
from shikong.store.errors import NotKept, NotPublished
from shikong.store.moments import Moment

#: Sites that are measured; of more, the largest are.
_MOST = 1_000


@dataclass(frozen=True)
class Limits:
    """What a site has to be: m², m and degrees; None where it does not matter."""

    least: float
    most: float | None
    road: float | None
    service: float | None
    slope: float | None
    redline: float
    farmland: float


@dataclass(frozen=True)
class Asked:
    """A question. allowed: the classes that the plan must have. present: those that the land must have now, or None."""

    moment: Moment
    project: str
    allowed: Side
    present: Side | None
    roads: Side
    services: Mapping[str, Service]
    limits: Limits
    weights: Mapping[Measure, float]


@dataclass(frozen=True)
class Found:
    """A site with all that is known of it."""

    shape: Any
    area: float
    slope: Slope | None
    present: Present
    findings: list[Finding]
    rated: list[Rated]

    @property
    def total(self) -> float:
        """From 0 to 1."""
        return rating.total(self.rated)


@dataclass(frozen=True)
class Result:
    """Sites, the best first, and what took the land that is none."""

    sites: list[Found]
    steps: list[Step]


def run(conn: Connection[Any], city: Catalog, asked: Asked, region: Shapes, data: Path) -> Result:
    """Search a region."""
    find, check = city.site_find, city.site_check
    assert find is not None
    assert check is not None
    joined = asked.allowed.layer == find.zones
    ground = land.allowed(conn, city, asked.moment, asked.allowed, region, joined=joined)
    if asked.present is not None:
        title = Text(zh="现状地类不符", en="Of another present class")
        ground.only_on("present", title, ground.near(asked.present).shapes)
    land.without_forbidden(ground, check.rules, asked.project, find.taken)
    for name, side, metres in (("redline", find.redline, asked.limits.redline),
                               ("farmland", find.farmland, asked.limits.farmland)):  # fmt: skip
        if metres:
            layer = city.layer(side.layer).title
            title = Text(zh=f"距{layer.zh}不足 {metres:g} 米", en=f"Nearer than {metres:g} m to: {layer.en}")
            land.without_surroundings(ground, f"{name}_distance", title, side, metres)
    land.without_strips(ground, find.least_width)
    land.in_sizes(ground, asked.limits.least, asked.limits.most)
    return _measured(ground, find, asked, _terrain(conn, city, find, asked, data))


def _terrain(conn: Connection[Any], city: Catalog, find: SiteFind, asked: Asked, data: Path) -> Path | None:
    """The file of heights; None where there is none, or that of then is not kept."""
    try:
        return places.known(conn, data, city.layer(find.terrain), asked.moment.known_at)
    except (NotPublished, NotKept):
        return None


def _measured(ground: Land, find: SiteFind, asked: Asked, heights: Path | None) -> Result:
    """Take away what fails a limit, and rate the rest."""
    limits, criteria = asked.limits, find.criteria
    services: dict[str, tuple[Text | None, Side]] = {
        name: (each.title, each.land) for name, each in asked.services.items()
    }
    _within(ground, "road", Text(zh="距道路超过上限", en="Too far from a road"), _road(find, asked), limits.road)
    _within(ground, "service", Text(zh="距所需设施超过上限", en="Too far from a service"), services, limits.service)
    if len(ground.pieces) > _MOST:
        largest = np.sort(np.argsort(-ground.areas, kind="stable")[:_MOST])
        title = Text(zh=f"只评价最大的 {_MOST} 块", en=f"Only the {_MOST} largest are looked at")
        ground.only("largest", title, largest)
    slopes = measures.slopes(heights, ground.pieces)
    if limits.slope is not None:
        flat = np.array([slope is not None and slope.p95 <= limits.slope for slope in slopes], dtype=bool)
        ground.only("slope", Text(zh="坡度超过上限或未知", en="Too steep, or slope not known"), flat)
        slopes = list(compress(slopes, flat))
    findings = checks.findings(ground.conn, ground.city, asked.moment, asked.project, ground.pieces)
    good = np.array([verdict.gravest(each) != "forbidden" for each in findings], dtype=bool)
    ground.only("site_check", Text(zh="合规性审查禁止", en="Forbidden by the site check"), good)
    slopes, findings = list(compress(slopes, good)), list(compress(findings, good))
    wanted: dict[Measure, tuple[dict[str, tuple[Text | None, Side]], float]] = {
        "road": (_road(find, asked), max(criteria["road"].worst, limits.road or 0)),
        "redline": ({"redline": (ground.city.layer(find.redline.layer).title, find.redline)},
                    max(criteria["redline"].best, limits.redline)),
    }  # fmt: skip
    if services:
        wanted["service"] = services, max(criteria["service"].worst, limits.service or 0)
    ways = {
        name: measures.ways(ground.conn, ground.city, asked.moment, ground.pieces, sides, reach)
        for name, (sides, reach) in wanted.items()
    }
    return Result(_rated(ground, find, asked, ways, slopes, findings), ground.steps)


def _road(find: SiteFind, asked: Asked) -> dict[str, tuple[Text | None, Side]]:
    return {"road": (None, asked.roads)}


def _within(
    ground: Land, name: str, title: Text, wanted: Mapping[str, tuple[Text | None, Side]], metres: float | None
) -> None:  # fmt: skip
    if metres is not None:
        ways = measures.ways(ground.conn, ground.city, ground.moment, ground.pieces, wanted, metres)
        ground.only(name, title, ways.farthest() <= metres)


def _rated(
    ground: Land, find: SiteFind, asked: Asked, ways: Mapping[Measure, Ways], slopes: list[Slope | None],
    findings: list[list[Finding]],
) -> list[Found]:  # fmt: skip
    """The sites, the best first; of equals the larger, and then from west to east."""
    shapes = ground.pieces
    present = measures.present(ground.conn, ground.city, asked.moment, shapes, find.parcels, find.cropland)
    compact = measures.compactness(shapes)
    sites = []
    for number, (shape, area) in enumerate(zip(shapes, ellipsoid.areas(shapes), strict=True)):
        slope = slopes[number]
        values: dict[Measure, Value] = {name: each.value(ground.city, number) for name, each in ways.items()}
        values |= {
            "slope": Value(slope.mean if slope else None), "compactness": Value(float(compact[number])),
            "cropland": Value(present[number].cropland), "conditions": Value(float(len(findings[number]))),
        }  # fmt: skip
        ordered = {name: values[name] for name in find.criteria if name in values}
        rated = rating.rate(ordered, find.criteria, asked.weights)
        sites.append(Found(shape, float(area), slope, present[number], findings[number], rated))
    return sorted(sites, key=lambda each: (-round(each.total, 9), -round(each.area, 2), *shapely.bounds(each.shape)))
