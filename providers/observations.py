"""pygeoapi's EDR provider over the observations of stations.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from psycopg import sql
from pygeoapi.provider.base import (
    ProviderInvalidQueryError,
    ProviderItemNotFoundError,
    ProviderNoDataError,
)
from pygeoapi.provider.base_edr import BaseEDRProvider

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers import covjson
from shikong.providers.coverage import chosen_parameters, parameter_fields
from shikong.providers.knowledge import known_at
from shikong.providers.options import layer_of
from shikong.providers.plugin_errors import as_provider_errors
from shikong.providers.times import parse_period
from shikong.store import as_of, observations, observed_tables, tables
from shikong.store.database import default as default_database
from shikong.store.moments import Period

#: A position query answers with the nearest station within this distance in metres.
NEAREST_WITHIN = 20_000

#: Without `datetime` an answer has the last days that the station has.
DEFAULT_SPAN = timedelta(days=7)

#: Values that one answer may have.
MAX_VALUES = 200_000

_NEAREST = """
    SELECT s.{key}, s.{name}, st_x(s.geom), st_y(s.geom), st_distance(s.geom::geography, p.geom::geography)
    FROM {stations} AS s, (SELECT st_setsrid(st_makepoint(%(x)s, %(y)s), {srid}) AS geom) AS p
    WHERE EXISTS (SELECT FROM {series} AS r WHERE r.station = s.{key} AND r.parameter = ANY (%(parameters)s))
    ORDER BY s.geom <-> p.geom LIMIT 1
"""

_VALUES = """
    SELECT r.parameter, o.time, o.value
    FROM {series} AS r JOIN {table} AS o ON o.series = r.id
    WHERE r.station = %(station)s AND r.parameter = ANY (%(parameters)s)
      AND o.time >= %(start)s AND o.time <= %(end)s AND o.quality = 0
    ORDER BY o.time LIMIT {limit}
"""

_LAST = """
    SELECT max(last.time)
    FROM {series} AS r CROSS JOIN LATERAL (
        SELECT o.time FROM {table} AS o WHERE o.series = r.id ORDER BY o.time DESC LIMIT 1
    ) AS last
    WHERE r.station = %(station)s
"""

_LOCATIONS = """
    SELECT s.{key}, s.{name}, st_asgeojson(s.geom, 8, 0),
           (SELECT array_agg(r.parameter ORDER BY r.parameter) FROM {series} AS r WHERE r.station = s.{key})
    FROM {stations} AS s
    WHERE EXISTS (SELECT FROM {series} AS r WHERE r.station = s.{key})
    ORDER BY s.{key}
