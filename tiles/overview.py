"""Tiles for low zooms of layers whose areas are merged there.

A tile is made from the cells of the four tiles below it, down to the lowest merged zoom, whose cells are burnt from the
layer's rows; so a change costs a few tiles, however large the layer is. What shows today is kept in the database beside
the layer, what showed in the past with the other tiles (tiles/cache.py). Kept tiles say what they were made from and
count while that is so.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import shapely
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import tables
from shikong.store.database import Database
from shikong.store.moments import NOW, Moment
from shikong.store.touched import SINCE
from shikong.tiles import cut, generalise, matrix
from shikong.tiles.cache import TileFiles, TileKey
from shikong.tiles.generalise import NOTHING, Cells
from shikong.tiles.matrix import TileAddress
from shikong.tiles.revisions import MOST_RELEASES, LayerRevisions, Revisions

#: The most bytes that a tile should have.
MOST_BYTES = 450_000

#: Zooms below `merged_below` at which a filter is answered: lower ones would burn too many tiles for one question.
FILTERED_ZOOMS = 2

#: Who sees what is merged: as all areas are in it, those only who see all.
_VIEWER = "all"


@dataclass(frozen=True)
class Question:
    """Which rows of a layer are drawn. condition, values: SQL on the layer's table, named `s`, and what it is given."""

    layer: str
    moment: Moment = NOW
    condition: str = "true"
    values: tuple[tuple[str, Any], ...] = ()

    @property
    def filtered(self) -> bool:
        """Whether a condition leaves out rows."""
        return self.condition != "true"


def is_merged(layer: Layer, address: TileAddress) -> bool:
    """Whether a tile of a layer shows merged areas."""
    tiles = layer.tiles
    return tiles is not None and tiles.merged_below is not None and address.scale_zoom < tiles.merged_below


def state(layer: Layer, codes: tuple[str, ...], revision: int, following: datetime | None) -> str:
    """What a tile of today is made from: the declaration, the last release that touched it, and how long it holds."""
    return f"{_declared(layer, codes)} {revision} {following and following.timestamp()}"


@lru_cache(maxsize=64)
def _declared(layer: Layer, codes: tuple[str, ...]) -> str:
    told = f"{layer.tiles} {layer.style and layer.style.by} {codes}"
    return blake2b(told.encode(), digest_size=8).hexdigest()


def codes(catalog: Catalog, layer: Layer) -> tuple[str, ...]:
    """The codes that merged areas are told apart by, in their order."""
    assert layer.style is not None
    return tuple(catalog.codes[layer.fields[layer.style.by or ""].codes or ""].codes)


_KEPT = """
    SELECT {} FROM shikong.overview
    WHERE layer = %(layer)s AND srid = %(srid)s AND zoom = %(zoom)s AND tile_row = %(row)s
        AND tile_column = %(column)s AND state = %(state)s
"""

#: The tile as it is kept, and its cells, if they were made from a state.
KEPT, _KEPT_CELLS = (sql.SQL(_KEPT).format(sql.Identifier(what)) for what in ("tile", "cells"))


def place(layer: Layer, address: TileAddress) -> dict[str, Any]:
    """Where a tile is kept, as values for KEPT."""
    at = address.canonical
    srid = matrix.SERVED[at.matrix_set].srid
    return {"layer": layer.id, "srid": srid, "zoom": at.zoom, "row": at.row, "column": at.column}


class Overviews:
    """Makes merged tiles, in the calling thread; a tile takes up to seconds."""

    def __init__(self, database: Database, catalog: Catalog, files: TileFiles) -> None:
        self._database, self._catalog, self._files = database, catalog, files
        self._revisions = Revisions()
        self._following: dict[str, tuple[int, datetime | None]] = {}

    def tile(self, question: Question, address: TileAddress) -> bytes:
        """The tile as a vector tile with one layer; empty where nothing lies. Raises StoreError."""
        layer = self._catalog.layer(question.layer)
        with self._database.thread_session() as conn:
            known = self._revisions.of(layer.id)
            known.learn(
                conn.execute(SINCE, {"layer": layer.id, "since": known.newest, "most": MOST_RELEASES}).fetchall()
            )
            drawing = _Drawing(conn, layer, codes(self._catalog, layer), question, self._files, known)
            if question.moment == NOW and layer.versioned:
                drawing.following = self._next_change(conn, layer, known.newest)
            return drawing.tile(address.canonical)

    def _next_change(self, conn: Connection[Any], layer: Layer, release: int) -> datetime | None:
        """When what holds will next change by itself; looked up once a release, for it takes a look at all rows."""
        known = self._following.get(layer.id)
        if known is None or known[0] != release or (known[1] is not None and known[1] <= datetime.now(UTC)):
            row = conn.execute(tables.next_change(layer)).fetchone()
            known = self._following[layer.id] = release, row[0] if row else None
        return known[1]


