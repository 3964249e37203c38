"""What SensorThings knows as entities: their keys, properties and relations, over four kinds of rows.

Rows of stations (`T`), of parameters (`P`), of series (`D`) and of values (`O`) have their columns by the same names
(sources.py), so that a property is the same SQL wherever it is reached: `d` stands for all but a value's own, `o`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, LiteralString

from shikong.providers.sensorthings.syntax import Kind

GEOJSON = "application/geo+json"
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"

Rows = Literal["T", "P", "D", "O"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(microseconds=1)

#: Of each kind of rows, the columns that tell one from another, and what type they have.
KEYS: dict[Rows, tuple[str, ...]] = {
    "T": ("station",), "P": ("layer", "parameter"), "D": ("layer", "series"), "O": ("layer", "series", "time"),
}  # fmt: skip
TYPES: dict[str, LiteralString] = {
    "station": "text", "layer": "text", "parameter": "text", "series": "integer", "time": "timestamptz"
}  # fmt: skip
COLUMNS: dict[str, LiteralString] = {
    "station": "d.station", "layer": "d.layer", "parameter": "d.parameter", "series": "d.series", "time": "o.time"
}  # fmt: skip


@dataclass(frozen=True)
class Property:
    """A property that can be compared. kind: of its values."""

    kind: Kind
    sql: LiteralString


@dataclass(frozen=True)
class Relation:
    """A way to other entities. by: the columns that both sides have."""

    target: str
    many: bool
    by: tuple[str, ...]


@dataclass(frozen=True)
class Entity:
    """A set of entities. shown: what each tells, in this order. properties: what can be compared, by path."""

    name: str
    one: str
    rows: Rows
    shown: tuple[str, ...]
    properties: Mapping[str, Property]
    relations: Mapping[str, Relation] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of its id."""
        return KEYS[self.rows]

    def id_of(self, row: Mapping[str, Any]) -> str:
        """The id of what a row tells."""
        return "/".join(str(micros(row[name]) if name == "time" else row[name]) for name in self.keys)

    def key_of(self, identifier: str) -> dict[str, Any] | None:
        """The key columns that an id means; None where it cannot be one."""
        if self.rows == "T":
            return {"station": identifier}
        parts = identifier.split("/")
        if len(parts) != len(self.keys):
            return None
        found: dict[str, Any] = {}
        for name, part in zip(self.keys, parts, strict=True):
            if name not in ("series", "time"):
                found[name] = part
            elif not _whole(part, 9 if name == "series" else 16):
                return None
            else:
                found[name] = int(part) if name == "series" else _EPOCH + int(part) * _STEP
        return found


def _whole(text: str, digits: int) -> bool:
    bare = text.removeprefix("-")
    return bare.isascii() and bare.isdecimal() and len(bare) <= digits


def micros(time: datetime) -> int:
    """A time as microseconds since 1970."""
    return (time - _EPOCH) // _STEP


def _text(sql: LiteralString) -> Property:
    return Property("text", sql)


_NAMED = {"name": _text("d.thing_name"), "description": _text("d.thing_description")}
_GEOJSON = _text("'application/geo+json'::text")
_OF_LAYER = {"properties/layer": _text("d.layer"), "properties/parameter": _text("d.parameter")}
_STATION, _PARAMETER, _SERIES = ("station",), ("layer", "parameter"), ("layer", "series")

ENTITIES = {
    entity.name: entity
    for entity in (
        Entity(
            "Things", "Thing", "T", ("name", "description", "properties"), _NAMED | {"@iot.id": _text("d.station")},
            {"Locations": Relation("Locations", True, _STATION),
             "Datastreams": Relation("Datastreams", True, _STATION)},
        ),
        Entity(
            "Locations", "Location", "T", ("name", "description", "encodingType", "location"),
            _NAMED | {"@iot.id": _text("d.station"), "encodingType": _GEOJSON, "location": Property("geo", "d.place")},
            {"Things": Relation("Things", True, _STATION)},
        ),
        Entity(
            "Datastreams", "Datastream", "D",
            ("name", "description", "unitOfMeasurement", "observationType", "observedArea", "phenomenonTime",
             "resultTime", "properties"),
            {
                "@iot.id": _text("(d.layer || '/' || d.series)"),
                "name": _text("(d.thing_name || ' ' || d.property_name)"),
                "description": _text("(d.layer_title || ': ' || d.thing_name || ' ' || d.property_name)"),
                "unitOfMeasurement/name": _text("d.unit"), "unitOfMeasurement/symbol": _text("d.unit"),
                "unitOfMeasurement/definition": _text("d.unit_definition"),
                "observationType": _text("'http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement'::text"),
                "observedArea": Property("geo", "d.place"), "phenomenonTime": Property("time", "d.last_time"),
                "resultTime": Property("time", "d.last_time"), **_OF_LAYER,
            },
            {
                "Thing": Relation("Things", False, _STATION), "Sensor": Relation("Sensors", False, _PARAMETER),
                "ObservedProperty": Relation("ObservedProperties", False, _PARAMETER),
                "Observations": Relation("Observations", True, _SERIES),
            },
        ),
        Entity(
            "Sensors", "Sensor", "P", ("name", "description", "encodingType", "metadata", "properties"),
            {
                "@iot.id": _text("(d.layer || '/' || d.parameter)"), "name": _text("d.sensor_name"),
                "description": _text("d.sensor_description"), "encodingType": _text("'text/html'::text"),
                "metadata": _text("d.sensor_metadata"), **_OF_LAYER,
            },
            {"Datastreams": Relation("Datastreams", True, _PARAMETER)},
        ),
        Entity(
            "ObservedProperties", "ObservedProperty", "P", ("name", "definition", "description", "properties"),
            {
                "@iot.id": _text("(d.layer || '/' || d.parameter)"), "name": _text("d.property_name"),
                "definition": _text("d.property_definition"), "description": _text("d.property_description"),
                **_OF_LAYER,
            },
            {"Datastreams": Relation("Datastreams", True, _PARAMETER)},
        ),
        Entity(
            "Observations", "Observation", "O",
            ("phenomenonTime", "resultTime", "result", "resultQuality", "parameters"),
            {
                "@iot.id": _text(
                    "(d.layer || '/' || d.series || '/' || (extract(epoch FROM o.time) * 1000000)::bigint)"
                ),
                "phenomenonTime": Property("time", "o.time"), "resultTime": Property("time", "o.time"),
                "result": Property("number", "o.value"), "resultQuality": Property("number", "o.quality::float8"),
                "resultQuality/code": Property("number", "o.quality::float8"),
                "parameters/origin": _text("o.origin"),
            },
            {
                "Datastream": Relation("Datastreams", False, _SERIES),
                "FeatureOfInterest": Relation("FeaturesOfInterest", False, _STATION),
            },
        ),
        Entity(
            "FeaturesOfInterest", "FeatureOfInterest", "T", ("name", "description", "encodingType", "feature"),
            _NAMED | {"@iot.id": _text("d.station"), "encodingType": _GEOJSON, "feature": Property("geo", "d.place")},
            {"Observations": Relation("Observations", True, _STATION)},
        ),
    )
}  # fmt: skip