"""


class ObservationsProvider(BaseEDRProvider):  # type: ignore[misc]
    """An observations layer of the store. `data` in the definition is the layer's id."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self.layer: Layer = layer_of(provider_def, "observations")
        self.stations: Layer = catalog.default().layer(self.layer.stations or "")
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """The layer's parameters."""
        self._fields = parameter_fields(self.layer)
        return self._fields

    def position(self, wkt: Any, datetime_: str | None = None, select_properties: Any = (), **_: Any) -> dict[str, Any]:
        """The series of the station nearest to a point (longitude, latitude), within 20 km."""
        if wkt.geom_type != "Point":
            raise ProviderInvalidQueryError(user_msg="coords must be a POINT(lon lat)")
        declared = chosen_parameters(self.layer, select_properties)
        found = self._fetch(_NEAREST, {"x": wkt.x, "y": wkt.y, "parameters": list(declared)})
        if not found or found[0][4] > NEAREST_WITHIN:
            raise ProviderInvalidQueryError(user_msg=f"no station within {NEAREST_WITHIN // 1000} km of the point")
        station, name, x, y, distance = found[0]
        return self._series(station, name, (x, y), datetime_, select_properties, distance)

    def locations(
        self, location_id: str | None = None, datetime_: str | None = None, select_properties: Any = (), **_: Any
    ) -> dict[str, Any]:
        """All stations as GeoJSON, or one station's series."""
        rows = self._fetch(_LOCATIONS, {})
        if location_id is None:
            features = [
                {"type": "Feature", "id": key, "geometry": orjson.loads(shape),
                 "properties": {"name": name, "parameter-name": parameters}}
                for key, name, shape, parameters in rows
            ]  # fmt: skip
            return {"type": "FeatureCollection", "features": features}
        for key, name, shape, _ in rows:
            if key == location_id:
                x, y = orjson.loads(shape)["coordinates"]
                return self._series(key, name, (x, y), datetime_, select_properties, 0.0)
        raise ProviderItemNotFoundError(user_msg=f"there is no station {location_id!r} with observations")

    def _series(
        self, station: str, name: str, place: tuple[float, float], datetime_: str | None, chosen: Any, distance: float
    ) -> dict[str, Any]:
        declared = chosen_parameters(self.layer, chosen)
        period = self._period(station, datetime_)
        rows = self._fetch(
            _VALUES,
            {"station": station, "parameters": list(declared), "start": period.start, "end": period.end},
        )
        if not rows:
            raise ProviderNoDataError(user_msg=f"station {station} has no values then")
        times = sorted({time for _, time, _ in rows})
        position = {time: number for number, time in enumerate(times)}
        grids = {parameter: np.full(len(times), np.nan) for parameter in declared}
        for parameter, time, value in rows:
            grids[parameter][position[time]] = value
        present = {parameter: grid for parameter, grid in grids.items() if not np.isnan(grid).all()}
        axes = {
            "x": {"values": [place[0]]}, "y": {"values": [place[1]]},
            "t": {"values": [covjson.instant(time) for time in times]},
        }  # fmt: skip
        document = covjson.coverage(
            covjson.domain("PointSeries", axes),
            {parameter: declared[parameter] for parameter in present},
            {parameter: covjson.values(grid, ("t",)) for parameter, grid in present.items()},
        )
        return document | {"shikong:station": {"id": station, "name": name, "distance": round(distance, 1)}}

    def _period(self, station: str, datetime_: str | None) -> Period:
        if datetime_:
            with as_provider_errors():
                period = parse_period(datetime_, catalog.default().city.timezone)
            far = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
            return Period(period.start or far[0], period.end or far[1])
        last = self._fetch(_LAST, {"station": station})[0][0]
        if last is None:
            raise ProviderNoDataError(user_msg=f"station {station} has no values")
        return Period(last - DEFAULT_SPAN, last)

    def _fetch(self, query: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        name_field = "stnm" if "stnm" in self.stations.fields else self.stations.key_field
        statement = sql.SQL(query).format(
            **self._tables(), key=sql.Identifier(self.stations.key_field), name=sql.Identifier(name_field),
            srid=sql.Literal(tables.SRID), limit=sql.Literal(MAX_VALUES),
        )  # fmt: skip
        with as_provider_errors():
            return default_database().thread_fetch(statement, params | {"known_at": known_at()})

    def _tables(self) -> dict[str, sql.Composable]:
        """Observations, series and stations: as they are now, or as they were known at the time that is asked for."""
        table, series, stations = (
            tables.table(self.layer),
            observed_tables.series(self.layer),
            tables.table(self.stations),
        )
        if known_at() is None:
            return {"table": table, "series": series, "stations": stations}
        moment = sql.SQL("%(known_at)s")
        known = observations.known_at(self.layer, moment)
        observed = sql.SQL("(SELECT * FROM {} AS s WHERE EXISTS (SELECT FROM {} AS o WHERE o.series = s.id))")
        holding = sql.SQL("WHERE valid_to IS NULL OR valid_to > %(known_at)s" if self.stations.versioned else "")
        places = as_of.known(self.stations, as_of.release_at(self.stations, moment))
        return {
            "table": known,
            "series": observed.format(series, known),
            "stations": sql.SQL("(SELECT * FROM {} AS known {})").format(places, holding),
        }
