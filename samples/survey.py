"""How did the land survey's parcels change from year to year, and how are they delivered?

The base survey holds from 2020-01-01. Each yearly update ends some versions and begins others on
the same ground with the same identifier: mostly cropland that is built on near the towns, some
orchards turned back to cropland. The delivery is in EPSG:4527 (3-degree zone 39, eastings with the
zone number in front), as survey data come.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from shikong.layers import catalog
from shikong.samples import places, write
from shikong.samples.ground import Ground
from shikong.samples.plane import ZONE_39, Floats, generator

BASE_YEAR = 2020
UPDATES = range(2021, 2026)


def _changes(seed: int, codes: NDArray[np.str_], nearness: Floats) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Year of change of each parcel (0 = never) and its class after it."""
    rng = generator(seed, "updates")
    year = np.zeros(len(codes), dtype=np.int64)
    after = codes.copy()
    fields = np.isin(codes, ["0102", "0103"])
    orchards = np.isin(codes, ["0201", "0201K", "0307"])
    for update in UPDATES:
        share = rng.uniform(0.006, 0.010)
        weight = np.where(year > 0, 0.0, np.where(fields, 0.3 + 2.4 * nearness**2, np.where(orchards, 0.9, 0.0)))
        count = min(max(int(share * len(codes)), 1), int((weight > 0).sum()))
        chosen = rng.choice(len(codes), count, replace=False, p=weight / weight.sum())
        year[chosen] = update
        near = nearness[chosen] > 0.6
        draw = rng.random(count)
        built = np.select(
            [draw < 0.36, draw < 0.62, draw < 0.66, draw < 0.93], ["0601", "0701", "05H1", "1202"], "08H2"
        )
        rural = np.select([draw < 0.55, draw < 0.75, draw < 0.9], ["1202", "0702", "0201"], "0601")
        after[chosen] = np.where(orchards[chosen], "0102", np.where(near, built, rural))
    return year, after


def _identifiers(county: NDArray[np.str_]) -> list[str]:
    """County code and a running number of nine digits, counted within the county."""
    number = np.zeros(len(county), dtype=np.int64)
    for code in np.unique(county):
        mine = county == code
        number[mine] = np.arange(1, mine.sum() + 1)
    return [f"{code}{n:09d}" for code, n in zip(county, number, strict=True)]


def deliver(ground: Ground, filled: pa.Table, path: Path) -> int:
    """Write all versions of the parcels (the table of ``ground.fill``); returns the rows."""
    village = filled["village"].to_numpy()
    county = np.array([item.code for item in places.COUNTIES])[ground.villages.county[village]]
    codes = np.asarray(filled["dlbm"].to_pylist(), dtype="U5")
    year, after = _changes(ground.seed, codes, _nearness(ground)[village])
    changed = np.flatnonzero(year)
    titles = {code: item.title.zh for code, item in catalog.default().codes["land_use_survey"].codes.items()}
    row = pa.array(np.concatenate([np.arange(len(codes)), changed]))
    dlbm = np.concatenate([codes, after[changed]])
    began = [f"{BASE_YEAR}-01-01"] * len(codes) + [f"{y}-01-01" for y in year[changed]]
    ended = [f"{y}-01-01" if y else None for y in year] + [None] * len(changed)
    geom = pa.array(_zoned(filled["geom"]), pa.binary())
    table = pa.table({
        "bsm": pc.take(pa.array(_identifiers(county)), row),
        "dlbm": pa.array(dlbm, pa.string()),
        "dlmc": pa.array([titles[code] for code in dlbm.tolist()], pa.string()),
        "xzqdm": pc.take(pa.array(county, pa.string()), row),
        "valid_from": pa.array(began, pa.string()),
        "valid_to": pa.array(ended, pa.string()),
        "origin": write.origins(len(row)),
        "geom": pc.take(geom, row),
    })  # fmt: skip
    write.write_table(path, table, "MultiPolygon", 4527)
    return len(row)


def _zoned(wkb: pa.ChunkedArray) -> NDArray[np.object_]:
    """WKB in EPSG:4548 as WKB multipolygons in EPSG:4527; the planes differ by a constant."""
    shapes = shapely.from_wkb(np.array(wkb.to_pylist(), dtype=object))
    shapes = shapely.transform(shapes, lambda xy: xy + np.array([ZONE_39, 0.0]))
    zoned: NDArray[np.object_] = shapely.to_wkb(write.multi(shapes, "MultiPolygon"), output_dimension=2)
    return zoned


def _nearness(ground: Ground) -> Floats:
    """Per village: 1 in a town, falling to 0 some kilometres outside of it."""
    sites = ground.villages.sites
    best = np.zeros(len(sites))
    for town in ground.villages.towns:
        out = np.hypot(sites[:, 0] - town.x, sites[:, 1] - town.y) - town.radius
        best = np.maximum(best, np.clip(1 - out / 4500, 0, 1))
    return best
