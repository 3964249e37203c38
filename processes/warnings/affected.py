"""Who and what a flood would reach: the stage of a warning held against the ground (HAND).

It takes longer than a warning may wait, and so follows it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import structlog
from psycopg import sql

from shikong.hydrology.terrain.errors import TerrainError
from shikong.ingest.edit_errors import EditError
from shikong.ingest.edits import Operation
from shikong.layers.catalog import Catalog
from shikong.processes.base import BadInput
from shikong.processes.coordination import cases
from shikong.processes.hydrology.inundation import Inundation, Level
from shikong.processes.warnings.facts import rules_of
from shikong.processes.warnings.publishing import IN_FORCE
from shikong.store import tables
from shikong.store.database import Database
from shikong.store.errors import StoreError

LOG = structlog.get_logger()

#: Parameters that are the level of a river, and the stations whose level is not: those of reservoirs and sluices say
#: nothing of the land along a river.
_STAGES, _RESERVOIR = ("z",), "RR"

#: Along a river a level is taken to hold so far, km.
_REACH = 5.0

_NO_FLOOD = {"zh": "淹没范围未知", "en": "what is under water is not known"}

_CHANGED = """
    SELECT w.code, w.state, w.subject, w.value, w.evidence, s.sttp
    FROM {warnings} AS w JOIN {stations} AS s ON s.stcd = w.subject
    WHERE w.code = ANY (%(codes)s) AND w.state = ANY (%(states)s)
"""


def assess(database: Database, city: Catalog, codes: Sequence[str]) -> int:
    """Say of warnings of a river's stage what they affect; returns of how many. Others are left alone."""
    layer = city.layer(rules_of(city).published_as)
    stations = city.layer(city.layer(rules_of(city).layer).stations or "")
    query = sql.SQL(_CHANGED).format(warnings=tables.table(layer), stations=tables.table(stations))
    rows = database.thread_fetch(query, {"codes": list(codes), "states": list(IN_FORCE)})
    operations = []
    for code, state, station, value, evidence, kind in rows:
        told_of = json.loads(evidence)
        if told_of.get("parameter") not in _STAGES or "over" in told_of or kind == _RESERVOIR:
            continue
        told = json.dumps(at_stage(station, value), ensure_ascii=False)
        step = "assess" if state == "active" else "assess_acknowledged"
        values = {"affected": told, "state": state}
        operations.append(Operation(layer, "update", code, None, values, None, False, step=step))
    if operations:
        cases.apply(database, city, operations)
    return len(operations)


def assess_later(database: Database, city: Catalog, codes: Sequence[str]) -> None:
    """The same for whoever does not wait for it: what goes wrong is logged, and the warnings stay as they are."""
    try:
        assess(database, city, codes)
    except (StoreError, EditError) as error:
        LOG.warning("what warnings affect was not found out", codes=list(codes), error=str(error))


def at_stage(station: str, level: float) -> dict[str, Any]:
    """What is under water when a river stands so high (m) at a station; or the reason why nobody knows."""
    level_there = {"station": station, "level_m": level, "reach_km": _REACH}
    try:
        told = Inundation({"name": Inundation.id}).answer(Level.model_validate(level_there))
    except (BadInput, TerrainError, StoreError) as error:
        return {"area_ha": None, "reason": str(error), "people": None, "people_reason": _NO_FLOOD}
    return {
        "area_ha": told["area_ha"], "level_m": level, "reach_km": _REACH, "met": told["tables"]["met"]["rows"],
        "places": told["tables"]["places"]["rows"], "people": told["people"],
        "people_reason": told["people_reason"],
    }  # fmt: skip
