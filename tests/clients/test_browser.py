"""A browser without any other host: pages load, draw and log no error, wide and narrow.

Chromium is driven over the DevTools protocol. Every outside name fails to resolve, as on a closed
network, so a page that needs anything from elsewhere fails here.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

PATIENCE = 30.0
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}
#: Name of the picture -> address and whether there is a map that must be drawn.
PAGES = {
    "landing": ("/?f=html", False),
    "collections": ("/collections?f=html", False),
    "parcels": ("/collections/parcels?f=html", True),
    "items": ("/collections/parcels/items?f=html&limit=20", True),
    "item": ("/collections/districts/items/371502?f=html", True),
    "precipitation": ("/collections/precipitation?f=html", False),
    "process": ("/processes/what-is-here?f=html", False),
    "openapi": ("/openapi?f=html", False),
    "error": ("/collections/nowhere?f=html", False),
}

Event = dict[str, Any]


class Tab:
    """A page in the browser: what it asked for, what failed, what it logged. Without a session: the browser itself."""

    def __init__(self, socket: ClientConnection, session: str | None) -> None:
        self._socket = socket
        self._session = session
        self._numbers = itertools.count(1)
        self.events: list[Event] = []

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and give its result; events that come in between are kept."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE))
            if answer.get("sessionId") == self._session and answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            if "method" in answer and answer.get("sessionId") == self._session:
                self.events.append(answer)

    def value(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, what: str) -> None:
        """Wait until an expression in the page is true; fail after a while."""
        deadline = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}; {self.complaints()}"
            time.sleep(0.1)

    def wait_until_quiet(self) -> None:
        """Wait until no request is under way for a moment."""
        deadline, quiet = time.monotonic() + PATIENCE, 0
        while quiet < 5 and time.monotonic() < deadline:
            time.sleep(0.1)
            self.value("0")
            quiet = 0 if self._open_requests() else quiet + 1

    def _open_requests(self) -> set[str]:
        ended = {"Network.loadingFinished", "Network.loadingFailed"}
        asked = {event["params"]["requestId"] for event in self.of("Network.requestWillBeSent")}
        return asked - {event["params"]["requestId"] for event in self.events if event["method"] in ended}

    def of(self, method: str) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if event["method"] == method]

    def addresses(self) -> set[str]:
        """What the page asked for over the network."""
        found = {event["params"]["request"]["url"] for event in self.of("Network.requestWillBeSent")}
        return {url for url in found if not url.startswith(("data:", "blob:"))}

    def complaints(self, *, refused: tuple[str, ...] = ()) -> list[str]:
        """Failed and refused requests, exceptions and error messages. refused: addresses that may be."""
        found = [
            f"failed: {event['params']['errorText']} {event['params'].get('blockedReason', '')}"
            for event in self.of("Network.loadingFailed")
            if not event["params"].get("canceled")
        ]
        for event in self.of("Network.responseReceived"):
            response = event["params"]["response"]
            if response["status"] >= 400 and response["url"] not in refused:
                found.append(f"status {response['status']}: {response['url']}")
        for event in self.of("Runtime.exceptionThrown"):
            details = event["params"]["exceptionDetails"]
            found.append(f"exception: {details['text']} {details.get('exception', {}).get('description', '')}")
        for event in self.of("Log.entryAdded"):
            entry = event["params"]["entry"]
            if entry["level"] == "error" and entry.get("url") not in refused:
                found.append(f"log: {entry['text']} {entry.get('url', '')}")
        for event in self.of("Runtime.consoleAPICalled"):
            if event["params"]["type"] in ("error", "assert"):
                found.append(f"console: {[part.get('value') for part in event['params']['args']]}")
        return found

    def picture(self, path: Path | None = None, clip: dict[str, float] | None = None) -> np.ndarray[Any, Any]:
        """A screenshot, written to the path."""
        area = {"clip": clip | {"scale": 1}} if clip else {}
        data = base64.b64decode(self.do("Page.captureScreenshot", format="png", **area)["data"])
        if path:
            path.write_bytes(data)
        return matplotlib.image.imread(io.BytesIO(data), format="png")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientConnection]:
    """A running Chromium that knows no host but this machine."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is not installed: run `make setup-clients`")
    profile = tmp_path_factory.mktemp("chromium")
    process = subprocess.Popen(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={profile}",
            "--remote-debugging-port=0", "--hide-scrollbars", "--lang=zh-CN", "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        place = profile / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        while not (place.exists() and len(place.read_text(encoding="ascii").splitlines()) == 2):
            assert process.poll() is None, "chromium did not start"
            assert time.monotonic() < deadline, "chromium opened no DevTools port"
            time.sleep(0.1)
        port, path = place.read_text(encoding="ascii").splitlines()
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as socket:
            yield socket
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def tab(browser: ClientConnection) -> Iterator[Callable[[str], Tab]]:
    """Opens pages of a size (`wide` or `narrow`) and closes them after the test."""
    with _tabs(browser) as open_tab:
        yield open_tab


@contextmanager
def _tabs(socket: ClientConnection) -> Iterator[Callable[[str], Tab]]:
    root = Tab(socket, None)
    targets: list[str] = []

    def open_tab(size: str) -> Tab:
        target = root.do("Target.createTarget", url="about:blank")["targetId"]
        targets.append(target)
        session = root.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Tab(socket, session)
        width, height = SIZES[size]
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.do(f"{domain}.enable")
        page.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=size == "narrow",
        )  # fmt: skip
        return page

    yield open_tab
    for target in targets:
        root.do("Target.closeTarget", targetId=target)


def _go(page: Tab, url: str, *, has_map: bool) -> None:
    page.do("Page.navigate", url=url)
    page.wait_for(
        f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})", f"{url} to load"
    )
    if has_map:
        page.wait_for("document.querySelector('[data-ready=\"true\"]') !== null", f"the map of {url} to be drawn")
    page.wait_until_quiet()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_page_needs_no_other_host_and_logs_no_error(
    service: Any, tab: Callable[[str], Tab], artefacts: Path, name: str, size: str
) -> None:
    path, has_map = PAGES[name]
    page = tab(size)
    _go(page, service.url + path, has_map=has_map)
    page.picture(artefacts / f"page-{name}-{size}.png")
    outside = [url for url in page.addresses() if not url.startswith(f"{service.url}/")]
    assert not outside
    assert page.complaints(refused=(service.url + path,) if name == "error" else ()) == []
    assert page.value("document.documentElement.lang").startswith("zh")
    overflow = page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"the page is {overflow} pixels wider than the screen"


def test_map_shows_parcels(service: Any, tab: Callable[[str], Tab], artefacts: Path) -> None:
    page = tab("wide")
    _go(page, f"{service.url}/collections/parcels/items?f=html&limit=100", has_map=True)
    box = json.loads(
        page.value("JSON.stringify(document.querySelector('[data-ready=\"true\"]').getBoundingClientRect())")
    )
    clip = {key: box[key] for key in ("x", "y", "width", "height")}
    image = page.picture(artefacts / "map.png", clip)
    colours = np.unique((image[:, :, :3] * 255).astype(int).reshape(-1, 3), axis=0)
    assert len(colours) > 20, "the map is blank"


def test_language_follows_the_request(service: Any, tab: Callable[[str], Tab]) -> None:
    page = tab("wide")
    _go(page, f"{service.url}/collections/parcels?f=html&lang=en-US", has_map=True)
    assert page.value("document.documentElement.lang").startswith("en")
    assert "Land-use parcels" in page.value("document.querySelector('h1').textContent")
