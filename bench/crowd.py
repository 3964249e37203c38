"""Many clients at once, for a while: whether all are answered, how evenly, and whether the server's memory stays flat.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from client import Connection, Question, Timing, WrongAnswer

CLIENTS = 64


@dataclass
class Crowd:
    """What came of it. errors: answers that did not come or were wrong, by kind. memory: the server process's resident
    memory (bytes) before, in the middle, and after."""

    timing: Timing = field(default_factory=Timing)
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)

    @property
    def spread(self) -> float:
        """How many times the median the slowest hundredth waits at least."""
        return self.timing.percentile(0.99) / self.timing.percentile(0.5)


async def run(port: int, process: int, questions: Sequence[Question], seconds: float) -> Crowd:
    """Ask with all clients for some seconds. process: the server's number."""
    found = Crowd(memory=[_resident(process)])
    following = itertools.cycle(questions)
    begun = time.perf_counter()

    async def client() -> None:
        connection: Connection | None = None
        while (asked := time.perf_counter()) - begun < seconds:
            try:
                connection = connection or await _connected(port)
                question = next(following)
                body = await connection.ask(question.path)
            except (WrongAnswer, ConnectionError, TimeoutError) as error:
                found.errors[type(error).__name__] += 1
                connection = None
                continue
            found.timing.latencies.append(time.perf_counter() - asked)
            found.timing.received += len(body)
            if not question.right(body):
                found.errors["not as expected"] += 1
        if connection is not None:
            connection.close()

    async def watch() -> None:
        await asyncio.sleep(seconds / 2)
        found.memory.append(_resident(process))

    await asyncio.gather(watch(), *(client() for _ in range(CLIENTS)))
    found.timing.elapsed = time.perf_counter() - begun
    found.memory.append(_resident(process))
    return found


async def _connected(port: int) -> Connection:
    return (await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port))[1]


def _resident(process: int) -> int:
    """Resident memory of a process, in bytes."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
