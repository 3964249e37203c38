"""The load: clients on kept connections that ask, wait for the whole answer, check it and ask again.

Plain sockets, so that the clients take as little as possible of the machine that they share with the servers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

CLIENTS = 8
_ANSWER_TIMEOUT = 120.0


class WrongAnswer(Exception):
    """A server's answer is not what the question's answer is."""


@dataclass(frozen=True)
class Question:
    """An address, and the check that its answer's body must pass."""

    path: str
    right: Callable[[bytes], bool]


@dataclass
class Timing:
    """Answers of one or more rounds: how long each took, and for how long was asked."""

    elapsed: float = 0.0
    latencies: list[float] = field(default_factory=list)
    received: int = 0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.elapsed

    def percentile(self, share: float) -> float:
        """The latency in ms that this share of the answers did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    def add(self, other: Timing) -> None:
        """Put another round's answers to these."""
        self.elapsed += other.elapsed
        self.latencies += other.latencies
        self.received += other.received


class Connection(asyncio.Protocol):
    """One kept connection. Answers must carry Content-Length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._got = 0
        self._head = b""
        self._wanted: int | None = None
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the question that is waiting."""
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))

    async def ask(self, path: str) -> bytes:
        """The body of the answer to a GET. Raises WrongAnswer unless it is a 200."""
        assert self._transport is not None
        self._parts, self._got, self._head, self._wanted = [], 0, b"", None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode("ascii"))
        body = await asyncio.wait_for(self._answer, _ANSWER_TIMEOUT)
        if not self._head.startswith(b"HTTP/1.1 200 "):
            raise WrongAnswer(f"{path}: {self._head.splitlines()[0].decode('latin-1')}: {body[:300]!r}")
        return body

    def data_received(self, data: bytes) -> None:
        """Collect the answer; its length is known once its head is there."""
        if self._wanted is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head, data = self._head[:end], self._head[end + 4 :]
            self._wanted = self._length()
        self._parts.append(data)
        self._got += len(data)
        if self._got >= self._wanted and self._answer and not self._answer.done():
            self._answer.set_result(b"".join(self._parts))

    def _length(self) -> int:
        for line in self._head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return int(value)
        raise WrongAnswer(f"an answer without Content-Length: {self._head!r}")

    def close(self) -> None:
        """Close the connection."""
        if self._transport:
            self._transport.close()


async def run_round(port: int, questions: Sequence[Question], seconds: float, start: int) -> Timing:
    """Ask for some seconds with all clients, beginning at a place in the list; what is under way is waited for."""
    loop = asyncio.get_running_loop()
    next_question = itertools.cycle([*questions[start % len(questions) :], *questions[: start % len(questions)]])
    timing = Timing()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(CLIENTS)]
    begun = time.perf_counter()

    async def client(connection: Connection) -> None:
        while (asked := time.perf_counter()) - begun < seconds:
            question = next(next_question)
            body = await connection.ask(question.path)
            timing.latencies.append(time.perf_counter() - asked)
            timing.received += len(body)
            if not question.right(body):
                raise WrongAnswer(f"{question.path} is not as expected: {body[:300]!r}")

    try:
        await asyncio.gather(*(client(connection) for connection in connections))
        timing.elapsed = time.perf_counter() - begun
    finally:
        for connection in connections:
            connection.close()
    return timing
