"""From what was received to values of the city's series, or to the reason why there are none.

Which parameter an element feeds is declared with the parameter (`elements` in the layer's file), which station an
address is with the station (its field `rtu`).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shikong.ingest.live import hj212, sl651
from shikong.ingest.live.journal import Received
from shikong.ingest.live.telegrams import BEIJING, Broken, Reading, Telegram
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer

#: So far ahead of the time of reception, and so far behind it, a time of observation is believed. Clocks go wrong by
#: minutes; what is further off is a clock that was never set.
AHEAD, BEHIND = timedelta(minutes=10), timedelta(days=400)

#: An MQTT message's values, and how deep a message is looked into.
_MOST_VALUES = 10_000


@dataclass(frozen=True)
class Value:
    """A value of a series of the city. faulty: the sender does not trust its instrument."""

    layer: str
    station: str
    parameter: str
    time: datetime
    value: float
    faulty: bool


@dataclass
class Decoded:
    """What became of a frame: its values, a picture (station, time, JPEG), and why some of it is refused."""

    values: list[Value] = field(default_factory=list)
    picture: tuple[str, datetime, bytes] | None = None
    refused: Broken | None = None
    station: str | None = None


@dataclass(frozen=True)
class Fed:
    """What an element feeds. factor: by which its values are multiplied, for the protocol may have another unit."""

    layer: str
    parameter: str
    factor: float = 1.0


@dataclass(frozen=True)
class Known:
    """What is known. elements: what each feeds. stations: by addresses and by their own codes."""

    elements: Mapping[str, Fed]
    stations: Mapping[str, str]


def elements_of(catalog: Catalog) -> dict[str, Fed]:
    """What an element of a protocol feeds."""
    found = {}
    for layer in observed(catalog):
        for name, declared in layer.parameters.items():
            found[f"mqtt:{layer.id}/{name}"] = Fed(layer.id, name)
            for declaration in declared.elements:
                element, _, factor = declaration.partition("*")
                found[element] = Fed(layer.id, name, float(factor or 1))
    return found


def observed(catalog: Catalog) -> list[Layer]:
    """The layers of observations."""
    return [layer for layer in catalog.layers.values() if layer.kind == "observations"]


def decode(received: Received, known: Known) -> Decoded:
    """What a frame comes to. It never raises: what is wrong with it is in the answer."""
    if received.reason is not None:
        return Decoded(refused=Broken(received.reason, received.told or ""))
    try:
        telegrams = _telegrams(received)
    except Broken as broken:
        return Decoded(refused=broken)
    done = Decoded()
    for telegram in telegrams:
        _take(telegram, received, known, done)
    return done


def _telegrams(received: Received) -> list[Telegram]:
    if received.protocol == "sl651":
        heads = [sl651.head(frame.data) for frame in sl651.framer().feed(received.data)]
        return [sl651.read(sl651.together(heads) if len(heads) > 1 else heads[0])]
    if received.protocol == "hj212":
        return [hj212.read(hj212.message(received.data))]
    return _messages(received)


def _take(telegram: Telegram, received: Received, known: Known, done: Decoded) -> None:
    """Add what a telegram holds to what its frame comes to."""
    if not telegram.readings and telegram.picture is None:
        return
    station = _station(telegram, known)
    done.station = station or telegram.station
    if station is None:
        done.refused = Broken("unknown_station", f"no station has the address {telegram.station}")
        return
    for reading in telegram.readings:
        fed = _element(telegram, reading, known)
        if fed is None or reading.value is None:  # of no interest here; a gap
            continue
        if (off := _out_of_time(reading, received.received_at)) is not None:
            done.refused = off
            continue
        value = reading.value if fed.factor == 1 else round(reading.value * fed.factor, 12)
        done.values.append(Value(fed.layer, station, fed.parameter, reading.time, value, reading.faulty))
    if telegram.picture is not None:
        done.picture = (station, *telegram.picture)


def _station(telegram: Telegram, known: Known) -> str | None:
    """The station that an address is; that of a hydrological station is 00 and its code (SL 502)."""
    own = telegram.station
    found = known.stations.get(own)
    if found is None and telegram.protocol == "sl651" and own.startswith("00"):
        found = known.stations.get(own[2:])
    return found


def _element(telegram: Telegram, reading: Reading, known: Known) -> Fed | None:
    """What an element feeds, by the class of the station where elements mean different things."""
    name = f"{telegram.protocol}:{reading.element}"
    return known.elements.get(f"{name}/{telegram.station_class}") or known.elements.get(name)


def _out_of_time(reading: Reading, received_at: datetime) -> Broken | None:
    if reading.time > received_at + AHEAD:
        return Broken("future", f"{reading.time.isoformat()} had not come when it was received")
    if reading.time < received_at - BEHIND:
        return Broken("too_old", f"{reading.time.isoformat()} is too long ago to come live; deliver it as a file")
    return None


def _messages(received: Received) -> list[Telegram]:
    """JSON of an MQTT message: {"station", "time", "values": {parameter: number}}, or a list of such. The peer names
    the layer."""
    try:
        told = json.loads(received.data)
    except (ValueError, RecursionError):
        raise Broken("not_json", "the message is no JSON") from None
    return [_message(one, received.peer) for one in (told if isinstance(told, list) else [told])[:_MOST_VALUES]]


def _message(told: Any, layer: str) -> Telegram:
    if not isinstance(told, dict) or not {"station", "time", "values"} <= told.keys():
        raise Broken("not_a_message", 'a message is {"station": …, "time": …, "values": {"z": …}}')
    try:
        time = datetime.fromisoformat(str(told["time"]))
    except ValueError:
        raise Broken("not_a_time", f"{told['time']!r} is no time") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=BEIJING)
    values = told["values"]
    if not isinstance(values, dict) or not all(_is_number(value) for value in values.values()):
        raise Broken("not_decimal", "`values` are numbers (or null) by the names of parameters")
    readings = [
        Reading(f"{layer}/{name}", time, None if value is None else float(value)) for name, value in values.items()
    ]
    return Telegram("mqtt", str(told["station"]), layer, readings)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300)
