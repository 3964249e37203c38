"""One piece of work for all who ask for the same thing at the same time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Done = TypeVar("Done")


class Together(Generic[Done]):
    """Work that is under way in this process, by what it is for."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Future[Done]] = {}

    async def once(self, key: Hashable, make: Callable[[], Awaitable[Done]]) -> Done:
        """What `make` gives, or gives to whoever asked for it first.

        Whoever was first does the work; where that one leaves, the next one begins anew. What goes wrong goes wrong for
        all who wait.
        """
        while (under_way := self._under_way.get(key)) is not None:
            try:
                return await asyncio.shield(under_way)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not under_way.cancelled() or (task is not None and task.cancelling()):
                    raise  # it is this one who leaves
        found = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            done = await make()
        except asyncio.CancelledError:
            found.cancel()
            raise
        except BaseException as error:
            found.set_exception(error)
            found.exception()  # perhaps nobody waits for it
            raise
        else:
            found.set_result(done)
            return done
        finally:
            del self._under_way[key]
