"""Questions about observations, and their SQL: which stations, which values, by which step of time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from psycopg import sql

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers.errors import BadParameter, TooMuch
from shikong.store import as_of, observations, observed_tables, rollups, tables
from shikong.store.moments import Period
from shikong.store.rollups import Step

#: A point is answered for by the nearest station within this distance in metres.
NEAREST_WITHIN = 20_000

#: Without a time an answer has the last days that its stations have.
DEFAULT_SPAN = timedelta(days=7)

#: Values that an answer may have which is held in memory.
MAX_VALUES = 500_000

_FAR = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

Statistic = Literal["mean", "sum", "min", "max", "count"]
STATISTICS: tuple[Statistic, ...] = ("mean", "sum", "min", "max", "count")
STEPS: tuple[Step, ...] = ("hour", "day", "month")

_LENGTHS = {"hour": 60, "day": 24 * 60, "month": 28 * 24 * 60}
_MINUTES = {"M": 1, "H": 60, "D": 24 * 60}


@dataclass(frozen=True)
class Where:
    """Which stations. shape: WKT in longitude and latitude. distance: m, from the shape.

    near: for each point of the shape the nearest station; else those that lie in it, or so near. station: this one.
    """

    shape: str | None = None
    distance: float = 0.0
    near: bool = False
    station: str | None = None


@dataclass(frozen=True)
class Question:
    """Which values of stations.

    step: summed up by a step of time; None as they were observed. statistic: what of a step, None for that of each
    parameter's kind (a sum for rain, else the mean). flagged: values that are not good, too, with their qualities.
    known_at, known_in: as they were known at a time, or in a release; None now.
    """

    layer: Layer
    parameters: tuple[str, ...]
    step: Step | None = None
    statistic: Statistic | None = None
    flagged: bool = False
    known_at: datetime | None = None
    known_in: int | None = None

    @property
    def stations(self) -> Layer:
        """The layer of the stations."""
        return catalog.default().layer(self.layer.stations or "")

    @property
    def past(self) -> bool:
        """Whether it asks for what was known once."""
        return self.known_at is not None or self.known_in is not None

    def columns(self) -> tuple[str, ...]:
        """What a row has besides station and time."""
        marks = [f"{name}_quality" for name in self.parameters] if self.flagged and self.step is None else []
        return (*self.parameters, *marks)

    def values(self) -> dict[str, Any]:
        """The values of the placeholders that stand for the question itself."""
        return {
            "known_at": self.known_at, "parameters": list(self.parameters), "preceding": rollups.preceding(self.layer)
        }  # fmt: skip

    def require_sound(self) -> None:
        """Raise BadParameter where a step or a statistic does not fit a parameter."""
        for name in self.parameters:
            declared = self.layer.parameters[name]
            if self.step is not None and declared.interval is not None:
                length = int(declared.interval.strip("PT")[:-1]) * _MINUTES[declared.interval[-1]]
                if length > _LENGTHS[self.step]:
                    told = f"{name} is told by {declared.interval}, which is more than a {self.step}"
                    raise BadParameter("step", told, [one for one in STEPS if _LENGTHS[one] >= length])
            if self.statistic == "sum" and declared.cell_method != "sum":
                raise BadParameter("statistic", f"values of {name} cannot be added up", ["mean", "min", "max", "count"])


@dataclass(frozen=True)
class Station:
    """A station that is meant (`stations`). distance: m from the shape that was asked about, None where there was
    none."""

    key: str
    name: str
    lon: float
    lat: float
    parameters: list[str]
    distance: float | None

    def feature(self) -> dict[str, Any]:
        """The station as GeoJSON."""
        return {
            "type": "Feature", "id": self.key,
            "geometry": {"type": "Point", "coordinates": [self.lon, self.lat]},
            "properties": {"name": self.name, "parameter-name": self.parameters},
        }  # fmt: skip


def closed(period: Period) -> Period:
    """A period with ends where it is open."""
    return Period(period.start or _FAR[0], period.end or _FAR[1])


def last_days(newest: datetime | None) -> Period:
    """The period that is meant where none is given, from the time of the newest value; empty where there is none."""
    return Period(None if newest is None else newest - DEFAULT_SPAN, newest)


def stations(question: Question, where: Where) -> tuple[sql.Composed, dict[str, Any]]:
    """The query for the stations that are meant and that have one of the parameters: the columns of `Station`."""
    layer = question.stations
    name = "stnm" if "stnm" in layer.fields else layer.key_field
    parts = {
        "key": sql.Identifier(layer.key_field), "name": sql.Identifier(name), "stations": _known_stations(question),
        "series": _series(question),
    }  # fmt: skip
    params = question.values() | {"shape": where.shape, "distance": where.distance, "station": where.station,
                                  "within": NEAREST_WITHIN}  # fmt: skip
    if where.near:
        return sql.SQL(_NEAREST).format(**parts), params
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if where.station is not None:
        conditions.append(sql.SQL("s.{} = %(station)s").format(parts["key"]))
    if where.shape is not None:
        inside = "st_intersects(s.geom, p.geom)" if not where.distance else _WITHIN
        conditions.append(sql.SQL(inside))
    return sql.SQL(_STATIONS).format(**parts, condition=sql.SQL(" AND ").join(conditions)), params


def newest(question: Question) -> sql.Composed:
    """The query for the time of the newest value of some stations (`stations`)."""
    if not question.past:
        return sql.SQL(_NEWEST).format(**observed_tables.names(question.layer))
    return sql.SQL(_NEWEST_KNOWN).format(known=_known(question), series=observed_tables.series(question.layer))


def values(question: Question) -> sql.Composed:
    """The query for the values of some stations (`stations`) from `start` to `end`: station, time, then the columns of
    the question. Rows come by station and time. What is summed up is stamped with the end of its step."""
    layer = question.layer
    parts: dict[str, sql.Composable] = {"series": observed_tables.series(layer)}
    if question.step is None:
        source = _known(question) if question.past else tables.table(layer)
        good = sql.SQL("" if question.flagged else "AND o.quality = 0")
        parts |= {"source": source, "time": sql.SQL("o.time"), "good": good, "bounds": sql.SQL(_BOUNDS)}
        cells = [sql.SQL("o.value")] + ([sql.SQL("o.quality")] if question.flagged else [])
    else:
        known = _known(question) if question.past else None
        stamp = sql.SQL(_STAMPS[question.step])
        bounds = sql.SQL(_STEP_BOUNDS).format(step=sql.Literal(f"1 {question.step}"))
        parts |= {"source": rollups.summed(layer, question.step, known), "time": stamp, "bounds": bounds}
        parts["good"] = sql.SQL("AND o.number > 0" if question.statistic != "count" else "")
        cells = []
    columns = [
        sql.SQL("{} AS {}").format(cell, sql.Identifier(name))
        for name, cell in zip(question.columns(), _cells(question, cells), strict=True)
    ]
    one = len(question.parameters) == 1
    return sql.SQL(_ONE if one else _SEVERAL).format(**parts, columns=sql.SQL(", ").join(columns))


def bounded(question: Question) -> sql.Composed:
    """The same query for an answer that is held in memory; `require_bounded` says whether there is more."""
    return sql.SQL("{} LIMIT {}").format(values(question), sql.Literal(MAX_VALUES // len(question.columns()) + 1))


def require_bounded(question: Question, rows: list[tuple[Any, ...]]) -> None:
    """Raise TooMuch where `bounded` has found more values than an answer may have."""
    if len(rows) * len(question.columns()) > MAX_VALUES:
        raise TooMuch(f"the answer has more than {MAX_VALUES:,} values; ask for less time, fewer stations or for f=csv")


def _cells(question: Question, cells: list[sql.SQL]) -> list[sql.Composable]:
    """What each column is. Of several parameters each takes its own rows out of a group."""
    found: list[sql.Composable] = []
    kinds: list[sql.SQL | None] = list(cells) if question.step is None else [None]
    for kind in kinds:
        for name in question.parameters:
            cell: sql.Composable = kind if kind is not None else sql.SQL(_statistic(question, name))
            if len(question.parameters) > 1:
                cell = sql.SQL("max({}) FILTER (WHERE r.parameter = {})").format(cell, sql.Literal(name))
            found.append(cell)
    return found


def _statistic(question: Question, name: str) -> Any:
    usual = "sum" if question.layer.parameters[name].cell_method == "sum" else "mean"
    return _FIGURES[question.statistic or usual]


def _known(question: Question) -> sql.Composable:
    if question.known_in is not None:
        return observations.known(question.layer, sql.Literal(question.known_in))
    return observations.known_at(question.layer, sql.SQL("%(known_at)s"))


def _series(question: Question) -> sql.Composable:
    """The series that have values; those of another time than now, which are fewer."""
    series = observed_tables.series(question.layer)
    if not question.past:
        return series
    return sql.SQL("(SELECT * FROM {} AS s WHERE EXISTS (SELECT FROM {} AS o WHERE o.series = s.id))").format(
        series, _known(question)
    )


def _known_stations(question: Question) -> sql.Composable:
    layer = question.stations
    if question.known_at is None:
        return tables.table(layer)
    holding = sql.SQL("WHERE valid_to IS NULL OR valid_to > %(known_at)s" if layer.versioned else "")
    known = as_of.known(layer, as_of.release_at(layer, sql.SQL("%(known_at)s")))
    return sql.SQL("(SELECT * FROM {} AS known {})").format(known, holding)


_FIGURES = {
    "mean": "o.total / o.number", "sum": "o.total", "min": "o.least", "max": "o.greatest", "count": "o.number"
}  # fmt: skip

_STAMPS = {
    "hour": "o.start + interval '1 hour'", "day": "o.start + interval '1 day'",
    "month": "(o.start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'",
}  # fmt: skip

_PARAMETERS = """(
    SELECT array_agg(r.parameter ORDER BY r.parameter) AS parameters FROM {series} AS r
    WHERE r.station = s.{key} AND r.parameter = ANY (%(parameters)s)
)"""

_STATIONS = f"""
    SELECT s.{{key}}, s.{{name}}, st_x(s.geom), st_y(s.geom), r.parameters,
        CASE WHEN %(shape)s::text IS NOT NULL THEN st_distance(s.geom::geography, p.geom::geography) END
    FROM {{stations}} AS s CROSS JOIN LATERAL {_PARAMETERS} AS r,
        (SELECT st_geomfromtext(%(shape)s::text, 4490) AS geom) AS p
    WHERE r.parameters IS NOT NULL AND {{condition}}
    ORDER BY s.{{key}}
