"""What GDAL does not look at in a Shapefile: its parts, whether they are whole, and the encoding of its texts.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shikong.ingest.errors import UnreadableSource

#: DBF language driver bytes that mean GBK (code page 936).
_GBK_DRIVERS = frozenset({0x4D, 0x7A})

#: Bytes of a table that are looked at to tell its encoding.
_LOOKED_AT = 4_000_000


@dataclass(frozen=True)
class Part:
    """One file of a Shapefile: its size in bytes and its first bytes."""

    size: int
    head: Callable[[int], bytes]


def parts_on_disk(path: Path) -> dict[str, Part]:
    """The files beside a .shp, by suffix in small letters."""

    def part(file: Path) -> Part:
        def head(number: int) -> bytes:
            with file.open("rb") as opened:
                return opened.read(number)

        return Part(file.stat().st_size, head)

    beside = (file for file in path.parent.iterdir() if file.stem == path.stem and file.is_file())
    return {file.suffix.lower(): part(file) for file in beside}


def parts_in_zip(path: Path, inner: str) -> dict[str, Part]:
    """The files beside a .shp inside a zip, by suffix in small letters."""

    def part(member: zipfile.ZipInfo) -> Part:
        def head(number: int) -> bytes:
            with zipfile.ZipFile(path) as archive, archive.open(member) as opened:
                return opened.read(number)

        return Part(member.file_size, head)

    stem = str(PurePosixPath(inner).with_suffix(""))
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    beside = ((PurePosixPath(member.filename), member) for member in members)
    return {name.suffix.lower(): part(member) for name, member in beside if str(name.with_suffix("")) == stem}


def check(name: str, parts: dict[str, Part]) -> None:
    """Refuse a Shapefile that lacks a part or is cut off; GDAL would give rows without shapes or attributes.

    Raises UnreadableSource.
    """
    missing = [suffix for suffix in (".shx", ".dbf") if suffix not in parts]
    if missing:
        raise UnreadableSource(
            f"{name} comes without its {' and '.join(missing)}; deliver all files of the Shapefile together"
        )
    for suffix in (".shp", ".shx"):
        stated = int.from_bytes(parts[suffix].head(28)[24:28], "big") * 2
        _refuse_short(name, suffix, parts[suffix].size, stated)
    head = parts[".dbf"].head(12)
    rows, start, width = (int.from_bytes(head[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12)))
    _refuse_short(name, ".dbf", parts[".dbf"].size, start + rows * width)


def _refuse_short(name: str, suffix: str, there: int, stated: int) -> None:
    if there < stated or there < 32:
        raise UnreadableSource(f"{name} is cut off: its {suffix} has {there:,} of {stated:,} bytes; deliver it again")


def encoding(parts: dict[str, Part]) -> str | None:
    """The encoding of a Shapefile's texts, None where the file says it itself.

    A .cpg is believed by GDAL. Without one, Chinese offices mean GBK, which many of their tools
    write without saying so; texts that are valid UTF-8 are UTF-8.
    """
    if ".cpg" in parts:
        return None
    dbf = parts[".dbf"].head(_LOOKED_AT)
    if dbf[29] in _GBK_DRIVERS:
        return "GB18030"
    if dbf.isascii():
        return None
    start = int.from_bytes(dbf[8:10], "little")
    try:
        dbf[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        cut_at_the_end = error.start > len(dbf) - start - 4
        return "UTF-8" if cut_at_the_end else "GB18030"
    return "UTF-8"
