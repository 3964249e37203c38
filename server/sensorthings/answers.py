"""Entities as SensorThings tells them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer, ParameterDecl
from shikong.providers.sensorthings.entities import ENTITIES, GEOJSON, MEASUREMENT, Entity
from shikong.providers.sensorthings.options import Options
from shikong.server.sensorthings.paths import link

Row = dict[str, Any]

_MINUTES = {"M": 1, "H": 60, "D": 24 * 60}


@dataclass
class Found:
    """An entity that was found, with what was asked to come with it, by the relation."""

    row: Row
    with_it: dict[str, Related] = field(default_factory=dict)


@dataclass
class Related:
    """What comes with an entity. token: where a further page begins; None where there is none. count: None unasked."""

    found: list[Found] = field(default_factory=list)
    token: str | None = None
    count: int | None = None


def declared(layer: Layer, name: str, parameter: ParameterDecl, url: str) -> dict[str, str]:
    """The texts of an observed property, of what measures it and of its unit. url: the service's."""
    over = f" ({parameter.cell_method}, {parameter.interval})" if parameter.interval else ""
    return {
        "property_name": parameter.title.zh, "property_description": f"{parameter.title.en}{over}",
        "property_definition": f"{url}/collections/{layer.id}/schema#{name}",
        "sensor_name": f"{layer.title.zh} {parameter.title.zh}",
        "sensor_description": f"{layer.title.en}: {parameter.title.en}{over}. {layer.description.en}",
        "sensor_metadata": f"{url}/collections/{layer.id}?f=html", "unit": parameter.unit,
        "unit_definition": f"https://units-of-measurement.org/{quote(parameter.unit, safe='')}",
    }  # fmt: skip


