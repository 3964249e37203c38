"""Deriving flow and what follows from it, as rasters in a folder.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import multiprocessing
import os
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rasterio

from shikong.hydrology.terrain import flow
from shikong.hydrology.terrain.errors import NotDerived
from shikong.hydrology.terrain.flow import Derived, River
from shikong.hydrology.terrain.grid import NODATA, UNKNOWN, Grid
from shikong.store.helpers import end_with_parent

Done = TypeVar("Done")

#: The end of the name of a folder that is being written.
ASIDE = ".part"

#: Cells up to which a model is derived here. For more a process of its own is started: compiled code lets nothing else
#: run meanwhile, and gives its memory back with its process only.
FEW = 1_000_000

_UNKNOWN = {"directions": UNKNOWN, "hand": NODATA}


def names() -> list[str]:
    """The rasters' names, without suffix."""
    return [each.name for each in fields(Derived)]


def derive(place: Path, folder: Path, known_rivers: Sequence[River]) -> None:
    """Derive a model's release into a folder, which is there with all rasters or not at all. Raises TerrainError."""
    with rasterio.open(place) as raster:
        cells = raster.width * raster.height
    if cells <= FEW:
        work(place, folder, known_rivers)
    else:
        beside(work, place, folder, known_rivers)


def beside(call: Callable[..., Done], *given: Any) -> Done:
    """Have something done by a process of its own, which ends with this one. Raises NotDerived when it was killed."""
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent) as process:
        try:
            return process.submit(call, *given).result()
        except BrokenExecutor as error:
            raise NotDerived from error


def work(place: Path, folder: Path, known_rivers: Sequence[River]) -> None:
    """Read, derive, write."""
    with rasterio.open(place) as raster:
        grid = Grid.of(raster.transform, raster.height, raster.width)
        heights = raster.read(1, masked=True).astype(np.float32).filled(NODATA)
    write(folder, grid, flow.derive(grid, heights, known_rivers))


def write(folder: Path, grid: Grid, derived: Derived) -> None:
    """Write all rasters aside and give the folder its name."""
    aside = folder.with_name(f".{uuid.uuid4().hex}{ASIDE}")
    aside.mkdir()
    for name in names():
        values = getattr(derived, name)
        options = {
            "driver": "GTiff", "crs": "EPSG:4490", "transform": grid.transform, "height": grid.height,
            "width": grid.width, "count": 1, "dtype": values.dtype, "nodata": _UNKNOWN.get(name), "tiled": True,
            "blockxsize": 256, "blockysize": 256, "compress": "ZSTD", "zstd_level": 1, "bigtiff": "IF_SAFER",
            "num_threads": "ALL_CPUS",
        }  # fmt: skip
        with rasterio.open(aside / f"{name}.tif", "w", **options) as file:
            file.write(values, 1)
    os.replace(aside, folder)
