"""The servers: each one process on a free port of the loopback interface, under the same uvicorn.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import tipg_peer
import yaml
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).parents[1]
_START_TIMEOUT = 60.0

#: The service itself, and its peers.
NAMES = ("shikong", "minimal", "stock", "tipg")


@dataclass(frozen=True)
class Box:
    """A map window in degrees."""

    west: float
    south: float
    east: float
    north: float

    def __str__(self) -> str:
        return f"{self.west:.6f},{self.south:.6f},{self.east:.6f},{self.north:.6f}"


@dataclass(frozen=True)
class Server:
    """A running server, and how its addresses are written; None for what it is not asked.

    page: of all parcels, so many at most, by offset.
    """

    name: str
    port: int
    process: int
    items: Callable[[Box, int], str]
    filtered: Callable[[Box, float, tuple[str, ...], int], str] | None
    tile: Callable[[int, int, int], str] | None
    page: Callable[[int, int], str] | None


def _collection_items(box: Box, limit: int) -> str:
    return f"/collections/parcels/items?f=json&bbox={box}&limit={limit}"


def _collection_page(limit: int, offset: int) -> str:
    return f"/collections/parcels/items?f=json&limit={limit}&offset={offset}"


def _tipg_items(box: Box, limit: int) -> str:
    return f"/collections/{tipg_peer.COLLECTION}/items?f=geojson&bbox={box}&limit={limit}"


def _tipg_filtered(box: Box, over: float, codes: tuple[str, ...], limit: int) -> str:
    """With the window as `bbox`: a BBOX in a filter has no CRS for tipg, which then cannot compare it."""
    return f"{_tipg_items(box, limit)}&filter={quote(_cql2(over, codes))}"


def _tipg_tile(z: int, x: int, y: int) -> str:
    return f"/collections/{tipg_peer.COLLECTION}/tiles/WebMercatorQuad/{z}/{x}/{y}"


def _tipg_page(limit: int, offset: int) -> str:
    return f"/collections/{tipg_peer.COLLECTION}/items?f=geojson&limit={limit}&offset={offset}"


def _cql2(over: float, codes: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{code}'" for code in codes)
    return f"tbmj > {over} AND dlbm IN ({listed})"


def _collection_filtered(box: Box, over: float, codes: tuple[str, ...], limit: int) -> str:
    text = f"S_INTERSECTS(geometry, BBOX({box})) AND {_cql2(over, codes)}"
    return f"/collections/parcels/items?f=json&filter={quote(text)}&limit={limit}"


def _collection_tile(z: int, x: int, y: int) -> str:
    return f"/collections/parcels/tiles/WebMercatorQuad/{z}/{y}/{x}?f=mvt"


@contextmanager
def running(
    dsn: str, folder: Path, names: Collection[str], tipg: str, *, keeping: bool = False
) -> Iterator[list[Server]]:
    """The servers with these names, started; their logs and configuration are in the folder.

    tipg: the interpreter of its environment. keeping: whether the service keeps tiles.
    """
    makers = {
        "shikong": lambda: _shikong(dsn, folder, keeping), "minimal": lambda: _minimal(dsn, folder),
        "stock": lambda: _stock(dsn, folder), "tipg": lambda: _tipg(dsn, folder, tipg),
    }  # fmt: skip
    with ExitStack() as stack:
        yield [stack.enter_context(make()) for name, make in makers.items() if name in names]


@contextmanager
def _shikong(dsn: str, folder: Path, keeping: bool) -> Iterator[Server]:
    nowhere = folder / "no folder"
    nowhere.touch()  # a file, below which no tile can be kept: each is cut anew, after it has been looked for in vain
    environment = {
        "DATABASE_URL": dsn, "SHIKONG_DATA": str(folder / "shikong-data"),
        "PYGEOAPI_CONFIG": str(ROOT / "pygeoapi-config.yml"),
    }  # fmt: skip
    if not keeping:
        environment |= {"SHIKONG_TILE_CACHE": str(nowhere), "SHIKONG_TILE_MEMORY_MB": "0"}
    with _server("shikong", "", folder=folder, say_hello="/conformance", environment=environment) as (port, process):
        yield Server(
            "shikong", port, process, _collection_items, _collection_filtered, _collection_tile, _collection_page
        )


@contextmanager
def site_check(dsn: str, folder: Path, layers: Path, config: Path) -> Iterator[Server]:
    """The service with other declarations than it ships with (`site_check.py`)."""
    environment = {
        "DATABASE_URL": dsn, "SHIKONG_DATA": str(folder / "shikong-data"), "BENCH_LAYERS": str(layers),
        "PYGEOAPI_CONFIG": str(config),
    }  # fmt: skip
    app = ("site_check:create_app", "--factory")
    with _server("site-check", *app, folder=folder, say_hello="/conformance", environment=environment) as (
        port,
        number,
    ):
        yield Server("site-check", port, number, _collection_items, None, None, None)


@contextmanager
def series(dsn: str, folder: Path) -> Iterator[tuple[int, int]]:
    """The service, and an application that does nothing but series as CSV (`observations.py`): their ports."""
    ours = {
        "DATABASE_URL": dsn, "SHIKONG_DATA": str(folder / "shikong-data"),
        "PYGEOAPI_CONFIG": str(ROOT / "pygeoapi-config.yml"),
    }  # fmt: skip
    app, hello = (
        ("observations:create_app", "--factory"),
        "/series?station=x&parameter=q&start=2025-01-01&end=2025-01-02",
    )
    with (
        _server("shikong", "", folder=folder, say_hello="/conformance", environment=ours) as (port, _),
        _server("series", *app, folder=folder, say_hello=hello, environment={"BENCH_DSN": dsn}) as (other, _),
    ):
        yield port, other


@contextmanager
def _minimal(dsn: str, folder: Path) -> Iterator[Server]:
    app, hello = ("minimal:create_app", "--factory"), "/items?bbox=0,0,1,1&limit=1"
    with _server(
        "minimal",
        *app,
        folder=folder,
        say_hello=hello,
        environment={"BENCH_DSN": dsn, "BENCH_COG": str(folder / "elevation.tif")},
    ) as (port, process):
        yield Server(
            "minimal",
            port,
            process,
            lambda box, limit: f"/items?bbox={box}&limit={limit}",
            lambda box, over, codes, limit: f"/items?bbox={box}&over={over}&codes={','.join(codes)}&limit={limit}",
            lambda z, x, y: f"/tiles/{z}/{x}/{y}",
            None,
        )


@contextmanager
def _stock(dsn: str, folder: Path) -> Iterator[Server]:
    environment = _stock_environment(dsn, folder)
    with _server(
        "stock", "pygeoapi.starlette_app:APP", folder=folder, say_hello="/conformance", environment=environment
    ) as (port, process):
        yield Server("stock", port, process, _collection_items, None, _collection_tile, _collection_page)


@contextmanager
def _tipg(dsn: str, folder: Path, python: str) -> Iterator[Server]:
    environment = tipg_peer.environment(dsn)
    with _server(
        "tipg", "tipg.main:app", folder=folder, say_hello="/conformance", environment=environment, python=python
    ) as (port, process):
        yield Server("tipg", port, process, _tipg_items, _tipg_filtered, _tipg_tile, _tipg_page)


@contextmanager
def _server(
    name: str, app: str, *options: str, folder: Path, say_hello: str, environment: dict[str, str],
    python: str = sys.executable,
) -> Iterator[tuple[int, int]]:  # fmt: skip
    """One server process; yields its port and its number. app: for uvicorn; the service itself has none and is started
    by its own command."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SHIKONG_", "PYGEOAPI_", "PG"))}
    environment = {key: value.replace("{url}", url) for key, value in environment.items()}
    log = folder / f"{name}.log"
    uvicorn = ["uvicorn", app, *options, "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]  # fmt: skip
    environment |= {"SHIKONG_PORT": str(port)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [python, "-m", *(uvicorn if app else ["shikong.cli.main", "serve"])],
            env=clean | {"SHIKONG_URL": url} | environment, stdout=file, stderr=file, cwd=Path(__file__).parent,
        )  # fmt: skip
    try:
        _wait(process, f"{url}{say_hello}", log)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:  # stock pygeoapi waits for its slow queries
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"a server did not start; the end of {log}:\n{log.read_text(encoding='utf-8')[-3000:]}")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stock_environment(dsn: str, folder: Path) -> dict[str, str]:
    """Configuration and OpenAPI document of stock pygeoapi, written to the folder."""
    missing = [name for name in ("geoalchemy2", "psycopg2") if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"stock pygeoapi's PostgreSQL provider needs {', '.join(missing)}: run `make setup-dev`")
    config, openapi = folder / "stock.yml", folder / "stock-openapi.yml"
    config.write_text(yaml.safe_dump(_stock_config(dsn), allow_unicode=True), encoding="utf-8")
    environment = {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(openapi)}
    subprocess.run(
        [
            sys.executable, "-c", "from pygeoapi import cli; cli()",
            "openapi", "generate", str(config), "--output-file", str(openapi),
        ],
        env=os.environ | environment, check=True, capture_output=True,
    )  # fmt: skip
    return environment


