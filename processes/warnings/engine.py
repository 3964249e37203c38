"""What the rules say of values: a verdict for each rule and subject, and the warnings that follow from verdicts.

The same for what arrives now and for a storm that is rehearsed: it knows values and a time, no database. A level is
reached at once; it is left when the value has been back from its limit by the rule's margin for as long as `hold`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shikong.layers.warning_rules import LEVELS, Bound, JointRule, Level, StationRule, WarningRules, duration

#: A rule and whom it is about: a station, or a group of stations.
Subject = tuple[str, str]

Change = Literal["issue", "raise", "lower", "lift"]


@dataclass(frozen=True)
class Series:
    """Good values of a series in the order of time. times: seconds since 1970."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]

    def until(self, now: float) -> Series:
        """Those up to a time."""
        end = int(np.searchsorted(self.times, now, side="right"))
        return Series(self.times[:end], self.values[:end])

    def then(self, later: Series) -> Series:
        """With those that come after them."""
        return Series(np.concatenate([self.times, later.times]), np.concatenate([self.values, later.values]))


#: Of stations the series of each parameter.
Observed = Mapping[str, Mapping[str, Series]]

#: Of stations their fields: names, limits, groups.
Stations = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """What a rule says of a subject at a time.

    level: reached now; None for none. kept: the level that would not be left yet, for it is within the margin.
    reason: why nothing can be said (no_value, stale, no_threshold); None where something can.
    value, threshold: what was held against what; the threshold is that of the level, or of the lowest one.
    evidence: what it rests on, as JSON has it.
    """

    level: Level | None
    kept: Level | None = None
    reason: str | None = None
    value: float | None = None
    threshold: float | None = None
    observed_at: datetime | None = None
    stations: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """A warning that begins, changes or ends."""

    change: Change
    subject: Subject
    level: Level
    at: datetime
    verdict: Verdict


def judge(rules: WarningRules, stations: Stations, observed: Observed, now: datetime) -> dict[Subject, Verdict]:
    """The verdicts on all stations that have values, and on their groups."""
    found: dict[Subject, Verdict] = {}
    for station, series in observed.items():
        for name, rule in rules.rules.items():
            verdict = _of_station(rule, rules.stale, stations.get(station, {}), series, now.timestamp())
            if verdict is not None:
                found[name, station] = verdict
    return found


def judge_groups(
    rules: WarningRules, stations: Stations, verdicts: Mapping[Subject, Verdict], now: datetime
) -> dict[Subject, Verdict]:
    """The verdicts on groups of stations, from the last ones on stations; those that are stale by now do not count."""
    oldest = now - duration(rules.stale)
    fresh = {
        subject: verdict
        for subject, verdict in verdicts.items()
        if verdict.observed_at and verdict.observed_at >= oldest
    }
    silent = {station for _, station in verdicts.keys() - fresh.keys()}
    found: dict[Subject, Verdict] = {}
    for name, rule in rules.joint.items():
        groups: dict[str, list[str]] = {}
        for station, known in stations.items():
            if known.get(rule.by) is not None:
                groups.setdefault(str(known[rule.by]), []).append(station)
        for group, members in groups.items():
            verdict = _of_group(rule, members, fresh)
            if verdict.level is None and not silent.isdisjoint(members):
                verdict = Verdict(None, reason="stale")
            found[name, group] = verdict
    return found


def _of_station(
    rule: StationRule, stale: str, known: Mapping[str, Any], series: Mapping[str, Series], now: float
) -> Verdict | None:
    """A rule's verdict on a station; None where the station measures nothing that the rule looks at."""
    measured = [_measure(rule, name, series[name].until(now)) for name in rule.measured.parameter if name in series]
    readings = [reading for reading in measured if reading is not None]
    if not measured:
        return None
    if not readings:
        return Verdict(None, reason="no_value")
    reading = max(readings, key=lambda one: one.value) if rule.measured.of == "sum" else readings[0]
    at = datetime.fromtimestamp(reading.at, UTC)
    if now - reading.at > duration(stale).total_seconds():
        return Verdict(None, reason="stale", observed_at=at)
    limits = {level: found for level in LEVELS if (found := limit(rule.limits.get(level), known)) is not None}
    if not limits:
        return Verdict(None, reason="no_threshold", value=reading.value, observed_at=at)
    level = _reached(limits, reading.value, 0, below=rule.below)
    kept = _reached(limits, reading.value, rule.margin, below=rule.below)
    threshold = limits[level] if level else next(iter(limits.values()))
    evidence = {
        "parameter": reading.parameter, "value": round(reading.value, 3), "unit": rule.unit,
        "observed_at": at.isoformat(), "limits": limits, **reading.told,
    }  # fmt: skip
    return Verdict(level, kept, None, reading.value, threshold, at, (), evidence)


@dataclass(frozen=True)
class _Reading:
    parameter: str
    value: float
    at: float
    told: Mapping[str, Any]


def _measure(rule: StationRule, parameter: str, series: Series) -> _Reading | None:
    """What a rule measures of a series that ends now; None where there is nothing to measure."""
    if not len(series.times):
        return None
    last = float(series.times[-1])
    window = rule.measured.window.total_seconds()
    match rule.measured.of:
        case "latest":
            return _Reading(parameter, float(series.values[-1]), last, {})
        case "sum":
            within = series.times > last - window
            told = {"over": rule.measured.over, "values": int(within.sum())}
            return _Reading(parameter, float(series.values[within].sum()), last, told)
        case "change":
            before = int(np.searchsorted(series.times, last - window, side="left"))
            if before == len(series.times) - 1:
                return None
            was = {"over": rule.measured.over, "from": round(float(series.values[before]), 3)}
            return _Reading(parameter, float(series.values[-1] - series.values[before]), last, was)


