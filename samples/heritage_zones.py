"""Which ground around its heritage sites does the sample city protect?

Two rings a site: the protection range, and outside of it a belt where building is controlled. No two
zones overlap, whosever they are. Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import shapely

from shikong.samples.plane import circle, generator, polygons_of, to_metres
from shikong.samples.planning import Layer

#: By level: radius of the protection range, of the control belt, and height limits (m) that the belt may have.
REACH = {
    "national": (75.0, 230.0, (9, 12)), "provincial": (55.0, 160.0, (12, 15)),
    "municipal": (40.0, 120.0, (15, 18)), "county": (28.0, 80.0, (18, 24)),
}  # fmt: skip
#: Share of the control belts without a height limit.
WITHOUT_LIMIT = 0.2


def make(seed: int, sites: list[tuple[dict[str, Any], tuple[float, float]]]) -> Layer:
    """The zones of all sites that have a level; sites are rows of heritage_sites with lon, lat."""
    zones = Layer()
    protected = shapely.Polygon()
    belts = []
    for site, place in sites:
        if site["level"] not in REACH:
            continue
        near, far, limits = REACH[site["level"]]
        rng = generator(seed, "heritage zones", site["site_id"])
        x, y = (float(value) for value in to_metres(*place))
        inner = polygons_of(shapely.difference(circle(x, y, near, rng, corners=14, rough=0.12), protected))
        outer = circle(x, y, far, rng, corners=18, rough=0.12)
        limit = None if rng.random() < WITHOUT_LIMIT else float(limits[int(rng.integers(len(limits)))])
        belts.append((site, outer, limit))
        protected = shapely.union(protected, inner)
        zones.add(inner, type="protection", site=site["site_id"], name=site["name"] + "保护范围", xzgd=None,
                  xzqdm=site["xzqdm"])  # fmt: skip
    taken = protected
    for site, outer, limit in belts:
        belt = polygons_of(shapely.difference(outer, taken))
        taken = shapely.union(taken, outer)
        if not belt.is_empty:
            zones.add(belt, type="control", site=site["site_id"], name=site["name"] + "建设控制地带", xzgd=limit,
                      xzqdm=site["xzqdm"])  # fmt: skip
    return zones
