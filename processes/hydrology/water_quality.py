"""Which class is the water at each station of, and which items are it due to?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import sql
from pydantic import Field

from shikong.hydrology import water_quality
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, titled
from shikong.processes.figures.table import Column, Table
from shikong.processes.hydrology import answers
from shikong.processes.hydrology.answers import Series
from shikong.processes.moments import Then
from shikong.store import moments, observations, observed_tables, tables
from shikong.store.database import default as default_database
from shikong.store.database import one_state

LAYER = "water_quality"

_MEANS = """
    SELECT s.stcd, s.stnm, s.wbtp, r.parameter, avg(o.value), max(o.time)
    FROM {stations} AS s
    JOIN {series} AS r ON r.station = s.stcd
    CROSS JOIN LATERAL (
        SELECT max(o.time) AS time FROM {table} AS o WHERE o.series = r.id AND o.time <= %(until)s AND o.quality = 0
    ) AS last
    JOIN {table} AS o ON o.series = r.id AND o.time > last.time - %(days)s AND o.time <= last.time AND o.quality = 0
    WHERE %(station)s::text IS NULL OR s.stcd = %(station)s
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 4
"""

_NO_BODY = Text(zh="测站未注明水体类型（河流或湖库）", en="the station does not say whether it is on a river or a lake")
_NO_ITEM = Text(zh="没有可评价的项目", en="none of its items is rated")

_STATIONS = (
    Column("station", Text(zh="测站编码", en="Station")), Column("name", Text(zh="测站名称", en="Name")),
    Column("body", Text(zh="水体类型", en="Water body")), Column("class", Text(zh="水质类别", en="Class")),
    Column("due_to", Text(zh="定类项目", en="Due to")), Column("observed_at", Text(zh="最近观测", en="Last observed")),
    Column("reason", Text(zh="未评定的原因", en="Why it is not rated")),
)  # fmt: skip
_ITEMS = (
    Column("station", Text(zh="测站编码", en="Station")), Column("item", Text(zh="项目", en="Item")),
    Column("value", Text(zh="均值", en="Mean"), "mg/L", 5), Column("class", Text(zh="类别", en="Class")),
    Column("limit", Text(zh="Ⅲ类限值", en="Limit of class III"), "mg/L", 5),
    Column("times", Text(zh="超标倍数", en="Exceeded by (times)"), "1", 2),
)  # fmt: skip


class Asked(Then):
    """Which stations, and over how long."""

    station: str | None = Field(None, json_schema_extra=titled("测站编码（可选）", "Station code (optional)"))
    days: int = Field(
        1, ge=1, le=366, json_schema_extra=titled("取最近若干天的均值", "Mean of so many days until the last value")
    )


class WaterQuality(Series):
    """Rates the water at each station by GB 3838-2002."""

    id = "water-quality"
    title = Text(zh="水质类别评价", en="Classes of water quality")
    description = Text(
        zh="按 GB 3838-2002 评定各水质站近若干天均值的类别、定类项目与超标倍数；河流与湖库分别评价，河流总氮不参评。",
        en="The class of the water at each station by GB 3838-2002, from the mean of its last days: which items it is "
        "due to, and by how much they exceed class III. Rivers and lakes have limits of their own.",
    )
    inputs = Asked

    def answer(self, inputs: Asked) -> dict[str, Any]:
        """The classes of stations and their items. Raises BadInput."""
        city, database = catalog.default(), default_database()
        layer = city.layer(LAYER)
        known: sql.Composable = tables.table(layer)
        if inputs.as_of is not None:
            known = observations.known_at(layer, sql.SQL("%(known_at)s"))
        query = sql.SQL(_MEANS).format(
            stations=moments.rows(city.layer(layer.stations or ""), inputs.moment), table=known,
            series=observed_tables.series(layer),
        )  # fmt: skip
        until = inputs.held_at or datetime.max.replace(tzinfo=UTC)
        params = inputs.moment.values | {
            "station": inputs.station, "days": timedelta(days=inputs.days), "until": until
        }  # fmt: skip
        with database.thread_session() as conn, one_state(conn):
            rows = conn.execute(query, params).fetchall()
            if not rows:
                raise BadInput("station", f"no water quality is known of {inputs.station or 'any station'}")
            sources = answers.sources(conn, city, inputs.moment, [LAYER])
        days = Text(zh=f"最近 {inputs.days} 天均值", en=f"means of the last {inputs.days} days")
        return self.told(days, _tables(city, rows), sources)


def _tables(city: Catalog, rows: list[tuple[Any, ...]]) -> dict[str, Table]:
    declared = city.layer(LAYER).parameters
    bodies, classes = city.codes["water_body_type"].codes, city.codes["water_quality_class"].codes
    stations: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    for code in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == code]
        name, body = own[0][1], own[0][2]
        quality = water_quality.rate({row[3]: row[4] for row in own}, body) if body in bodies else None
        reason = None if quality else _NO_BODY if body not in bodies else _NO_ITEM
        due = [declared[item.name].title for item in quality.deciding] if quality else []
        stations.append({
            "station": code, "name": name, "body": bodies[body].title.model_dump() if body in bodies else None,
            "class": classes[quality.grade].title.model_dump() if quality else None,
            "due_to": {"zh": "、".join(t.zh for t in due), "en": ", ".join(t.en for t in due)} if due else None,
            "observed_at": max(row[5] for row in own).isoformat(),
            "reason": reason.model_dump() if reason else None,
        })  # fmt: skip
        items += [
            {"station": code, "item": declared[item.name].title.model_dump(), "value": round(item.value, 6),
             "class": classes[item.grade].title.model_dump(), "limit": item.limit, "times": item.times}
            for item in (quality.items if quality else [])
        ]  # fmt: skip
    return {
        "stations": Table(Text(zh="各站类别", en="Stations"), _STATIONS, stations),
        "items": Table(Text(zh="各项目", en="Items"), _ITEMS, items),
    }