def instant(time: datetime) -> str:
    """A time in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Teller:
    """Tells entities. texts: what is declared, by layer and parameter. suffix: the query of all links, or nothing."""

    def __init__(
        self, catalog: Catalog, base: str, texts: Mapping[tuple[str, str], Mapping[str, str]], suffix: Mapping[str, str]
    ) -> None:
        self._catalog, self._base, self._texts, self._more = catalog, base, texts, suffix
        self._suffix = f"?{urlencode(suffix)}" if suffix else ""
        qualities = catalog.codes["observation_quality"].codes
        self._qualities = {int(code): {"zh": told.title.zh, "en": told.title.en} for code, told in qualities.items()}

    def tell(self, entity: Entity, found: Found, options: Options) -> dict[str, Any]:
        """An entity with what comes with it."""
        row, selected = found.row, options.select
        address = link(self._base, entity, entity.id_of(row))
        told: dict[str, Any] = {}
        if selected is None or {"id", "@iot.id"} & {*selected}:
            told["@iot.id"] = entity.id_of(row)
        if selected is None or "@iot.selfLink" in selected:
            told["@iot.selfLink"] = address + self._suffix
        told |= self.properties(entity, row, selected)
        for name, relation in entity.relations.items():
            related = found.with_it.get(name)
            if related is not None:
                target = ENTITIES[relation.target]
                told |= self._related(target, relation.many, name, related, options.expand[name], address)
            elif selected is None or name in selected:
                told[f"{name}@iot.navigationLink"] = f"{address}/{name}{self._suffix}"
        return told

    def _related(
        self, target: Entity, many: bool, name: str, related: Related, options: Options, address: str
    ) -> dict[str, Any]:
        entities = [self.tell(target, each, options) for each in related.found]
        if not many:
            return {name: entities[0] if entities else None}
        told: dict[str, Any] = {name: entities}
        if related.count is not None:
            told[f"{name}@iot.count"] = related.count
        if related.token is not None:
            told[f"{name}@iot.nextLink"] = self.next_link(f"{address}/{name}", options.given, related.token)
        return told

    def next_link(self, address: str, given: Mapping[str, str], token: str) -> str:
        """Where the page after this one is."""
        kept = {name: value for name, value in given.items() if name not in ("$skip", "$skiptoken")}
        return f"{address}?{urlencode({**kept, **self._more, '$skiptoken': token}, safe='$')}"

    def reference(self, entity: Entity, row: Row) -> dict[str, str]:
        """Where an entity is, and nothing of it."""
        return {"@iot.selfLink": link(self._base, entity, entity.id_of(row)) + self._suffix}

    def arrays(self, found: Sequence[Found], selected: Sequence[str] | None) -> list[dict[str, Any]]:
        """Observations as arrays of values, those of a series together."""
        entity, series = ENTITIES["Observations"], ENTITIES["Datastreams"]
        components = (
            ["id", *entity.shown] if selected is None else [name for name in selected if name in (*entity.shown, "id")]
        )
        groups: dict[str, list[list[Any]]] = {}
        for each in found:
            told = {"id": entity.id_of(each.row)} | self.properties(entity, each.row, components)
            groups.setdefault(link(self._base, series, series.id_of(each.row)), []).append(
                [told[c] for c in components]
            )
        return [
            {"Datastream@iot.navigationLink": address + self._suffix, "components": components,
             "dataArray@iot.count": len(rows), "dataArray": rows}
            for address, rows in groups.items()
        ]  # fmt: skip

    def properties(self, entity: Entity, row: Row, selected: Sequence[str] | None) -> dict[str, Any]:
        """The properties of an entity itself."""
        made = {
            "T": self._station, "P": self._parameter, "D": self._series, "O": self._value
        }[entity.rows](entity, row)  # fmt: skip
        return {name: made[name] for name in entity.shown if selected is None or name in selected}

    def _station(self, _: Entity, row: Row) -> Row:
        place = {"type": "Point", "coordinates": [row["x"], row["y"]]}
        fields = {name: value for name, value in (row["fields"] or {}).items() if value is not None}
        return {
            "name": row["thing_name"], "description": row["thing_description"], "properties": fields,
            "encodingType": GEOJSON, "location": place, "feature": place,
        }  # fmt: skip

    def _parameter(self, entity: Entity, row: Row) -> Row:
        layer, name = row["layer"], row["parameter"]
        texts, title = self._texts[layer, name], self._catalog.layer(layer).parameters[name].title
        kind = "sensor" if entity.name == "Sensors" else "property"
        told = {
            "name": texts[f"{kind}_name"], "description": texts[f"{kind}_description"], "encodingType": "text/html",
            "definition": texts["property_definition"], "metadata": texts["sensor_metadata"],
        }  # fmt: skip
        return told | {"properties": {"layer": layer, "parameter": name, "title": {"zh": title.zh, "en": title.en}}}

    def _series(self, _: Entity, row: Row) -> Row:
        layer, name = self._catalog.layer(row["layer"]), row["parameter"]
        texts, parameter = self._texts[layer.id, name], layer.parameters[name]
        label = f"{row['thing_name']} {texts['property_name']}"
        first, last = row.get("first_time") or row["last_time"], row["last_time"]
        spans = [f"{instant(start)}/{instant(last)}" for start in (first - length(parameter), first)]
        more = {"cellMethod": parameter.cell_method, "interval": parameter.interval} if parameter.interval else {}
        return {
            "name": label, "description": f"{layer.title.zh}: {label}",
            "unitOfMeasurement": {"name": parameter.unit, "symbol": parameter.unit,
                                  "definition": texts["unit_definition"]},
            "observationType": MEASUREMENT, "phenomenonTime": spans[0], "resultTime": spans[1],
            "observedArea": {"type": "Point", "coordinates": [row["x"], row["y"]]},
            "properties": {"layer": layer.id, "parameter": name, **more},
        }  # fmt: skip

    def _value(self, _: Entity, row: Row) -> Row:
        end = instant(row["time"])
        over = length(self._catalog.layer(row["layer"]).parameters[row["parameter"]])
        quality = row["quality"]
        title = self._qualities.get(quality, {})
        return {
            "phenomenonTime": f"{instant(row['time'] - over)}/{end}" if over else end, "resultTime": end,
            "result": row["value"], "resultQuality": {"code": quality, "title": title},
            "parameters": {"origin": row["origin"]},
        }  # fmt: skip


def length(parameter: ParameterDecl) -> timedelta:
    """Over how long a value is; zero where it is of a moment."""
    if parameter.interval is None:
        return timedelta(0)
    return timedelta(minutes=int(parameter.interval.strip("PT")[:-1]) * _MINUTES[parameter.interval[-1]])
