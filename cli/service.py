"""`shikong up`, `down`, `serve`, `status`: the running service.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from shikong.cli import data, schema
from shikong.cli.console import clear_errors, err, out
from shikong.server import settings as server_settings
from shikong.store import cluster, database
from shikong.store import settings as store_settings
from shikong.store.catalogue import NEWEST
from shikong.store.errors import StoreError
from shikong.store.settings import StoreSettings

_START_TIMEOUT = 60.0

#: Seconds that answers under way have when the server stops; streams of events never end by themselves.
_LAST_ANSWERS = 8
#: Seconds that a connection is kept that nobody uses: longer than clients keep theirs (5 in most), so that no request
#: meets one that is being closed.
_IDLE = 75


def up(size: Annotated[str, typer.Option(help="size of the sample city, when there is no data yet")] = "small") -> None:
    """Start everything: database, schema, the sample city when there is no data yet, the server and a worker."""
    with clear_errors():
        store = store_settings.from_env()
        _say("database")
        _ensure_database(store)
        _say("schema")
        schema.bring_forward(store)
        if database.default().thread_fetch(NEWEST):
            _say("data: already there")
        else:
            _say(f"data: generating and loading the sample city, size {size}")
            data.sample(size=size)
        _start_worker(store)
        _start_server(store)


def down() -> None:
    """Stop the server, the worker and the private database. Data stays; a load that is stopped begins anew later."""
    with clear_errors():
        store = store_settings.from_env()
        for name in ("server", "worker"):
            pid = _running(store, name)
            if pid is not None:
                os.kill(pid, signal.SIGTERM)
                _wait_until_gone(pid)
                _say(f"{name} stopped")
            _pid_file(store, name).unlink(missing_ok=True)
        if store.database_url is None and cluster.private(store.data).home.parent.exists():
            cluster.private(store.data).stop()
            _say("database stopped")


def serve() -> None:
    """Run the server in the foreground; `up` runs it in the background."""
    import uvicorn

    from shikong.server.protocol import Protocol

    with clear_errors():
        settings = server_settings.from_env()
        os.environ["SHIKONG_URL"] = settings.url
        uvicorn.run(
            "shikong.server.app:create_app", factory=True, host=settings.host, port=settings.port,
            workers=settings.workers, log_config=None, access_log=False, loop="uvloop", http=Protocol,
            timeout_graceful_shutdown=_LAST_ANSWERS, timeout_keep_alive=_IDLE,
        )  # fmt: skip


def status() -> None:
    """Say what runs."""
    with clear_errors():
        store, settings = store_settings.from_env(), server_settings.from_env()
        pid = _running(store, "server")
        out.print(f"server: {f'runs as process {pid} at {settings.url}' if pid else 'does not run'}")
        pid = _running(store, "worker")
        out.print(f"worker: {f'runs as process {pid}' if pid else 'does not run'}")
        if store.database_url is None:
            out.print(f"database: {'runs' if cluster.private(store.data).running() else 'does not run'}")


def _ensure_database(store: StoreSettings) -> None:
    """Start the private cluster and make its database; an outside database must exist already."""
    if store.database_url is not None:
        return
    private = cluster.private(store.data)
    private.ensure_running()
    with psycopg.connect(private.dsn_of("postgres"), autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (cluster.OWNER,)).fetchone() is None:
            conn.execute("CREATE DATABASE shikong")


def _start_server(store: StoreSettings) -> None:
    settings = server_settings.from_env()
    if _running(store, "server") is not None and _answers(settings.url):
        _say(f"server: already runs at {settings.url}")
        return
    process, log = _start(store, "server", "serve")
    deadline = time.monotonic() + _START_TIMEOUT
    while not _answers(settings.url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise StoreError(f"the server did not start; the reason is at the end of {log}")
        time.sleep(0.2)
    _say(f"server: {settings.url}  (log: {log})")
    out.print(f"\n[bold]时空 Shikong[/] → {settings.url}")


def _start_worker(store: StoreSettings) -> None:
    if _running(store, "worker") is not None:
        _say("worker: already runs")
        return
    _, log = _start(store, "worker", "worker")
    _say(f"worker: started  (log: {log})")


def _start(store: StoreSettings, name: str, command: str) -> tuple[subprocess.Popen[bytes], Path]:
    """Start one of our commands in the background; returns it and where its log is."""
    log = store.data / f"{name}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "shikong.cli.main", command], stdout=file, stderr=file, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    _pid_file(store, name).write_text(str(process.pid), encoding="ascii")
    return process, log


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=3) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _pid_file(store: StoreSettings, name: str) -> Path:
    store.data.mkdir(parents=True, exist_ok=True)
    return store.data / f"{name}.pid"


def _running(store: StoreSettings, name: str) -> int | None:
    """The process of the server or the worker, if the one that we started still runs."""
    try:
        pid = int(_pid_file(store, name).read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid if b"shikong" in command else None


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists() or b"Z" in Path(f"/proc/{pid}/stat").read_bytes().split()[2:3]:
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)


def _say(text: str) -> None:
    err.print(f"[cyan]▸[/] {text}")
