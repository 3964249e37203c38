"""The queries of OGC API - EDR on cubes: the cells that a shape reaches into.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.providers import cells, covjson
from shikong.providers.cells import Cells
from shikong.server import asked
from shikong.server.context import Context
from shikong.server.edr import questions
from shikong.server.edr.questions import CubeAsked, CubeKind
from shikong.store import places, rasters
from shikong.store.database import Database

#: Media types by format, and which of them are files to keep.
_MEDIA = {
    "json": "application/prs.coverage+json", "geojson": "application/geo+json", "csv": "text/csv; charset=utf-8",
    "netcdf": "application/x-netcdf",
}  # fmt: skip
_ENDINGS = {"csv": "csv", "netcdf": "nc"}


async def get_query(
    context: Context, request: Request, layer: Layer, kind: CubeKind, known_at: datetime | None
) -> Response:
    """Answer a query. known_at: when the instance that the path names was published. Raises BadParameter, TooMuch."""
    asked.CUBE[kind].check(request.query_params)
    given = questions.read_cube(kind, request.query_params, layer, context.catalog.city)
    form = request.query_params.get("f") or "json"
    content = await run_in_threadpool(_answer, context.database, layer, given, known_at or given.known_at, form)
    headers = {}
    if form in _ENDINGS:
        headers["Content-Disposition"] = f'attachment; filename="{layer.id}.{_ENDINGS[form]}"'
    return Response(content, media_type=_MEDIA[form], headers=headers)


def _answer(store: Database, layer: Layer, given: CubeAsked, known_at: datetime | None, form: str) -> bytes | str:
    cube = rasters.opened(places.at(store, layer, known_at))[list(given.parameters)]
    found = cells.meant(cells.in_period(cube, given.period), given.where, given.shape_from)
    match form:
        case "netcdf":
            return cells.netcdf(found.masked())
        case "csv":
            return _rows(found)
        case "geojson":
            return orjson.dumps(_features(found))
        case _:
            return orjson.dumps(cells.covjson_of(found, layer))


def _rows(found: Cells) -> str:
    """CSV: a row for each cell and time."""
    lon, lat = found.middles()
    times = covjson.instants(found.cube["time"].values)
    columns = {
        "lon": np.repeat(lon, len(times)), "lat": np.repeat(lat, len(times)), "time": times * len(lon),
        **{name: found.series(str(name)).ravel() for name in found.cube.data_vars},
    }  # fmt: skip
    return str(pd.DataFrame(columns).to_csv(index=False))


def _features(found: Cells) -> dict[str, Any]:
    """GeoJSON: a feature at the middle of each cell, with its times and values as lists."""
    times = covjson.instants(found.cube["time"].values)
    values = {str(name): found.series(str(name)) for name in found.cube.data_vars}
    return {"type": "FeatureCollection", "features": [
        {
            "type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {"time": times, **{name: covjson.numbers(rows[at]) for name, rows in values.items()}},
        }
        for at, (lon, lat) in enumerate(zip(*(axis.tolist() for axis in found.middles()), strict=True))
    ]}  # fmt: skip
