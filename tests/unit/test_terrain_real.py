"""Basins on a real elevation model (Texas, 3 arc-seconds), held against pysheds and against a gauge of the USGS.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from shikong.hydrology.terrain import basins, flow
from shikong.hydrology.terrain.flow import Derived
from shikong.hydrology.terrain.grid import NODATA, Grid


@dataclass(frozen=True)
class Texas:
    """The model, what we derive of it, and where its file is."""

    path: Path
    grid: Grid
    found: Derived

    def outlet(self, lon: float, lat: float, metres: float = 700) -> tuple[int, int]:
        cell = self.grid.cell(lon, lat)
        assert cell is not None
        window = basins.window_around(self.grid, *cell, metres)
        areas = self.found.areas[window.slices]
        snapped = basins.snap(areas, areas >= 5e6, self.grid.part(window), lon, lat, metres)
        assert snapped is not None
        return snapped[0] + window.top, snapped[1] + window.left

    def basin(self, row: int, column: int) -> tuple[basins.Basin, Any]:
        """The basin of a cell, and as a mask of the whole model."""
        basin = basins.watershed(
            lambda window: np.ascontiguousarray(self.found.directions[window.slices]), self.grid, row, column
        )
        mask = np.zeros(self.grid.shape, dtype=bool)
        mask[basin.window.slices] = basin.inside
        return basin, mask


@pytest.fixture(scope="module")
def texas() -> Texas:
    path = Path(__file__).parents[3] / "shared" / "data" / "raster" / "pysheds_dem.tif"
    if not path.exists():
        pytest.skip(f"no real data at {path}: tests on real files are not run")
    with rasterio.open(path) as raster:
        heights = raster.read(1, masked=True).astype("float32").filled(NODATA)
        grid = Grid.of(raster.transform, raster.height, raster.width)
    return Texas(path, grid, flow.derive(grid, heights))


@pytest.fixture
def pysheds_grid(texas: Texas, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(np, "in1d", np.isin, raising=False)  # pysheds 0.5 asks for it; NumPy 2.4 has it no more
    from pysheds.grid import Grid as PyshedsGrid

    return PyshedsGrid.from_raster(str(texas.path))


def test_pysheds_finds_the_same_basin_and_sums_in_our_directions(texas: Texas, pysheds_grid: Any) -> None:
    from pysheds.view import Raster

    row, column = texas.outlet(-97.294, 32.7378)
    _, ours = texas.basin(row, column)
    view = pysheds_grid.read_raster(str(texas.path)).viewfinder
    directions = Raster(texas.found.directions.astype("int64"), viewfinder=view)
    theirs = np.asarray(pysheds_grid.catchment(x=column, y=row, fdir=directions, xytype="index"), dtype=bool)
    assert ours.sum() > 10_000
    assert (ours == theirs).all()
    cells = np.repeat(texas.grid.cell_areas()[:, None], texas.grid.width, axis=1)
    weights = Raster(cells, viewfinder=view)
    summed = np.asarray(pysheds_grid.accumulation(directions, weights=weights))
    inner = np.s_[1:-1, 1:-1]  # pysheds takes the outermost cells for unknown
    assert texas.found.areas[inner] == pytest.approx(summed[inner], rel=0.02, abs=2e5)
    assert np.median(np.abs(texas.found.areas[inner] / summed[inner] - 1)) < 1e-6


@pytest.mark.parametrize(("lon", "lat"), [(-97.294, 32.7378), (-97.30, 32.70)])
def test_pysheds_own_directions_give_nearly_the_same_basin(
    texas: Texas, pysheds_grid: Any, lon: float, lat: float
) -> None:
    """It goes down the steepest way and levels flats otherwise; ours goes to the lowest neighbour."""
    row, column = texas.outlet(lon, lat)
    basin, ours = texas.basin(row, column)
    assert not basin.cut
    filled = pysheds_grid.fill_depressions(pysheds_grid.fill_pits(pysheds_grid.read_raster(str(texas.path))))
    directions = pysheds_grid.flowdir(pysheds_grid.resolve_flats(filled))
    sums = np.asarray(pysheds_grid.accumulation(directions))[row - 3 : row + 4, column - 3 : column + 4]
    down, right = np.unravel_index(int(sums.argmax()), sums.shape)
    theirs = pysheds_grid.catchment(
        x=column - 3 + int(right), y=row - 3 + int(down), fdir=directions, xytype="index"
    )  # fmt: skip
    theirs = np.asarray(theirs, dtype=bool)
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.91
    assert ours.sum() / theirs.sum() == pytest.approx(1, abs=0.07)


def test_the_area_at_a_gauge_is_the_published_one(texas: Texas) -> None:
    """USGS 08048520, Sycamore Creek at Interstate Highway 35-W, Fort Worth (described in USGS Open-File Report 77-266):
    17.7 square miles. Position and area are quoted; neither is among the files of real data. bench/gauges.py holds basins
    against areas that are published in files."""
    basin, _ = texas.basin(*texas.outlet(-97.3211, 32.6653, 500))
    assert not basin.cut
    assert basins.ground(basin, texas.grid) / 2_589_988.11 == pytest.approx(17.7, rel=0.05)