"""

_WITHIN = "st_dwithin(s.geom::geography, p.geom::geography, %(distance)s)"

# The index knows the nearest in degrees; the nearest in metres is among the first of these.
_NEAREST = f"""
    SELECT DISTINCT ON (near.key) near.*
    FROM st_dumppoints(st_geomfromtext(%(shape)s::text, 4490)) AS p CROSS JOIN LATERAL (
        SELECT about.* FROM (
            SELECT s.{{key}} AS key, s.{{name}} AS name, st_x(s.geom) AS x, st_y(s.geom) AS y, r.parameters,
                st_distance(s.geom::geography, p.geom::geography) AS distance
            FROM {{stations}} AS s CROSS JOIN LATERAL {_PARAMETERS} AS r
            WHERE r.parameters IS NOT NULL
            ORDER BY s.geom <-> p.geom LIMIT 20
        ) AS about ORDER BY distance LIMIT 1
    ) AS near
    WHERE near.distance <= %(within)s
    ORDER BY near.key, near.distance
"""

_NEWEST = """
    SELECT max(l.time) FROM {latest} AS l JOIN {series} AS r ON r.id = l.series
    WHERE r.station = ANY (%(stations)s) AND r.parameter = ANY (%(parameters)s)
"""

_NEWEST_KNOWN = """
    SELECT max(o.time) FROM {known} AS o JOIN {series} AS r ON r.id = o.series
    WHERE r.station = ANY (%(stations)s) AND r.parameter = ANY (%(parameters)s)
"""

_BOUNDS = "o.time >= %(start)s AND o.time <= %(end)s"

_STEP_BOUNDS = "o.start >= %(start)s - {step}::interval AND o.start <= %(end)s - {step}::interval"

_ONE = """
    SELECT r.station, {time} AS time, {columns}
    FROM {series} AS r JOIN {source} AS o ON o.series = r.id
    WHERE r.station = ANY (%(stations)s) AND r.parameter = ANY (%(parameters)s) AND {bounds} {good}
    ORDER BY 1, 2
"""

_SEVERAL = """
    SELECT r.station, {time} AS time, {columns}
    FROM {series} AS r JOIN {source} AS o ON o.series = r.id
    WHERE r.station = ANY (%(stations)s) AND r.parameter = ANY (%(parameters)s) AND {bounds} {good}
    GROUP BY 1, 2 ORDER BY 1, 2
"""
