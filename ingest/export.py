"""Writing rows into files that people open: refused rows to be mended, and what changed between releases.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from shikong.ingest.errors import IngestError
from shikong.ingest.readers.base import object_array
from shikong.ingest.resubmit import ID_COLUMN
from shikong.layers.model import Layer
from shikong.store.as_of import Changed
from shikong.store.quarantine import Quarantined

_DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON"}
_ROWS = 20_000


def quarantined(rows: Iterable[Quarantined], file: Path) -> int:
    """Write refused rows, each with its number and reasons; returns how many. CSV has shapes as WKT."""
    found = list(rows)
    if not found:
        raise IngestError("there is no open row to write")
    records = [{ID_COLUMN: row.id, "reasons": "; ".join(row.reasons), **_plain(row.record)} for row in found]
    shapes = shapely.from_wkb(object_array([row.geom for row in found]))
    if file.suffix.lower() == ".csv":
        frame = pd.DataFrame(records)
        frame["wkt"] = shapely.to_wkt(shapes, rounding_precision=-1)
        frame.to_csv(file, index=False, encoding="utf-8-sig")  # the mark tells spreadsheets that it is UTF-8
    else:
        gpd.GeoDataFrame(records, geometry=shapes, crs=4490).to_file(file, driver=_driver(file), layer="quarantine")
    return len(found)


def changes(layer: Layer, found: Iterable[Changed], file: Path) -> int:
    """Write what differs between two releases; a changed feature stands twice, as it was and as it is."""
    driver, written = _driver(file), 0
    file.unlink(missing_ok=True)
    sides = _sides(found)
    while part := list(islice(sides, _ROWS)):
        frame = gpd.GeoDataFrame(
            [record for record, _ in part], geometry=shapely.from_wkb([shape for _, shape in part]), crs=4490
        )
        frame.to_file(file, driver=driver, layer=f"{layer.id}_changes", mode="a" if written else "w")
        written += len(part)
    return written


def _sides(found: Iterable[Changed]) -> Iterator[tuple[dict[str, Any], bytes]]:
    for item in found:
        for side, state in (("old", item.old), ("new", item.new)):
            if state is not None:
                change = f"changed_{side}" if item.change == "changed" else item.change
                content = {name: value for name, value in state.items() if name != "geom"}
                yield {"change": change, **_plain(content)}, state["geom"]


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Values that every format has."""
    return {
        name: value.isoformat()
        if isinstance(value, date | datetime)
        else json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict | list)
        else value
        for name, value in record.items()
    }


def _driver(file: Path) -> str:
    driver = _DRIVERS.get(file.suffix.lower())
    if driver is None:
        raise IngestError(f"{file.name}: write {' or '.join(_DRIVERS)}")
    return driver
