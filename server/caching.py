"""What caches may keep of answers about features, and how they learn that it still holds.

A page's tag is made of the layer's newest release, of what was asked and of the representation, so that it is known,
and answered with 304, without a look at the rows. Tags of single features come from their content (If-Match).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version

from psycopg import sql
from starlette.requests import Request

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.server import parameters
from shikong.server.formats.table import Format
from shikong.server.metadata import Metadata
from shikong.store import tables
from shikong.store.database import Database
from shikong.store.errors import StoreError
from shikong.store.moments import Moment

#: A time is past for good once no release can still be on its way that will bear an earlier one.
_SETTLED_AFTER = timedelta(hours=1)
_IMMUTABLE = "max-age=86400, immutable"  # a day: the declaration of a layer may change

#: Formats whose files say when they were written.
_NEVER_TWICE_ALIKE = ("gpkg", "shp")

_NEWEST = sql.SQL("SELECT max(id) FROM shikong.release WHERE layer = %(layer)s")
_NEXT_CHANGE = """
    SELECT min(moment) FROM (
        SELECT valid_from AS moment FROM {table} WHERE valid_from > now()
        UNION ALL SELECT valid_to FROM {table} WHERE valid_to > now()
    ) AS ahead
"""


@dataclass(frozen=True)
class _Changes:
    """When the rows of a release will next begin or end to hold by themselves; None is never."""

    release: int
    following: datetime | None

    def holds(self, release: int) -> bool:
        """Whether this is still what is to come."""
        return self.release == release and (self.following is None or self.following > datetime.now(UTC))


class Caching:
    """Tags and rules for caches, from the releases that this process knows of."""

    def __init__(self, database: Database, metadata: Metadata) -> None:
        self._database, self._metadata = database, metadata
        self._changes: dict[str, _Changes] = {}
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
        whose = "public" if layer.access.read == "public" else "private"
        headers = {"Cache-Control": f"{whose}, {_IMMUTABLE if settled else keep}"}
        state = "settled" if settled else self._state(layer, moment)
        if state is not None:
            strength = "W/" if form.name in _NEVER_TWICE_ALIKE else ""
            headers["ETag"] = f'{strength}"{_digest(request, layer, form, state, worded=worded)}"'
        return headers

    async def unchanged(self, request: Request, layer: Layer, tag: str | None) -> bool:
        """Whether the client has the answer with this tag already. The database itself says that nothing is newer."""
        given = request.headers.get("if-none-match")
        if given is None or tag is None or not is_among(tag, given):
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
                self._looking[layer.id] = asyncio.create_task(self._look(layer, release.release))
            return None
        return f"{release.release} {changes.following}"

    async def _look(self, layer: Layer, release: int) -> None:
        try:
            query = sql.SQL(_NEXT_CHANGE).format(table=tables.table(layer))
            rows = await self._database.fetch(query)
        except StoreError:  # the next request asks again
            return
        finally:
            del self._looking[layer.id]
        self._changes[layer.id] = _Changes(release, rows[0][0])


def is_among(tag: str, given: str) -> bool:
    """Whether If-None-Match has a tag; weak and strong ones count alike there."""
    return given.strip() == "*" or tag.removeprefix("W/") in [
        known.strip().removeprefix("W/") for known in given.split(",")
    ]


def _settled(layer: Layer, moment: Moment) -> bool:
    """Whether an answer can never change: what was known at a past time, of a time that is named."""
    known_at = moment.known_at
    if known_at is None or (layer.versioned and moment.period is None):
        return False
    return known_at < datetime.now(UTC) - _SETTLED_AFTER


def _digest(request: Request, layer: Layer, form: Format, state: str, *, worded: bool) -> str:
    asked = request.headers
    parts = (
        _declaration(layer), state, request.scope["path"], parameters.query_text(request), form.name,
        asked.get("prefer", ""), asked.get("accept-language", "") if worded else "",
    )  # fmt: skip
    return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


@lru_cache(maxsize=4096)
def _declaration(layer: Layer) -> str:
    """A layer's declaration with its code lists, and the version of the service that puts them into answers."""
    lists = {field.codes for field in layer.fields.values() if field.codes}
    told = [layer, *(catalog.default().codes[name] for name in sorted(lists))]
    text = " ".join([version("shikong"), *(each.model_dump_json() for each in told)])
    return blake2b(text.encode(), digest_size=12).hexdigest()
