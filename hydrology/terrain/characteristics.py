"""The figures by which hydrologists tell basins apart.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyflwdir
from pyflwdir import streams as library
from pyflwdir.dem import slope

from shikong.hydrology.terrain import basins
from shikong.hydrology.terrain.basins import Basin
from shikong.hydrology.terrain.grid import GEOD, NODATA, Floats, Grid, Heights, Numbers, Truths
from shikong.hydrology.terrain.trace import follow

#: Shares of a basin's ground of which it is told how low it lies.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Characteristic:
    """One figure. value: None where it has no meaning. unit: "1" for a ratio."""

    name: str
    value: float | None
    unit: str
    zh: str
    en: str


@dataclass(frozen=True)
class LongestPath:
    """The longest way of water in a basin. positions: of its cells in the window, from the head to the outlet.
    length: m. fall: m from head to outlet by the ground."""

    positions: Numbers
    length: float
    fall: float

    @property
    def slope(self) -> float:
        """m per m, 0 where the head lies no higher than the outlet."""
        return max(0.0, self.fall) / self.length if self.length else 0.0


def longest_path(basin: Basin, grid: Grid, heights: Heights) -> LongestPath:
    """The longest way of water in a basin. heights: of its window."""
    part = grid.part(basin.window)
    row, column = basin.outlet
    outlet = row * part.width + column
    if basin.inside.sum() < 2:
        return LongestPath(np.array([outlet]), 0.0, 0.0)
    flow = pyflwdir.from_array(basin.directions, ftype="d8", check_ftype=False, mask=basin.inside)
    rows = np.repeat(np.arange(part.height), part.width)
    steps = part.steps(rows, basin.directions.ravel())
    steps[outlet] = 0
    far = library.accuflux_ds(flow.idxs_ds, flow.idxs_seq, steps, NODATA)
    head = int(np.argmax(np.where(basin.inside.ravel(), far, -1)))
    path = follow(flow.idxs_ds, head)
    fall = float(heights.ravel()[head]) - float(heights.ravel()[outlet])
    return LongestPath(path, float(far[head]), fall)


def measure(
    basin: Basin, grid: Grid, heights: Heights, shape: Any, path: LongestPath, stream_length: float
) -> list[Characteristic]:
    """A basin's figures.

    heights: of its window, NODATA where unknown. shape: its outline. stream_length: m of streams in it.
    """
    area, perimeter = basins.ground(basin, grid), abs(GEOD.geometry_area_perimeter(shape)[1])
    km2, length = area / 1e6, path.length / 1000
    return [
        Characteristic("area_km2", km2, "km2", "集水面积", "Area"),
        Characteristic("perimeter_km", perimeter / 1000, "km", "周长（沿栅格边）", "Perimeter (along cells' edges)"),
        Characteristic("longest_path_km", length, "km", "最长汇流路径长度", "Length of the longest flow path"),
        Characteristic(
            "path_slope_permille", path.slope * 1000, "‰", "最长汇流路径平均坡降", "Mean slope of the longest flow path"
        ),
        *_of_ground(basin, grid, heights),
        Characteristic("streams_km", stream_length / 1000, "km", "河流总长", "Length of streams"),
        Characteristic("drainage_density", stream_length / 1000 / km2, "km/km2", "河网密度", "Drainage density"),
        Characteristic(
            "form_factor", km2 / length**2 if length else None, "1",
            "形状系数（Horton：面积/最长汇流路径²）", "Form factor (Horton: area / longest flow path²)",
        ),
        Characteristic(
            "circularity", 4 * math.pi * area / perimeter**2, "1", "圆度（Miller）", "Circularity ratio (Miller)"
        ),
        Characteristic(
            "concentration_time_h", kirpich(path.length, path.slope), "h", "汇流时间（Kirpich 公式）",
            "Time of concentration (Kirpich)",
        ),
    ]  # fmt: skip


def kirpich(length: float, slope_of_path: float) -> float | None:
    """Hours that water takes along a path of so many m with a slope in m per m, after Kirpich (1940):
    0.0195 L^0.77 S^-0.385 minutes. None where nothing falls."""
    return 0.0195 * length**0.77 * slope_of_path**-0.385 / 60 if slope_of_path > 0 else None


def _of_ground(basin: Basin, grid: Grid, heights: Heights) -> list[Characteristic]:
    """Slopes and heights of the ground, each cell by its area."""
    part = grid.part(basin.window)
    inside = basin.inside & (heights != NODATA)
    areas = np.repeat(part.cell_areas(), part.width).reshape(part.shape)[inside]
    steep = slope(heights, nodata=NODATA, latlon=True, transform=tuple(part.transform)[:6])[inside]
    known = heights[inside].astype(float)
    low, high = float(known.min()), float(known.max())
    return [
        Characteristic("mean_slope_deg", math.degrees(math.atan(float(np.average(steep, weights=areas)))), "°",
                       "地面平均坡度", "Mean slope of the ground"),
        Characteristic("elevation_min_m", low, "m", "最低高程", "Lowest ground"),
        Characteristic("elevation_max_m", high, "m", "最高高程", "Highest ground"),
        Characteristic("elevation_mean_m", float(np.average(known, weights=areas)), "m", "平均高程", "Mean elevation"),
        Characteristic("relief_m", high - low, "m", "高差", "Relief"),
        *(
            Characteristic(f"elevation_p{round(share * 100):02}_m", value, "m", f"高程 {share:.0%} 分位",
                           f"Elevation that {share:.0%} of the ground do not exceed")
            for share, value in zip(QUANTILES, _quantiles(known, areas), strict=True)
        ),
    ]  # fmt: skip


def _quantiles(values: Floats, weights: Floats) -> list[float]:
    """The values that shares of the weight do not exceed."""
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    at = np.minimum(np.searchsorted(share, QUANTILES), len(values) - 1)
    return [float(each) for each in values[order][at]]


def stream_length(chosen: Truths, basin: Basin, grid: Grid) -> float:
    """Metres of streams in a basin. chosen: which cells of its window are of streams."""
    part = grid.part(basin.window)
    rows, columns = np.nonzero(chosen & basin.inside)
    steps = part.steps(rows, basin.directions[rows, columns])
    row, column = basin.outlet
    return float(steps[(rows != row) | (columns != column)].sum())
