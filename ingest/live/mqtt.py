"""Listening to a broker: messages of JSON on shikong/observations/<layer>, acknowledged once they are in the journal.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import structlog
from paho.mqtt.client import Client, MQTTMessage

from shikong.ingest.errors import SourceAway
from shikong.ingest.live.broker import broker
from shikong.ingest.live.journal import Received
from shikong.ingest.live.receiver import Inbox

LOG = structlog.get_logger()

TOPIC = "shikong/observations/"

#: The broker keeps what comes while nobody listens for the one of this name.
CLIENT = "shikong-receiver"

#: Bytes of a message that are taken.
MOST_BYTES = 1_000_000


class Subscriber:
    """Hands messages of a broker to the inbox. It connects again by itself when the broker was away."""

    def __init__(self, address: str, inbox: Inbox) -> None:
        """address: mqtt://user:password@host:port, or mqtts://. Raises UnreadableSource."""
        self._inbox, self._loop = inbox, asyncio.get_running_loop()
        found = broker(address, CLIENT, clean_session=False, manual_ack=True)
        self._client, self._host, self._port = found.client, found.host, found.port
        self._client.on_connect = self._connected
        self._client.on_disconnect = lambda *_: LOG.warning("the broker has gone", host=self._host)
        self._client.on_message = self._came

    def start(self) -> None:
        """Connect, and listen in a thread. Raises SourceAway when the broker is not there at the start."""
        try:
            self._client.connect(self._host, self._port, keepalive=30)
        except OSError as error:
            raise SourceAway(f"no broker answers at {self._host}:{self._port}: {error}") from error
        self._client.loop_start()

    def stop(self) -> None:
        """Leave the broker; it keeps what comes."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        LOG.info("the broker is there", host=self._host, answer=str(reason))
        client.subscribe(f"{TOPIC}+", qos=1)

    def _came(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        asyncio.run_coroutine_threadsafe(self._take(message), self._loop)

    async def _take(self, message: MQTTMessage) -> None:
        layer = message.topic.removeprefix(TOPIC)
        data, reason, told = bytes(message.payload), None, None
        if len(data) > MOST_BYTES:
            told = f"the message has {len(data):,} bytes; at most {MOST_BYTES:,} are taken"
            data, reason = data[:2_048], "too_large"
        await (await self._inbox.put(Received(datetime.now(UTC), "mqtt", layer, data, reason, told)))
        self._client.ack(message.mid, message.qos)
