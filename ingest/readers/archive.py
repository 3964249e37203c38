"""Zip archives: looked over before anything inside is opened.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from shikong.ingest.errors import UnreadableSource, UnsafeSource

#: Bounds of an archive. A delivery of a whole city stays far below them.
MAX_MEMBERS = 10_000
MAX_BYTES = 64 * 2**30
#: How far a member may expand. Tables full of blanks reach 100; a bomb is near 1,000.
MAX_RATIO = 250
#: Smaller members may expand as they like: they cannot do harm.
_HARMLESS_BYTES = 64 * 2**20

_ARCHIVES = (".zip", ".kmz", ".7z", ".rar", ".gz", ".tar", ".tgz", ".bz2", ".xz")
_FILES = (".shp", ".gpkg", ".geojson", ".json", ".geojsonl", ".ndjson", ".geojsons", ".fgb", ".kml", ".dxf")


def check(path: Path) -> list[zipfile.ZipInfo]:
    """The members of a zip archive.

    Raises UnreadableSource when it is broken, UnsafeSource when it is a bomb, climbs out of its folder or is encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnreadableSource(
            f"{path.name} is broken or of an unknown format ({error}); zip it again and deliver it anew"
        ) from error
    if len(members) > MAX_MEMBERS:
        raise UnsafeSource(f"{path.name} has {len(members):,} members; at most {MAX_MEMBERS:,} are taken")
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES:
        raise UnsafeSource(f"{path.name} would expand to {total:,} bytes; at most {MAX_BYTES:,} are taken")
    for member in members:
        _check_member(path, member)
    expansion = total / max(path.stat().st_size, 1)
    if total > _HARMLESS_BYTES and expansion > MAX_RATIO:  # members that share one body
        raise UnsafeSource(_bomb(path.name, expansion))
    return members


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename.replace("\\", "/")
    if name.startswith("/") or ".." in PurePosixPath(name).parts or ":" in name.split("/")[0]:
        raise UnsafeSource(
            f"{path.name} has a member whose path leaves the archive: {member.filename!r}; zip the plain files again"
        )
    expansion = member.file_size / max(member.compress_size, 1)
    if member.file_size > _HARMLESS_BYTES and expansion > MAX_RATIO:
        raise UnsafeSource(_bomb(f"{path.name}: {readable(member)}", expansion))
    if member.flag_bits & 0x1:
        raise UnreadableSource(f"{path.name} is encrypted; deliver it without a password")


def _bomb(what: str, expansion: float) -> str:
    return f"{what} expands {expansion:,.0f}-fold, as a zip bomb does (at most {MAX_RATIO}); zip the plain files again"


def readable(member: zipfile.ZipInfo) -> str:
    """A member's name for people. Chinese tools write names in GBK without saying so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return member.filename


def sources(path: Path, members: list[zipfile.ZipInfo]) -> dict[str, str]:
    """What can be loaded from an archive: name for people -> path inside as GDAL has it.

    A name is the file's stem, with its folder where two share it.
    Raises UnreadableSource when there is nothing, or only another archive.
    """
    found = dict(_found(members))
    if not found:
        nested = [readable(member) for member in members if member.filename.lower().endswith(_ARCHIVES)]
        if nested:
            raise UnreadableSource(
                f"{path.name} holds another archive ({nested[0]}); archives in archives are not opened: unzip it first"
            )
        names = ", ".join(readable(member) for member in members[:10]) or "nothing"
        raise UnreadableSource(f"{path.name} holds nothing that can be loaded from a zip; it has: {names}")
    stems = [PurePosixPath(name).stem for name in found]
    return {
        stem if stems.count(stem) == 1 else str(PurePosixPath(name).with_suffix("")): inner
        for stem, (name, inner) in zip(stems, found.items(), strict=True)
    }


def _found(members: list[zipfile.ZipInfo]) -> Iterator[tuple[str, str]]:
    for member in members:
        name, parts = readable(member), PurePosixPath(member.filename).parts
        if parts and parts[0] == "__MACOSX":
            continue
        depth = next((index for index, part in enumerate(parts) if part.lower().endswith(".gdb")), None)
        if depth is not None:  # a file geodatabase is a folder
            folder = PurePosixPath(*parts[: depth + 1])
            yield str(PurePosixPath(*PurePosixPath(name).parts[: depth + 1])), str(folder)
        elif member.filename.lower().endswith(_FILES):
            yield name, member.filename
