"""Zip archives: what is loaded from them, and what is refused before anything is opened.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from shikong.ingest.errors import IngestError, UnreadableSource, UnsafeSource
from shikong.ingest.job import open_features
from shikong.ingest.readers import archive


def _layer(folder: Path, name: str, value: str, suffix: str = ".shp") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    frame = gpd.GeoDataFrame({"NAME": [value]}, geometry=[shapely.Point(115.9, 36.4)], crs=4490)
    frame.to_file(folder / f"{name}{suffix}", encoding="GBK" if suffix == ".shp" else None)
    return sorted(folder.glob(f"{name}.*"))


def _zip(target: Path, members: dict[str, Path]) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        for name, path in members.items():
            written.write(path, name)
    return target


def _names(path: Path, layer: str | None) -> list[str]:
    return [name for batch in open_features(path, layer).batches() for name in batch.columns["NAME"]]


def test_one_of_several_shapefiles_is_chosen(tmp_path: Path) -> None:
    roads, rivers = _layer(tmp_path / "a", "roads", "聊堂路"), _layer(tmp_path / "b", "rivers", "徒骇河")
    path = _zip(tmp_path / "d.zip", {f"交付/{part.name}": part for part in roads + rivers})
    with pytest.raises(UnreadableSource, match=r"several files.*--source-layer: rivers, roads|roads, rivers"):
        open_features(path, None)
    with pytest.raises(UnreadableSource, match=r"no file 'road'; it has: roads, rivers"):
        open_features(path, "road")
    assert _names(path, "roads") == ["聊堂路"]
    assert _names(path, "rivers") == ["徒骇河"]


def test_files_of_one_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    old, new = _layer(tmp_path / "a", "roads", "旧"), _layer(tmp_path / "b", "roads", "新")
    members = {f"2023/{p.name}": p for p in old} | {f"2024/{p.name}": p for p in new}
    path = _zip(tmp_path / "d.zip", members)
    assert _names(path, "2024/roads") == ["新"]


def test_member_names_in_gbk_are_read(tmp_path: Path) -> None:
    """Chinese Windows tools write names in GBK, without the flag for UTF-8; here as such a tool writes them."""
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w") as written:
        for part in _layer(tmp_path / "a", "roads", "聊堂路"):
            info = zipfile.ZipInfo("XX" + part.suffix)
            written.writestr(info, part.read_bytes())
    path.write_bytes(path.read_bytes().replace(b"XX.", "路".encode("gbk") + b"."))
    assert list(archive.sources(path, archive.check(path))) == ["路"]
    assert _names(path, "路") == ["聊堂路"]


def test_other_formats_in_a_zip_are_read(tmp_path: Path) -> None:
    for suffix in (".gpkg", ".geojson"):
        path = _zip(tmp_path / f"d{suffix}.zip", {f"x{suffix}": _layer(tmp_path / "a", "x", "名", suffix)[0]})
        assert _names(path, None) == ["名"]


def test_a_file_geodatabase_in_a_zip_is_read(shared_data: Path) -> None:
    path = shared_data / "planning/testopenfilegdb.gdb.zip"
    with pytest.raises(UnreadableSource, match="--source-layer"):
        open_features(path, None)
    source = open_features(path, "point")
    assert source.format == "OpenFileGDB"
    shapes = [shape for batch in source.batches() for shape in batch.geometry]
    expected = gpd.read_file(f"/vsizip/{path}", layer="point", engine="pyogrio").geometry
    assert shapes == list(expected)
    assert len(shapes) == source.total


def test_a_file_geodatabase_folder_is_read(tmp_path: Path, shared_data: Path) -> None:
    with zipfile.ZipFile(shared_data / "planning/testopenfilegdb.gdb.zip") as opened:
        opened.extractall(tmp_path)
    folder = next(tmp_path.rglob("*.gdb"))
    assert open_features(folder, "point").format == "OpenFileGDB"


def _forged(path: Path, member: str) -> Path:
    with zipfile.ZipFile(path, "w") as written:
        written.writestr(member, b"x")
    return path


@pytest.mark.parametrize(
    "member", ["../../etc/x.shp", "/etc/x.shp", "a/../../x.shp", "..\\x.shp", "C:/x.shp", "C:\\x.shp"]
)
def test_a_path_that_leaves_the_archive_is_refused(tmp_path: Path, member: str) -> None:
    with pytest.raises(UnsafeSource, match="leaves the archive"):
        open_features(_forged(tmp_path / "d.zip", member), None)


def test_a_dot_in_a_name_is_no_climbing(tmp_path: Path) -> None:
    path = _zip(tmp_path / "d.zip", {f"a..b/{p.name}": p for p in _layer(tmp_path / "a", "x", "名")})
    assert _names(path, None) == ["名"]


def test_a_bomb_is_refused_without_expanding_it(tmp_path: Path) -> None:
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written, written.open("x.shp", "w") as member:
        for _ in range(100):
            member.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(UnsafeSource, match="-fold, as a zip bomb"):
        open_features(path, None)


@pytest.mark.parametrize(("bound", "words"), [("MAX_MEMBERS", "3 members"), ("MAX_BYTES", "would expand to")])
def test_size_and_number_of_members_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, words: str
) -> None:
    path = _zip(
        tmp_path / "d.zip",
        {p.name: p for p in _layer(tmp_path / "a", "x", "名") if p.suffix in (".shp", ".shx", ".dbf")},
    )
    assert _names(path, None)
    monkeypatch.setattr(archive, bound, 2)
    with pytest.raises(UnsafeSource, match=words):
        open_features(path, None)


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", {p.name: p for p in _layer(tmp_path / "a", "x", "名")})
    with pytest.raises(UnreadableSource, match=r"another archive \(inner\.zip\).*unzip it first"):
        open_features(_zip(tmp_path / "d.zip", {"inner.zip": inner}), None)


@pytest.mark.parametrize("missing", [".shx", ".dbf"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_shapefile_without_a_part_is_refused(tmp_path: Path, missing: str, zipped: bool) -> None:
    parts = _layer(tmp_path / "a", "roads", "路")
    (tmp_path / "a" / f"roads{missing}").unlink()
    path = tmp_path / "a" / "roads.shp"
    if zipped:
        path = _zip(tmp_path / "d.zip", {part.name: part for part in parts if part.suffix != missing})
    with pytest.raises(IngestError, match=rf"without its \{missing}"):
        open_features(path, None)


@pytest.mark.parametrize("suffix", [".shp", ".shx", ".dbf"])
def test_a_shapefile_whose_part_is_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    _layer(tmp_path / "a", "roads", "路")
    part = tmp_path / "a" / f"roads{suffix}"
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(UnreadableSource, match=rf"cut off: its \{suffix}"):
        open_features(tmp_path / "a" / "roads.shp", None)
