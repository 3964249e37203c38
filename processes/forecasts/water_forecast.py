"""How will rivers rise in the next days, when, and which warnings would that bring?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.layers.forecasts import Forecasts
from shikong.processes.base import BadInput, titled
from shikong.processes.figures import table
from shikong.processes.figures.table import Table
from shikong.processes.forecasts import ahead, chain, rain, tables
from shikong.processes.forecasts.chain import RainAhead
from shikong.processes.hydrology import answers, hours
from shikong.processes.hydrology.readings import Source
from shikong.processes.hydrology.storms import Invented
from shikong.processes.moments import Known, Start
from shikong.processes.warnings import facts
from shikong.store.database import default as default_database
from shikong.store.database import one_state

_NO_RAIN = "rain", "storm"


class Asked(Known):
    """Which stations, from when on, and on which rain."""

    station: str | None = Field(
        None,
        json_schema_extra=titled(
            "测站编码（可选；默认全部预报站）", "Station (optional; default: all with a forecast)"
        ),
    )
    issue: Start = Field(
        None,
        json_schema_extra=titled(
            "发布时间（可选；缺省为最新实测时间）", "Time of issue (optional; default: the newest reading)"
        ),
    )
    horizon_h: int = Field(72, ge=1, le=240, json_schema_extra=titled("预见期（h）", "Hours ahead"))
    rain_from: Literal["rain_forecast", "none"] = Field(
        "rain_forecast",
        json_schema_extra=titled(
            "预见期降雨",
            "Rain ahead",
            **{
                "x-enum-titles": [
                    {"zh": "气象部门的降雨预报", "en": "As the weather bureau expects it"},
                    {"zh": "无雨", "en": "None"},
                ]
            },
        ),
    )
    rain: tuple[float, ...] | None = Field(
        None,
        min_length=1,
        max_length=240,
        json_schema_extra=titled(
            "预见期各小时雨量（mm，可选）",
            "Rain of each hour ahead (mm, optional)",
            items={"type": "number", "minimum": 0},
        ),
    )
    storm: Invented | None = Field(
        None,
        json_schema_extra=titled("假想暴雨（可选；自发布时间降雨）", "An invented storm (optional), from the issue on"),
    )


class WaterForecast(answers.Series):
    """From rain that fell and is expected to discharge, stage and warnings."""

    id = "water-forecast"
    title = Text(zh="水情预报", en="Water forecast")
    description = Text(
        zh="各预报站由实测雨量与预见期降雨（气象预报、所给雨量或假想暴雨）按 SCS-CN 产流、单位线汇流与马斯京根演算，"
        "以最近实测流量作自回归校正，再经水位流量关系推求水位：预报过程、洪峰与峰现时间、各级警戒何时达到，以及按预警规则将发布的预警。",
        en="At each station with a declared chain: rain as read and as expected (or given, or of an invented storm) by "
        "curve numbers, unit hydrographs and Muskingum, corrected by what was observed last (autoregressive), and by "
        "the rating to stages. Tells courses, peaks and when, when each level is reached, and the warnings that the "
        "rules would give.",
    )
    inputs = Asked
    parts: ClassVar = table.schema(tables.TITLES, tables.COLUMNS) | {
        "text": {"title": {"zh": "预报文字", "en": "In words"}},
        "issue": {"title": {"zh": "发布时间", "en": "Time of issue"}},
    }

    def answer(self, inputs: Asked) -> dict[str, Any]:
        """The forecasts. Raises BadInput."""
        city = catalog.default()
        declared = city.forecasts
        codes = _codes(declared, inputs)
        with default_database().thread_session() as conn, one_state(conn):
            source = Source(conn, city, inputs.moment, declared.layer)
            expected = _ahead(source, inputs)
            run = chain.run_of(_issue(source, inputs), inputs.horizon_h, city.city.timezone)
            found = chain.forecasts(source, declared, run, codes, expected)
            shown = [one for one in found if inputs.station in (None, one.station.code)]
            if not shown:
                raise BadInput("station", "none of the stations with a forecast is there", tuple(declared.stations))
            events, stations = ahead.events(conn, source, run, found, expected)
            layers = (declared.layer, *((declared.rain,) if _by_bureau(inputs) else ()))
            generated = inputs.storm is not None or any(one.declared.origin == "generated" for one in found)
            told_sources = answers.sources(conn, city, inputs.moment, layers, generated=generated)
        rules = facts.rules_of(city)
        parts: dict[str, Table] = {
            "peaks": tables.peaks(run, shown),
            "levels": tables.levels(city, rules, run, shown, stations),
            "warnings": tables.warnings(city, run, events, stations),
            "actions": tables.actions(city, events, run),
            "stage": tables.stage(run, shown, stations),
            "discharge": tables.discharge(run, shown, stations),
        }
        issued = run.hours.word(int(run.hours.ends[run.now]))
        when = issued.replace("T", " ")[:16]
        subtitle = Text(
            zh=f"{when} 发布，预见期 {inputs.horizon_h} h", en=f"Issued {when}, {inputs.horizon_h} hours ahead"
        )
        return self.told(subtitle, parts, told_sources) | {
            "issue": issued, "text": tables.in_words(run, shown, stations).model_dump(),
        }  # fmt: skip


def _codes(declared: Forecasts, inputs: Asked) -> Sequence[str]:
    """The stations that are computed, those upstream included. Raises BadInput."""
    if inputs.station is None:
        return declared.order()
    if inputs.station not in declared.stations:
        raise BadInput("station", f"{inputs.station[:40]!r} has no declared forecast", tuple(declared.stations))
    return declared.with_upstream(inputs.station)


def _issue(source: Source, inputs: Asked) -> datetime:
    """When the forecast is made. Raises BadInput."""
    issue = inputs.issue or source.newest("z", "q", "drp")
    if issue is None:
        raise BadInput("issue", "there are no readings yet")
    return issue


def _by_bureau(inputs: Asked) -> bool:
    """Whether the rain ahead is the weather bureau's."""
    return inputs.rain is None and inputs.storm is None and inputs.rain_from == "rain_forecast"


def _ahead(source: Source, inputs: Asked) -> RainAhead:
    """The rain ahead that is asked for. Raises BadInput."""
    if inputs.rain is not None and inputs.storm is not None:
        raise BadInput("storm", "give either the rain or a storm", _NO_RAIN)
    if inputs.rain is not None:
        hours.require_rain(inputs.rain)
        return rain.given(inputs.rain)
    if inputs.storm is not None:
        return rain.of_storm(inputs.storm)
    return rain.expected(source) if _by_bureau(inputs) else rain.unknown
