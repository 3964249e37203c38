"""Where does the water of this place go, and along which streams does it come?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import shapely
from pydantic import Field

from shikong.hydrology.terrain import streams, trace
from shikong.hydrology.terrain.streams import Stream
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.figures.table import Column, Row, Table
from shikong.processes.hydrology import model as models
from shikong.processes.hydrology import spots, telling
from shikong.processes.hydrology.model import Model
from shikong.processes.hydrology.spots import Outlet, Spot
from shikong.store.database import default as default_database
from shikong.store.database import one_state

#: Stations no farther from the traced stream than so many metres are told.
_BESIDE = 1000.0

_TRACES = (
    Column("direction", Text(zh="方向", en="Direction")), Column("length_km", Text(zh="长度", en="Length"), "km", 3),
    Column("reaches_end", Text(zh="是否到头", en="Goes to the end")),
)  # fmt: skip
_TITLES = {
    "traces": Text(zh="追溯", en="Traces"), "streams": Text(zh="上游河流", en="Streams upstream"),
    "stations": Text(zh="沿线测站", en="Stations along it"),
}  # fmt: skip
_WORDS = {
    "length_km": Text(zh="长度（km）", en="Length (km)"),
    "order": Text(zh="级别", en="Order"), "upstream_km2": Text(zh="集水面积（km²）", en="Upstream (km²)"),
    "flows_into": Text(zh="流入", en="Flows into"),
}  # fmt: skip
_DIRECTIONS = {"downstream": Text(zh="下游", en="Downstream"), "upstream": Text(zh="上游", en="Upstream")}
_YES, _NO = Text(zh="是", en="yes").model_dump(), Text(zh="否", en="no").model_dump()


class Traced(Spot):
    """From where, which way and how far."""

    direction: Literal["downstream", "upstream", "both"] = Field(
        "downstream",
        json_schema_extra=titled(
            "方向", "Direction",
            **{"x-enum-titles": [*(each.model_dump() for each in _DIRECTIONS.values()), {"zh": "两者", "en": "Both"}]},
        ),
    )  # fmt: skip
    distance_km: float | None = Field(
        None, gt=0, le=10_000, json_schema_extra=titled("沿河距离（公里，可选）", "For so far along it (km, optional)")
    )


class RiverTrace(Process):
    """Follows the flow downstream, and streams upstream."""

    id = "river-trace"
    title = Text(zh="河流追溯", en="River trace")
    description = Text(
        zh="由一点沿水流向下追溯至流出高程模型之处，或沿河网向上追溯干流与全部支流，可限定沿河距离；列出沿线测站。",
        en="From a place downstream to where water leaves the elevation model, or upstream along the main stem and all "
        "tributaries, for a distance along the stream if one is given; with the stations along it.",
    )
    inputs = Traced
    renderings: ClassVar = telling.RENDERINGS
    parts: ClassVar = telling.parts(_TITLES, (*_TRACES, *telling.STREAMS, *telling.STATIONS), _WORDS)

    def answer(self, inputs: Traced) -> dict[str, Any]:
        """The traces. Raises BadInput, TerrainError."""
        city, database = catalog.default(), default_database()
        with (
            database.thread_session() as conn,
            one_state(conn),
            models.opened(conn, city, inputs.moment, database.settings.data) as model,
        ):
            least = inputs.min_upstream_km2 * 1e6
            outlet = spots.outlet(model, inputs.lon, inputs.lat, inputs.snap_m, least)
            metres = None if inputs.distance_km is None else inputs.distance_km * 1000
            rows, features, above = _traced(model, inputs, outlet, metres)
            lines = shapely.union_all([shapely.geometry.shape(each["geometry"]) for each in features])
            ends = [spots.feature("outlet_clicked", shapely.Point(inputs.lon, inputs.lat)),
                    spots.feature("outlet_snapped", shapely.Point(outlet.lon, outlet.lat))]  # fmt: skip
            beside = spots.stations(conn, city, lines, inputs.moment, _BESIDE)
            tables = {
                "traces": Table(_TITLES["traces"], _TRACES, rows),
                "streams": Table(_TITLES["streams"], telling.STREAMS, telling.by_order(above)),
                "stations": Table(_TITLES["stations"], telling.STATIONS, beside),
            }
            body = {"outlet": spots.told(outlet, inputs.lon, inputs.lat),
                    "features": {"type": "FeatureCollection", "features": [*features, *ends]}}  # fmt: skip
            return telling.answer(
                conn, city, model, inputs.moment, (spots.STATIONS,), self.title, tables, body
            )  # fmt: skip


def _traced(
    model: Model, inputs: Traced, outlet: Outlet, metres: float | None
) -> tuple[list[Row], list[dict[str, Any]], list[Stream]]:
    """Lines of the table, features, and the streams upstream."""
    rows: list[Row] = []
    features: list[dict[str, Any]] = []
    above: list[Stream] = []
    if inputs.direction != "upstream":
        path = trace.downstream(model.directions, model.grid, outlet.row, outlet.column, metres)
        rows.append(_row("downstream", path.length, path.leaves))
        features.append(spots.feature("downstream", path.line(model.grid), length_km=round(path.length / 1000, 3)))
    if inputs.direction != "downstream":
        whole = network(model, inputs.min_upstream_km2 * 1e6)
        position = whole.at(outlet.row, outlet.column)
        found = None if position is None else trace.upstream(whole, position, metres)
        if found is None or len(found.stem) < 2:
            raise BadInput(
                "min_upstream_km2",
                f"no stream with {inputs.min_upstream_km2:g} km² upstream flows to this place; ask for smaller ones",
            )
        above = found.stretches
        rows.append(_row("upstream", found.length, found.to_head))
        stem = whole.line(found.stem[::-1])
        features.append(spots.feature("main_stem", stem, length_km=round(found.length / 1000, 3)))
        features += [stretch(each) for each in above]
    return rows, features, above


def _row(direction: str, length: float, ends: bool) -> Row:
    return {"direction": _DIRECTIONS[direction].model_dump(), "length_km": round(length / 1000, 3),
            "reaches_end": _YES if ends else _NO}  # fmt: skip


def network(model: Model, least: float) -> streams.Network:
    """The network of all streams with at least so many m² upstream. Raises NoStream, TooMany."""
    whole = model.grid.whole
    areas = model.areas(whole)
    return streams.network(model.grid, model.directions(whole), areas, areas >= least)


def stretch(each: Stream) -> dict[str, Any]:
    """A stretch of stream for the map."""
    return spots.feature(
        "stream", each.line, each.number, order=each.order, length_km=round(each.length / 1000, 3),
        upstream_km2=round(each.area / 1e6, 4), flows_into=each.into,
    )  # fmt: skip
