"""Merged tiles made by processes beside the one that answers: making one takes seconds, and a server must not wait.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.store.database import Database
from shikong.store.errors import StoreError
from shikong.store.helpers import end_with_parent
from shikong.store.settings import StoreSettings
from shikong.tiles import matrix
from shikong.tiles.cache import TileFiles
from shikong.tiles.matrix import TileAddress
from shikong.tiles.overview import Overviews, Question

#: The registered sets, in which all tiles are kept.
_SETS = ("WebMercatorQuad", "WorldCRS84Quad")

#: Below this many tiles they are made here: starting processes would take longer.
_FEW = 40

_working: Overviews


def _begin(store: StoreSettings) -> None:
    """Make this process one that makes tiles."""
    global _working  # noqa: PLW0603 - what a process of a pool works with
    end_with_parent()
    _working = _overviews(Database(store))


def _overviews(database: Database) -> Overviews:
    return Overviews(database, catalog.default(), TileFiles.from_env(database.settings.data))


def _tile(question: Question, address: TileAddress) -> bytes:
    return _working.tile(question, address)


def _processes(store: StoreSettings, number: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    return ProcessPoolExecutor(number, mp_context=context, initializer=_begin, initargs=(store,))


class OverviewMaker(Protocol):
    """Whoever makes merged tiles for a server."""

    async def tile(self, question: Question, address: TileAddress) -> bytes:
        """A merged tile, made and kept. Raises StoreError."""

    def close(self) -> None:
        """End; what has not been begun is not done."""


class OverviewThreads:
    """Threads of this process, which has nothing else to do."""

    def __init__(self, database: Database) -> None:
        self._overviews = _overviews(database)

    async def tile(self, question: Question, address: TileAddress) -> bytes:
        """A merged tile, made and kept. Raises StoreError."""
        return await asyncio.to_thread(self._overviews.tile, question, address)

    def close(self) -> None:
        """Nothing is begun that a caller does not wait for."""


class OverviewProcesses:
    """Processes beside that of the server; the first question starts them."""

    def __init__(self, store: StoreSettings, number: int = 1) -> None:
        self._store, self._number = store, number
        self._pool: ProcessPoolExecutor | None = None

    async def tile(self, question: Question, address: TileAddress) -> bytes:
        """A merged tile, made and kept. Raises StoreError."""
        if self._pool is None:
            self._pool = _processes(self._store, self._number)
        pool = self._pool
        try:
            return await asyncio.wrap_future(pool.submit(_tile, question, address))
        except BrokenExecutor as error:
            if self._pool is pool:
                self._pool = None  # the next question starts others
            raise StoreError("a process that made a tile was killed, most likely for want of memory") from error

    def close(self) -> None:
        """End them; what they have not begun is not done."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def build(database: Database, layer: Layer, progress: Callable[[int, int], None]) -> int:
    """Make all merged tiles of a layer as it is now that are not right yet, with all cores; returns how many there are.

    progress: called with tiles done and tiles in all. A build that is stopped goes on where it was. Raises StoreError.
    """
    levels = _levels(database, layer)
    total, done, question = sum(map(len, levels)), 0, Question(layer.id)
    with _making(database, total) as make:
        for addresses in levels:
            for _ in make(partial(_tile, question), addresses):
                done += 1
                progress(done, total)
    return total


def _levels(database: Database, layer: Layer) -> list[list[TileAddress]]:
    """Tiles of a layer that show merged areas, level by level from the finest on."""
    if layer.tiles is None or layer.tiles.merged_below is None:
        return []
    rows = database.thread_fetch(
        b"SELECT extent FROM shikong.release WHERE layer = %(layer)s ORDER BY id DESC LIMIT 1", {"layer": layer.id}
    )
    if not rows or rows[0][0] is None:
        return []
    box = (rows[0][0][0], rows[0][0][1], rows[0][0][2], rows[0][0][3])
    found = []
    for zoom in range(layer.tiles.merged_below - 1, layer.tiles.min_zoom - 1, -1):
        found.append([
            TileAddress(name, level, row, column)
            for name in _SETS
            for level in matrix.levels(name, zoom, zoom)
            for limit in matrix.limits(name, range(level, level + 1), box)
            for row in range(limit["minTileRow"], limit["maxTileRow"] + 1)
            for column in range(limit["minTileCol"], limit["maxTileCol"] + 1)
        ])  # fmt: skip
    return found


@contextmanager
def _making(database: Database, tiles: int) -> Iterator[Callable[..., Iterable[bytes]]]:
    """What lets many tiles be made: this process for a few, others for more."""
    if tiles <= _FEW:
        _begin(database.settings)
        yield map
        return
    with _processes(database.settings, os.cpu_count() or 1) as pool:
        yield pool.map
