"""What HTTP lets clients and caches expect: tags, 304, compression, HEAD, CORS, links in headers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import zstandard

from shikong.server.compression import negotiated
from shikong.store.database import Database
from support.loads import dsn_of, load, settings_for, wait_for, write_districts

ITEMS = "/collections/parcels/items"
AS_OF = "2099-01-01"


@pytest.fixture
def get(service: Any) -> Iterator[Callable[..., httpx.Response]]:
    """Asks with headers of one's own; nothing is decoded behind one's back."""
    with httpx.Client(base_url=service.url, trust_env=False, headers={"accept-encoding": "identity"}) as client:

        def ask(path: str, method: str = "GET", params: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.request(method, path, params=params, headers=given)

        yield ask


def _tag(get: Callable[..., httpx.Response], path: str = ITEMS, **params: Any) -> str:
    """The tag of a page; the first answers after a start have none yet."""
    for _ in range(50):
        answer = get(path, params={"f": "json"} | params)
        if "etag" in answer.headers:
            return str(answer.headers["etag"])
    raise AssertionError("no tag was given")


def test_a_page_that_is_known_is_not_sent_again(get: Callable[..., httpx.Response]) -> None:
    tag = _tag(get, limit=5)
    assert not tag.startswith("W/")
    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = get(ITEMS, params={"f": "json", "limit": 5}, if_none_match=given)
        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["etag"] == tag
        assert "no-cache" in answer.headers["cache-control"]
    assert get(ITEMS, params={"f": "json", "limit": 5}, if_none_match='"other"').status_code == 200


def test_what_differs_has_another_tag(get: Callable[..., httpx.Response]) -> None:
    asked: list[dict[str, Any]] = [
        {}, {"limit": 5}, {"f": "csv"}, {"f": "html"}, {"f": "html", "lang": "en-US"}, {"datetime": "2020-01-01"},
        {"crs": "http://www.opengis.net/def/crs/EPSG/0/4548"}, {"filter": "tbmj > 1"}, {"f": "parquet"}, {"asOf": AS_OF},
    ]  # fmt: skip
    tags = [_tag(get, **params) for params in asked]
    assert len(set(tags)) == len(tags)
    languages = {
        get(ITEMS, params={"f": "html"}, accept_language=language).headers["etag"] for language in ("zh", "en")
    }
    assert len(languages) == 2
    weighed = {get(ITEMS, accept=accept).headers["etag"] for accept in ("text/csv", "application/geo+json")}
    assert len(weighed) == 2


def test_a_304_costs_no_rows(get: Callable[..., httpx.Response], sample_city: Any) -> None:
    """Even where the rows cannot be read."""
    tag = _tag(get)
    with psycopg.connect(sample_city.dsn) as conn:
        conn.execute("LOCK TABLE data.parcels IN ACCESS EXCLUSIVE MODE")
        assert get(ITEMS, params={"f": "json"}, if_none_match=tag).status_code == 304
        conn.rollback()


@pytest.fixture
def changing(
    cluster: Any, template: str, make_service: Callable[..., Any], tmp_path: Path
) -> Iterator[tuple[Any, Database]]:
    """A running service over an empty database, and the store behind it."""
    name = f"m{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    store = Database(settings_for(cluster.dsn_of(name), tmp_path))
    load(store, write_districts(tmp_path / "first.fgb", 5), "districts")
    yield make_service(cluster.dsn_of(name), tmp_path), store
    store.close_threads()


def test_a_new_release_ends_the_old_tag_at_once(changing: tuple[Any, Database], tmp_path: Path) -> None:
    service, store = changing
    with httpx.Client(base_url=service.url, trust_env=False, params={"f": "json"}) as client:
        path = "/collections/districts/items"
        wait_for(lambda: "etag" in client.get(path).headers, "a tag")
        tag = client.get(path).headers["etag"]
        assert client.get(path, headers={"if-none-match": tag}).status_code == 304
        load(store, write_districts(tmp_path / "second.fgb", 6, "新街道"), "districts")
        answer = client.get(path, headers={"if-none-match": tag})  # before the server has read releases again
        assert answer.status_code == 200
        assert answer.json()["numberReturned"] == 6
        wait_for(lambda: client.get(path).headers.get("etag") not in (None, tag), "a new tag")


def test_a_row_that_begins_to_hold_ends_the_old_tag(changing: tuple[Any, Database]) -> None:
    """Without a release: a page is about now, and now goes on."""
    service, store = changing
    with httpx.Client(base_url=service.url, trust_env=False, params={"f": "json"}) as client:
        path = "/collections/parcels/items"
        with psycopg.connect(dsn_of(store)) as conn:
            conn.execute(
                "INSERT INTO data.parcels (_release, _hash, bsm, dlbm, xzqdm, origin, valid_from, geom) SELECT 1,"
                " gen_random_uuid(), '1', '0102', '371502', 'generated', now() + interval '4 s',"
                " st_setsrid(st_multi(st_buffer(st_point(115.9, 36.4), 0.01)), 4490)"
            )
            conn.execute(
                'INSERT INTO shikong.release OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(r, \'{"id": 1000, "layer": "parcels"}\')).*'
                " FROM shikong.release AS r"
            )
        wait_for(lambda: "etag" in client.get(path).headers, "a tag")
        first = client.get(path)
        assert first.json()["numberReturned"] == 0
        known = {"if-none-match": first.headers["etag"]}
        assert client.get(path, headers=known).status_code == 304
        wait_for(lambda: client.get(path, headers=known).status_code == 200, "the row")
        assert client.get(path).json()["numberReturned"] == 1


@pytest.mark.parametrize(("accepted", "encoding"), [
    ("gzip", "gzip"), ("zstd", "zstd"), ("gzip, deflate, br, zstd", "zstd"), ("zstd;q=0.5, gzip", "gzip"),
    ("identity", None), ("br", None), ("gzip;q=0", None), ("zstd;q=0, gzip;q=0.1", "gzip"), ("gzip;q=x, zstd", "zstd"),
])  # fmt: skip
def test_compression_is_negotiated(get: Callable[..., httpx.Response], accepted: str, encoding: str | None) -> None:
    assert negotiated(accepted) == encoding
    plain = get(ITEMS, params={"f": "jsonl", "limit": 200}).content
    with httpx.Client(trust_env=False) as client:
        url = get(ITEMS).url.copy_with(query=b"f=jsonl&limit=200")
        with client.stream("GET", url, headers={"accept-encoding": accepted}) as answer:
            packed = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == encoding
    assert "Accept-Encoding" in answer.headers["vary"]
    if encoding == "gzip":
        packed, size = gzip.decompress(packed), len(packed)
        assert size < len(plain) / 3
    elif encoding == "zstd":
        packed, size = zstandard.ZstdDecompressor().decompressobj().decompress(packed), len(packed)
        assert size < len(plain) / 3
    assert packed == plain


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_page_has_a_tag_of_its_own(get: Callable[..., httpx.Response], encoding: str) -> None:
    plain = _tag(get)
    packed = get(ITEMS, params={"f": "json"}, accept_encoding=encoding).headers["etag"]
    assert packed != plain
    known = get(ITEMS, params={"f": "json"}, accept_encoding=encoding, if_none_match=packed)
    assert (known.status_code, known.headers["etag"], known.content) == (304, packed, b"")


def test_what_is_small_or_packed_stays_as_it_is(get: Callable[..., httpx.Response]) -> None:
    for params in (
        {"f": "json", "limit": 1, "skipGeometry": "true", "properties": "dlbm"},
        {"f": "parquet"},
        {"f": "shp"},
    ):
        answer = get(ITEMS, params=params, accept_encoding="gzip, zstd")
        assert answer.status_code == 200
        assert ("content-encoding" in answer.headers) == (len(answer.content) > 1000 and params["f"] == "json")
    assert "content-encoding" not in get("/health", accept_encoding="gzip").headers


@pytest.mark.parametrize("path", ["/", "/collections", "/collections/parcels", ITEMS, "/conformance", "/openapi",
                                  "/collections/parcels/queryables", "/collections/parcels/schema", "/processes",
                                  "/collections/parcels/tiles", "/health", "/jobs"])  # fmt: skip
def test_head_is_get_without_its_body(get: Callable[..., httpx.Response], path: str) -> None:
    whole, head = get(path, params={"f": "json"}), get(path, "HEAD", params={"f": "json"})
    assert head.status_code == whole.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_the_past_is_immutable_and_the_present_is_not(get: Callable[..., httpx.Response]) -> None:
    def control(**params: str) -> str:
        return str(get(ITEMS, params={"f": "json", "limit": "1"} | params).headers["cache-control"])

    assert "immutable" in control(asOf="2020-01-01", datetime="2020-01-01")
    assert "immutable" not in control(asOf="2020-01-01")  # of now, which goes on
    assert "immutable" not in control(asOf=AS_OF, datetime="2020-01-01")  # not known yet
    assert "immutable" not in control(datetime="2020-01-01")  # may be corrected
    assert control() == "public, no-cache"


def test_vary_names_what_was_weighed(get: Callable[..., httpx.Response]) -> None:
    def vary(**params: str) -> set[str]:
        return set(get(ITEMS, params={"limit": "1"} | params).headers["vary"].split(", "))

    assert vary() == {"Accept", "Accept-Encoding"}
    assert vary(f="json") == {"Accept-Encoding"}
    assert vary(f="html") == {"Accept-Encoding", "Accept-Language"}
    assert vary(f="html", lang="zh") == {"Accept-Encoding"}


def test_links_are_in_the_header_too(get: Callable[..., httpx.Response]) -> None:
    answer = get(ITEMS, params={"f": "json", "limit": 5, "filter": "dlmc <> '水浇地'"})
    told = answer.links  # as httpx reads RFC 8288
    written = {link["rel"]: link["href"] for link in answer.json()["links"]}
    assert {rel: told[rel]["url"] for rel in ("next", "self", "collection")} == {
        rel: written[rel] for rel in ("next", "self", "collection")
    }
    assert get(told["next"]["url"]).json()["features"]
    assert answer.headers["link"].startswith(f"<{written['next']}>")
    long = get(ITEMS, params={"f": "json", "limit": 5, "filter": " OR ".join(["tbmj > 0"] * 100)})
    assert long.status_code == 200
    assert len(long.headers["link"]) < 5000
    assert "next" in long.links


def test_pages_of_other_hosts_may_ask_and_see_the_headers(get: Callable[..., httpx.Response]) -> None:
    preflight = get(ITEMS, "OPTIONS", origin="https://map.example", access_control_request_method="GET",
                    access_control_request_headers="if-none-match,content-crs")  # fmt: skip
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "if-none-match" in preflight.headers["access-control-allow-headers"].lower()
    answer = get(ITEMS, params={"f": "json", "limit": 1}, origin="https://map.example")
    exposed = answer.headers["access-control-expose-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"
    for name in ("Content-Crs", "Link", "ETag", "Content-Disposition"):
        assert name in exposed
