"""What collections tell of themselves beyond the declaration: extents and origin of the newest release.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from pygeoapi import l10n

from shikong.layers import catalog
from shikong.store.catalogue import NEWEST, Published, published
from shikong.store.database import Database
from shikong.store.errors import StoreError
from shikong.store.touched import CHANNEL, SINCE
from shikong.tiles.revisions import MOST_RELEASES, Release, Revisions

LOG = structlog.get_logger()

#: Seconds for which releases are taken as known; a new one shows in metadata after at most this long.
FRESH_FOR = 2.0

#: Seconds after which the database is asked again to tell of releases.
_LISTEN_AGAIN = 1.0

#: The word that marks generated data; the pages show it as a label.
GENERATED = {"zh": "样例数据", "en": "generated"}


class Metadata:
    """The newest releases, written into pygeoapi's configuration in memory, from which it makes metadata.

    revisions: which of them touched what. listening: whether each further release is heard of when it commits.
    away: whether the database did not answer when it was asked last.
    """

    def __init__(self, api: Any, database: Database) -> None:
        self._api = api
        self._open = {layer.id for layer in catalog.default() if layer.access.public}
        self._database = database
        self._read_at = -FRESH_FOR
        self._reading: asyncio.Task[None] | None = None
        self.releases: dict[str, Published] = {}
        self.revisions = Revisions()
        self.listening, self.away = False, False
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()
        self._next: asyncio.Task[None] | None = None

    def refresh_if_due(self) -> None:
        """Read the releases again, if that is due, beside the request that notices it: it does not wait."""
        now = time.monotonic()
        if now - self._read_at >= FRESH_FOR:
            self._read_at = now
            self._reading = asyncio.create_task(self.refresh())

    async def refresh(self) -> None:
        """Read the releases again. Without the database the last known ones stay."""
        if self._next is None:
            self._next = asyncio.create_task(self._refresh())
        await asyncio.shield(self._next)

    async def ensure_known(self) -> None:
        """Know each release that has been committed by now, unless the database has just been found away."""
        if not self.listening and not (self.away and time.monotonic() - self._read_at < FRESH_FOR):
            await self.refresh()

    async def _refresh(self) -> None:
        async with self._one_at_a_time:  # or one that began before would put back what another has found
            self._next = None  # who comes from now on wants what is committed later, too
            self._read_at = time.monotonic()
            await self._read()

    async def _read(self) -> None:
        try:
            releases = published(await self._database.fetch(NEWEST))
            touched = await self._touched(releases)
        except StoreError as error:
            LOG.warning("metadata_not_refreshed", reason=str(error))
            self.away, self._read_at = True, time.monotonic()
            return
        self.away = False
        if releases == self.releases:
            return
        for layer, known in touched.items():
            self.revisions.of(layer).learn(known)
        self.releases = releases
        self._changed.set()
        self._changed = asyncio.Event()
        for config in (self._api.config, self._api.tpl_config):
            for layer, release in self.releases.items():
                if layer in self._open:
                    _describe(config["resources"].get(layer), release)
        l10n._cfg_cache.clear()  # pygeoapi keeps the translated configuration for ever

    async def _touched(self, releases: dict[str, Published]) -> dict[str, list[Release]]:
        """By layer what releases have touched that are not known yet."""
        found: dict[str, list[Release]] = {}
        for layer, newest in releases.items():
            since = self.revisions.of(layer).newest
            if newest.release > since:
                rows = await self._database.fetch(SINCE, {"layer": layer, "since": since, "most": MOST_RELEASES})
                found[layer] = [(release, boxes) for release, boxes in rows]
        return found

    async def changed_within(self, seconds: float) -> bool:
        """Wait for the next release of any layer, but no longer than so many seconds; whether there was one."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def listen(self) -> None:
        """Hear of releases as they commit, for as long as the service runs. While the database is away, or does not
        tell, `listening` is False."""
        while True:
            try:
                async with self._database.listening(CHANNEL) as told:
                    await self.refresh()
                    self.listening = not self.away
                    while self.listening:
                        if await anext(told) is not None:
                            await self.refresh()
                            self.listening = not self.away
            except StoreError as error:
                LOG.warning("not_listening", reason=str(error))
            finally:
                self.listening = False
            await asyncio.sleep(_LISTEN_AGAIN)


def _describe(resource: dict[str, Any] | None, release: Published) -> None:
    if resource is None:
        return
    if release.extent:
        resource["extents"]["spatial"]["bbox"] = [round(value, 7) for value in release.extent]
    if release.time_from:
        resource["extents"]["temporal"] = {"begin": release.time_from, "end": release.time_to}
    for language, words in resource["keywords"].items():
        word = GENERATED[language]
        if (release.origin == "generated") != (word in words):
            resource["keywords"][language] = (
                [*words, word] if release.origin == "generated" else [item for item in words if item != word]
            )
