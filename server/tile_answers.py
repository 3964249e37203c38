"""How a tile is answered: from memory, from its file, or made once for all who ask for it at the same time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.server import access, caching, etags, parameters
from shikong.server.caching import Caching, Place
from shikong.server.formats.table import Format
from shikong.server.kept_answers import Basis
from shikong.server.metadata import Metadata
from shikong.store.errors import DatabaseAway
from shikong.store.moments import Moment
from shikong.tiles import matrix
from shikong.tiles.cache import TileFiles, TileKey
from shikong.tiles.matrix import TileAddress
from shikong.tiles.together import Together

#: A map asks for the same tiles again and again; a delay of seconds of what is new is hardly seen there, and what a
#: cache still has is shown while it asks whether that is so still.
_FRESH = "max-age=10, stale-while-revalidate=60"

Make = Callable[[], Coroutine[Any, Any, bytes]]

#: Files that are read at a time.
_AT_ONCE = anyio.CapacityLimiter(8)


@dataclass(frozen=True)
class Variant:
    """What a tile is given as.

    style: what the format leaves open. margin: how far beyond the tile lies what may show in it, as a share of its
    side, where that is more than a vector tile has.
    """

    form: Format
    style: str = ""
    margin: float = 0

    @property
    def word(self) -> str:
        """As a word that can be a file's name."""
        return f"{self.form.name}.{self.style}" if self.style else self.form.name


class TileAnswers:
    """The tiles of this process."""

    def __init__(self, files: TileFiles, caching: Caching, metadata: Metadata) -> None:
        self.files = files
        self._caching, self._metadata = caching, metadata
        self._together: Together[bytes] = Together()

    async def answer(
        self,
        request: Request,
        layers: Sequence[Layer],
        address: TileAddress,
        moment: Moment,
        variant: Variant,
        make: Callable[[Layer], Make],
        *,
        kept: bool = True,
    ) -> Response:
        """One tile of one layer or several, whose bytes are put one after the other; 204 when it is empty.

        make: gives what makes the tile of a layer. kept: whether it may be kept as a file; what depends on free words
        of a client is not.
        """
        box = matrix.lonlat_box(address, max(variant.margin, matrix.MARGIN))
        places = [await self._caching.of_place(layer, moment, box) for layer in layers]
        tag = f'"{caching.digest(*(place.state for place in places), _asked(request), variant.form.name)}"'
        keep = caching.control(layers, _FRESH, settled=all(place.settled for place in places))
        headers = {"Cache-Control": keep, "ETag": tag}
        if etags.is_known(request, tag):
            return Response(status_code=304, headers=headers)
        parts = []
        for place in places:
            key = TileKey(place.layer.id, access.viewer(place.layer), variant.word, moment.word, address.canonical)
            parts.append(await self._tile(key, place, make(place.layer), "" if kept else _asked(request)))
        self._note(request, places)
        tile = b"".join(parts)
        if not tile:
            return Response(status_code=204, headers=headers)
        return Response(tile, media_type=variant.form.media_type, headers=headers)

    async def _tile(self, key: TileKey, place: Place, make: Make, asked: str) -> bytes:
        """A tile. asked: what it depends on besides its key, or nothing."""
        find = partial(self._found, key, place, make) if not asked else partial(self._made, make)
        return await self._together.once((key, place.state, asked), find)

    async def _found(self, key: TileKey, place: Place, make: Make) -> bytes:
        """A tile as it is kept, or made and kept."""
        kept = self.files.waiting(key, place.state)
        if kept is None and self.files.is_there(key):
            kept = await anyio.to_thread.run_sync(self.files.read, key, place.state, limiter=_AT_ONCE)
        if kept is None:
            kept = await self._made(make)
            self.files.write_later(key, place.state, kept)
        return kept

    async def _made(self, make: Make) -> bytes:
        if self._metadata.away:
            raise DatabaseAway
        return await make()

    @staticmethod
    def _note(request: Request, places: Sequence[Place]) -> None:
        """Let the answer be kept in memory, where all may see it."""
        basis = request.scope.get("kept_answer")
        if isinstance(basis, Basis) and all(place.layer.access.public for place in places):
            ends = [place.until.timestamp() for place in places if place.until is not None]
            basis.until = min(ends, default=None)
            basis.layers = tuple((place.revisions, place.newest) for place in places)


def _asked(request: Request) -> str:
    return f"{request.scope['path']}?{parameters.query_text(request)}"
