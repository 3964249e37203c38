"""`shikong terrain`: derive of the elevation model what questions about water need.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.cli import schema
from shikong.cli.console import clear_errors, out
from shikong.layers import catalog
from shikong.store import database
from shikong.store.moments import NOW


def terrain() -> None:
    """Derive flow, streams and heights above them of the present elevation model, so that the first who asks need not
    wait."""
    from shikong.processes.hydrology import model  # with a compiler, which other commands need not wait for

    with clear_errors():
        store = database.default()
        schema.bring_forward(store.settings)
        with (
            store.thread_session() as conn,
            model.opened(conn, catalog.default(), NOW, store.settings.data) as found,
        ):
            rows, columns = found.grid.shape
            out.print(f"{rows:,} × {columns:,} cells, {found.burnt} known rivers burnt in: ready")
