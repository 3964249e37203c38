"""Connections to the database, each carrying the principal that uses it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import cache
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncServerCursor, Connection, errors, sql
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from shikong.store import cluster, settings
from shikong.store.errors import DatabaseAway, DiskFull, QueryTooSlow
from shikong.store.principal import Principal, current_principal
from shikong.store.settings import StoreSettings

#: Seconds to wait for a connection. Below the 3 s within which a client is told that the database is away.
ACQUIRE_TIMEOUT = 2.0

#: Seconds of silence after which a connection that listens is asked whether it still lives.
_QUIET = 5.0

_SET_PRINCIPAL = "SELECT set_config('shikong.principal', %s, false), set_config('shikong.roles', %s, false)"
_SET_TIMEOUT = "SELECT set_config('statement_timeout', %s, true)"


#: Composed, or composed before and kept as text.
Query = sql.SQL | sql.Composed | bytes


class ConnectionLost(DatabaseAway):
    """The connection to the database broke."""


class _Session(Connection[Any]):
    """A connection that remembers for whom it was last used."""

    principal: Principal | None = None


class _AsyncSession(AsyncConnection[Any]):
    """The same for the event loop."""

    principal: Principal | None = None


def dsn(store: StoreSettings) -> str:
    """libpq address of the store's database."""
    return store.database_url or cluster.private(store.data).dsn


def _connection_options(store: StoreSettings) -> dict[str, Any]:
    milliseconds = int(store.statement_timeout * 1000)
    return {
        "autocommit": True,
        "connect_timeout": 2,
        "application_name": "shikong",
        # Parallel plans help one reader and hurt the many: their workers take the cores that other readers wait for.
        "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout=60000"
        " -c max_parallel_workers_per_gather=0",
        "prepare_threshold": 3,
    }


