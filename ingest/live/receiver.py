"""Listening to stations over TCP: each connection by itself, answers only for what is in the journal.

A sender that is quicker than it may be is read more slowly, which no other notices; what is broken is kept up to a
measure, then counted only.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from shikong.ingest.live import talks
from shikong.ingest.live.journal import Journal, Received
from shikong.ingest.live.talks import Answer, Heard, Talk
from shikong.ingest.live.telegrams import Protocol

LOG = structlog.get_logger()

#: Frames a second that a connection may bring over time, and at once; and all connections of an address.
RATE, BURST = 500.0, 1_000.0
RATE_OF_ADDRESS, BURST_OF_ADDRESS = 5_000.0, 10_000.0

#: Connections that are held at once, of all and of one address.
MOST, MOST_OF_ADDRESS = 20_000, 5_000

#: Broken frames of one address that are kept in a minute, and bytes that are kept of one.
BROKEN, BROKEN_BYTES = 60, 2_048

#: Frames that wait for the journal; and, of one connection, those that wait for their answers.
WAITING, WAITING_OF_CONNECTION = 10_000, 256

#: Seconds of silence after which what has been received of a frame is given up, and after which a connection is.
PAUSE, SILENCE = 5.0, 1_800.0

#: The answers of a connection in their order, each with what it waits for; None ends them.
_Answers = asyncio.Queue[tuple[asyncio.Future[None] | None, Answer] | None]


@dataclass
class _Allowance:
    """Frames that may be sent: so many a second over time, so many at once."""

    rate: float
    burst: float
    left: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.at = self.burst, time.monotonic()

    def pause(self, frames: int) -> float:
        """Seconds to wait before more frames are taken than these."""
        now = time.monotonic()
        self.left = min(self.burst, self.left + (now - self.at) * self.rate) - frames
        self.at = now
        return max(0.0, -self.left / self.rate)


@dataclass
class _Sender:
    """What is kept in mind of an address."""

    allowance: _Allowance = field(default_factory=lambda: _Allowance(RATE_OF_ADDRESS, BURST_OF_ADDRESS))
    connections: int = 0
    broken: int = 0
    minute: int = 0

    def keeps_broken(self) -> bool:
        """Whether one more broken frame is kept."""
        minute = int(time.monotonic() // 60)
        if minute != self.minute:
            self.minute, self.broken = minute, 0
        self.broken += 1
        return self.broken <= BROKEN


class Inbox:
    """The way into the journal. Frames that arrive while the disk is busy are written together."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queue: asyncio.Queue[tuple[Received, asyncio.Future[None]]] = asyncio.Queue(WAITING)

    async def put(self, received: Received) -> asyncio.Future[None]:
        """Hand a frame in; what comes back is done once the frame is on the disk."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put((received, done))
        return done

    async def run(self) -> None:
        """Write until it is cancelled."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await asyncio.to_thread(self._journal.append, [received for received, _ in batch])
            except sqlite3.OperationalError as error:
                LOG.error("the journal cannot be written; nothing is confirmed", error=str(error))
                for _, done in batch:
                    done.cancel()
                await asyncio.sleep(1)
                continue
            for _, done in batch:
                if not done.done():
                    done.set_result(None)


class Receiver:
    """Serves one protocol."""

    def __init__(self, protocol: Protocol, inbox: Inbox) -> None:
        self._protocol, self._inbox = protocol, inbox
        self._senders: dict[str, _Sender] = {}
        self._connections = 0

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Listen; a port of 0 is any that is free."""
        return await asyncio.start_server(self._serve, host, port, backlog=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername")[0])
        sender = self._senders.setdefault(peer, _Sender())
        if self._connections >= MOST or sender.connections >= MOST_OF_ADDRESS:
            LOG.warning("too many connections; one is turned away", peer=peer)
            writer.close()
            return
        self._connections += 1
        sender.connections += 1
        answers: _Answers = asyncio.Queue(WAITING_OF_CONNECTION)
        answering = asyncio.create_task(_answer(answers, writer))
        try:
            await self._listen(reader, peer, sender, answers)
            await answers.put(None)
            await answering
        except (ConnectionError, TimeoutError):
            pass  # the sender has gone; it sends again what was not confirmed
        finally:
            answering.cancel()
            writer.close()
            self._connections -= 1
            sender.connections -= 1
            if not sender.connections and len(self._senders) > MOST:
                del self._senders[peer]

    async def _listen(self, reader: asyncio.StreamReader, peer: str, sender: _Sender, answers: _Answers) -> None:
        talk, allowance = talks.TALKS[self._protocol](), _Allowance(RATE, BURST)
        while True:
            cut, ended = await _heard(reader, talk)
            for heard in cut:
                await self._take(heard, peer, sender, answers)
            if ended:
                return
            if pause := max(allowance.pause(len(cut)), sender.allowance.pause(len(cut))):
                await asyncio.sleep(pause)

    async def _take(self, heard: Heard, peer: str, sender: _Sender, answers: _Answers) -> None:
        """Hand a frame in, and have its answer wait for it."""
        frame, answer = heard
        if frame is None:
            await answers.put((None, answer))
            return
        data, reason, told = frame.data, None, None
        if frame.fault is not None:
            if not sender.keeps_broken():
                return
            data, reason, told = data[:BROKEN_BYTES], frame.fault.reason, str(frame.fault)
        received = Received(datetime.now(UTC), self._protocol, peer, data, reason, told)
        await answers.put((await self._inbox.put(received), answer))


async def _heard(reader: asyncio.StreamReader, talk: Talk) -> tuple[list[Heard], bool]:
    """What comes next of a stream, and whether it has ended."""
    try:
        data = await asyncio.wait_for(reader.read(65_536), PAUSE if talk.held else SILENCE)
    except TimeoutError:
        return (list(talk.rest()), False) if talk.held else ([], True)
    return list(talk.feed(data)) if data else list(talk.rest()), not data


async def _answer(answers: _Answers, writer: asyncio.StreamWriter) -> None:
    """Send answers in the order of the frames, each once its frame is on the disk."""
    while (item := await answers.get()) is not None:
        done, answer = item
        if done is not None:
            try:
                await done
            except asyncio.CancelledError:
                if not done.cancelled():
                    raise
                continue  # not written: not confirmed
        if answer is not None:
            writer.write(answer)
            await writer.drain()
