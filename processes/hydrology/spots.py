"""Where a question about water begins: a click, brought to the stream that was meant.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import shapely
from psycopg import Connection, sql
from pydantic import Field

from shikong.hydrology.terrain import basins
from shikong.hydrology.terrain.grid import UNKNOWN, Window
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, titled
from shikong.processes.figures.table import Row
from shikong.processes.hydrology.model import Model
from shikong.processes.moments import Known
from shikong.store import moments, tables
from shikong.store.moments import Moment

#: The layer of gauging stations.
STATIONS = "hydro_stations"

_STATIONS = """
    SELECT s.stcd, s.stnm, s.sttp, st_x(s.geom), st_y(s.geom)
    FROM {stations} AS s, (SELECT st_setsrid(st_geomfromwkb(%(shape)s), {srid}) AS geom) AS p
    WHERE s.geom && st_expand(p.geom, %(degrees)s) AND {near}
    ORDER BY s.stcd
"""
_INSIDE = sql.SQL("st_intersects(s.geom, p.geom)")
_BESIDE = sql.SQL("st_dwithin(s.geom::geography, p.geom::geography, %(metres)s)")


#: West, south, east, north in degrees.
Box = Annotated[list[Annotated[float, Field(ge=-180, le=180)]], Field(min_length=4, max_length=4)]


class Streams(Known):
    """What counts as a stream."""

    min_upstream_km2: float = Field(
        5, gt=0, le=1e6, json_schema_extra=titled("河流的最小集水面积（km²）", "A stream has upstream at least (km²)")
    )


class Spot(Streams):
    """A place, and how far from it its stream may lie."""

    lon: float = Field(115.985, ge=-180, le=180, json_schema_extra=titled("经度", "Longitude"))
    lat: float = Field(36.456, ge=-89, le=89, json_schema_extra=titled("纬度", "Latitude"))
    snap_m: float = Field(
        1000, ge=0, le=20_000,
        json_schema_extra=titled(
            "捕捉到最近河流的距离（米；0 为就地）", "Nearest stream within (m; 0 takes the place itself)"
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Outlet:
    """A cell that a place stands for. moved: m from the place to its middle, 0 where the place lies in it. area: m²
    upstream. lon, lat: its middle."""

    row: int
    column: int
    moved: float
    area: float
    lon: float
    lat: float


def cell_of(model: Model, lon: float, lat: float) -> tuple[int, int]:
    """Row and column of the cell that a place lies in. Raises BadInput outside of the model."""
    cell = model.grid.cell(lon, lat)
    if cell is None:
        west, south, east, north = model.grid.bounds
        where = f"{west:.4f}..{east:.4f}° E, {south:.4f}..{north:.4f}° N"
        raise BadInput("lon", f"({lon:g}, {lat:g}) lies outside of the elevation model", (where,))
    return cell


def window_of(model: Model, bbox: list[float]) -> Window:
    """The window of a box. Raises BadInput for one that is none or lies elsewhere."""
    west, south, east, north = bbox
    window = model.grid.over(*bbox) if west < east and south < north else None
    if window is None:
        allowed = ", ".join(f"{each:.4f}" for each in model.grid.bounds)
        raise BadInput("bbox", "is no box on the elevation model: west, south, east, north", (allowed,))
    return window


def outlet(model: Model, lon: float, lat: float, snap_m: float, least: float) -> Outlet:
    """The cell of the stream that a place means, with at least so many m² upstream; with a distance of 0 the place's
    own cell, whatever flows there. Raises BadInput."""
    cell = cell_of(model, lon, lat)
    window = basins.window_around(model.grid, *cell, snap_m)
    part, areas = model.grid.part(window), model.areas(window)
    directions = model.directions(window)
    own = cell[0] - window.top, cell[1] - window.left
    if snap_m:
        found = basins.snap(areas, areas >= least, part, lon, lat, snap_m)
    else:
        found = None if directions[own] == UNKNOWN else (*own, 0.0)
    if found is None and directions[own] == UNKNOWN:
        raise BadInput("lon", f"the elevation model has no height at ({lon:g}, {lat:g})")
    if found is None:
        raise BadInput(
            "snap_m",
            f"no stream with {least / 1e6:g} km² upstream lies within {snap_m:g} m; ask farther around, for smaller "
            "streams (min_upstream_km2), or for the place itself (snap_m = 0)",
        )
    row, column, moved = found
    east, north = part.middle(row, column)
    return Outlet(row + window.top, column + window.left, moved, float(areas[row, column]), float(east), float(north))


def told(place: Outlet, lon: float, lat: float) -> Row:
    """An outlet as an answer has it."""
    return {
        "clicked": [lon, lat], "snapped": [round(place.lon, 7), round(place.lat, 7)], "moved_m": round(place.moved, 1),
        "upstream_km2": round(place.area / 1e6, 4),
    }  # fmt: skip


def stations(
    conn: Connection[Any], city: Catalog, shape: Any, moment: Moment, metres: float | None = None
) -> list[Row]:
    """The gauging stations in a surface, or no farther than so many metres from a line (EPSG:4490)."""
    query = sql.SQL(_STATIONS).format(
        stations=moments.rows(city.layer(STATIONS), moment), srid=sql.Literal(tables.SRID),
        near=_INSIDE if metres is None else _BESIDE,
    )  # fmt: skip
    params = moment.values | {
        "shape": shapely.to_wkb(shape), "metres": metres or 0, "degrees": (metres or 0) / 50_000,
    }  # fmt: skip
    kinds = city.codes["station_type"].codes
    return [
        {"station": code, "name": name, "type": kinds[kind].title.model_dump() if kind in kinds else kind,
         "lon": lon, "lat": lat}
        for code, name, kind, lon, lat in conn.execute(query, params)
    ]  # fmt: skip


#: What the parts of answers are.
_KINDS = {
    "basin": Text(zh="流域", en="Basin"), "outlet_clicked": Text(zh="所点位置", en="Place as clicked"),
    "outlet_snapped": Text(zh="捕捉到的出口", en="Outlet as snapped"),
    "longest_path": Text(zh="最长汇流路径", en="Longest flow path"),
    "downstream": Text(zh="下游流路", en="Way downstream"),
    "main_stem": Text(zh="上游干流", en="Main stem upstream"),
    "stream": Text(zh="河段", en="Stretch of stream"), "flood": Text(zh="淹没范围", en="Under water"),
    "drain_place": Text(zh="水位所在", en="Where the level is"),
    "reach": Text(zh="水位延伸的河段", en="Reach of the level"),
}  # fmt: skip


def feature(kind: str, shape: Any, number: int | str | None = None, **more: Any) -> dict[str, Any]:
    """A part of an answer for the map, its coordinates to a centimetre."""
    rounded = shapely.transform(shape, lambda xy: np.round(xy, 7))
    told = {"kind": kind, "title": _KINDS[kind].zh, "title_en": _KINDS[kind].en}
    return {"type": "Feature", "id": kind if number is None else number,
            "geometry": shapely.geometry.mapping(rounded), "properties": told | more}  # fmt: skip
