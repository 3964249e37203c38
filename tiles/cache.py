"""Tiles that were made are kept as files: one file a tile and variant, which says what it was made from.

A tile counts while its state is the present one, so nothing has to be deleted for the cache to be right: a tile whose
place a release touched has another state, is made anew and replaces its file. The folder may be deleted or full at any
time; then tiles are made each time, and `fault` says so.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shikong.tiles.matrix import TileAddress

#: Megabytes that the files may take in all, unless SHIKONG_TILE_CACHE_MB says otherwise.
DEFAULT_MB = 4096

_MAGIC = b"shikong tile 1\n"

#: Tiles that wait for their files to be written.
_MOST_WAITING = 256

#: Seconds for which no tile waits for its file after one could not be written.
_REST = 1.0

#: When the files have grown by this share of what they may take, they are counted.
_COUNT_AFTER = 0.05

#: Counting leaves this share of it.
_LEAVES = 0.8


@dataclass(frozen=True)
class TileKey:
    """A tile in one of its variants.

    viewer: what tells apart those who see different things, "public" where all see the same. kind: format and style,
    as a word. moment: of the data, as a word, "now" for what holds now. address: in a registered matrix set.
    """

    layer: str
    viewer: str
    kind: str
    moment: str
    address: TileAddress

    @property
    def path(self) -> str:
        """Where the tile's file lies below the folder."""
        at = self.address
        name = f"{at.matrix_set}/{at.zoom}/{at.column}/{at.row}"
        return f"{self.layer}/{self.viewer}/{self.kind}/{self.moment}/{name}"


class TileFiles:
    """The files. Several processes may use one folder."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder, self._limit = folder, megabytes * 1_000_000
        self._waiting: OrderedDict[TileKey, tuple[str, bytes]] = OrderedDict()
        self._turn, self._more = threading.Lock(), threading.Event()
        self._none_waits = threading.Condition(self._turn)
        self._writing: threading.Thread | None = None
        self._grown = self._limit  # so that the first tile has them counted
        self._counting = threading.Lock()
        self.fault: str | None = None
        self._failed_at = 0.0

    @classmethod
    def from_env(cls, data: Path) -> TileFiles:
        """The cache as the environment has it: SHIKONG_TILE_CACHE (below the data folder), SHIKONG_TILE_CACHE_MB."""
        folder = Path(os.environ.get("SHIKONG_TILE_CACHE") or data / "tiles")
        return cls(folder, int(os.environ.get("SHIKONG_TILE_CACHE_MB") or DEFAULT_MB))

    def read(self, key: TileKey, state: str) -> bytes | None:
        """The tile as it was made from this state; None where it has to be made."""
        try:
            content = (self._folder / key.path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.fault = f"cannot be read: {error.strerror}"
            return None
        head = _head(state)
        return content[len(head) :] if content.startswith(head) else None

    def is_there(self, key: TileKey) -> bool:
        """Whether the tile's file is there, whatever its state. This takes microseconds, a thread's turn many more."""
        return os.path.exists(f"{self._folder}/{key.path}")

    def waiting(self, key: TileKey, state: str) -> bytes | None:
        """The tile, if it was made from this state a moment ago and its file is still to be written."""
        found = self._waiting.get(key)
        return found[1] if found is not None and found[0] == state else None

    def write_later(self, key: TileKey, state: str, tile: bytes) -> None:
        """Keep a tile without waiting for its file. Of too many that wait the oldest are not kept, and for a second
        after one could not be written none is: that costs more than it is worth."""
        if self.fault is not None and time.monotonic() < self._failed_at + _REST:
            return
        with self._turn:
            self._waiting[key] = state, tile
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)
            if self._writing is None:
                self._writing = threading.Thread(target=self._write_waiting, name="tile files", daemon=True)
                self._writing.start()
        self._more.set()

    def _write_waiting(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            while (found := self._first_waiting()) is not None:
                key, made = found
                self.write(key, *made)
                with self._turn:
                    if self._waiting.get(key) == made:
                        del self._waiting[key]
                    if not self._waiting:
                        self._none_waits.notify_all()

    def flush(self) -> None:
        """Wait until each tile that waits has its file, or cannot have one."""
        with self._turn:
            self._none_waits.wait_for(lambda: not self._waiting, timeout=60)

    def _first_waiting(self) -> tuple[TileKey, tuple[str, bytes]] | None:
        with self._turn:
            return next(iter(self._waiting.items()), None)

    def write(self, key: TileKey, state: str, tile: bytes) -> None:
        """Keep a tile. Where that cannot be, it is made again the next time."""
        path = self._folder / key.path
        content = _head(state) + tile
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.replace(file.name, path)
                except OSError:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            self.fault, self._failed_at = f"cannot be written: {error.strerror}", time.monotonic()
            return
        self.fault = None
        self._grown += len(content)
        if self._grown > self._limit * _COUNT_AFTER and self._counting.acquire(blocking=False):
            try:
                self._grown = 0
                self.prune()
            finally:
                self._counting.release()

    def prune(self) -> int:
        """Delete the files that were written longest ago until the rest is well within the limit; returns the bytes
        that are left."""
        found = sorted(_files(self._folder), key=lambda file: file[1])
        total = sum(size for _, _, size in found)
        if total > self._limit:
            for path, _, size in found:
                if total <= self._limit * _LEAVES:
                    break
                with suppress(FileNotFoundError):
                    path.unlink()
                total -= size
        return total

    def writable(self) -> bool:
        """Whether a tile could be kept now; `fault` says why not."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as probe:
                probe.write(_MAGIC)
                probe.flush()
        except OSError as error:
            self.fault = f"cannot be written: {error.strerror}"
            return False
        self.fault = None
        return True


def _head(state: str) -> bytes:
    return _MAGIC + state.encode() + b"\n"


def _files(folder: Path) -> Iterator[tuple[Path, float, int]]:
    """All files with when they were written and their size; half-written ones count once they are an hour old."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.stat()
            except FileNotFoundError:  # another process has deleted or replaced it
                continue
            if name.startswith(".") and status.st_mtime > time.time() - 3600:
                continue
            yield path, status.st_mtime, status.st_size
