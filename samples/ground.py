"""What does the whole ground look like: all parcels and buildings of a window of the city?

Villages are independent of each other once the division is made, so they are filled in parallel;
each takes its random numbers from the seed and its own number, and the result does not depend on
how the work is shared out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from shikong.samples import blocks, buildings, corridors, landuse, parcels, places, villages
from shikong.samples.plane import Shapes

#: Villages handed to a worker at a time; from twice as many on, workers are used at all.
CHUNK = 120


@dataclass(frozen=True)
class Ground:
    """The city's division, corridors and layout, and which corridors touch each village."""

    seed: int
    city: Any
    villages: villages.Villages
    corridors: corridors.Corridors
    layout: parcels.Layout
    rivers: dict[int, list[int]]
    roads: dict[int, list[int]]

    def village(self, index: int) -> blocks.Village:
        """The layout of one village."""
        return parcels.village(self.layout, index, self.rivers.get(index, []), self.roads.get(index, []))

    def site(self, index: int) -> parcels.Site:
        """One village before its land is divided."""
        return parcels.site(self.layout, index, self.rivers.get(index, []), self.roads.get(index, []))

    def kind(self, index: int) -> str:
        """What a village is: "village", "township" (the seat of one) or the kind of a town's quarter."""
        all_ = self.villages
        if all_.town[index] < 0:
            return "township" if all_.seats[index] else "village"
        town = all_.towns[int(all_.town[index])]
        distance = float(np.hypot(all_.sites[index, 0] - town.x, all_.sites[index, 1] - town.y)) / town.radius
        return landuse.quarter_kind(self.seed, index, distance)

    def county(self, index: int) -> str:
        """The code of the county that a village is in."""
        return places.COUNTIES[int(self.villages.county[index])].code


def prepare(seed: int) -> Ground:
    """The ground that a seed gives."""
    division = villages.divide(seed)
    city = shapely.coverage_union_all(division.shapes)
    laid = corridors.lay(seed, city, shapely.coverage_union_all(division.shapes[division.urban()]))
    tree = shapely.STRtree(division.shapes)
    return Ground(seed, city, division, laid, parcels.layout(seed, division, laid),
                  _touching(tree, laid.levee), _touching(tree, laid.road))  # fmt: skip


def _touching(tree: Any, strips: Shapes) -> dict[int, list[int]]:
    touching: dict[int, list[int]] = {}
    for strip, village in zip(*tree.query(strips, predicate="intersects"), strict=True):
        touching.setdefault(int(village), []).append(int(strip))
    return touching


def fill(ground: Ground, chosen: NDArray[np.int64]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Parcels and buildings of the chosen villages, chunk by chunk in the order given.

    Parcels have the columns geom (WKB, EPSG:4548), dlbm, village and area (m2 in the plane); buildings
    have geom, use, storeys, height and village.
    """
    chunks = [chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]
    if len(chunks) < 3:
        yield from (_fill_chunk(ground, chunk) for chunk in chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, _start, (ground.seed,)) as pool:
        yield from pool.map(_fill_in_worker, chunks)


_ground: list[Ground] = []


def _start(seed: int) -> None:
    """In a worker: divide the city anew, which is quicker than to receive it."""
    _ground[:] = [prepare(seed)]


def _fill_in_worker(chunk: NDArray[np.int64]) -> tuple[pa.Table, pa.Table]:
    return _fill_chunk(_ground[0], chunk)


def _fill_chunk(ground: Ground, chunk: NDArray[np.int64]) -> tuple[pa.Table, pa.Table]:
    climate = landuse.climate(ground.seed)
    shapes, codes, owners = [], [], []
    built = buildings.Collected()
    for index in chunk:
        village = ground.village(int(index))
        faces = blocks.fill(village)
        dlbm = landuse.classes(village, faces, ground.county(int(index)), ground.kind(int(index)), climate, ground.seed)
        if ground.roads.get(int(index)) and all(places.HIGHWAYS[i].kind == "railway" for i in ground.roads[int(index)]):
            dlbm[faces.part == blocks.ROAD] = "1001"
        shapes.append(faces.shapes)
        codes.append(dlbm)
        owners.append(np.full(len(dlbm), index))
        buildings.build(village, faces.shapes, dlbm, ground.seed, built)
    polygons = np.concatenate(shapes)
    table = pa.table({
        "geom": pa.array(shapely.to_wkb(polygons, output_dimension=2), pa.binary()),
        "dlbm": pa.array(np.concatenate(codes), pa.string()),
        "village": np.concatenate(owners),
        "area": shapely.area(polygons),
    })  # fmt: skip
    return table, built.table()
