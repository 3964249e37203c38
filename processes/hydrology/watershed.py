"""From where does water come to this place, and what is that basin like?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, ClassVar

import shapely
from psycopg import Connection

from shikong.hydrology.terrain import basins, characteristics
from shikong.hydrology.terrain.basins import Basin
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes.base import Process
from shikong.processes.figures.table import Column, Row, Table
from shikong.processes.hydrology import model as models
from shikong.processes.hydrology import spots, telling
from shikong.processes.hydrology.model import Model
from shikong.processes.hydrology.spots import Outlet, Spot
from shikong.store.database import default as default_database
from shikong.store.database import one_state
from shikong.store.moments import Moment

_FIGURES = (
    Column("name", Text(zh="代号", en="Name")), Column("title", Text(zh="特征", en="Characteristic")),
    Column("value", Text(zh="数值", en="Value"), "1", 4), Column("unit", Text(zh="单位", en="Unit")),
)  # fmt: skip
_TITLES = {
    "characteristics": Text(zh="流域特征", en="Characteristics"),
    "stations": Text(zh="流域内测站", en="Stations in the basin"),
}
_WORDS = {"area_km2": Text(zh="面积（km²）", en="Area (km²)"),
          "length_km": Text(zh="长度（km）", en="Length (km)")}  # fmt: skip
_CUT = Text(
    zh="流域到达高程模型边缘或无高程的区域，可能还有来水未计入",
    en="The basin reaches the edge of the elevation model, or ground without heights; more may flow to it from beyond",
)


class Watershed(Process):
    """Follows the flow upstream from a place."""

    id = "watershed"
    title = Text(zh="流域划分", en="Watershed")
    description = Text(
        zh="由一点（捕捉到最近的河流）划出其上游流域：范围、面积与周长、最长汇流路径、坡度、高程分布、河网密度、形状系数、"
        "汇流时间等特征，以及流域内的测站；流域到达高程模型边缘时说明其不完整。",
        en="The basin upstream of a place, which is brought to the nearest stream: outline, area, perimeter, longest "
        "flow path, slopes, heights, drainage density, form factors, time of concentration, and the stations in it. "
        "A basin that reaches the edge of the elevation model is said to be incomplete.",
    )
    inputs = Spot
    renderings: ClassVar = telling.RENDERINGS
    parts: ClassVar = telling.parts(_TITLES, (*_FIGURES, *telling.STATIONS), _WORDS)

    def answer(self, inputs: Spot) -> dict[str, Any]:
        """The basin. Raises BadInput, TerrainError."""
        city, database = catalog.default(), default_database()
        least = inputs.min_upstream_km2 * 1e6
        with (
            database.thread_session() as conn,
            one_state(conn),
            models.opened(conn, city, inputs.moment, database.settings.data) as model,
        ):
            outlet = spots.outlet(model, inputs.lon, inputs.lat, inputs.snap_m, least)
            basin = basins.watershed(model.directions, model.grid, outlet.row, outlet.column)
            clicked = inputs.lon, inputs.lat
            body, tables = _told(conn, city, model, inputs.moment, basin, outlet, clicked, least)
            return telling.answer(
                conn, city, model, inputs.moment, (spots.STATIONS,), self.title, tables, body
            )  # fmt: skip


def _told(
    conn: Connection[Any], city: Catalog, model: Model, moment: Moment, basin: Basin, outlet: Outlet,
    clicked: tuple[float, float], least: float,
) -> tuple[Row, dict[str, Table]]:  # fmt: skip
    """The answer's own parts and tables."""
    grid, part = model.grid, model.grid.part(basin.window)
    heights, shape = model.heights(basin.window), basins.outline(basin.inside, part)
    path = characteristics.longest_path(basin, grid, heights)
    streams = characteristics.stream_length(model.areas(basin.window) >= least, basin, grid)
    figures = characteristics.measure(basin, grid, heights, shape, path, streams)
    inside = spots.stations(conn, city, shape, moment)
    features = [
        spots.feature("basin", shape, area_km2=round(figures[0].value or 0, 4)),
        spots.feature("outlet_clicked", shapely.Point(clicked)),
        spots.feature("outlet_snapped", shapely.Point(outlet.lon, outlet.lat)),
    ]
    if len(path.positions) > 1:
        middles = [part.middle(*divmod(int(each), part.width)) for each in path.positions]
        line = shapely.LineString(middles)
        features.append(spots.feature("longest_path", line, length_km=round(path.length / 1000, 3)))
    rows = [
        {"name": each.name, "title": {"zh": each.zh, "en": each.en},
         "value": None if each.value is None else round(each.value, 6), "unit": each.unit}
        for each in figures
    ]  # fmt: skip
    place = f"{outlet.lon:.4f}° E, {outlet.lat:.4f}° N"
    body = {
        "subtitle": {"zh": f"出口 {place}", "en": f"Outlet {place}"},
        "complete": not basin.cut, "incomplete": _CUT.model_dump() if basin.cut else None,
        "outlet": spots.told(outlet, *clicked), "features": {"type": "FeatureCollection", "features": features},
    }  # fmt: skip
    tables = {
        "characteristics": Table(_TITLES["characteristics"], _FIGURES, rows),
        "stations": Table(_TITLES["stations"], telling.STATIONS, inside),
    }
    return body, tables
