"""How long does one click for a watershed take on a large elevation model, beside the bare library?

A model of 25 million cells is generated once. The peer is pyflwdir doing the same on the same arrays in memory: basin
and outline of the same outlets. Ours reads rasters from disk, as the process does. Both are warm: what is compiled at
first use was used before. Run by `make bench-watershed`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyflwdir
import rasterio
import shapely
from pyflwdir.dem import fill_depressions
from rasterio.features import shapes
from rasterio.transform import from_origin
from rich.console import Console
from rich.table import Table
from scipy.ndimage import zoom
from servers import ROOT

from shikong.hydrology.terrain import basins, characteristics, flow
from shikong.hydrology.terrain.grid import NODATA, Grid
from shikong.processes.hydrology import model
from shikong.processes.hydrology.model import Model

SIZE, STEP = 5_000, 0.0002
TRANSFORM = from_origin(115.3, 37.0, STEP, STEP)
#: Shares of the model's cells that the basins of the clicks have, about.
SHARES = (0.0001, 0.001, 0.01, 0.1)
GOAL = 1.2
#: How often all is derived, and the word for what is derived here.
DERIVED, WORD = 3, "bench"
ERR, OUT = Console(stderr=True), Console(width=110)


def main() -> None:
    """Generate, derive, click, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="clicks on each place; the best counts (default 5)")
    options = parser.parse_args()
    folder = Path(os.environ.get("SHIKONG_BENCH_DATA") or ROOT / "var/bench").resolve() / "terrain"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "heights.tif"
    if not place.exists():
        _say(f"generating {SIZE:,} × {SIZE:,} cells (once)")
        _generate(place)
    _warm()
    with rasterio.open(place) as raster:
        heights = raster.read(1)
    first = _derived(place, heights)
    with model.at(place, [], WORD) as ours:
        directions, areas = ours.directions(ours.grid.whole), ours.areas(ours.grid.whole)
        clicks = [(share, *_outlet(areas, share)) for share in SHARES]
        _same(ours, directions, clicks)
        rows = [_clicked(ours, directions, click, options.rounds) for click in clicks]
    _show(first, rows)


def _generate(place: Path) -> None:
    """Hills over hills, with hollows, falling to the south; two corners are not known."""
    rng = np.random.default_rng(1)
    heights = np.linspace(400, 0, SIZE, dtype="float32")[:, None] * np.ones(SIZE, dtype="float32")
    for points, height in ((5, 300), (18, 80), (80, 20), (400, 4)):
        drawn = rng.normal(size=(points, points)).astype("float32") * height
        heights += zoom(drawn, SIZE / points, order=1)[:SIZE, :SIZE]
    heights[:300, :300] = heights[-300:, -300:] = NODATA
    options = {
        "driver": "GTiff", "width": SIZE, "height": SIZE, "count": 1, "dtype": "float32", "crs": "EPSG:4490",
        "nodata": NODATA, "transform": TRANSFORM, "tiled": True, "compress": "DEFLATE", "predictor": 3,
    }  # fmt: skip
    with rasterio.open(place, "w", **options) as file:
        file.write(heights, 1)


def _warm() -> None:
    """Have everything compiled."""
    rng = np.random.default_rng(2)
    heights = rng.uniform(0, 9, (40, 40)).astype("float32")
    grid = Grid.of(TRANSFORM, 40, 40)
    derived = flow.derive(grid, heights)
    basin = basins.watershed(lambda window: derived.directions[window.slices], grid, 20, 20)
    _bare(derived.directions, 20, 20)
    _bare_derived(heights)
    _figures(basin, grid, heights[basin.window.slices], derived.areas[basin.window.slices])


def _bare_derived(heights: Any) -> Any:
    """What the library alone does the first time: directions and ground upstream."""
    directions = fill_depressions(heights, nodata=NODATA)[1]
    library = pyflwdir.from_array(directions, ftype="d8", check_ftype=False, transform=TRANSFORM, latlon=True)
    library.upstream_area(unit="m2")
    return library


def _derived(place: Path, heights: Any) -> tuple[float, float, float]:
    """Seconds of the first click by us and by the library alone, the best of some in turns, and bytes a cell that ours
    takes at most."""
    mine, bare = [], []
    for turn in range(DERIVED):
        _say(f"deriving, {turn + 1} of {DERIVED}")
        bare.append(_best(lambda: _first_bare(heights), 1))
        shutil.rmtree(place.with_name(f"{place.stem}.{WORD}.terrain"), ignore_errors=True)
        mine.append(_best(lambda: _first_of_ours(place), 1))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        held = pool.apply(_held, (place,))
    return min(mine), min(bare), held / heights.size


