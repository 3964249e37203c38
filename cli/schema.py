"""The database's shape, before a command works with it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.layers import catalog
from shikong.store import database, migrate
from shikong.store.settings import StoreSettings


def bring_forward(store: StoreSettings) -> list[str]:
    """Apply the migrations that are missing, and make the tables of layers that were declared since; returns the names
    of the migrations. A layer whose tables are there can be asked for before anything has been loaded."""
    dsn = database.dsn(store)
    done = migrate.migrate(dsn)
    migrate.make_tables(dsn, catalog.default())
    return done
