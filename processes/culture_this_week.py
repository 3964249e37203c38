"""What is on near me this week?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from psycopg import sql
from pydantic import Field

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import Process, titled
from shikong.processes.moments import Then
from shikong.store import moments, tables
from shikong.store.database import default as default_database
from shikong.store.moments import Moment

MAX_EVENTS = 200

_EVENTS = """
    SELECT e.event_id, e.title, e.type, e.venue_name, e.starts, e.ends, e.free, e.origin,
           round(st_distance(e.geom::geography, p.geom::geography)::numeric), st_asgeojson(e.geom, 7, 0)
    FROM {events} AS e, (SELECT st_setsrid(st_makepoint(%(lon)s, %(lat)s), {srid}) AS geom) AS p
    WHERE e.starts < %(until)s AND e.ends >= %(since)s
      AND st_dwithin(e.geom::geography, p.geom::geography, %(radius)s)
    ORDER BY e.starts, st_distance(e.geom::geography, p.geom::geography)
    LIMIT {limit}
"""


class Week(Then):
    """Where, how far, how long."""

    lon: float = Field(115.985, ge=-180, le=180, json_schema_extra=titled("经度", "Longitude", **{"x-point": True}))
    lat: float = Field(36.456, ge=-89, le=89, json_schema_extra=titled("纬度", "Latitude", **{"x-point": True}))
    radius_km: float = Field(10, gt=0, le=100, json_schema_extra=titled("半径（公里）", "Radius (km)"))
    days: int = Field(7, ge=1, le=60, json_schema_extra=titled("天数", "Days"))


class CultureThisWeek(Process):
    """Lists the events near a place in the coming days."""

    id = "culture-this-week"
    title = Text(zh="本周身边的文化活动", en="What is on near me this week")
    description = Text(
        zh="给出一点周围今后数日内的展览、演出、讲座与民俗活动，按时间与距离排列。",
        en="Exhibitions, performances, lectures and folk customs around a place in the coming days.",
    )
    inputs = Week

    def answer(self, inputs: Week) -> dict[str, Any]:
        """The events as rows and as GeoJSON."""
        layer = catalog.default().layer("culture_events")
        since = inputs.held_at or datetime.now(UTC)
        known = Moment(known_at=inputs.as_of)
        query = sql.SQL(_EVENTS).format(
            events=moments.source(layer, known), srid=sql.Literal(tables.SRID), limit=sql.Literal(MAX_EVENTS)
        )
        params = known.values | {
            "lon": inputs.lon, "lat": inputs.lat, "radius": inputs.radius_km * 1000, "since": since,
            "until": since + timedelta(days=inputs.days),
        }  # fmt: skip
        kinds = catalog.default().codes["event_type"].codes
        rows, features = [], []
        for key, title, kind, venue, starts, ends, free, origin, distance, shape in default_database().thread_fetch(
            query, params
        ):
            row = {
                "title": title, "type": kinds[kind].title.zh if kind in kinds else kind, "venue": venue,
                "starts": starts.isoformat(), "ends": ends.isoformat(), "free": free, "distance_m": float(distance),
                "origin": origin,
            }  # fmt: skip
            rows.append(row)
            features.append({"type": "Feature", "id": key, "geometry": orjson.loads(shape), "properties": row})
        return {"found": len(rows), "events": rows, "features": {"type": "FeatureCollection", "features": features}}
