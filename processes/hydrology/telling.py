"""What answers about water have in common: on which elevation model they rest, and what their parts are called.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes.figures import page, text, workbook
from shikong.processes.figures.sources import sources_of
from shikong.processes.figures.table import Column, Row, Table, schema
from shikong.processes.hydrology.model import ELEVATION, RIVERS, Model
from shikong.store.moments import Moment

#: Other forms of an answer with tables.
RENDERINGS = {"csv": text.CSV, "xlsx": workbook.XLSX, "html": page.HTML}

STATIONS = (
    Column("station", Text(zh="测站编码", en="Station")), Column("name", Text(zh="名称", en="Name")),
    Column("type", Text(zh="站类", en="Type")), Column("lon", Text(zh="经度", en="Longitude"), "°", 6),
    Column("lat", Text(zh="纬度", en="Latitude"), "°", 6),
)  # fmt: skip
STREAMS = (
    Column("order", Text(zh="河流级别（Strahler）", en="Order (Strahler)"), "1", 0),
    Column("stretches", Text(zh="河段数", en="Stretches"), "1", 0),
    Column("length_km", Text(zh="长度", en="Length"), "km", 3),
)
_PARTS = {
    "model": Text(zh="所据高程模型", en="Elevation model"), "outlet": Text(zh="出口", en="Outlet"),
    "complete": Text(zh="是否完整", en="Complete"), "incomplete": Text(zh="为何不完整", en="Why it is not complete"),
}  # fmt: skip
_WORDS = {
    "kind": Text(zh="代号", en="Kind"), "title": Text(zh="内容", en="What (Chinese)"),
    "title_en": Text(zh="内容（英文）", en="What"),
}  # fmt: skip
_MODEL = {
    "layer": Text(zh="图层", en="Layer"), "release": Text(zh="版本", en="Release"),
    "cell_m": Text(zh="栅格大小（m）", en="Cell size (m)"), "cells": Text(zh="栅格数", en="Cells"),
    "rivers_burnt": Text(zh="烧入的已知河流数", en="Known rivers burnt in"), "note": Text(zh="说明", en="Note"),
}  # fmt: skip
_OUTLET = {
    "clicked": Text(zh="所点位置", en="As clicked"), "snapped": Text(zh="捕捉后位置", en="As snapped"),
    "moved_m": Text(zh="移动距离（m）", en="Moved by (m)"),
    "upstream_km2": Text(zh="上游集水面积（km²）", en="Ground upstream (km²)"),
}  # fmt: skip


def parts(tables: dict[str, Text], columns: Sequence[Column], words: dict[str, Text]) -> dict[str, Any]:
    """What the parts of an answer are called. words: of the properties of its features."""
    found = schema(tables, columns) | {name: {"title": title.model_dump()} for name, title in _PARTS.items()}
    for name, inside in (("model", _MODEL), ("outlet", _OUTLET)):
        found[name]["properties"] = {each: {"title": title.model_dump()} for each, title in inside.items()}
    told = {name: {"title": title.model_dump()} for name, title in (_WORDS | words).items()}
    feature = {"properties": {"properties": {"properties": told}}}
    title = {"zh": "地图", "en": "Map"}
    return found | {"features": {"title": title, "properties": {"features": {"items": feature}}}}


def answer(
    conn: Connection[Any], city: Catalog, model: Model, moment: Moment, layers: Sequence[str], title: Text,
    tables: dict[str, Table], body: Row,
) -> Row:  # fmt: skip
    """An answer with tables. layers: what it is from besides heights and rivers. body: its own parts."""
    sources, label = sources_of(conn, city, (ELEVATION, RIVERS, *layers), moment)
    return {
        "title": title.model_dump(), "subtitle": None, "label": label, **body, "model": _model(model, sources),
        "tables": {name: each.told for name, each in tables.items()}, "sources": sources,
    }  # fmt: skip


def _model(model: Model, sources: list[Row]) -> Row:
    """The elevation model, and what was done to it."""
    grid = model.grid
    north = grid.height // 2
    note = Text(zh="洼地已填平，流向为 D8", en="Hollows are filled, directions are D8")
    if model.burnt:
        note = Text(
            zh=f"已将 {model.burnt} 条已知河流烧入高程模型，水流沿其流向；{note.zh}",
            en=f"{model.burnt} known rivers were burnt into the model, so that water follows them. {note.en}",
        )
    release = next(each["release"] for each in sources if each["layer"] == ELEVATION)
    size = float(grid.cell_areas()[north]) ** 0.5
    return {"layer": ELEVATION, "release": release, "cell_m": round(size, 1), "cells": grid.height * grid.width,
            "rivers_burnt": model.burnt, "note": note.model_dump()}  # fmt: skip


def by_order(streams: Sequence[Any]) -> list[Row]:
    """How many stretches of stream there are of each order, and how long they are together."""
    return [
        {"order": order, "stretches": len(of), "length_km": round(sum(each.length for each in of) / 1000, 3)}
        for order in sorted({each.order for each in streams})
        if (of := [each for each in streams if each.order == order])
    ]
