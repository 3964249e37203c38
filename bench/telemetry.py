"""Do ten thousand stations at a value a minute come through, and is nothing lost when receiver and database are killed?

Stations send telegrams after SL 651 over real connections, each once a minute, and send again what was not confirmed.
Meanwhile queries go on, and the receiver and the database are killed (SIGKILL) in turn and started again. In the end
the database must hold what was sent, value by value. A probe of its own asks how long a value takes from its sending
until a query finds it. Run by `make bench-telemetry`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import psycopg
from rich.console import Console

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.ingest.live import sl651
from shikong.layers import catalog
from shikong.store import migrate, tables
from shikong.store.cluster import Cluster
from shikong.store.database import Database
from shikong.store.settings import StoreSettings

BEIJING = timezone(timedelta(hours=8))
GOAL_LAG = 2.0

#: Connections over which the stations send, as gateways of a network do.
GATEWAYS = 100

#: The port is fixed, for senders come back to it after a kill.
PORT = 17_651

_LATEST = """
    SELECT count(*), max(time) FROM data.hydro_observations__latest
"""
_ONE_DAY = """
    SELECT o.time, o.value FROM data.hydro_observations AS o
    JOIN data.hydro_observations__series AS s ON s.id = o.series
    WHERE s.station = %s AND s.parameter = 'z' AND o.time > now() - interval '1 day' ORDER BY o.time
"""


@dataclass
class Account:
    """What was sent and confirmed: by station and minute the stage. again: how often frames were sent once more."""

    confirmed: dict[tuple[int, datetime], float] = field(default_factory=dict)
    again: int = 0
    lags: list[tuple[float, float]] = field(default_factory=list)
    queries: list[float] = field(default_factory=list)
    kills: list[tuple[float, str]] = field(default_factory=list)


def frame(station: int, at: datetime, stage: float) -> bytes:
    """A report of a stage."""
    local = at.astimezone(BEIJING)
    address = f"00{40_000_000 + station:08}"
    inner = bytes.fromhex(f"0001{local:%y%m%d%H%M%S}F1F1{address}48F0F0{local:%y%m%d%H%M}3923{round(stage * 1000):08}")
    head = bytes.fromhex(f"7E7E01{address}A00032{len(inner):04X}02") + inner + b"\x03"
    return head + sl651.crc16(head).to_bytes(2, "big")


async def gateway(stations: list[int], minutes: int, account: Account, begin: float) -> None:
    """Send each station's stage once a minute, spread over the minute, until all of it is confirmed."""
    rng = np.random.default_rng(stations[0])
    offsets = np.sort(rng.uniform(0, 60, len(stations)))
    queue: asyncio.Queue[tuple[int, datetime, float] | None] = asyncio.Queue()

    async def clock() -> None:
        for minute in range(minutes):
            for station, offset in zip(stations, offsets, strict=True):
                due = begin + 60 * minute + offset
                await asyncio.sleep(max(0.0, due - time.time()))
                at = datetime.fromtimestamp(begin + 60 * minute, UTC).replace(second=0, microsecond=0)
                queue.put_nowait((station, at, 30 + station % 100 / 100 + minute / 100))
        queue.put_nowait(None)

    ticking = asyncio.create_task(clock())
    item = await queue.get()
    while item is not None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            while item is not None:
                writer.write(frame(*item))
                answer = await asyncio.wait_for(reader.readexactly(25), 20)
                assert answer[-3] == sl651.EOT
                account.confirmed[item[0], item[1]] = item[2]
                item = await queue.get()
            writer.close()
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            account.again += 1
            await asyncio.sleep(0.5)
    await ticking


def probe(dsn: str, station: int, account: Account, stop: threading.Event) -> None:
    """Once a second a value, and how long it takes until a query finds it; those that a kill delays are told apart."""
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=100)
    while not stop.is_set():
        at += timedelta(minutes=1)
        sent = time.time()
        while not stop.is_set():
            try:
                _sent(station, at)
                with psycopg.connect(dsn, autocommit=True, connect_timeout=2) as conn:
                    while not stop.is_set() and not conn.execute(
                        "SELECT 1 FROM data.hydro_observations AS o JOIN data.hydro_observations__series AS s"
                        " ON s.id = o.series WHERE s.station = %s AND o.time = %s", (f"{40_000_000 + station}", at)
                    ).fetchone():  # fmt: skip
                        time.sleep(0.02)
                break
            except (OSError, psycopg.Error):
                time.sleep(0.2)
        account.lags.append((sent, time.time() - sent))
        stop.wait(1)


