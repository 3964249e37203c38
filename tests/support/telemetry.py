"""What tests of telemetry share: frames that a station would send, and a receiver that runs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from shikong.ingest.live import hj212, sl651

BEIJING = timezone(timedelta(hours=8))


def packed(value: float, digits: int, decimals: int) -> str:
    """Packed decimals of SL 651; FF in front is a minus."""
    whole = round(abs(value) * 10**decimals)
    return f"FF{whole:0{digits - 2}}" if value < 0 else f"{whole:0{digits}}"


def body(station: str, at: datetime, elements: str, serial: int = 1) -> bytes:
    """A body with elements at a time."""
    local = at.astimezone(BEIJING)
    text = f"{serial:04X}{local:%y%m%d%H%M%S}F1F1{station}48F0F0{local:%y%m%d%H%M}{elements}"
    return bytes.fromhex(text)


def sl651_frame(station: str, inner: bytes, function: int = 0x32, packets: tuple[int, int] | None = None) -> bytes:
    """A frame of a station; packets: of how many it is which one, the last ends with ETX."""
    start, end = 0x02, 0x03
    if packets is not None:
        start, end = 0x16, 0x03 if packets[0] == packets[1] else 0x17
        inner = (packets[0] << 12 | packets[1]).to_bytes(3, "big") + inner
    frame = bytes.fromhex(f"7E7E01{station}A000{function:02X}{len(inner):04X}{start:02X}") + inner + bytes([end])
    return frame + sl651.crc16(frame).to_bytes(2, "big")


def stage_report(station: str, at: datetime, stage: float, serial: int = 1) -> bytes:
    """A report of a river's stage."""
    return sl651_frame(station, body(station, at, f"3923{packed(stage, 8, 3)}", serial))


def hj212_message(instrument: str, at: datetime, values: str, *, answer: bool = True) -> bytes:
    """A message with real-time values."""
    told = (
        f"QN={at.astimezone(BEIJING):%Y%m%d%H%M%S}000;ST=21;CN=2011;PW=123456;MN={instrument};Flag={5 if answer else 4};"
        f"CP=&&DataTime={at.astimezone(BEIJING):%Y%m%d%H%M%S};{values}&&"
    ).encode()
    return b"##%04d%s%04X\r\n" % (len(told), told, hj212.crc16(told))


@dataclass
class Receiver:
    """A receiver that runs. ports: by protocol."""

    process: subprocess.Popen[bytes]
    ports: dict[str, int]

    def connect(self, protocol: str = "sl651") -> socket.socket:
        """A connection to it."""
        conn = socket.create_connection(("127.0.0.1", self.ports[protocol]), timeout=60)
        conn.settimeout(10)
        return conn

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=60)


@contextmanager
def receiving(dsn: str, data: Path, *options: str) -> Iterator[Receiver]:
    """Run `shikong receive` with its ports free ones, until the context ends."""
    environment = os.environ | {"DATABASE_URL": dsn, "SHIKONG_DATA": str(data)}
    wanted = options or ("--sl651", "0", "--hj212", "0")
    data.mkdir(exist_ok=True)
    log = data / f"receiver-{time.monotonic_ns()}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "shikong.cli.main", "receive", *wanted], env=environment, stdout=file, stderr=file
        )
    number = sum(option in ("--sl651", "--hj212") for option in wanted)
    ports: dict[str, int] = {}

    def listening() -> bool:
        text = log.read_text(encoding="utf-8")
        ports.update({
            protocol: int(port)
            for line in text.splitlines()
            if (port := "".join(re.findall(r"127\.0\.0\.1:(\d+)", line))) and "listening" in line
            for protocol in re.findall(r"sl651|hj212", line)
        })  # fmt: skip
        assert process.poll() is None, text
        return len(ports) == number and ("--mqtt" not in wanted or "the broker is there" in text)

    until(listening, 60)
    try:
        yield Receiver(process, ports)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Run Debian's mosquitto on a free port of the loopback interface, until the context ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n", encoding="utf-8")
    process = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        until(answers)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=60)


def until(holds: Callable[[], bool], seconds: float = 90) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
