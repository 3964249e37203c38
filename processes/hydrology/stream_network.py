"""Which streams does the ground make, and of what order are they?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import shapely
from pydantic import Field

from shikong.hydrology.terrain import streams
from shikong.hydrology.terrain.errors import TooMany
from shikong.hydrology.terrain.streams import Network, Stream
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.figures.table import Table
from shikong.processes.hydrology import model as models
from shikong.processes.hydrology import spots, telling
from shikong.processes.hydrology.model import Model
from shikong.processes.hydrology.river_trace import network, stretch
from shikong.store.database import default as default_database
from shikong.store.database import one_state

#: Stretches that an answer may have.
_MOST = 20_000

_TITLES = {"streams": Text(zh="河网（按级别）", en="Streams by order")}
_WORDS = {"length_km": Text(zh="长度（km）", en="Length (km)"),
          "order": Text(zh="级别（Strahler）", en="Order (Strahler)"), "flows_into": Text(zh="流入", en="Flows into"),
          "upstream_km2": Text(zh="集水面积（km²）", en="Upstream (km²)")}  # fmt: skip


class Wanted(spots.Streams):
    """Which streams, and where: all, those in a box, or those that flow to a place."""

    bbox: spots.Box | None = Field(
        None,
        json_schema_extra=titled("范围：西、南、东、北（度，可选）", "West, south, east, north (degrees, optional)"),
    )  # fmt: skip
    lon: float | None = Field(
        None, ge=-180, le=180, json_schema_extra=titled("流域出口经度（可选）", "Basin of: longitude (optional)")
    )
    lat: float | None = Field(
        None, ge=-89, le=89, json_schema_extra=titled("流域出口纬度（可选）", "Basin of: latitude (optional)")
    )
    snap_m: float = Field(
        1000, gt=0, le=20_000, json_schema_extra=titled("捕捉到最近河流的距离（米）", "Nearest stream within (m)")
    )


class StreamNetwork(Process):
    """Takes streams out of the ground."""

    id = "stream-network"
    title = Text(zh="河网提取", en="Stream network")
    description = Text(
        zh="按集水面积阈值由高程模型提取河网：各河段的 Strahler 级别、集水面积、长度与流向；"
        "可限于一个范围或一点的流域。",
        en="The streams that the elevation model makes, from a least area upstream on: order after Strahler, area "
        "upstream, length and what each flows into; of all, of a box, or of the basin of a place.",
    )
    inputs = Wanted
    renderings: ClassVar = telling.RENDERINGS
    parts: ClassVar = telling.parts(_TITLES, telling.STREAMS, _WORDS)

    def answer(self, inputs: Wanted) -> dict[str, Any]:
        """The streams. Raises BadInput, TerrainError."""
        city, database = catalog.default(), default_database()
        with (
            database.thread_session() as conn,
            one_state(conn),
            models.opened(conn, city, inputs.moment, database.settings.data) as model,
        ):
            found = _streams(model, inputs)
            if len(found) > _MOST:
                raise TooMany
            table = Table(_TITLES["streams"], telling.STREAMS, telling.by_order(found))
            features = {"type": "FeatureCollection", "features": [stretch(each) for each in found]}
            return telling.answer(
                conn, city, model, inputs.moment, (), self.title, {"streams": table}, {"features": features}
            )  # fmt: skip


def _streams(model: Model, inputs: Wanted) -> list[Stream]:
    """What is asked for of the whole network. Raises BadInput."""
    least = inputs.min_upstream_km2 * 1e6
    if (inputs.lon is None) != (inputs.lat is None):
        raise BadInput("lat" if inputs.lat is None else "lon", "give both lon and lat, or neither")
    if inputs.bbox is not None and inputs.lon is not None:
        raise BadInput("bbox", "give a box or a place, not both")
    which: Any = None
    whole = network(model, least)
    if inputs.lon is not None and inputs.lat is not None:
        outlet = spots.outlet(model, inputs.lon, inputs.lat, inputs.snap_m, least)
        position = whole.at(outlet.row, outlet.column)
        assert position is not None
        which = whole.upstream(position)
    elif inputs.bbox is not None:
        which = _inside(model, whole, inputs.bbox)
    part = whole if which is None else whole.only(which)
    return [] if part is None else streams.streams(part)


def _inside(model: Model, whole: Network, bbox: list[float]) -> Any:
    """Which cells of the network lie in a box. Raises BadInput."""
    spots.window_of(model, bbox)
    rows, columns = np.divmod(whole.cells, model.grid.width)
    middles = shapely.points(*model.grid.middle(rows, columns))
    return shapely.intersects(middles, shapely.box(*bbox))
