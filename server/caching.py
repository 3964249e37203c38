"""What caches may keep of answers about features, and how they learn that it still holds.

A page's tag is made of the layer's newest release, of what was asked and of the representation, so that it is known,
and answered with 304, without a look at the rows. Tags of single features come from their content (If-Match).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from hashlib import blake2b
from importlib.metadata import version

from psycopg import sql
from starlette.requests import Request

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.server import access, etags, parameters
from shikong.server.formats.table import Format
from shikong.server.metadata import Metadata
from shikong.store import tables
from shikong.store.database import Database
from shikong.store.errors import StoreError
from shikong.store.moments import Moment
from shikong.store.releases import Box
from shikong.tiles import overview
from shikong.tiles.revisions import LayerRevisions
from shikong.tiles.together import Together

#: A time is past for good once no release can still be on its way that will bear an earlier one.
_SETTLED_AFTER = timedelta(hours=1)
_IMMUTABLE = "max-age=86400, immutable"  # a day: the declaration of a layer may change

#: Formats whose files say when they were written.
_NEVER_TWICE_ALIKE = ("gpkg", "shp")

_NEWEST = sql.SQL("SELECT max(id) FROM shikong.release WHERE layer = %(layer)s")


@dataclass(frozen=True)
class _Changes:
    """When the rows of a release will next begin or end to hold by themselves; None is never."""

    release: int
    following: datetime | None

    def holds(self, release: int) -> bool:
        """Whether this is still what is to come."""
        return self.release == release and (self.following is None or self.following > datetime.now(UTC))


@dataclass(frozen=True)
class Place:
    """What an answer about a place of a layer depends on, besides the question.

    state: as a word. until: when it changes by itself. revisions, newest: what is known of the layer's releases, and
    the newest one when this was found out.
    """

    layer: Layer
    state: str
    until: datetime | None
    revisions: LayerRevisions
    newest: int

    @property
    def settled(self) -> bool:
        """Whether it never changes, as long as the layer is declared as it is."""
        return self.state.endswith(" settled")


class Caching:
    """Tags and rules for caches, from the releases that this process knows of."""

    def __init__(self, database: Database, metadata: Metadata) -> None:
        self._database, self._metadata = database, metadata
        self._changes: dict[str, _Changes] = {}
        self._together: Together[_Changes] = Together()
        self._looking: dict[str, asyncio.Task[None]] = {}

    def headers(self, request: Request, layer: Layer, moment: Moment, form: Format, *, worded: bool) -> dict[str, str]:
        """ETag, Cache-Control and Vary of an answer. There is no tag while it cannot be vouched for.

        worded: whether the answer has words in the reader's language.
        """
        headers = self.tagged(request, layer, moment, form, worded=worded)
        vary = [] if "f" in request.query_params else ["Accept"]
        if worded and "lang" not in request.query_params:
            vary.append("Accept-Language")
        if vary:
            headers["Vary"] = ", ".join(vary)
        return headers

    def tagged(
        self,
        request: Request,
        layer: Layer,
        moment: Moment,
        form: Format,
        *,
        keep: str = "no-cache",
        worded: bool = False,
    ) -> dict[str, str]:
        """ETag and Cache-Control of an answer of which there is one form.

        keep: how long caches may keep an answer that can change.
        """
        settled = _settled(layer, moment)
        headers = {"Cache-Control": control([layer], keep, settled=settled)}
        state = "settled" if settled else self._state(layer, moment)
        if state is not None:
            strength = "W/" if form.name in _NEVER_TWICE_ALIKE else ""
            headers["ETag"] = f'{strength}"{_digest(request, layer, form, state, worded=worded)}"'
        return headers

    async def of_place(self, layer: Layer, moment: Moment, box: Box) -> Place:
        """What an answer about a place depends on. box: west, south, east, north (EPSG:4490)."""
        await self._metadata.ensure_known()
        revisions = self._metadata.revisions.of(layer.id)
        newest, declared = revisions.newest, _declaration(layer)
        if _settled(layer, moment):
            return Place(layer, f"{declared} settled", None, revisions, newest)
        revision = revisions.revision(*box)
        if not layer.versioned or moment.period is not None:
            return Place(layer, f"{declared} {revision}", None, revisions, newest)
        following = await self._next_change(layer)
        state = f"{declared} {revision} {following and following.timestamp()}"
        return Place(layer, state, following, revisions, newest)

    async def overview_state(self, layer: Layer, box: Box) -> str:
        """What a merged tile of today is made from (tiles/overview.py). box: what it shows. Raises StoreError."""
        following = await self._next_change(layer) if layer.versioned else None
        revision = self._metadata.revisions.of(layer.id).revision(*box)
        return overview.state(layer, overview.codes(catalog.default(), layer), revision, following)

    async def _next_change(self, layer: Layer) -> datetime | None:
        """When the layer's rows will next begin or end to hold by themselves. Raises StoreError."""
        release = self._metadata.revisions.of(layer.id).newest
        changes = self._changes.get(layer.id)
        if changes is None or not changes.holds(release):
            changes = await self._together.once((layer.id, release), partial(self._read_changes, layer, release))
        return changes.following

    async def _read_changes(self, layer: Layer, release: int) -> _Changes:
        rows = await self._database.fetch(tables.next_change(layer))
        changes = self._changes[layer.id] = _Changes(release, rows[0][0])
        return changes

    async def unchanged(self, request: Request, layer: Layer, tag: str | None) -> bool:
        """Whether the client has the answer with this tag already. The database itself says that nothing is newer."""
        given = request.headers.get("if-none-match")
        if given is None or tag is None or not etags.is_among(tag, given):
            return False
        release = self._metadata.releases.get(layer.id)
        newest = await self._database.fetch(_NEWEST, {"layer": layer.id})
        return release is not None and newest[0][0] == release.release

    def _state(self, layer: Layer, moment: Moment) -> str | None:
        """What answers depend on besides the question; None while it is being looked up."""
        release = self._metadata.releases.get(layer.id)
        if release is None:
            return None
        if not layer.versioned or moment.period is not None:
            return str(release.release)
        changes = self._changes.get(layer.id)
        if changes is None or not changes.holds(release.release):
            if layer.id not in self._looking:
                self._looking[layer.id] = asyncio.create_task(self._look(layer))
            return None
        return f"{release.release} {changes.following}"

    async def _look(self, layer: Layer) -> None:
        try:
            await self._next_change(layer)
        except StoreError:  # the next request asks again
            return
        finally:
            del self._looking[layer.id]


