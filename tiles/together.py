"""One piece of work for all who ask for the same thing at the same time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Done = TypeVar("Done")


@dataclass
class _Work(Generic[Done]):
    task: asyncio.Task[Done]
    waiting: int = 0


class Together(Generic[Done]):
    """Work that is under way in this process, by what it is for."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Work[Done]] = {}

    async def once(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, Done]]) -> Done:
        """What `make` gives, or gives to whoever asked for it first. When nobody waits any more, it is cancelled."""
        work = self._under_way.get(key)
        if work is None:
            work = _Work(asyncio.create_task(make()))
            self._under_way[key] = work
            work.task.add_done_callback(lambda _: self._forget(key, work))
        work.waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.waiting -= 1
            if not work.waiting and not work.task.done():
                self._forget(key, work)
                work.task.cancel()

    def _forget(self, key: Hashable, work: _Work[Done]) -> None:
        if self._under_way.get(key) is work:
            del self._under_way[key]
