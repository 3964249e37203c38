"""Tiles given again from memory are what they were the first time, on every way that a client can ask.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import gzip
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import geopandas as gpd
import httpx
import morecantile
import pytest
import zstandard


@pytest.fixture(scope="module")
def path(sample_city: Any) -> str:
    """A tile with something in it."""
    x, y = gpd.read_file(sample_city.files / "parcels.fgb").to_crs(4490).union_all().representative_point().coords[0]
    tile = morecantile.tms.get("WebMercatorQuad").tile(x, y, 13)
    return f"/collections/parcels/tiles/WebMercatorQuad/13/{tile.y}/{tile.x}"


def _ask(client: Any, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(base_url=client.url, trust_env=False) as http:
        http.headers.clear()
        return http.get(path, headers={"host": "127.0.0.1", **{n.replace("_", "-"): v for n, v in headers.items()}})


def _same(first: httpx.Response, second: httpx.Response) -> None:
    own = ("date", "x-request-id", "transfer-encoding", "content-length")
    told = [{name: value for name, value in each.headers.items() if name not in own} for each in (first, second)]
    assert told[0] == told[1]
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize("headers", [
    {}, {"accept_encoding": "gzip"}, {"accept_encoding": "zstd, gzip"}, {"accept_encoding": "identity"},
    {"origin": "http://elsewhere.example"}, {"origin": "http://elsewhere.example", "accept_encoding": "gzip"},
    {"accept": "*/*"},
])  # fmt: skip
def test_an_answer_from_memory_is_the_same(client: Any, path: str, headers: dict[str, str]) -> None:
    first, second, third = (_ask(client, path, **headers) for _ in range(3))
    _same(first, second)
    _same(first, third)
    assert first.content == _ask(client, path).content
    assert ("access-control-allow-origin" in second.headers) == ("origin" in headers)
    encoding = second.headers.get("content-encoding")
    assert encoding == {"gzip": "gzip", "zstd, gzip": "zstd"}.get(headers.get("accept_encoding", ""))
    known = _ask(client, path, if_none_match=second.headers["etag"], **headers)
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == second.headers["etag"]


def _raw(client: Any, *requests: str) -> bytes:
    """What comes back when all requests are sent at once on one connection."""
    address = urlsplit(client.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall("".join(requests).encode())
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def test_many_requests_at_once_on_one_connection_are_answered_in_their_order(client: Any, path: str) -> None:
    content = _ask(client, path).content
    get = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"
    health = "GET /conformance?f=json HTTP/1.1\r\nHost: x\r\n\r\n"
    closing = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = _raw(client, get, get, health, get, closing)
    heads = [received.index(b"HTTP/1.1 200", at) for at in (0, 10)]
    assert received.count(b"HTTP/1.1 200 OK") == 5
    assert received.count(content) == 4
    assert heads[1] > received.index(content)
    assert received.index(b"conformsTo") > received.index(content, received.index(content) + 1)
    assert received.endswith(content)


@pytest.mark.parametrize("line", ["HEAD {} HTTP/1.1", "GET {} HTTP/1.0", "GET {}?asOf=2100-01-01 HTTP/1.1"])
def test_other_ways_of_asking_work_as_before(client: Any, path: str, line: str) -> None:
    content = _ask(client, path).content
    received = _raw(client, f"{line.format(path)}\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    if line.startswith("HEAD"):
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 405"))
        assert not body or b"problem" in head
    else:
        assert head.startswith(b"HTTP/1.1 200")
        assert len(body) > 100
        assert "asOf" in line or body == content


def test_each_answer_from_memory_has_its_line_in_the_log(client: Any, service: Any, path: str) -> None:
    told = [_ask(client, path).headers["x-request-id"] for _ in range(3)]
    lines = [json.loads(line) for line in Path(service.log).read_text(encoding="utf-8").splitlines() if "{" in line]
    found = {line["request_id"]: line for line in lines if line.get("event") == "request"}
    for number in told:
        assert (found[number]["path"], found[number]["status"], found[number]["method"]) == (path, 200, "GET")


def test_what_is_compressed_can_be_read(client: Any, path: str) -> None:
    plain = _ask(client, path).content
    for _ in range(2):
        raw = _raw(client, f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
                   f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: zstd\r\nConnection: close\r\n\r\n")  # fmt: skip
    first = raw.partition(b"\r\n\r\n")[2]
    length = int(raw.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert gzip.decompress(first[:length]) == plain
    assert zstandard.ZstdDecompressor().decompressobj().decompress(_ask_raw_zstd(client, path)) == plain


def _ask_raw_zstd(client: Any, path: str) -> bytes:
    with (
        httpx.Client(base_url=client.url, trust_env=False) as http,
        http.stream("GET", path, headers={"accept-encoding": "zstd"}) as answer,
    ):
        return b"".join(answer.iter_raw())
