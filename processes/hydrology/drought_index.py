"""How dry is it at a station for the season? SPI over one to some months.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shikong.hydrology.series import spi
from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, titled
from shikong.processes.figures import table
from shikong.processes.figures.table import Column, Table, TimeChart
from shikong.processes.hydrology import answers, days
from shikong.processes.hydrology.days import OfStation, Record
from shikong.processes.hydrology.readings import DAILY, Source
from shikong.store.database import default as default_database
from shikong.store.database import one_state

Floats = NDArray[np.float64]

SCALES = (1, 3, 6, 12, 24)
#: After GB/T 20481.
GRADES = (
    Text(zh="无旱", en="No drought"),
    Text(zh="轻旱", en="Light drought"),
    Text(zh="中旱", en="Moderate drought"),
    Text(zh="重旱", en="Severe drought"),
    Text(zh="特旱", en="Extreme drought"),
)

_TITLES = {
    "latest": Text(zh="最近一月", en="The last month"),
    "index": Text(zh="标准化降水指数 SPI", en="Standardized precipitation index"),
}
_MONTH = Column("month", Text(zh="月（末日）", en="Month (its last day)"))
_RAIN = Column("rain_mm", Text(zh="月降水量", en="Rain of the month"), "mm", 1)
_INDEX = {scale: Column(f"spi_{scale}", Text(zh=f"SPI-{scale}", en=f"SPI-{scale}"), "1", 2) for scale in SCALES}
_LATEST = (
    Column("scale", Text(zh="月数", en="Months"), "1", 0),
    _MONTH,
    Column("sum_mm", Text(zh="累计降水", en="Sum of rain"), "mm", 1),
    Column("usual_mm", Text(zh="同期均值", en="Mean of the same months"), "mm", 1),
    Column("spi", Text(zh="SPI", en="SPI"), "1", 2),
    Column("grade", Text(zh="等级", en="Grade")),
    Column("reason", Text(zh="无值的原因", en="Why there is none")),
)
_NO_DAYS = Text(zh="时段内有缺测日", en="days are missing")
_NO_FIT = Text(zh="可用年数不足", en="too few years for a distribution")


class Asked(OfStation):
    """Of which station and over how many months; distributions are fitted on the years of reference."""

    scales: tuple[int, ...] = Field(
        (1, 3, 6, 12),
        min_length=1,
        max_length=len(SCALES),
        json_schema_extra=titled(
            "月数（1、3、6、12、24）", "Months (1, 3, 6, 12, 24)", items={"type": "integer", "enum": list(SCALES)}
        ),
    )
    reference_from: int | None = Field(
        None, ge=1800, le=2200, json_schema_extra=titled("基准期起始年（可选）", "First year of reference (optional)")
    )
    reference_to: int | None = Field(
        None, ge=1800, le=2200, json_schema_extra=titled("基准期终止年（可选）", "Last year of reference (optional)")
    )


class DroughtIndex(answers.Series):
    """Holds the rain of months against that of the same months of other years."""

    id = "drought-index"
    title = Text(zh="标准化降水指数（干旱）", en="Standardized precipitation index (drought)")
    description = Text(
        zh="雨量站 1、3、6、12 个月尺度的标准化降水指数（McKee 1993，逐月伽马分布，Thom 估参），"
        "干旱等级依 GB/T 20481；时段内有缺测日的月份无值。",
        en="SPI of a rain gauge over 1, 3, 6 and 12 months (McKee 1993; a gamma distribution for each calendar month, "
        "fitted after Thom) with grades after GB/T 20481. A stretch with a missing day has no index.",
    )
    inputs = Asked
    parts: ClassVar = table.schema(_TITLES, (_MONTH, _RAIN, *_INDEX.values(), *_LATEST))

    def answer(self, inputs: Asked) -> dict[str, Any]:
        """The index month by month, and how it stands. Raises BadInput."""
        scales = tuple(sorted(set(inputs.scales)))
        if unknown := [scale for scale in scales if scale not in SCALES]:
            raise BadInput("scales", f"{unknown[0]} is no scale", tuple(map(str, SCALES)))
        city = catalog.default()
        with default_database().thread_session() as conn, one_state(conn):
            record = days.read(Source(conn, city, inputs.moment, DAILY), inputs)
            told_sources = answers.sources(conn, city, inputs.moment, (DAILY,))
        months, rain = monthly(record)
        reference = _reference(months, inputs)
        first = int(months[0].astype(int) % 12) + 1
        found = {scale: spi.spi(rain, scale, first, reference) for scale in scales}
        station = record.station
        years = f"{_year(months[0])}-{_year(months[-1])}"
        return self.told(
            Text(zh=f"{station.name}（{station.code}） · {years}", en=f"{station.name} ({station.code}) · {years}"),
            {"latest": _latest(months, rain, found), "index": _course(months, rain, found)},
            told_sources,
        )


def monthly(record: Record) -> tuple[NDArray[np.datetime64], Floats]:
    """The months of a record and their rain (mm), nan where a day is missing; one that has not ended is left out."""
    of_day = record.days.astype("datetime64[M]")
    months = np.arange(of_day[0], of_day[-1] + 1)
    complete = record.days[-1] + 1 == (of_day[-1] + 1).astype("datetime64[D]")
    sums = np.zeros(len(months))
    np.add.at(sums, (of_day - of_day[0]).astype(int), record.rain)
    return (months, sums) if complete else (months[:-1], sums[:-1])


def _reference(months: NDArray[np.datetime64], inputs: Asked) -> slice:
    """The months of reference. Raises BadInput."""
    first, last = inputs.reference_from or _year(months[0]), inputs.reference_to or _year(months[-1])
    if last - first + 1 < spi.FEWEST:
        raise BadInput("reference_to", f"a reference has at least {spi.FEWEST} years, not {first} to {last}")
    begin, end = np.searchsorted(months, [np.datetime64(f"{first}-01"), np.datetime64(f"{last + 1}-01")])
    return slice(int(begin), int(end))


def _year(month: np.datetime64) -> int:
    return int(month.astype("datetime64[Y]").astype(int)) + 1970


def _rounded(value: float, digits: int) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)


def _last_day(month: np.datetime64) -> str:
    return str((month + 1).astype("datetime64[D]") - 1)


def _course(months: NDArray[np.datetime64], rain: Floats, found: dict[int, Floats]) -> Table:
    rows = [
        {"month": _last_day(month), "rain_mm": _rounded(rain[number], 1)}
        | {f"spi_{scale}": _rounded(values[number], 2) for scale, values in found.items()}
        for number, month in enumerate(months)
    ]
    columns = (_MONTH, _RAIN, *(_INDEX[scale] for scale in found))
    chart = TimeChart("month", tuple(f"spi_{scale}" for scale in found))
    return Table(_TITLES["index"], columns, rows, (), (), chart)


def _latest(months: NDArray[np.datetime64], rain: Floats, found: dict[int, Floats]) -> Table:
    rows = []
    for scale, values in found.items():
        sums = spi.accumulated(rain, scale)
        same = sums[(np.arange(len(sums)) - len(sums) + 1) % 12 == 0]
        known = same[~np.isnan(same)]
        index = _rounded(values[-1], 2)
        reason = None if index is not None else _NO_DAYS if np.isnan(sums[-1]) else _NO_FIT
        rows.append(
            {
                "scale": scale,
                "month": _last_day(months[-1]),
                "sum_mm": _rounded(sums[-1], 1),
                "usual_mm": round(float(known.mean()), 1) if len(known) else None,
                "spi": index,
                "grade": None if index is None else GRADES[spi.grade(index)].model_dump(),
                "reason": reason.model_dump() if reason else None,
            }
        )
    return Table(_TITLES["latest"], _LATEST, rows)
