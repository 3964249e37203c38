"""The features that a side of a conflict rule is about, as they are stored.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.model import Layer
from shikong.processes.overlay import plane
from shikong.processes.overlay.kernel import Numbers, Shapes
from shikong.store import moments, tables
from shikong.store.moments import Moment

_FEATURES = """
    SELECT s.{key}, {by}::text, {value}::float8, s._release, s.origin = 'generated', st_asbinary(s.geom)
    FROM {rows} AS s
    WHERE {conditions}
    ORDER BY s.{key}
"""

# A box at a time by the index; a condition on the rows themselves would look at every one.
_NEAR = """
    s.{key} IN (
        SELECT n.{key} FROM unnest(%(near)s::bytea[]) AS box (wkb)
        JOIN {rows} AS n ON n.geom && st_setsrid(st_geomfromwkb(box.wkb), {srid})
    )
"""


@dataclass(frozen=True)
class Features:
    """Features of one layer, in the order of their keys.

    system: the code list of the classes. classes: None where a feature or the layer has none. values: of the number
    field that was asked for, NaN where it is unknown. releases: which brought each. generated: whether it is a sample.
    shapes: EPSG:4490, x = longitude; with their surroundings where the side has some.
    """

    layer: Layer
    system: str | None
    keys: NDArray[np.object_]
    classes: NDArray[np.object_]
    values: NDArray[np.float64]
    releases: NDArray[np.int64]
    generated: NDArray[np.bool_]
    shapes: Shapes

    def __len__(self) -> int:
        return len(self.keys)

    def only(self, which: Numbers | NDArray[np.bool_]) -> Features:
        """Some of them."""
        return Features(
            self.layer, self.system, self.keys[which], self.classes[which], self.values[which], self.releases[which],
            self.generated[which], self.shapes[which],
        )  # fmt: skip

    def among(self, keys: Collection[str]) -> NDArray[np.bool_]:
        """Which of them have one of these keys."""
        return np.fromiter((key in keys for key in self.keys), bool, len(self.keys))


def read(
    conn: Connection[Any], catalog: Catalog, side: Side, value: str | None, moment: Moment, *,
    keys: Sequence[str] | None = None, near: Shapes | None = None,
) -> Features:  # fmt: skip
    """The features of a side at a moment.

    value: the number field that is wanted. keys: only these features. near: only features whose box, with the side's
    surroundings, may meet the box of one of these shapes.
    """
    layer, codes = catalog.layer(side.layer), catalog.classes_of(side)
    key, rows = sql.Identifier(layer.key_field), moments.rows(layer, moment)
    field, system = catalog.class_field(side)
    by = sql.SQL("s.{}").format(sql.Identifier(field)) if field else sql.NULL
    params: dict[str, Any] = dict(moment.values)
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if codes is not None:
        conditions.append(sql.SQL("{} = ANY(%(codes)s)").format(by))
        params["codes"] = sorted(codes)
    if keys is not None:
        conditions.append(sql.SQL("s.{} = ANY(%(keys)s)").format(key))
        params["keys"] = list(keys)
    if near is not None:
        conditions.append(sql.SQL(_NEAR).format(key=key, rows=rows, srid=sql.Literal(tables.SRID)))
        params["near"] = list(shapely.to_wkb(_boxes(near, side.within)))
    query = sql.SQL(_FEATURES).format(
        key=key, rows=rows, by=by, conditions=sql.SQL(" AND ").join(conditions),
        value=sql.SQL("s.{}").format(sql.Identifier(value)) if value else sql.NULL,
    )  # fmt: skip
    found = conn.execute(query, params, binary=True).fetchall()
    columns = list(zip(*found, strict=True)) or [()] * 6
    shapes = np.asarray(shapely.from_wkb(_objects(columns[5])), dtype=object)
    return Features(
        layer, system, _objects(columns[0]), _objects(columns[1]), np.array(columns[2], dtype=np.float64),
        np.array(columns[3], dtype=np.int64), np.array(columns[4], dtype=bool),
        surroundings(shapes, side.within) if side.within else shapes,
    )  # fmt: skip


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _boxes(shapes: Shapes, metres: float) -> Shapes:
    """The box of each shape, so many metres wider: a degree of longitude has more than 50 km in all of China."""
    wide = metres / 50_000
    wider = shapely.bounds(shapes) + np.array([-wide, -wide, wide, wide])
    return np.asarray(shapely.box(*wider.T), dtype=object)


def surroundings(shapes: Shapes, metres: float) -> Shapes:
    """Surfaces with what lies around them, so many metres wide on the ground.

    Drawn in a plane, and wider by the plane's scale at each surface, which is up to 3 parts in ten thousand here.
    """
    if not len(shapes):
        return shapes
    wider = shapely.buffer(plane.to_plane(shapes), metres * plane.scales(shapes), quad_segs=16)
    return plane.to_degrees(wider)
