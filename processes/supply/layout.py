"""Amounts laid out as rows of a table, with the totals that go with them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shikong.layers.code_lists import CodeList
from shikong.layers.declared import Text
from shikong.processes.figures.table import Column, Row
from shikong.processes.supply import classes
from shikong.processes.supply.areas import Amounts, Scope, hectares

COUNTY = Column("district", Text(zh="行政区代码", en="District code"))
COUNTY_NAME = Column("district_name", Text(zh="行政区", en="District"))
CLASS = Column("class", Text(zh="地类代码", en="Class code"))
CLASS_TITLE = Column("class_title", Text(zh="地类", en="Land class"))
NOTE = Column("note", Text(zh="说明", en="Note"))

ALL, EVERYWHERE = Text(zh="合计", en="Total"), Text(zh="全市", en="Whole city")
_NOWHERE = Text(zh="不在任何县（市、区）内", en="In no county")


def county_name(scope: Scope, county: str | None) -> Any:
    """A county's name, or what land in none is called."""
    return _NOWHERE.model_dump() if county is None else scope.names.get(county, county)


def by_class(
    scope: Scope, listed: CodeList, measures: Mapping[str, Amounts], shares: Mapping[str, str]
) -> tuple[list[Row], list[Row]]:
    """A row for each class of each county (ha), and totals: of each county, of each class, of all.

    shares: names of columns that say how much of its district's total a measure is (%).
    """
    place = classes.order(listed)
    keys = {key for amounts in measures.values() for key in amounts}
    counties = sorted({county for county, _ in keys}, key=lambda county: (county is None, county))
    codes = sorted({code for _, code in keys}, key=lambda code: (place.get(code, len(place)), code or ""))
    whole = {(county, name): _sum(amounts, (county,), codes)
             for county in counties for name, amounts in measures.items()}  # fmt: skip

    def row(within: tuple[str | None, ...], of: Iterable[str | None], **named: Any) -> Row:
        sums = {name: _sum(amounts, within, of) for name, amounts in measures.items()}
        told: Row = named | {name: hectares(area) for name, area in sums.items()}
        for share, name in shares.items():
            total = sum(whole[county, name] for county in within)
            told[share] = round(sums[name] / total * 100, 4) if total else None
        return told

    def named(county: str | None, code: str | None) -> Row:
        return {"district": county, "district_name": county_name(scope, county), "class": code,
                "class_title": classes.title(listed, code)}  # fmt: skip

    rows = [row((county,), (code,), **named(county, code)) for county in counties for code in codes
            if (county, code) in keys]  # fmt: skip
    every, everything = {"district": None, "district_name": EVERYWHERE.model_dump()}, ALL.model_dump()
    totals = [row((county,), codes, **named(county, None) | {"class_title": everything}) for county in counties]
    if scope.district is None and counties:
        totals += [row(tuple(counties), (code,), **named(None, code) | every) for code in codes]
        totals.append(row(tuple(counties), codes, **every, **{"class": None, "class_title": everything}))
    return rows, totals


def _sum(amounts: Amounts, counties: Iterable[str | None], codes: Iterable[str | None]) -> int:
    listed = tuple(codes)
    return sum(amounts.get((county, code), 0) for county in counties for code in listed)


def total_row(rows: Iterable[Row], columns: Iterable[str], **named: Any) -> Row:
    """The sum of rows (ha); unknown where one of them is."""
    told: Row = dict(named)
    every = list(rows)
    for name in columns:
        values = [row[name] for row in every]
        told[name] = None if None in values else hectares(sum(round(value * 10_000) for value in values))
    return told