def _stock_config(dsn: str) -> dict[str, object]:
    address = conninfo_to_dict(dsn)
    source = {
        "data": {
            "host": address["host"], "dbname": address["dbname"], "user": address["user"], "search_path": ["stock"],
        },
        "id_field": "bsm", "table": "parcels", "geom_field": "geom",
    }  # fmt: skip
    tiles = {
        "options": {"zoom": {"min": 0, "max": 18}},
        "format": {"name": "pbf", "mimetype": "application/vnd.mapbox-vector-tile"},
        "storage_crs": "http://www.opengis.net/def/crs/EPSG/0/4326",
    }
    parcels = {
        "type": "collection", "title": "Parcels", "description": "Parcels", "keywords": ["parcels"], "links": [],
        "extents": {"spatial": {"bbox": [115.2, 35.7, 116.6, 37.1]}},
        "limits": {"default_items": 100, "max_items": 10000},
        "providers": [
            {"type": "feature", "name": "PostgreSQL", **source},
            {"type": "tile", "name": "MVT-postgresql", **source, **tiles},
        ],
    }  # fmt: skip
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": 5000}, "url": "http://127.0.0.1", "mimetype": "application/json",
            "encoding": "utf-8", "gzip": False, "languages": ["en-US"], "pretty_print": False,
            "limits": {"default_items": 100, "max_items": 10000}, "map": {"url": "", "attribution": ""},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {
                "title": "stock", "description": "stock", "keywords": ["stock"], "keywords_type": "theme",
                "terms_of_service": "https://example.org", "url": "https://example.org",
            },
            "license": {"name": "none", "url": "https://example.org"},
            "provider": {"name": "none", "url": "https://example.org"},
            "contact": {"name": "none", "email": "none@example.org"},
        },
        "resources": {"parcels": parcels},
    }  # fmt: skip


def get(port: int, path: str) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as response:
        body: bytes = response.read()
        return body
