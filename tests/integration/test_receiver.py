"""The receiver over real connections: what it answers, what becomes of frames, and what its sudden end costs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import sql
from typer.testing import CliRunner

from shikong.cli import main
from shikong.ingest.live import sl651
from shikong.store.database import Database
from support.loads import dsn_of, load
from support.telemetry import (
    Receiver,
    body,
    broker,
    hj212_message,
    packed,
    receiving,
    sl651_frame,
    stage_report,
    until,
)

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
_EMPTY = "TRUNCATE data.hydro_observations__series, data.water_quality__series, shikong.refused_telegram CASCADE"
STATION, OTHER, UNKNOWN = "0031100500", "0031100600", "0099999999"


def _with_stations(store: Database, folder: Path) -> Database:
    """Three stations; the instrument of the third has an address of its own."""
    stations = folder / "stations.csv"
    stations.write_text(
        "stcd,stnm,lon,lat,rtu\n31100500,甲,115.9,36.4,\n31100600,乙,116.1,36.4,\n31100700,丙,116.2,36.5,WQ0007\n",
        encoding="utf-8",
    )
    load(store, stations, "hydro_stations")
    return store


@pytest.fixture
def store(empty_store: Database, tmp_path: Path) -> Database:
    """A store with stations, for a test that runs receivers of its own."""
    return _with_stations(empty_store, tmp_path)


@pytest.fixture(scope="module")
def received_store(make_store: Callable[[Path], Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A store with stations, for the tests that share a receiver."""
    folder = tmp_path_factory.mktemp("receiver")
    return _with_stations(make_store(folder), folder)


@pytest.fixture(scope="module")
def receiver(received_store: Database) -> Iterator[Receiver]:
    """A receiver of telegrams and messages."""
    with receiving(dsn_of(received_store), received_store.settings.data) as running:
        yield running


@pytest.fixture
def received(received_store: Database) -> Database:
    """The store of the shared receiver, without what came for the tests before."""
    with received_store.thread_session() as conn:
        conn.execute(_EMPTY)
    return received_store


def _values(store: Database) -> dict[tuple[str, str, datetime], tuple[float, int]]:
    query = sql.SQL(
        "SELECT station, parameter, time, value, quality FROM data.hydro_observations AS o"
        " JOIN data.hydro_observations__series AS s ON s.id = o.series"
    )
    return {(row[0], row[1], row[2].astimezone(UTC)): row[3:] for row in store.thread_fetch(query)}


def _refused(store: Database) -> list[tuple[Any, ...]]:
    query = sql.SQL("SELECT reason, station FROM shikong.refused_telegram ORDER BY number")
    return store.thread_fetch(query)


def _confirmed(conn: socket.socket) -> bytes:
    """The next answer: its end and its checksum are sound."""
    head = _exactly(conn, 14)
    assert head[:2] == b"\x7e\x7e"
    assert head[11] >> 4 == 8
    rest = _exactly(conn, int.from_bytes(head[11:13], "big") % 0x1000 + 3)
    assert int.from_bytes(rest[-2:], "big") == sl651.crc16(head + rest[:-2])
    return rest[-3:-2]


