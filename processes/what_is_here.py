"""What does the city know of this place? Every layer's answer at a point.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import orjson
from psycopg import Connection, sql
from pydantic import Field

from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer, ParameterDecl
from shikong.processes.base import Process, titled
from shikong.processes.moments import Then
from shikong.store import moments, places, rasters, tables
from shikong.store.database import default as default_database
from shikong.store.errors import NotKept, NotPublished

#: Features given per layer; more would hide the others.
PER_LAYER = 5

_NEAR = """
    SELECT {key}, to_jsonb(s) - {hidden}::text[], st_asgeojson(s.geom, 7, 0),
           round(st_distance(s.geom::geography, p.geom::geography)::numeric, 1)
    FROM {table} AS s, (SELECT st_setsrid(st_makepoint(%(lon)s, %(lat)s), {srid}) AS geom) AS p
    WHERE {where}
    ORDER BY s.geom <-> p.geom LIMIT {limit}
"""

#: A box of degrees around the point finds candidates by index; the distance on the ellipsoid decides.
_WITHIN = "s.geom && st_expand(p.geom, %(degrees)s) AND st_dwithin(s.geom::geography, p.geom::geography, %(radius)s)"


class Place(Then):
    """Where, and how far around for points and lines."""

    lon: float = Field(115.985, ge=-180, le=180, json_schema_extra=titled("经度", "Longitude", **{"x-point": True}))
    lat: float = Field(36.456, ge=-89, le=89, json_schema_extra=titled("纬度", "Latitude", **{"x-point": True}))
    radius: float = Field(
        300, gt=0, le=5000, json_schema_extra=titled("点与线的查找半径（米）", "Radius for points and lines (m)")
    )


class WhatIsHere(Process):
    """Answers with what covers the point and what lies near it, layer by layer."""

    id = "what-is-here"
    title = Text(zh="此处有什么", en="What is here")
    description = Text(
        zh="给出一点上全部图层的回答：所在的面、附近的点与线、高程、最近的降水。",
        en="Every layer's answer at a point: what covers it, what lies near it, elevation and rain.",
    )
    inputs = Place

    def answer(self, inputs: Place) -> dict[str, Any]:
        """The layers' answers as rows, and the features found as GeoJSON."""
        rows: list[dict[str, Any]] = []
        features: list[dict[str, Any]] = []
        database = default_database()
        with database.thread_session() as conn:
            for layer in catalog.default():
                if layer.kind == "features":
                    for found in _features(conn, layer, inputs):
                        features.append(found)
                        rows.append(_row(layer, found))
            data = database.settings.data
            for layer in catalog.default():
                rows += _grid_rows(conn, layer, data, inputs)
        return {"point": [inputs.lon, inputs.lat], "found": len(rows), "answers": rows,
                "features": {"type": "FeatureCollection", "features": features}}  # fmt: skip


def _features(conn: Connection[Any], layer: Layer, place: Place) -> list[dict[str, Any]]:
    area = (layer.geometry or "").endswith("Polygon")
    query = sql.SQL(_NEAR).format(
        key=sql.Identifier(layer.key_field), table=moments.rows(layer, place.moment), srid=sql.Literal(tables.SRID),
        hidden=sql.Literal(["_row", "_hash", "_release", "_source_row", "geom", "geom_3857"]),
        limit=sql.Literal(PER_LAYER), where=sql.SQL("st_intersects(s.geom, p.geom)" if area else _WITHIN),
    )  # fmt: skip
    degrees = place.radius / 111_000 / max(0.02, math.cos(math.radians(place.lat)))
    params = place.moment.values | {"lon": place.lon, "lat": place.lat, "radius": place.radius, "degrees": degrees}
    return [
        {"type": "Feature", "id": f"{layer.id}/{key}", "geometry": orjson.loads(shape),
         "properties": {"layer": layer.id, "distance_m": float(distance), **properties}}
        for key, properties, shape, distance in conn.execute(query, params)
    ]  # fmt: skip


def _row(layer: Layer, feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature["properties"]
    known = catalog.default().codes
    words: list[tuple[str, str]] = []
    for name, field in layer.fields.items():
        value = properties.get(name)
        if value is None or field.key or field.derived or field.type in ("integer", "number", "boolean"):
            continue
        code = known[field.codes].codes.get(value) if field.codes else None
        titles = (code.title.zh, code.title.en) if code else None
        words.append((f"{titles[0]} ({value})", f"{titles[1]} ({value})") if titles else (str(value), str(value)))
    return _told(layer, feature["id"].partition("/")[2], words[:4], properties["distance_m"], properties["origin"])


def _told(layer: Layer, name: str, words: list[tuple[str, str]], distance: float, origin: str | None) -> dict[str, Any]:
    """A row of the answer. words: in Chinese and in English."""
    return {
        "theme": layer.theme, "collection": layer.id, "layer": layer.title.zh, "layer_en": layer.title.en, "id": name,
        "what": " · ".join(zh for zh, _ in words), "what_en": " · ".join(en for _, en in words),
        "distance_m": distance, "origin": origin,
    }  # fmt: skip


def _grid_rows(conn: Connection[Any], layer: Layer, data: Path, place: Place) -> list[dict[str, Any]]:
    """Values of coverages and cubes; a layer without data, or whose data of then is not kept, has no answer."""
    if layer.kind not in ("coverage", "cube"):
        return []
    try:
        files = places.known(conn, data, layer, place.as_of)
    except (NotPublished, NotKept):
        return []
    if layer.kind == "coverage":
        values, when = rasters.value_at(files, layer, place.lon, place.lat), None
    else:
        when, values = rasters.last_step_at(files, layer, place.lon, place.lat, place.held_at) or (None, None)
    if values is None:
        return []
    words = [_measured(catalog.default(), declared, values.get(name)) for name, declared in layer.parameters.items()]
    return [_told(layer, when or "", words, 0.0, None)]


def _measured(known: Catalog, parameter: ParameterDecl, value: float | None) -> tuple[str, str]:
    """A value of a raster in Chinese and in English; a code as what it means."""
    title = parameter.title
    if value is None:
        return f"{title.zh} 无值", f"{title.en}: no value"
    if parameter.codes and (code := known.codes[parameter.codes].codes.get(f"{value:g}")):
        return f"{title.zh} {code.title.zh}", f"{title.en}: {code.title.en}"
    unit = "" if parameter.unit == "1" else f" {parameter.unit}"
    return f"{title.zh} {value}{unit}", f"{title.en} {value}{unit}"
