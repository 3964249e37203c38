"""How much of each land class has each district, and what changed between two years?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql
from pydantic import Field

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.moments import Known
from shikong.store import moments
from shikong.store.database import default as default_database
from shikong.store.moments import Moment, Period

#: Level-2 classes that belong to 00 湿地 in the survey, though their numbers begin otherwise.
WETLAND = frozenset({"0303", "0304", "0306", "0402", "0603", "1105", "1106", "1108"})

_STATE = """
    SELECT xzqdm, dlbm, bsm, tbmj FROM {versions} AS v WHERE valid_from <= {t} AND (valid_to IS NULL OR valid_to > {t})
"""

_BY_CLASS = f"""
    SELECT xzqdm, dlbm, sum(tbmj) FILTER (WHERE at = 0), sum(tbmj) FILTER (WHERE at = 1)
    FROM (SELECT 0 AS at, * FROM ({_STATE.replace("{t}", "%(t0)s")}) AS x
          UNION ALL SELECT 1, * FROM ({_STATE.replace("{t}", "%(t1)s")}) AS y) AS both_years
    WHERE %(district)s::text IS NULL OR xzqdm = %(district)s
    GROUP BY xzqdm, dlbm ORDER BY xzqdm, dlbm
"""

_CHANGES = f"""
    SELECT o.xzqdm, o.dlbm, n.dlbm, count(*), sum(n.tbmj)
    FROM ({_STATE.replace("{t}", "%(t0)s")}) AS o JOIN ({_STATE.replace("{t}", "%(t1)s")}) AS n USING (bsm)
    WHERE o.dlbm <> n.dlbm AND (%(district)s::text IS NULL OR o.xzqdm = %(district)s)
    GROUP BY o.xzqdm, o.dlbm, n.dlbm ORDER BY sum(n.tbmj) DESC
"""


class TwoYears(Known):
    """The ends of two years, which take the place of `datetime`, and maybe one district."""

    from_year: int = Field(2020, ge=1949, le=2100, json_schema_extra=titled("起始年末", "End of year"))
    to_year: int = Field(2025, ge=1949, le=2100, json_schema_extra=titled("终止年末", "Until end of year"))
    district: str | None = Field(
        None, pattern=r"^\d{6}$", json_schema_extra=titled("行政区代码（可选）", "District code (optional)")
    )


class LandUseChange(Process):
    """Sums parcels by district and land class at the ends of two years."""

    id = "land-use-change"
    title = Text(zh="地类面积与变化", en="Land classes and their change")
    description = Text(
        zh="各行政区各地类在两个年末的面积（公顷）及其间的地类流向。",
        en="Area of each land class in each district at the ends of two years (ha), and what became what.",
    )
    inputs = TwoYears

    def answer(self, inputs: TwoYears) -> dict[str, Any]:
        """Areas by district and class, and the changes. Raises BadInput."""
        if inputs.from_year >= inputs.to_year:
            raise BadInput("to_year", f"must be after {inputs.from_year}")
        layer = catalog.default().layer("parcels")
        always = Moment(Period(None, None), inputs.moment.known_at)
        parts = {"versions": moments.source(layer, always)}
        years = {"t0": _year_end(inputs.from_year), "t1": _year_end(inputs.to_year)}
        params = always.values | years | {"district": inputs.district}
        database = default_database()
        areas = database.thread_fetch(sql.SQL(_BY_CLASS).format(**parts), params)
        changes = database.thread_fetch(sql.SQL(_CHANGES).format(**parts), params)
        return {
            "from": f"{inputs.from_year}-12-31", "to": f"{inputs.to_year}-12-31",
            "total_from_ha": _hectares(sum(row[2] or 0 for row in areas)),
            "total_to_ha": _hectares(sum(row[3] or 0 for row in areas)),
            "areas": [_area_row(*row) for row in areas],
            "changes": [_change_row(*row) for row in changes],
        }  # fmt: skip


def level_1(code: str) -> str:
    """The level-1 class of a survey code; a wetland parcel's is 00, not the start of its number."""
    return "00" if code in WETLAND else code[:2]


def _year_end(year: int) -> datetime:
    """The last moment of a year in the city: what holds then is the state of that year."""
    return datetime(year, 12, 31, 23, 59, 59, tzinfo=ZoneInfo(catalog.default().city.timezone))


def _title(code: str) -> str:
    known = catalog.default().codes["land_use_survey"].codes
    return known[code].title.zh if code in known else code


def _hectares(square_metres: float) -> float:
    return round(square_metres / 10_000, 4)


def _area_row(district: str | None, code: str, before: float | None, after: float | None) -> dict[str, Any]:
    return {
        "district": district, "level_1": f"{level_1(code)} {_title(level_1(code))}", "class": f"{code} {_title(code)}",
        "from_ha": _hectares(before or 0), "to_ha": _hectares(after or 0),
        "change_ha": _hectares((after or 0) - (before or 0)),
    }  # fmt: skip


def _change_row(district: str | None, old: str, new: str, parcels: int, area: float) -> dict[str, Any]:
    return {"district": district, "from": f"{old} {_title(old)}", "to": f"{new} {_title(new)}", "parcels": parcels,
            "area_ha": _hectares(area)}  # fmt: skip
