"""What a release touched: where the rows lie that came, went or changed. Servers hear of each release when it commits.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import tables

#: The channel on which a release is told: its layer.
CHANNEL = "shikong_release"

#: Releases that touch more rows than this are taken to touch everything: a full delivery of another state.
MOST_BOXES = 20_000

#: What servers read of a layer that they know a release of; of others the last releases.
SINCE = sql.SQL("""
    SELECT id, touched FROM shikong.release WHERE layer = %(layer)s AND id > %(since)s ORDER BY id DESC LIMIT %(most)s
""")


def boxes(conn: Connection[Any], layer: Layer, release: int, first: int) -> list[float] | None:
    """West, south, east and north (EPSG:4490) of each row that a release brought, ended or superseded, in one list.

    first: the rows that it brought have this number or higher ones. None where they are too many to be told apart.
    """
    found = conn.execute(
        sql.SQL(_BOXES).format(
            table=tables.table(layer),
            history=tables.history(layer),
            gone=tables.gone(layer, sql.Placeholder("release")),
        ),
        {"release": release, "first": first, "most": MOST_BOXES + 1},
    ).fetchall()
    if len(found) > MOST_BOXES:
        return None
    return [value for box in found for value in box]


# What was ended before it came, and so went into history at once, counts for maps of the past.
_BOXES = """
    SELECT st_xmin(geom), st_ymin(geom), st_xmax(geom), st_ymax(geom) FROM (
        SELECT geom FROM {table} WHERE _row >= %(first)s AND _release = %(release)s
        UNION ALL SELECT geom FROM {history} WHERE {gone}
        UNION ALL SELECT geom FROM {history} WHERE _release = %(release)s AND _row >= %(first)s
    ) AS moved
    LIMIT %(most)s
"""
