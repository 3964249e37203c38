"""How are the layers of plans written, and how large are the conflicts between their objects?

The areas are ellipsoidal, of the geometries as they are written (EPSG:4490).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely

from shikong.samples import write
from shikong.samples.plane import Shapes, area_m2, polygons_of, shapes_to_degrees
from shikong.samples.planning import Layer

#: By layer: the codes of its objects and their shapes in degrees.
Written = dict[str, tuple[list[str], Shapes]]
#: A pair of objects that conflict, as known_conflicts.json has it.
Known = dict[str, Any]


def write_layers(out: Path, layers: dict[str, tuple[str, Layer]]) -> Written:
    """Write layers (EPSG:4490), each with the prefix of its codes, as GeoPackages named after them."""
    written: Written = {}
    for layer, (prefix, content) in layers.items():
        codes = [f"{prefix}{row['xzqdm']}{number:06d}" for number, row in enumerate(content.rows, 1)]
        shapes = _rounded(write.array(content.shapes))
        columns = {"code": codes, **{key: [row[key] for row in content.rows] for key in content.rows[0]}}
        write.features(out / f"{layer}.gpkg", shapes, columns, "MultiPolygon", 4490)
        written[layer] = (codes, shapes)
    return written


def _rounded(shapes: Shapes) -> Shapes:
    """Geometries in degrees; where rounding closed a narrow neck, the parts on both sides of it."""
    turned: Shapes = shapes_to_degrees(write.multi(shapes, "MultiPolygon"))
    for index in np.flatnonzero(~shapely.is_valid(turned)):
        turned[index] = polygons_of(shapely.make_valid(turned[index], method="structure", keep_collapsed=False))
    return turned


def overlaps(written: Written, layer: str, planted: dict[int, str], other: str, least_m2: float = 0.0) -> list[Known]:
    """The pairs, larger than some area, that planted objects of a layer make with another layer.

    planted: by position what is wrong with the object.
    """
    codes, shapes = written[layer]
    other_codes, other_shapes = written[other]
    tree = shapely.STRtree(other_shapes)
    known = []
    for position, what in planted.items():
        for hit in sorted(tree.query(shapes[position], predicate="intersects").tolist()):
            area = area_m2(shapely.intersection(shapes[position], other_shapes[hit]))
            if area > least_m2:
                known.append({"a_layer": layer, "a_id": codes[position], "b_layer": other, "b_id": other_codes[hit],
                              "area_m2": round(area, 4), "what": what})  # fmt: skip
    return known
