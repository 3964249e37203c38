"""The elevation model of an answer, with what is derived from it: flow, ground upstream, drains, heights above them.

What is derived takes long, so it is made once for each release of the model and each state of the known rivers, by
whoever asks first, and kept as rasters beside the release. The folder's name says what it was derived from, so that no
answer can be from another release. It is written under another name and renamed in one step, by one process at a time;
the others wait for it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from psycopg import Connection, sql
from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterWindow

from shikong.hydrology.terrain import flow
from shikong.hydrology.terrain.errors import TooLarge
from shikong.hydrology.terrain.flow import River
from shikong.hydrology.terrain.grid import NODATA, Directions, Grid, Heights, Window
from shikong.layers.catalog import Catalog
from shikong.processes.hydrology import deriving
from shikong.store import moments, places
from shikong.store.moments import Moment

#: The layers of heights and of known rivers.
ELEVATION, RIVERS = "elevation", "rivers"

#: How things are derived; another number makes all that is kept old.
_VERSION = 1

#: What is kept of one layer: for the present release and for those before it that are asked for with `asOf`.
_KEPT = 4

#: Cells that a model may have; deriving takes about 60 bytes for each.
MOST = 100_000_000

_SUFFIX = ".terrain"
#: Ranks of classes of rivers: those of a lower one flow into those of a higher one that they cross.
_RANKS = {"main": 3, "tributary": 2}

_LINES = """
    SELECT st_asbinary(r.geom), r.class, EXISTS (SELECT FROM {rivers} AS n WHERE r.flows_to IN (n.river_id, n.name))
    FROM {rivers} AS r ORDER BY r.river_id
"""


@dataclass(frozen=True)
class Model:
    """An elevation model while it is open. place: its release. burnt: how many known rivers were burnt into it."""

    place: Path
    grid: Grid
    burnt: int
    _opened: dict[str, Any]

    def heights(self, window: Window) -> Heights:
        """Metres of a window's cells, NODATA where unknown."""
        values = self._opened["heights"].read(1, window=_of(window), masked=True)
        return np.asarray(values.astype(np.float32).filled(NODATA))

    def directions(self, window: Window) -> Directions:
        """D8 of a window's cells."""
        return np.asarray(self._read("directions", window))

    def areas(self, window: Window) -> Heights:
        """m² upstream of a window's cells."""
        return np.asarray(self._read("areas", window))

    def drains(self, window: Window) -> Directions:
        """Which drain a window's cells are."""
        return np.asarray(self._read("drains", window))

    def above(self, window: Window) -> Heights:
        """Metres of a window's cells above the drains that their water reaches; NODATA where it reaches none."""
        return np.asarray(self._read("hand", window))

    def _read(self, name: str, window: Window) -> Any:
        return self._opened[name].read(1, window=_of(window))


def _of(window: Window) -> RasterWindow:
    return RasterWindow.from_slices(*window.slices)


@contextmanager
def opened(conn: Connection[Any], city: Catalog, moment: Moment, data: Path) -> Iterator[Model]:
    """The model that is known at a moment, with all that is derived from it; derives that where nobody has yet.

    Raises NotPublished, NotKept, Unreadable where there is none, and TerrainError.
    """
    layer = city.layer(ELEVATION)
    place = places.known(conn, data, layer, moment.known_at)
    known_rivers, word = rivers(conn, city, moment)
    with at(place, known_rivers, word) as model:
        yield model


@contextmanager
def at(place: Path, known_rivers: Sequence[River], word: str) -> Iterator[Model]:
    """The model of a release with what is derived from it and from known rivers, for which there is a word.

    Raises TerrainError.
    """
    folder = place.with_name(f"{place.stem}.{word}{_SUFFIX}")
    with ExitStack() as stack:
        raster = stack.enter_context(rasterio.open(place))
        grid = Grid.of(raster.transform, raster.height, raster.width)
        found = _opened(stack, folder) or _made(stack, place, folder, grid, known_rivers)
        yield Model(place, grid, len(known_rivers), found | {"heights": raster})


def rivers(conn: Connection[Any], city: Catalog, moment: Moment) -> tuple[list[River], str]:
    """The known rivers of a moment, and a word for them and for how they are used."""
    rows = moments.rows(city.layer(RIVERS), moment)
    digest = blake2b(f"{_VERSION} {flow.DRAIN} {flow.BURN} ".encode(), digest_size=8)
    found = []
    for wkb, kind, flows_on in conn.execute(sql.SQL(_LINES).format(rivers=rows), moment.values, binary=True):
        river = River(shapely.from_wkb(wkb), _RANKS.get(kind, 1), not flows_on)
        digest.update(blake2b(wkb + f"{river.rank} {river.leaves}".encode()).digest())
        found.append(river)
    return found, digest.hexdigest()


def _opened(stack: ExitStack, folder: Path) -> dict[str, Any] | None:
    """The rasters of a folder; None where it is not there. What was opened can be read though it is then removed."""
    with ExitStack() as trying:
        try:
            found = {name: trying.enter_context(rasterio.open(folder / f"{name}.tif")) for name in deriving.names()}
            os.utime(folder)  # the least lately used are removed first
        except (RasterioIOError, FileNotFoundError):
            return None
        stack.push(trying.pop_all())
        return found


def _made(stack: ExitStack, place: Path, folder: Path, grid: Grid, known_rivers: Sequence[River]) -> dict[str, Any]:
    """Derive what is not there yet, and open it."""
    if grid.height * grid.width > MOST:
        raise TooLarge
    with _alone(folder.parent):
        if (found := _opened(stack, folder)) is not None:  # somebody else has made it while we waited
            return found
        _tidy(folder.parent)
        deriving.derive(place, folder, known_rivers)
        found = _opened(stack, folder)
    assert found is not None
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time, among all threads and processes; the lock of one that dies is free."""
    with (folder / f"{_SUFFIX}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _tidy(folder: Path) -> None:
    """Remove what nobody asks for any more: of releases whose files are gone, the least lately used, and what was left
    half.

    Called by the one that may write.
    """
    for half in folder.glob(f".*{deriving.ASIDE}"):
        shutil.rmtree(half, ignore_errors=True)
    there = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda each: each.stat().st_mtime, reverse=True)
    living = [each for each in there if each.with_name(f"{each.name.partition('.')[0]}.tif").exists()]
    for old in set(there) - set(living[: _KEPT - 1]):
        shutil.rmtree(old, ignore_errors=True)
