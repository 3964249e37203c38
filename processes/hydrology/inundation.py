"""What is under water when a drain stands so high?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import shapely
from psycopg import Connection, sql
from pydantic import Field

from shikong.hydrology.terrain import hand
from shikong.hydrology.terrain.hand import Flood
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes import counties
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.figures.table import Column, Row, Table
from shikong.processes.hydrology import damage, reach, spots, telling
from shikong.processes.hydrology import model as models
from shikong.processes.hydrology.model import Model
from shikong.processes.hydrology.people import People
from shikong.processes.hydrology.reach import Reach
from shikong.processes.moments import Then
from shikong.store import moments
from shikong.store.database import default as default_database
from shikong.store.database import one_state
from shikong.store.moments import Moment

#: The vertical datum of the elevation model, as stations name theirs. Levels in another are not comparable.
DATUM = "1985国家高程基准"

#: Cells that a box may have.
_MOST = 4_000_000

_STATION = "SELECT st_x(geom), st_y(geom), dtmnm FROM {} AS s WHERE stcd = %(station)s"
_OTHERS = "SELECT stcd FROM {} AS s WHERE dtmnm = %(datum)s ORDER BY stcd LIMIT 100"

_DEPTHS = (
    Column("depth", Text(zh="水深", en="Depth")), Column("area_ha", Text(zh="面积", en="Area"), "ha"),
)  # fmt: skip
_MET = (
    Column("title", Text(zh="对象", en="What")), Column("features", Text(zh="数量", en="Number"), "1", 0),
    Column("area_ha", Text(zh="淹没面积", en="Area under water"), "ha"),
)  # fmt: skip
_PLACES = (
    Column("title", Text(zh="对象", en="What")), Column("id", Text(zh="编号", en="Id")),
    Column("depth_m", Text(zh="水深", en="Depth"), "m", 2), Column("lon", Text(zh="经度", en="Longitude"), "°", 6),
    Column("lat", Text(zh="纬度", en="Latitude"), "°", 6),
)  # fmt: skip
_PEOPLE = (
    Column("district", Text(zh="行政区代码", en="District code")), Column("name", Text(zh="行政区", en="District")),
    Column("residents", Text(zh="常住人口", en="Residents"), "1", 0),
    Column("homes", Text(zh="住房数", en="Dwellings"), "1", 0),
    Column("homes_wet", Text(zh="受淹住房数", en="Dwellings under water"), "1", 0),
    Column("people", Text(zh="受淹人口", en="People"), "1", 0), Column("reason", Text(zh="说明", en="Remark")),
)  # fmt: skip
_DASYMETRIC = Text(
    zh="按受淹住房建筑面积占全区住房建筑面积之比分摊常住人口；水及一角即计全幢。",
    en="Residents by the share of the district's dwelling floor that is in dwellings which the water reaches.",
)
_TITLES = {
    "depths": Text(zh="水深分级", en="By depth"), "met": Text(zh="受淹对象", en="What is under water"),
    "people": Text(zh="受淹人口（估算）", en="People in what is under water (estimated)"),
    "places": Text(zh="受淹文化场所", en="Places of culture under water"),
}  # fmt: skip
_WORDS = {
    "depth": Text(zh="水深", en="Depth"),
    "from_m": Text(zh="自（m）", en="From (m)"), "to_m": Text(zh="至（m）", en="To (m)"),
    "area_ha": Text(zh="面积（公顷）", en="Area (ha)"), "length_km": Text(zh="长度（km）", en="Length (km)"),
}  # fmt: skip
_LEVEL = {
    "above_drain_m": Text(zh="高出河床（m）", en="Above the drain's bed (m)"),
    "level_m": Text(zh="水位（m，1985国家高程基准）", en="Level (m, National Vertical Datum 1985)"),
    "bed_m": Text(zh="河床高程（m）", en="Bed (m)"), "datum": Text(zh="基面", en="Vertical datum"),
    "surface": Text(zh="水面", en="The water's surface"),
}  # fmt: skip
_SURFACE = Text(
    zh="水面与河床平行；排往他处的地面（如堤外）不计入；未计流量、时间与溃堤",
    en="Parallel to the drain's bed. Ground that drains elsewhere, as behind dykes, stays dry; flow, time and breaches "
    "are not looked at",
)


class Level(Then):
    """How high the water stands, and where."""

    above_drain_m: float | None = Field(
        None, gt=0, le=100, json_schema_extra=titled("高出河床（米；与水位二选一）", "Above the drain's bed (m)")
    )
    level_m: float | None = Field(
        None, ge=-500, le=9000,
        json_schema_extra=titled(
            "水位（米，1985国家高程基准；须给出位置或测站）", "Level (m, National Vertical Datum 1985; at a place)"
        ),
    )  # fmt: skip
    lon: float | None = Field(None, ge=-180, le=180, json_schema_extra=titled("经度（可选）", "Longitude (optional)"))
    lat: float | None = Field(None, ge=-89, le=89, json_schema_extra=titled("纬度（可选）", "Latitude (optional)"))
    station: str | None = Field(
        None, json_schema_extra=titled("测站编码（可选，代替位置）", "Station (instead of a place)")
    )
    bbox: spots.Box | None = Field(
        None,
        json_schema_extra=titled(
            "范围：西、南、东、北（度；其中全部河渠同高）", "Or all drains of a box: west, south, east, north (degrees)"
        ),
    )  # fmt: skip
    reach_km: float = Field(
        5, gt=0, le=200, json_schema_extra=titled("该水位沿河上下延伸（公里）", "The level holds up and down for (km)")
    )
    snap_m: float = Field(
        2000, gt=0, le=20_000, json_schema_extra=titled("捕捉到最近河渠的距离（米）", "Nearest drain within (m)")
    )


@dataclass(frozen=True)
class _Found:
    """A flood, and where the water that makes it stands how high. above: m above the bed; reach: None for a box."""

    flood: Flood
    above: float
    reach: Reach | None


class Inundation(Process):
    """Holds a level against the heights of the ground above its drain (HAND)."""

    id = "inundation"
    title = Text(zh="淹没分析（HAND）", en="Inundation (HAND)")
    description = Text(
        zh="按高出河床的水深，或某处、某测站的水位（1985国家高程基准），给出沿河的淹没范围、水深分级与面积，"
        "以及受淹的房屋、耕地、文化场所和人口（按住房建筑面积估算）。测站基面不同者不予比较。",
        en="For water so high above its drain, or for a level at a place or station (National Vertical Datum 1985): "
        "what is under water along the drain, how deep, and which buildings, cropland and places of culture, and how "
        "many people live there (estimated by floors of dwellings). A level in another vertical datum is refused.",
    )
    inputs = Level
    renderings: ClassVar = telling.RENDERINGS
    parts: ClassVar = telling.parts(_TITLES, (*_DEPTHS, *_MET, *_PEOPLE, *_PLACES), _WORDS) | {
        "level": {
            "title": {"zh": "水位", "en": "Level"},
            "properties": {name: {"title": title.model_dump()} for name, title in _LEVEL.items()},
        },
        "area_ha": {"title": {"zh": "淹没面积（公顷）", "en": "Under water (ha)"}},
        "people": {"title": {"zh": "受淹人口（估算）", "en": "People in what is under water (estimated)"}},
        "people_reason": {"title": {"zh": "人口为何未知", "en": "Why people are not known"}},
    }

    def answer(self, inputs: Level) -> dict[str, Any]:
        """The flood and what it meets. Raises BadInput, TerrainError."""
        city, database = catalog.default(), default_database()
        _require_one_level(inputs)
        with (
            database.thread_session() as conn,
            one_state(conn),
            models.opened(conn, city, Moment(known_at=inputs.as_of), database.settings.data) as model,
        ):
            found = _found(conn, city, model, inputs)
            met = damage.met(conn, city, found.flood, model.grid, inputs.moment)
            body, depths = _told(model, found)
            body |= _people(met.people)
            tables = {
                "depths": Table(_TITLES["depths"], _DEPTHS, depths), "met": Table(_TITLES["met"], _MET, met.rows),
                "people": Table(_TITLES["people"], _PEOPLE, met.people.rows, (), [_DASYMETRIC]),
                "places": Table(_TITLES["places"], _PLACES, met.places),
            }  # fmt: skip
            layers = [*(each.side.layer for each in damage.EXPOSED), counties.LAYER]
            return telling.answer(conn, city, model, inputs.moment, layers, self.title, tables, body)


def _people(found: People) -> Row:
    """The people under water, or why nobody knows."""
    return {"people": found.number, "people_reason": found.reason.model_dump() if found.reason else None}


def _require_one_level(inputs: Level) -> None:
    """Raise BadInput unless there is one level, at one place."""
    if (inputs.above_drain_m is None) == (inputs.level_m is None):
        raise BadInput("level_m", "give either level_m or above_drain_m")
    if (inputs.lon is None) != (inputs.lat is None):
        raise BadInput("lat" if inputs.lat is None else "lon", "give both lon and lat, or neither")
    given = [name for name in ("lon", "station", "bbox") if getattr(inputs, name) is not None]
    if len(given) != 1:
        raise BadInput(given[1] if given else "lon", "give one of: a place (lon and lat), a station, a box (bbox)")
    if inputs.level_m is not None and inputs.bbox is not None:
        raise BadInput("bbox", "a level holds at a place or station; for a box give above_drain_m")


def _found(conn: Connection[Any], city: Catalog, model: Model, inputs: Level) -> _Found:
    """The flood. Raises BadInput."""
    if inputs.bbox is not None:
        assert inputs.above_drain_m is not None
        window = spots.window_of(model, inputs.bbox)
        rows, columns = window.shape
        if rows * columns > _MOST:
            raise BadInput("bbox", f"has {rows * columns:,} cells; at most {_MOST:,} are looked at. Give a smaller one")
        return _Found(
            hand.by_height(window, model.above(window), inputs.above_drain_m), inputs.above_drain_m, None
        )  # fmt: skip
    lon, lat = _place(conn, city, inputs)
    along = reach.reach(model, lon, lat, inputs.snap_m, inputs.reach_km * 1000)
    above = inputs.above_drain_m if inputs.level_m is None else inputs.level_m - along.bed
    assert above is not None
    if above <= 0:
        raise BadInput("level_m", f"is not above the drain's bed there, which lies at {along.bed:.2f} m ({DATUM})")
    return _Found(reach.flood(model, along, above), above, along)


def _place(conn: Connection[Any], city: Catalog, inputs: Level) -> tuple[float, float]:
    """Longitude and latitude where the level holds. Raises BadInput, also for a level in another datum."""
    if inputs.station is None:
        assert inputs.lon is not None
        assert inputs.lat is not None
        return inputs.lon, inputs.lat
    rows = moments.rows(city.layer(spots.STATIONS), inputs.moment)
    row = conn.execute(sql.SQL(_STATION).format(rows), inputs.moment.values | {"station": inputs.station}).fetchone()
    others = sql.SQL(_OTHERS).format(rows), inputs.moment.values | {"datum": DATUM}
    if row is None:
        raise BadInput("station", f"there is no station {inputs.station[:40]!r}")
    lon, lat, datum = row
    if inputs.level_m is not None and datum != DATUM:
        comparable = tuple(code for (code,) in conn.execute(*others))
        raise BadInput(
            "station",
            f"its levels are in {datum or 'a vertical datum that is not told'}, the elevation model's heights in "
            f"{DATUM}; convert the level and give it at the station's place (lon and lat), or give above_drain_m",
            comparable,
        )
    return float(lon), float(lat)


def _told(model: Model, found: _Found) -> tuple[Row, list[Row]]:
    """The answer's own parts, and the lines of the table of depths."""
    grid = model.grid
    features: list[Row] = []
    depths: list[Row] = []
    for low, high, shape in hand.classes(found.flood, grid):
        name = f"≥ {low:g} m" if high is None else f"{low:g}–{high:g} m"
        hectares = round(hand.area(found.flood.between(low, high), grid) / 10_000, 4)
        depths.append({"depth": name, "from_m": low, "to_m": high, "area_ha": hectares})
        features.append(spots.feature("flood", shape, len(features) + 1, depth=name, from_m=low, to_m=high,
                                      area_ha=hectares))  # fmt: skip
    level: Row = {"above_drain_m": round(found.above, 3), "datum": DATUM, "surface": _SURFACE.model_dump()}
    if found.reach is not None:
        along = found.reach
        level |= {"bed_m": round(along.bed, 3), "level_m": round(along.bed + found.above, 3)}
        lon, lat = grid.middle(*divmod(int(along.cells[along.at]), grid.width))
        features.append(spots.feature("drain_place", shapely.Point(lon, lat)))
        if along.line is not None:
            features.append(spots.feature("reach", along.line, length_km=round(along.length / 1000, 3)))
    above = f"{found.above:.2f} m"
    body = {"subtitle": {"zh": f"高出河床 {above}", "en": f"{above} above the drain's bed"}, "level": level,
            "area_ha": round(hand.area(found.flood, grid) / 10_000, 4),
            "features": {"type": "FeatureCollection", "features": features}}  # fmt: skip
    return body, depths