def _exactly(conn: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = conn.recv(size - len(found))
        assert more, "the connection ended"
        found += more
    return found


def test_telegrams_are_confirmed_and_stored_once_however_they_come(received: Database, receiver: Receiver) -> None:
    """Repeated, late and corrected ones; one of five minutes' rain; one with values that cannot be."""
    hour = timedelta(hours=1)
    rain = "".join(f"{value:02X}" for value in (5, 0, 0, 20, 255, 0, 0, 0, 0, 0, 0, 12))
    frames = [
        stage_report(STATION, NOW - hour, 31.25),
        stage_report(STATION, NOW - hour, 31.25),
        stage_report(STATION, NOW - 3 * hour, 31.0),
        stage_report(STATION, NOW - 3 * hour, 31.05),
        stage_report(STATION, NOW, 39.9),
        stage_report(STATION, NOW - 2 * hour, -31.2),
        sl651_frame(OTHER, body(OTHER, NOW - hour, f"F460{rain}20190000153812{packed(12.6, 4, 2)}"), 0x34),
    ]
    with receiver.connect() as conn:
        for frame in frames:
            conn.sendall(frame)
            assert _confirmed(conn) == b"\x04"
    until(lambda: ("31100600", "vt", NOW - hour) in _values(received))
    found = _values(received)
    assert {key: value for key, value in found.items() if key[0] == "31100500"} == {
        ("31100500", "z", NOW - 3 * hour): (31.05, 0), ("31100500", "z", NOW - 2 * hour): (-31.2, 1),
        ("31100500", "z", NOW - hour): (31.25, 0), ("31100500", "z", NOW): (39.9, 3),
    }  # fmt: skip
    minutes = [0.5, 0.0, 0.0, 2.0, None, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.2]
    assert [found.get(("31100600", "pn05", NOW - hour + number * timedelta(minutes=5)), (None,))[0]
            for number in range(12)] == minutes  # fmt: skip
    assert found["31100600", "pj", NOW - hour] == (1.5, 0)
    assert _refused(received) == []


def test_what_is_wrong_is_kept_with_its_reason_and_harms_nothing_else(received: Database, receiver: Receiver) -> None:
    good = stage_report(STATION, NOW, 31.25)
    wrong = bytearray(stage_report(STATION, NOW, 32.5))
    wrong[40] ^= 0x40
    with receiver.connect() as conn:
        conn.sendall(bytes(wrong) + good[:30] + good)
        assert _confirmed(conn) == b"\x04"
        for frame in (
            stage_report(UNKNOWN, NOW, 1.0),
            stage_report(STATION, NOW + timedelta(days=1), 1.0),
            stage_report(STATION, datetime(2001, 1, 1, tzinfo=UTC), 1.0),
            sl651_frame(STATION, body(STATION, NOW, "392300AB0000")),
        ):
            conn.sendall(frame)
            assert _confirmed(conn) == b"\x04"  # it came whole; sending it again would not make it better
        conn.sendall(good[:20])
    until(lambda: len(_refused(received)) == 7)
    assert _values(received) == {("31100500", "z", NOW): (31.25, 0)}
    assert _refused(received) == [
        ("checksum", None), ("checksum", None), ("unknown_station", UNKNOWN), ("future", "31100500"),
        ("too_old", "31100500"), ("not_decimal", None), ("truncated", None),
    ]  # fmt: skip


def test_what_was_refused_long_ago_is_forgotten(store: Database) -> None:
    store.thread_fetch(sql.SQL(
        "INSERT INTO shikong.refused_telegram VALUES ('00000000-0000-0000-0000-000000000000', 1, now() - interval '91 days',"
        " 'sl651', 'x', NULL, 'checksum', 'x', ''), ('00000000-0000-0000-0000-000000000000', 2,"
        " now() - interval '89 days', 'sl651', 'x', NULL, 'future', 'x', '') RETURNING 1"
    ))  # fmt: skip
    with receiving(dsn_of(store), store.settings.data, "--sl651", "0") as running, running.connect() as conn:
        conn.sendall(stage_report(STATION, NOW, 31.25))
        assert _confirmed(conn) == b"\x04"
        until(lambda: len(_values(store)) == 1)
    assert [reason for reason, _ in _refused(store)] == ["future"]


def test_a_telegram_in_packets_is_confirmed_when_it_is_whole(received: Database, receiver: Receiver) -> None:
    whole = body(
        STATION,
        NOW - timedelta(hours=10),
        "0418000100" + "3923" + "".join(packed(31 + step / 100, 8, 3) for step in range(10)),
    )
    parts = [whole[:30], whole[30:50], whole[50:]]
    frames = [sl651_frame(STATION, part, sl651.EVEN, (3, at)) for at, part in enumerate(parts, 1)]
    with receiver.connect() as conn:
        conn.sendall(frames[0] + frames[2])
        assert _confirmed(conn) == b"\x15"  # the second is asked for again
        conn.sendall(frames[1])
        assert _confirmed(conn) == b"\x04"
    until(lambda: len(_values(received)) == 10)
    first = NOW - timedelta(hours=10)
    assert _values(received) == {
        ("31100500", "z", first + timedelta(hours=step)): (31 + step / 100, 0) for step in range(10)
    }


def test_messages_of_instruments_are_answered_where_they_ask_for_it(received: Database, receiver: Receiver) -> None:
    with receiver.connect("hj212") as conn:
        told = "w01018-Rtd=4.2,w01018-Flag=N;w20111-Rtd=0.05,w20111-Flag=N;w21003-Rtd=0.3,w21003-Flag=D"
        conn.sendall(hj212_message("WQ0007", NOW, told))
        answer = conn.recv(200)
        assert b"CN=9014" in answer
        conn.sendall(b"##0010nonsense##" + hj212_message("NOBODY", NOW, "w01018-Rtd=1", answer=False))
    until(lambda: [reason for reason, _ in _refused(received)][-1:] == ["unknown_station"])
    query = sql.SQL("SELECT s.station, s.parameter, o.value, o.quality FROM data.water_quality AS o"
                    " JOIN data.water_quality__series AS s ON s.id = o.series ORDER BY 2")  # fmt: skip
    # Mercury comes in micrograms.
    expected = [("codcr", 4.2, 0), ("hg", 0.00005, 0), ("nh4n", 0.3, 4)]
    assert received.thread_fetch(query) == [("31100700", *one) for one in expected]


def test_one_that_floods_does_not_harm_the_others(store: Database) -> None:
    """Noise without end from one connection: a measure of it is kept, and a station beside it is answered."""
    stop = threading.Event()

    def flood(receiver: Receiver) -> None:
        with receiver.connect() as conn, contextlib.suppress(OSError):
            while not stop.is_set():
                conn.sendall(b"\x7e\x7e" + b"\x00" * 60)

    # One of its own: for a while it keeps no more that is broken from this address.
    with receiving(dsn_of(store), store.settings.data, "--sl651", "0") as receiver:
        flooding = threading.Thread(target=flood, args=(receiver,))
        flooding.start()
        try:
            until(lambda: len(_refused(store)) >= 50)
            with receiver.connect() as conn:
                for step in range(20):
                    conn.sendall(stage_report(STATION, NOW - step * timedelta(minutes=5), 31 + step / 100))
                    assert _confirmed(conn) == b"\x04"
        finally:
            stop.set()
            flooding.join()
        until(lambda: len(_values(store)) == 20)
        assert len(_refused(store)) <= 120


def test_messages_of_a_broker_are_acknowledged_when_they_are_on_the_disk(store: Database, tmp_path: Path) -> None:
    """What comes while the receiver is away is kept by the broker, and comes when it is back."""
    with broker(tmp_path) as port:
        client = Client(CallbackAPIVersion.VERSION2, "gateway")
        client.connect("127.0.0.1", port)
        client.loop_start()

        def publish(told: Any) -> None:
            text = told if isinstance(told, str) else json.dumps(told)
            client.publish("shikong/observations/hydro_observations", text, qos=1).wait_for_publish(10)

        options = ("--mqtt", f"mqtt://127.0.0.1:{port}")
        with receiving(dsn_of(store), store.settings.data, *options):
            publish({"station": "31100500", "time": NOW.isoformat(), "values": {"z": 31.2, "q": None, "nothing": 1}})
            until(lambda: len(_values(store)) == 1)
        for hour in range(1, 4):
            publish([{"station": "31100600", "time": f"{NOW - hour * timedelta(hours=1):%Y-%m-%dT%H:%M:%S}Z",
                      "values": {"drp": hour / 2}}])  # fmt: skip
        publish("{not json")
        publish({"station": "31100500", "values": {}})
        publish({"station": "31100500", "time": NOW.isoformat(), "values": {"z": "high"}})
        publish({"station": "nobody", "time": NOW.isoformat(), "values": {"z": 1}})
        with receiving(dsn_of(store), store.settings.data, *options):
            until(lambda: len(_refused(store)) == 4)
        client.loop_stop()
    assert _values(store) == {("31100500", "z", NOW): (31.2, 0)} | {
        ("31100600", "drp", NOW - timedelta(hours=hour)): (hour / 2, 0) for hour in range(1, 4)
    }
    assert [reason for reason, _ in _refused(store)] == ["not_json", "not_a_message", "not_decimal", "unknown_station"]


def test_a_broker_that_is_not_there_is_told(store: Database) -> None:
    environment = os.environ | {"DATABASE_URL": dsn_of(store), "SHIKONG_DATA": str(store.settings.data)}
    told = subprocess.run(
        [sys.executable, "-m", "shikong.cli.main", "receive", "--mqtt", "mqtt://127.0.0.1:1"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert "no broker answers at 127.0.0.1:1" in told.stderr


def test_nothing_that_was_confirmed_is_lost_when_the_receiver_is_killed(store: Database) -> None:
    confirmed: list[datetime] = []
    for turn in range(3):
        with receiving(dsn_of(store), store.settings.data, "--sl651", "0") as running, running.connect() as conn:
            killer = threading.Timer(0.8, running.kill)
            killer.start()
            with contextlib.suppress(OSError, AssertionError):
                for step in range(100_000):
                    at = NOW - timedelta(minutes=turn * 10_000 + step)
                    conn.sendall(stage_report(STATION, at, 31 + step % 10 / 100))
                    assert _confirmed(conn) == b"\x04"
                    confirmed.append(at)
            killer.join()
    with receiving(dsn_of(store), store.settings.data, "--sl651", "0"):
        until(lambda: {at for _, _, at in _values(store)} >= set(confirmed))
    stored = _values(store)
    assert len(confirmed) > 100
    assert len(stored) - len(confirmed) <= 3  # of each connection one may have come without having been confirmed


def test_the_operator_sees_what_was_refused(
    received: Database, receiver: Receiver, as_default: Callable[[str, Path], Database]
) -> None:
    as_default(dsn_of(received), received.settings.data)
    with receiver.connect() as conn:
        conn.sendall(stage_report(UNKNOWN, NOW, 1.0))
        assert _confirmed(conn) == b"\x04"
    until(lambda: bool(_refused(received)))
    summary = CliRunner().invoke(main.app, ["telegrams"]).output
    assert "unknown_station" in summary
    shown = CliRunner().invoke(main.app, ["telegrams", "--station", UNKNOWN]).output
    assert f"no station has the address {UNKNOWN}" in shown
