"""The rows that entities are made of, as SQL that can stand in FROM, and the values that are bound to it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from shikong.layers import catalog
from shikong.layers.model import FieldDecl, Layer
from shikong.providers.sensorthings.entities import TYPES, Rows
from shikong.store import moments, observations, observed_tables, tables
from shikong.store.moments import Moment


@dataclass
class Bound:
    """The values of a query's placeholders."""

    values: dict[str, Any] = field(default_factory=dict)

    def value(self, value: Any, kind: LiteralString) -> sql.Composable:
        """A placeholder for a value of this type."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return sql.SQL("{}::{}").format(sql.Placeholder(name), sql.SQL(kind))

    def key(self, column: str, value: Any) -> sql.Composable:
        """A placeholder for a value of a key's column."""
        return self.value(value, TYPES[column])

    def shape(self, wkt: str) -> sql.Composable:
        """A shape, given as WKT in longitude and latitude."""
        return sql.SQL("st_geomfromtext({}, 4490)").format(self.value(wkt, "text"))


@dataclass(frozen=True)
class Sources:
    """What may be read: layers of observations, all that are declared of their parameters; when it was known."""

    layers: tuple[Layer, ...]
    declared: Mapping[tuple[str, str], Mapping[str, str]]
    known_at: datetime | None = None

    def only(self, layers: set[str] | frozenset[str]) -> Sources:
        """The same of some layers only."""
        return Sources(tuple(each for each in self.layers if each.id in layers), self.declared, self.known_at)

    def bound(self) -> Bound:
        """The values that all rows need."""
        ids = {layer.id for layer in self.layers}
        told = {f"{layer}/{name}": {"layer": layer, "parameter": name, **texts}
                for (layer, name), texts in self.declared.items() if layer in ids}  # fmt: skip
        return Bound({"declared": Jsonb(told), "known_at": self.known_at})

    def stations(self) -> list[Layer]:
        """The layers that the stations are in."""
        default = catalog.default()
        return [default.layer(name) for name in dict.fromkeys(layer.stations or "" for layer in self.layers)]

    def station_fields(self) -> dict[str, FieldDecl]:
        """What stations have."""
        return {name: decl for layer in self.stations() for name, decl in layer.fields.items()}

    def rows(self, kind: Rows) -> sql.Composable:
        """Rows of stations, parameters or series; of values those of their series."""
        if kind == "P":
            return sql.SQL(_PARAMETERS)
        series = self._union(_SERIES)
        if kind == "T":
            return sql.SQL(_STATIONS_WITH).format(stations=self._stations(), series=series)
        return sql.SQL(_ALL).format(series=series, stations=self._stations())

    def values(self, where: Sequence[sql.Composable], *, latest: bool = False) -> sql.Composable:
        """The values of a series `d` that a condition on `o` lets through. latest: the last of each at most."""
        told = sql.SQL("").join(sql.SQL(" AND {}").format(each) for each in where)
        parts: list[sql.Composable] = [
            sql.SQL(_VALUES).format(
                layer=sql.Literal(layer.id), where=told,
                values=observed_tables.latest(layer) if latest and self.known_at is None else self._known(layer),
            )
            for layer in self.layers
        ]  # fmt: skip
        return sql.SQL("({})").format(sql.SQL(" UNION ALL ").join(parts or [sql.SQL(_NO_VALUES)]))

    def counted(self) -> sql.Composable | None:
        """How many values each day of a series `d` has, which is told without reading them; None where it is not."""
        if self.known_at is not None or not self.layers:
            return None
        parts = [sql.SQL(_COUNTED).format(layer=sql.Literal(layer.id), days=observed_tables.days(layer))
                 for layer in self.layers]  # fmt: skip
        return sql.SQL("({})").format(sql.SQL(" UNION ALL ").join(parts))

    def first_time(self) -> sql.Composable:
        """When the first value is of a row `d` of series."""
        cases = [
            sql.SQL(_FIRST).format(layer=sql.Literal(layer.id), values=self._known(layer)) for layer in self.layers
        ]
        return sql.SQL("CASE d.layer {} END").format(sql.SQL(" ").join(cases)) if cases else sql.SQL("NULL")

    def _known(self, layer: Layer) -> sql.Composable:
        if self.known_at is None:
            return tables.table(layer)
        return observations.known_at(layer, sql.SQL("%(known_at)s::timestamptz"))

    def _union(self, text: LiteralString) -> sql.Composable:
        parts: list[sql.Composable] = []
        for layer in self.layers:
            past = self.known_at is not None
            last = sql.SQL(_LAST_KNOWN).format(known=self._known(layer)) if past else sql.SQL("l.time")
            joined = sql.SQL("" if past else _WITH_LATEST).format(latest=observed_tables.latest(layer))
            parts.append(sql.SQL(text).format(
                layer=sql.Literal(layer.id), title=sql.Literal(layer.title.zh), series=observed_tables.series(layer),
                last=last, joined=joined, declared=sql.Literal([*layer.parameters]),
            ))  # fmt: skip
        return sql.SQL("({})").format(sql.SQL(" UNION ALL ").join(parts or [sql.SQL(_NO_SERIES)]))

    def _stations(self) -> sql.Composable:
        parts: list[sql.Composable] = []
        for layer in self.stations():
            name = "stnm" if "stnm" in layer.fields else layer.key_field
            names = [*layer.fields]
            fields = sql.SQL(" || ").join(_members(names[at : at + 40]) for at in range(0, len(names), 40))
            parts.append(sql.SQL(_STATIONS).format(
                layer=sql.Literal(layer.id), title=sql.Literal(layer.title.zh), key=sql.Identifier(layer.key_field),
                name=sql.Identifier(name), fields=fields, rows=moments.rows(layer, Moment(known_at=self.known_at)),
            ))  # fmt: skip
        return sql.SQL("({})").format(sql.SQL(" UNION ALL ").join(parts or [sql.SQL(_NO_STATIONS)]))