class _Drawing:
    """One question being answered. following: when what holds will next change by itself."""

    following: datetime | None = None

    def __init__(
        self,
        conn: Connection[Any],
        layer: Layer,
        codes: tuple[str, ...],
        question: Question,
        files: TileFiles,
        revisions: LayerRevisions,
    ) -> None:
        self._conn, self._layer, self._codes, self._question = conn, layer, codes, question
        self._files, self._revisions = files, revisions
        assert layer.tiles is not None
        assert layer.tiles.merged_below is not None
        self._lowest = layer.tiles.merged_below - 1

    def tile(self, address: TileAddress) -> bytes:
        cells = self._cells(address)
        if cells is None:
            return b""
        if self._question.moment != NOW or self._question.filtered:
            return self._drawn(cells)
        kept = self._conn.execute(KEPT, place(self._layer, address) | {"state": self._state(address)}).fetchone()
        return bytes(kept[0]) if kept else b""

    def _state(self, address: TileAddress) -> str:
        revision = self._revisions.revision(*matrix.lonlat_box(address))
        return state(self._layer, self._codes, revision, self.following)

    def _cells(self, address: TileAddress) -> Cells | None:
        """The cells of a tile; None where nothing lies in it."""
        kept = None if self._question.filtered else self._kept(address)
        if kept is not None:
            return kept
        if not self._holds_something(address):
            return None
        cells = self._burnt(address) if address.scale_zoom == self._lowest else self._joined(address)
        if not self._question.filtered:
            self._keep(address, cells)
        return cells

    def _joined(self, address: TileAddress) -> Cells:
        nothing = np.full((generalise.CELLS, generalise.CELLS), NOTHING, np.uint8)
        parts = []
        for south in (0, 1):
            for east in (0, 1):
                below = replace(
                    address, zoom=address.zoom + 1, row=address.row * 2 + south, column=address.column * 2 + east
                )
                found = self._cells(below)
                parts.append(nothing if found is None else found)
        return generalise.coarser(*parts)

    def _burnt(self, address: TileAddress) -> Cells:
        box = matrix.box(address)
        query, params = cut.shapes(self._layer, box, self._question.condition, self._question.moment)
        rows = self._conn.execute(query, params | dict(self._question.values), binary=True).fetchall()
        numbers = {code: number for number, code in enumerate(self._codes, 1)}
        shapes = shapely.from_wkb([row[0] for row in rows])
        found = [numbers.get(row[1], len(numbers) + 1) for row in rows]
        return generalise.burn(shapes, found, box.west, box.north, box.east - box.west)

    def _holds_something(self, address: TileAddress) -> bool:
        query, params = cut.holds_something(self._layer, matrix.box(address), self._question.moment)
        row = self._conn.execute(query, params).fetchone()
        return bool(row and row[0])

    def _drawn(self, cells: Cells) -> bytes:
        """A vector tile of cells, as detailed as it can be without getting too large."""
        tile = b""
        for least in generalise.LEAST_CELLS:
            shapes, numbers = generalise.areas(cells, least)
            named = [self._codes[number - 1] if number <= len(self._codes) else None for number in numbers]
            assert self._layer.style is not None
            query, params = cut.drawn(self._layer, self._layer.style.by or "", list(shapely.to_wkb(shapes)), named)
            row = self._conn.execute(query, params, binary=True).fetchone()
            tile = bytes(row[0]) if row else b""
            if len(tile) <= MOST_BYTES:
                break
        return tile

    def _key(self, address: TileAddress) -> TileKey:
        return TileKey(self._layer.id, _VIEWER, "cells", self._question.moment.word, address)

    def _kept(self, address: TileAddress) -> Cells | None:
        wanted = self._state(address)
        if self._question.moment == NOW:
            values = place(self._layer, address) | {"state": wanted}
            row = self._conn.execute(_KEPT_CELLS, values, binary=True).fetchone()
            packed = row[0] if row else None
        else:
            packed = self._files.read(self._key(address), wanted)
        if packed is None:
            return None
        return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(generalise.CELLS, generalise.CELLS)

    def _keep(self, address: TileAddress, cells: Cells) -> None:
        packed = zlib.compress(cells.tobytes(), 1)
        if self._question.moment != NOW:
            self._files.write(self._key(address), self._state(address), packed)
            return
        values = place(self._layer, address) | {"state": self._state(address), "cells": packed}
        self._conn.execute(_KEEP, values | {"tile": self._drawn(cells)})


_KEEP = sql.SQL("""
    INSERT INTO shikong.overview (layer, srid, zoom, tile_row, tile_column, state, cells, tile)
    VALUES (%(layer)s, %(srid)s, %(zoom)s, %(row)s, %(column)s, %(state)s, %(cells)s, %(tile)s)
    ON CONFLICT (layer, srid, zoom, tile_row, tile_column)
    DO UPDATE SET state = excluded.state, cells = excluded.cells, tile = excluded.tile
""")
