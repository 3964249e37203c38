"""What lies around a place, drawn in the layers' own styles and told for a legend.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyogrio
import shapely
from psycopg import Connection
from pyproj import Transformer

from shikong.ingest import gauss_krueger
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.symbols import Symbol, symbols
from shikong.store import tables
from shikong.store.moments import Moment
from shikong.tiles import drawing, paint
from shikong.tiles.frame import Frame
from shikong.tiles.matrix import TileBox
from shikong.tiles.paint import Picture

#: Pixels of the drawing for each of the sheet, so that it is sharp in print.
FINE = 1.5

#: The least that a map shows across (m), and how many times a place's own size it shows.
_LEAST, _AROUND = 1200.0, 3.0


@dataclass(frozen=True)
class Name:
    """What is written on a map: where (pixels of the drawing from its upper left corner), and how far turned (°)."""

    text: str
    x: float
    y: float
    turned: float = 0.0


@dataclass
class Ground:
    """The picture, the names on it, and by layer what is seen of it, in the order in which it is drawn."""

    picture: Picture
    names: list[Name] = field(default_factory=list)
    seen: list[tuple[Layer, list[Symbol]]] = field(default_factory=list)


def frame(shape: Any, width: int, height: int) -> Frame:
    """The frame (pixels of the sheet) around a shape (EPSG:4490), in the 3-degree zone that it lies in."""
    zone = round(shape.centroid.x / 3)
    srid = gauss_krueger.code("cgcs2000", 3, zone, numbered=False)
    west, south, east, north = projected(shape, srid).bounds
    pixel = max(_LEAST, _AROUND * (east - west), _AROUND * (north - south) * width / height) / width
    x, y = (west + east) / 2, (south + north) / 2
    box = TileBox(x - pixel * width / 2, y - pixel * height / 2, x + pixel * width / 2, y + pixel * height / 2, srid)
    return Frame(box, round(width * FINE), round(height * FINE))


def projected(shape: Any, srid: int) -> Any:
    """A shape (EPSG:4490) in another CRS, x = easting."""
    moved = Transformer.from_crs(tables.SRID, srid, always_xy=True)
    return shapely.transform(shape, lambda xy: np.column_stack(moved.transform(*xy.T)))


def draw(conn: Connection[Any], city: Catalog, layers: Sequence[Layer], shown: Frame, moment: Moment) -> Ground:
    """Layers as a frame shows them, the first below. A layer is left out at scales at which it has no tiles."""
    ground = Ground(np.full((shown.height, shown.width, 4), 255, dtype="uint8"))
    for layer in layers:
        assert layer.tiles is not None
        if shown.zoom < layer.tiles.min_zoom:
            continue
        query, params, extent = drawing.asked(layer, shown, moment)
        row = conn.execute(query, params, binary=True).fetchone()
        if not row or not row[0]:
            continue
        listed = symbols(city, layer)
        drawn = drawing.draw(bytes(row[0]), _printed(layer), listed, shown.width, shown.height, extent)
        ground.picture = paint.over(ground.picture, drawn)
        _note(ground, layer, listed, bytes(row[0]), extent)
    return ground


def _printed(layer: Layer) -> Layer:
    """The same with lines and points as wide in the finer drawing as they are on a screen."""
    style = layer.style
    assert style is not None
    wide = style.model_copy(update={"width": style.width * FINE, "radius": style.radius * FINE})
    return layer.model_copy(update={"style": wide})


def _note(ground: Ground, layer: Layer, listed: list[Symbol], tile: bytes, extent: int) -> None:
    """Keep what of a layer is seen, and the names of its lines."""
    style = layer.style
    assert style is not None
    label = style.label.field if style.label and "Line" in (layer.geometry or "") else None
    wanted = [name for name in (style.by, label) if name]
    table = pyogrio.read_arrow(tile, layer=layer.id, columns=wanted, CLIP="NO")[1]
    columns = {name: table[name].to_pylist() for name in wanted if name in table.column_names}
    seen = {str(code) for code in columns.get(style.by or "", [])}
    known = [symbol for symbol in listed if symbol.value in seen]
    # What has no colour of its own is drawn in the layer's.
    others = [symbol for symbol in listed if symbol.value is None and (not style.by or len(seen) > len(known))]
    ground.seen.append((layer, known + others))
    if label in columns:
        shapes = shapely.from_wkb(np.array(table["wkb_geometry"].to_pylist(), dtype=object))
        high, wide = ground.picture.shape[:2]
        upright = shapely.transform(shapes, lambda xy: np.column_stack([xy[:, 0], extent - xy[:, 1]]) / drawing.UNITS)
        ground.names += _along(columns[label], shapely.clip_by_rect(upright, 0, 0, wide, high))


def _along(names: list[Any], lines: Any) -> Iterator[Name]:
    """Each name once, along the middle of its longest line, where it has room."""
    longest: dict[str, Any] = {}
    for name, shape in zip(names, lines, strict=True):
        for line in shapely.get_parts(shape):
            if name and line.length > max(240, getattr(longest.get(str(name)), "length", 0)):
                longest[str(name)] = line
    for name, line in longest.items():
        before, at, behind = (line.interpolate(share, normalized=True) for share in (0.45, 0.5, 0.55))
        turned = math.degrees(math.atan2(behind.y - before.y, behind.x - before.x))
        yield Name(name, at.x, at.y, turned - 180 if turned > 90 else turned + 180 if turned < -90 else turned)
