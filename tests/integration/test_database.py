"""Sessions: each carries its principal, none runs for ever, and a lost connection heals.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from shikong.store.cluster import Cluster
from shikong.store.database import ACQUIRE_TIMEOUT, ConnectionLost, Database
from shikong.store.errors import DatabaseAway, QueryTooSlow, StoreError
from shikong.store.principal import ANONYMOUS, Principal, current_principal
from shikong.store.settings import StoreSettings

WHO = sql.SQL("SELECT current_setting('shikong.principal'), current_setting('shikong.roles'), pg_backend_pid()")
PID = sql.SQL("SELECT pg_backend_pid()")
LI, WANG = Principal("li", ("planner",)), Principal("wang", ("hydrologist", "culture_editor"))


@pytest.fixture
def narrow(empty_store: Database) -> Iterator[Database]:
    """A store with one connection and little patience."""
    store = Database(replace(empty_store.settings, pool_size=1, statement_timeout=0.3))
    yield store
    store.close_threads()


def _ask_as(store: Database, who: Principal) -> tuple[str, str]:
    def ask() -> tuple[str, str]:
        current_principal.set(who)
        row = store.thread_fetch(WHO)[0]
        return row[0], row[1]

    return copy_context().run(ask)


def _kill(store: Database, *, but: int | None = None) -> int:
    """End the backends of a store's database from outside."""
    assert store.settings.database_url is not None
    with psycopg.connect(store.settings.database_url, autocommit=True) as conn:
        rows = conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'shikong' AND pid IS DISTINCT FROM %s",
            (but,),
        ).fetchall()
    return len(rows)


def test_a_session_is_anonymous_until_someone_asks(empty_store: Database) -> None:
    assert empty_store.thread_fetch(WHO)[0][:2] == (ANONYMOUS.name, "")


def test_one_connection_serves_one_principal_after_another(narrow: Database) -> None:
    pid = narrow.thread_fetch(PID)
    for who, roles in ((LI, "planner"), (WANG, "hydrologist,culture_editor"), (ANONYMOUS, ""), (LI, "planner")):
        assert _ask_as(narrow, who) == (who.name, roles)
    assert narrow.thread_fetch(PID) == pid, "the pool had only one connection to give"
    assert narrow.thread_fetch(WHO)[0][:2] == (ANONYMOUS.name, "")


def test_principals_of_contexts_at_the_same_time_do_not_mix(empty_store: Database) -> None:
    people = [Principal(f"p{number}", (f"r{number}",)) for number in range(24)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda who: _ask_as(empty_store, who), people))
    assert found == [(who.name, who.roles[0]) for who in people]


def test_a_principal_survives_a_transaction_that_fails(narrow: Database) -> None:
    def break_one() -> None:
        current_principal.set(LI)
        with narrow.thread_session() as conn, conn.transaction():
            conn.execute("SELECT 1/0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        copy_context().run(break_one)
    assert _ask_as(narrow, LI) == ("li", "planner")
    assert narrow.thread_fetch(WHO)[0][:2] == ("anonymous", "")


def test_a_query_that_takes_too_long_is_stopped(narrow: Database) -> None:
    started = time.monotonic()
    with pytest.raises(QueryTooSlow, match="ask for less"):
        narrow.thread_fetch(sql.SQL("SELECT pg_sleep(20)"))
    assert time.monotonic() - started < 20 / 2, "it was not waited for"
    assert narrow.thread_fetch(sql.SQL("SELECT 1")) == [(1,)], "the connection is of use afterwards"


def test_a_lost_connection_heals(empty_store: Database) -> None:
    before = empty_store.thread_fetch(PID)
    assert _kill(empty_store) == 1
    after = empty_store.thread_fetch(PID)
    assert after != before
    assert _ask_as(empty_store, WANG)[0] == "wang"


def test_a_connection_lost_in_the_middle_is_told_as_such(empty_store: Database) -> None:
    def lose() -> None:
        with empty_store.thread_session() as conn:
            conn.execute("SELECT 1")
            assert _kill(empty_store) == 1
            conn.execute("SELECT 2")

    with pytest.raises(ConnectionLost):
        lose()
    assert issubclass(ConnectionLost, DatabaseAway)
    assert empty_store.thread_fetch(sql.SQL("SELECT 3")) == [(3,)]


def test_what_the_driver_makes_of_an_answer_that_breaks_off_is_a_lost_connection(empty_store: Database) -> None:
    """Seldom, when a session ends while its rows are on the way; an error that the database tells is another thing."""
    with pytest.raises(ConnectionLost), empty_store.thread_session():
        raise psycopg.InternalError("received 2 results from command 'FETCH FORWARD 400'")
    with pytest.raises(psycopg.errors.InternalError_), empty_store.thread_session() as conn:
        conn.execute("SELECT st_geomfromtext('POINT(')")


def test_a_database_that_is_not_there_is_told_within_the_promised_time(tmp_path: Path) -> None:
    store = Database(StoreSettings(tmp_path, f"host={tmp_path} dbname=none", statement_timeout=1, pool_size=1))
    started = time.monotonic()
    with pytest.raises(DatabaseAway, match="does not answer"):
        store.thread_fetch(sql.SQL("SELECT 1"))
    assert time.monotonic() - started < 3 * ACQUIRE_TIMEOUT
    store.close_threads()


def _in_loop(store: Database, work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await store.open()
        try:
            await work()
        finally:
            await store.close()

    asyncio.run(run())


def test_requests_at_the_same_time_keep_their_principals_in_the_event_loop(empty_store: Database) -> None:
    people = [Principal(f"p{number}") for number in range(30)]

    async def ask(who: Principal) -> str:
        current_principal.set(who)
        rows = await empty_store.fetch(WHO)
        await asyncio.sleep(0)
        return str(rows[0][0])

    async def work() -> None:
        assert await asyncio.gather(*(asyncio.create_task(ask(who)) for who in people)) == [who.name for who in people]

    _in_loop(empty_store, work)


def test_a_lost_connection_heals_in_the_event_loop(empty_store: Database) -> None:
    async def work() -> None:
        before = await empty_store.fetch(PID)
        await asyncio.to_thread(_kill, empty_store)
        assert await empty_store.fetch(PID) != before

    _in_loop(empty_store, work)


def test_a_slow_query_is_stopped_in_the_event_loop(narrow: Database) -> None:
    async def work() -> None:
        with pytest.raises(QueryTooSlow):
            await narrow.fetch(sql.SQL("SELECT pg_sleep(20)"))
        assert await narrow.fetch(sql.SQL("SELECT 1")) == [(1,)]

    _in_loop(narrow, work)


def test_asking_the_loop_before_it_is_open_is_a_clear_mistake(empty_store: Database) -> None:
    with pytest.raises(RuntimeError, match="open"):
        asyncio.run(empty_store.fetch(PID))


@pytest.mark.parametrize("kind", [DatabaseAway, QueryTooSlow, ConnectionLost])
def test_every_store_error_says_something_by_itself(kind: type[StoreError]) -> None:
    assert len(str(kind())) > 20


def test_a_private_cluster_that_runs_is_left_alone(cluster: Cluster) -> None:
    with psycopg.connect(cluster.dsn_of("postgres")) as conn:
        before = conn.execute("SELECT pg_postmaster_start_time()").fetchone()
    cluster.ensure_running()
    with psycopg.connect(cluster.dsn_of("postgres")) as conn:
        assert conn.execute("SELECT pg_postmaster_start_time()").fetchone() == before
