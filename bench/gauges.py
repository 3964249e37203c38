"""Do basins at gauges have the areas that are published of them?

Takes an elevation model and a list of gauges with their drainage areas as the USGS gives it in GAGES-II
(`conterm_basinid.txt`: STAID, STANAME, DRAIN_SQKM, LAT_GAGE, LNG_GAGE), neither of which lies in the project, and
delineates the basin of every gauge inside the model as the process `watershed` does. A basin that the model cuts off is
told and not counted: `python bench/gauges.py MODEL.tif conterm_basinid.txt`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from rasterio.vrt import WarpedVRT
from rich.console import Console
from rich.table import Table

from shikong.hydrology.terrain import basins, flow
from shikong.hydrology.terrain.flow import Derived
from shikong.hydrology.terrain.grid import NODATA, Grid

#: A gauge is put on the nearest stream that drains at least this area (m²), no farther away than this (m).
STREAM, REACH = 5e6, 500.0


def main() -> None:
    """Derive, delineate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an elevation model that rasterio reads")
    parser.add_argument("gauges", type=Path, help="CSV of gauges with their published areas")
    options = parser.parse_args()
    grid, heights = _read(options.model)
    found = flow.derive(grid, heights)
    table = Table("gauge", "name", "published, km²", "ours, km²", "ratio")
    for gauge in pd.read_csv(options.gauges, dtype={"STAID": str}).itertuples():
        if (basin := _basin(grid, found, gauge.LNG_GAGE, gauge.LAT_GAGE)) is None:
            continue
        area = basins.ground(basin, grid) / 1e6
        ratio = "cut off by the model" if basin.cut else f"{area / gauge.DRAIN_SQKM:.3f}"
        table.add_row(gauge.STAID, gauge.STANAME, f"{gauge.DRAIN_SQKM:,.1f}", f"{area:,.1f}", ratio)
    Console(width=110).print(table)


def _read(path: Path) -> tuple[Grid, Any]:
    """The model's grid in degrees, and its heights."""
    with rasterio.open(path) as raster, WarpedVRT(raster, crs="EPSG:4326", resampling=1) as warped:
        heights = warped.read(1, masked=True).astype("float32").filled(NODATA)
        return Grid.of(warped.transform, warped.height, warped.width), heights


def _basin(grid: Grid, found: Derived, lon: float, lat: float) -> basins.Basin | None:
    """The basin of a gauge; None where it lies beyond the model or at no stream."""
    if (cell := grid.cell(lon, lat)) is None:
        return None
    near = basins.window_around(grid, *cell, REACH)
    areas = found.areas[near.slices]
    snapped = basins.snap(areas, areas >= STREAM, grid.part(near), lon, lat, REACH)
    if snapped is None:
        return None
    row, column = snapped[0] + near.top, snapped[1] + near.left
    return basins.watershed(lambda window: np.ascontiguousarray(found.directions[window.slices]), grid, row, column)


if __name__ == "__main__":
    main()
