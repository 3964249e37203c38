"""Which buildings stand on the parcels of a village?

Rows of houses in homesteads, slabs and towers in towns, halls on works. Buildings stand square to
the settlement and wholly within one parcel. Metres in EPSG:4548.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from shikong.samples import write
from shikong.samples.blocks import Village
from shikong.samples.plane import Floats, Shapes, generator


@dataclass(frozen=True)
class Style:
    """How a class is built over: footprint, spacing (m), storeys and the share of the sites in use."""

    use: str
    length: tuple[float, float]
    depth: tuple[float, float]
    spacing: tuple[float, float]
    storeys: tuple[int, int]
    storey_m: float
    share: float


STYLES = {
    "0702": Style("rural", (24, 42), (7.5, 11), (52, 34), (1, 2), 3.4, 0.80),
    "0701": Style("residential", (38, 62), (12, 16), (84, 44), (5, 26), 2.9, 0.85),
    "05H1": Style("commercial", (34, 64), (18, 34), (88, 62), (2, 9), 4.2, 0.80),
    "0601": Style("industrial", (50, 86), (22, 36), (104, 58), (1, 2), 6.5, 0.75),
    "0508": Style("industrial", (54, 88), (26, 40), (108, 62), (1, 1), 9.0, 0.75),
    "08H1": Style("public", (34, 58), (13, 18), (84, 54), (3, 8), 3.6, 0.80),
    "08H2": Style("public", (36, 62), (13, 18), (86, 54), (3, 6), 3.6, 0.75),
    "08H2A": Style("public", (44, 76), (16, 24), (108, 76), (4, 9), 3.8, 0.70),
}


@dataclass
class Collected:
    """Buildings gathered village by village."""

    shapes: list[Shapes] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    storeys: list[NDArray[np.int64]] = field(default_factory=list)
    heights: list[Floats] = field(default_factory=list)
    owners: list[NDArray[np.int64]] = field(default_factory=list)

    def table(self) -> pa.Table:
        """All of them as a table: geom (WKB, EPSG:4548), use, storeys, height in m, village."""
        none = np.empty(0)
        shapes = np.concatenate(self.shapes) if self.shapes else none.astype(object)
        return pa.table({
            "geom": pa.array(shapely.to_wkb(shapes, output_dimension=2), pa.binary()),
            "use": pa.array(self.uses, pa.string()),
            "storeys": np.concatenate([none.astype(np.int64), *self.storeys]),
            "height": np.concatenate([none, *self.heights]),
            "village": np.concatenate([none.astype(np.int64), *self.owners]),
        })  # fmt: skip


def build(village: Village, shapes: Shapes, codes: NDArray[np.str_], seed: int, into: Collected) -> None:
    """Put the buildings of one village on its parcels."""
    rng = generator(seed, "buildings", village.index)
    lattice = village.core_lattice or village.field_lattice
    for code, style in STYLES.items():
        parcels = shapes[codes == code]
        if len(parcels) == 0:
            continue
        boxes = _boxes(parcels, style, lattice.angle, rng)
        tree = shapely.STRtree(parcels)
        fits = np.unique(tree.query(boxes, predicate="within")[0])
        placed = boxes[fits]
        if len(placed) == 0:
            continue
        storeys = rng.integers(style.storeys[0], style.storeys[1] + 1, len(placed))
        into.shapes.append(placed)
        into.uses += [style.use] * len(placed)
        into.storeys.append(storeys)
        into.heights.append(np.round(storeys * style.storey_m + rng.uniform(0.3, 1.2, len(placed)), 1))
        into.owners.append(np.full(len(placed), village.index))


def _boxes(parcels: Shapes, style: Style, angle: float, rng: np.random.Generator) -> Shapes:
    """Footprints on a grid along the settlement's direction, over the bounds of all parcels of a class."""
    cos, sin = np.cos(angle), np.sin(angle)
    corners = shapely.get_coordinates(parcels)
    origin = corners.mean(axis=0)
    along = (corners - origin) @ np.array([[cos, -sin], [sin, cos]])
    owner = np.repeat(np.arange(len(parcels)), shapely.get_num_coordinates(parcels))
    low = np.full((len(parcels), 2), np.inf)
    high = np.full((len(parcels), 2), -np.inf)
    np.minimum.at(low, owner, along)
    np.maximum.at(high, owner, along)
    spots = [_spots(a, b, style.spacing) for a, b in zip(low, high, strict=True)]
    middle = np.concatenate(spots)
    middle = middle[rng.random(len(middle)) < style.share]
    middle += rng.uniform(-1.5, 1.5, middle.shape)
    half = np.column_stack([rng.uniform(*style.length, len(middle)), rng.uniform(*style.depth, len(middle))]) / 2
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)])
    frame = middle[:, None] + signs[None] * half[:, None]
    ring = frame @ np.array([[cos, sin], [-sin, cos]]) + origin
    boxes: Shapes = shapely.polygons(np.round(ring, 2))
    return boxes


def _spots(low: Floats, high: Floats, spacing: tuple[float, float]) -> Floats:
    """Centres of a grid within a rectangle, spread evenly."""
    count = np.maximum(((high - low) / spacing).astype(int), 1)
    axes = [low[i] + (np.arange(count[i]) + 0.5) * (high[i] - low[i]) / count[i] for i in (0, 1)]
    u, v = np.meshgrid(*axes)
    return np.column_stack([u.ravel(), v.ravel()])


def deliver(built: pa.Table, path: Path) -> int:
    """Write the buildings (the second table of ``ground.fill``) in EPSG:4548; returns the rows."""
    count = built.num_rows
    shapes = shapely.from_wkb(np.array(built["geom"].to_pylist(), dtype=object))
    columns = {
        "building_id": [f"FW{number:08d}" for number in range(1, count + 1)],
        "name": pa.nulls(count, pa.string()),
        "use": built["use"],
        "storeys": built["storeys"],
        "height": built["height"],
    }
    return write.features(path, shapes, columns, "MultiPolygon", 4548)
