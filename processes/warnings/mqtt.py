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
from shikong.processes.warnings import publishing
from shikong.processes.warnings.facts import rules_of
from shikong.processes.warnings.watch import Tell
from shikong.store.database import Database

LOG = structlog.get_logger()

TOPIC = "shikong/warnings"


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
    changed = publishing.query(layer, sql.SQL("code = ANY (%(codes)s)"))

    def tell(codes: list[str]) -> None:
        for row in database.thread_fetch(changed, {"codes": codes}):
            feature, _ = publishing.feature(layer, row)
            topic = f"{TOPIC}/{feature['properties']['hazard']}/{feature['properties']['level']}"
            client.publish(topic, orjson.dumps(feature), qos=1)

    try:
        yield tell
    finally:
        client.disconnect()
        client.loop_stop()
