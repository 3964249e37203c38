"""Which administrative districts does the sample have, and what are their townships called?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

from shikong.samples import names, places, write
from shikong.samples.ground import Ground
from shikong.samples.plane import Shapes, shapes_to_degrees


def townships(ground: Ground) -> dict[tuple[int, int], tuple[str, str]]:
    """Code and name of each township, by county and group number of the division."""
    all_ = ground.villages
    found = {}
    for index, county in enumerate(places.COUNTIES):
        pool = names.townships(ground.seed, county.code, county.townships)
        groups = np.unique(all_.township[all_.county == index])
        street = 0
        for place, group in enumerate(groups):
            urban = (all_.town[(all_.county == index) & (all_.township == group)] >= 0).mean() > 0.2
            street += bool(urban)
            code = f"{county.code}{street:03d}" if urban else f"{county.code}{100 + place:03d}"
            kind = "街道" if urban else "镇" if place % 5 else "乡"
            found[(index, int(group))] = (code, pool[place] + kind)
    return found


def deliver(ground: Ground, path: Path) -> int:
    """Write city, counties and townships (EPSG:4490); returns the rows."""
    all_ = ground.villages
    shapes, rows = [ground.city], [(*places.CITY, "city")]
    for index, county in enumerate(places.COUNTIES):
        shapes.append(shapely.coverage_union_all(all_.shapes[all_.county == index]))
        rows.append((county.code, county.name, "county"))
    for (index, group), (code, name) in townships(ground).items():
        mine = (all_.county == index) & (all_.township == group)
        shapes.append(shapely.coverage_union_all(all_.shapes[mine]))
        rows.append((code, name, "township"))
    turned: Shapes = shapes_to_degrees(write.array(shapes))
    columns = {
        "xzqdm": [row[0] for row in rows],
        "xzqmc": [row[1] for row in rows],
        "level": [row[2] for row in rows],
    }
    return write.features(path, turned, columns, "MultiPolygon", 4490)
