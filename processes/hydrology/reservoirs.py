"""The declared reservoirs with what their stations read.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from shikong.hydrology.series.reservoir import FloodLimit, LevelStorage
from shikong.layers.declared import Text
from shikong.layers.reservoirs import LimitDecl, Reservoir
from shikong.processes.hydrology.readings import Source, Station

#: A reservoir reports its level as `rz`; where it has none, `z` is the level of the station.
LEVELS = ("rz", "z")


@cache
def curve_of(declared: Reservoir) -> LevelStorage:
    """The curve of a reservoir."""
    levels, storages = zip(*declared.curve, strict=True)
    return LevelStorage(tuple(levels), tuple(storages))


@dataclass(frozen=True)
class Stood:
    """A level (m) that a reservoir stood at, and when; why none is told, where none is."""

    level: float | None
    time: datetime | None
    reason: Text | None = None


def limits_of(declared: Reservoir) -> dict[FloodLimit, LimitDecl]:
    """The flood-limit levels of a reservoir, each with how it is declared."""
    return {FloodLimit(each.begins, each.ends, each.level): each for each in declared.flood_limits}


def same_datum(station: Station, declared: Reservoir) -> Text | None:
    """Why levels of a station cannot be held against declared ones; None where they can."""
    if station.datum == declared.datum:
        return None
    return Text(
        zh=f"测站水位为 {station.datum or '未注明基面'}，库容曲线为 {declared.datum}，不可相比",
        en=f"the station's datum is {station.datum or 'not told'}, that of the curve {declared.datum}",
    )


def level(source: Source, station: Station, declared: Reservoir, until: datetime | None) -> Stood:
    """The last level up to a time."""
    if (reason := same_datum(station, declared)) is not None:
        return Stood(None, None, reason)
    for parameter in LEVELS:
        if (found := source.last(station.code, parameter, until)) is not None:
            return Stood(found[1], found[0])
    return Stood(None, None, Text(zh="无水位", en="no level has been read"))