def _sent(station: int, at: datetime) -> None:
    with socket.create_connection(("127.0.0.1", PORT), timeout=20) as conn:
        conn.sendall(frame(station, at, 31.0))
        if not conn.recv(25):
            raise ConnectionResetError


def ask(dsn: str, stations: int, account: Account, stop: threading.Event) -> None:
    """Go on asking: the latest value of all, and a day of one."""
    rng = np.random.default_rng(1)
    while not stop.is_set():
        try:
            with psycopg.connect(dsn, autocommit=True, connect_timeout=2) as conn:
                while not stop.is_set():
                    begin = time.perf_counter()
                    conn.execute(_LATEST).fetchone()
                    conn.execute(_ONE_DAY, (f"{40_000_000 + int(rng.integers(stations))}",)).fetchall()
                    account.queries.append(time.perf_counter() - begin)
                    stop.wait(0.05)
        except psycopg.Error:
            time.sleep(0.2)


class Stage:
    """A cluster that is durable, with stations, and a receiver beside it."""

    def __init__(self, home: Path, stations: int, say: Callable[[str], None]) -> None:
        self.home, self.stations, self.say = home, stations, say
        self.cluster = Cluster(home / "postgres", home / "socket")
        self.cluster.ensure_running()
        with psycopg.connect(self.cluster.dsn_of("postgres"), autocommit=True) as conn:
            conn.execute("CREATE DATABASE soak")
        self.dsn = self.cluster.dsn_of("soak")
        self.receiver: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make the tables and load the stations; the last one is the probe's."""
        migrate.migrate(self.dsn)
        with psycopg.connect(self.dsn) as conn:
            for layer in catalog.default():
                tables.ensure(conn, layer)
        path = self.home / "stations.csv"
        rows = [f"{40_000_000 + number},站{number},{115.3 + number % 100 / 100},{35.9 + number // 100 / 100}"
                for number in range(self.stations + 1)]  # fmt: skip
        path.write_text("\n".join(["stcd,stnm,lon,lat", *rows]), encoding="utf-8")
        store = Database(_settings(self.dsn, self.home / "data"))
        ingest(store, catalog.default(), path, "hydro_stations", Options(), lambda done, total: None)
        store.close_threads()

    def start_receiver(self) -> None:
        """Start the receiver."""
        environment = os.environ | {"DATABASE_URL": self.dsn, "SHIKONG_DATA": str(self.home / "data")}
        log = (self.home / "receiver.log").open("ab")
        self.receiver = subprocess.Popen(
            [sys.executable, "-m", "shikong.cli.main", "receive", "--sl651", str(PORT)], env=environment,
            stdout=log, stderr=log,
        )  # fmt: skip

    def await_receiver(self) -> None:
        """Wait until the receiver listens."""
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT), timeout=1):
                return
            time.sleep(0.1)
        raise RuntimeError("the receiver did not start; see " + str(self.home / "receiver.log"))

    def kill_receiver(self) -> None:
        """End the receiver as a power cut would, and start it again."""
        assert self.receiver is not None
        self.receiver.kill()
        self.receiver.wait()
        time.sleep(2)
        self.start_receiver()

    def kill_database(self) -> None:
        """End the database as a power cut would, and start it again."""
        pid = int((self.home / "postgres/postmaster.pid").read_text(encoding="ascii").split()[0])
        os.kill(pid, signal.SIGKILL)
        time.sleep(2)
        for _ in range(30):
            try:
                self.cluster.ensure_running()
                return
            except (subprocess.CalledProcessError, RuntimeError, OSError):
                time.sleep(1)

    def close(self) -> None:
        """End all of it."""
        if self.receiver is not None:
            self.receiver.terminate()
            self.receiver.wait()
        self.cluster.stop()


def _settings(dsn: str, data: Path) -> StoreSettings:
    return StoreSettings(data=data, database_url=dsn, pool_size=4, statement_timeout=60)


