"""Opinions that were not given in time: a worker writes down that they have lapsed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from psycopg import sql

from shikong.ingest.edits import Operation
from shikong.ingest.features import Progress
from shikong.layers.catalog import Catalog
from shikong.processes.coordination import cases
from shikong.store import tables
from shikong.store.database import Database

_OVERDUE = """
    SELECT o.code FROM {opinions} AS o JOIN {cases} AS c ON c.code = o."case"
    WHERE o.state = 'asked' AND c.state = 'circulated' AND o.due_on < %(today)s ORDER BY o.code
"""


def overdue(store: Database, city: Catalog) -> list[str]:
    """The codes of opinions whose time is over."""
    declared = cases.declared(city)
    layers = {
        "opinions": tables.table(city.layer(declared.opinions)),
        "cases": tables.table(city.layer(declared.cases)),
    }
    rows = store.thread_fetch(sql.SQL(_OVERDUE).format(**layers), {"today": cases.today(city)})
    return [code for (code,) in rows]


def due(store: Database, city: Catalog) -> str | None:
    """A word for what has lapsed and is not written down yet; None where nothing has."""
    codes = overdue(store, city)
    return f"{cases.today(city)}:{len(codes)}:{codes[0]}" if codes else None


def work(store: Database, city: Catalog, progress: Progress) -> str:
    """Write down what has lapsed, and say how much it was."""
    codes = overdue(store, city)
    layer = city.layer(cases.declared(city).opinions)
    for number, code in enumerate(codes):
        cases.apply(store, city, [Operation(layer, "update", code, None, {"state": "lapsed"}, None, False)])
        progress(number + 1, len(codes))
    return f"{len(codes)} opinions were not given in time"
