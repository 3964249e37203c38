"""How are the sample's files written, so that the same input gives the same bytes of content?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

from shikong.samples.plane import Shapes

ORIGIN = "generated"
LABEL = "生成的样例数据"
DRIVERS = {".gpkg": "GPKG", ".fgb": "FlatGeobuf"}

Row = dict[str, Any]


def features(path: Path, shapes: Shapes, columns: dict[str, Any], geometry: str, crs: int) -> int:
    """Write a GeoPackage or FlatGeobuf (by suffix) with the columns and ``origin``; returns the rows."""
    if geometry.startswith("Multi"):
        shapes = multi(shapes, geometry)
    table = pa.table({**columns, "origin": origins(len(shapes)), "geom": shapely.to_wkb(shapes, output_dimension=2)})
    write_table(path, table, geometry, crs)
    return len(shapes)


def origins(count: int) -> pa.Array:
    """The value of the column ``origin`` for so many rows."""
    return pa.array([ORIGIN] * count, pa.string())


def write_table(path: Path, table: pa.Table, geometry: str, crs: int) -> None:
    """Write an Arrow table with WKB in its column ``geom``."""
    path.unlink(missing_ok=True)
    options = {"SPATIAL_INDEX": "NO"} if path.suffix == ".fgb" else {}
    pyogrio.write_arrow(
        table, path, layer=path.stem, driver=DRIVERS[path.suffix], geometry_name="geom", geometry_type=geometry,
        crs=f"EPSG:{crs}", **options,
    )  # fmt: skip


def multi(shapes: Shapes, geometry: str) -> Shapes:
    """Geometries as their multi type."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    make = shapely.multipolygons if geometry == "MultiPolygon" else shapely.multilinestrings
    many: Shapes = make(parts, indices=owner)
    return many


def geojson(path: Path, rows: Sequence[Row], points: Sequence[tuple[float, float]]) -> int:
    """Write points as a GeoJSON feature collection (lon, lat); returns the rows."""
    collected = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [round(float(x), 6), round(float(y), 6)]},
            "properties": {**row, "origin": ORIGIN},
        }
        for row, (x, y) in zip(rows, points, strict=True)
    ]
    document = {"type": "FeatureCollection", "name": path.stem, "description": LABEL, "features": collected}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return len(collected)


def document(path: Path, content: Any) -> None:
    """Write a JSON document for people to read."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def table(path: Path, rows: Sequence[Row], encoding: str) -> int:
    """Write rows as CSV with a column ``origin``; None is an empty cell. Returns the rows."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "origin"], lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({**row, "origin": ORIGIN} for row in rows)
    return len(rows)


def array(shapes: Sequence[Any]) -> Shapes:
    """A list of geometries as an array of objects, also when it is empty."""
    found = np.empty(len(shapes), dtype=object)
    found[:] = shapes
    return found
