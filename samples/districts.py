"""Which administrative districts does the sample have, and what are their townships called?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from shikong.samples import names, places, write
from shikong.samples.ground import Ground
from shikong.samples.plane import Shapes, generator, shapes_to_degrees

#: People of a village and of a quarter of a county seat, in the middle of all.
RURAL_RESIDENTS, URBAN_RESIDENTS = 300, 5_300


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


def residents(ground: Ground) -> NDArray[np.int64]:
    """How many people live in each village: about one for each 40 m² of what is built there."""
    rng, urban = generator(ground.seed, "residents"), ground.villages.urban()
    spread = rng.lognormal(0, 0.35, len(urban))
    return np.round(spread * np.where(urban, URBAN_RESIDENTS, RURAL_RESIDENTS)).astype(np.int64)


def deliver(ground: Ground, path: Path, chosen: NDArray[np.int64]) -> int:
    """Write city, counties and townships (EPSG:4490); returns the rows.

    chosen: the villages that are built. Townships have the residents of these, so that residents and dwellings are of
    the same villages whatever the sample's size; counties and the city have theirs where all of their villages are
    built. What has none is not known.
    """
    all_, people = ground.villages, residents(ground)
    built = np.zeros(len(all_.sites), dtype=bool)
    built[chosen] = True
    shapes, rows = [ground.city], [(*places.CITY, "city", int(people.sum()) if built.all() else None)]
    for index, county in enumerate(places.COUNTIES):
        mine = all_.county == index
        shapes.append(shapely.coverage_union_all(all_.shapes[mine]))
        rows.append((county.code, county.name, "county", int(people[mine].sum()) if built[mine].all() else None))
    for (index, group), (code, name) in townships(ground).items():
        mine = (all_.county == index) & (all_.township == group)
        shapes.append(shapely.coverage_union_all(all_.shapes[mine]))
        rows.append((code, name, "township", int(people[mine & built].sum()) or None))
    turned: Shapes = shapes_to_degrees(write.array(shapes))
    columns = {
        "xzqdm": [row[0] for row in rows],
        "xzqmc": [row[1] for row in rows],
        "level": [row[2] for row in rows],
        "residents": pa.array([row[3] for row in rows], pa.int64()),
    }
    return write.features(path, turned, columns, "MultiPolygon", 4490)
