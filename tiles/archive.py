"""Archives of vector tiles: PMTiles and MBTiles, complete or not there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

#: Suffixes of the formats.
FORMATS = (".pmtiles", ".mbtiles")


@dataclass(frozen=True)
class About:
    """What an archive tells of itself. bbox: west, south, east, north (CRS84). layers: as TileJSON's vector_layers."""

    name: str
    attribution: str
    bbox: tuple[float, float, float, float]
    min_zoom: int
    max_zoom: int
    layers: list[dict[str, Any]]


class Sink(Protocol):
    """What takes tiles, in the order of their PMTiles numbers."""

    def add(self, zoom: int, column: int, row: int, tile: bytes) -> None:
        """Take a tile of WebMercatorQuad, row counted from the top; empty ones are left out."""


def number(zoom: int, column: int, row: int) -> int:
    """A tile's place in an archive: level by level, along a Hilbert curve."""
    return int(zxy_to_tileid(zoom, column, row))


@contextmanager
def written(path: Path, about: About) -> Iterator[Sink]:
    """An archive to fill, by its suffix; it takes its place when the context ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.unlink(missing_ok=True)
    try:
        with (_pmtiles if path.suffix == ".pmtiles" else _mbtiles)(aside, about) as sink:
            yield sink
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


class _PmtilesSink:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def add(self, zoom: int, column: int, row: int, tile: bytes) -> None:
        self._writer.write_tile(number(zoom, column, row), gzip.compress(tile, 6, mtime=0))


@contextmanager
def _pmtiles(path: Path, about: About) -> Iterator[Sink]:
    west, south, east, north = (round(value * 10_000_000) for value in about.bbox)
    header = {
        "tile_type": TileType.MVT, "tile_compression": Compression.GZIP,
        "min_lon_e7": west, "min_lat_e7": south, "max_lon_e7": east, "max_lat_e7": north,
        "center_zoom": about.min_zoom, "center_lon_e7": (west + east) // 2, "center_lat_e7": (south + north) // 2,
    }  # fmt: skip
    told = {"name": about.name, "attribution": about.attribution, "type": "overlay", "vector_layers": about.layers}
    with path.open("wb") as file:
        writer = Writer(file)
        yield _PmtilesSink(writer)
        writer.finalize(header, told)


class _MbtilesSink:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, zoom: int, column: int, row: int, tile: bytes) -> None:
        upwards = (1 << zoom) - 1 - row  # MBTiles counts rows from the bottom
        values = (zoom, column, upwards, gzip.compress(tile, 6, mtime=0))
        self._connection.execute("INSERT INTO tiles VALUES (?, ?, ?, ?)", values)


@contextmanager
def _mbtiles(path: Path, about: About) -> Iterator[Sink]:
    west, south, east, north = about.bbox
    told = {
        "name": about.name, "format": "pbf", "attribution": about.attribution, "type": "overlay", "version": "1",
        "bounds": f"{west},{south},{east},{north}", "minzoom": str(about.min_zoom), "maxzoom": str(about.max_zoom),
        "center": f"{(west + east) / 2},{(south + north) / 2},{about.min_zoom}",
        "json": json.dumps({"vector_layers": about.layers}, ensure_ascii=False),
    }  # fmt: skip
    connection = sqlite3.connect(path)
    try:
        connection.executescript(_TABLES)
        connection.executemany("INSERT INTO metadata VALUES (?, ?)", told.items())
        yield _MbtilesSink(connection)
        connection.commit()
    finally:
        connection.close()


_TABLES = """
    CREATE TABLE metadata (name text, value text);
    CREATE UNIQUE INDEX metadata_name ON metadata (name);
    CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob);
    CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row);
"""
