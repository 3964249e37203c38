"""What collections tell of themselves beyond the declaration: extents and origin of the newest release.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from pygeoapi import l10n

from shikong.store.catalogue import NEWEST, Published, published
from shikong.store.database import Database
from shikong.store.errors import StoreError

LOG = structlog.get_logger()

#: Seconds for which releases are taken as known; a new one shows in metadata after at most this long.
FRESH_FOR = 2.0

#: The word that marks generated data; the pages show it as a label.
GENERATED = {"zh": "样例数据", "en": "generated"}


class Metadata:
    """The newest releases, written into pygeoapi's configuration in memory, from which it makes metadata."""

    def __init__(self, api: Any, database: Database) -> None:
        self._api = api
        self._database = database
        self._read_at = -FRESH_FOR
        self._reading: asyncio.Task[None] | None = None
        self.releases: dict[str, Published] = {}

    def refresh_if_due(self) -> None:
        """Read the releases again, if that is due, beside the request that notices it: it does not wait."""
        now = time.monotonic()
        if now - self._read_at >= FRESH_FOR:
            self._read_at = now
            self._reading = asyncio.create_task(self.refresh())

    async def refresh(self) -> None:
        """Read the releases again. Without the database the last known ones stay."""
        try:
            releases = published(await self._database.fetch(NEWEST))
        except StoreError as error:
            LOG.warning("metadata_not_refreshed", reason=str(error))
            return
        if releases == self.releases:
            return
        self.releases = releases
        for config in (self._api.config, self._api.tpl_config):
            for layer, release in self.releases.items():
                _describe(config["resources"].get(layer), release)
        l10n._cfg_cache.clear()  # pygeoapi keeps the translated configuration for ever


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
