"""What and whom does a flood meet: buildings, cropland, culture sites, people?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from psycopg import Connection

from shikong.hydrology.terrain import hand
from shikong.hydrology.terrain.grid import Grid
from shikong.hydrology.terrain.hand import Flood
from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Text
from shikong.processes.conflicts import sides
from shikong.processes.figures.table import Row
from shikong.processes.hydrology import people
from shikong.processes.hydrology.people import People
from shikong.processes.overlay import kernel
from shikong.store.moments import Moment

#: Square metres; what less of a feature is under water comes of rounding.
_NOTHING = 1e-2


@dataclass(frozen=True)
class Exposed:
    """A kind of thing that floods are held against. side: of which features."""

    name: str
    title: Text
    side: Side


EXPOSED = (
    Exposed("buildings", Text(zh="房屋建筑", en="Buildings"), Side.model_validate({"layer": "buildings"})),
    Exposed("cropland", Text(zh="耕地（地类图斑）", en="Cropland (parcels)"),
            Side.model_validate({"layer": "parcels", "classes": ["01"]})),
    Exposed("heritage_sites", Text(zh="不可移动文物", en="Heritage sites"),
            Side.model_validate({"layer": "heritage_sites"})),
    Exposed("culture_venues", Text(zh="文化场馆", en="Culture venues"),
            Side.model_validate({"layer": "culture_venues"})),
)  # fmt: skip


@dataclass(frozen=True)
class Damage:
    """rows: how much of each kind is under water. places: places of culture, with the depth of water there."""

    rows: list[Row]
    places: list[Row]
    people: People


def met(conn: Connection[Any], city: Catalog, flood: Flood, grid: Grid, moment: Moment) -> Damage:
    """What a flood meets."""
    rows: list[Row] = []
    places: list[Row] = []
    buildings: dict[str, Any] = {}
    blocks = np.array(hand.blocks(flood, grid), dtype=object)
    for kind in EXPOSED:
        features = sides.read(conn, city, kind.side, None, moment, near=blocks)
        told: Row = {"exposed": kind.name, "title": kind.title.model_dump(), "layer": kind.side.layer}
        if "Polygon" in (features.layer.geometry or ""):
            pieces = kernel.shared(blocks, features.shapes, kernel.meeting(blocks, features.shapes))
            pieces = pieces.only(pieces.area >= _NOTHING)
            area = float(pieces.area.sum())
            if kind.side.layer == people.BUILDINGS:
                wet = np.unique(pieces.second)
                buildings = dict(zip(features.keys[wet], features.shapes[wet], strict=True))
            rows.append(told | {"features": len(np.unique(pieces.second)), "area_ha": round(area / 10_000, 4)})
            continue
        depths = [_depth(flood, grid, shape) for shape in features.shapes]
        under = [
            {"layer": kind.side.layer, "title": kind.title.model_dump(), "id": key, "depth_m": round(depth, 2),
             "lon": shape.x, "lat": shape.y}
            for key, shape, depth in zip(features.keys, features.shapes, depths, strict=True) if depth is not None
        ]  # fmt: skip
        rows.append(told | {"features": len(under), "area_ha": None})
        places += under
    return Damage(rows, places, people.under_water(conn, city, blocks, buildings, moment))


def _depth(flood: Flood, grid: Grid, point: Any) -> float | None:
    """The water's depth at a point (m); None where it is dry."""
    point = shapely.get_geometry(point, 0)
    part = grid.part(flood.window)
    cell = part.cell(point.x, point.y)
    depth = float("nan") if cell is None else float(flood.depths[cell])
    return None if np.isnan(depth) else depth
