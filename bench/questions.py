"""What is asked: map windows and tiles inside the city, always the same, with what a right answer holds.

What is right is counted in the database, apart from all three servers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from client import Question, WrongAnswer
from servers import Box, Server

LIMITS = (10, 100, 1000)
FILTER_LIMITS = (10, 1000)
ZOOMS = (13, 14, 15, 16)
#: Width and height of a window in degrees: a screen at about zoom 13.
WINDOW = (0.088, 0.056)
SMALL_WINDOW = (0.012, 0.008)
WINDOWS, SMALL_WINDOWS, TILES = 96, 8, 64
#: A window must hold this much more than the largest limit, so that every answer is a full page.
ENOUGH = 1.2

_CENTRES = """
    SELECT st_x(p), st_y(p)
    FROM (SELECT bsm, st_pointonsurface(geom) AS p FROM data.parcels ORDER BY md5(bsm || %(seed)s) LIMIT %(n)s) AS c
    ORDER BY md5(bsm || %(seed)s)
"""
_IN_WINDOW = "SELECT bsm FROM data.parcels WHERE st_intersects(geom, st_makeenvelope(%s, %s, %s, %s, 4490))"
_IN_TILE = """
    SELECT count(st_asmvtgeom(st_transform(geom, 3857), st_tileenvelope(%(z)s, %(x)s, %(y)s), 4096, %(buffer)s))
    FROM data.parcels
    WHERE geom && st_transform(st_tileenvelope(%(z)s, %(x)s, %(y)s, margin => %(margin)s / 4096.0), 4490)
"""
_TILE_OF = """
    SELECT DISTINCT ON (x, y) x, y, n FROM (
        SELECT floor((%(lon)s + 180) / 360 * 2 ^ %(z)s)::int AS x,
            floor((1 - asinh(tan(radians(%(lat)s))) / pi()) / 2 * 2 ^ %(z)s)::int AS y, 0 AS n
    ) AS t
