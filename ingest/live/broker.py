"""The way to an MQTT broker.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from shikong.ingest.errors import UnreadableSource


@dataclass(frozen=True)
class Broker:
    """A client that is set up, and where to connect it."""

    client: Client
    host: str
    port: int


def broker(address: str, name: str, **options: Any) -> Broker:
    """The broker at mqtt://user:password@host:port, or mqtts://…, for a client of a name; options: the client's own.

    Raises UnreadableSource.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise UnreadableSource("write the address of a broker as mqtt://user:password@host:port, or mqtts://…")
    client = Client(CallbackAPIVersion.VERSION2, name, **options)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or "") or None)
    if parts.scheme == "mqtts":
        client.tls_set()
    return Broker(client, parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883))
