"""What would the rules have said? A past storm, as it was or made heavier, or one that is invented, through the same
rules as what arrives.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from pydantic import Field

from shikong.hydrology.series.forecast import Floats
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.warning_rules import LEVELS
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.forecasts import ahead, chain, rain
from shikong.processes.hydrology.readings import Source
from shikong.processes.hydrology.storms import Invented
from shikong.processes.moments import End, Known, Start
from shikong.processes.warnings import facts, publishing
from shikong.processes.warnings.engine import Event, Observed, Series, Stations, Subject, replay
from shikong.store.database import default as default_database
from shikong.store.database import one_state

#: How long a rehearsal may be, and how many values it may look at.
LONGEST, MOST = timedelta(days=92), 2_000_000


class Storm(Known):
    """Which storm, and what is changed about it."""

    start: Start = Field(json_schema_extra=titled("起始时间（日期指当日始）", "From (a day means its first moment)"))
    end: End = Field(json_schema_extra=titled("结束时间（日期指当日末）", "Until (a day means its last moment)"))
    rain_factor: float = Field(
        1.0, ge=0, le=10, json_schema_extra=titled("雨量放大倍数", "Rain, so many times what it was")
    )
    stage_shift_m: float = Field(
        0.0, ge=-20, le=20, json_schema_extra=titled("水位抬高（米）", "Levels, so many metres higher than they were")
    )
    storm: Invented | None = Field(
        None,
        json_schema_extra=titled(
            "假想暴雨（可选；自起始时间降雨，其后的实测值不用）",
            "An invented storm (optional); it begins at the start, and what was observed later is left out",
        ),
    )


@dataclass(frozen=True)
class _Storm:
    """Values of all stations. generated: whether some of them are."""

    observed: dict[str, dict[str, Series]]
    generated: bool


class Rehearsal(Process):
    """Runs a storm through the rules for warnings."""

    id = "warning-rehearsal"
    title = Text(zh="预警预演", en="Rehearsal of warnings")
    description = Text(
        zh="把过去的一场雨洪（可放大雨量、抬高水位）或假想的一场暴雨按实时预警的同一套规则快速重演：何时、何处、何级预警，"
        "依据与应对措施。不发布预警。",
        en="Runs a past storm, as it was or with more rain and higher levels, or an invented one, through the very "
        "rules that warn now: when and where which warning, on what evidence, and what is to be done. Nothing is "
        "published.",
    )
    inputs = Storm

    def answer(self, inputs: Storm) -> dict[str, Any]:
        """The warnings in their order, and the actions of the plan. Raises BadInput."""
        if inputs.start is None or inputs.end is None:
            raise BadInput("start" if inputs.start is None else "end", "is needed")
        start, end = inputs.start.astimezone(UTC), inputs.end.astimezone(UTC)
        if not timedelta(0) < end - start <= LONGEST:
            raise BadInput("end", f"must be after start, and at most {LONGEST.days} days after it")
        city, database = catalog.default(), default_database()
        rules = facts.rules_of(city)
        with database.thread_session() as conn, one_state(conn):
            stations = facts.stations(conn, city)
            storm = _read(conn, city, start, end, inputs)
        events = list(replay(rules, stations, storm.observed, start, end))
        return {
            "start": start.isoformat(), "end": end.isoformat(),
            "origin": "generated" if storm.generated else "delivered",
            "changed": {"rain_factor": inputs.rain_factor, "stage_shift_m": inputs.stage_shift_m},
            "storm": inputs.storm.model_dump() if inputs.storm else None,
            "events": [told(city, event, stations) for event in events], "highest": _highest(events),
            "actions": actions(city, events),
        }  # fmt: skip


def _read(conn: Connection[Any], city: Catalog, start: datetime, end: datetime, inputs: Storm) -> _Storm:
    """What came in the time, changed as is asked for. Raises BadInput."""
    known = facts.read(conn, city, None, start, start if inputs.storm else end, inputs.as_of)
    if sum(len(one.times) for series in known.observed.values() for one in series.values()) > MOST:
        raise BadInput("end", f"there are more than {MOST:,} values in that time; rehearse less of it at once")
    parameters = city.layer(facts.rules_of(city).layer).parameters
    rain_gauged = {name for name, one in parameters.items() if one.cell_method == "sum"}
    observed = _with(known.observed, rain_gauged, lambda values: values * inputs.rain_factor)
    if inputs.storm is not None:
        _invent(Source(conn, city, inputs.moment, city.forecasts.layer), observed, start, end, inputs.storm)
    levels = {name for name, one in parameters.items() if one.unit == "m"}
    observed = _with(observed, levels, lambda values: values + inputs.stage_shift_m)
    return _Storm(observed, bool(known.generated) or inputs.storm is not None)


def _with(observed: Observed, names: set[str], changed: Callable[[Floats], Floats]) -> dict[str, dict[str, Series]]:
    """The series with the values of some parameters changed."""
    return {
        station: {
            name: Series(one.times, changed(one.values)) if name in names else one for name, one in series.items()
        }
        for station, series in observed.items()
    }


def _invent(
    source: Source, observed: dict[str, dict[str, Series]], start: datetime, end: datetime, storm: Invented
) -> None:
    """Put the hours of an invented storm after what was observed: its rain at each gauge, and at stations with a
    forecast the discharges and stages that follow. Raises BadInput."""
    gauges = ahead.gauges(source)
    if not gauges:
        raise BadInput("storm", "there are no rain gauges yet")
    number = int((end - start) / timedelta(hours=1))
    if not 0 < number * len(gauges) <= MOST:
        raise BadInput("end", f"an hour or more of a storm is rehearsed, and at most {MOST:,} values")
    made = chain.run_of(start, number, source.city.city.timezone)
    declared, falls = source.city.forecasts, rain.of_storm(storm)
    found = chain.forecasts(source, declared, made, declared.order(), falls)
    ahead.extend(observed, made, found, gauges, falls)


def told(city: Catalog, event: Event, stations: Stations) -> dict[str, Any]:
    """An event as answers have it."""
    values = publishing.told(city, event, stations)
    names = ("rule", "hazard", "level", "subject", "name", "stations", "headline_zh", "headline_en", "value",
             "threshold", "unit", "observed_at")  # fmt: skip
    return {"at": event.at.isoformat(), "change": event.change} | {name: values[name] for name in names}


def _highest(events: list[Event]) -> dict[str, int]:
    """How many warnings reached which level at most."""
    rank: dict[Subject, int] = {}
    for event in events:
        if event.change in ("issue", "raise"):
            rank[event.subject] = max(rank.get(event.subject, 0), LEVELS.index(event.level))
    counted = Counter(LEVELS[one] for one in rank.values())
    return {level: counted.get(level, 0) for level in LEVELS}


def actions(city: Catalog, events: list[Event]) -> list[dict[str, Any]]:
    """What the plan says is to be done, in the order in which it becomes due."""
    rules = facts.rules_of(city)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        if event.change not in ("issue", "raise"):
            continue
        hazard = rules.hazard(event.subject[0])
        for action in rules.plans.get(hazard, {}).get(event.level, ()):
            told = {
                "due": event.at.isoformat(), "hazard": hazard, "level": event.level, "because": event.subject[1],
                "title": action.title.model_dump(), "department": action.department.model_dump(),
            }  # fmt: skip
            found.setdefault((action.title.en, hazard), told)
    return list(found.values())
