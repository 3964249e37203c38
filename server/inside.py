"""The service asked from inside processes of its own, for work that wants what clients would get.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import httpx

from shikong.store.helpers import end_with_parent
from shikong.tiles.cache import TileFiles

#: Questions that a process is given at a time, and that it has under way.
_SHARE, _AT_ONCE = 32, 4

#: Shares that wait for a process that has time.
_AHEAD = 3


@dataclass(frozen=True)
class Got:
    """An answer: its status and body."""

    path: str
    status: int
    body: bytes


Ask = Callable[[Iterable[str]], Iterator[Got]]


@contextmanager
def inside(processes: int) -> Iterator[Ask]:
    """A service without a port, in several processes, with the environment's settings.

    Gives what asks it: paths in, answers out in the same order, bodies uncompressed. What has not been asked when the
    context ends is not asked.
    """
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)

    def ask(paths: Iterable[str]) -> Iterator[Got]:
        waiting: deque[Future[list[Got]]] = deque()
        source = iter(paths)
        while share := list(islice(source, _SHARE)):
            waiting.append(pool.submit(_answers, share))
            if len(waiting) > processes * _AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

    try:
        yield ask
    finally:
        pool.shutdown(cancel_futures=True)


_loop: asyncio.AbstractEventLoop
_client: httpx.AsyncClient
_files: TileFiles

Done = TypeVar("Done")


def _begin() -> None:
    """Start the service in this process, with an event loop in a thread of its own."""
    global _loop, _client, _files  # noqa: PLW0603 - what a process of the pool works with
    end_with_parent()
    _loop = asyncio.new_event_loop()
    threading.Thread(target=_loop.run_forever, daemon=True).start()
    # The application takes a second to import, and every command imports this module.
    from shikong.server.app import create_app

    app = create_app(alone=True)
    _run(app.router.lifespan_context(app).__aenter__())
    _files = app.state.context.tiles.files
    plain = {"accept-encoding": "identity"}
    _client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://inside", headers=plain, timeout=600
    )


def _run(work: Coroutine[Any, Any, Done]) -> Done:
    return asyncio.run_coroutine_threadsafe(work, _loop).result()


def _answers(paths: list[str]) -> list[Got]:
    answers = _run(_asked(paths))
    _files.flush()  # the process may end with this share
    return answers


async def _asked(paths: list[str]) -> list[Got]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(path: str) -> Got:
        async with turns:
            answer = await _client.get(path)
        return Got(path, answer.status_code, answer.content)

    return list(await asyncio.gather(*map(one, paths)))
