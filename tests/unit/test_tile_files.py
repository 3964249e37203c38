"""The files of the tile cache: right or not there, whatever happens to the folder.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from shikong.tiles.cache import TileFiles, TileKey
from shikong.tiles.matrix import TileAddress

KEY = TileKey("parcels", "public", "mvt", "now", TileAddress("WebMercatorQuad", 14, 6406, 13473))


@pytest.fixture
def files(tmp_path: Path) -> TileFiles:
    return TileFiles(tmp_path / "tiles", 10)


def test_a_tile_is_found_again_in_its_state_and_variant_only(files: TileFiles) -> None:
    files.write(KEY, "7", b"seven")
    assert files.read(KEY, "7") == b"seven"
    assert files.read(KEY, "8") is None
    assert files.read(KEY, "77") is None
    others = [replace(KEY, layer="roads"), replace(KEY, viewer="planner"), replace(KEY, kind="png.default"),
              replace(KEY, moment="a1"), replace(KEY, address=replace(KEY.address, row=6407))]  # fmt: skip
    assert [files.read(other, "7") for other in others] == [None] * len(others)
    files.write(KEY, "8", b"")
    assert (files.read(KEY, "8"), files.read(KEY, "7")) == (b"", None)


def test_a_folder_that_is_deleted_is_made_again(files: TileFiles, tmp_path: Path) -> None:
    files.write(KEY, "7", b"seven")
    shutil.rmtree(tmp_path / "tiles")
    assert files.read(KEY, "7") is None
    assert files.fault is None
    files.write(KEY, "7", b"seven")
    assert files.read(KEY, "7") == b"seven"


def test_a_full_disk_is_told_and_forgotten_when_there_is_room_again(
    files: TileFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        files.write(KEY, "7", b"seven")
    assert files.fault == "cannot be written: No space left on device"
    assert files.read(KEY, "7") is None
    files.write(KEY, "7", b"seven")
    assert files.fault is None


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "tiles").write_text("a file")
    files = TileFiles(tmp_path / "tiles", 10)
    files.write(KEY, "7", b"seven")
    assert files.fault is not None
    assert files.read(KEY, "7") is None
    assert not files.writable()


def test_what_was_written_longest_ago_goes_when_there_is_too_much(tmp_path: Path) -> None:
    files = TileFiles(tmp_path, 1)
    keys = [replace(KEY, address=replace(KEY.address, row=row)) for row in range(30)]
    for age, key in enumerate(keys):
        files.write(key, "1", bytes(50_000))
        if (tmp_path / key.path).exists():
            os.utime(tmp_path / key.path, (age + 1, age + 1))
    left = files.prune()
    kept = [files.read(key, "1") is not None for key in keys]
    assert left <= 1_000_000
    assert kept == sorted(kept), "the oldest went"
    assert 10 <= sum(kept) < 30
    assert left == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())


def test_flushing_waits_until_every_tile_has_its_file(tmp_path: Path) -> None:
    files = TileFiles(tmp_path, 10)
    files.flush()
    keys = [replace(KEY, address=replace(KEY.address, column=column)) for column in range(100)]
    for key in keys:
        files.write_later(key, "a", b"tile")
    files.flush()
    assert all((tmp_path / key.path).exists() for key in keys)
