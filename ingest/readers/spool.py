"""Pages of a feature service, fetched one after the other into a folder and read from there.

After each page the place to go on from is written down in one step; a fetch that broke off goes on with the next page.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pandas as pd

from shikong.ingest.errors import EmptySource, SourceAway, UnreadableSource
from shikong.ingest.readers import vector
from shikong.ingest.readers.base import Batch, FeatureSource

#: Seconds after which pages are too old to go on from: the service has other data by then.
MAX_AGE = 24 * 3600

#: Features asked for at a time, and bounds of what a service may answer.
PAGE_FEATURES = 1_000
MAX_PAGE_BYTES = 256 * 2**20
MAX_PAGES = 100_000

#: Seconds before the second, third ... try of a page; a server's Retry-After up to the last of them counts instead.
PAUSES = (0.5, 1.0, 2.0, 4.0, 30.0)
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_PASSING = frozenset({408, 429, 500, 502, 503, 504})

Fetch = Callable[[str], bytes]


@dataclass(frozen=True)
class Protocol:
    """How a kind of service is paged.

    name: for reports. suffix: of a page's file, for GDAL.
    start: gives the first page's address; it may ask the service first.
    following: gives the next page's address from a page's bytes, its file and its own address; None after the last.
    """

    name: str
    suffix: str
    start: Callable[[Fetch], str]
    following: Callable[[bytes, Path, str], str | None]


@dataclass(frozen=True)
class Spool:
    """The folder of one address's pages. name: what the source is called in releases and reports."""

    folder: Path
    address: str
    name: str

    @classmethod
    def at(cls, parent: Path, address: str) -> Spool:
        """The spool of an address; user and password of the address stand neither in its folder nor in its name."""
        parts = urlsplit(address)
        what = [part for part in parts.path.split("/") if part][-2:]
        host = parts.hostname or ""
        return cls(parent / hashlib.sha256(address.encode()).hexdigest()[:24], address, f"{'.'.join(what)} @ {host}")

    def fill(self, protocol: Protocol) -> int:
        """Fetch the pages that are not there yet; gives how many there are. Raises UnreadableSource when it cannot."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client:

            def fetch(address: str) -> bytes:
                self._refuse_other_host(address)
                return _fetch(client, address, self.name)

            state = self._state() or {"pages": 0, "next": protocol.start(fetch)}
            while (address := state["next"]) is not None:
                if state["pages"] >= MAX_PAGES:
                    raise UnreadableSource(f"{self.name} gives more than {MAX_PAGES:,} pages; ask for a part of it")
                body = fetch(address)
                page = self._page(state["pages"], protocol.suffix)
                _write(page, body)
                following = protocol.following(body, page, address)
                if following == address:
                    raise UnreadableSource(f"{self.name} names the same page as the next one; its paging is broken")
                state = state | {"pages": state["pages"] + 1, "next": following}
                _write(self.folder / "state.json", json.dumps(state).encode())
        return int(state["pages"])

    def open_source(self, protocol: Protocol, pages: int) -> FeatureSource:
        """The features of all pages, a page a batch. Raises EmptySource."""
        files = (self._page(number, protocol.suffix) for number in range(pages))
        sources = [source for file in files if (source := _opened(file)) is not None]
        if not sources:
            raise EmptySource(f"{self.name} has no features")
        fields = list(dict.fromkeys(name for source in sources for name in source.fields))
        totals = [source.total for source in sources]

        def batches() -> Iterator[Batch]:
            row = 1
            for source in sources:
                for batch in source.batches():
                    yield Batch(row, pd.DataFrame(batch.columns.reindex(columns=fields)), batch.geometry)
                    row += len(batch.geometry)

        total = None if None in totals else sum(number or 0 for number in totals)
        return FeatureSource(protocol.name, sources[0].crs, fields, total, batches)

    def remove(self) -> None:
        """Forget the pages."""
        shutil.rmtree(self.folder)

    def _state(self) -> dict[str, Any] | None:
        file = self.folder / "state.json"
        if not file.exists() or time.time() - file.stat().st_mtime > MAX_AGE:
            return None
        state: dict[str, Any] = json.loads(file.read_bytes())
        return state

    def _page(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:06}{suffix}"

    def _refuse_other_host(self, address: str) -> None:
        """A service may not send us to another machine, for example inside our own network."""
        own, other = urlsplit(self.address), urlsplit(address)
        if (own.scheme, own.hostname, own.port) != (other.scheme, other.hostname, other.port):
            raise UnreadableSource(
                f"{self.name} names a next page on another server ({other.hostname}); give the address by which it "
                "knows itself"
            )


def _opened(page: Path) -> FeatureSource | None:
    try:
        return vector.open_source(page, None)
    except EmptySource:
        return None


def _fetch(client: httpx.Client, address: str, name: str) -> bytes:
    """One page, tried again while the trouble may pass."""
    trouble = ""
    kind: type[UnreadableSource] = SourceAway
    for pause in (*PAUSES, None):
        wait = pause
        try:
            with client.stream("GET", address) as response:
                if response.status_code == 200:
                    return _read(response, name)
                trouble = f"HTTP {response.status_code}"
                if response.status_code not in _PASSING:
                    kind = UnreadableSource
                    break
                asked = response.headers.get("retry-after", "")
                wait = min(float(asked), PAUSES[-1]) if pause is not None and asked.isdigit() else pause
        except httpx.TransportError as error:
            trouble = f"{type(error).__name__}: {error}"
        if wait is not None:
            time.sleep(wait)
    raise kind(
        f"{name} does not give a page ({trouble}); run the same command again to go on from the pages that are there"
    )


def _read(response: httpx.Response, name: str) -> bytes:
    body = bytearray()
    for block in response.iter_bytes():
        body += block
        if len(body) > MAX_PAGE_BYTES:
            raise UnreadableSource(
                f"{name} gives a page of more than {MAX_PAGE_BYTES:,} bytes; it ignores the page size"
            )
    return bytes(body)


def _write(file: Path, body: bytes) -> None:
    """Write a file in one step: it is there whole or not at all."""
    fresh = file.with_name(f".{file.name}.part")
    with fresh.open("wb") as opened:
        opened.write(body)
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(fresh, file)