def _first_bare(heights: Any) -> None:
    library = _bare_derived(heights)
    _outline(library.basins(idxs=np.array([SIZE // 2 * SIZE + SIZE // 2])) != 0)


def _first_of_ours(place: Path) -> None:
    with model.at(place, [], WORD) as ours:
        basin = basins.watershed(ours.directions, ours.grid, SIZE // 2, SIZE // 2)
        basins.outline(basin.inside, ours.grid.part(basin.window))


def _held(place: Path) -> float:
    """Bytes that a process needs at most to derive, more than before."""
    _warm()
    with rasterio.open(place) as raster:
        heights = raster.read(1)
    before = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")
    flow.derive(Grid.of(TRANSFORM, SIZE, SIZE), heights)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before


def _outlet(areas: Any, share: float) -> tuple[int, int]:
    """The cell whose ground upstream is nearest to a share of the model's."""
    wanted = share * areas.size * float(Grid.of(TRANSFORM, SIZE, SIZE).cell_areas()[SIZE // 2])
    row, column = divmod(int(np.argmin(np.abs(areas - wanted))), SIZE)
    return row, column


def _bare(directions: Any, row: int, column: int) -> Any:
    """The basin's outline as the library and rasterio give it, from directions."""
    library = pyflwdir.from_array(directions, ftype="d8", check_ftype=False, transform=TRANSFORM, latlon=True)
    return _outline(library.basins(idxs=np.array([row * directions.shape[1] + column])) != 0)


def _outline(mask: Any) -> Any:
    found = shapes(mask.astype("uint8"), mask=mask, transform=TRANSFORM)
    return shapely.MultiPolygon([shapely.geometry.shape(shape) for shape, _ in found])


def _ours(ours: Model, row: int, column: int) -> Any:
    """The basin as the process finds it, from rasters on disk."""
    return basins.watershed(ours.directions, ours.grid, row, column)


def _figures(basin: Any, grid: Grid, heights: Any, areas: Any) -> Any:
    """The figures of a basin, as the process tells them."""
    shape = basins.outline(basin.inside, grid.part(basin.window))
    path = characteristics.longest_path(basin, grid, heights)
    length = characteristics.stream_length(areas >= 5e6, basin, grid)
    return characteristics.measure(basin, grid, heights, shape, path, length)


def _same(ours: Model, directions: Any, clicks: list[tuple[float, int, int]]) -> None:
    """Refuse to measure what is not the same."""
    for _, row, column in clicks:
        basin = _ours(ours, row, column)
        mine = basins.outline(basin.inside, ours.grid.part(basin.window))
        assert shapely.symmetric_difference(mine, _bare(directions, row, column)).area < 1e-12


def _clicked(
    ours: Model, directions: Any, click: tuple[float, int, int], rounds: int
) -> tuple[int, float, float, float]:
    """Cells of the basin; seconds of basin and outline by us, by the library alone, and of the whole answer by us."""
    _, row, column = click

    def outlined() -> None:
        basin = _ours(ours, row, column)
        basins.outline(basin.inside, ours.grid.part(basin.window))

    def answered() -> None:
        basin = _ours(ours, row, column)
        _figures(basin, ours.grid, ours.heights(basin.window), ours.areas(basin.window))

    _say(f"clicking at row {row}, column {column}")
    found = [_best(work, rounds) for work in (outlined, lambda: _bare(directions, row, column), answered)]
    return int(_ours(ours, row, column).inside.sum()), *found


def _best(work: Callable[[], Any], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def _show(first: tuple[float, float, float], rows: list[tuple[int, float, float, float]]) -> None:
    table = Table("basin, cells", title=f"watershed on {SIZE * SIZE / 1e6:.0f} million cells, service / pyflwdir")
    for name in ("basin and outline s", "pyflwdir s", "ratio", "with all figures s", "ratio"):
        table.add_column(name, justify="right")
    for cells, mine, bare, whole in rows:
        table.add_row(
            f"{cells:,}", f"{mine:.3f}", f"{bare:.3f}", _ratio(mine, bare), f"{whole:.3f}", _ratio(whole, bare)
        )
    mine, bare, _ = first
    table.add_row("first time, deriving", f"{mine:.1f}", f"{bare:.1f}", _ratio(mine, bare), "", "")
    OUT.print(table)
    OUT.print(f"deriving takes {first[2]:.0f} bytes a cell at most")
    OUT.print("the first time the service derives heights above drains, too, and writes all to disk")


def _ratio(mine: float, bare: float) -> str:
    return f"{mine / bare:.2f} {'✓' if mine / bare <= GOAL else '✗'} {GOAL:g}"


def _say(text: str) -> None:
    ERR.print(f"[cyan]▸[/] {text}")


if __name__ == "__main__":
    main()
