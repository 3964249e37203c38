"""Other services and databases as sources: paged, gone on with after a crash, and never with a password in sight.

The services are small servers of the test's own, and our own service.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import geopandas as gpd
import psycopg
import pytest
import shapely
import uvicorn
from psycopg.conninfo import conninfo_to_dict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shikong.ingest.errors import EmptySource, IngestError, UnreadableSource
from shikong.ingest.readers import remote, spool
from shikong.ingest.report import Report
from shikong.store.database import Database
from support.loads import load

NUMBER = 25


def _load(store: Database, source: str, layer: str = "districts", **options: Any) -> Report:
    return load(store, source, layer, **options)


def _stored(store: Database) -> list[tuple[Any, ...]]:
    with store.thread_session() as conn:
        return conn.execute("SELECT xzqdm, xzqmc, st_astext(geom, 6) FROM data.districts ORDER BY xzqdm").fetchall()


def _districts(crs: int = 4490) -> gpd.GeoDataFrame:
    boxes = [shapely.box(115.5 + i * 0.03, 36.2, 115.52 + i * 0.03, 36.3) for i in range(NUMBER)]
    frame = gpd.GeoDataFrame(
        {"xzqdm": [f"3715{i:05}" for i in range(NUMBER)], "xzqmc": [f"第{i}街道" for i in range(NUMBER)]},
        geometry=boxes, crs=4490,
    )  # fmt: skip
    return frame.to_crs(crs)


EXPECTED = [
    (row.xzqdm, row.xzqmc, shapely.to_wkt(shapely.MultiPolygon([row.geometry]), rounding_precision=6))
    for row in _districts().itertuples(index=False)
]


def _agrees(found: list[tuple[Any, ...]]) -> bool:
    """Whether all rows are there, each in its place."""
    return [row[:2] for row in found] == [row[:2] for row in EXPECTED] and all(
        shapely.from_wkt(row[2]).hausdorff_distance(shapely.from_wkt(expected[2])) < 2e-6
        for row, expected in zip(found, EXPECTED, strict=True)
    )


class Peer:
    """A service on the loopback interface that answers with `answer` and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: Callable[[Request], Response] = lambda request: Response(status_code=404)
        self.asked: list[str] = []
        self.faults: list[int] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

        async def handle(request: Request) -> Response:
            self.asked.append(str(request.url))
            if self.faults:
                return Response(status_code=self.faults.pop(0), headers={"Retry-After": "0"})
            return self.answer(request)

        config = uvicorn.Config(
            Starlette(routes=[Route("/{path:path}", handle)]), host="127.0.0.1", port=self.port, log_level="error",
            lifespan="off", ws="none",
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it and wait for its end."""
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    """A peer; pages are small and pauses short."""
    for module in (spool, remote.arcgis, remote.wfs, remote.ogc_features):
        monkeypatch.setattr(module, "PAGE_FEATURES", 10)
    monkeypatch.setattr(spool, "PAUSES", (0.01, 0.01, 0.01))
    running = Peer()
    yield running
    running.stop()


def _collection(peer: Peer) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        start, limit = int(request.query_params.get("offset", 0)), int(request.query_params["limit"])
        page = json.loads(_districts().iloc[start : start + limit].to_json())
        page["links"] = [{"rel": "self", "href": str(request.url)}]
        if start + limit < NUMBER:
            page["links"].append(
                {"rel": "next", "href": f"{peer.url}{request.url.path}?f=json&limit={limit}&offset={start + limit}"}
            )
        return JSONResponse(page)

    return answer


def _feature_server(request: Request) -> Response:
    if not request.url.path.endswith("/query"):
        return JSONResponse({"maxRecordCount": 7, "objectIdField": "FID", "name": "d"})
    start, size = int(request.query_params["resultOffset"]), int(request.query_params["resultRecordCount"])
    rows = _districts(4548).iloc[start : start + size]
    features = [
        {"attributes": {"FID": start + n, "xzqdm": row.xzqdm, "xzqmc": row.xzqmc},
         "geometry": {"rings": [[list(point) for point in row.geometry.exterior.coords][::-1]]}}
        for n, row in enumerate(rows.itertuples(index=False))
    ]  # fmt: skip
    return JSONResponse({
        "geometryType": "esriGeometryPolygon", "spatialReference": {"wkid": 4548, "latestWkid": 4548},
        "fields": [{"name": "FID", "type": "esriFieldTypeOID"}, {"name": "xzqdm", "type": "esriFieldTypeString", "length": 12},
                   {"name": "xzqmc", "type": "esriFieldTypeString", "length": 50}],
        "features": features,
    })  # fmt: skip


def _wfs(request: Request) -> Response:
    """GML 3.2 in the axis order of the authority: latitude before longitude."""
    start, size = int(request.query_params["startIndex"]), int(request.query_params["count"])
    members = ""
    for row in _districts().iloc[start : start + size].itertuples(index=False):
        ring = " ".join(f"{y:.9f} {x:.9f}" for x, y in row.geometry.exterior.coords)
        members += (
            f'<wfs:member><c:d gml:id="d.{row.xzqdm}"><c:xzqdm>{row.xzqdm}</c:xzqdm><c:xzqmc>{row.xzqmc}</c:xzqmc><c:geom>'
            f'<gml:Polygon gml:id="g.{row.xzqdm}" srsName="urn:ogc:def:crs:EPSG::4490"><gml:exterior><gml:LinearRing>'
            f"<gml:posList>{ring}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></c:geom></c:d></wfs:member>"
        )
    return Response(
        '<?xml version="1.0" encoding="UTF-8"?><wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0"'
        f' xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:c="http://example.org/c">{members}</wfs:FeatureCollection>',
        media_type="application/gml+xml",
    )


ROADS: list[tuple[str, Callable[[Peer], Callable[[Request], Response]], str, int]] = [
    ("/collections/districts", _collection, "OGC API Features", 3),
    ("/rest/services/d/FeatureServer/0", lambda peer: _feature_server, "ArcGIS feature service", 6),
    ("/wfs?service=WFS&typeNames=c:d", lambda peer: _wfs, "WFS", 4),
]


@pytest.mark.parametrize(("path", "answer", "form", "requests"), ROADS, ids=[road[2] for road in ROADS])
def test_a_service_is_loaded_page_by_page(
    empty_store: Database, peer: Peer, path: str, answer: Callable[[Peer], Any], form: str, requests: int
) -> None:
    peer.answer = answer(peer)
    report = _load(empty_store, peer.url + path)
    assert (report.format, report.counts.stored) == (form, NUMBER)
    assert _agrees(_stored(empty_store))
    assert len(peer.asked) == requests
    assert not list((empty_store.settings.data / "spool").iterdir())


@pytest.mark.parametrize(("path", "answer", "form", "requests"), ROADS, ids=[road[2] for road in ROADS])
def test_a_broken_fetch_goes_on_where_it_stopped(
    empty_store: Database, peer: Peer, path: str, answer: Callable[[Peer], Any], form: str, requests: int
) -> None:
    whole = answer(peer)

    def breaks(request: Request) -> Response:
        return Response(status_code=404) if len(peer.asked) >= 3 else whole(request)

    peer.answer = breaks
    with pytest.raises(UnreadableSource, match=r"HTTP 404.*run the same command again"):
        _load(empty_store, peer.url + path)
    assert _stored(empty_store) == []
    peer.asked.clear()
    peer.answer = whole
    assert _load(empty_store, peer.url + path).counts.stored == NUMBER
    assert len(peer.asked) == requests - 2
    assert _agrees(_stored(empty_store))


def test_pages_stay_when_the_load_itself_fails(empty_store: Database, peer: Peer) -> None:
    peer.answer = _collection(peer)
    with pytest.raises(IngestError, match="--map"):
        _load(empty_store, f"{peer.url}/collections/districts", "heritage_sites", fields={"nothing": "x"})
    peer.asked.clear()
    assert _load(empty_store, f"{peer.url}/collections/districts").counts.stored == NUMBER
    assert peer.asked == []


def test_old_pages_are_fetched_anew(empty_store: Database, peer: Peer) -> None:
    peer.answer = _collection(peer)
    with pytest.raises(IngestError, match="--map"):
        _load(empty_store, f"{peer.url}/collections/districts", "heritage_sites", fields={"nothing": "x"})
    (state,) = (empty_store.settings.data / "spool").rglob("state.json")
    os.utime(state, (time.time() - 2 * spool.MAX_AGE,) * 2)
    peer.asked.clear()
    assert _load(empty_store, f"{peer.url}/collections/districts").counts.stored == NUMBER
    assert len(peer.asked) == 3


def test_passing_trouble_is_waited_out(empty_store: Database, peer: Peer) -> None:
    peer.answer = _collection(peer)
    peer.faults = [503, 429, 500]
    assert _load(empty_store, f"{peer.url}/collections/districts").counts.stored == NUMBER
    assert len(peer.asked) == 6


def test_trouble_that_stays_is_told(empty_store: Database, peer: Peer) -> None:
    peer.faults = [503] * 99
    with pytest.raises(UnreadableSource, match="HTTP 503"):
        _load(empty_store, f"{peer.url}/collections/districts")
    assert len(peer.asked) == 4
    with pytest.raises(UnreadableSource, match="ConnectError"):
        _load(empty_store, "http://127.0.0.1:1/collections/districts")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (lambda peer: JSONResponse({"type": "FeatureCollection", "features": [], "links": []}), EmptySource, "no features"),
        (lambda peer: Response("<html>login</html>"), UnreadableSource, "does not answer with GeoJSON"),
        (lambda peer: JSONResponse({"type": "FeatureCollection", "features": [], "links": [{"rel": "next", "href": "http://10.0.0.1/x"}]}), UnreadableSource, "another server"),
        (lambda peer: JSONResponse({"type": "FeatureCollection", "features": [], "links": [{"rel": "next", "href": f"{peer.url}/collections/d/items?f=json&limit=10"}]}), UnreadableSource, "same page"),
        (lambda peer: Response(b"x" * 3000), UnreadableSource, "more than 2,000 bytes"),
        (lambda peer: Response(status_code=302, headers={"Location": "http://10.0.0.1/"}), UnreadableSource, "HTTP 302"),
    ],
)  # fmt: skip
def test_a_service_that_misbehaves_is_refused(
    empty_store: Database, peer: Peer, monkeypatch: pytest.MonkeyPatch, answer: Any, kind: type[Exception], words: str
) -> None:
    monkeypatch.setattr(spool, "MAX_PAGE_BYTES", 2_000)
    peer.answer = lambda request: answer(peer)
    with pytest.raises(kind, match=words):
        _load(empty_store, f"{peer.url}/collections/d")


def test_pages_are_bounded_in_number(empty_store: Database, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    peer.answer = _collection(peer)
    monkeypatch.setattr(spool, "MAX_PAGES", 2)
    with pytest.raises(UnreadableSource, match="more than 2 pages"):
        _load(empty_store, f"{peer.url}/collections/districts")


def test_our_own_service_is_a_source(empty_store: Database, service: Any, sample_city: Any) -> None:
    report = _load(empty_store, f"{service.url}/collections/districts")
    with psycopg.connect(sample_city.dsn) as conn:
        expected = conn.execute("SELECT xzqdm, xzqmc, st_astext(geom, 6) FROM data.districts ORDER BY xzqdm").fetchall()
    assert report.counts.quarantined == 0
    found = _stored(empty_store)
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert all(
        shapely.from_wkt(a[2]).hausdorff_distance(shapely.from_wkt(b[2])) < 2e-6
        for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("address", ["http://127.0.0.1/", "https://127.0.0.1/wfs?service=WMS&layers=x"])
def test_an_address_of_no_known_kind_says_which_are_known(empty_store: Database, address: str) -> None:
    with pytest.raises(UnreadableSource, match=r"/collections/\{id\}.*typeNames.*FeatureServer"):
        _load(empty_store, address)


# --- another PostGIS ---------------------------------------------------------------------------------------------


def _address(dsn: str, table: str, password: str = "") -> str:
    """The test cluster as an address; it listens on a socket only."""
    parts = conninfo_to_dict(dsn)
    user = f"{parts['user']}{':' + password if password else ''}@" if parts.get("user") else ""
    return f"postgresql://{user}/{parts['dbname']}?host={quote(str(parts['host']), safe='')}#{table}"


@pytest.fixture
def other_table(empty_store: Database) -> str:
    """A table in Gauss-Krueger coordinates, with columns of odd types, in a schema of its own."""
    with empty_store.thread_session() as conn:
        conn.execute("CREATE SCHEMA bureau")
        conn.execute(
            'CREATE TABLE bureau."Streets" (xzqdm numeric(12), xzqmc varchar(50), uid uuid DEFAULT gen_random_uuid(),'
            " extra jsonb DEFAULT '{\"a\": 1}', since date DEFAULT '2024-01-31', shape geometry (Polygon, 4548))"
        )
        for row in _districts(4548).itertuples(index=False):
            conn.execute(
                'INSERT INTO bureau."Streets" (xzqdm, xzqmc, shape) VALUES (%s, %s, st_geomfromwkb(%s, 4548))',
                (row.xzqdm, row.xzqmc, shapely.to_wkb(row.geometry)),
            )
    return empty_store.settings.database_url or ""


def test_a_table_of_another_postgis_is_loaded(empty_store: Database, other_table: str) -> None:
    report = _load(empty_store, _address(other_table, "bureau.Streets"))
    assert (report.format, report.crs, report.counts.stored) == ("PostGIS table", "EPSG:4548", NUMBER)
    assert _agrees(_stored(empty_store))


def test_a_tables_rows_come_in_batches(
    empty_store: Database, other_table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote.postgis, "BATCH_ROWS", 10)
    _, source = remote.postgis.open_source(_address(other_table, "bureau.Streets"))
    batches = list(source.batches())
    assert [(batch.first_row, len(batch.columns)) for batch in batches] == [(1, 10), (11, 10), (21, 5)]
    assert batches[0].columns["extra"].tolist() == ['{"a": 1}'] * 10
    assert batches[0].columns["since"].tolist() == ["2024-01-31"] * 10


@pytest.mark.parametrize(
    ("table", "words"),
    [("", "#schema.table"), ("bureau.nothing", "no such table"), ("shikong.release", "0 geometry columns")],
)
def test_a_table_that_cannot_be_read_says_why(empty_store: Database, other_table: str, table: str, words: str) -> None:
    with pytest.raises(UnreadableSource, match=words):
        _load(empty_store, _address(other_table, table))


@pytest.mark.usefixtures("peer")
def test_a_password_stands_nowhere(empty_store: Database, other_table: str) -> None:
    secret = "geheim-4711"
    report = _load(empty_store, _address(other_table, "bureau.Streets", secret))
    with empty_store.thread_session() as conn:
        kept = str(conn.execute("SELECT * FROM shikong.release").fetchall())
    assert report.source.startswith("bureau.Streets @ ")
    assert secret not in repr(report) + kept
    for address in (
        _address(other_table, "bureau.nothing", secret),
        f"postgresql://u:{secret}@127.0.0.1:1/d#a.b",
        f"postgresql://u:x#{secret}@127.0.0.1:1/d#a.b",
        f"postgresql://u@127.0.0.1:{secret}/d#a.b",
        f"postgresql://u:x@{secret}@127.0.0.1:1/d#a.b",
        f"http://u:{secret}@127.0.0.1:1/collections/d",
    ):
        with pytest.raises(UnreadableSource) as caught:
            _load(empty_store, address)
        assert secret not in str(caught.value)
    spooled = (empty_store.settings.data / "spool").rglob("*")
    assert not any(secret in str(path) or (path.is_file() and secret in path.read_text("utf-8")) for path in spooled)
