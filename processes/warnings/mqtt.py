"""Warnings told to a broker: each change as GeoJSON on shikong/warnings/<hazard>/<level>.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import structlog
from psycopg import sql

from shikong.ingest.live.broker import broker
from shikong.layers.catalog import Catalog
from shikong.processes.warnings.facts import rules_of
from shikong.processes.warnings.watch import Tell
from shikong.store import tables
from shikong.store.database import Database

LOG = structlog.get_logger()

TOPIC = "shikong/warnings"

_CHANGED = "SELECT {columns}, origin, st_asgeojson(geom, 6, 0) FROM {table} WHERE code = ANY (%(codes)s)"


@contextmanager
def publisher(address: str, database: Database, city: Catalog) -> Iterator[Tell]:
    """Who tells a broker (mqtt://user:password@host:port, mqtts://…) of warnings by their codes.

    The broker may be away: what is told then waits in memory and is sent when it is back. Raises UnreadableSource.
    """
    found = broker(address, "shikong-warnings")
    client = found.client
    client.max_queued_messages_set(10_000)
    client.connect_async(found.host, found.port)
    client.loop_start()
    layer = city.layer(rules_of(city).published_as)
    names = [*layer.fields, "origin"]
    query = sql.SQL(_CHANGED).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, layer.fields)), table=tables.table(layer)
    )

    def tell(codes: list[str]) -> None:
        for *values, shape in database.thread_fetch(query, {"codes": codes}):
            warning = dict(zip(names, values, strict=True))
            feature = {
                "type": "Feature", "id": warning["code"], "geometry": orjson.loads(shape), "properties": warning
            }  # fmt: skip
            topic = f"{TOPIC}/{warning['hazard']}/{warning['level']}"
            client.publish(topic, orjson.dumps(feature), qos=1)

    try:
        yield tell
    finally:
        client.disconnect()
        client.loop_stop()
