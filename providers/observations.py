"""pygeoapi's EDR provider over the observations of stations: what its pages and `pygeoapi serve` ask.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psycopg import sql
from pygeoapi.provider.base import (
    ProviderInvalidQueryError,
    ProviderItemNotFoundError,
    ProviderNoDataError,
)
from pygeoapi.provider.base_edr import BaseEDRProvider

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers import covjson, observed
from shikong.providers.coverage import chosen_parameters, parameter_fields
from shikong.providers.knowledge import known_at
from shikong.providers.observed import Question, Station, Where
from shikong.providers.options import layer_of
from shikong.providers.plugin_errors import as_provider_errors
from shikong.providers.times import parse_period
from shikong.store.database import default as default_database
from shikong.store.moments import Period


class ObservationsProvider(BaseEDRProvider):  # type: ignore[misc]
    """An observations layer of the store. `data` in the definition is the layer's id."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self.layer: Layer = layer_of(provider_def, "observations")
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """The layer's parameters."""
        self._fields = parameter_fields(self.layer)
        return self._fields

    def position(self, wkt: Any, datetime_: str | None = None, select_properties: Any = (), **_: Any) -> dict[str, Any]:
        """The series of the station nearest to a point (longitude, latitude), within 20 km."""
        if wkt.geom_type != "Point":
            raise ProviderInvalidQueryError(user_msg="coords must be a POINT(lon lat)")
        question = self._question(select_properties)
        found = self._stations(question, Where(wkt.wkt, near=True))
        if not found:
            far = f"no station within {observed.NEAREST_WITHIN // 1000} km of the point"
            raise ProviderInvalidQueryError(user_msg=far)
        return self._series(question, found[0], datetime_)

    def locations(
        self, location_id: str | None = None, datetime_: str | None = None, select_properties: Any = (), **_: Any
    ) -> dict[str, Any]:
        """All stations as GeoJSON, or one station's series."""
        question = self._question(select_properties)
        found = self._stations(question, Where(station=location_id))
        if location_id is None:
            return {"type": "FeatureCollection", "features": [station.feature() for station in found]}
        if not found:
            raise ProviderItemNotFoundError(user_msg=f"there is no station {location_id!r} with observations")
        return self._series(question, replace(found[0], distance=0.0), datetime_)

    def _question(self, chosen: Any) -> Question:
        return Question(self.layer, tuple(chosen_parameters(self.layer, chosen)), known_at=known_at())

    def _stations(self, question: Question, where: Where) -> list[Station]:
        return [Station(*row) for row in self._fetch(*observed.stations(question, where))]

    def _series(self, question: Question, station: Station, datetime_: str | None) -> dict[str, Any]:
        params = question.values() | {"stations": [station.key]}
        period = self._period(question, params, datetime_)
        rows = self._fetch(observed.bounded(question), params | {"start": period.start, "end": period.end})
        if not rows:
            raise ProviderNoDataError(user_msg=f"station {station.key} has no values then")
        with as_provider_errors():
            observed.require_bounded(question, rows)
        return covjson.series(question, station, rows)

    def _period(self, question: Question, params: dict[str, Any], datetime_: str | None) -> Period:
        if datetime_:
            with as_provider_errors():
                return observed.closed(parse_period(datetime_, catalog.default().city.timezone))
        return observed.last_days(self._fetch(observed.newest(question), params)[0][0])

    def _fetch(self, query: sql.Composed, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        with as_provider_errors():
            return default_database().thread_fetch(query, params)