"""

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Window:
    """A map window and how many parcels it holds."""

    box: Box
    holds: int


@dataclass(frozen=True)
class Tile:
    """A tile and how many parcels are in it: as the service and the minimal application cut it, and as the others do.

    Stock and tipg choose by the tile's own box and draw a wide margin; the first two by the narrow margin they draw.
    """

    z: int
    x: int
    y: int
    features: int
    features_wide: int


def windows(conn: Connection) -> list[Window]:
    """The map windows for the measures."""
    found = []
    for lon, lat in conn.execute(_CENTRES, {"seed": "windows", "n": WINDOWS * 4}).fetchall():
        box = _around(lon, lat, WINDOW)
        holds = _count_in(conn, box)
        if holds >= ENOUGH * max(LIMITS):
            found.append(Window(box, holds))
        if len(found) == WINDOWS:
            return found
    raise RuntimeError("the table is too small for the windows: run without --size")


def tiles(conn: Connection, zoom: int) -> list[Tile]:
    """Tiles of a zoom level in which there is data."""
    found: dict[tuple[int, int], Tile] = {}
    for lon, lat in conn.execute(_CENTRES, {"seed": f"z{zoom}", "n": TILES * 4}).fetchall():
        row = conn.execute(_TILE_OF, {"lon": lon, "lat": lat, "z": zoom}).fetchone()
        assert row is not None
        x, y, _ = row
        if (x, y) not in found:
            counts = [_count_tile(conn, zoom, x, y, buffer, margin) for buffer, margin in ((64, 64), (256, 0))]
            found[x, y] = Tile(zoom, x, y, *counts)
        if len(found) == TILES:
            break
    return list(found.values())


def _around(lon: float, lat: float, size: tuple[float, float]) -> Box:
    width, height = size
    # As exact as it is written in an address: what is counted is what is asked for.
    corners = (lon - width / 2, lat - height / 2, lon + width / 2, lat + height / 2)
    return Box(*(round(corner, 6) for corner in corners))


def _count_in(conn: Connection, box: Box) -> int:
    return conn.execute(_IN_WINDOW, (box.west, box.south, box.east, box.north)).rowcount


def _count_tile(conn: Connection, z: int, x: int, y: int, buffer: int, margin: int) -> int:
    row = conn.execute(_IN_TILE, {"z": z, "x": x, "y": y, "buffer": buffer, "margin": margin}).fetchone()
    assert row is not None
    return int(row[0])


def items_questions(server: Server, found: list[Window], limit: int) -> list[Question]:
    """The windows as questions to a server; a right answer has `limit` features."""

    def right(body: bytes) -> bool:
        return body.count(b'"Feature"') == limit

    return [Question(server.items(window.box, limit), right) for window in found]


def filter_questions(server: Server, found: list[Window], codes: tuple[str, ...], limit: int) -> list[Question]:
    """The windows with two conditions more, each with a number of its own; an answer has at most `limit` features."""
    assert server.filtered is not None

    def right(body: bytes) -> bool:
        return 0 < body.count(b'"Feature"') <= limit

    return [
        Question(server.filtered(window.box, 100 + number / 64, codes, limit), right)
        for number, window in enumerate(found)
    ]


def common_codes(conn: Connection) -> tuple[str, ...]:
    """The land classes of most parcels."""
    rows = conn.execute("SELECT dlbm FROM data.parcels GROUP BY dlbm ORDER BY count(*) DESC LIMIT 5").fetchall()
    return tuple(row[0] for row in rows)


def tile_questions(server: Server, found: list[Tile]) -> list[Question]:
    """The tiles as questions to a server; a right answer has the tile's number of features.

    tipg draws another margin than it chooses by, so that its number is not known: about as many will do.
    """
    return [
        Question(
            server.tile(tile.z, tile.x, tile.y),
            _has_features(*_expected(tile, server)),
        )
        for tile in found
    ]


def _expected(tile: Tile, server: Server) -> tuple[int, int]:
    """The least and the largest number of features in a right answer."""
    if server.name == "stock":
        return tile.features_wide, tile.features_wide
    if server.name == "tipg":
        return tile.features_wide // 2, 2 * tile.features_wide
    return tile.features, tile.features


def _has_features(least: int, most: int) -> Callable[[bytes], bool]:
    """The check of a tile. An answer that came before is known by its checksum, to keep the client light."""
    seen: set[int] = set()

    def right(body: bytes) -> bool:
        checksum = zlib.crc32(body)
        if checksum not in seen:
            if not least <= features_in_tile(body) <= most:
                return False
            seen.add(checksum)
        return True

    return right


def features_in_tile(tile: bytes) -> int:
    """Features in a vector tile (field 3 of a tile is a layer, field 2 of a layer a feature)."""
    return sum(1 for number, layer in _fields(tile) if number == 3 for inner, _ in _fields(layer) if inner == 2)


def _fields(message: bytes) -> list[tuple[int, bytes]]:
    """Number and content of a protobuf message's length-delimited fields."""
    found, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = varint()
        size = varint()
        if tag & 7 == 2:
            found.append((tag >> 3, message[at : at + size]))
            at += size
    return found


def same_answers(conn: Connection, servers: list[Server], ask: Callable[[int, str], bytes]) -> int:
    """Prove that all servers find the parcels that the database finds in small windows. Raises WrongAnswer."""
    compared = 0
    for lon, lat in conn.execute(_CENTRES, {"seed": "small", "n": SMALL_WINDOWS}).fetchall():
        box = _around(lon, lat, SMALL_WINDOW)
        cursor = conn.execute(_IN_WINDOW, (box.west, box.south, box.east, box.north))
        expected = {row[0] for row in cursor.fetchall()}
        for server in servers:
            answer = orjson.loads(ask(server.port, server.items(box, max(LIMITS))))
            ids = [feature["id"] for feature in answer["features"]]
            if set(ids) != expected or len(ids) != len(expected):
                raise WrongAnswer(f"{server.name} finds {len(ids)} parcels in {box} where there are {len(expected)}")
        compared += len(expected)
    return compared
