"""What can go wrong with the store. The docstring is the default message.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations


class StoreError(Exception):
    """The store could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class DatabaseAway(StoreError):
    """The database does not answer; try again shortly."""


class QueryTooSlow(StoreError):
    """The query took longer than allowed and was stopped; ask for less (a smaller bbox or limit)."""


class Busy(StoreError):
    """As many exports are running as this server takes on; try again shortly."""


class DiskFull(StoreError):
    """The disk is full and nothing was changed; free some space, then load again."""


class ServerMissing(StoreError):
    """No PostgreSQL with PostGIS is installed; install postgresql and postgis, or set DATABASE_URL."""


class SchemaConflict(StoreError):
    """A table in the database does not fit the layer's declaration."""


class NotPublished(StoreError):
    """Nothing has been published for this layer yet; load it with `shikong ingest`."""


class OlderThanKnown(StoreError):
    """A snapshot is older than versions that it would have to change."""


class LayerBusy(StoreError):
    """The layer is being loaded; try again shortly."""


class NoSuchRelease(StoreError):
    """There is no such release of this layer; see `shikong releases`."""


class NotKept(StoreError):
    """The files of that release are not kept any more; ask for another time, or for what is known now."""


class Unreadable(StoreError):
    """The files of a layer cannot be read; load it again, or go back to an earlier release."""


class NotInQuarantine(StoreError):
    """There is no such open row in quarantine; see `shikong quarantine list`."""
