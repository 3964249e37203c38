"""The paths of SensorThings, for the OpenAPI document.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.providers.sensorthings.options import MAX_SKIP, MAX_TOP
from shikong.server import asked
from shikong.server.contract.parameters import of, query, reference
from shikong.server.contract.reading import operation, read, told
from shikong.server.contract.schemas import TEXT, Part
from shikong.server.sensorthings.block import ROOT

_NUMBER: Part = {"type": "integer", "minimum": 0}

_OPTIONS = [
    query("$filter", TEXT, "a condition such as `result gt 5 and phenomenonTime ge 2024-07-01T00:00:00Z`"),
    query("$orderby", TEXT, "such as `phenomenonTime desc`"),
    query("$select", TEXT, "the properties to tell"),
    query("$expand", TEXT, "what to tell with each, such as `Observations($top=1;$orderby=phenomenonTime desc)`"),
    query("$top", _NUMBER | {"maximum": 10**9}, f"how many on a page, {MAX_TOP:,} at most; the nextLinks go on"),
    query("$skip", _NUMBER | {"maximum": MAX_SKIP}, "how many to pass over; the nextLinks have no such bound"),
    query("$count", {"type": "boolean", "default": False}, "tell how many there are"),
    query("$resultFormat", {"type": "string", "enum": ["dataArray"]}, "Observations as arrays"),
    query("$skiptoken", TEXT, "where the next page begins; taken from a nextLink"),
]


def paths() -> dict[str, Part]:
    """All of them."""
    place: Part = {
        "name": "resource", "in": "path", "required": True, "schema": TEXT,
        "description": "entities, one of them, or what it leads to: `Things`, `Datastreams('hydro_observations/12')`, "
        "`Things('31100500')/Datastreams`",
    }  # fmt: skip
    answers = told("SensorThings") | {"text/plain": {"schema": TEXT}}
    return {
        ROOT: read(asked.ONLY_JSON, operation(
            "SensorThings API 1.1: what it has", "getSensorThings", "sensorthings", told("SensorThings"))),
        f"{ROOT}/{{resource}}": {
            "parameters": [place, *_OPTIONS, reference("asOf"), *of(asked.ONLY_JSON)],
            "get": operation("entities of SensorThings API 1.1", "getSensorThingsResource", "sensorthings", answers,
                             404, 413),
        },
    }  # fmt: skip