def control(layers: Iterable[Layer], keep: str, *, settled: bool) -> str:
    """Cache-Control of an answer from layers. keep: how long caches may keep one that can change."""
    whose = "public" if all(layer.access.public for layer in layers) else "private"
    return f"{whose}, {_IMMUTABLE if settled else keep}"


def digest(*parts: str) -> str:
    """What stands in a tag for all that an answer depends on."""
    return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _settled(layer: Layer, moment: Moment) -> bool:
    """Whether an answer can never change: what was known at a past time, of a time that is named."""
    known_at = moment.known_at
    if known_at is None or (layer.versioned and moment.period is None):
        return False
    return known_at < datetime.now(UTC) - _SETTLED_AFTER


def _digest(request: Request, layer: Layer, form: Format, state: str, *, worded: bool) -> str:
    asked = request.headers
    return digest(
        _declaration(layer), access.viewer(layer), state, request.scope["path"], parameters.query_text(request),
        form.name, asked.get("prefer", ""), asked.get("accept-language", "") if worded else "",
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _declaration(layer: Layer) -> str:
    """A layer's declaration with its code lists, and the version of the service that puts them into answers."""
    lists = {field.codes for field in layer.fields.values() if field.codes}
    lists |= {parameter.codes for parameter in layer.parameters.values() if parameter.codes}
    told = [layer, *(catalog.default().codes[name] for name in sorted(lists))]
    text = " ".join([version("shikong"), *(each.model_dump_json() for each in told)])
    return digest(text)
