"""The files of a generated sample city, as frames.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from pyproj import Geod

NOW = datetime.fromisoformat("2026-11-24T08:00:00+08:00")
GEOD = Geod(a=6378137.0, rf=298.257222101)
#: Layers of surfaces of the plans besides control lines and zones.
OTHER_PLANS = (
    "detailed_plots",
    "transport_plan",
    "water_plan",
    "forestry_plan",
    "heritage_zones",
    "utility_plan",
    "approved_projects",
)

#: Of files that are not UTF-8.
ENCODINGS = {"hydro_stations": "utf-8-sig", "culture_venues": "gb18030"}
TEXT = {"stcd": str, "xzqdm": str, "venue_id": str}


def manifest(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return document


def read(folder: Path, layer: str) -> pd.DataFrame:
    """The file of a layer as a frame; a GeoDataFrame where it has geometry."""
    name = next(step["file"] for step in manifest(folder)["steps"] if step["layer"] == layer)
    if name.endswith(".csv"):
        return pd.read_csv(folder / name, encoding=ENCODINGS.get(layer, "utf-8"), dtype=TEXT)
    if name.endswith(".geojson"):
        features = json.loads((folder / name).read_text(encoding="utf-8"))["features"]
        return pd.DataFrame([feature["properties"] for feature in features])
    frame: pd.DataFrame = gpd.read_file(folder / name)
    return frame


def overlaps(left: gpd.GeoDataFrame, right: gpd.GeoDataFrame) -> dict[tuple[str, str], float]:
    """Ellipsoidal area in m2 by pair of codes, found by brute force."""
    columns = ["code", "geometry"]
    pieces = gpd.overlay(left[columns], right[columns], how="intersection", keep_geom_type=True)
    areas = [abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))[0]) for shape in pieces.geometry]
    return dict(zip(zip(pieces["code_1"], pieces["code_2"], strict=True), areas, strict=True))
