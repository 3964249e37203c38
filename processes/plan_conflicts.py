"""Where do two plans conflict? The areas in which a feature of one lies on a feature of the other.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, Literal

import shapely
from psycopg import sql
from pydantic import Field

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.moments import Then
from shikong.store import ellipsoid, moments
from shikong.store.database import default as default_database

PlanLayer = Literal["urban_growth_boundary", "planning_zones", "permanent_farmland", "ecological_redline", "parcels"]

#: Overlaps in one answer; a larger area is asked for district by district.
MAX_OVERLAPS = 20_000

#: Planned classes that mean construction (用地用海 07-13), the ones that farmland excludes.
_CONSTRUCTION = ("07", "08", "09", "10", "11", "12", "13")

_OVERLAPS = """
    SELECT a.{a_key}, {a_class}, b.{b_key}, {b_class}, a._release, b._release,
           st_asbinary(st_collectionextract(st_intersection(a.geom, b.geom), 3))
    FROM {a} AS a JOIN {b} AS b ON a.geom && b.geom AND st_intersects(a.geom, b.geom) AND NOT st_touches(a.geom, b.geom)
    WHERE {district} AND {a_where} AND {b_where}
    ORDER BY a.{a_key}, b.{b_key}
    LIMIT {limit}
"""


class TwoPlans(Then):
    """Which plans, where, and from what size on an overlap is more than a sliver."""

    a: PlanLayer = Field("urban_growth_boundary", json_schema_extra=titled("图层甲", "Layer A"))
    b: PlanLayer = Field("permanent_farmland", json_schema_extra=titled("图层乙", "Layer B"))
    district: str | None = Field(
        None, pattern=r"^\d{6}$", json_schema_extra=titled("行政区代码（可选）", "District code (optional)")
    )
    sliver_m2: float = Field(1.0, ge=0, json_schema_extra=titled("碎图斑面积上限（平方米）", "Slivers are below (m²)"))


class PlanConflicts(Process):
    """Overlays two plan layers and tells each overlap with its ellipsoidal area."""

    id = "plan-conflicts"
    title = Text(zh="规划冲突", en="Plan conflicts")
    description = Text(
        zh="叠加两类规划，给出差异图斑、双方编号与类别及椭球面积。规划分区只取建设用途（07-13 类）。",
        en="Overlays two plans: the overlaps, both sides' ids and classes, and ellipsoidal areas. "
        "Of the planning zones those for construction (classes 07-13) count.",
    )
    inputs = TwoPlans

    def answer(self, inputs: TwoPlans) -> dict[str, Any]:
        """The overlaps as GeoJSON, their totals, and the slivers set apart. Raises BadInput."""
        if inputs.a == inputs.b:
            raise BadInput("b", "a plan is compared with another plan, not with itself")
        first, second = catalog.default().layer(inputs.a), catalog.default().layer(inputs.b)
        params = inputs.moment.values | {"district": inputs.district}
        rows = default_database().thread_fetch(_query(first, second, inputs), params)
        if len(rows) > MAX_OVERLAPS:
            raise BadInput("district", f"there are more than {MAX_OVERLAPS:,} overlaps; ask for one district")
        shapes = shapely.from_wkb([row[6] for row in rows])
        areas = ellipsoid.areas(shapes)
        features, slivers, sliver_area = [], 0, 0.0
        for row, shape, area in zip(rows, shapes, areas, strict=True):
            if area < max(inputs.sliver_m2, 1e-6):
                slivers, sliver_area = slivers + 1, sliver_area + float(area)
            else:
                features.append(_feature(inputs, row, shape, float(area)))
        total = sum(feature["properties"]["area_m2"] for feature in features)
        return {
            "a": first.title.zh, "b": second.title.zh, "conflicts": len(features), "area_m2": round(total, 2),
            "area_ha": round(total / 10_000, 4), "slivers": slivers, "slivers_area_m2": round(sliver_area, 4),
            "features": {"type": "FeatureCollection", "features": features},
        }  # fmt: skip


def _query(a: Layer, b: Layer, inputs: TwoPlans) -> sql.Composed:
    district = (
        "st_intersects(a.geom, (SELECT geom FROM {districts} AS d WHERE xzqdm = %(district)s))"
        if inputs.district else "%(district)s::text IS NULL"
    )  # fmt: skip
    districts = moments.rows(catalog.default().layer("districts"), inputs.moment)
    return sql.SQL(_OVERLAPS).format(
        a=moments.rows(a, inputs.moment), b=moments.rows(b, inputs.moment),
        a_key=sql.Identifier(a.key_field), b_key=sql.Identifier(b.key_field),
        a_class=_class(a, "a"), b_class=_class(b, "b"), a_where=_counts(a, "a"), b_where=_counts(b, "b"),
        district=sql.SQL(district).format(districts=districts), limit=sql.Literal(MAX_OVERLAPS + 1),
    )  # fmt: skip


def _class(layer: Layer, alias: str) -> sql.Composable:
    """The column by which the layer is drawn is the one that classes it."""
    name = layer.style.by if layer.style else None
    return sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(name)) if name else sql.SQL("NULL")


def _counts(layer: Layer, alias: str) -> sql.Composable:
    """Which features of a layer can conflict."""
    if layer.id == "planning_zones":
        return sql.SQL("left({}.ghfldm, 2) = ANY ({})").format(sql.Identifier(alias), sql.Literal(list(_CONSTRUCTION)))
    return sql.SQL("true")


def _feature(inputs: TwoPlans, row: tuple[Any, ...], shape: Any, area: float) -> dict[str, Any]:
    a_id, a_class, b_id, b_class, a_release, b_release, _ = row
    return {
        "type": "Feature", "id": f"{a_id}|{b_id}", "geometry": shapely.geometry.mapping(shape),
        "properties": {
            "a_layer": inputs.a, "a_id": a_id, "a_class": a_class, "b_layer": inputs.b, "b_id": b_id,
            "b_class": b_class, "area_m2": round(area, 2), "a_release": a_release, "b_release": b_release,
        },
    }  # fmt: skip