def limit(bound: Bound | None, known: Mapping[str, Any]) -> float | None:
    """A limit of a station; None where the station has none."""
    if bound is None:
        return None
    value = bound.value if bound.field is None else known.get(bound.field)
    return None if value is None else round(float(value) + bound.plus, 3)


def _reached(limits: Mapping[Level, float], value: float, margin: float, *, below: bool) -> Level | None:
    """The gravest level whose limit a value reaches, or has not left by the margin."""
    reached = [
        level for level, limit in limits.items() if (value <= limit + margin if below else value >= limit - margin)
    ]
    return reached[-1] if reached else None


def _of_group(rule: JointRule, members: Iterable[str], verdicts: Mapping[Subject, Verdict]) -> Verdict:
    """A joint rule's verdict on a group."""
    level: Level | None = None
    evidence: dict[str, Any] = {}
    times: list[datetime] = []
    concerned: set[str] = set()
    for candidate in LEVELS:
        counted = []
        for condition in rule.levels.get(candidate, ()):
            with_it = [
                station for station in members
                if (verdict := verdicts.get((condition.rule, station))) is not None
                and verdict.level is not None and _rank(verdict.level) >= _rank(condition.at_least)
            ]  # fmt: skip
            counted.append((condition, with_it))
        if counted and all(len(with_it) >= condition.stations for condition, with_it in counted):
            level = candidate
            concerned = {station for _, with_it in counted for station in with_it}
            pairs = [(condition.rule, station) for condition, with_it in counted for station in with_it]
            times = [at for pair in pairs if (at := verdicts[pair].observed_at) is not None]
            evidence = {
                "conditions": [
                    {"rule": condition.rule, "at_least": condition.at_least, "wanted": condition.stations,
                     "stations": sorted(with_it)}
                    for condition, with_it in counted
                ]
            }  # fmt: skip
    return Verdict(level, level, None, None, None, max(times, default=None), tuple(sorted(concerned)), evidence)


def _rank(level: Level | None) -> int:
    return LEVELS.index(level) if level else -1


@dataclass
class _Active:
    level: Level
    left_since: datetime | None = None


class Engine:
    """The warnings in force, and how they change from verdict to verdict."""

    def __init__(self, rules: WarningRules, active: Mapping[Subject, Level] | None = None) -> None:
        """active: the warnings that are in force already."""
        self._hold = duration(rules.hold)
        self._active = {subject: _Active(level) for subject, level in (active or {}).items()}

    @property
    def active(self) -> dict[Subject, Level]:
        """The warnings in force."""
        return {subject: known.level for subject, known in self._active.items()}

    def forget(self, known: Collection[Subject]) -> None:
        """Forget warnings that are in force no more, because somebody has closed them."""
        for subject in self._active.keys() - set(known):
            del self._active[subject]

    def step(self, verdicts: Mapping[Subject, Verdict], now: datetime) -> Iterator[Event]:
        """What changes with verdicts at a time. One of which nothing can be said changes nothing."""
        for subject, verdict in verdicts.items():
            if verdict.reason is None:
                yield from self._one(subject, verdict, now)

    def _one(self, subject: Subject, verdict: Verdict, now: datetime) -> Iterator[Event]:
        known = self._active.get(subject)
        if known is None:
            if verdict.level is not None:
                self._active[subject] = _Active(verdict.level)
                yield Event("issue", subject, verdict.level, now, verdict)
            return
        if _rank(verdict.level) > _rank(known.level):
            assert verdict.level is not None
            known.level, known.left_since = verdict.level, None
            yield Event("raise", subject, verdict.level, now, verdict)
        elif _rank(verdict.kept) >= _rank(known.level):
            known.left_since = None
        elif known.left_since is None:
            known.left_since = now
        elif now - known.left_since >= self._hold:
            known.left_since = None
            if verdict.kept is None:
                del self._active[subject]
                yield Event("lift", subject, known.level, now, verdict)
            else:
                known.level = verdict.kept
                yield Event("lower", subject, verdict.kept, now, verdict)


def replay(
    rules: WarningRules, stations: Stations, observed: Observed, start: datetime, end: datetime
) -> Iterator[Event]:
    """The events of a stretch of time, at each moment at which a value came."""
    engine = Engine(rules)
    verdicts: dict[Subject, Verdict] = {}
    for now, concerned in _moments(observed, start, end):
        fresh = judge(rules, stations, {station: observed[station] for station in concerned}, now)
        verdicts |= fresh
        yield from engine.step({**fresh, **judge_groups(rules, stations, verdicts, now)}, now)


def _moments(observed: Observed, start: datetime, end: datetime) -> Iterator[tuple[datetime, set[str]]]:
    """The moments at which values came, and of which stations."""
    came: dict[float, set[str]] = {}
    for station, series in observed.items():
        for one in series.values():
            within = (one.times >= start.timestamp()) & (one.times <= end.timestamp())
            for at in one.times[within].tolist():
                came.setdefault(at, set()).add(station)
    for at in sorted(came):
        yield datetime.fromtimestamp(at, UTC), came[at]
