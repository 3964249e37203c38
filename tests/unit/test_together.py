"""Work that many ask for at once is done once, goes on while anybody waits, and ends when nobody does.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio

import pytest

from shikong.tiles.together import Together


class Work:
    """Something that takes until it is allowed to end."""

    def __init__(self) -> None:
        self.begun, self.cancelled, self.end = 0, 0, asyncio.Event()

    async def do(self) -> str:
        self.begun += 1
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return f"done {self.begun}"


async def _asking(together: Together[str], work: Work, number: int) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(together.once("key", work.do)) for _ in range(number)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def test_five_hundred_who_ask_at_once_get_what_was_done_once() -> None:
    async def run() -> None:
        together, work = Together[str](), Work()
        tasks = await _asking(together, work, 500)
        work.end.set()
        assert set(await asyncio.gather(*tasks)) == {"done 1"}
        assert work.begun == 1
        assert await together.once("key", work.do) == "done 2", "what is done is not kept"

    asyncio.run(run())


def test_whoever_leaves_does_not_take_it_from_the_others() -> None:
    async def run() -> None:
        together, work = Together[str](), Work()
        first, second, third = await _asking(together, work, 3)
        second.cancel()
        await asyncio.wait([second])
        assert (work.begun, work.cancelled) == (1, 0), "one who only waited"
        first.cancel()
        await asyncio.wait([first])
        await asyncio.sleep(0.01)
        assert (work.begun, work.cancelled) == (2, 1), "the next one has taken over"
        work.end.set()
        assert await third == "done 2"

    asyncio.run(run())


def test_when_nobody_waits_any_more_it_ends() -> None:
    async def run() -> None:
        together, work = Together[str](), Work()
        tasks = await _asking(together, work, 3)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert (work.begun, work.cancelled) == (1, 1)
        [again] = await _asking(together, work, 1)
        work.end.set()
        assert await again == "done 2", "who comes after that begins anew"

    asyncio.run(run())


def test_what_fails_fails_for_all_and_is_tried_again() -> None:
    async def run() -> None:
        together, tried = Together[str](), 0

        async def fail() -> str:
            nonlocal tried
            tried += 1
            await asyncio.sleep(0.01)
            raise ValueError("no")

        found = await asyncio.gather(*(together.once("key", fail) for _ in range(5)), return_exceptions=True)
        assert [type(each) for each in found] == [ValueError] * 5
        with pytest.raises(ValueError, match="no"):
            await together.once("key", fail)
        assert tried == 2

    asyncio.run(run())
