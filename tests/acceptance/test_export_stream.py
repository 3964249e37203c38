"""Large exports: what they cost the server, and what happens when nobody waits for them any more.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

ROWS = 60_000

_FILL = """
    INSERT INTO data.parcels (_release, _hash, bsm, dlbm, dlmc, xzqdm, tbmj, origin, valid_from, geom)
    SELECT 1, gen_random_uuid(), lpad(n::text, 15, '0'), '0102', '水浇地', '371502', n, 'generated', '2020-01-01',
        st_setsrid(st_multi(st_buffer(st_point(115.5 + n %% 300 * 0.003, 36 + n / 300 * 0.004), 0.001, 12)), 4490)
    FROM generate_series(1, %s) AS n
"""


@pytest.fixture(scope="module")
def large(cluster: Any, template: str, run_service: Callable[..., AbstractContextManager[Any]],
          tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:  # fmt: skip
    """A server over a layer of many features, and its database."""
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE shikong_large TEMPLATE {template}")
    dsn = cluster.dsn_of("shikong_large")
    with psycopg.connect(dsn) as conn:
        conn.execute(_FILL, (ROWS,))
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE data.parcels")
    with run_service(dsn, tmp_path_factory.mktemp("large")) as running:
        httpx.get(f"{running.url}/collections/parcels/items?f=arrow&limit=1", trust_env=False)  # imports are paid for
        yield running, dsn


def _memory(service: Any, key: str) -> float:
    """The server's memory in MB: VmRSS now, VmHWM at most since the mark was last cleared."""
    text = Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in text.splitlines() if line.startswith(key)).split()[1]) / 1024


def _exporting(dsn: str) -> int:
    """How many sessions have an export's transaction open."""
    with psycopg.connect(dsn) as conn:
        found = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name = 'shikong' AND xact_start IS NOT NULL AND state <> 'idle'"
        ).fetchone()
        assert found is not None
        return int(found[0])


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


#: Not compressed, an answer is longer than what sockets hold: a client that does not read holds the server up.
PLAIN = {"accept-encoding": "identity"}


def _items(service: Any, form: str) -> str:
    return f"{service.url}/collections/parcels/items?f={form}"


@pytest.mark.parametrize(("form", "least"), [("jsonl", 80), ("csv", 60), ("parquet", 2), ("arrow", 40), ("gpkg", 50)])
def test_an_export_begins_at_once_and_is_not_held_in_memory(large: tuple[Any, str], form: str, least: int) -> None:
    service, _ = large
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5", encoding="ascii")
    before, started, size = _memory(service, "VmRSS"), time.monotonic(), 0
    first = None
    with httpx.stream("GET", _items(service, form), trust_env=False, timeout=60,
                      headers=PLAIN) as answer:  # fmt: skip
        for piece in answer.iter_raw():
            first = first or time.monotonic() - started
            size += len(piece)
    assert size > least * 1e6
    assert _memory(service, "VmHWM") - before < (40 if form != "parquet" else 110)
    assert first is not None
    assert form == "gpkg" or first < (time.monotonic() - started) / 2


@pytest.mark.parametrize("form", ["jsonl", "arrow", "csv"])
def test_a_client_that_leaves_stops_the_query(large: tuple[Any, str], form: str) -> None:
    service, dsn = large
    with httpx.stream("GET", _items(service, form), trust_env=False, headers=PLAIN) as answer:
        pieces = answer.iter_raw(1000)  # named, for a generator that is let go closes the answer
        next(pieces)
        assert _exporting(dsn) == 1
        assert not _wait_for(lambda: _exporting(dsn) == 0, 0.5)  # it waits for its client, and does not read ahead
    assert _wait_for(lambda: _exporting(dsn) == 0)


def test_a_client_that_leaves_stops_the_writing_of_a_file(large: tuple[Any, str]) -> None:
    service, dsn = large
    with httpx.Client(trust_env=False, timeout=0.3) as client, pytest.raises(httpx.ReadTimeout):
        client.get(_items(service, "shp"))
    assert _wait_for(lambda: _exporting(dsn) == 0, 2)
    folders = Path("/tmp").glob("shikong-export-*")
    assert _wait_for(lambda: not [folder for folder in folders if folder.stat().st_uid == 0 and any(folder.iterdir())])


def test_a_query_under_way_is_stopped_too(large: tuple[Any, str]) -> None:
    service, dsn = large
    condition = " OR ".join(
        f"(tbmj > {number} AND S_TOUCHES(geometry,geometry))" for number in range(12)
    )  # none, slowly
    with httpx.Client(trust_env=False, timeout=0.3) as client, pytest.raises(httpx.ReadTimeout):
        client.get(_items(service, "jsonl"), params={"f": "jsonl", "filter": condition})
    assert _wait_for(lambda: _exporting(dsn) == 0, 1)


def test_exports_are_bounded_and_leave_room_for_pages(large: tuple[Any, str]) -> None:
    service, dsn = large
    with ExitStack() as stack:
        held = []
        for _ in range(4):
            answer = stack.enter_context(httpx.stream("GET", _items(service, "jsonl"), trust_env=False, headers=PLAIN))
            held.append(answer.iter_raw(1000))
            next(held[-1])
        refused = httpx.get(_items(service, "csv"), trust_env=False)
        assert refused.status_code == 503
        assert refused.json()["code"] == "Busy"
        assert int(refused.headers["retry-after"]) > 0
        assert httpx.get(_items(service, "json") + "&limit=5", trust_env=False).status_code == 200
    assert _wait_for(lambda: _exporting(dsn) == 0)
    assert httpx.get(_items(service, "csv") + "&limit=5", trust_env=False).status_code == 200


def test_an_export_that_breaks_off_does_not_look_whole(large: tuple[Any, str]) -> None:
    service, dsn = large
    with httpx.stream("GET", _items(service, "jsonl"), trust_env=False, headers=PLAIN) as answer:
        pieces = answer.iter_raw(1000)
        next(pieces)
        with psycopg.connect(dsn) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    assert "export_broken_off" in service.log.read_text(encoding="utf-8")
    lines = service.log.read_text(encoding="utf-8")
    assert "Traceback" not in lines, lines[lines.index("Traceback") - 500 :][:6000]
