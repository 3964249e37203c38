"""How many people live in what is under water? Dasymetric: residents live where the floors of dwellings are.

Of each district of the lowest level that the water reaches: its residents, times the share of its dwellings' floor area
(footprint times storeys) that is in dwellings under water. A dwelling counts as a whole, as soon as water stands in a
part of it, and belongs to the district that a point inside it lies in. What is not known of a district is told with the
reason, and then the sum is not known either.

Source: Wright 1936, Geographical Review 26 (dasymetric mapping).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.figures.table import Row
from shikong.processes.overlay.kernel import Shapes
from shikong.store import moments
from shikong.store.moments import Moment

#: The layer of buildings, and the uses of those that people live in.
BUILDINGS, HOMES = "buildings", ("residential", "rural")

#: m² of floor for each resident. With less, dwellings of the district are missing, and a share of them says nothing.
LEAST_FLOOR = 5.0

_LEVELS = "SELECT DISTINCT level FROM {} AS d WHERE level IS NOT NULL"
_DISTRICTS = "SELECT xzqdm, st_asbinary(geom) FROM {} AS d WHERE level = %(level)s ORDER BY xzqdm"
_HOMES = """
    SELECT d.xzqdm, d.xzqmc, d.residents, count(b.building_id),
        count(b.building_id) FILTER (WHERE b.storeys IS NULL OR b.storeys < 1),
        coalesce(sum(b.area * b.storeys), 0),
        count(b.building_id) FILTER (WHERE b.building_id = ANY (%(wet)s)),
        coalesce(sum(b.area * b.storeys) FILTER (WHERE b.building_id = ANY (%(wet)s)), 0)
    FROM {districts} AS d LEFT JOIN {buildings} AS b
        ON b.geom && d.geom AND b.use = ANY (%(homes)s) AND st_contains(d.geom, st_pointonsurface(b.geom))
    WHERE d.xzqdm = ANY (%(districts)s)
    GROUP BY d.xzqdm, d.xzqmc, d.residents ORDER BY d.xzqdm
"""
_WET_HOMES = "SELECT count(*) FROM {} AS b WHERE building_id = ANY (%(wet)s) AND use = ANY (%(homes)s)"

_NO_DISTRICTS = Text(zh="水面所及之处没有行政区资料", en="no district is known where the water is")
_NO_RESIDENTS = Text(zh="常住人口未知", en="residents are not known")
_NO_HOMES = Text(zh="没有住房资料", en="no dwelling is known")
_NO_STOREYS = Text(zh="{} 幢住房层数未知", en="{} dwellings have no storeys")
_INCOMPLETE = Text(
    zh="住房资料不全：人均建筑面积 {:.1f} m²",
    en="dwellings are missing: there are {:.1f} m² of floor for each resident",
)
_OUTSIDE = Text(zh="{} 幢受淹住房不在任何行政区内", en="{} dwellings under water lie in no district")


@dataclass(frozen=True)
class People:
    """number: None where it is not known, for the reason told. rows: what is known of each district."""

    number: int | None
    reason: Text | None
    rows: list[Row]


def under_water(
    conn: Connection[Any], city: Catalog, water: Shapes, wet: dict[str, Any], moment: Moment
) -> People:  # fmt: skip
    """The people that live in what is under water.

    water: the surface in pieces (EPSG:4490). wet: buildings that it meets, each with its shape, by key.
    """
    districts = moments.rows(city.layer(counties.LAYER), moment)
    buildings = moments.rows(city.layer(BUILDINGS), moment)
    reached = _reached(conn, city, districts, [*water, *wet.values()], moment)
    if not reached:
        return People(None, _NO_DISTRICTS, [])
    params = moment.values | {"wet": list(wet), "homes": list(HOMES), "districts": reached}
    query = sql.SQL(_HOMES).format(districts=districts, buildings=buildings)
    told = [_of_district(*row) for row in conn.execute(query, params)]
    ((homes,),) = conn.execute(sql.SQL(_WET_HOMES).format(buildings), params).fetchall()
    reasons = [
        Text(zh=f"{row['name']}：{reason.zh}", en=f"{row['name']}: {reason.en}") for row, _, reason in told if reason
    ]
    if outside := homes - sum(row["homes_wet"] for row, _, _ in told):
        reasons.append(_said(_OUTSIDE, outside))
    rows = [row for row, _, _ in told]
    if reasons:
        return People(None, _joined(reasons), rows)
    return People(round(sum(number or 0.0 for _, number, _ in told)), None, rows)


def _reached(
    conn: Connection[Any], city: Catalog, districts: sql.Composable, shapes: list[Any], moment: Moment
) -> list[str]:
    """The codes of the districts of the lowest level there is that the shapes meet."""
    there = {level for (level,) in conn.execute(sql.SQL(_LEVELS).format(districts), moment.values)}
    levels = [level for level in city.codes["district_level"].codes if level in there]
    if not levels or not shapes:
        return []
    query = sql.SQL(_DISTRICTS).format(districts)
    rows = conn.execute(query, moment.values | {"level": levels[-1]}, binary=True).fetchall()
    places = np.asarray(shapely.from_wkb([wkb for _, wkb in rows]), dtype=object)
    met = np.unique(shapely.STRtree(places).query(shapes, predicate="intersects")[1])
    return [rows[at][0] for at in met.tolist()]


def _of_district(
    code: str, name: str, residents: int | None, homes: int, unknown: int, floor: float, wet: int, wet_floor: float
) -> tuple[Row, float | None, Text | None]:
    """A district's line, its people under water, and why they are not known."""
    number, reason = None, _why(residents, homes, unknown, floor)
    if reason is None:
        assert residents is not None
        number = residents * wet_floor / floor
    row: Row = {
        "district": code, "name": name, "residents": residents, "homes": homes, "homes_wet": wet,
        "people": None if number is None else round(number), "reason": reason.model_dump() if reason else None,
    }  # fmt: skip
    return row, number, reason


def _why(residents: int | None, homes: int, unknown: int, floor: float) -> Text | None:
    """Why the people of a district cannot be spread over its dwellings; None where they can."""
    if residents is None:
        return _NO_RESIDENTS
    if not homes:
        return _NO_HOMES
    if unknown:
        return _said(_NO_STOREYS, unknown)
    if floor < LEAST_FLOOR * residents:
        return _said(_INCOMPLETE, floor / residents)
    return None


def _said(words: Text, value: float) -> Text:
    return Text(zh=words.zh.format(value), en=words.en.format(value))


def _joined(reasons: Iterable[Text]) -> Text:
    told = list(reasons)
    return Text(zh="；".join(one.zh for one in told), en="; ".join(one.en for one in told))
