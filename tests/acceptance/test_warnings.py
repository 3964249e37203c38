"""Warnings over HTTP: as a stream of events, as messages of the Common Alerting Protocol, and what hydrologists do.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from conftest import Service

from shikong.store import accounts
from shikong.store.database import Database
from support.town import Town, opened

CAP = {"cap": "urn:oasis:names:tc:emergency:cap:1.2"}


@pytest.fixture
def town(
    empty_store: Database, tmp_path: Path, run_service: Callable[..., AbstractContextManager[Service]]
) -> Iterator[Town]:
    """A town without warnings."""
    with opened(empty_store, tmp_path, run_service) as found:
        yield found


class Listener:
    """Someone who listens to the stream in a thread."""

    def __init__(self, url: str, last: str | None = None) -> None:
        self.events: list[tuple[int, dict[str, Any]]] = []
        self._came = threading.Condition()
        self._socket: socket.socket | None = None
        self._client = httpx.Client(timeout=httpx.Timeout(10, read=40))
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        self._thread = threading.Thread(target=self._listen, args=(f"{url}/warnings/events", headers), daemon=True)
        self._thread.start()

    def _listen(self, url: str, headers: dict[str, str]) -> None:
        number = 0
        with contextlib.suppress(httpx.HTTPError), self._client.stream("GET", url, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
            for line in response.iter_lines():
                if line.startswith("id: "):
                    number = int(line[4:])
                elif line.startswith("data: "):
                    with self._came:
                        self.events.append((number, json.loads(line[6:])))
                        self._came.notify_all()

    def first(self, number: int) -> list[tuple[int, dict[str, Any]]]:
        """The first events, once there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.events) >= number, 90), self.events
            return self.events[:number]

    def leave(self) -> None:
        """Hang up: a server that ends would wait for who listens."""
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)


@pytest.fixture
def listen(town: Town) -> Iterator[Callable[..., Listener]]:
    """Makes listeners, who leave before the town does."""
    listeners: list[Listener] = []

    def made(last: str | None = None) -> Listener:
        listeners.append(Listener(town.url, last))
        return listeners[-1]

    yield made
    for listener in listeners:
        listener.leave()


def _levels(events: list[tuple[int, dict[str, Any]]]) -> list[tuple[str, str]]:
    return [(event["properties"]["level"], event["properties"]["state"]) for _, event in events]


def test_a_client_hears_of_warnings_as_they_come_and_goes_on_where_it_was(
    town: Town, listen: Callable[..., Listener]
) -> None:
    early = listen()
    town.rises_to(31.7, 0)
    assert _levels(early.first(1)) == [("blue", "active")]
    town.rises_to(31.9, 1)  # still blue: no event
    town.rises_to(32.1, 2)
    assert _levels(early.first(2))[1:] == [("yellow", "active")]
    numbers = [number for number, _ in early.events]
    assert numbers == sorted(set(numbers))
    late, back = listen(), listen(str(numbers[0]))
    assert _levels(late.first(1)) == _levels(back.first(1)) == [("yellow", "active")]
    town.rises_to(34.5, 3)
    for listener in (early, late, back):
        assert listener.first(len(listener.events))[-1]
    assert {event["id"] for _, event in early.first(3)} >= {early.events[0][1]["id"]}
    assert early.events[0][1]["geometry"] == {"type": "MultiPoint", "coordinates": [[115.9, 36.4]]}
    refused = httpx.get(f"{town.url}/warnings/events", headers={"Last-Event-ID": "x"})
    assert (refused.status_code, refused.json()["parameter"]) == (400, "Last-Event-ID")


def _message(town: Town, code: str) -> ET.Element:
    response = httpx.get(f"{town.url}/warnings/{code}/cap")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/cap+xml")
    return ET.fromstring(response.content)


def _text(root: ET.Element, path: str) -> str | None:
    return root.findtext("/".join(f"cap:{name}" for name in path.split("/")), namespaces=CAP)


def test_a_warning_is_a_cap_message_with_its_history(town: Town) -> None:
    """Order, names and values of elements are those of the standard's section 3.2 and 3.3.2."""
    town.rises_to(33.6, 0)
    (feature,) = [
        feature
        for feature in httpx.get(f"{town.url}/collections/warnings/items").json()["features"]
        if feature["properties"]["rule"] == "flood_stage"
    ]
    alert = _message(town, feature["id"])
    order = ["identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses", "code",
             "note", "references", "incidents", "info"]  # fmt: skip
    found = [child.tag.split("}")[1] for child in alert]
    assert found == sorted(found, key=order.index)
    assert {"identifier", "sender", "sent", "status", "msgType", "scope"} <= set(found)
    assert (_text(alert, "status"), _text(alert, "msgType"), _text(alert, "scope")) == ("Actual", "Alert", "Public")
    assert not set(" ,<&") & set(str(_text(alert, "identifier")))
    assert str(_text(alert, "sent")).endswith("+08:00")
    infos = alert.findall("cap:info", CAP)
    assert [info.findtext("cap:language", namespaces=CAP) for info in infos] == ["zh-CN", "en-US"]
    inner = ["language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience",
             "eventCode", "effective", "onset", "expires", "senderName", "headline", "description", "instruction", "web",
             "contact", "parameter", "resource", "area"]  # fmt: skip
    for info in infos:
        names = [child.tag.split("}")[1] for child in info]
        assert names == sorted(names, key=inner.index)
        assert info.findtext("cap:severity", namespaces=CAP) == "Severe"
        assert info.findtext("cap:area/cap:circle", namespaces=CAP) == "36.40000,115.90000 5"
    assert "转移" in str(infos[0].findtext("cap:instruction", namespaces=CAP))
    town.rises_to(34.3, 5)
    update = _message(town, feature["id"])
    assert _text(update, "msgType") == "Update"
    assert str(_text(alert, "identifier")) in str(_text(update, "references"))
    feed = ET.fromstring(httpx.get(f"{town.url}/warnings/cap").content)
    links = [link.attrib["href"] for link in feed.iter("{http://www.w3.org/2005/Atom}link")]
    assert f"{town.url}/warnings/{feature['id']}/cap" in links
    assert httpx.get(f"{town.url}/warnings/W0/cap").status_code == 404


def test_what_is_generated_is_a_test_to_those_who_are_warned(town: Town) -> None:
    town.rises_to(33.6, 0, origin="generated")
    features = httpx.get(f"{town.url}/collections/warnings/items").json()["features"]
    alert = _message(town, features[0]["id"])
    assert _text(alert, "status") == "Test"
    assert "生成的样例数据" in str(_text(alert, "note"))


def test_a_hydrologist_acknowledges_over_http_and_nobody_else_does(town: Town, empty_store: Database) -> None:
    town.rises_to(33.6, 0)
    with empty_store.thread_session() as conn:
        token = accounts.add(conn, "li", ("hydrologist",), None)
    (code, *_) = [f["id"] for f in httpx.get(f"{town.url}/collections/warnings/items").json()["features"]]
    address = f"{town.url}/collections/warnings/items/{code}"
    body = {"properties": {"state": "acknowledged"}}
    patch = {"Content-Type": "application/merge-patch+json"}
    assert httpx.patch(address, json=body, headers=patch).status_code == 401
    done = httpx.patch(address, json=body, headers=patch | {"Authorization": f"Bearer {token}"})
    assert done.status_code in (200, 204), done.text
    steps = httpx.get(f"{address}/steps").json()
    assert [step["step"] for step in steps["steps"]] == ["issue", "acknowledge"]