def _members(names: Sequence[str]) -> sql.Composable:
    """An object of some columns: a function takes a hundred values at most."""
    pairs = [sql.SQL("{}, s.{}").format(sql.Literal(name), sql.Identifier(name)) for name in names]
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))


# What is declared is looked up row by row, and only where a question names it: a join would be made for every row.
_TEXTS: tuple[LiteralString, ...] = (
    "property_name", "property_description", "property_definition", "sensor_name", "sensor_description",
    "sensor_metadata", "unit", "unit_definition",
)  # fmt: skip
_TOLD: LiteralString = ", ".join(["(p.told ->> '" + name + "') AS " + name for name in _TEXTS])

_PARAMETERS: LiteralString = (
    "(SELECT p.told ->> 'layer' AS layer, p.told ->> 'parameter' AS parameter, "
    + _TOLD
    + " FROM jsonb_each(%(declared)s) AS p (name, told))"
)

_SERIES = """
    SELECT {layer}::text AS layer, {title}::text AS layer_title, s.id AS series, s.station, s.parameter,
        {last} AS last_time
    FROM {series} AS s {joined}
    WHERE s.parameter = ANY ({declared})
"""
_WITH_LATEST = " LEFT JOIN {latest} AS l ON l.series = s.id"
_LAST_KNOWN = "(SELECT max(o.time) FROM {known} AS o WHERE o.series = s.id)"
_NO_SERIES = """SELECT NULL::text AS layer, NULL::text AS layer_title, NULL::integer AS series, NULL::text AS station,
    NULL::text AS parameter, NULL::timestamptz AS last_time WHERE false"""

_STATIONS = """
    SELECT s.{key}::text AS station, s.{name}::text AS thing_name,
        {title}::text || ' ' || s.{name} AS thing_description, s.geom AS place, {fields} AS fields
    FROM {rows} AS s
"""
_NO_STATIONS = """SELECT NULL::text AS station, NULL::text AS thing_name, NULL::text AS thing_description,
    NULL::geometry AS place, NULL::jsonb AS fields WHERE false"""

_STATIONS_WITH = """(
    SELECT t.* FROM {stations} AS t
    WHERE EXISTS (SELECT FROM {series} AS s WHERE s.station = t.station AND s.last_time IS NOT NULL)
)"""

_ALL: LiteralString = (
    """(
    SELECT s.layer, s.layer_title, s.series, s.station, s.parameter, s.last_time, t.thing_name, t.thing_description,
        t.place, t.fields, """
    + _TOLD.replace("p.told", "%(declared)s -> (s.layer || '/' || s.parameter)")
    + """
    FROM {series} AS s JOIN {stations} AS t ON t.station = s.station
    WHERE s.last_time IS NOT NULL
)"""
)

_VALUES = """
    SELECT o.time, o.value, o.quality, o.origin FROM {values} AS o
    WHERE d.layer = {layer} AND o.series = d.series{where}
"""
_NO_VALUES = """SELECT NULL::timestamptz AS time, NULL::float8 AS value, NULL::smallint AS quality, NULL::text AS origin
    WHERE false"""

_COUNTED = "SELECT c.number + c.flagged AS number FROM {days} AS c WHERE d.layer = {layer} AND c.series = d.series"

_FIRST = "WHEN {layer} THEN (SELECT o.time FROM {values} AS o WHERE o.series = d.series ORDER BY o.time LIMIT 1)"
