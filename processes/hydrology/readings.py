"""What stations have read, as processes of hydrology want it: all their SQL is here. What cannot be is left out.

Rain of a reading fell in the hour that ends at its stamp; a day's rain is that of the hydrologic day that ends there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.store import moments, observations, observed_tables, tables
from shikong.store.moments import Moment

Floats = NDArray[np.float64]

#: Readings by the hour of the last while, and daily records of decades.
HOURLY, DAILY = "hydro_observations", "hydro_records"
STATIONS = "hydro_stations"

_STATIONS = """
    SELECT s.stcd, s.stnm, s.sttp, s.dtmnm, st_x(s.geom), st_y(s.geom)
    FROM {stations} AS s
    WHERE (%(codes)s::text[] IS NULL OR s.stcd = ANY (%(codes)s))
      AND (%(parameter)s::text IS NULL OR EXISTS (
          SELECT FROM {series} AS r WHERE r.station = s.stcd AND r.parameter = %(parameter)s))
    ORDER BY s.stcd
"""

_READINGS = """
    SELECT r.station, array_agg(ceil(extract(epoch FROM o.time))::bigint), array_agg(o.value)
    FROM {series} AS r JOIN {table} AS o ON o.series = r.id
    WHERE r.parameter = %(parameter)s AND r.station = ANY (%(codes)s) AND o.time > %(start)s AND o.time <= %(end)s
        AND o.quality = 0
    GROUP BY r.station
"""

_NEWEST = """
    SELECT max(z.time) FROM {series} AS r CROSS JOIN LATERAL (
        SELECT o.time FROM {table} AS o WHERE o.series = r.id AND o.time <= %(until)s AND o.quality = 0
        ORDER BY o.time DESC LIMIT 1
    ) AS z WHERE r.parameter = ANY (%(parameters)s) AND (%(codes)s::text[] IS NULL OR r.station = ANY (%(codes)s))
"""

_OLDEST = """
    SELECT min(o.time) FROM {series} AS r JOIN {table} AS o ON o.series = r.id
    WHERE r.parameter = %(parameter)s AND r.station = %(code)s AND o.quality = 0
"""

_LAST = """
    SELECT z.time, z.value FROM {series} AS r CROSS JOIN LATERAL (
        SELECT o.time, o.value FROM {table} AS o WHERE o.series = r.id AND o.time <= %(until)s AND o.quality = 0
        ORDER BY o.time DESC LIMIT 1
    ) AS z WHERE r.parameter = %(parameter)s AND r.station = %(code)s
"""


@dataclass(frozen=True)
class Station:
    """A station. datum: of its levels, None where it has none. lon, lat: EPSG:4490."""

    code: str
    name: str
    kind: str | None
    datum: str | None
    lon: float
    lat: float


@dataclass(frozen=True)
class Source:
    """A layer of observations as it was known at a moment, on a connection."""

    conn: Connection[Any]
    city: Catalog
    moment: Moment
    layer_id: str = HOURLY

    def stations(self, parameter: str | None = None, codes: Sequence[str] | None = None) -> list[Station]:
        """The stations that read something, in the order of their codes."""
        params = {"parameter": parameter, "codes": None if codes is None else list(codes)}
        return [Station(*row) for row in self._rows(_STATIONS, params)]

    def newest(
        self, *parameters: str, codes: Sequence[str] | None = None, until: datetime | None = None
    ) -> datetime | None:
        """The time of the last reading, in UTC; None without any."""
        params = {
            "parameters": list(parameters),
            "codes": None if codes is None else list(codes),
            "until": _last(until),
        }
        ((found,),) = self._rows(_NEWEST, params)
        return None if found is None else found.astimezone(UTC)

    def oldest(self, parameter: str, code: str) -> datetime | None:
        """The time of a station's first reading, in UTC; None without any."""
        ((found,),) = self._rows(_OLDEST, {"parameter": parameter, "code": code})
        return None if found is None else found.astimezone(UTC)

    def last(self, code: str, parameter: str, until: datetime | None = None) -> tuple[datetime, float] | None:
        """A station's last reading, and its time in UTC."""
        rows = self._rows(_LAST, {"code": code, "parameter": parameter, "until": _last(until)})
        return (rows[0][0].astimezone(UTC), float(rows[0][1])) if rows else None

    def steps(self, parameter: str, codes: Sequence[str], ends: NDArray[np.int64], *, summed: bool) -> Floats:
        """Readings (t, n) of stations in equal steps, nan where there are none.

        ends: of the steps, in seconds since 1970. summed: what is read within a step adds up, as rain does; otherwise a
        step has the last reading in it, as of a level.
        """
        step = int(ends[1] - ends[0]) if len(ends) > 1 else 3600
        params = {
            "parameter": parameter,
            "codes": list(codes),
            "start": datetime.fromtimestamp(int(ends[0]) - step, UTC),
            "end": datetime.fromtimestamp(int(ends[-1]), UTC),
        }
        found = np.full((len(ends), len(codes)), np.nan)
        column = {code: number for number, code in enumerate(codes)}
        for code, times, values in self._rows(_READINGS, params):
            stamps, read = np.array(times, dtype=np.int64), np.array(values, dtype=float)
            order = np.argsort(stamps, kind="stable")
            rows = -((ends[0] - stamps[order]) // step)  # a reading within a step belongs to its end
            if summed:
                total = np.zeros(len(ends))
                np.add.at(total, rows, read[order])
                found[rows, column[code]] = total[rows]
            else:
                found[rows, column[code]] = read[order]
        return found

    def _rows(self, query: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        layer = self.city.layer(self.layer_id)
        table: sql.Composable = tables.table(layer)
        if self.moment.known_at is not None:
            table = observations.known_at(layer, sql.SQL("%(known_at)s"))
        text = sql.SQL(query).format(
            table=table,
            series=observed_tables.series(layer),
            stations=sql.SQL("{}").format(moments.rows(self.city.layer(STATIONS), self.moment)),
        )
        return self.conn.execute(text, params | self.moment.values, binary=True).fetchall()


def _last(until: datetime | None) -> datetime:
    return until or datetime.max.replace(tzinfo=UTC)