@contextmanager
def _translated() -> Iterator[None]:
    """Turn driver errors into the store's own."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseAway from error
    except errors.QueryCanceled as error:
        raise QueryTooSlow from error
    except (errors.DiskFull, errors.ConfigurationLimitExceeded) as error:
        raise DiskFull(f"the database has no room left: {error.diag.message_primary}; free some space, then load again"
                       ) from error  # fmt: skip
    except (psycopg.OperationalError, TimeoutError) as error:
        raise ConnectionLost from error
    except psycopg.InternalError as error:
        if error.sqlstate is not None:
            raise
        raise ConnectionLost from error  # the driver's own word for a connection that broke within an answer


class Database:
    """The two pools of a process: one for the event loop, one for threads.

    Connections are in autocommit mode; a caller that writes opens its own transaction.
    """

    def __init__(self, store: StoreSettings) -> None:
        self.settings = store
        options = _connection_options(store)
        self._threads: ConnectionPool[_Session] = ConnectionPool(
            dsn(store), min_size=0, max_size=store.pool_size, timeout=ACQUIRE_TIMEOUT, open=False,
            kwargs=options, connection_class=_Session, reconnect_timeout=1.0, name="threads",
        )  # fmt: skip
        self._loop: AsyncConnectionPool[_AsyncSession] | None = None
        self._in_threads: set[_Session] = set()

    async def open(self) -> None:
        """Open the event loop's pool. The database need not be there yet."""
        self._loop = AsyncConnectionPool(
            dsn(self.settings), min_size=1, max_size=self.settings.pool_size, timeout=ACQUIRE_TIMEOUT, open=False,
            kwargs=_connection_options(self.settings), connection_class=_AsyncSession, reconnect_timeout=1.0,
            name="loop",
        )  # fmt: skip
        await self._loop.open()

    async def close(self) -> None:
        """Close both pools."""
        if self._loop is not None:
            await self._loop.close()
        self.close_threads()

    def close_threads(self) -> None:
        """Close the pool for threads, for programs without an event loop."""
        self._threads.close()

    async def fetch(
        self, query: Query, params: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> list[tuple[Any, ...]]:
        """All rows of one read query. A connection that died while idle is replaced, once.

        binary: the answer comes in the database's binary form, which spares bytes their way through hexadecimal text.
        """
        try:
            return await self._fetch(query, params, binary)
        except ConnectionLost:
            assert self._loop is not None
            await self._loop.check()
            return await self._fetch(query, params, binary)

    async def _fetch(self, query: Query, params: Mapping[str, Any] | None, binary: bool) -> list[tuple[Any, ...]]:
        async with self.session() as conn:
            cursor = await conn.execute(query, params, binary=binary)
            return await cursor.fetchall()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection of the event loop's pool, set to the current principal.

        Raises DatabaseAway when none can be had, QueryTooSlow when a query inside ran too long.
        """
        if self._loop is None:
            raise RuntimeError("Database.open() has not been called")
        with _translated():
            conn = await self._loop.getconn()
            try:
                principal = current_principal.get()
                if conn.principal != principal:
                    await conn.execute(_SET_PRINCIPAL, (principal.name, ",".join(principal.roles)))
                    conn.principal = principal
                yield conn
            finally:
                await self._loop.putconn(conn)

    @asynccontextmanager
    async def reading(
        self, query: Query, params: Mapping[str, Any], seconds: float
    ) -> AsyncIterator[AsyncServerCursor[tuple[Any, ...]]]:
        """A cursor in the database over a query's rows, in binary form, for more rows than memory should hold.

        seconds: how long each fetch may take. All fetches see the same state. Leaving the context stops the query.
        """
        async with self.session() as conn, conn.transaction():
            await conn.execute(_SET_TIMEOUT, (str(int(seconds * 1000)),))
            async with conn.cursor(name="reading") as cursor:
                await cursor.execute(query, params, binary=True)
                yield cursor

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[AsyncIterator[str | None]]:
        """What is told on a channel while it is listened to; None every few seconds in which nothing was told.

        Raises ConnectionLost, also when the connection has died without a word.
        """
        with _translated():
            options = _connection_options(self.settings)
            async with await AsyncConnection.connect(dsn(self.settings), **options) as conn:
                await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                yield self._told(conn)

    async def _told(self, conn: AsyncConnection[Any]) -> AsyncIterator[str | None]:
        while True:
            async for notice in conn.notifies(timeout=_QUIET):
                yield notice.payload
            async with asyncio.timeout(_QUIET):
                await conn.execute("SELECT 1")
            yield None

    def thread_fetch(self, query: Query, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of one read query, for code that runs in a thread."""
        try:
            return self._thread_fetch(query, params)
        except ConnectionLost:
            self._threads.check()
            return self._thread_fetch(query, params)

    def _thread_fetch(self, query: Query, params: Mapping[str, Any] | None) -> list[tuple[Any, ...]]:
        with self.thread_session() as conn:
            return conn.execute(query, params).fetchall()

    @contextmanager
    def thread_session(self) -> Iterator[Connection[Any]]:
        """A connection for code that runs in a thread, set to the current principal."""
        if self._threads.closed:
            self._threads.open()
        with _translated(), self._threads.connection() as conn:
            principal = current_principal.get()
            if conn.principal != principal:
                conn.execute(_SET_PRINCIPAL, (principal.name, ",".join(principal.roles)))
                conn.principal = principal
            self._in_threads.add(conn)
            try:
                yield conn
            finally:
                self._in_threads.discard(conn)

    @contextmanager
    def loading_sessions(self, number: int) -> Iterator[list[Connection[Any]]]:
        """Sessions of their own for a load that works with several at once; no statement in them ends by time."""
        options = _connection_options(self.settings)
        options["options"] += (
            " -c statement_timeout=0 -c maintenance_work_mem=256MB"
            " -c client_connection_check_interval=1s"  # what a loader that was killed had begun must not go on
        )
        with _translated(), ExitStack() as stack:
            sessions = [stack.enter_context(_Session.connect(dsn(self.settings), **options)) for _ in range(number)]
            self._in_threads.update(sessions)
            stack.callback(self._in_threads.difference_update, sessions)
            yield list(sessions)

    def cancel_threads(self) -> None:
        """Stop the statements that threads are running now; each raises QueryTooSlow where it runs."""
        for conn in self._in_threads.copy():
            with suppress(psycopg.OperationalError):  # a connection that has broken runs nothing
                conn.cancel_safe(timeout=5)


@contextmanager
def one_state(conn: Connection[Any]) -> Iterator[None]:
    """A transaction that only reads, and in which all queries see the same state, whatever is published meanwhile."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@cache
def default() -> Database:
    """The process-wide database of the environment's settings.

    Plugins that pygeoapi builds anew at every request share it.
    """
    return Database(settings.from_env())