def soak(stage: Stage, minutes: int, kills: bool, account: Account) -> None:
    """Let the stations send for so many minutes."""
    stop = threading.Event()
    helpers = [
        threading.Thread(target=probe, args=(stage.dsn, stage.stations, account, stop)),
        threading.Thread(target=ask, args=(stage.dsn, stage.stations, account, stop)),
    ]
    for helper in helpers:
        helper.start()
    begin = time.time()

    async def send() -> None:
        groups = np.array_split(np.arange(stage.stations), min(GATEWAYS, stage.stations))
        await asyncio.gather(*(gateway(group.tolist(), minutes, account, begin) for group in groups))

    def disturb() -> None:
        for number in range(minutes * 60 // 75):
            if stop.wait(75):
                return
            what, act = (("receiver", stage.kill_receiver), ("database", stage.kill_database))[number % 2]
            account.kills.append((time.time(), what))
            stage.say(f"the {what} is killed")
            act()

    disturbing = threading.Thread(target=disturb)
    if kills:
        disturbing.start()
    asyncio.run(send())
    stop.set()
    for helper in [*helpers, *([disturbing] if kills else [])]:
        helper.join()


def compared(stage: Stage, account: Account) -> tuple[int, int, int]:
    """Values that are stored, confirmed ones that are missing or differ, and ones that nobody sent."""
    with psycopg.connect(stage.dsn) as conn:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            rows = conn.execute(
                "SELECT s.station, o.time, o.value FROM data.hydro_observations AS o"
                " JOIN data.hydro_observations__series AS s ON s.id = o.series"
            ).fetchall()
            stored = {
                (int(station) - 40_000_000, at.astimezone(UTC)): value
                for station, at, value in rows
                if int(station) != 40_000_000 + stage.stations
            }
            if len(stored) >= len(account.confirmed):
                break
            time.sleep(1)
    missing = sum(key not in stored or abs(stored[key] - value) > 0.0005 for key, value in account.confirmed.items())
    return len(stored), missing, len(stored.keys() - account.confirmed.keys())


def main() -> None:
    """Run the soak and print what it found."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stations", type=int, default=10_000)
    arguments.add_argument("--minutes", type=int, default=10)
    arguments.add_argument("--no-kills", action="store_true")
    given = arguments.parse_args()
    console = Console()
    home = Path(tempfile.mkdtemp(prefix="shikong-soak-"))
    home.chmod(0o755)

    def say(text: str) -> None:
        console.print(f"▸ {datetime.now(UTC):%H:%M:%S} {text}")

    stage = Stage(home, given.stations, say)
    account = Account()
    try:
        stage.prepare()
        stage.start_receiver()
        stage.await_receiver()
        say(f"{given.stations:,} stations send for {given.minutes} min")
        soak(stage, given.minutes, not given.no_kills, account)
        stored, missing, strange = compared(stage, account)
        _show(console, account, stored, missing, strange)
    finally:
        stage.close()
        shutil.rmtree(home, ignore_errors=True)


def _show(console: Console, account: Account, stored: int, missing: int, strange: int) -> None:
    mark = "✓" if not missing and not strange and stored == len(account.confirmed) else "✗"
    console.print(
        f"{mark} confirmed {len(account.confirmed):,}, stored {stored:,}, missing {missing:,}, that nobody sent "
        f"{strange:,}; sent again after a broken connection {account.again:,}"
    )
    near = [sent for sent, _ in account.kills]
    calm = [lag for sent, lag in account.lags if not any(-2 < sent - kill < 20 for kill in near)]
    rest = [lag for sent, lag in account.lags if any(-2 < sent - kill < 20 for kill in near)]
    if calm:
        p50, p95, most = np.percentile(calm, 50), np.percentile(calm, 95), max(calm)
        console.print(
            f"lag from sending until a query finds it: p50 {p50:.2f} s, p95 {p95:.2f} s, most {most:.2f} s"
            f" ({len(calm)} probes) {'✓' if most < GOAL_LAG else '✗'} {GOAL_LAG:g} s"
        )
    if rest:
        console.print(f"within 20 s of a kill: p50 {np.percentile(rest, 50):.2f} s, most {max(rest):.2f} s")
    times = np.array(account.queries) * 1000
    console.print(f"queries beside it: {len(times):,}, p50 {np.percentile(times, 50):.1f} ms, p95 "
                  f"{np.percentile(times, 95):.1f} ms; kills {len(account.kills)}")  # fmt: skip


if __name__ == "__main__":
    main()
