"""The service as a whole: pages without outside hosts, metadata, outages, and stock pygeoapi on the same file.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shikong.layers import catalog
from shikong.store.database import ACQUIRE_TIMEOUT

ROOT = Path(__file__).parents[2]

PAGES = [
    "/", "/conformance", "/openapi", "/collections", "/collections/parcels", "/collections/elevation",
    "/collections/hydro_observations", "/collections/parcels/items", "/collections/culture_venues/items",
    "/collections/parcels/schema", "/collections/parcels/queryables", "/collections/parcels/tiles",
    "/collections/parcels/tiles/WebMercatorQuad", "/collections/layers/items", "/collections/layers/items/parcels",
    "/tileMatrixSets", "/tileMatrixSets/WebMercatorQuad", "/processes", "/processes/what-is-here", "/jobs",
]  # fmt: skip

_LOADED = re.compile(r"""<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=["'](https?://[^"']+)""", re.IGNORECASE)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_pages_load_nothing_from_outside(client: Any, path: str, language: str) -> None:
    answer = client.get(path, f="html", lang=language)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    outside = [url for url in _LOADED.findall(answer.text) if not url.startswith(client.url)]
    assert outside == []
    assert f'<html lang="{language[:2]}' in answer.text


def test_collections_tell_extent_period_and_origin(client: Any) -> None:
    collections = {item["id"]: item for item in client.get("/collections", f="json", lang="en-US").json["collections"]}
    assert set(collections) == set(catalog.default().layers)
    parcels = collections["parcels"]
    west, south, east, north = parcels["extent"]["spatial"]["bbox"][0]
    assert 115 < west < east < 117
    assert 35 < south < north < 38
    assert parcels["extent"]["temporal"]["interval"][0][0].startswith(("2019-12-31", "2020-01-01"))
    assert "generated" in parcels["keywords"]
    assert parcels["storageCrs"].endswith("/4490")


def test_conformance_does_not_grow(client: Any) -> None:
    first = client.get("/conformance", f="json").json["conformsTo"]
    client.get("/conformance", f="json")
    assert client.get("/conformance", f="json").json["conformsTo"] == first
    assert len(first) == len(set(first))
    assert "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs" in first


def test_openapi_refers_to_nothing_outside(client: Any) -> None:
    text = client.get("/openapi", f="json").text
    assert '"$ref":"http' not in text.replace(" ", "")


def test_health_and_request_number(client: Any) -> None:
    answer = client.get("/health")
    assert answer.status == 200
    assert answer.json["status"] == "ok"
    assert answer.json["layers_empty"] == []
    assert answer.headers["x-request-id"]


def test_log_lines_are_json_with_the_request_number(client: Any, service: Any) -> None:
    import json

    number = client.get("/collections/districts", f="json").headers["x-request-id"]
    time.sleep(0.3)
    lines = [json.loads(line) for line in service.log.read_text(encoding="utf-8").splitlines()]
    mine = next(line for line in lines if line.get("request_id") == number)
    assert (mine["event"], mine["path"], mine["status"]) == ("request", "/collections/districts", 200)


@pytest.fixture
def own_database(cluster: Any, sample_city: Any) -> Any:
    """A database that a test may take away. Its server knows districts only from metadata."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE shikong_template")
    return cluster, name


def test_database_away_is_told_quickly_and_heals(
    own_database: Any, make_client: Any, make_service: Any, tmp_path: Path
) -> None:
    cluster, name = own_database
    running = make_service(cluster.dsn_of(name), tmp_path)
    asking = make_client(running.url)
    try:
        assert asking.get("/collections/districts/items", f="json").status == 200
        with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
            conn.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            for path in ("/collections/districts/items", "/collections/districts/items/1", "/health",
                         "/collections/districts/tiles/WebMercatorQuad/8/100/210", "/collections/layers/items",
                         "/collections/hydro_observations/locations"):  # fmt: skip
                started = time.monotonic()
                answer = asking.get(path)
                assert answer.status == 503, path
                assert int(answer.headers["retry-after"]) > 0
                assert time.monotonic() - started < 3 * ACQUIRE_TIMEOUT
                assert "Traceback" not in answer.text
            answer = asking.post("/processes/what-is-here/execution", {"inputs": {}})
            assert answer.status == 503
            conn.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        deadline = time.monotonic() + 60
        while asking.get("/collections/districts/items", f="json").status != 200:
            assert time.monotonic() < deadline, "the service has not recovered"
            time.sleep(0.2)
        assert asking.get("/health").status == 200
        assert asking.get("/collections/layers/items", f="json").status == 200
    finally:
        asking.close()


def test_a_client_that_leaves_stops_its_query(client: Any, service: Any, sample_city: Any) -> None:
    """A slow query (a lock holds it) ends in the database soon after the client has gone."""
    with psycopg.connect(sample_city.dsn) as holder:
        holder.execute("LOCK TABLE data.heritage_sites IN ACCESS EXCLUSIVE MODE")
        host, port = service.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /collections/heritage_sites/items?f=json HTTP/1.1\r\nHost: x\r\n\r\n")
            assert _waiting(sample_city.dsn, 1)
        assert _waiting(sample_city.dsn, 0)
    assert client.get("/collections/heritage_sites/items", f="json").status == 200


def _waiting(dsn: str, number: int) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(dsn, autocommit=True) as conn:
        for _ in range(100):
            row = conn.execute(query).fetchone()
            if row and row[0] == number:
                return True
            time.sleep(0.05)
    return False


def test_stock_pygeoapi_runs_on_the_same_file(sample_city: Any, make_client: Any, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    openapi = tmp_path / "openapi.yml"
    environment = os.environ | {
        "DATABASE_URL": sample_city.dsn, "SHIKONG_DATA": str(sample_city.data), "SHIKONG_PORT": str(port),
        "SHIKONG_URL": f"http://127.0.0.1:{port}", "PYGEOAPI_CONFIG": str(ROOT / "pygeoapi-config.yml"),
        "PYGEOAPI_OPENAPI": str(openapi),
    }  # fmt: skip
    pygeoapi = str(Path(sys.executable).with_name("pygeoapi"))
    subprocess.run([pygeoapi, "openapi", "generate", str(ROOT / "pygeoapi-config.yml"), "--output-file", str(openapi)],
                   env=environment, cwd=ROOT, check=True, capture_output=True)  # fmt: skip
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen([pygeoapi, "serve"], env=environment, cwd=ROOT, stdout=log, stderr=log,
                               start_new_session=True)  # fmt: skip
    asking = make_client(f"http://127.0.0.1:{port}")
    try:
        _wait_for(asking, process)
        document = asking.get("/collections/districts/items", f="json", limit=5, bbox="115.9,36.3,116.1,36.5").json
        assert document["features"]
        lon, lat = document["features"][0]["geometry"]["coordinates"][0][0][0]
        assert 115 < lon < 117
        assert 35 < lat < 38
        swapped = asking.get("/collections/districts/items", f="json", limit=1,
                             crs="http://www.opengis.net/def/crs/EPSG/0/4490").json  # fmt: skip
        lat, lon = swapped["features"][0]["geometry"]["coordinates"][0][0][0]
        assert 115 < lon < 117
        for chosen in ("INTERSECTS(geometry, POINT(115.98 36.45))", "BBOX(geometry, 115.98, 36.45, 115.98, 36.45)"):
            found = asking.get("/collections/districts/items", f="json", filter=f"{chosen} AND xzqdm = '371502'").json
            assert [feature["properties"]["xzqmc"] for feature in found["features"]] == ["东昌府区"]
        assert asking.get("/collections", f="json").status == 200
        assert asking.get("/collections/districts/tiles/WebMercatorQuad/8/100/210", f="mvt").status == 200
        assert asking.get("/collections/elevation/coverage", f="json", bbox="115.9,36.4,116.0,36.5").status == 200
        assert asking.get("/collections/layers/items", f="json").json["features"]
        assert asking.get("/collections/hydro_observations/locations", f="json").json["features"]
        answer = asking.post("/processes/culture-this-week/execution", {"inputs": {"radius_km": 20}})
        assert answer.json["found"] > 0
    finally:
        asking.close()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)
        log.close()


def _wait_for(asking: Any, process: subprocess.Popen[bytes]) -> None:
    import httpx

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if asking.get("/conformance", f="json").status == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError("stock pygeoapi did not start")
